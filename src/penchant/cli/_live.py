"""Watching a study at work: bars on a terminal, lines in a log; both on stderr."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from penchant.cli._screen import Screen
from penchant.cli._tally import Tally
from penchant.cli._words import counted, duration
from penchant.study import Event, Finished, Job

if TYPE_CHECKING:
    from rich.console import Group
    from rich.progress import Progress, TaskID

PHASES = {True: "pilots", False: "runs"}
BETWEEN_LINES = 2.0
"""Seconds, at least, between two lines in a log."""
SILENCE = 30.0
"""Seconds after which a log says where a run is that goes on."""


@contextmanager
def watch(tally: Tally, unit: str) -> Iterator["Lines | Bars"]:
    """Show a study's progress while the block lasts.

    Args:
        tally: of the study; kept up to date here.
        unit: of its metric.

    Yields:
        A listener for the study's events.
    """
    screen = Screen(stderr=True)
    if not screen.is_interactive or not tally.left:
        yield Lines(tally, unit)
        return
    from rich.live import Live

    bars = Bars(tally, unit, screen)
    with Live(get_renderable=bars.render, console=screen, refresh_per_second=4, transient=True):
        yield bars


class Lines:
    """Plain lines: one when a phase starts, one for a run now and then.

    Args:
        tally: kept up to date here.
        unit: of the metric.
    """

    def __init__(self, tally: Tally, unit: str) -> None:
        self.tally, self.unit = tally, unit
        self._phase: bool | None = None
        self._last = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        self.tally.add(event)
        phase = event.job.validation
        if phase != self._phase:
            self._phase = phase
            done, total = self.tally.count(phase)
            self._say(f"{PHASES[phase]}: {total - done} to do")
        done, total = self.tally.count(phase)
        since = time.monotonic() - self._last
        if isinstance(event, Finished):
            if done == total or since >= BETWEEN_LINES:
                self._tell(event, _score(event, self.unit))
        elif since >= SILENCE:
            where = f"step {event.step:,} of {event.job.steps:,}"
            self._tell(event, ", ".join(filter(None, (where, _score(event, self.unit)))))

    def _tell(self, event: Event, what: str) -> None:
        job, phase = event.job, PHASES[event.job.validation]
        done, total = self.tally.count(job.validation)
        who = job.design if job.validation else f"{job.design} with seed {job.seed}"
        who += f" on {job.signal}" if self.tally.several else ""
        left = duration(self.tally.seconds_left())
        self._say(f"{phase}: {done}/{total}, {who}: {what}; {left} left in all")

    def _say(self, line: str) -> None:
        self._last = time.monotonic()
        print(line, file=sys.stderr, flush=True)


class Bars:
    """One bar a design, with runs done, step, score now and seconds left.

    Args:
        tally: kept up to date here.
        unit: of the metric.
        screen: where the bars are shown.
    """

    def __init__(self, tally: Tally, unit: str, screen: Screen) -> None:
        self.tally, self.unit, self.screen = tally, unit, screen
        self._phase: bool | None = None
        self._progress: Progress | None = None
        self._rows: dict[str, TaskID] = {}
        self._steps: dict[Job, int] = {}

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        self.tally.add(event)
        if event.job.validation != self._phase:
            self._begin(event.job)
        job = event.job
        if isinstance(event, Finished):
            self._steps.pop(job, None)
        else:
            self._steps[job] = event.step
        done = self.tally.done[job.validation, job.design]
        partial = sum(step for one, step in self._steps.items() if one.design == job.design)
        assert self._progress is not None
        self._progress.update(
            self._rows[job.design],
            completed=done * job.steps + partial,
            runs=self._runs(job.design),
            step=f"step {job.steps if isinstance(event, Finished) else event.step}",
            score=_score(event, self.unit),
        )
        for design, row in self._rows.items():
            self._progress.update(row, left=self._left(design))
        self._choose_rows()

    def render(self) -> "Group | str":
        """Draw the view as it stands."""
        if self._progress is None:
            return "starting..."
        from rich.console import Group

        assert self._phase is not None
        done, total = self.tally.count(self._phase)
        if done == total and not self._phase:
            return "writing results..."
        left = duration(self.tally.seconds_left())
        head = f"{PHASES[self._phase]} {done}/{total}, {left} left in all"
        return Group(head, self._progress)

    def _begin(self, job: Job) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        if self._phase:
            _, pilots = self.tally.count(True)
            self.screen.print(f"{counted(pilots, 'pilot')} in {duration(self.tally.elapsed())}")
        self._phase = job.validation
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[runs]}", justify="right"),
            TextColumn("{task.fields[step]}", justify="right"),
            TextColumn("{task.fields[score]}", justify="right"),
            TextColumn("{task.fields[left]}", justify="right"),
            console=self.screen,
            expand=True,
        )
        self._rows = {
            design: self._progress.add_task(
                design,
                total=total * job.steps,
                completed=self.tally.done[phase, design] * job.steps,
                runs=self._runs(design),
                step="",
                score="",
                left=self._left(design),
            )
            for (phase, design), total in self.tally.total.items()
            if phase == self._phase
        }

    def _runs(self, design: str) -> str:
        assert self._phase is not None
        return f"{self.tally.done[self._phase, design]}/{self.tally.total[self._phase, design]}"

    def _left(self, design: str) -> str:
        assert self._phase is not None
        seconds = self.tally.seconds_left_for(self._phase, design)
        return "" if math.isnan(seconds) else duration(seconds)

    def _choose_rows(self) -> None:
        """Where the terminal is too low for all designs, show those at work first."""
        room, phase = max(3, self.screen.height - 3), self._phase
        if len(self._rows) <= room:
            return
        assert self._progress is not None and phase is not None
        busy = {job.design for job in self._steps}

        def urgency(design: str) -> tuple[bool, bool]:
            finished = self.tally.done[phase, design] == self.tally.total[phase, design]
            return design not in busy, finished

        for place, design in enumerate(sorted(self._rows, key=urgency)):
            self._progress.update(self._rows[design], visible=place < room)


def _score(event: Event, unit: str) -> str:
    if isinstance(event, Finished):
        if event.run.status == "diverged":
            return "diverged"
        value = event.run.metrics.get(event.job.metric, float("nan"))
    else:
        value = event.score
    if math.isnan(value):  # not every score is taken while a run trains
        return ""
    return f"{value:.2f} {unit}" if unit else f"{value:.4f}"
