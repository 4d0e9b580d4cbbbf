"""What ends a command early: Ctrl-C, a reader that leaves, a machine's limits, our faults."""

import csv
import os
import shlex
import signal
from pathlib import Path

import pytest
from cli.conftest import Command, start

from penchant.study import Study, WorkerError

LONG = ("--vary", "activation=relu,sine", "--size", "16", "--seeds", "2", "--tune", "0")


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_study_goes_on(
    penchant: Command, here: Path, photo: Path, jobs: int
) -> None:
    process = start("compare", photo, *LONG, "--steps", 200, "--jobs", jobs, cwd=here)
    assert process.stderr is not None
    assert process.stderr.readline() == "runs: 4 to do\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the whole group
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    last = err.splitlines()[-1]
    said, _, command = last.partition(" To go on: ")
    assert said.startswith("penchant: interrupted; ")
    assert said.endswith(" of 4 runs and pilots are kept.")
    assert "Traceback" not in out + err
    assert sorted(path.name for path in (here / "study-photo").iterdir())[:2] == [
        "study.db",
        "study.toml",
    ]
    assert shlex.split(command) == [
        "penchant",
        "run",
        "study-photo/study.toml",
        "--jobs",
        str(jobs),
    ]
    assert penchant(*shlex.split(command)[1:-1], 1).code == 0
    rows = list(csv.DictReader(Path("study-photo/results.csv").read_text().splitlines()))
    assert [row["status"] for row in rows] == ["done"] * 4


def test_an_interrupted_fit_leaves_nothing(here: Path, photo: Path) -> None:
    process = start(
        *("fit", photo, "-o", "a.safetensors", "--steps", 1_000_000, "--design", "width=8"),
        cwd=here,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("step ")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("penchant: interrupted")
    assert list(here.iterdir()) == []


def test_a_reader_that_leaves_is_no_error(here: Path, photo: Path) -> None:
    process = start("compare", photo, "--size", 16, "--dry-run", cwd=here)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.wait(timeout=60) == 141
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (RuntimeError("nobody thought of this"), 1, "this is our fault"),
        (WorkerError("a worker process died"), 1, "this is our fault"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 2, "out of memory"),
        (MemoryError(), 2, "out of memory"),
        (OSError(28, "No space left on device", "a.db"), 2, "a.db: no space left on device"),
    ],
    ids=["bug", "worker", "torch's memory", "memory", "disk"],
)
def test_what_else_goes_wrong(
    penchant: Command,
    here: Path,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
    line: str,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Study, "run", broken)
    outcome = penchant("compare", photo, *LONG)
    assert outcome.code == code
    assert line in outcome.err.splitlines()[-1]
    assert ("Traceback" in outcome.err) == (code == 1)
