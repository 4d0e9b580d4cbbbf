"""Time to a score: what a run is charged for, when it first came to each target, what is kept.

A run's clock stands still while it is looked at. A look computes the PSNR over all pixels in the
same way for everybody, from what the network holds at that moment; there is one where the error
that a step saw says that the next target is near, and never two within a hundredth of the run's
time, so a time is at most so much too long.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

NEAR_DB = 0.5
"""A step's own error is that before the step, and of one batch: it says when to look, no more."""
RESOLUTION = 0.01
"""Of a run's time, that passes between two looks."""


class Fit(Protocol):
    """What learns a picture, step by step."""

    ended: bool

    def step(self) -> float | None:
        """Take one step; return the mean squared error that it saw, on [0, 1], if it knows."""

    def picture(self) -> Tensor:
        """Return what it holds now, rows × columns × channels."""


@dataclass
class Clock:
    """Wall and processor seconds, of all threads, while it runs."""

    wall: float = 0.0
    processor: float = 0.0
    now: Callable[[], tuple[float, float]] = lambda: (time.perf_counter(), time.process_time())

    def __enter__(self) -> None:
        self.started = self.now()

    def __exit__(self, *_: object) -> None:
        wall, processor = self.now()
        self.wall += wall - self.started[0]
        self.processor += processor - self.started[1]


@dataclass
class Found:
    """What a run came to."""

    reached: dict[str, dict[str, float]] = field(default_factory=dict)
    """By target in dB: wall and processor seconds, steps."""
    psnr: float = -math.inf
    """At the last look."""
    end: str = "cap"
    """"reached", "cap", "ended" (its schedule has come to its end) or "diverged"."""
    seconds: float = 0.0
    processor: float = 0.0
    steps: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return what is kept in a file."""
        rounded = {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in vars(self).items()
        }
        return {**rounded, "psnr": self.psnr if math.isfinite(self.psnr) else None}


def psnr(found: Tensor, picture: Tensor) -> float:
    """Compute it over all pixels and channels, in dB, with what is found held to [0, 1]."""
    error = (found.clamp(0, 1).double() - picture.double()).square().mean().item()
    return -10 * math.log10(error) if error else math.inf


def chase(
    build: Callable[[], Fit],
    picture: Tensor,
    targets: Sequence[float],
    cap: float,
    *,
    most_steps: int | None = None,
    clock: Clock | None = None,
) -> Found:
    """Train until every target is reached, the schedule has ended or the time is up.

    Args:
        build: makes the contestant, which it is charged for.
        picture: rows × columns × channels on [0, 1].
        targets: in dB.
        cap: wall seconds.
        most_steps: where given, another end.
        clock: for tests.
    """
    clock, found = clock or Clock(), Found()
    with clock:
        fit = build()
    left, looked, end = sorted(targets), 0.0, ""
    while not end:
        with clock:
            error = fit.step()
        found.steps += 1
        broken = error is not None and not math.isfinite(error)
        over = broken or fit.ended or clock.wall >= cap or found.steps == most_steps
        if over or (left and _near(error, left[0]) and clock.wall >= looked * (1 + RESOLUTION)):
            looked, found.psnr = clock.wall, psnr(fit.picture(), picture)
            broken = broken or math.isnan(found.psnr)
            while left and found.psnr >= left[0]:
                found.reached[f"{left.pop(0):g}"] = {
                    "seconds": round(clock.wall, 4),
                    "processor": round(clock.processor, 4),
                    "steps": found.steps,
                }
        if broken:
            end = "diverged"
        elif targets and not left:
            end = "reached"
        elif over:
            end = "ended" if fit.ended else "cap"
    found.end, found.seconds, found.processor = end, clock.wall, clock.processor
    return found


def _near(error: float | None, target: float) -> bool:
    return not error or -10 * math.log10(error) >= target - NEAR_DB


class Kept:
    """Runs in a file, one JSON line each: what was to be done, and what was found.

    A line is written when its run is over, so a benchmark that was killed goes on with the run that
    it was at. A last line that was cut short counts as not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    run = json.loads(line)
                except json.JSONDecodeError:
                    continue
                self.runs[_key(run["job"])] = run

    def find(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Return what was found for a job, if it is done."""
        run = self.runs.get(_key(job))
        return None if run is None else run["found"]

    def add(self, job: dict[str, Any], found: dict[str, Any], **facts: Any) -> None:
        """Write a run down; a second one of the same job takes the place of the first."""
        run = {"job": job, "found": found, **facts}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A new line first, in case the last one was cut short.
        cut = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * cut + json.dumps(run) + "\n")
        self.runs[_key(job)] = run

    def forget(self, peers: Sequence[str]) -> None:
        """Take these peers' runs for not done; their lines stay in the file until then."""
        self.runs = {k: run for k, run in self.runs.items() if run["job"]["peer"] not in peers}


def _key(job: dict[str, Any]) -> str:
    return json.dumps(job, sort_keys=True)
