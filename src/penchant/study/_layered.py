"""Designs of networks in layers, each followed by an activation: what such families share."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from penchant.errors import nearest
from penchant.nn import ACTIVATIONS, Activation
from penchant.nn import activation as make_activation
from penchant.study import _own
from penchant.study._defaults import LEARNING_RATES, NUMBERS
from penchant.study._design import Design, Positive


class Layered(Design):
    """Layers of one width, each followed by an activation."""

    activation: str = "relu"
    scale: float | Literal["auto"] | None = None
    """The activation's s; ``"auto"``, where a family takes it, leaves it to the signal."""
    omega: float | None = Positive
    """WIRE's second number, the frequency ω₀."""
    k: float | None = Positive
    """FINER's second number, the bound of the first layer's biases."""
    depth: int = Field(default=3, gt=0, le=64)
    """Hidden layers, each followed by the activation."""

    numbers: ClassVar[Mapping[str, Mapping[str, float]]] = NUMBERS
    """Each activation's numbers where they are left open and differ from the member's own."""
    takes_auto: ClassVar[bool] = False
    """Whether the signal's spectrum may choose the scale."""

    @field_validator("scale", mode="before")
    @classmethod
    def _check_scale(cls, scale: Any) -> Any:
        # Not left to pydantic, whose message would be about one branch of the union.
        if scale is None or (scale == "auto" and cls.takes_auto):
            return scale
        if scale == "auto":
            raise ValueError(
                "scale='auto': only coordinate networks read it off a signal's spectrum; a number "
                "is needed"
            )
        try:
            number = float(scale)
        except (TypeError, ValueError, OverflowError):
            auto = ", or auto" if cls.takes_auto else ""
            raise ValueError(f"scale={scale!r}: input should be a valid number{auto}") from None
        if not 0 < number < math.inf:
            finite = "greater than 0" if math.isfinite(number) else "a finite number"
            raise ValueError(f"scale={scale!r}: input should be {finite}")
        return number

    @model_validator(mode="after")
    def _check_activation(self) -> Self:
        if not _own.is_own(self.activation) and self.activation not in ACTIVATIONS:
            known = nearest(self.activation, list(ACTIVATIONS))
            raise ValueError(f"activation={self.activation!r} is unknown: {known}, or file.py:Name")
        for name in ("omega", "k"):
            if getattr(self, name) is not None and name not in self._activation_numbers():
                raise ValueError(f"{name}: activation {self.activation!r} has no such number")
        return self

    def _activation_numbers(self) -> tuple[str, ...]:
        own = _own.is_own(self.activation)
        return ("scale",) if own else tuple(ACTIVATIONS[self.activation].numbers)

    @property
    def choices(self) -> tuple[str, ...]:
        """The activation, and the divergence where one was chosen."""
        named = (_own.label(self.activation), self.divergence)
        return tuple(name for name in named if name is not None)

    @property
    def form(self) -> str:
        """The network's shape in words."""
        return f"{self.depth} layers of {self.width}"

    @property
    def identity(self) -> dict[str, Any]:
        """All fields that say something, with an own activation named by its content."""
        return {**super().identity, "activation": _own.fingerprint(self.activation)}

    def make_activation(self) -> Activation:
        """Build the activation alone."""
        own = _own.is_own(self.activation)
        source: Any = _own.load(self.activation) if own else self.activation
        scale = None if self.scale == "auto" else self.scale
        return make_activation(source, scale=scale, omega=self.omega, k=self.k)

    def open_numbers(self) -> tuple[str, ...]:
        """Name the numbers that the user left open and that matter.

        A scale matters where the activation sees it as bandwidth; for the rectifiers and sigmoids
        (default scale 1) the weights do the same work.
        """
        member = ACTIVATIONS.get(self.activation)
        scaled = member is not None and member.default_scale != 1
        scale_is_open = scaled and self.scale in (None, "auto")
        is_open = {"learning_rate": self.learning_rate is None, "scale": scale_is_open}
        return tuple(name for name, left in is_open.items() if left)

    def resolved(self) -> Self:
        """Return the design with every number filled in, but for the width."""
        tuned = self.numbers.get(self.activation, {})
        left = {n: v for n, v in tuned.items() if getattr(self, n) in (None, "auto")}
        start = self.replaced(**left)
        member = start.make_activation()
        filled = {n: getattr(member, n) for n in start._activation_numbers()}
        return self.replaced(learning_rate=self.learning_rate or self._default_rate(), **filled)

    def _default_rate(self) -> float:
        rates = LEARNING_RATES[self.optimizer]
        return rates.get(self.activation, rates["default"])
