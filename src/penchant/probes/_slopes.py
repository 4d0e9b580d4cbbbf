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
from dataclasses import dataclass
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
    """Return φ'(z), number by number.

    Args:
        function: φ, pointwise; it may write into its argument.
        z: where; it stays as it is.

    Returns:
        The slopes, detached, of z's shape; of a complex answer those of real and imaginary part
        together.
    """
    # A user's forward may be under no_grad or inference_mode; the slope is wanted all the same.
    with torch.inference_mode(False), torch.enable_grad():
        leaf = z.detach().clone().requires_grad_()
        value = function(leaf.clone())
        if not value.requires_grad:  # a step: no slope anywhere
            return torch.zeros_like(z)
        total = torch.view_as_real(value).sum() if value.is_complex() else value.sum()
        (slope,) = torch.autograd.grad(total, leaf, allow_unused=True)
    return torch.zeros_like(z) if slope is None else slope


def slopes_of_module(module: nn.Module, z: Tensor) -> Function | None:
    """Return z -> φ'(z) where a module without sub-modules is one non-linearity, else None.

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
                return member.derivative(points)

        return closed
    if type(module).__module__.startswith("torch.nn.") or any(True for _ in module.children()):
        return None
    if any(parameter.numel() != 1 for parameter in module.parameters()):
        return None
    # A copy, since a user's module may keep count of its calls; its forward alone, without hooks.
    try:
        return _if_pointwise(copy.deepcopy(module).forward, z)
    except Exception:
        return None  # a user's module may say in any words that it takes something else


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
    if float(steep.max() - steep.min()) <= _SHARP * float(steep.abs().max()):
        return None
    return by_autograd


@dataclass(frozen=True)
class Shape:
    """What a non-linearity looks like from afar.

    Args:
        steepest: its steepest slope on a line through 0.
        saturating: whether it goes one way from one flat end to another, as sigmoid and tanh do;
            ReLU has one flat end, and a bump is flat wherever it does not answer.
        hard: whether it is made of straight pieces, as hardtanh is: then flat is what it is for.
    """

    steepest: float
    saturating: bool
    hard: bool


def shape_of(slope: Function, scale: float, like: Tensor) -> Shape:
    """Return what a non-linearity looks like from afar.

    Args:
        slope: z -> φ'(z).
        scale: s of φ(s·z): the line goes to ±8/s.
        like: a tensor of the type that φ takes.

    Returns:
        Its shape; of PReLU and others with numbers of their own for each channel, ReLU's.
    """
    line = torch.linspace(-8, 8, 1601, dtype=torch.float64).to(like)[:, None] / scale
    far = torch.tensor([[-100.0], [100.0]], dtype=torch.float64).to(like) / scale
    try:
        steep, ends = slope(line), slope(far).abs()
    except RuntimeError:
        return Shape(1.0, False, True)
    steepest = float(steep.abs().max())
    one_way = not steep.is_complex() and bool((steep >= -1e-3 * steepest).all())
    pieces = torch.unique((steep.abs() / max(steepest, 1e-30)).double().round(decimals=3))
    return Shape(steepest, one_way and bool((ends <= 1e-3 * steepest).all()), len(pieces) <= 4)
