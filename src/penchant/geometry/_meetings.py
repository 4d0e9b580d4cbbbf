"""Where branches meet that do not see the same place."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from penchant.geometry._dependence import Terms
from penchant.geometry._legs import fused
from penchant.geometry._positions import Periodic, join_ideals


@dataclass(frozen=True)
class Meeting:
    """Branches that meet without seeing the same place.

    Args:
        where: the input axis, in words.
        strides: the branches' strides, where they differ; empty otherwise.
        apart: how far apart their centres are, where the strides agree.
    """

    where: str
    strides: tuple[Fraction, ...]
    apart: Fraction


def meetings(parts: Sequence[Terms]) -> list[Meeting]:
    """Find where branches meet that do not see the same place.

    Args:
        parts: the terms of each branch, of one shape.

    Returns:
        One entry an input axis on which strides or centres differ.
    """
    seen: dict[tuple[str, int, int], set[tuple[Fraction, Fraction]]] = {}
    for part in parts:
        for place, ideal in _ideals(part).items():
            if isinstance(ideal, Periodic):
                seen.setdefault(place, set()).add((ideal.rate, ideal.centre()))
    found = []
    for (source, axis, _), pairs in seen.items():
        strides = tuple(sorted({rate for rate, _ in pairs}))
        centres = {centre for _, centre in pairs}
        where = f"axis {axis} of {source}"
        if len(strides) > 1:
            found.append(Meeting(where, strides, Fraction(0)))
        elif len(centres) > 1:
            found.append(Meeting(where, (), max(centres) - min(centres)))
    return found


def _ideals(part: Terms) -> dict[tuple[str, int, int], Periodic | str]:
    """Return the pattern along each of the tensor's dimensions."""
    ideals: dict[tuple[str, int, int], Periodic | str] = {}
    for term in part:
        for number, dim in enumerate(term.dims):
            if sum(leg.relation is not None for leg in dim) != 1:
                continue
            leg = dim[0] if len(dim) == 1 else fused(dim)[0][0]
            if leg.axis is not None and leg.relation is not None:
                place, ideal = (term.source, leg.axis, number), leg.relation.ideal
                ideals[place] = join_ideals(ideals[place], ideal) if place in ideals else ideal
    return ideals
