"""Designs of networks in layers, each followed by an activation: what such families share."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from penchant.errors import nearest
from penchant.nn import ACTIVATIONS, Activation
from penchant.nn import activation as make_activation
from penchant.study import _own
from penchant.study._defaults import LEARNING_RATES, NUMBERS
from penchant.study._design import Design, Positive


class Layered(Design):
    """Layers of one width, each followed by an activation."""

    activation: str = "relu"
    scale: float | None = Positive
    """The activation's s."""
    omega: float | None = Positive
    """WIRE's second number, the frequency ω₀."""
    k: float | None = Positive
    """FINER's second number, the bound of the first layer's biases."""
    depth: int = Field(default=3, gt=0, le=64)
    """Hidden layers, each followed by the activation."""

    numbers: ClassVar[Mapping[str, Mapping[str, float]]] = NUMBERS
    """Each activation's numbers where they are left open and differ from the member's own."""

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
        return make_activation(source, scale=self.scale, omega=self.omega, k=self.k)

    def open_numbers(self) -> tuple[str, ...]:
        """Name the numbers that the user left open and that matter.

        A scale matters where the activation sees it as bandwidth; for the rectifiers and sigmoids
        (default scale 1) the weights do the same work.
        """
        member = ACTIVATIONS.get(self.activation)
        scaled = member is not None and member.default_scale != 1
        matters = {"learning_rate": True, "scale": scaled}
        return tuple(n for n, does in matters.items() if does and getattr(self, n) is None)

    def resolved(self) -> Self:
        """Return the design with every number filled in, but for the width."""
        tuned = self.numbers.get(self.activation, {})
        start = self.replaced(**{n: v for n, v in tuned.items() if getattr(self, n) is None})
        member = start.make_activation()
        filled = {n: getattr(member, n) for n in start._activation_numbers()}
        return self.replaced(learning_rate=self.learning_rate or self._default_rate(), **filled)

    def _default_rate(self) -> float:
        rates = LEARNING_RATES[self.optimizer]
        return rates.get(self.activation, rates["default"])
