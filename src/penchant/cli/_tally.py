"""What is done of a study and how long the rest will take, from its events alone."""

import math
import time
from collections import Counter
from collections.abc import Sequence

from penchant.study import Event, Finished, Job


class Tally:
    """Counts runs, and times their steps by design.

    Args:
        jobs: the whole study.
        left: what of it is still to be done.
        estimate: seconds for that, believed until steps have been timed.
        workers: processes that share the work.

    Attributes:
        left: what was still to be done at the start.
        total: jobs by phase (True for pilots) and design.
        done: finished ones likewise.
        several: whether there are several signals.
    """

    def __init__(
        self, jobs: Sequence[Job], left: Sequence[Job], estimate: float, workers: int
    ) -> None:
        self.total = Counter((job.validation, job.design) for job in jobs)
        self.done = self.total - Counter((job.validation, job.design) for job in left)
        self.left, self.several = left, len({job.signal for job in jobs}) > 1
        self.started = time.monotonic()
        self.workers, self._estimate = workers, estimate
        self._steps_left: Counter[tuple[bool, str]] = Counter()
        for job in left:
            self._steps_left[job.validation, job.design] += job.steps
        self._steps: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}
        self._before: dict[Job, tuple[float, int]] = {}

    def add(self, event: Event) -> None:
        """Take note of an event, as it comes."""
        job, now = event.job, time.monotonic()
        # A diverged run ends early; what it had left counts as done.
        step = job.steps if isinstance(event, Finished) else event.step
        begun = job in self._before
        then, before = self._before.pop(job, (now, step))
        # What a run that goes on from a checkpoint did before took none of this study's time.
        self._steps_left[job.validation, job.design] -= step - before if begun else step
        self._steps[job.design] += step - before
        self._seconds[job.design] = self._seconds.get(job.design, 0.0) + now - then
        if isinstance(event, Finished):
            self.done[job.validation, job.design] += 1
        else:
            self._before[job] = (now, step)

    def count(self, validation: bool) -> tuple[int, int]:
        """Return how many pilots, or runs, are done, and of how many."""
        done = sum(n for (phase, _), n in self.done.items() if phase == validation)
        return done, sum(n for (phase, _), n in self.total.items() if phase == validation)

    def kept(self) -> str:
        """Say what is finished, and so on the disk."""
        done = sum(self.done.values())
        return f"{done:,} of {sum(self.total.values()):,} runs and pilots"

    def elapsed(self) -> float:
        """Return the wall seconds since the start."""
        return time.monotonic() - self.started

    def seconds_left(self) -> float:
        """Return the wall seconds that are left for the whole study."""
        if not any(self._steps.values()):
            return max(0.0, self._estimate - self.elapsed())
        return sum(self.seconds_left_for(*one) for one in self._steps_left)

    def seconds_left_for(self, validation: bool, design: str) -> float:
        """Return the wall seconds that are left for a design's pilots or runs.

        A design that has not been timed yet is taken to cost what the others do; nan before any
        has been.
        """
        seconds, steps = self._seconds.get(design, 0.0), self._steps[design]
        if steps == 0:
            seconds, steps = sum(self._seconds.values()), sum(self._steps.values())
        if steps == 0:
            return math.nan
        return self._steps_left[validation, design] * seconds / steps / self.workers
