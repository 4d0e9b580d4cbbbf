"""One operation of a traced network, as its rule sees it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from penchant.geometry._dependence import Terms
from penchant.geometry._meetings import Meeting


@dataclass(frozen=True)
class Value:
    """A tensor in a traced network.

    Args:
        terms: what its elements depend on; none for a constant or a parameter.
        shape: its shape.
        content: its numbers, where they are known before the network runs.
    """

    terms: Terms
    shape: tuple[int, ...]
    content: torch.Tensor | None = None


class UnknownError(Exception):
    """An operation, or a use of one, that no rule covers."""


@dataclass(frozen=True)
class Call:
    """One operation with its arguments.

    Args:
        name: the operation's name in ATen, without a trailing underscore.
        arguments: by name, tensors as `Value`s.
        shape: the shape of what comes out, of the first tensor where there are several.
        count: how many tensors come out.
        statistics: whether a normalisation's statistics count.
        note: takes a sentence for the reader.
        meet: takes the branches that meet here without seeing the same place.
    """

    name: str
    arguments: dict[str, Any]
    shape: tuple[int, ...]
    count: int
    statistics: bool
    note: Callable[[str], None]
    meet: Callable[[list[Meeting]], None]

    def value(self, name: str = "self") -> Value:
        """Return a tensor argument."""
        found = self.arguments.get(name)
        if name == "self" and found is None:
            found = self.arguments.get("input")
        if not isinstance(found, Value):
            raise UnknownError(f"{self.name} without a tensor {name}")
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument, or a default where it was not given."""
        found = self.arguments.get(name)
        return default if found is None else found

    def needs_constant(self, *names: str) -> None:
        """Refuse a call in which one of these tensors depends on the input."""
        for name in names:
            found = self.arguments.get(name)
            if isinstance(found, Value) and found.terms:
                raise UnknownError(f"{self.name} whose {name} depends on the input")


def numbers(value: Any, count: int) -> tuple[int, ...]:
    """Spread a number or a short list over the axes, as ATen's arguments are given."""
    if isinstance(value, int):
        return (value,) * count
    entries = tuple(int(entry) for entry in value)
    return entries * count if len(entries) == 1 else entries


def dimension(number: int, rank: int) -> int:
    """Count a negative dimension from the end."""
    return number + rank if number < 0 else number
