"""The coordinate network: encoding, layers with their activations, and a linear head."""

import copy
import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from penchant.errors import PenchantError
from penchant.nn._activation import Activation
from penchant.nn._activations import ActivationLike, activation
from penchant.nn._checks import count
from penchant.nn._encoding import Encoding
from penchant.nn._encodings import encoding
from penchant.randomness import generator

PROBE_POINTS = 64


class CoordinateNet(nn.Module):
    r"""A fully connected network from a point's coordinates to the values there.

    .. math:: h_0 = \gamma(x), \qquad h_l = \varphi(s\,(W_l h_{l-1} + b_l)), \qquad
              y = W h_L + b

    with γ the encoding. Each layer is drawn from its own key of the seed, and filled by its
    activation's rules; the second layer's is told the second moment of the first layer's values
    at 64 keyed points, which for narrow bumps is far from that at u ~ N(0, 1). The global stream
    of random numbers is left alone. With a complex activation ("wire") the first layer is real,
    the others and the head are complex, and the real part is returned; such a network is made
    double by `torch.set_default_dtype`, since `Module.double` leaves complex weights single.

    Args:
        inputs: coordinates a point has.
        outputs: values at a point.
        width: units of a hidden layer.
        depth: hidden layers, which is also the number of non-linearities.
        activation: what `activation` takes; each layer gets a copy of its own.
        encoding: a name in `ENCODINGS`, or an `Encoding`.
        seed: of the initial draws.

    Raises:
        PenchantError: a number is not a whole one above 0, a name is not known, or the encoding
            takes another number of coordinates.

    Example:
        >>> net = CoordinateNet(2, 3, width=64, depth=3, activation="sine")
        >>> net(torch.zeros(5, 2)).shape, count_parameters(net)
        (torch.Size([5, 3]), 8707)

    Source: Sitzmann et al., "Implicit neural representations with periodic activation functions",
    2020; Tancik et al., "Fourier features", 2020.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int = 64,
        depth: int = 3,
        activation: ActivationLike = "finer",
        encoding: str | Encoding = "none",
        seed: int = 0,
    ) -> None:
        super().__init__()
        inputs = count("CoordinateNet(inputs", inputs)
        outputs = count("CoordinateNet(outputs", outputs)
        width = count("CoordinateNet(width", width)
        depth = count("CoordinateNet(depth", depth)
        member = _activation(activation)
        self.encoding: Encoding = _encoding(encoding, inputs, seed)
        real = torch.get_default_dtype()
        later = real.to_complex() if member.is_complex else real
        self.layers = nn.ModuleList(
            _linear(self.encoding.features, width, real)
            if index == 0
            else _linear(width, width, later)
            for index in range(depth)
        )
        self.activations = nn.ModuleList(copy.deepcopy(member) for _ in range(depth))
        self.head = _linear(width, outputs, later)
        self._initialise(inputs, seed)

    def _initialise(self, inputs: int, seed: int) -> None:
        layers = cast(Iterable[nn.Linear], self.layers)
        activations = cast(Sequence[Activation], self.activations)
        moment = None
        for index, (layer, phi) in enumerate(zip(layers, activations, strict=True)):
            draws = generator(seed, f"init/layers.{index}")
            if index == 0:
                phi.initialise_first_(layer.weight, layer.bias, draws)
                moment = self._first_moment(inputs, generator(seed, "init/probe"))
            else:
                phi.initialise_hidden_(layer.weight, layer.bias, draws, moment)
                moment = None
        draws = generator(seed, "init/head")
        activations[-1].initialise_head_(self.head.weight, self.head.bias, draws)

    def _first_moment(self, inputs: int, draws: torch.Generator) -> float:
        points = torch.rand((PROBE_POINTS, inputs), generator=draws, dtype=torch.float32)
        with torch.no_grad():
            code = self.encoding((2 * points - 1).to(torch.get_default_dtype()))
            values: Tensor = self.activations[0](self.layers[0](code))
        moments = values.abs().double().square().mean(dim=0)
        # A sum of Python floats in a fixed order, and few digits: the same on any thread count.
        return float(f"{math.fsum(moments.tolist()) / len(moments):.4g}")

    def forward(self, x: Float[Tensor, "*points inputs"]) -> Float[Tensor, "*points outputs"]:
        """Return the values at the points.

        Args:
            x: coordinates on [-1, 1].

        Returns:
            A real tensor of x's shape, with `outputs` in place of `inputs`.

        Raises:
            PenchantError: x has another number of coordinates.
        """
        h = self.encoding(x)
        for layer, phi in zip(self.layers, self.activations, strict=True):
            h = phi(layer(h))
        y: Tensor = self.head(h)
        return y.real if y.is_complex() else y


def count_parameters(module: nn.Module) -> int:
    """Count the real numbers that a module learns: complex ones twice, shared ones once.

    Example:
        >>> complex_layer = nn.Linear(2, 3, dtype=torch.complex64)
        >>> count_parameters(nn.Linear(2, 3)), count_parameters(complex_layer)
        (9, 18)
    """
    return sum(p.numel() * (2 if p.is_complex() else 1) for p in module.parameters())


def _linear(inputs: int, outputs: int, dtype: torch.dtype) -> nn.Linear:
    # Left unfilled: torch's own initialisation would draw from the global stream.
    return cast(nn.Linear, skip_init(nn.Linear, inputs, outputs, dtype=dtype))  # type: ignore[no-untyped-call]


def _activation(given: ActivationLike) -> Activation:
    return activation(given)


def _encoding(given: str | Encoding, inputs: int, seed: int) -> Encoding:
    if not isinstance(given, Encoding):
        return encoding(given, inputs, generator=generator(seed, "init/encoding"))
    if given.inputs != inputs:
        raise PenchantError(
            f"CoordinateNet(inputs={inputs}, encoding={given}): the encoding takes "
            f"{given.inputs} coordinates, the network {inputs}"
        )
    return given
