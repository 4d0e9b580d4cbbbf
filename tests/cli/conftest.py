import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from penchant.cli import main

TINY = ("--size", "16", "--steps", "10", "--seeds", "2", "--tune", "0", "--jobs", "1")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def penchant(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line, in this process."""

    def command(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["penchant", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            main()
        said = capsys.readouterr()
        code = exit.value.code
        assert isinstance(code, int)
        return Outcome(code, said.out, said.err)

    return command


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the test works."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return draw(tmp_path / "photo.png")


def draw(path: Path, seed: int = 0) -> Path:
    y, x = np.mgrid[:16, :20]
    waves = [128 + 90 * np.sin(x * 0.3 + y * 0.2 * (i + 1) + seed) for i in range(3)]
    Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8)).save(path)
    return path


def start(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """The command line in a process of its own, as a user has it."""
    # A child of a background job inherits that interrupts are ignored; a terminal's does not.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; import penchant.cli; penchant.cli.main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]
