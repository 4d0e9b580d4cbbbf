"""A user's own activation: any pointwise module or function, its derivative by autograd."""

from collections.abc import Callable
from functools import cached_property
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._activation import UnitActivation


class Own(UnitActivation):
    """An activation φ(s·z) made from any pointwise function or module φ.

    It is tried on a small tensor first. Its initialisation is the common rule's, with E[φ²(u)]
    measured; parameters of a module are learned with the network.

    Args:
        function: maps a float tensor to one of the same shape and type, number by number.
        scale: s; 1 when not given.

    Raises:
        PenchantError: the function fails on a tensor, changes its shape or type, is random or not
            pointwise, is not finite, is zero everywhere or cannot be differentiated.

    Example:
        >>> own = Own(torch.atan)
        >>> own.name, own.derivative(torch.tensor([1.0]))
        ('atan', tensor([0.5000]))
    """

    source = "the user's own"
    closed_form = False

    def __init__(
        self, function: Callable[[Tensor], Tensor] | nn.Module, scale: float | None = None
    ) -> None:
        super().__init__(scale)
        self.function = function
        kind = getattr(function, "__name__", type(function).__name__)
        self.name = kind.lower() if isinstance(function, nn.Module) else kind
        _probe(function, f"activation({kind})")

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return φ(s·z)."""
        return cast(Tensor, self.function(self.scale * z))

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return dφ(s·z)/dz by autograd, detached."""
        return self._both(z)[1]

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers, after one forward and one backward pass; z stays as it was."""
        phi, slope = self._both(z)
        value.copy_(phi)
        derivative.copy_(slope)

    def _both(self, z: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            phi = self.forward(leaf)
            (slope,) = torch.autograd.grad(phi.sum(), leaf)
        return phi.detach(), slope

    @cached_property
    def second_moment(self) -> float:
        """E[φ²(u)] for u ~ N(0, 1), in float32 since a user's function may take no other."""
        return self._second_moment_in(torch.float32)


def _probe(function: Callable[[Tensor], Tensor], call: str) -> None:
    points = torch.linspace(-2.3, 2.7, 15, dtype=torch.float32, device="cpu").reshape(3, 5)
    wanted = f"a tensor of shape {tuple(points.shape)} and type {points.dtype}"
    with torch.random.fork_rng(devices=[]):
        try:
            value = function(points.clone())
            parts = torch.stack([function(points[:, i].clone()) for i in range(5)], dim=1)
        except Exception as error:
            raise PenchantError(
                f"{call} fails on {wanted} or on one column of it: {str(error).splitlines()[:1]}; "
                "needs a function of one tensor, number by number"
            ) from error
    if not isinstance(value, Tensor):
        raise PenchantError(f"{call} turns {wanted} into a {type(value).__name__}, not a tensor")
    if value.shape != points.shape or value.dtype != points.dtype:
        raise PenchantError(
            f"{call} turns {wanted} into one of shape {tuple(value.shape)} and type "
            f"{value.dtype}; an activation keeps both"
        )
    if not value.isfinite().all() or not value.any():
        raise PenchantError(f"{call} is not finite, or zero, on all of [-2.3, 2.7]")
    if not torch.allclose(value, parts, rtol=1e-4, atol=1e-6):
        raise PenchantError(
            f"{call} is random or not pointwise: it gives a column of {wanted} other values alone "
            "than within the tensor"
        )
    leaf = points.requires_grad_()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        depends = function(leaf * 1).requires_grad
    if not depends:
        raise PenchantError(f"{call} cannot be differentiated: autograd finds no path through it")
