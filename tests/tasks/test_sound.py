"""Sounds at the door: read as they are, cut where asked, refused in one line."""

import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from penchant.errors import PenchantError
from penchant.tasks import Sound, is_sound_file, kind_of, load_sound, loudest
from penchant.tasks import _sound as sound_module


def tone(rate: int = 8000, seconds: float = 0.05, hertz: float = 440, channels: int = 1):
    time = np.arange(round(rate * seconds)) / rate
    return 0.5 * np.stack([np.sin(2 * np.pi * hertz * (c + 1) * time) for c in range(channels)], 1)


@pytest.mark.parametrize("rate", [100, 11_025, 500_000])
@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
def test_nothing_is_done_to_a_sound(tmp_path: Path, rate: int, channels: int, subtype: str) -> None:
    wanted = tone(rate, 200 / rate, rate / 20, channels)
    soundfile.write(tmp_path / "a.wav", wanted, rate, subtype=subtype)
    found = load_sound(tmp_path / "a.wav")
    assert (found.name, found.rate, found.subtype, found.notices) == ("a", rate, subtype, ())
    assert found.samples.shape == (200, channels) and found.samples.dtype == np.float32
    np.testing.assert_allclose(found.samples, wanted, atol=2**-7 if "U8" in subtype else 2**-15)
    assert not found.samples.flags.writeable
    assert found.seconds == 200 / rate


@pytest.mark.parametrize("ending", ["flac", "ogg", "aiff", "au", "caf", "w64", "mp3"])
def test_any_format_of_libsndfile(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, tone(8000, 0.5), 8000)
    found = load_sound(path)
    assert found.rate == 8000 and abs(found.seconds - 0.5) < 0.2
    assert is_sound_file(path) and kind_of(path).name == "sound"


def test_peaks_beyond_full_scale_are_kept_and_said(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", 5 * tone(), 8000, subtype="FLOAT")
    found = load_sound(tmp_path / "a.wav")
    assert found.peak == pytest.approx(2.5, rel=0.01)
    assert found.notices[0].startswith("its peak is 2.5, beyond full scale")


@pytest.mark.parametrize("size", [2, 7, 100, 399])
def test_an_excerpt_is_the_loudest_of_its_length(tmp_path: Path, size: int) -> None:
    values = np.random.default_rng(1).normal(size=(400, 2)) / 10
    soundfile.write(tmp_path / "a.wav", values, 8000, subtype="FLOAT")
    found = load_sound(tmp_path / "a.wav", size)
    exact = values.astype(np.float32)
    powers = [float((exact[s : s + size].astype(float) ** 2).sum()) for s in range(401 - size)]
    start = int(np.argmax(powers))
    np.testing.assert_array_equal(found.samples, exact[start : start + size])
    assert loudest(exact, size) == start
    assert f"the loudest {size} of its 400 frames" in found.notices[0]
    assert load_sound(tmp_path / "a.wav", 400).notices == ()


def _header_says(size: int) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        soundfile.write(path, tone(), 8000)
        content = bytearray(path.read_bytes())
        content[40:44] = struct.pack("<I", size)
        path.write_bytes(content)

    return make


def _flac_says(path: Path) -> None:
    """Claim 2³⁶ - 1 frames in a small file."""
    soundfile.write(path, tone(), 8000, format="FLAC")
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    path.write_bytes(content)


def _cut(path: Path) -> None:
    soundfile.write(path, tone(8000, 0.5), 8000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _with(values: object, subtype: str = "FLOAT") -> Callable[[Path], object]:
    return lambda path: soundfile.write(path, np.asarray(values, float), 8000, subtype=subtype)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing.wav": (lambda path: None, "no such file"),
    "folder.x": (lambda path: path.mkdir(), "is a folder"),
    "bytes.wav": (lambda path: path.write_bytes(b""), "no recording that can be read"),
    "text.wav": (lambda path: path.write_text("seven " * 99), "Format not recognised"),
    "empty.wav": (_with([]), "no samples"),
    "one.wav": (_with([0.5]), "a single sample"),
    "silent.wav": (_with(np.zeros((50, 2)), "PCM_16"), r"silent \(all 100 samples are 0\)"),
    "nan.wav": (_with([0.1, np.nan, 0.2]), "1 of 3 samples are not finite"),
    "inf.wav": (_with([0.1, np.inf, np.nan]), "2 of 3 samples are not finite"),
    "4GB.wav": (_header_says(2**32 - 1), "its header says 4,294,967,295 bytes where there are 800"),
    "longer.wav": (_header_says(2000), "its header says 2,000 bytes where there are 800"),
    "64G.flac": (_flac_says, "its header says 68,719,476,735 frames of 1 channels; at most"),
    "cut.wav": (_cut, "damaged or cut short"),
    "cut.flac": (_cut, "no recording that can be read"),
    "cut.aiff": (_cut, "damaged or cut short"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    make, reason = BROKEN[name]
    make(tmp_path / name)
    with pytest.raises(PenchantError, match=reason) as error:
        load_sound(tmp_path / name)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_ends_early_and_does_not_know_it(tmp_path: Path) -> None:
    _cut(tmp_path / "a.mp3")
    found = load_sound(tmp_path / "a.mp3")
    assert len(found.samples) < 4000
    assert found.notices == (
        f"its header says 4,000 frames, and {len(found.samples):,} could be read",
    )


def test_what_is_too_long_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), 8000)
    monkeypatch.setattr(sound_module, "MAX_FRAMES", 399)
    with pytest.raises(PenchantError, match="400 frames; at most 399 frames fit"):
        load_sound(tmp_path / "a.wav")
    assert len(load_sound(tmp_path / "a.wav", 300).samples) == 300
    monkeypatch.setattr(sound_module, "MAX_SAMPLES", 399)
    with pytest.raises(PenchantError, match="400 frames of 1 channels; at most 399 numbers"):
        load_sound(tmp_path / "a.wav", 300)


def test_an_excerpt_has_two_frames(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), 8000)
    with pytest.raises(PenchantError, match="size=1"):
        load_sound(tmp_path / "a.wav", 1)


@pytest.mark.parametrize(
    ("samples", "rate", "reason"),
    [
        (np.zeros((9, 1)), 8000, "silent"),
        (np.ones((1, 1)), 8000, r"shape \(1, 1\)"),
        (np.full((9, 1), np.nan), 8000, "finite"),
        (np.ones((9, 1)), 0, "0 samples a second"),
        (np.ones((2, 1025)), 8000, "channels"),
    ],
)
def test_what_is_no_sound(samples: np.ndarray, rate: int, reason: str) -> None:
    with pytest.raises(PenchantError, match=reason):
        Sound("a", samples.astype(np.float32), rate)


def test_a_sound_pickles_read_only() -> None:
    sound = Sound("a", tone().astype(np.float32), 8000, "FLOAT", "AIFF", ("said",))
    copy = pickle.loads(pickle.dumps(sound))
    assert not copy.samples.flags.writeable
    facts = (copy.name, copy.rate, copy.subtype, copy.format, copy.notices)
    assert facts == ("a", 8000, "FLOAT", "AIFF", ("said",))
    np.testing.assert_array_equal(copy.samples, sound.samples)


def test_a_folder_of_recordings_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "take.wav").mkdir()
    assert not is_sound_file(tmp_path / "take.wav")
    assert not is_sound_file(tmp_path) and not is_sound_file(tmp_path / "a.png")
