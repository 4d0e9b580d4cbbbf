"""Activations that are largest at zero and fall off on both sides."""

import math
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from penchant.nn._activation import Activation
from penchant.nn._checks import positive
from penchant.nn._trigonometry import cosine_, sine_

BEYOND_PERIODICITY = "Ramasinghe & Lucey, Beyond periodicity, 2022"


class Gaussian(Activation):
    r"""The Gaussian bump.

    .. math:: \varphi = e^{-(s z)^2}, \qquad \frac{d\varphi}{dz} = -2 s^2 z\,\varphi, \qquad
              \mathrm{E}[\varphi^2(u)] = 1/\sqrt 5

    Args:
        scale: s; 10 to 30 suits pictures.

    Example:
        >>> Gaussian(scale=2)(torch.tensor([0.25]))
        tensor([0.7788])

    Source: Ramasinghe & Lucey, "Beyond periodicity: towards a unifying framework for activations
    in coordinate-MLPs", 2022.
    """

    name = "gaussian"
    default_scale = 10.0
    source = BEYOND_PERIODICITY

    @classmethod
    def from_a(cls, a: float) -> Self:
        """Build from the papers' exp(−z² / (2a²)), whose a is also written σ: s = 1 / (a√2).

        Example:
            >>> round(Gaussian.from_a(0.05).scale, 2)
            14.14
        """
        return cls(scale=1 / (positive("Gaussian.from_a(a", a) * math.sqrt(2)))

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return exp(−(s·z)²)."""
        return torch.exp(-(self.scale * z).square())

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return −2s²·z·φ."""
        return -2 * self.scale**2 * z * self.forward(z)

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        z.mul_(self.scale)
        torch.mul(z, z, out=value).neg_().exp_()
        torch.mul(z, value, out=derivative).mul_(-2 * self.scale)


class Laplacian(Activation):
    r"""The two-sided exponential.

    .. math:: \varphi = e^{-|s z|}, \qquad
              \frac{d\varphi}{dz} = -s\,\mathrm{sgn}(z)\,\varphi, \qquad
              \mathrm{E}[\varphi^2(u)] = e^2\,\mathrm{erfc}(\sqrt 2) \approx 0.336

    At the kink z = 0 the derivative is taken as 0.

    Args:
        scale: s.

    Example:
        >>> Laplacian(scale=2)(torch.tensor([0.25]))
        tensor([0.6065])

    Source: Ramasinghe & Lucey, "Beyond periodicity", 2022.
    """

    name = "laplacian"
    default_scale = 10.0
    source = BEYOND_PERIODICITY

    @classmethod
    def from_a(cls, a: float) -> Self:
        """Build from the paper's exp(−|z|/a): s = 1/a.

        Example:
            >>> Laplacian.from_a(0.1).scale
            10.0
        """
        return cls(scale=1 / positive("Laplacian.from_a(a", a))

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return exp(−|s·z|)."""
        return torch.exp(-(self.scale * z).abs())

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return −s·sgn(z)·φ."""
        return -self.scale * torch.sgn(z) * self.forward(z)

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is left as it was."""
        torch.abs(z, out=value).mul_(-self.scale).exp_()
        torch.sgn(z, out=derivative).mul_(value).mul_(-self.scale)


class Quadratic(Activation):
    r"""The rational bump.

    .. math:: \varphi = \frac{1}{1 + (s z)^2}, \qquad
              \frac{d\varphi}{dz} = -2 s^2 z\,\varphi^2, \qquad
              \mathrm{E}[\varphi^2(u)] = \tfrac{1}{2}

    Args:
        scale: s.

    Example:
        >>> Quadratic(scale=2)(torch.tensor([0.25]))
        tensor([0.8000])

    Source: Ramasinghe & Lucey, "Beyond periodicity", 2022.
    """

    name = "quadratic"
    default_scale = 10.0
    source = BEYOND_PERIODICITY

    @classmethod
    def from_a(cls, a: float) -> Self:
        """Build from the paper's 1 / (1 + (a·z)²): s = a.

        Example:
            >>> Quadratic.from_a(10).scale
            10.0
        """
        return cls(scale=a)

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return 1 / (1 + (s·z)²)."""
        return torch.reciprocal(1 + (self.scale * z).square())

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return −2s²·z·φ²."""
        return -2 * self.scale**2 * z * self.forward(z).square()

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        z.mul_(self.scale)
        torch.mul(z, z, out=value).add_(1).reciprocal_()
        torch.mul(value, value, out=derivative).mul_(z).mul_(-2 * self.scale)


class MultiQuadratic(Activation):
    r"""The inverse multi-quadratic, with heavier tails than the rational bump.

    .. math:: \varphi = \frac{1}{\sqrt{1 + (s z)^2}}, \qquad
              \frac{d\varphi}{dz} = -s^2 z\,\varphi^3, \qquad
              \mathrm{E}[\varphi^2(u)] = \sqrt{\pi e / 2}\,\mathrm{erfc}(1/\sqrt 2) \approx 0.656

    Args:
        scale: s.

    Example:
        >>> MultiQuadratic(scale=2)(torch.tensor([0.25]))
        tensor([0.8944])

    Source: Ramasinghe & Lucey, "Beyond periodicity", 2022.
    """

    name = "multiquadratic"
    default_scale = 20.0
    source = BEYOND_PERIODICITY

    @classmethod
    def from_a(cls, a: float) -> Self:
        """Build from the paper's 1 / √(1 + (a·z)²): s = a.

        Example:
            >>> MultiQuadratic.from_a(20).scale
            20.0
        """
        return cls(scale=a)

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return 1 / √(1 + (s·z)²)."""
        return torch.rsqrt(1 + (self.scale * z).square())

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return −s²·z·φ³."""
        return -(self.scale**2) * z * self.forward(z) ** 3

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        z.mul_(self.scale)
        torch.mul(z, z, out=value).add_(1).rsqrt_()
        torch.mul(value, value, out=derivative).mul_(value).mul_(z).mul_(-self.scale)


class Sinc(Activation):
    r"""The cardinal sine, unnormalised: band-limited to s/2π cycles per unit of z.

    .. math:: \varphi = \frac{\sin s z}{s z}, \qquad
              \frac{d\varphi}{dz} = \frac{\cos s z - \varphi}{z}, \qquad
              \mathrm{E}[\varphi^2(u)] =
              \sqrt{\pi/2}\,\mathrm{erf}(\sqrt 2) - \tfrac{1}{2}(1 - e^{-2}) \approx 0.764

    Args:
        scale: s.

    Example:
        >>> Sinc(scale=2)(torch.tensor([0.0, 0.25]))
        tensor([1.0000, 0.9589])

    Source: Saratchandran et al., "A sampling theory perspective on activations for implicit neural
    representations", 2024.
    """

    name = "sinc"
    default_scale = 20.0
    source = "Saratchandran et al., A sampling theory perspective on activations, 2024"

    @classmethod
    def from_omega(cls, omega: float) -> Self:
        """Build from the paper's sin(ωz)/(ωz): s = ω.

        Example:
            >>> Sinc.from_omega(20).scale
            20.0
        """
        return cls(scale=omega)

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return sin(s·z) / (s·z), 1 at zero."""
        # torch.sinc is not vectorised: seven times slower than this.
        argument = self.scale * z
        safe = torch.where(argument == 0, 1, argument)
        return torch.where(argument == 0, 1, torch.sin(safe) / safe)

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return (cos(s·z) − φ) / z, 0 at zero."""
        argument = self.scale * z
        near = argument.abs() < NEAR
        safe = torch.where(near, 1, argument)
        far = (torch.cos(safe) - torch.sin(safe) / safe) / safe
        return self.scale * torch.where(near, _series(argument), far)

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten. Its series and masks are allocated."""
        z.mul_(self.scale)
        sine_(z, value)
        value.div_(z)
        cosine_(z, derivative)
        derivative.sub_(value).div_(z)
        torch.where(z.abs() < NEAR, _series(z), derivative, out=derivative).mul_(self.scale)
        value.masked_fill_(z == 0, 1)


NEAR = 0.25
"""Below this |u| the derivative of sin(u)/u is summed as a series, since its formula cancels."""


def _series(argument: Tensor) -> Tensor:
    # To u⁹: exact to 1e-15 below NEAR.
    square = argument.square()
    total: Tensor | float = -1 / 3_991_680
    for coefficient in (1 / 45_360, -1 / 840, 1 / 30, -1 / 3):
        total = total * square + coefficient
    return total * argument
