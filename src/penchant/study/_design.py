"""A design: one complete set of choices and hyper-parameters, which builds a network.

A number that is not given (None) is filled in by `resolved`: the learning rate and some scales
from `penchant.study._defaults`, the rest from the members' own defaults.
"""

from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from penchant.errors import PenchantError, nearest
from penchant.nn import ACTIVATIONS, ENCODINGS, Activation, CoordinateNet, Encoding
from penchant.nn import activation as make_activation
from penchant.nn import encoding as make_encoding
from penchant.randomness import generator
from penchant.study import _own
from penchant.study._defaults import LEARNING_RATES, NUMBERS
from penchant.training import OptimizerName

Positive = Field(default=None, gt=0, allow_inf_nan=False)

_ENCODING_NUMBERS = ("frequencies", "bandwidth", "bins")


class CoordinateDesign(BaseModel):
    """A coordinate network and how it learns; frozen, hashable, serialisable.

    Raises:
        pydantic.ValidationError: a field or value that does not exist or fit; `design` turns it
            into a `PenchantError`.

    Example:
        >>> CoordinateDesign(activation="sine", encoding="nerf").label
        'sine+nerf'
        >>> CoordinateDesign(activation="sine").resolved().scale is None
        False
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Literal["coordinate"] = "coordinate"
    activation: str = "relu"
    scale: float | None = Positive
    """The activation's s."""
    omega: float | None = Positive
    """WIRE's second number, the frequency ω₀."""
    k: float | None = Positive
    """FINER's second number, the bound of the first layer's biases."""
    encoding: str = "none"
    frequencies: int | None = Field(default=None, gt=0, le=4096)
    """How many frequencies NeRF's encoding has for each coordinate, or random Fourier features."""
    bandwidth: float | None = Positive
    """Standard deviation of the random Fourier frequencies, in cycles per unit."""
    bins: int | None = Field(default=None, gt=0, le=4096)
    """One-blob's bumps per coordinate."""
    width: int | None = Field(default=None, gt=0, le=4096)
    depth: int = Field(default=3, gt=0, le=64)
    """Hidden layers, each followed by the activation."""
    optimizer: OptimizerName = "muon"
    learning_rate: float | None = Positive

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not _own.is_own(self.activation) and self.activation not in ACTIVATIONS:
            known = nearest(self.activation, list(ACTIVATIONS))
            raise ValueError(f"activation={self.activation!r} is unknown: {known}, or file.py:Name")
        if self.encoding not in ENCODINGS:
            known = nearest(self.encoding, list(ENCODINGS))
            raise ValueError(f"encoding={self.encoding!r} is unknown: {known}")
        for name in ("omega", "k"):
            if getattr(self, name) is not None and name not in self._activation_numbers():
                raise ValueError(f"{name}: activation {self.activation!r} has no such number")
        for name in _ENCODING_NUMBERS:
            if getattr(self, name) is not None and not hasattr(self.make_encoding(2, 0), name):
                raise ValueError(f"{name}: encoding {self.encoding!r} has no such number")
        return self

    @field_validator("frequencies", mode="after")
    @classmethod
    def _not_beyond_numbers(cls, frequencies: int | None, info: ValidationInfo) -> int | None:
        # NeRF's waves double in frequency, and float32 ends at 2¹²⁷.
        if frequencies and frequencies > 64 and info.data.get("encoding") == "nerf":
            raise ValueError(f"frequencies={frequencies}: encoding 'nerf' takes at most 64")
        return frequencies

    def _activation_numbers(self) -> tuple[str, ...]:
        own = _own.is_own(self.activation)
        return ("scale",) if own else tuple(ACTIVATIONS[self.activation].numbers)

    @property
    def label(self) -> str:
        """The design's short name: its activation, and its encoding if there is one."""
        name = _own.label(self.activation)
        return name if self.encoding == "none" else f"{name}+{self.encoding}"

    @property
    def identity(self) -> dict[str, Any]:
        """All fields, with an own activation named by its content: what a run's id hashes."""
        return {**self.model_dump(), "activation": _own.fingerprint(self.activation)}

    def make_activation(self) -> Activation:
        """Build the activation alone."""
        own = _own.is_own(self.activation)
        source: Any = _own.load(self.activation) if own else self.activation
        return make_activation(source, scale=self.scale, omega=self.omega, k=self.k)

    def make_encoding(self, inputs: int, seed: int) -> Encoding:
        """Build the encoding alone, its draws keyed by the seed."""
        given = {n: getattr(self, n) for n in _ENCODING_NUMBERS if getattr(self, n) is not None}
        draws = generator(seed, "init/encoding")
        return make_encoding(self.encoding, inputs, generator=draws, **given)

    def resolved(self) -> Self:
        """Return the design with every number filled in, but for the width."""
        name = self.activation
        tuned = {n: v for n, v in NUMBERS.get(name, {}).items() if getattr(self, n) is None}
        start = self.replaced(**tuned)
        member, code = start.make_activation(), start.make_encoding(2, 0)
        rate = LEARNING_RATES[self.optimizer].get(name, LEARNING_RATES[self.optimizer]["default"])
        filled: dict[str, Any] = {n: getattr(member, n) for n in start._activation_numbers()}
        filled |= {n: getattr(code, n) for n in _ENCODING_NUMBERS if hasattr(code, n)}
        return self.replaced(learning_rate=self.learning_rate or rate, **filled)

    def replaced(self, **fields: Any) -> Self:
        """Return a copy with some fields changed, checked again."""
        return type(self)(**{**self.model_dump(), **fields})

    def build(self, inputs: int, outputs: int, seed: int) -> CoordinateNet:
        """Build the network, its draws keyed by the seed.

        Args:
            inputs: numbers in a sample.
            outputs: numbers in an answer.
            seed: the run's seed.

        Returns:
            A network with float32 parameters on the CPU.
        """
        if self.width is None:
            raise PenchantError(f"design {self.label}: width is needed to build a network")
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


Design = CoordinateDesign
"""The union over network families; coordinate networks are the first."""


def design(fields: dict[str, Any]) -> Design:
    """Make a design from words, as typed on a command line or in a study's file.

    Args:
        fields: values by field; text is turned into numbers where the field is one.

    Returns:
        The design, not yet resolved.

    Raises:
        PenchantError: an unknown field or value, with the nearest known one.

    Example:
        >>> design({"activation": "relu", "width": "32"}).width
        32
        >>> design({"activation": "gausian"})
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: activation='gausian' is unknown: did you mean 'gaussian'? ...
    """
    for name in fields:
        if name not in Design.model_fields:
            known = nearest(name, [n for n in Design.model_fields if n != "family"])
            raise PenchantError(f"axis {name!r} is unknown: {known}")
    try:
        return Design(**fields)
    except ValidationError as error:
        raise PenchantError(one_line(error)) from error


def one_line(error: ValidationError) -> str:
    """Say a validation error's first complaint in one line.

    Example:
        >>> try:
        ...     CoordinateDesign(width=-1)
        ... except ValidationError as error:
        ...     print(one_line(error))
        width=-1: input should be greater than 0
    """
    first = error.errors(include_url=False)[0]
    message = first["msg"]
    if first["type"] == "value_error":
        return message.removeprefix("Value error, ")
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}={first['input']!r}: {message[0].lower()}{message[1:]}"
