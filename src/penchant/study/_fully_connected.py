"""Designs of fully connected networks: the coordinate network, and the dense one for data."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, cast

import torch
from pydantic import Field, ValidationInfo, field_validator, model_validator

from penchant.errors import PenchantError, nearest
from penchant.nn import ENCODINGS, CoordinateNet, Encoding
from penchant.nn import encoding as make_encoding
from penchant.randomness import generator
from penchant.study._defaults import DENSE_LEARNING_RATES, STANDARDISED_NUMBERS
from penchant.study._design import Positive
from penchant.study._layered import Layered
from penchant.training import OptimizerName

_ENCODING_NUMBERS = tuple(dict.fromkeys(n for one in ENCODINGS.values() for n in one.numbers))

_FOLLOWING = ("table", "finest")
"""Numbers that follow from others where they are left open: a table from the width."""


class FullyConnected(Layered):
    """Layers of one width; a sample is a row of numbers, whatever its shape."""

    def build(self, shape: tuple[int, ...], outputs: int, seed: int) -> CoordinateNet:
        """Build the network, its draws keyed by the seed; see `Design.build`."""
        if self.width is None:
            raise PenchantError(f"design {self.label}: width is needed to build a network")
        inputs = math.prod(shape)
        try:
            return CoordinateNet(
                inputs,
                outputs,
                width=self.width,
                depth=self.depth,
                activation=self.make_activation(),
                encoding=self.make_encoding(inputs, seed),
                seed=seed,
            )
        except ArithmeticError as error:
            raise PenchantError(
                f"design {self.label}: with scale={self.scale} its layers cannot be initialised "
                f"({error}); a scale nearer to the activation's own is needed"
            ) from error

    def make_encoding(self, inputs: int, seed: int) -> Encoding:
        """Build the encoding alone: here none."""
        return make_encoding("none", inputs, generator=generator(seed, "init/encoding"))


class CoordinateDesign(FullyConnected):
    """A coordinate network, from a point to the values there, for signals to reconstruct.

    With ``scale="auto"`` the numbers that decide its bandwidth and were left open are chosen for
    each signal before anything runs, from the spectrum of what is seen of it: NeRF's frequencies,
    the Fourier features' bandwidth or the one-blob's bins, then the activation's scale (with it
    WIRE's ω₀), and a learning rate for that scale. Pilots start from these numbers. On sounds this
    is what an open scale means. Only signals on a grid have such a spectrum; see docs/probes.md.

    Example:
        >>> CoordinateDesign(activation="sine", encoding="nerf").label
        'sine+nerf'
        >>> CoordinateDesign(activation="sine").resolved().scale is None
        False
    """

    family: Literal["coordinate"] = "coordinate"
    encoding: str = "none"
    frequencies: int | None = Field(default=None, gt=0, le=4096)
    """How many frequencies NeRF's encoding has for each coordinate, or random Fourier features."""
    bandwidth: float | None = Positive
    """Standard deviation of the random Fourier frequencies, in cycles per unit."""
    bins: int | None = Field(default=None, gt=0, le=4096)
    """One-blob's bumps per coordinate."""
    levels: int | None = Field(default=None, gt=0, le=64)
    """How many grids of different resolution the learned grid has."""
    coarsest: int | None = Field(default=None, ge=2, le=65536)
    """Nodes per axis of the learned grid's first level."""
    finest: float | None = Field(default=None, ge=2, le=16_777_216)
    """Nodes per axis of its last level; when not given, by its table (see `Grid`)."""
    per_level: int | None = Field(default=None, gt=0, le=64)
    """Features that each of its levels gives."""
    table: int | None = Field(default=None, gt=0, le=16_777_216)
    """Nodes of a level that have features of their own; when not given, half of width²."""

    takes_auto: ClassVar[bool] = True
    reach: ClassVar[Mapping[str, float]] = {"learning_rate": 4.0, "scale": 2.0, "bandwidth": 2.0}

    @model_validator(mode="after")
    def _check_encoding(self) -> Self:
        if self.encoding not in ENCODINGS:
            known = nearest(self.encoding, list(ENCODINGS))
            raise ValueError(f"encoding={self.encoding!r} is unknown: {known}")
        ENCODINGS[self.encoding].check(self._encoding_numbers())
        return self

    @field_validator("frequencies", mode="after")
    @classmethod
    def _not_beyond_numbers(cls, frequencies: int | None, info: ValidationInfo) -> int | None:
        # NeRF's waves double in frequency, and float32 ends at 2¹²⁷.
        if frequencies and frequencies > 64 and info.data.get("encoding") == "nerf":
            raise ValueError(f"frequencies={frequencies}: encoding 'nerf' takes at most 64")
        return frequencies

    @property
    def choices(self) -> tuple[str, ...]:
        """The activation, and the encoding and the divergence where these were chosen."""
        first, *rest = super().choices
        return (first, *([] if self.encoding == "none" else [self.encoding]), *rest)

    def _encoding_numbers(self) -> dict[str, float]:
        given = {name: getattr(self, name) for name in _ENCODING_NUMBERS}
        numbers = {name: value for name, value in given.items() if value is not None}
        if self.encoding == "grid" and self.width is not None:
            # So a grid grows with its network, and a search for a width sizes both.
            numbers.setdefault("table", max(1, self.width**2 // 2))
        return numbers

    def make_encoding(self, inputs: int, seed: int) -> Encoding:
        """Build the encoding alone, its draws keyed by the seed."""
        draws = generator(seed, "init/encoding")
        return make_encoding(self.encoding, inputs, generator=draws, **self._encoding_numbers())

    def encoding_size(self, inputs: int) -> int:
        """Count what the encoding learns, without building it."""
        return ENCODINGS[self.encoding].size(inputs, **self._encoding_numbers())

    def open_numbers(self) -> tuple[str, ...]:
        """Name the numbers that the user left open and that matter, the bandwidth among them."""
        has_it = self.bandwidth is None and self.encoding == "fourier"
        return super().open_numbers() + (("bandwidth",) if has_it else ())

    def resolved(self) -> Self:
        """Return the design with every number filled in, but for the width and what follows it."""
        usual = {
            number: value
            for number, value in ENCODINGS[self.encoding].defaults().items()
            if getattr(self, number) is None and number not in _FOLLOWING
        }
        return super().resolved().replaced(**usual)


class DenseDesign(FullyConnected):
    """A multilayer perceptron, from a sample's features to one output a class, for labelled data.

    It is a coordinate network without an encoding.

    Example:
        >>> DenseDesign(activation="gelu", divergence="kl").label
        'gelu+kl'
    """

    family: Literal["dense"] = "dense"
    depth: int = Field(default=2, gt=0, le=64)
    optimizer: OptimizerName = "adam"
    start_bias: float = Field(default=0.0, ge=-1000, le=1000)
    """By how much the head favours one output, drawn by the seed, before the first step.

    With 10 a network of several classes starts out confident, and for most samples wrong.
    """

    reach: ClassVar[Mapping[str, float]] = {"learning_rate": 10.0, "scale": 2.0}
    numbers: ClassVar[Mapping[str, Mapping[str, float]]] = STANDARDISED_NUMBERS
    usual_width: ClassVar[int | None] = 128

    def _default_rate(self) -> float:
        return DENSE_LEARNING_RATES[self.optimizer]

    def build(self, shape: tuple[int, ...], outputs: int, seed: int) -> CoordinateNet:
        """Build the network, its draws keyed by the seed; see `Design.build`."""
        network = super().build(shape, outputs, seed)
        if self.activation in self.numbers:
            _for_standardised(network, seed)
        if self.start_bias:
            draw = torch.randint(outputs, (), generator=generator(seed, "init/start-bias"))
            with torch.no_grad():
                network.head.bias[draw] += self.start_bias
        return network


def _for_standardised(network: CoordinateNet, seed: int) -> None:
    """Fill the first layer anew, and the second by what then comes in.

    Waves and bumps have first layers for coordinates, of which there are two or three: with
    SIREN's, a sine of 100 standardised numbers would hardly leave 0.
    """
    layers, activations = cast(Any, network.layers), cast(Any, network.activations)
    first, draws = layers[0], generator(seed, "init/layers.0")
    activations[0].initialise_standardised_(first.weight, first.bias, draws)
    if len(layers) > 1:
        second, draws = layers[1], generator(seed, "init/layers.1")
        activations[1].initialise_hidden_(second.weight, second.bias, draws)
