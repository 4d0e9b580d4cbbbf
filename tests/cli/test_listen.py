"""`penchant listen`: what it prints, and one line for what it cannot hear."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cli.conftest import Command


def vowel(rate: int = 8000, seconds: float = 0.5) -> np.ndarray:
    """A pitch of 120 Hz whose formants move: nobody's digit, and the same everywhere."""
    time = np.arange(round(rate * seconds)) / rate
    sound = np.zeros(len(time))
    for harmonic in range(1, 29):
        hertz = 120 * harmonic
        first = np.exp(-(((hertz - 300 - 500 * time / seconds) / 200) ** 2))
        second = np.exp(-(((hertz - 2200 + 900 * time / seconds) / 300) ** 2))
        sound += (first + 0.4 * second) * np.sin(2 * np.pi * hertz * time)
    return 0.2 * sound


def test_what_it_prints(
    penchant: Command, tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    soundfile.write(tmp_path / "vowel.wav", vowel(), 8000)
    outcome = penchant("listen", tmp_path / "vowel.wav")
    assert (outcome.code, outcome.err) == (0, "")
    golden("listen.txt", outcome.out)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_other_rates_are_resampled_and_heard_alike(
    penchant: Command, tmp_path: Path, rate: int
) -> None:
    soundfile.write(tmp_path / "a.wav", vowel(), 8000)
    soundfile.write(tmp_path / "b.wav", vowel(rate), rate)
    first, second = (penchant("listen", tmp_path / name).out for name in ("a.wav", "b.wav"))
    assert f"resampled from {rate} to 8000 Hz" in second
    assert first.splitlines()[-2].split()[0] == second.splitlines()[-2].split()[0]


def test_a_digit_is_heard(penchant: Command, penchant_data: Path) -> None:
    path = penchant_data / "fsdd" / "recordings" / "7_jackson_0.wav"
    if not path.exists():
        pytest.skip("no real data: PENCHANT_DATA holds no fsdd/recordings")
    outcome = penchant("listen", path)
    assert outcome.code == 0 and "\n7 (seven), probability" in outcome.out


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such file"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "text": (lambda path: path.write_text("seven"), "no recording that can be read"),
    "silence": (lambda path: soundfile.write(path, np.zeros(4000), 8000), "silence, with a peak"),
    "short": (lambda path: soundfile.write(path, vowel()[:700], 8000), "at least 0.1 s"),
    "long": (
        lambda path: soundfile.write(path, np.tile(vowel(), 21), 8000),
        "10.5 s long; at most 10 s",
    ),
    "slow": (lambda path: soundfile.write(path, vowel(), 2000), "2000 samples a second"),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_cannot_be_heard_is_one_line(penchant: Command, tmp_path: Path, kind: str) -> None:
    make, words = CASES[kind]
    make(tmp_path / "a.wav")
    outcome = penchant("listen", tmp_path / "a.wav")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("penchant: ") and outcome.err.count("\n") == 1
    assert words in outcome.err and "a.wav" in outcome.err
