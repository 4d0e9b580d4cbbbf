"""What an activation is: a pointwise function of s·z, its derivative and its initialisation.

Decisions:
- One rule initialises the hidden layers of every member: the canonical pre-activation u = s·z
  keeps second moment 1. The published numbers of SIREN and He are this rule's special cases.
- Every draw is `torch.rand` mapped to [-1, 1] and then scaled, weight before bias, so that two
  activations of one seed start from the same underlying draws.
- `value_and_derivative_` exists because training on a CPU lives on passes over memory.
"""

import math
from abc import ABC, abstractmethod
from functools import cached_property

import torch
from jaxtyping import Float, Inexact
from torch import Tensor, nn

from penchant.nn._checks import positive

HEAD_SPREAD = 1 / 30
"""Root mean square of a network's outputs at its start."""


def uniform_(tensor: Tensor, bound: float, generator: torch.Generator) -> None:
    """Fill a real tensor with U(-bound, bound), drawn in float32 whatever its type.

    Example:
        >>> weight = torch.empty(2, 3)
        >>> uniform_(weight, 0.1, torch.Generator())
        >>> bool((weight.abs() <= 0.1).all())
        True
    """
    draws = torch.rand(tensor.shape, generator=generator, dtype=torch.float32, device="cpu")
    with torch.no_grad():
        tensor.copy_(draws.mul_(2).sub_(1).to(tensor.dtype).mul_(bound))


class Activation(nn.Module, ABC):
    r"""A pointwise non-linearity :math:`\varphi(s z)` with a scale s.

    Members give the function, its derivative in closed form, and a first-layer initialisation
    where one is published. The hidden layers of all members follow one rule (Glorot & Bengio,
    2010; He et al., 2015): weights uniform with variance
    :math:`1 / (s^2 n\, \mathrm{E}[\varphi^2(u)])`, :math:`u \sim N(0, 1)`, for n inputs, and biases
    zero, so that :math:`\mathrm{E}[(s z)^2] = 1` in every layer.

    Args:
        scale: s, finite and above 0; the member's `default_scale` when not given.

    Raises:
        PenchantError: the scale is not a finite number above 0.

    Example:
        >>> from penchant.nn import Sine
        >>> Sine(scale=2)(torch.tensor([0.25]))
        tensor([0.4794])
    """

    name: str
    """The name in the table of activations."""
    default_scale: float = 1.0
    """A scale that suits pictures on [-1, 1]²."""
    source: str
    """Paper and year."""
    numbers: tuple[str, ...] = ("scale",)
    """The numbers that the constructor takes."""
    closed_form: bool = True
    """Whether `derivative` is closed-form for every input the networks give it."""
    is_complex: bool = False
    """Whether the values are complex, and so the hidden layers."""

    def __init__(self, scale: float | None = None) -> None:
        super().__init__()
        given = self.default_scale if scale is None else scale
        self.scale: float = positive(f"{type(self).__name__}(scale", given)

    @abstractmethod
    def forward(self, z: Inexact[Tensor, "*shape"]) -> Inexact[Tensor, "*shape"]:
        """Return φ(s·z).

        Args:
            z: pre-activations of any shape and floating type.

        Returns:
            A tensor of z's shape and type (complex for a complex member).
        """

    @abstractmethod
    def derivative(self, z: Inexact[Tensor, "*shape"]) -> Inexact[Tensor, "*shape"]:
        """Return dφ(s·z)/dz, the factor s included.

        Args:
            z: pre-activations of any shape and floating type.

        Returns:
            A tensor of the value's shape and type.
        """

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Inexact[Tensor, "*shape"],
        derivative: Inexact[Tensor, "*shape"],
    ) -> None:
        """Write φ(s·z) and dφ(s·z)/dz into buffers, without allocating where a member can.

        Call it outside autograd: it works in place. The three tensors must not overlap.

        Args:
            z: pre-activations; overwritten, what it holds afterwards is not defined.
            value: receives φ(s·z).
            derivative: receives dφ(s·z)/dz.

        Example:
            >>> from penchant.nn import ReLU
            >>> value, derivative = torch.empty(2), torch.empty(2)
            >>> ReLU().value_and_derivative_(torch.tensor([-1.0, 3.0]), value, derivative)
            >>> value, derivative
            (tensor([0., 3.]), tensor([0., 1.]))
        """
        value.copy_(self.forward(z))
        derivative.copy_(self.derivative(z))

    @cached_property
    def second_moment(self) -> float:
        r"""E[φ²(u)] for u ~ N(0, 1), by the trapezium rule in float64.

        Example:
            >>> from penchant.nn import ReLU
            >>> round(ReLU().second_moment, 6)
            0.5
        """
        return self._second_moment_in(torch.float64)

    def _second_moment_in(self, dtype: torch.dtype) -> float:
        # Members may be kinked, where Gauss-Hermite nodes converge slowly; 24,001 points cost
        # under a millisecond and err below 1e-7 at a kink.
        nodes = torch.linspace(-12, 12, 24_001, dtype=torch.float64, device="cpu")
        density = torch.exp(-nodes.square() / 2) / math.sqrt(2 * math.pi)
        with torch.no_grad():
            phi = self.forward((nodes / self.scale).to(dtype))
        return float(torch.trapezoid(phi.abs().double().square() * density, nodes))

    def initialise_first_(
        self,
        weight: Float[Tensor, "outputs inputs"],
        bias: Float[Tensor, " outputs"],
        generator: torch.Generator,
    ) -> None:
        """Fill the first layer: weights and biases U(±1/√inputs), as torch does for a linear layer.

        The scale then sets the bandwidth: the wider s·z is spread over the domain, the finer what
        the first layer sees.

        Args:
            weight: of shape (outputs, inputs), overwritten.
            bias: of shape (outputs,), overwritten.
            generator: where the draws come from; weight first.
        """
        bound = 1 / math.sqrt(weight.shape[1])
        uniform_(weight, bound, generator)
        uniform_(bias, bound, generator)

    def initialise_hidden_(
        self,
        weight: Inexact[Tensor, "outputs inputs"],
        bias: Inexact[Tensor, " outputs"],
        generator: torch.Generator,
        second_moment: float | None = None,
    ) -> None:
        """Fill a later layer so that s·z has second moment 1; biases zero.

        Args:
            weight: of shape (outputs, inputs), overwritten.
            bias: of shape (outputs,), overwritten.
            generator: where the draws come from; weight first.
            second_moment: of the values that come in, where known; E[φ²(u)] otherwise.
        """
        moment = self.second_moment if second_moment is None else second_moment
        uniform_(weight, math.sqrt(3 / (weight.shape[1] * moment)) / self.scale, generator)
        nn.init.zeros_(bias)

    def initialise_standardised_(
        self,
        weight: Float[Tensor, "outputs inputs"],
        bias: Float[Tensor, " outputs"],
        generator: torch.Generator,
    ) -> None:
        r"""Fill a layer whose inputs have mean 0 and variance 1, so that s·z has second moment 1.

        Weights and biases are :math:`U(\pm\sqrt{3/(n+1)}/s)` for n inputs, whatever the member: a
        bias is the weight of one more input that is always 1. So a unit's bumps or waves lie off
        the middle, and the scale does not set the bandwidth, as it does for coordinates.

        Args:
            weight: of shape (outputs, inputs), overwritten.
            bias: of shape (outputs,), overwritten.
            generator: where the draws come from; weight first.
        """
        bound = math.sqrt(3 / (weight.shape[1] + 1)) / self.scale
        uniform_(weight, bound, generator)
        uniform_(bias, bound, generator)

    def initialise_head_(
        self,
        weight: Inexact[Tensor, "outputs inputs"],
        bias: Inexact[Tensor, " outputs"],
        generator: torch.Generator,
    ) -> None:
        """Fill the linear layer behind the last activation so that outputs have spread 1/30.

        Weights are uniform with variance 1 / (900·inputs·E[φ²(u)]), biases zero, for every member
        alike. SIREN's own head is this at ω₀ = 30, within 8%. A spread of 1/3 cost Gaussian and
        WIRE networks 4 to 7 dB and the others about 1 dB (one picture, 200 steps of Adam).

        Args:
            weight: of shape (outputs, inputs), overwritten.
            bias: of shape (outputs,), overwritten.
            generator: where the draws come from.
        """
        bound = HEAD_SPREAD * math.sqrt(3 / (weight.shape[1] * self.second_moment))
        uniform_(weight, bound, generator)
        nn.init.zeros_(bias)

    def extra_repr(self) -> str:
        """Show the numbers."""
        return ", ".join(f"{number}={getattr(self, number):g}" for number in self.numbers)


class UnitActivation(Activation):
    """An activation whose natural scale is 1: also its first layer keeps s·z at second moment 1.

    Weights and biases of the first layer are U(±b) with b² = 3 / (s²(inputs/3 + 1)), which gives
    second moment 1 for coordinates uniform on [-1, 1]; for many inputs this is He's rule within
    a factor that the second layer takes up. The biases spread the kinks over the domain.
    """

    def initialise_first_(
        self,
        weight: Float[Tensor, "outputs inputs"],
        bias: Float[Tensor, " outputs"],
        generator: torch.Generator,
    ) -> None:
        """Fill the first layer: weights and biases U(±b), see the class.

        Args:
            weight: of shape (outputs, inputs), overwritten.
            bias: of shape (outputs,), overwritten.
            generator: where the draws come from; weight first.
        """
        bound = math.sqrt(3 / (weight.shape[1] / 3 + 1)) / self.scale
        uniform_(weight, bound, generator)
        uniform_(bias, bound, generator)
