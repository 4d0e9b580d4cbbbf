"""Sides of a comparison that take turns within one run, so that other work falls on all alike."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Sides:
    """Seconds of each side in each turn."""

    turns: list[list[float]]

    def median(self, side: int) -> float:
        return statistics.median(turn[side] for turn in self.turns)

    def quickest(self, side: int) -> float:
        return min(turn[side] for turn in self.turns)

    def ratio(self, slow: int, quick: int) -> float:
        """Median of the ratios within a turn."""
        return statistics.median(turn[slow] / turn[quick] for turn in self.turns)


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """By default processor seconds, on which other work on the machine counts less."""
    started = clock()
    work()
    return clock() - started


def interleaved(
    sides: Sequence[Callable[[], object]],
    turns: int,
    clock: Callable[[], float] = time.process_time,
    *,
    warm: bool = True,
) -> Sides:
    """Let the sides take turns; a first round is not counted, where one is wanted."""
    for side in sides if warm else ():
        side()
    return Sides([[seconds(side, clock) for side in sides] for _ in range(turns)])


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Hold torch to so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
