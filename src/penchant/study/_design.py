"""A design: one complete set of choices and hyper-parameters, which builds a network.

A family is a kind of network: its fields are its axes. What every family has is here: how a
network learns. A number that is not given (None) is filled in by `resolved`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import nn

from penchant.divergences import DIVERGENCES, Divergence, LinkName
from penchant.errors import nearest
from penchant.tasks import Task
from penchant.training import OptimizerName

Positive = Field(default=None, gt=0, allow_inf_nan=False)

_DIVERGENCE_NUMBERS = ("delta", "label_smoothing")


class Design(BaseModel, ABC):
    """A network and how it learns; frozen, hashable, serialisable.

    Raises:
        pydantic.ValidationError: a field or value that does not exist or fit; `design` turns it
            into a `PenchantError`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    width: int | None = Field(default=None, gt=0, le=4096)
    """Units of a hidden layer."""
    optimizer: OptimizerName = "muon"
    learning_rate: float | None = Positive
    weight_decay: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """What pulls matrices and convolutions towards 0 (see `Recipe`); by default the family's."""
    divergence: str | None = None
    """What training minimises; by default the task's own choice."""
    link: LinkName | None = None
    """What turns outputs into answers; by default what goes with the task and the divergence."""
    delta: float | None = Positive
    """Huber's number: errors beyond it count linearly."""
    label_smoothing: float | None = Field(default=None, ge=0, lt=1)
    """Cross-entropy's number: the share of each target that is spread over all classes."""

    reach: ClassVar[Mapping[str, float]] = {"learning_rate": 4.0}
    """Numbers that pilots may choose, and how far they go from the default: a factor either way."""

    usual_width: ClassVar[int | None] = None
    """The width where it is left open; None where it follows from the size of the data."""

    @model_validator(mode="after")
    def _check_divergence(self) -> Self:
        name = self.divergence
        if name is not None and name not in DIVERGENCES:
            named = nearest(name, list(DIVERGENCES))
            raise ValueError(f"divergence={name!r} is unknown: {named}")
        known = DIVERGENCES[name].numbers if name else ()
        for number in _DIVERGENCE_NUMBERS:
            if getattr(self, number) is not None and number not in known:
                having = [n for n, member in DIVERGENCES.items() if number in member.numbers]
                given = (
                    f"divergence {name!r} has no such number" if name else "no divergence is given"
                )
                raise ValueError(f"{number}: {given}; it is a number of {' and '.join(having)}")
        return self

    @property
    def divergence_numbers(self) -> dict[str, float]:
        """The divergence's own numbers that were given."""
        given = {name: getattr(self, name) for name in _DIVERGENCE_NUMBERS}
        return {name: value for name, value in given.items() if value is not None}

    def divergence_of(self, task: Task) -> Divergence:
        """Return what training minimises on a task."""
        return task.divergence(self.divergence, self.link, **self.divergence_numbers)

    @property
    def label(self) -> str:
        """The design's short name: its choices, joined by plus signs."""
        return "+".join(self.choices)

    @property
    def label_among_families(self) -> str:
        """The short name where a study has several families."""
        return f"{self.family}+{self.label}"

    @property
    @abstractmethod
    def choices(self) -> tuple[str, ...]:
        """The choices that name the design, the divergence among them where one was made."""

    @property
    @abstractmethod
    def form(self) -> str:
        """The network's shape in words."""

    @property
    def identity(self) -> dict[str, Any]:
        """All fields that say something: what a run's id hashes."""
        return self.model_dump(exclude_none=True)

    @abstractmethod
    def open_numbers(self) -> tuple[str, ...]:
        """Name the numbers that the user left open and that matter: what pilots choose."""

    @abstractmethod
    def resolved(self) -> Self:
        """Return the design with every number filled in, but for the width."""

    @abstractmethod
    def build(self, shape: tuple[int, ...], outputs: int, seed: int) -> nn.Module:
        """Build the network, its draws keyed by the seed.

        Args:
            shape: a sample's own; the network is given a sample's numbers in a row.
            outputs: numbers in an answer.
            seed: the run's seed.

        Returns:
            A network with float32 parameters on the CPU.

        Raises:
            PenchantError: the family has no network for samples of this shape.
        """

    def replaced(self, **fields: Any) -> Self:
        """Return a copy with some fields changed, checked again."""
        return type(self)(**{**self.model_dump(), **fields})


def one_line(error: ValidationError) -> str:
    """Say a validation error's first complaint in one line.

    Example:
        >>> class Seeds(BaseModel):
        ...     seeds: int = Field(gt=0)
        >>> try:
        ...     Seeds(seeds=-1)
        ... except ValidationError as error:
        ...     print(one_line(error))
        seeds=-1: input should be greater than 0
    """
    first = error.errors(include_url=False)[0]
    message = first["msg"]
    if first["type"] == "value_error":
        return message.removeprefix("Value error, ")
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}={first['input']!r}: {message[0].lower()}{message[1:]}"
