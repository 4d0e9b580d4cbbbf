"""Activations of natural scale 1: the rectifiers and the sigmoids."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from penchant.nn._activation import UnitActivation, uniform_


class ReLU(UnitActivation):
    r"""The rectifier.

    .. math:: \varphi = \max(s z, 0), \qquad \frac{d\varphi}{dz} = s\,[z > 0], \qquad
              \mathrm{E}[\varphi^2(u)] = \tfrac{1}{2}

    So the common rule for hidden layers is He's, weights of variance 2/n (He et al., 2015).

    Args:
        scale: s.

    Example:
        >>> ReLU()(torch.tensor([-1.0, 0.5]))
        tensor([0.0000, 0.5000])

    Source: Nair & Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
    """

    name = "relu"
    source = "Nair & Hinton, Rectified linear units, 2010"

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return max(s·z, 0)."""
        # A product by 1 would be a seventh of a residual network's step.
        return torch.relu(z if self.scale == 1 else self.scale * z)

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return s where z > 0, else 0."""
        return self.scale * (z > 0).to(z.dtype)

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is left as it was."""
        torch.clamp_min(z, 0, out=value)
        torch.gt(z, 0, out=derivative)
        if self.scale != 1:
            value.mul_(self.scale)
            derivative.mul_(self.scale)


class GELU(UnitActivation):
    r"""The Gaussian error linear unit, exact (not the tanh approximation).

    .. math:: \varphi = u\,\Phi(u), \quad u = s z, \qquad
              \frac{d\varphi}{dz} = s\,\bigl(\Phi(u) + u\,\Phi'(u)\bigr), \qquad
              \mathrm{E}[\varphi^2(u)] = \tfrac{1}{3} + \tfrac{1}{2\sqrt 3\,\pi} \approx 0.425

    with Φ the normal distribution function.

    Args:
        scale: s.

    Example:
        >>> GELU()(torch.tensor([-1.0, 0.5]))
        tensor([-0.1587, 0.3457])

    Source: Hendrycks & Gimpel, "Gaussian error linear units", 2016.
    """

    name = "gelu"
    source = "Hendrycks & Gimpel, Gaussian error linear units, 2016"

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return u·Φ(u)."""
        return F.gelu(z if self.scale == 1 else self.scale * z)

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return s·(Φ(u) + u·Φ'(u))."""
        u = self.scale * z
        density = torch.exp(-u.square() / 2) / math.sqrt(2 * math.pi)
        distribution: Tensor = torch.special.ndtr(u)
        return self.scale * (distribution + u * density)

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        z.mul_(self.scale)
        torch.mul(z, math.sqrt(0.5), out=value).erf_().mul_(0.5).add_(0.5)
        torch.mul(z, z, out=derivative).mul_(-0.5).exp_().mul_(z)
        derivative.mul_(1 / math.sqrt(2 * math.pi)).add_(value).mul_(self.scale)
        value.mul_(z)


class SiLU(UnitActivation):
    r"""The sigmoid linear unit, also called swish.

    .. math:: \varphi = u\,\sigma(u), \quad u = s z, \qquad
              \frac{d\varphi}{dz} = s\,\bigl(\sigma(u) + \varphi\,(1 - \sigma(u))\bigr), \qquad
              \mathrm{E}[\varphi^2(u)] \approx 0.356

    Args:
        scale: s.

    Example:
        >>> SiLU()(torch.tensor([-1.0, 0.5]))
        tensor([-0.2689, 0.3112])

    Source: Elfwing et al., "Sigmoid-weighted linear units", 2018.
    """

    name = "silu"
    source = "Elfwing et al., Sigmoid-weighted linear units, 2018"

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return u·σ(u)."""
        return F.silu(self.scale * z)

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return s·σ(u)·(1 + u·(1 − σ(u)))."""
        u = self.scale * z
        sigmoid = torch.sigmoid(u)
        return self.scale * sigmoid * (1 + u * (1 - sigmoid))

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        z.mul_(self.scale)
        torch.sigmoid(z, out=value)
        z.mul_(value)
        torch.addcmul(value, value, z, value=-1, out=derivative).add_(z).mul_(self.scale)
        value.copy_(z)


class Tanh(UnitActivation):
    r"""The hyperbolic tangent.

    .. math:: \varphi = \tanh(s z), \qquad \frac{d\varphi}{dz} = s\,(1 - \varphi^2), \qquad
              \mathrm{E}[\varphi^2(u)] \approx 0.394

    Args:
        scale: s.

    Example:
        >>> Tanh()(torch.tensor([-1.0, 0.5]))
        tensor([-0.7616, 0.4621])

    Source: LeCun et al., "Efficient BackProp", 1998.
    """

    name = "tanh"
    source = "LeCun et al., Efficient BackProp, 1998"

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return tanh(s·z)."""
        return torch.tanh(self.scale * z)

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return s·(1 − φ²)."""
        return self.scale * (1 - self.forward(z).square())

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        # tanh(u) = 2σ(2u) − 1, since torch's sigmoid was seen ten times as fast as its tanh on a
        # CPU; what is lost is relative accuracy below |u| of about 1e-3, not absolute.
        z.mul_(2 * self.scale)
        torch.sigmoid(z, out=value).mul_(2).sub_(1)
        torch.mul(value, value, out=derivative).mul_(-self.scale).add_(self.scale)


class Sigmoid(UnitActivation):
    r"""The logistic function.

    .. math:: \varphi = \sigma(s z) = \frac{1}{1 + e^{-s z}}, \qquad
              \frac{d\varphi}{dz} = s\,\varphi\,(1 - \varphi), \qquad
              \mathrm{E}[\varphi^2(u)] \approx 0.293

    Args:
        scale: s.

    Example:
        >>> Sigmoid()(torch.tensor([-1.0, 0.5]))
        tensor([0.2689, 0.6225])

    Source: Rumelhart et al., "Learning representations by back-propagating errors", 1986.
    """

    name = "sigmoid"
    source = "Rumelhart et al., Learning representations by back-propagating errors, 1986"

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return σ(s·z)."""
        return torch.sigmoid(self.scale * z)

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return s·φ·(1 − φ)."""
        phi = self.forward(z)
        return self.scale * phi * (1 - phi)

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        torch.sigmoid(z.mul_(self.scale), out=value)
        torch.addcmul(value, value, value, value=-1, out=derivative).mul_(self.scale)


class Softplus(UnitActivation):
    r"""The smooth rectifier.

    .. math:: \varphi = \log(1 + e^{s z}), \qquad \frac{d\varphi}{dz} = s\,\sigma(s z), \qquad
              \mathrm{E}[\varphi^2(u)] \approx 0.921

    Args:
        scale: s.

    Example:
        >>> Softplus()(torch.tensor([-1.0, 0.5]))
        tensor([0.3133, 0.9741])

    Source: Dugas et al., "Incorporating second-order functional knowledge", 2000.
    """

    name = "softplus"
    source = "Dugas et al., Incorporating second-order functional knowledge, 2000"

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return log(1 + exp(s·z))."""
        u = self.scale * z
        # Not -logsigmoid(-u) nor F.softplus: the latter cuts over to the identity at 20.
        return torch.logaddexp(u, torch.zeros_like(u))

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return s·σ(s·z)."""
        return self.scale * torch.sigmoid(self.scale * z)

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        z.mul_(self.scale)
        torch.abs(z, out=value).neg_().exp_().log1p_()
        torch.sigmoid(z, out=derivative).mul_(self.scale)
        value.add_(z.clamp_min_(0))


class ELU(UnitActivation):
    r"""The exponential linear unit with α = 1.

    .. math:: \varphi = \begin{cases} u & u > 0 \\ e^u - 1 & u \le 0 \end{cases}, \quad u = s z,
              \qquad \frac{d\varphi}{dz} = s\,e^{\min(u, 0)}, \qquad
              \mathrm{E}[\varphi^2(u)] = 1 + e^2 \Phi(-2) - 2\sqrt e\,\Phi(-1) \approx 0.645

    Args:
        scale: s.

    Example:
        >>> ELU()(torch.tensor([-1.0, 0.5]))
        tensor([-0.6321, 0.5000])

    Source: Clevert et al., "Fast and accurate deep network learning by exponential linear units",
    2015.
    """

    name = "elu"
    source = "Clevert et al., Exponential linear units, 2015"

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return u where u > 0, else exp(u) − 1."""
        return F.elu(self.scale * z)

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return s·exp(min(u, 0))."""
        return self.scale * torch.exp((self.scale * z).clamp_max(0))

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        z.mul_(self.scale)
        torch.clamp_max(z, 0, out=value).expm1_()
        torch.add(value, 1, out=derivative).mul_(self.scale)
        value.add_(z.clamp_min_(0))


class SquaredReLU(UnitActivation):
    r"""The squared rectifier.

    .. math:: \varphi = \max(s z, 0)^2, \qquad
              \frac{d\varphi}{dz} = 2 s \max(s z, 0), \qquad
              \mathrm{E}[\varphi^2(u)] = \tfrac{3}{2}

    Being of degree 2 it squares every departure from second moment 1, so that zero biases would
    let a deep network vanish at some points and explode at others. Its hidden biases therefore
    carry 3/4 of the second moment and its weights 1/4: v ↦ 3/4 + v²/4 draws every v below 3 to 1.

    Args:
        scale: s.

    Example:
        >>> SquaredReLU()(torch.tensor([-1.0, 0.5]))
        tensor([0.0000, 0.2500])

    Source: So et al., "Primer: searching for efficient transformers for language modeling", 2021.
    """

    name = "squared_relu"
    source = "So et al., Primer: searching for efficient transformers, 2021"

    def forward(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return max(s·z, 0)²."""
        return torch.relu(self.scale * z).square()

    def derivative(self, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return 2s·max(s·z, 0)."""
        return 2 * self.scale * torch.relu(self.scale * z)

    def value_and_derivative_(
        self,
        z: Float[Tensor, "*shape"],
        value: Float[Tensor, "*shape"],
        derivative: Float[Tensor, "*shape"],
    ) -> None:
        """Write both into buffers; z is overwritten."""
        z.clamp_min_(0).mul_(self.scale)
        torch.mul(z, z, out=value)
        torch.mul(z, 2 * self.scale, out=derivative)

    def initialise_hidden_(
        self,
        weight: Float[Tensor, "outputs inputs"],
        bias: Float[Tensor, " outputs"],
        generator: torch.Generator,
        second_moment: float | None = None,
    ) -> None:
        """Fill a later layer: weights carry 1/4 of s·z's second moment 1, biases 3/4."""
        super().initialise_hidden_(weight, bias, generator, second_moment)
        with torch.no_grad():
            weight.mul_(0.5)
        uniform_(bias, 1.5 / self.scale, generator)
