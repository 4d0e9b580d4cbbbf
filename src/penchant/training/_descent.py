"""Gradient descent, the plain rule: no momentum, no decay, nothing remembered."""

from collections.abc import Callable
from math import isfinite
from typing import Any, overload

import torch
from torch.optim.optimizer import ParamsT

from penchant.errors import PenchantError


class GradientDescent(torch.optim.Optimizer):
    r"""New value = current value − derivative of the divergence · step size.

    .. math:: w \leftarrow w - \eta\,\nabla D(w)

    On a quadratic with curvatures :math:`\lambda_i` each coordinate is multiplied by
    :math:`1 - \eta\lambda_i` a step: the steps converge when
    :math:`0 < \eta < 2/\lambda_{\max}` and no faster than the flattest direction allows. The same
    numbers, to the bit, as ``torch.optim.SGD`` without its options. Works with torch's learning
    rate schedulers: the step size is kept in each group as ``lr``.

    Args:
        params: parameters, or groups as torch's optimisers take them; a group may have its own
            ``lr``. A parameter without a gradient stays; a sparse gradient moves the rows it names.
        step_size: η, finite and above 0, in units of the weights per unit of derivative.

    Raises:
        PenchantError: a step size is not a finite number above 0.

    Example:
        >>> weight = torch.nn.Parameter(torch.tensor(1.5))
        >>> descent = GradientDescent([weight], step_size=0.5)
        >>> (0.5 * (weight - 1) ** 2).backward()
        >>> descent.step()
        >>> weight.item()
        1.25

    Source: Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées",
    1847; the notes' rule.
    """

    def __init__(self, params: ParamsT, step_size: float) -> None:
        _check(step_size)
        super().__init__(params, {"lr": step_size})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters.

        Args:
            param_group: a dictionary with ``params`` and, where it differs, ``lr``.

        Raises:
            PenchantError: its ``lr`` is not a finite number above 0.
        """
        if "lr" in param_group:
            _check(param_group["lr"])
        super().add_param_group(param_group)

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
                    parameter.add_(parameter.grad, alpha=-group["lr"])
        return loss


def _check(step_size: float) -> None:
    # bool is an int to Python; a tensor would pass and then be shared between groups.
    number = isinstance(step_size, int | float) and not isinstance(step_size, bool)
    if not number or not isfinite(step_size) or step_size <= 0:
        raise PenchantError(
            f"GradientDescent(step_size={step_size!r}): a finite number above 0 would fit, since "
            "the weights move against the derivative by this multiple of it"
        )
