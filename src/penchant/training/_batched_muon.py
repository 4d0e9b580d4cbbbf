"""Muon for stacks of matrices: every matrix of a stack takes the step that Muon gives it alone."""

import math
from collections.abc import Callable
from typing import Any, overload

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that pushes singular values towards 1."""
ITERATIONS = 5
EPSILON = 1e-7
MOMENTUM = 0.95

AT_ONCE = 2**17
"""Numbers of a stack that are moved together, so that an iteration's matrices stay in cache."""


class BatchedMuon(torch.optim.Optimizer):
    r"""Muon over parameters of shape (..., rows, columns), each matrix by itself.

    .. math:: m \leftarrow \mu m + (1 - \mu) g, \qquad
              W \leftarrow (1 - \eta\lambda) W
              - 0.2\,\eta \sqrt{\max(\text{rows}, \text{columns})}\;
              \mathrm{NS}_5\big((1 - \mu) g + \mu m\big)

    with NS₅ five iterations of Newton and Schulz towards the nearest orthogonal matrix. The same
    rule as ``torch.optim.Muon(adjust_lr_fn="match_rms_adamw")``, which takes single matrices and
    iterates in bfloat16; here it is iterated in the parameter's own precision.

    Args:
        params: parameters, or groups as torch's optimisers take them.
        lr: η.
        weight_decay: λ, decoupled.

    Example:
        >>> stack = torch.nn.Parameter(torch.eye(2).expand(3, 2, 2).clone())
        >>> stack.grad = torch.ones_like(stack)
        >>> BatchedMuon([stack], lr=0.1).step()
        >>> bool((stack[0] == stack[2]).all()), stack[0, 0, 0] < 1
        (True, tensor(True))

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; Liu et
    al., "Muon is scalable for LLM training", 2025 (the factor 0.2).
    """

    def __init__(self, params: ParamsT, lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step along the gradients that are there.

        Args:
            closure: where given, is called first to compute the loss and its gradients.

        Returns:
            What the closure returned, the loss before the step.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return loss

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        shape = parameter.shape[-2:]
        size = 0.2 * math.sqrt(max(shape))
        whole = (parameter.view(-1, *shape), gradient.reshape(-1, *shape))
        pieces = (
            torch.split(one, max(1, AT_ONCE // math.prod(shape)))
            for one in (*whole, state["momentum_buffer"].view(-1, *shape))
        )
        for matrices, slopes, momenta in zip(*pieces, strict=True):
            momenta.lerp_(slopes, 1 - MOMENTUM)
            step = orthogonal(slopes.lerp(momenta, MOMENTUM))
            matrices.mul_(1 - group["lr"] * group["weight_decay"])
            matrices.add_(step, alpha=-group["lr"] * size)


def orthogonal(
    matrices: Float[Tensor, "*stack rows columns"],
) -> Float[Tensor, "*stack rows columns"]:
    """Return matrices of the same singular vectors, with singular values near 1.

    Example:
        >>> orthogonal(torch.diag(torch.tensor([3.0, 2.0]))).diagonal()
        tensor([1.1171, 0.6821])
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.reshape(-1, *matrices.shape[-2:])
    x = x.mT if tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(EPSILON)
    for _ in range(ITERATIONS):
        square = torch.bmm(x, x.mT)
        update = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, update, x, beta=a)
    return (x.mT if tall else x).reshape(matrices.shape)
