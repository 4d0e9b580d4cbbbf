"""The residual block: what a module makes of its input, added to that input.

Decisions:
- The sum goes in before the activation, g(z + a), as He et al. (2015) have it. Without an
  activation it is z + a, the block of pre-activation networks (He et al., 2016).
- Shapes that differ are an error even where torch would broadcast them: a block that adds one
  channel to all channels is a mistake nobody sees.
"""

import math
from numbers import Real

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._activations import ActivationLike
from penchant.nn._activations import activation as make_activation


class Residual(nn.Module):
    r"""A residual block around any module.

    .. math:: y = g(s\,z + P a), \qquad z = \mathrm{inner}(a)

    with a the block's input, g the activation, P the projection (by default the identity) and s a
    learned number (by default none). Where the inner module ends in an affine layer this is the
    g(z + a) of He et al., "Deep residual learning", 2015. The variants:

    ====================  =========================================================================
    ``activation=None``   z + a: pre-activation, the inner module begins with norm and activation
                          (He et al., "Identity mappings in deep residual networks", 2016)
    ``scale=0.0``         s is learned from 0, so that the block starts as P alone: SkipInit (De &
                          Smith, 2020) and ReZero (Bachlechner et al., 2020)
    ``survival=p``        stochastic depth (Huang et al., 2016): in training a batch passes the
                          inner module with probability p, else P alone; in evaluation z is
                          weighted by p
    ====================  =========================================================================

    Args:
        inner: any module of one tensor that returns one.
        activation: g, what `activation` takes; None for none.
        projection: P, for an inner module that changes the shape; None keeps a as it is.
        scale: where s starts; None for no s.
        survival: p, above 0 and at most 1; drawn from torch's own stream, and only in training.

    Raises:
        PenchantError: inner or projection is no module, a number does not fit; at a call, that
            the two paths' shapes differ, or that the inner module writes into the block's input.

    Example:
        >>> affine = nn.Linear(2, 2)
        >>> block = Residual(affine)
        >>> a = torch.tensor([[1.0, -3.0]])
        >>> torch.equal(block(a), torch.relu(affine(a) + a))
        True
        >>> Residual(nn.Linear(2, 5), projection=nn.Linear(2, 5, bias=False))(a).shape
        torch.Size([1, 5])

    Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", 2015.
    """

    scale: nn.Parameter | None

    def __init__(
        self,
        inner: nn.Module,
        activation: ActivationLike | None = "relu",
        projection: nn.Module | None = None,
        *,
        scale: float | None = None,
        survival: float = 1.0,
    ) -> None:
        super().__init__()
        self.inner = _module("inner", inner)
        self.projection = _module("projection", nn.Identity() if projection is None else projection)
        self.activation: nn.Module = (
            nn.Identity() if activation is None else make_activation(activation)
        )
        start = None if scale is None else torch.tensor(_finite(scale))
        self.register_parameter("scale", None if start is None else nn.Parameter(start))
        self.survival = probability("Residual(survival", survival)

    def forward(self, a: Float[Tensor, "*before"]) -> Float[Tensor, "*after"]:
        """Return g(s·z + P·a).

        Raises:
            PenchantError: the two paths' shapes differ, or the inner module writes into a.
        """
        before = _version(a)
        z = self.inner(a)
        if _version(a) != before:
            raise PenchantError(
                f"Residual({type(self.inner).__name__}): its inner module writes into the block's "
                "input, which the identity path adds; let it begin with what leaves its input "
                "alone, inplace=False"
            )
        kept: Tensor = self.projection(a)
        if not isinstance(z, Tensor) or z.shape != kept.shape:
            raise PenchantError(self._misfit(a, z, kept))
        if self.scale is not None:
            z = self.scale * z
        if self.survival < 1:
            z = self._survive(z)
        result: Tensor = self.activation(z + kept)
        return result

    def _survive(self, z: Tensor) -> Tensor:
        if not self.training:
            return self.survival * z
        # Multiplied rather than left out, so that every parameter has a gradient, here of zeros.
        return z * (torch.rand((), device=z.device) < self.survival)

    def _misfit(self, a: Tensor, z: object, kept: Tensor) -> str:
        made = (
            f"shape {tuple(z.shape)}"
            if isinstance(z, Tensor)
            else f"a {type(z).__name__}, no tensor"
        )
        identity = isinstance(self.projection, nn.Identity)
        path = "its identity path keeps" if identity else "its projection makes"
        cure = "a projection to the inner shape" if identity else "a projection that ends there"
        return (
            f"Residual({type(self.inner).__name__}): of an input of shape {tuple(a.shape)} its "
            f"inner module makes {made}, and {path} {tuple(kept.shape)}; the two are added, so "
            f"it needs {cure}, or an inner module that keeps the shape"
        )

    def extra_repr(self) -> str:
        """Show the numbers that were given."""
        scale = "" if self.scale is None else f"scale={float(self.scale.detach()):g}"
        survival = "" if self.survival == 1 else f"survival={self.survival:g}"
        return ", ".join(filter(None, (scale, survival)))


def _version(a: Tensor) -> int | None:
    """How often a tensor was written into, where torch keeps count."""
    if not isinstance(a, Tensor) or a.is_inference() or torch.compiler.is_compiling():
        return None
    return a._version


def _module(name: str, given: object) -> nn.Module:
    if not isinstance(given, nn.Module):
        raise PenchantError(f"Residual({name}={given!r}): needs a torch.nn.Module")
    return given


def _finite(scale: object) -> float:
    if not isinstance(scale, Real) or not math.isfinite(scale):
        raise PenchantError(f"Residual(scale={scale!r}): needs a finite number, or None")
    return float(scale)


def probability(call: str, survival: object) -> float:
    """Return a chance of survival as a float, or say which call was given what else."""
    if not isinstance(survival, Real) or not 0 < float(survival) <= 1:
        raise PenchantError(f"{call}={survival!r}): needs a probability above 0, at most 1")
    return float(survival)
