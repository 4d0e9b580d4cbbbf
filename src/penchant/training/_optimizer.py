"""Adam; Muon for hidden matrices with Adam for the rest; gradient descent, plain or with momentum.

Muon (Jordan, 2024) replaces a matrix's gradient by the nearest orthogonal matrix. It is defined
for real matrices between hidden layers; first layer, head, biases, convolutions' tensors, complex
weights (all of WIRE's hidden ones) and everything else take Adam at the same learning rate.
Muon's step is scaled to Adam's root mean square, so that one rate serves both.

Weight decay pulls matrices and convolutions towards 0 and leaves vectors alone: biases and a
norm's numbers have no size to be kept small. With Adam and Muon it is decoupled from the gradient
(Loshchilov & Hutter, 2019); with gradient descent it is part of it, as torch has it.

What a position encoding learns takes Adam whatever the rest takes, at a rate of its own and
without decay: a feature is moved by the few samples around its node, so its gradient is small and
often 0 (Müller et al., 2022, whose numbers
these are, the rate apart).
"""

from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

import torch
from torch import nn

from penchant.errors import PenchantError, nearest
from penchant.nn import Encoding, TiledNet
from penchant.training._batched_muon import BatchedMuon
from penchant.training._descent import GradientDescent
from penchant.training._threads import one_thread

OptimizerName = Literal["muon", "adam", "sgd", "momentum"]

MOMENTUM = 0.9
"""Nesterov's, of the optimiser "momentum": what residual networks were published with."""

FEATURE_RATE = 2e-2
"""Adam's rate at the start for what an encoding learns: twice the paper's, which takes thousands
of steps; of 0.003 to 0.04 the larger ones did better in 300 (docs/LOG.md)."""


def hidden_matrices(network: nn.Module) -> list[nn.Parameter]:
    """List the real matrices between the first and the last one, an encoding's apart.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 1))
        >>> [tuple(p.shape) for p in hidden_matrices(net)]
        [(8, 8)]
    """
    apart = {id(p) for p in features(network)}
    matrices = [
        p for p in network.parameters() if p.ndim == 2 and p.requires_grad and id(p) not in apart
    ]
    return [p for p in matrices[1:-1] if not p.is_complex()]


def hidden_stacks(network: nn.Module) -> list[nn.Parameter]:
    """List the stacks of hidden matrices of networks of tiles.

    Example:
        >>> net = TiledNet((2, 2), 1, corner=(-1, -1), cell=(1, 1), blend=(0, 0), width=8, depth=2)
        >>> [tuple(p.shape) for p in hidden_stacks(net)]
        [(4, 8, 8)]
    """
    tiled = [module for module in network.modules() if isinstance(module, TiledNet)]
    stacks = [cast(nn.Parameter, layer.weight) for one in tiled for layer in one.layers[1:]]
    return [stack for stack in stacks if stack.requires_grad]


def features(network: nn.Module) -> list[nn.Parameter]:
    """List what position encodings learn.

    Example:
        >>> from penchant.nn import CoordinateNet
        >>> len(features(CoordinateNet(2, 3, encoding="grid")))
        1
    """
    codes = [module for module in network.modules() if isinstance(module, Encoding)]
    return [p for code in codes for p in code.parameters() if p.requires_grad]


class Optimizer:
    """One to four optimisers, with learning rates that fall linearly to zero.

    Args:
        network: whose parameters it moves.
        name: which.
        learning_rate: at the start, but for what an encoding learns.
        weight_decay: a step takes rate · weight_decay of each number away, vectors apart.
    """

    def __init__(
        self,
        network: nn.Module,
        name: OptimizerName,
        learning_rate: float,
        weight_decay: float = 0.0,
    ) -> None:
        if name not in get_args(OptimizerName):
            raise PenchantError(
                f"optimizer={name!r} is unknown: {nearest(name, get_args(OptimizerName))}"
            )
        matrices = hidden_matrices(network) if name == "muon" else []
        stacks = hidden_stacks(network) if name == "muon" else []
        coded = features(network)
        chosen = {id(p) for p in matrices + stacks + coded}
        rest = [p for p in network.parameters() if p.requires_grad and id(p) not in chosen]
        self.parts: list[torch.optim.Optimizer] = []
        if matrices:
            self.parts.append(
                torch.optim.Muon(
                    matrices,
                    lr=learning_rate,
                    weight_decay=weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        if stacks:
            self.parts.append(BatchedMuon(stacks, learning_rate, weight_decay))
        if rest:
            self.parts.append(_part(rest, name, learning_rate, weight_decay))
        self.rates = [learning_rate] * len(self.parts)
        if coded:
            self.parts.append(
                torch.optim.Adam(coded, lr=FEATURE_RATE, betas=(0.9, 0.99), eps=1e-15)
            )
            self.rates.append(FEATURE_RATE)

    def step(self, remaining: float) -> None:
        """Take a step at `remaining` (1 at the start, towards 0 at the end) of the rate."""
        with one_thread():  # a step is short: a hundredth of the gradient's work
            for part, rate in zip(self.parts, self.rates, strict=True):
                for group in part.param_groups:
                    group["lr"] = rate * remaining
                part.step()

    def state_dict(self) -> list[dict[str, object]]:
        """Return what a checkpoint needs."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, state: list[dict[str, object]]) -> None:
        """Take up a checkpoint."""
        for part, saved in zip(self.parts, state, strict=True):
            part.load_state_dict(saved)


def _part(
    parameters: Sequence[nn.Parameter], name: OptimizerName, rate: float, decay: float
) -> torch.optim.Optimizer:
    groups = _groups(parameters, decay)
    if name == "momentum":
        return torch.optim.SGD(groups, lr=rate, momentum=MOMENTUM, nesterov=True)
    if name == "sgd":
        return torch.optim.SGD(groups, lr=rate) if decay else GradientDescent(parameters, rate)
    return torch.optim.Adam(groups, lr=rate, betas=(0.9, 0.99), decoupled_weight_decay=True)


def _groups(parameters: Sequence[nn.Parameter], decay: float) -> list[dict[str, Any]]:
    vectors = [p for p in parameters if p.ndim < 2]
    others = [p for p in parameters if p.ndim >= 2]
    groups = [{"params": others, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
