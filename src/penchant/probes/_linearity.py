"""How much of each residual block's output comes along its identity path.

Decisions:
- The share is of second moments of the two operands, ‖a‖²/(‖a‖² + ‖z‖²): it lies in [0, 1] whether
  or not the two point the same way. What they have in common is said by `explained`.
- A block's best linear map is not fitted: with as many unknowns as a layer has weights it would
  explain a batch whatever the block does. `explained` fits one number, and so is well defined.
- No share is a fault by itself: a block that starts as the identity (ReZero) has share 1, a
  projection that widens a network may have any. So there are no findings here.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from penchant.probes._additions import Addition, Additions
from penchant.probes._finding import Finding
from penchant.probes._passes import check_inputs, check_network, distinct, table


@dataclass(frozen=True)
class BlockShare:
    """What the identity path carries of one block's output."""

    name: str
    """The module whose forward adds; ``#2`` behind it for its second addition."""
    share: float
    """‖a‖²/(‖a‖² + ‖z‖²) over the batch; nan where both are 0."""
    explained: float
    """Squared correlation of a and a + z over samples, position by position: how much of the
    sum's variance the identity path explains alone. nan for one sample or a constant sum."""
    projected: bool
    """Whether the path is a projection rather than the identity."""


@dataclass(frozen=True)
class LinearityReport:
    """How linear a residual network is, block by block."""

    blocks: tuple[BlockShare, ...]
    """In the order in which they are added."""
    samples: int
    """Samples in the batch."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """None: neither a share of 0 nor one of 1 is a fault by itself."""
        return ()

    @property
    def sentence(self) -> str:
        """The outcome in a sentence."""
        if not self.blocks:
            return "No residual block was found: no tensor is added to what it began with."
        shares = [block.share for block in self.blocks]
        low, high = min(shares), max(shares)
        return (
            f"{len(shares)} residual block{'s' * (len(shares) != 1)}; the identity path carries "
            f"{sum(shares) / len(shares):.0%} of their outputs on average, {low:.0%} to {high:.0%}."
        )

    def __str__(self) -> str:
        rows = (
            (
                block.name or "(the network)",
                "projection" if block.projected else "identity",
                f"{block.share:.1%}",
                f"{block.explained:.1%}",
            )
            for block in self.blocks
        )
        return f"{table(('block', 'path', 'share', 'explained'), rows)}\n{self.sentence}"


def identity_shares(network: nn.Module, inputs: Tensor) -> LinearityReport:
    r"""Return the share of each residual block's output that its identity path carries.

    .. math:: \text{share} = \frac{\lVert a\rVert^2}{\lVert a\rVert^2 + \lVert z\rVert^2}, \qquad
              \text{explained} = \mathrm{corr}^2(a, a + z)

    of the sum a + z of identity path and branch, before an activation behind it; squares are
    summed over the batch, and for the correlation each position's mean over samples is taken off.
    Blocks are found in any network by the addition whose one operand is an ancestor of the other,
    directly or by a projection (convolution, linear layer, norm, strided slice, padding).

    Args:
        network: any module, in the mode it is in; nothing of it changes.
        inputs: a batch.

    Returns:
        The blocks, in order.

    Raises:
        PenchantError: no module, or a batch that is empty or not finite.

    Example:
        >>> from penchant.nn import Residual
        >>> report = identity_shares(Residual(nn.Linear(3, 3), scale=0.0), torch.ones(2, 3))
        >>> report.blocks[0].share
        1.0
        >>> identity_shares(nn.Linear(3, 3), torch.ones(2, 3)).sentence
        'No residual block was found: no tensor is added to what it began with.'

    Source: He, Zhang, Ren & Sun, "Identity mappings in deep residual networks", 2016; De & Smith,
    "Batch normalization biases residual blocks towards the identity function", 2020.
    """
    check_network("identity_shares", network)
    batch = check_inputs("identity_shares(inputs)", inputs)
    watch = _Shares(network)
    with torch.no_grad():
        watch.run(batch)
    names = distinct(addition.path for addition in watch.found)
    blocks = (
        BlockShare(name, share, explained, addition.projected)
        for name, addition, (share, explained) in zip(
            names, watch.found, watch.numbers, strict=True
        )
    )
    return LinearityReport(tuple(blocks), len(batch))


class _Shares(Additions):
    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.numbers: list[tuple[float, float]] = []

    def add(self, addition: Addition, kept: Tensor, branch: Tensor) -> Tensor:
        total = kept + branch
        a, z = kept.detach().double(), branch.detach().double()
        carried, beside = float(a.square().sum()), float(z.square().sum())
        share = carried / (carried + beside) if carried + beside else float("nan")
        self.numbers.append((share, _explained(a, a + z)))
        return total


def _explained(a: Tensor, y: Tensor) -> float:
    a, y = a - a.mean(0), y - y.mean(0)
    spread = float(a.square().sum() * y.square().sum())
    return float((a * y).sum()) ** 2 / spread if spread else float("nan")
