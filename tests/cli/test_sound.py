"""Sounds on the command line: fitted, rendered, compared, and refused."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cli.conftest import Command, draw, start

RATE = 8000
TINY = ("--size", 200, "--steps", 10, "--seeds", 2, "--tune", 0, "--jobs", 1)


def tone(frames: int = 800, channels: int = 1, loud: float = 0.5) -> np.ndarray:
    """Two tones that swell, loudest in the middle."""
    at = np.arange(frames) / RATE
    swell = np.sin(np.pi * np.arange(frames) / frames)
    wave = np.sin(2 * np.pi * 440 * at) + 0.5 * np.sin(2 * np.pi * 1000 * at)
    return np.stack([loud * (0.5**c) * swell * wave / 1.5 for c in range(channels)], axis=1)


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "speech.wav", tone(channels=2), RATE, subtype="PCM_24")
    return tmp_path / "speech.wav"


def test_a_sound_goes_into_a_network_and_back(penchant: Command, here: Path, speech: Path) -> None:
    outcome = penchant("fit", speech, "-o", "speech.safetensors", "--steps", 300)
    assert outcome.code == 0, outcome
    made, hint = outcome.out.splitlines()
    match = re.fullmatch(
        r"speech\.safetensors: ([\d.]+) dB after 300 steps in [\d.]+ s; ([\d,]+) parameters, "
        r"\d+ kB for a sound of 5 kB \(0\.1 s of 2 channels at 8,000 Hz in 24 bits\)",
        made,
    )
    assert match is not None, made
    assert float(match[1]) > 15
    command = hint.removeprefix("try: penchant ").split()
    assert command == ["render", "speech.safetensors", "--scale", "2", "-o", "speech-2x.wav"]
    said = penchant(*command)
    assert said.out == ("speech-2x.wav: 0.1 s, 1,600 frames of 2 channels at 16,000 Hz, PCM_24\n")
    assert penchant("render", "speech.safetensors", "-o", "back.wav").code == 0
    before, after = soundfile.info(speech), soundfile.info("back.wav")
    for fact in ("samplerate", "channels", "subtype", "format", "frames"):
        assert getattr(after, fact) == getattr(before, fact), fact
    truth, back = soundfile.read(speech)[0], soundfile.read("back.wav")[0]
    ratio = 10 * np.log10((truth**2).sum() / ((truth - back) ** 2).sum())
    assert ratio == pytest.approx(float(match[1]), abs=0.02)


def test_a_part_and_a_point(penchant: Command, here: Path, speech: Path) -> None:
    assert penchant("fit", speech, "-o", "a.safetensors", "--steps", 20).code == 0
    assert penchant("render", "a.safetensors", "-o", "whole.flac").code == 0
    part = penchant("render", "a.safetensors", "--region", "0.02,0.05", "-o", "part.flac")
    assert part.out == "part.flac: 0.03 s, 240 frames of 2 channels at 8,000 Hz, PCM_24\n"
    whole, cut = soundfile.read("whole.flac")[0], soundfile.read("part.flac")[0]
    np.testing.assert_allclose(cut, whole[160:400], atol=1e-6)
    said = penchant("render", "a.safetensors", "--at", str(200.5 / RATE)).out
    assert re.fullmatch(r"-?\d\.\d{4}, -?\d\.\d{4}\n", said)
    np.testing.assert_allclose([float(v) for v in said.split(",")], whole[200], atol=1e-4)


@pytest.mark.parametrize("design", ["activation=sine,scale=300,learning_rate=5e-4", "width=8"])
def test_designs_of_ones_own(penchant: Command, here: Path, speech: Path, design: str) -> None:
    outcome = penchant("fit", speech, "-o", "a.safetensors", "--steps", 5, "--design", design)
    assert outcome.code == 0, outcome
    assert penchant("render", "a.safetensors", "-o", "a.ogg").code == 0


def test_a_fit_of_an_excerpt_says_so(penchant: Command, here: Path, speech: Path) -> None:
    outcome = penchant(
        "fit", speech, "-o", "a.safetensors", "--steps", 5, "--size", 100, "--held-out", "every:4"
    )
    first, made = outcome.out.splitlines()[:2]
    assert first.startswith("speech: the loudest 100 of its 800 frames, from 0.0")
    assert re.search(r"[-\d.]+ dB seen and [-\d.]+ dB held out", made)


def test_compare_in_an_empty_folder(penchant: Command, here: Path, speech: Path) -> None:
    outcome = penchant("compare", speech, *TINY)
    assert outcome.code == 0, outcome
    assert "held-out SNR" in outcome.out
    assert sorted(path.name for path in here.iterdir()) == ["study-speech"]
    page = (here / "study-speech" / "report.html").read_text()
    assert page.count("<audio") == page.count("data:audio/wav;base64,") == 7
    assert "media-src data:" in page
    again = penchant("run", "study-speech/study.toml")
    assert again.code == 0 and "0 to do" not in again.err
    network = next((here / "study-speech" / "networks").glob("*.safetensors"))
    assert penchant("render", network, "-o", "a.wav").code == 0
    assert soundfile.info("a.wav").frames == 200


def test_ones_own_designs_replace_the_usual_ones(
    penchant: Command, here: Path, speech: Path
) -> None:
    outcome = penchant(
        *("compare", speech, *TINY, "--dry-run", "--size", 800),
        *("--vary", "activation=relu,sine", "--vary", "encoding=none,nerf,grid"),
        *("--vary", "scale=15"),  # left open, it would follow the sound
    )
    assert outcome.code == 0, outcome
    said = outcome.out + outcome.err
    assert re.search(r"6 designs . 2 seeds", said), said
    assert "starts with up to 2.39 cycles per unit" in said and "half of this sound's" in said


def test_two_sounds_make_one_study(penchant: Command, here: Path, speech: Path) -> None:
    soundfile.write("mono.flac", tone(300), RATE)
    outcome = penchant("compare", speech, "mono.flac", *TINY, "--vary", "activation=relu,sine")
    assert outcome.code == 0, outcome


def test_an_interrupted_fit_leaves_nothing(here: Path, speech: Path) -> None:
    process = start("fit", speech, "-o", "a.safetensors", "--steps", 1_000_000, cwd=here)
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("step "), first
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said and "Traceback" not in said
    assert list(here.iterdir()) == []


def _nan(path: Path) -> None:
    values = tone()
    values[9] = np.nan
    soundfile.write(path, values, RATE, subtype="FLOAT")


def _huge(path: Path) -> None:
    soundfile.write(path, tone(), RATE, format="FLAC")
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    path.write_bytes(content)


def _cut(path: Path) -> None:
    soundfile.write(path, tone(), RATE)
    path.write_bytes(path.read_bytes()[:500])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing.wav": (lambda path: None, "no such file"),
    "bytes.wav": (lambda path: path.write_bytes(b""), "no recording that can be read"),
    "text.mp3": (lambda path: path.write_text("no sound at all"), "no recording"),
    "empty.wav": (lambda path: soundfile.write(path, np.zeros(0), RATE), "no samples"),
    "one.wav": (lambda path: soundfile.write(path, np.ones(1), RATE), "a single sample"),
    "silent.wav": (lambda path: soundfile.write(path, np.zeros(99), RATE), "silent"),
    "nan.wav": (_nan, "not finite"),
    "huge.flac": (_huge, "68,719,476,735 frames"),
    "cut.wav": (_cut, "damaged or cut short"),
    "pipe.wav": (os.mkfifo, "not a regular file"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("command", ["compare", "fit"])
def test_bad_sounds(penchant: Command, here: Path, command: str, name: str) -> None:
    make, word = BROKEN[name]
    make(here / name)
    before = sorted(here.rglob("*"))
    rest = TINY if command == "compare" else ("-o", "out.safetensors")
    outcome = penchant(command, name, *rest)
    assert outcome.code == 2, outcome
    assert outcome.err.startswith("penchant: ") and outcome.err.count("\n") == 1
    assert name in outcome.err and word in outcome.err
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("compare", "SPEECH", "photo.png", *TINY), "photo.png a picture"),
        (("compare", "SPEECH", "digits", *TINY), "labelled data"),
        (("compare", "SPEECH", *TINY, "--augment", "flip"), "speech is a sound"),
        (("compare", "SPEECH", *TINY, "--family", "autoencoder"), "autoencoder"),
        (("compare", "SPEECH", *TINY, "--metric", "psnr_seen"), "psnr_seen"),
        (("fit", "SPEECH", "-o", "a.safetensors", "--size", 1), "size=1"),
        (("fit", "SPEECH", "-o", "a.safetensors", "--target-db", -3), "target_db=-3"),
    ],
)
def test_what_does_not_go_with_a_sound(
    penchant: Command, here: Path, speech: Path, words: tuple[object, ...], said: str
) -> None:
    draw(here / "photo.png")
    outcome = penchant(*(speech if word == "SPEECH" else word for word in words))
    assert outcome.code == 2, outcome
    assert outcome.err.startswith("penchant: ") and outcome.err.count("\n") == 1
    assert said in outcome.err
    assert [path.name for path in here.iterdir()] == ["photo.png"]


def test_a_folder_of_recordings_stays_labelled_data(penchant: Command, here: Path) -> None:
    folder = here / "words"
    folder.mkdir()
    for take in range(12):
        for label in ("no", "yes"):
            soundfile.write(folder / f"{label}_ann_{take}.wav", tone(), RATE)
    outcome = penchant("compare", "words", "--dry-run", "--seeds", 2, "--steps", 5)
    assert outcome.code == 0, outcome
    assert "tdnn" in outcome.out or "shared" in outcome.out
