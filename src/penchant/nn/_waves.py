"""Activations that oscillate: sine, FINER and the complex Gabor wavelet."""

import math
from functools import cached_property
from typing import Self

import torch
from jaxtyping import Complex, Float, Inexact
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._activation import HEAD_SPREAD, Activation, uniform_
from penchant.nn._checks import positive
from penchant.nn._trigonometry import cosine_, sine_


class Sine(Activation):
    r"""The sine of SIREN.

    .. math:: \varphi = \sin(s z), \qquad \frac{d\varphi}{dz} = s \cos(s z), \qquad
              \mathrm{E}[\varphi^2(u)] = \tfrac{1}{2}(1 - e^{-2}) \approx 0.432

    Its initialisation is the published one: first layer :math:`U(\pm 1/n)` with biases
    :math:`U(\pm 1/\sqrt n)`, later weights :math:`U(\pm\sqrt{6/n}/s)`, which is the common rule
    with 1/2 for E[φ²] (an argument spread over whole periods). Later biases are zero, where SIREN's
    code leaves torch's default; the head is that of every member.

    Args:
        scale: s, the paper's ω₀.

    Example:
        >>> Sine(scale=2)(torch.tensor([0.25]))
        tensor([0.4794])

    Source: Sitzmann et al., "Implicit neural representations with periodic activation functions",
    2020.
    """

    name = "sine"
    default_scale = 30.0
    source = "Sitzmann et al., Implicit neural representations with periodic activations, 2020"

    @classmethod
    def from_omega_0(cls, omega_0: float) -> Self:
        """Build from SIREN's ω₀: s = ω₀.

        Example:
            >>> Sine.from_omega_0(30).scale
            30.0
        """
        return cls(scale=omega_0)

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return sin(s·z)."""
        return torch.sin(self.scale * z)

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return s·cos(s·z)."""
        return self.scale * torch.cos(self.scale * z)

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        z.mul_(self.scale)
        sine_(z, value)
        cosine_(z, derivative)
        derivative.mul_(self.scale)

    def initialise_first_(
        self,
        weight: Float[Tensor, "outputs inputs"],
        bias: Float[Tensor, " outputs"],
        generator: torch.Generator,
    ) -> None:
        """Fill the first layer: weights U(±1/inputs), biases U(±1/√inputs)."""
        inputs = weight.shape[1]
        uniform_(weight, 1 / inputs, generator)
        uniform_(bias, 1 / math.sqrt(inputs), generator)

    def initialise_hidden_(
        self,
        weight: Float[Tensor, "outputs inputs"],
        bias: Float[Tensor, " outputs"],
        generator: torch.Generator,
        second_moment: float | None = None,
    ) -> None:
        """Fill a later layer: weights U(±√(6/inputs)/s) whatever comes in, biases zero."""
        super().initialise_hidden_(weight, bias, generator, second_moment=0.5)


class FINER(Sine):
    r"""A sine whose frequency grows with the distance from zero.

    .. math:: \varphi = \sin(s (|z| + 1) z), \qquad
              \frac{d\varphi}{dz} = s (2|z| + 1) \cos(s (|z| + 1) z)

    The derivative is the true one; the authors' code treats the factor \|z\| + 1 as a constant
    (its ``scale_req_grad=False``), which is a factor (\|z\| + 1) / (2\|z\| + 1) less.
    Initialised as a sine, except that the first layer's biases are U(±k): the larger k, the higher
    the frequencies a network starts with.

    Args:
        scale: s, the paper's ω₀.
        k: bound of the first layer's biases; 1/√inputs when not given, as in the authors'
            image fitting (0.71 for pictures).

    Example:
        >>> FINER(scale=2)(torch.tensor([0.25]))
        tensor([0.5851])

    Source: Liu et al., "FINER: flexible spectral-bias tuning in implicit neural representation by
    variable-periodic activation functions", 2024.
    """

    name = "finer"
    source = "Liu et al., FINER: flexible spectral-bias tuning, 2024"
    numbers = ("scale", "k")

    def __init__(self, scale: float | None = None, k: float | None = None) -> None:
        super().__init__(scale)
        self.k: float | None = None if k is None else positive("FINER(k", k)

    @classmethod
    def from_paper(cls, omega_0: float, k: float | None = None) -> Self:
        """Build from the paper's ω₀ and k: s = ω₀.

        Example:
            >>> FINER.from_paper(omega_0=30, k=5)
            FINER(scale=30, k=5)
        """
        return cls(scale=omega_0, k=k)

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return sin(s·(|z| + 1)·z)."""
        return torch.sin(self.scale * (z.abs() + 1) * z)

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return s·(2|z| + 1)·cos(s·(|z| + 1)·z)."""
        distance = z.abs()
        return self.scale * (2 * distance + 1) * torch.cos(self.scale * (distance + 1) * z)

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        torch.abs(z, out=derivative)
        z.addcmul_(z, derivative).mul_(self.scale)
        sine_(z, value)
        cosine_(z, z)
        derivative.mul_(2 * self.scale).add_(self.scale).mul_(z)

    def initialise_first_(
        self,
        weight: Float[Tensor, "outputs inputs"],
        bias: Float[Tensor, " outputs"],
        generator: torch.Generator,
    ) -> None:
        """Fill the first layer: weights U(±1/inputs), biases U(±k)."""
        super().initialise_first_(weight, bias, generator)
        if self.k is not None:
            with torch.no_grad():
                bias.mul_(self.k * math.sqrt(weight.shape[1]))

    def extra_repr(self) -> str:
        """Show the numbers that were given."""
        return f"scale={self.scale:g}" + ("" if self.k is None else f", k={self.k:g}")


class Gabor(Activation):
    r"""The complex Gabor wavelet of WIRE.

    .. math:: \varphi = e^{i \omega z - |s z|^2}, \qquad
              \frac{\partial\varphi}{\partial z} = (i\omega - s^2 \bar z)\,\varphi, \qquad
              \frac{\partial\varphi}{\partial\bar z} = -s^2 z\,\varphi

    The first layer gives it real z, the later ones complex z. Since
    :math:`|\varphi| = e^{-\omega\,\mathrm{Im} z - |s z|^2}` grows against the imaginary part, a
    large ω/s would let the layers explode; so the hidden layers hold :math:`\mathrm{E}|q z|^2 = 1`
    with q = max(s, ω²/4s), which is q = s up to ω = 2s, the paper's ratio, and which a departure
    from 1 leaves smaller in the next layer, whatever ω and s. For a circular complex normal z and
    v = E|s z|², :math:`\mathrm{E}|\varphi|^2 = e^{(\omega/s)^2 v / (1 + 2v)} / (1 + 2v)`.

    Args:
        scale: s, the paper's s₀.
        omega: ω, the paper's ω₀; 20 when not given.

    Example:
        >>> Gabor(scale=1, omega=2)(torch.tensor([0.0, 0.5]))
        tensor([1.0000+0.0000j, 0.4208+0.6553j])

    Source: Saragadam et al., "WIRE: wavelet implicit neural representations", 2023.
    """

    name = "wire"
    default_scale = 10.0
    default_omega = 20.0
    source = "Saragadam et al., WIRE: wavelet implicit neural representations, 2023"
    numbers = ("scale", "omega")
    closed_form = False
    is_complex = True

    def __init__(self, scale: float | None = None, omega: float | None = None) -> None:
        super().__init__(scale)
        given = self.default_omega if omega is None else omega
        self.omega: float = positive("Gabor(omega", given)

    @classmethod
    def from_paper(cls, omega_0: float, s_0: float) -> Self:
        """Build from the paper's ω₀ and s₀: ω = ω₀, s = s₀.

        Example:
            >>> Gabor.from_paper(omega_0=20, s_0=10)
            Gabor(scale=10, omega=20)
        """
        return cls(scale=s_0, omega=omega_0)

    def forward(self, z: Inexact[Tensor, "*shape"]) -> Complex[Tensor, "*shape"]:
        """Return exp(i·ω·z − |s·z|²), complex for real z too."""
        if not z.is_complex():
            return torch.exp(torch.complex(-(self.scale * z).square(), self.omega * z))
        envelope = self.scale**2 * (z.real.square() + z.imag.square())
        return torch.exp(torch.complex(-self.omega * z.imag - envelope, self.omega * z.real))

    def derivative(self, z: Float[Tensor, "*shape"]) -> Complex[Tensor, "*shape"]:
        """Return dφ/dz for real z.

        Raises:
            PenchantError: z is complex, where φ has no complex derivative; see `wirtinger`.
        """
        if z.is_complex():
            raise PenchantError(
                f"Gabor.derivative(z of type {z.dtype}): |z| has no complex derivative; "
                "wirtinger(z) gives the two that exist"
            )
        factor = torch.complex(-2 * self.scale**2 * z, torch.full_like(z, self.omega))
        return factor * self.forward(z)

    def wirtinger(
        self, z: Complex[Tensor, "*shape"]
    ) -> tuple[Complex[Tensor, "*shape"], Complex[Tensor, "*shape"]]:
        """Return the Wirtinger derivatives ∂φ/∂z and ∂φ/∂z̄.

        Torch's gradient of a real loss L is the pair's combination
        conj(∂φ/∂z)·g + ∂φ/∂z̄·conj(g), for g the gradient of L with respect to φ.

        Args:
            z: complex pre-activations.

        Returns:
            Two complex tensors of z's shape.

        Example:
            >>> Gabor(scale=1, omega=2).wirtinger(torch.zeros((), dtype=torch.complex64))
            (tensor(0.+2.j), tensor(-0.+0.j))
        """
        phi = self.forward(z)
        return (1j * self.omega - self.scale**2 * z.conj()) * phi, -(self.scale**2) * z * phi

    @property
    def canonical_scale(self) -> float:
        """q = max(s, ω²/4s), the scale at which the hidden layers hold second moment 1."""
        return max(self.scale, self.omega**2 / (4 * self.scale))

    @cached_property
    def second_moment(self) -> float:
        """E|φ|² for circular complex normal z with E|q·z|² = 1."""
        moment = (self.scale / self.canonical_scale) ** 2
        exponent = (self.omega / self.canonical_scale) ** 2 / (1 + 2 * moment)
        return math.exp(exponent) / (1 + 2 * moment)

    def initialise_hidden_(
        self,
        weight: Complex[Tensor, "outputs inputs"],
        bias: Complex[Tensor, " outputs"],
        generator: torch.Generator,
        second_moment: float | None = None,
    ) -> None:
        """Fill a later layer, real part before imaginary, so that E|q·z|² = 1; biases zero."""
        moment = self.second_moment if second_moment is None else second_moment
        bound = math.sqrt(3 / (2 * weight.shape[1] * moment)) / self.canonical_scale
        self._fill_(weight, bias, bound, generator)

    def initialise_head_(
        self,
        weight: Complex[Tensor, "outputs inputs"],
        bias: Complex[Tensor, " outputs"],
        generator: torch.Generator,
    ) -> None:
        """Fill the head so that the real part of the output has spread 1/30; biases zero."""
        bound = HEAD_SPREAD * math.sqrt(3 / (weight.shape[1] * self.second_moment))
        self._fill_(weight, bias, bound, generator)

    @staticmethod
    def _fill_(weight: Tensor, bias: Tensor, bound: float, generator: torch.Generator) -> None:
        parts = torch.view_as_real(weight.detach())
        uniform_(parts[..., 0], bound, generator)
        uniform_(parts[..., 1], bound, generator)
        nn.init.zeros_(bias)
