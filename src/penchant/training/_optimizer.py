"""Adam; Muon for hidden matrices with Adam for the rest; gradient descent, plain or with momentum.

Muon (Jordan, 2024) replaces a matrix's gradient by the nearest orthogonal matrix. It is defined
for real matrices between hidden layers; first layer, head, biases, convolutions' tensors, complex
weights (all of WIRE's hidden ones) and everything else take Adam at the same learning rate.
Muon's step is scaled to Adam's root mean square, so that one rate serves both.

Weight decay pulls matrices and convolutions towards 0 and leaves vectors alone: biases and a
norm's numbers have no size to be kept small. With Adam and Muon it is decoupled from the gradient
(Loshchilov & Hutter, 2019); with gradient descent it is part of it, as torch has it.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import nn

from penchant.errors import PenchantError, nearest
from penchant.training._descent import GradientDescent
from penchant.training._threads import one_thread

OptimizerName = Literal["muon", "adam", "sgd", "momentum"]

MOMENTUM = 0.9
"""Nesterov's, of the optimiser "momentum": what residual networks were published with."""


def hidden_matrices(network: nn.Module) -> list[nn.Parameter]:
    """List the real matrices between the first and the last one.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 1))
        >>> [tuple(p.shape) for p in hidden_matrices(net)]
        [(8, 8)]
    """
    matrices = [p for p in network.parameters() if p.ndim == 2 and p.requires_grad]
    return [p for p in matrices[1:-1] if not p.is_complex()]


class Optimizer:
    """One optimiser over one or two groups, with a learning rate that falls linearly to zero.

    Args:
        network: whose parameters it moves.
        name: which.
        learning_rate: at the start.
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
        chosen = {id(p) for p in matrices}
        rest = [p for p in network.parameters() if p.requires_grad and id(p) not in chosen]
        self.learning_rate = learning_rate
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
        if rest:
            self.parts.append(_part(rest, name, learning_rate, weight_decay))

    def step(self, remaining: float) -> None:
        """Take a step at `remaining` (1 at the start, towards 0 at the end) of the rate."""
        with one_thread():  # a step is short: a hundredth of the gradient's work
            for part in self.parts:
                for group in part.param_groups:
                    group["lr"] = self.learning_rate * remaining
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
