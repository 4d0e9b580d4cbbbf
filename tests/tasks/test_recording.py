"""Recordings at the door: what is read, what is done to it, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from penchant.errors import PenchantError
from penchant.tasks import _sound_file, load_recording, placed


def tone(rate: int, seconds: float = 0.25, hertz: float = 440) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def test_sixteen_bits_are_read_as_they_are(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(8000), 8000)
    found = load_recording(tmp_path / "a.wav")
    assert (found.name, found.rate, found.notices, found.seconds) == ("a", 8000, (), 0.25)
    np.testing.assert_allclose(found.samples, tone(8000), atol=2**-15)
    assert found.samples.dtype == np.float32


def test_channels_are_averaged(tmp_path: Path) -> None:
    both = np.stack([tone(8000), 0.2 * tone(8000)], axis=1)
    soundfile.write(tmp_path / "a.wav", both, 8000, subtype="FLOAT")
    found = load_recording(tmp_path / "a.wav")
    np.testing.assert_allclose(found.samples, 0.6 * tone(8000), atol=1e-6)
    assert found.notices == ("2 channels averaged",)


@pytest.mark.parametrize("rate", [4000, 11_025, 16_000, 44_100, 48_000])
def test_other_rates_are_resampled(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(rate), rate, subtype="FLOAT")
    found = load_recording(tmp_path / "a.wav")
    assert found.notices == (f"resampled from {rate} to 8000 Hz",)
    inside = slice(200, -200)  # the filter sees silence beyond the ends
    wanted = tone(8000)[: len(found.samples)]
    assert abs(found.samples[: len(wanted)] - wanted)[inside].max() < 0.01


def test_what_is_above_the_new_rate_is_filtered_away(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(48_000, hertz=6000), 48_000, subtype="FLOAT")
    assert abs(load_recording(tmp_path / "a.wav").samples[200:-200]).max() < 0.01


def _not_finite(path: Path) -> None:
    values = tone(8000)
    values[5:8] = np.nan, np.inf, -np.inf
    soundfile.write(path, values, 8000, subtype="FLOAT")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such file"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "empty file": (lambda path: path.write_bytes(b""), "no recording that can be read"),
    "text": (lambda path: path.write_text("seven " * 100), "Format not recognised"),
    "header alone": (lambda path: soundfile.write(path, tone(8000, 0), 8000), "no samples"),
    "not finite": (_not_finite, "3 of 2000 samples are not finite"),
    "slow": (lambda path: soundfile.write(path, tone(8000), 1000), "1000 samples a second"),
    "fast": (lambda path: soundfile.write(path, tone(8000), 400_000), "from 4000 to 192000"),
    "channels": (
        lambda path: soundfile.write(path, np.zeros((9, 65)), 8000),
        "65 channels; at most 64",
    ),
    "long": (lambda path: soundfile.write(path, tone(8000, 3), 8000), "3 s long; at most 2 s fit"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_does_not_fit_is_one_line(tmp_path: Path, kind: str) -> None:
    make, words = BROKEN[kind]
    path = tmp_path / "a.wav"
    make(path)
    with pytest.raises(PenchantError, match=words) as caught:
        load_recording(path, longest=2)
    assert "a.wav" in str(caught.value) and "\n" not in str(caught.value)
    assert "BufferedReader" not in str(caught.value)


def test_a_header_that_promises_more_does_not_ask_for_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(8000), 8000)
    content = bytearray(path.read_bytes())
    content[40:44] = (2**31 - 2).to_bytes(4, "little")  # the data chunk's length
    path.write_bytes(content)
    try:
        assert load_recording(path).seconds <= 0.26
    except PenchantError as error:
        assert "a.wav" in str(error)


def test_a_large_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sound_file, "MAX_BYTES", 100)
    soundfile.write(tmp_path / "a.wav", tone(8000), 8000)
    with pytest.raises(PenchantError, match="MiB"):
        load_recording(tmp_path / "a.wav")


@pytest.mark.parametrize("later", [-9, -3, 0, 2, 9])
@pytest.mark.parametrize("length", [4, 5, 8])
def test_placing_moves_and_cuts(length: int, later: int) -> None:
    sound = np.arange(1, 6, dtype=np.float32)
    found = placed(sound, length, later)
    start = (length - 5) // 2 + later
    expected = [sound[i - start] if 0 <= i - start < 5 else 0 for i in range(length)]
    assert found.tolist() == expected
