"""A study that is killed at any instant resumes with the same final numbers."""

import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from penchant.randomness import key
from penchant.study import Event, Job, Study, _jobs

PATIENCE = 120.0
"""Seconds after which something is stuck."""


class Case(NamedTuple):
    """A study, and how often a child of ours keeps the state of its runs."""

    source: str
    words: dict
    between: float = _jobs.BETWEEN_CHECKPOINTS

    def run(self, folder: Path, **options: object) -> None:
        Study(self.source, out=folder, **self.words).run(**options)


in_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are listed in /proc"
)

SHORT = Case(
    "built-in",
    {
        "vary": {"activation": ["relu", "sine", "finer"]},
        "seeds": 6,
        "steps": 20,
        "tune": 2,
        "size": 24,
    },
)
"""Many runs, each of which is done again."""
RUNS = 3 * 2 + 3 * 6

LONG = Case(
    "digits",
    {
        "family": "resnet",
        "designs": [
            {"depth": 8, "width": 4, "skip": "none"},
            {"depth": 8, "width": 4, "survival": 0.8},
        ],
        "augment": "shift:1",
        "batch": 64,
        "seeds": 2,
        "steps": 150,
        "tune": 1,
    },
    between=0.1,
)
"""Few runs that remember and draw: batch norm, momentum, stochastic depth, augmentation."""

BRIEF = LONG._replace(
    source="digits:samples=200",
    words={**LONG.words, "seeds": 1, "steps": 30, "tune": 0},
    between=0.0,
)

SCRIPT = """
import collections, json, os, signal, sys
import penchant as pn
from penchant.study import _jobs

source, words, between, folder, jobs, begun, how, after = json.loads(sys.argv[1])
_jobs.BETWEEN_CHECKPOINTS = _jobs.BETWEEN_SIGNS = between  # workers read this file, too
heard, jobs_heard = collections.Counter(), set()

def listen(event):
    if event.job not in jobs_heard:
        jobs_heard.add(event.job)
        with open(begun, "a") as file:
            print(event.step, file=file)
    kind = type(event).__name__
    heard[kind] += 1
    if after == [kind, heard[kind]]:
        os.kill(os.getpid(), how)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
    pn.Study(source, out=folder, **words).run(jobs=jobs, on_event=listen)
"""


def uninterrupted(case: Case, folders: pytest.TempPathFactory) -> Path:
    folder = folders.mktemp("whole")
    case.run(folder)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return uninterrupted(SHORT, tmp_path_factory)


@pytest.fixture(scope="module")
def whole_long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return uninterrupted(LONG, tmp_path_factory)


@pytest.fixture(scope="module")
def whole_brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return uninterrupted(BRIEF, tmp_path_factory)


class Child:
    """A study in a process of its own, with whatever processes that one starts.

    It can send itself the signal `how` as soon as it has heard of so many events of a kind.
    """

    def __init__(
        self,
        case: Case,
        folder: Path,
        jobs: int,
        how: signal.Signals = signal.SIGKILL,
        after: tuple[str, int] | None = None,
    ) -> None:
        script = folder.parent / "study.py"
        script.write_text(SCRIPT)
        self.folder = folder
        self.errors = folder.parent / "errors.txt"
        given = (*case, str(folder), jobs, str(begun_file(folder)), int(how), after)
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(script), json.dumps(given)],
                stderr=errors,
                start_new_session=True,
            )
        self.deadline = time.monotonic() + PATIENCE

    def wait(self, seconds: float) -> bool:
        """Wait for the process at most so long; say whether it has ended."""
        assert time.monotonic() < self.deadline, self.errors.read_text()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait_until_done(self, runs: int) -> None:
        """Look at the store until it has so many runs, or the process has ended."""
        while finished(self.folder) < runs and not self.wait(0.002):
            pass

    def wait_until_kept(self, states: int) -> None:
        """Look at the store until so many new states have been seen, or the process has ended."""
        before = kept(self.folder)
        seen = set(before)
        while len(seen) < len(before) + states and not self.wait(0.002):
            seen |= kept(self.folder)

    def end(self, how: signal.Signals) -> int:
        """Send a signal to the process alone, and wait until all are gone."""
        self.process.send_signal(how)
        return self.ended()

    def ended(self) -> int:
        """Wait until the process and all its children are gone."""
        while not self.wait(1.0):
            pass
        while list(living(self.process.pid)):
            assert time.monotonic() < self.deadline, "workers outlive their parent"
            os.sched_yield()
        return self.process.returncode


def finished(folder: Path) -> int:
    """Count a store's runs, from outside."""
    return len(asked(folder, "SELECT id FROM runs"))


def kept(folder: Path) -> set[tuple[str, int]]:
    """List from outside how far a store's unfinished runs have come."""
    return set(asked(folder, "SELECT id, step FROM checkpoints"))


def asked(folder: Path, query: str) -> list[tuple]:
    path = folder / "study.db"
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()
    except sqlite3.OperationalError:  # not made yet, or just being written
        return []


def begun_file(folder: Path) -> Path:
    return folder.parent / "begun.txt"


def begun(folder: Path) -> list[int]:
    """List the steps at which runs were begun or taken up by children."""
    path = begun_file(folder)
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def living(session: int) -> Iterator[int]:
    """List the processes of a session that still run, those that wait to be reaped apart."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, found = path.read_text().rpartition(") ")[2].split()[:4]
        except OSError:  # it ended while we looked
            continue
        if int(found) == session and state != "Z":
            yield int(path.parent.name)


def assert_same(folder: Path, whole: Path) -> None:
    """Hold a finished folder to the uninterrupted one."""
    tables = [
        pd.read_csv(one / "results.csv", dtype=str).drop(columns="seconds")
        for one in (folder, whole)
    ]
    pd.testing.assert_frame_equal(*tables)
    assert len(tables[0]) > 0
    for name in ("verdicts.json", "study.toml"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    names = [sorted(str(p.relative_to(one)) for p in one.rglob("*")) for one in (folder, whole)]
    assert names[0] == names[1], "no stray file"
    for network in (whole / "networks").iterdir():
        assert (folder / "networks" / network.name).read_bytes() == network.read_bytes()


def killed_and_resumed(folder: Path, whole: Path, jobs: int, kills: range, reach: int = 1) -> int:
    """Kill one study again and again, then finish it; return how often that met it at work.

    A kill comes at any moment from the start of the process to the writing of its last files, or
    to one `reach`-th of what remains.
    """
    met = 0
    for kill in kills:
        draws = random.Random(key(jobs, "kill", kill))
        before = finished(folder)
        child = Child(SHORT, folder, jobs)
        child.wait_until_done(before + draws.randint(0, (RUNS - before) // reach))
        child.wait(draws.uniform(0, 0.05))
        met += child.process.poll() is None
        child.end(signal.SIGKILL)
    SHORT.run(folder)
    assert_same(folder, whole)
    return met


@in_proc
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_three_times(tmp_path: Path, whole: Path, jobs: int) -> None:
    met = killed_and_resumed(tmp_path / "study", whole, jobs, range(3), reach=2)
    assert met >= 1, "a kill must meet the study at work"


@pytest.mark.slow
@in_proc
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_twenty_instants(tmp_path: Path, whole: Path, jobs: int) -> None:
    met = 0
    for kill in range(20):
        folder = tmp_path / str(kill)
        folder.mkdir()
        met += killed_and_resumed(folder / "study", whole, jobs, range(kill, kill + 1))
    assert met >= 15, "most kills must meet the study at work"


@in_proc
@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_interrupted_study_resumes(tmp_path: Path, whole: Path, jobs: int) -> None:
    folder = tmp_path / "study"
    child = Child(SHORT, folder, jobs, signal.SIGINT, ("Finished", 8))
    assert child.ended() == -signal.SIGINT
    assert "KeyboardInterrupt" in child.errors.read_text()
    assert finished(folder) == 8
    SHORT.run(folder)
    assert_same(folder, whole)


# Within a run


@in_proc
@pytest.mark.parametrize(
    ("jobs", "how"),
    [
        (1, signal.SIGKILL),
        pytest.param(1, signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(2, signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param(2, signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_ended_within_a_run(tmp_path: Path, whole_brief: Path, jobs: int, how: int) -> None:
    folder = tmp_path / "study"
    child = Child(BRIEF, folder, jobs, how, ("Progress", 60 // jobs))
    assert child.ended() == -how, child.errors.read_text()
    reached = {step for _, step in kept(folder)}
    assert finished(folder) == 2 - jobs and reached and min(reached) > 0
    first: dict[Job, Event] = {}
    BRIEF.run(folder, on_event=lambda event: first.setdefault(event.job, event))
    assert reached <= {event.step for event in first.values()}, "it goes on from there"
    assert_same(folder, whole_brief)


@pytest.mark.slow
@in_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda how: how.name)
@pytest.mark.parametrize("jobs", [1, 2])
def test_ended_at_random_instants_until_done(
    tmp_path: Path, whole_long: Path, jobs: int, how: signal.Signals
) -> None:
    folder = tmp_path / "study"
    for life in itertools.count():
        draws = random.Random(key(jobs, how.name, life))
        child = Child(LONG, folder, jobs)
        child.wait_until_kept(draws.randint(1, 12))  # so that each life brings it further
        if child.wait(draws.uniform(0, 0.2)):
            break
        assert child.end(how) in (-how, 0), child.errors.read_text()
    assert child.process.returncode == 0, child.errors.read_text()
    LONG.run(folder)  # does nothing, but clears away what our looking in has left beside the store
    assert_same(folder, whole_long)
    assert any(step > 0 for step in begun(folder)), "runs must go on from within"
