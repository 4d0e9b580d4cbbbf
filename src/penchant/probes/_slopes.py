"""How steep a non-linearity is where it is applied, whatever it is.

Decisions:
- Slopes come from autograd on a copy of what went in, so that no function needs a formula here;
  this package's activations have their closed form.
- A user's module without sub-modules counts as one non-linearity where it treats each number
  alone and is not affine: this is tried on what it is given. So `x * torch.sigmoid(x)` in a module
  of its own is one activation, not a sigmoid that is then multiplied.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from penchant.nn import Activation
from penchant.probes._functions import CLAMPS, NONLINEAR

_SHARP = 1e-3
"""Slopes that differ by less than this share, in float32, are those of a straight line."""

Function = Callable[[Tensor], Tensor]


def is_nonlinear(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Say whether a call is at a non-linearity; a clamp is one where it cuts at 0, as ReLU does.

    Args:
        name: the function's name.
        args: its arguments, the tensor first.
        kwargs: its named arguments.

    Returns:
        Whether its slopes are to be counted.
    """
    plain = name.removesuffix("_")
    if plain not in NONLINEAR or "out" in kwargs:
        return False
    if plain in CLAMPS:
        bounds = [*args[1:], *(kwargs.get(key) for key in ("min", "max"))]
        return any(isinstance(bound, int | float) and bound == 0 for bound in bounds)
    return True


def slopes(function: Function, z: Tensor) -> Tensor:
    """Return |φ'(z)|, number by number.

    Args:
        function: φ, pointwise; it may write into its argument.
        z: where; it stays as it is.

    Returns:
        The slopes, detached, of z's shape.
    """
    # A user's forward may be under no_grad or inference_mode; the slope is wanted all the same.
    with torch.inference_mode(False), torch.enable_grad():
        leaf = z.detach().clone().requires_grad_()
        value = function(leaf.clone())
        if not value.requires_grad:  # a step: no slope anywhere
            return torch.zeros_like(z)
        total = torch.view_as_real(value).sum() if value.is_complex() else value.sum()
        (slope,) = torch.autograd.grad(total, leaf, allow_unused=True)
    return torch.zeros_like(z) if slope is None else slope.abs()


def slopes_of_module(module: nn.Module, z: Tensor) -> Function | None:
    """Return z -> |φ'(z)| where a module without sub-modules is one non-linearity, else None.

    Args:
        module: any module.
        z: what it is given.

    Returns:
        For this package's activations their closed form; for a user's module autograd on a copy.
    """
    if isinstance(module, Activation):
        member = module

        def closed(points: Tensor) -> Tensor:
            with torch.no_grad():
                return member.derivative(points).abs()

        return closed
    if type(module).__module__.startswith("torch.nn.") or any(True for _ in module.children()):
        return None
    if any(parameter.numel() != 1 for parameter in module.parameters()):
        return None
    # A copy, since a user's module may keep count of its calls; its forward alone, without hooks.
    twin = copy.deepcopy(module)
    try:
        return _if_pointwise(twin.forward, z)
    except (RuntimeError, TypeError, ValueError, IndexError):
        return None  # something else than number by number


def _if_pointwise(module: Function, z: Tensor) -> Function | None:
    with torch.no_grad():
        sample = z[:64].detach()
        turned = sample.flatten().flip(0).reshape(sample.shape)
        there, back = module(sample.clone()), module(turned.clone())
    if not isinstance(there, Tensor) or there.shape != sample.shape or there is sample:
        return None
    if not torch.allclose(there.flatten(), back.flatten().flip(0), rtol=1e-4, atol=1e-6):
        return None

    def by_autograd(points: Tensor) -> Tensor:
        return slopes(module, points)

    line = torch.linspace(-3, 3, 301, dtype=z.dtype, device=z.device).reshape(301, 1)
    steep = by_autograd(line)
    if float(steep.max() - steep.min()) <= _SHARP * float(steep.max()):
        return None
    return by_autograd


def reach(slope: Function, scale: float, like: Tensor) -> tuple[float, bool]:
    """Return the steepest slope on a line through 0, and whether both far ends are flat.

    Args:
        slope: z -> |φ'(z)|.
        scale: s of φ(s·z): the line goes to ±8/s.
        like: a tensor of the type that φ takes.

    Returns:
        The steepest slope, and whether φ saturates on both sides, as sigmoid and tanh do and ReLU
        does not.
    """
    line = torch.linspace(-8, 8, 1601, dtype=torch.float64).to(like)[:, None] / scale
    far = torch.tensor([[-100.0], [100.0]], dtype=torch.float64).to(like) / scale
    try:
        steepest, ends = float(slope(line).max()), slope(far)
    except RuntimeError:  # numbers of its own for each channel, as PReLU has them
        return 1.0, False
    return steepest, bool((ends <= 1e-3 * steepest).all())
