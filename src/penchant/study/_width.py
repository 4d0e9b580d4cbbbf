"""Choosing widths: a family's own, below half the seen values, or equal in parameters if asked."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Literal

from penchant.nn import count_parameters
from penchant.study._design import Design
from penchant.tasks import Task

WIDEST = 256
NARROWEST = 4


@lru_cache(maxsize=4096)
def parameters(design: Design, width: int, shape: tuple[int, ...], outputs: int) -> int:
    """Count the parameters of a resolved design at a width."""
    return count_parameters(design.replaced(width=width).build(shape, outputs, seed=0))


def with_widths(
    designs: Mapping[str, Design],
    task: Task,
    match: Literal["width", "parameters"],
    baselines: Mapping[str, str],
) -> dict[str, Design]:
    """Give every design that has none a width.

    The common width of a family's designs is its usual one or, for families without, the largest up
    to 256 at which none of them has more parameters than half the seen values; beyond that a
    network can learn its samples by heart. With ``match="parameters"`` the first baseline takes the
    largest such width for which that holds of the others, too. These, whatever their family, take
    the width whose number of parameters is nearest to their baseline's (a baseline's: to the
    first's).

    Args:
        designs: resolved, by label.
        task: whose seen values and shapes count.
        match: what is held equal.
        baselines: label of the design that each one follows; a baseline follows itself.

    Returns:
        The designs with widths.
    """
    shape, limit = (task.shape, task.outputs), task.seen_values() / 2
    follows = _followed(designs, baselines) if match == "parameters" else {}
    common = _common([one for label, one in designs.items() if label not in follows], task)
    chosen = _chosen(designs, follows, common, shape)
    while common and any(_too_large(chosen[label], shape, limit) for label in follows):
        common = {family: width - 1 for family, width in common.items() if width > NARROWEST}
        chosen = _chosen(designs, follows, common, shape) if common else chosen
    for design in chosen.values():  # what fits no such samples fails here
        parameters(design, design.width or 0, *shape)
    return chosen


def _too_large(design: Design, shape: tuple[tuple[int, ...], int], limit: float) -> bool:
    """Tell what a narrower baseline would mend."""
    width = design.width or 0
    return width > NARROWEST and parameters(design, width, *shape) > limit


def _chosen(
    designs: Mapping[str, Design],
    follows: Mapping[str, str],
    common: Mapping[str, int],
    shape: tuple[tuple[int, ...], int],
) -> dict[str, Design]:
    """Give widths: those of families first, then of designs that follow others."""
    chosen = {
        label: design.replaced(width=design.width or design.usual_width or common[design.family])
        for label, design in designs.items()
        if label not in follows
    }
    for label, to in follows.items():
        chosen[label] = _nearest(designs[label], chosen[to], shape)
    return {label: chosen[label] for label in designs}


def _nearest(design: Design, reference: Design, shape: tuple[tuple[int, ...], int]) -> Design:
    assert reference.width is not None
    target = parameters(reference, reference.width, *shape)
    below = _largest(lambda width: parameters(design, width, *shape) <= target, 4096)
    width = min(
        (below, min(below + 1, 4096)),
        key=lambda width: abs(parameters(design, width, *shape) - target),
    )
    return design.replaced(width=width)


def _followed(designs: Mapping[str, Design], baselines: Mapping[str, str]) -> dict[str, str]:
    """Return whose number of parameters each design takes that has no width: baselines first."""
    first, *others = dict.fromkeys(baselines.values())
    found = {label: first for label in others if designs[label].usual_width is None}
    found |= {label: to for label, to in baselines.items() if label != to}
    return {label: to for label, to in found.items() if not designs[label].width}


def _common(designs: Sequence[Design], task: Task) -> dict[str, int]:
    """Return the width of each family whose designs leave it open."""
    limit = task.seen_values() / 2
    free: dict[str, list[Design]] = {}  # a width is channels in one family and units in another
    for design in designs:
        if design.width is None and design.usual_width is None:
            free.setdefault(design.family, []).append(design)

    def fits(width: int, several: Sequence[Design]) -> bool:
        return all(parameters(one, width, task.shape, task.outputs) <= limit for one in several)

    return {family: _largest(partial(fits, several=several)) for family, several in free.items()}


def _largest(fits: Callable[[int], bool], widest: int = WIDEST) -> int:
    low, high = NARROWEST, NARROWEST
    while high < widest and fits(min(2 * high, widest)):
        low = high = min(2 * high, widest)
    high = min(2 * high, widest)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
