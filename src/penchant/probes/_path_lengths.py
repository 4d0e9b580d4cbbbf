"""Which path lengths carry the gradient through a residual network.

Decisions:
- The gradient through all paths of exactly k branches is the k-th coefficient of the gradient as
  a polynomial in t, each branch's gradient weighted by t. The coefficients are carried backward
  themselves, block by block, one longer through each branch: exact at any depth, where fitting a
  polynomial of degree 20 would lose ten digits. With B blocks it costs about B/2 passes backward.
- Each addition cuts the graph, so that a product with a Jacobian walks one block.
- A coefficient below the number type's rounding of the largest at the same place is dropped.
- Shares are of norms, which cannot be negative. Where paths cancel, `aligned` says what each
  length adds to the gradient that is left.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.probes._additions import Addition, Additions
from penchant.probes._finding import Finding
from penchant.probes._passes import check_inputs, check_network, distinct, table, tensors

_Coefficients = dict[int, Tensor]
"""Gradients by number of branches passed."""


@dataclass(frozen=True)
class PathLengths:
    """How much gradient arrives along paths of each length."""

    lengths: tuple[int, ...]
    """Branches passed: 0, 1, ..., the most that any path passes."""
    shares: tuple[float, ...]
    """‖g_k‖ / Σ‖g_j‖ for each length, at `at`."""
    aligned: tuple[float, ...]
    """g_k·g / ‖g‖², which sum to 1; negative where a length works against the others."""
    first_shares: tuple[float, ...]
    """The same as `shares` for the first layer's weight; () where it is frozen, or where no
    gradient arrives, as in a branch that starts with scale 0."""
    effective_depth: float
    """Mean length, weighted by the shares."""
    at: str
    """Where the gradient is taken: "inputs", or the first layer's weight for whole numbers."""
    blocks: tuple[str, ...]
    """Residual blocks in the order in which they are added."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """None: no distribution of lengths is a fault by itself."""
        return ()

    @property
    def sentence(self) -> str:
        """The outcome in a sentence."""
        if not self.blocks:
            return "No residual block was found, so there is one path."
        reached = itertools.accumulate(self.shares)
        half = next(length for length, share in enumerate(reached) if share >= 0.5)
        return (
            f"Of {len(self.blocks)} residual blocks the gradient's paths pass "
            f"{self.effective_depth:.1f} on average; half of it comes along paths of {half} or "
            "fewer."
        )

    def __str__(self) -> str:
        rows = (
            (str(length), f"{share:.1%}", f"{aligned:.1%}")
            for length, share, aligned in zip(self.lengths, self.shares, self.aligned, strict=True)
        )
        return f"{table(('branches', 'share', 'aligned'), rows)}\n{self.sentence}"


def path_lengths(
    network: nn.Module,
    divergence: Callable[[Any, Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
) -> PathLengths:
    r"""Return how much of the gradient comes along paths of each length.

    B residual blocks make up to 2^B paths, each through the branch or the identity of every block.
    With each branch's gradient weighted by t and the forward pass as it is,

    .. math:: g(t) = \sum_{k=0}^{B} t^k g_k, \qquad
              \text{share}_k = \frac{\lVert g_k\rVert}{\sum_j \lVert g_j\rVert}, \qquad
              \text{effective depth} = \sum_k k\,\text{share}_k

    where g_k is the gradient through all paths of exactly k branches together. It is exact. Blocks
    within a branch count too: a path through both has passed two.

    Args:
        network: any module, in the mode it is in; nothing of it changes.
        divergence: output and targets to a scalar, for example ``KL("softmax")``.
        inputs: a batch.
        targets: what the divergence compares with.

    Returns:
        Shares by length at the inputs and at the first layer's weight.

    Raises:
        PenchantError: no module, a batch that is empty or not finite, a divergence that is no
            finite scalar, or no gradient that arrives.

    Example:
        >>> from penchant.divergences import L2
        >>> from penchant.nn import Residual
        >>> blocks = [Residual(nn.Linear(2, 2, bias=False), None) for _ in range(2)]
        >>> with torch.no_grad():
        ...     for block in blocks:
        ...         _ = block.inner.weight.copy_(torch.eye(2))
        >>> found = path_lengths(nn.Sequential(*blocks), L2(), torch.ones(1, 2), torch.zeros(1, 2))
        >>> found.shares, found.effective_depth
        ((0.25, 0.5, 0.25), 1.0)

    Source: Veit, Wilber & Belongie, "Residual networks behave like ensembles of relatively shallow
    networks", 2016.
    """
    check_network("path_lengths", network)
    batch = check_inputs("path_lengths(inputs)", inputs)
    real = batch.is_floating_point()
    source = batch.detach().clone().requires_grad_(real)
    watch = _Cuts(network)
    with torch.inference_mode(False), torch.enable_grad():
        # A copy goes in, since a network that writes into its input may not write into a leaf.
        output = watch.run(source.clone())
        value = divergence(output, targets)
        _check_value(value)
        first = watch.first
        ends = ([source] if real else []) + ([first[1]] if first else [])
        if not ends or not value.requires_grad:
            raise PenchantError(
                "path_lengths: no gradient arrives; inputs of a floating type or a trainable "
                "first layer would fit"
            )
        found = _coefficients(value, watch.cuts, ends)
    longest = max((max(one, default=0) for one in found), default=0)
    at = "inputs" if real else first[0] if first else ""
    shares = _shares(found[0], longest)
    if not shares:
        raise PenchantError(
            f"path_lengths: the gradient at {at} is 0; one that arrives would fit (gradient_flow "
            "says where it is lost)"
        )
    return PathLengths(
        lengths=tuple(range(longest + 1)),
        shares=shares,
        aligned=_aligned(found[0], longest),
        first_shares=_shares(found[-1], longest) if first else (),
        effective_depth=sum(length * share for length, share in enumerate(shares)),
        at=at,
        blocks=tuple(distinct(addition.path for addition in watch.found)),
    )


@dataclass(eq=False)
class _Cut:
    """An addition: its operands at the end of one piece of the graph, its sum the next's leaf."""

    kept: Tensor
    branch: Tensor
    leaf: Tensor


class _Cuts(Additions):
    """Cuts the graph at every residual addition."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.cuts: list[_Cut] = []
        self.first: tuple[str, Tensor] | None = None
        self._weights = {id(p): name for name, p in network.named_parameters()}

    def add(self, addition: Addition, kept: Tensor, branch: Tensor) -> Tensor:
        leaf = (kept + branch).detach().requires_grad_()
        self.cuts.append(_Cut(kept, branch, leaf))
        return leaf.clone()  # an activation may write into it, which a leaf does not bear

    def function(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if self.first is None:
            for one in tensors((args, kwargs)):
                if id(one) in self._weights and one.ndim > 1 and one.requires_grad:
                    self.first = (self._weights[id(one)], one)
                    break
        return super().function(name, func, args, kwargs)


def _coefficients(
    value: Tensor, cuts: Sequence[_Cut], ends: Sequence[Tensor]
) -> list[_Coefficients]:
    """Carry the polynomial's coefficients from the value to the ends."""
    leaves = [*ends, *(cut.leaf for cut in cuts)]
    arrived: list[_Coefficients] = [{} for _ in leaves]
    _carry(value, {0: torch.ones_like(value)}, leaves, arrived, 0)
    for place in reversed(range(len(ends), len(leaves))):
        cut, gradients = cuts[place - len(ends)], _audible(arrived[place])
        arrived[place] = {}
        # What a piece of the graph may depend on was there before its addition.
        before = leaves[:place]
        _carry(cut.kept, gradients, before, arrived, 0)
        _carry(cut.branch, gradients, before, arrived, 1)
    return arrived[: len(ends)]


def _carry(
    output: Tensor,
    gradients: _Coefficients,
    leaves: Sequence[Tensor],
    arrived: list[_Coefficients],
    longer: int,
) -> None:
    """Add each gradient's product with the Jacobian of a piece to the leaves', by length."""
    if not output.requires_grad:
        return
    for length, gradient in gradients.items():
        products = torch.autograd.grad(
            output, list(leaves), gradient, retain_graph=True, allow_unused=True
        )
        for held, product in zip(arrived, products, strict=False):
            if product is not None:
                known = held.get(length + longer)
                held[length + longer] = product if known is None else known + product


def _audible(gradients: _Coefficients) -> _Coefficients:
    norms = {length: float(torch.linalg.vector_norm(one)) for length, one in gradients.items()}
    loudest = max(norms.values(), default=0.0)
    return {
        length: one
        for length, one in gradients.items()
        if norms[length] > torch.finfo(one.dtype).eps * loudest
    }


def _shares(found: _Coefficients, longest: int) -> tuple[float, ...]:
    norms = [
        float(torch.linalg.vector_norm(found[length].double())) if length in found else 0.0
        for length in range(longest + 1)
    ]
    total = sum(norms)
    return tuple(norm / total for norm in norms) if total > 0 else ()


def _aligned(found: _Coefficients, longest: int) -> tuple[float, ...]:
    whole = sum((one.double() for one in found.values()), torch.zeros(()))
    square = float(whole.square().sum())
    return tuple(
        float((found[length].double() * whole).sum()) / square
        if length in found and square
        else 0.0
        for length in range(longest + 1)
    )


def _check_value(value: object) -> None:
    if not isinstance(value, Tensor) or value.ndim != 0 or not bool(value.isfinite()):
        said = (
            f"a {type(value).__name__}"
            if not isinstance(value, Tensor)
            else f"{value.item():g}"
            if value.ndim == 0
            else f"a tensor of shape {tuple(value.shape)}"
        )
        raise PenchantError(f"path_lengths: the divergence gave {said}; a finite scalar would fit")
