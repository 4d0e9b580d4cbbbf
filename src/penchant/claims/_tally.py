"""Checks that are made case by case: how many cases, the largest deviation, and where it was."""

import sys
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from penchant.claims._rules import check


@dataclass
class Tally:
    """Counts cases by the name of what is checked.

    Example:
        >>> tally = Tally()
        >>> tally.add("1/3 · 3 = 1", 1 / 3 * 3 - 1, "thirds")
        >>> tally.add("1/3 · 3 = 1", 0.5, "made up")
        >>> tally.checks()
        [{'name': '1/3 · 3 = 1', 'cases': 2, 'error': 0.5, 'worst': 'made up'}]
    """

    _found: dict[str, tuple[int, float, str]] = field(default_factory=dict)

    def add(self, name: str, error: float, case: str = "") -> None:
        """Add a case.

        Args:
            name: what is checked, in words or as a formula.
            error: the size of its deviation; nan and infinity count as the largest number there is.
            case: in words, for the one that deviates most.
        """
        size = abs(float(error)) if isfinite(error) else sys.float_info.max
        cases, largest, worst = self._found.get(name, (0, 0.0, ""))
        if size > largest:
            largest, worst = size, case
        self._found[name] = (cases + 1, largest, worst)

    def require(self, name: str, holds: bool, case: str = "") -> None:
        """Add a case that holds or does not: a deviation of 0 or 1."""
        self.add(name, 0.0 if holds else 1.0, case)

    def checks(self) -> list[dict[str, Any]]:
        """Return the evidence, a check for each name in the order in which they came."""
        return [check(name, *found) for name, found in self._found.items()]
