"""Choosing widths: a family's own, below half the seen values, or equal in parameters if asked."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
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
    network can learn its samples by heart. With
    ``match="parameters"`` baselines keep it, and each other design takes the width whose number of
    parameters is nearest to its baseline's.

    Args:
        designs: resolved, by label.
        task: whose seen values and shapes count.
        match: what is held equal.
        baselines: label of the design that each one follows; a baseline follows itself.

    Returns:
        The designs with widths.
    """
    shape = (task.shape, task.outputs)
    free: dict[str, list[Design]] = {}  # a width is channels in one family and units in another
    for design in designs.values():
        if design.width is None and design.usual_width is None:
            free.setdefault(design.family, []).append(design)
    common = {family: _common(its_designs, task) for family, its_designs in free.items()}
    chosen = {
        label: design.replaced(width=design.width or design.usual_width or common[design.family])
        for label, design in designs.items()
    }
    for design in chosen.values():  # what fits no such samples fails here
        parameters(design, design.width or 0, *shape)
    if match == "width":
        return chosen

    def nearest(design: Design, reference: Design) -> Design:
        assert reference.width is not None
        target = parameters(reference, reference.width, *shape)
        below = _largest(lambda width: parameters(design, width, *shape) <= target, 4096)
        width = min(
            (below, min(below + 1, 4096)),
            key=lambda width: abs(parameters(design, width, *shape) - target),
        )
        return design.replaced(width=width)

    return {
        label: design
        if label == baselines[label] or designs[label].width
        else nearest(design, chosen[baselines[label]])
        for label, design in chosen.items()
    }


def _common(designs: Sequence[Design], task: Task) -> int:
    limit = task.seen_values() / 2
    return _largest(
        lambda width: all(
            parameters(design, width, task.shape, task.outputs) <= limit for design in designs
        )
    )


def _largest(fits: Callable[[int], bool], widest: int = WIDEST) -> int:
    low, high = NARROWEST, NARROWEST
    while high < widest and fits(min(2 * high, widest)):
        low = high = min(2 * high, widest)
    high = min(2 * high, widest)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
