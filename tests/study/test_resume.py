"""A study that is killed at any instant resumes with the same final numbers."""

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

import pandas as pd
import pytest

from penchant.randomness import key
from penchant.study import Study

PATIENCE = 120.0
"""Seconds after which something is stuck."""

WORDS: dict = {
    "vary": {"activation": ["relu", "sine", "finer"]},
    "seeds": 6,
    "steps": 20,
    "tune": 2,
    "size": 24,
}
RUNS = 3 * 2 + 3 * 6

SCRIPT = """
import os, signal, sys
import penchant as pn
from penchant.study import Finished

def interrupt(event):
    global left
    left -= isinstance(event, Finished)
    if left == 0:
        os.kill(os.getpid(), signal.SIGINT)

if __name__ == "__main__":
    out, jobs, left = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
    pn.Study("built-in", out=out, **{words}).run(jobs=jobs, on_event=interrupt)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    Study("built-in", out=folder, **WORDS).run()
    return folder


class Child:
    """The study in a process of its own, with whatever processes that one starts."""

    def __init__(self, folder: Path, jobs: int, interrupt_after: int = -1) -> None:
        script = folder.parent / "study.py"
        script.write_text(SCRIPT.replace("{words}", repr(WORDS)))
        self.folder = folder
        self.errors = folder.parent / "errors.txt"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(script), str(folder), str(jobs), str(interrupt_after)],
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
    path = folder / "study.db"
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM runs").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet, or just being written
        return 0


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
    assert len(tables[0]) == 18
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
        child = Child(folder, jobs)
        child.wait_until_done(before + draws.randint(0, (RUNS - before) // reach))
        child.wait(draws.uniform(0, 0.05))
        met += child.process.poll() is None
        child.end(signal.SIGKILL)
    Study("built-in", out=folder, **WORDS).run(jobs=1)
    assert_same(folder, whole)
    return met


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed in /proc")
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_three_times(tmp_path: Path, whole: Path, jobs: int) -> None:
    met = killed_and_resumed(tmp_path / "study", whole, jobs, range(3), reach=2)
    assert met >= 1, "a kill must meet the study at work"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed in /proc")
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_twenty_instants(tmp_path: Path, whole: Path, jobs: int) -> None:
    met = 0
    for kill in range(20):
        folder = tmp_path / str(kill)
        folder.mkdir()
        met += killed_and_resumed(folder / "study", whole, jobs, range(kill, kill + 1))
    assert met >= 15, "most kills must meet the study at work"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed in /proc")
@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_interrupted_study_resumes(tmp_path: Path, whole: Path, jobs: int) -> None:
    folder = tmp_path / "study"
    child = Child(folder, jobs, interrupt_after=8)
    assert child.ended() == -signal.SIGINT
    assert "KeyboardInterrupt" in child.errors.read_text()
    assert finished(folder) == 8
    Study("built-in", out=folder, **WORDS).run(jobs=1)
    assert_same(folder, whole)
