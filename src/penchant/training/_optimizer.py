"""Adam; Muon for hidden matrices with Adam for the rest; plain gradient descent.

Muon (Jordan, 2024) replaces a matrix's gradient by the nearest orthogonal matrix. It is defined
for real matrices between hidden layers; first layer, head, biases, convolutions' tensors, complex
weights (all of WIRE's hidden ones) and everything else take Adam at the same learning rate.
Muon's step is scaled to Adam's root mean square, so that one rate serves both.
"""

from typing import Literal, get_args

import torch
from torch import nn

from penchant.errors import PenchantError, nearest
from penchant.training._descent import GradientDescent
from penchant.training._threads import one_thread

OptimizerName = Literal["muon", "adam", "sgd"]


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
    """One optimiser over one or two groups, with a learning rate that falls linearly to zero."""

    def __init__(self, network: nn.Module, name: OptimizerName, learning_rate: float) -> None:
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
                    matrices, lr=learning_rate, weight_decay=0, adjust_lr_fn="match_rms_adamw"
                )
            )
        if rest and name == "sgd":
            self.parts.append(GradientDescent(rest, learning_rate))
        elif rest:
            self.parts.append(torch.optim.Adam(rest, lr=learning_rate, betas=(0.9, 0.99)))

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
