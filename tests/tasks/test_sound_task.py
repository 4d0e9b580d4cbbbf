"""A sound as a task: times and values, scores, and the way back into a file."""

import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from pydantic import ValidationError
from torch import nn

from penchant.errors import PenchantError
from penchant.tasks import (
    Asked,
    Decoding,
    Sound,
    SoundHeader,
    SoundTask,
    band_errors,
    fit_grid,
    load_task,
    read_header,
    snr,
)

RATE = 8000
VALUES = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
SOUND = Sound("noise", VALUES, RATE, "FLOAT")
PATTERNS = ["none", "random:0.5", "checkerboard", "every:3"]


class Memory(nn.Module):
    """Answers each time with the nearest frame's values, as a network of the task's targets."""

    def __init__(self, task: SoundTask) -> None:
        super().__init__()
        self.values = torch.from_numpy(task.values.copy())

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        frames = len(self.values)
        place = (inputs[:, 0].double() + 1) / 2 * frames - 0.5
        return self.values[place.round().long().clamp(0, frames - 1)]


def test_times_are_frames_centres_and_values_are_divided_by_the_peak() -> None:
    task = SoundTask(SOUND)
    expected = [(i + 0.5) / 300 * 2 - 1 for i in range(300)]
    assert task.points[:, 0].tolist() == pytest.approx(expected, abs=1e-7)
    np.testing.assert_allclose(task.values, VALUES / np.abs(VALUES).max(), rtol=1e-6)
    assert np.abs(task.values).max() == 1 and task.lowest == -1
    assert (task.inputs, task.outputs, task.nyquist, task.noun) == (1, 2, 75, "sound")


@pytest.mark.parametrize("scale", [1e-40, 1e-3, 30.0])
def test_loudness_changes_no_target(scale: float) -> None:
    quiet = Sound("quiet", (VALUES.astype(float) * scale).astype(np.float32), RATE)
    # Below 1e-38 single precision has fewer digits.
    rough = 1e-4 if scale < 1e-38 else 1e-6
    np.testing.assert_allclose(SoundTask(quiet).values, SoundTask(SOUND).values, atol=rough)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_scores_are_those_of_the_reconstruction(pattern: str, noise: float) -> None:
    task = SoundTask(SOUND, pattern, noise)
    split = task.split(1)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 2))
    drawn = split.reconstruct(network)
    with torch.no_grad():
        np.testing.assert_allclose(drawn, network(task.points).clamp(-1, 1).numpy(), atol=1e-6)
    held_out = task.held_out.mask((300,), 1)
    parts = {"seen": ~held_out} | ({} if pattern == "none" else {"held_out": held_out})
    score = split.score(network)
    assert set(score.metrics) == {m.name for m in task.metrics} == {f"snr_{p}" for p in parts}
    for part, chosen in parts.items():
        truth = task.values[chosen].astype(float)
        ratio = (truth**2).sum() / ((truth - drawn[chosen]) ** 2).sum()
        assert score.metrics[f"snr_{part}"] == pytest.approx(10 * math.log10(ratio), abs=1e-5)
    assert score.bands == band_errors(drawn, task.values)
    assert {m.margin for m in task.metrics} == {0.5}
    assert split.targets.abs().max() <= 1 and split.targets.min() < -0.2


def test_silence_scores_0_dB_and_the_truth_120() -> None:
    split = SoundTask(SOUND, "checkerboard").split(0)
    assert split.score(Memory(SoundTask(SOUND))).metrics["snr_held_out"] > 100
    silent = nn.Linear(1, 2)
    nn.init.zeros_(silent.weight), nn.init.zeros_(silent.bias)
    assert split.score(silent).metrics["snr_seen"] == pytest.approx(0, abs=1e-6)
    assert abs(split.constant_score().metrics["snr_held_out"]) < 0.2


def test_the_estimate_is_the_score_of_all_samples() -> None:
    task = SoundTask(SOUND)
    split = task.split(0)
    network = nn.Linear(1, 2)
    with torch.no_grad():
        error = 0.5 * (network(task.points) - split.targets).square().sum(1).mean()
    score = split.score(network).metrics["snr_seen"]
    assert split.estimate(float(error)) == pytest.approx(score, abs=1e-4)


def test_the_plain_grid_knows_where_values_end() -> None:
    split = SoundTask(SOUND, "checkerboard").split(0)
    task = SoundTask(SOUND)
    drawn = fit_grid(task.values, split.seen, 200, lowest=-1)
    expected = snr(drawn.reshape(-1, 2)[split.seen], task.values[split.seen])
    assert split.fitted_score(fit_grid, 200).metrics["snr_seen"] == pytest.approx(expected)
    assert drawn.min() < -0.1


def test_half_of_the_power() -> None:
    time = np.arange(1024) / 1024
    wave = np.sin(2 * np.pi * 40 * time) + 0.3 * np.sin(2 * np.pi * 200 * time)
    task = SoundTask(Sound("wave", wave[:, None].astype(np.float32), RATE))
    assert task.half_frequency == 20  # 40 waves in 2 units


def test_a_task_pickles_and_its_fingerprint_stays() -> None:
    task = SoundTask(SOUND, "random:0.5", 0.1)
    copy = pickle.loads(pickle.dumps(task))
    assert copy.fingerprint == task.fingerprint and copy.metrics == task.metrics
    assert task.fingerprint != SoundTask(SOUND, "random:0.5").fingerprint
    renamed = Sound("other", VALUES, 44_100, "PCM_16")
    assert SoundTask(renamed, "random:0.5", 0.1).fingerprint == task.fingerprint


# Back into a file

FORMS = [
    ("wav", "PCM_U8"),
    ("wav", "PCM_16"),
    ("wav", "PCM_24"),
    ("wav", "PCM_32"),
    ("wav", "FLOAT"),
    ("wav", "DOUBLE"),
    ("wav", "ULAW"),
    ("flac", "PCM_16"),
    ("flac", "PCM_24"),
    ("aiff", "PCM_S8"),
    ("caf", "ALAC_16"),
    ("ogg", "VORBIS"),
]


@pytest.mark.parametrize(("ending", "subtype"), FORMS)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_round_trip_keeps_rate_channels_and_subtype(
    tmp_path: Path, ending: str, subtype: str, channels: int
) -> None:
    path, out = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    time = np.arange(4000)[:, None] / 44_100
    wave = 0.7 * np.sin(2 * np.pi * 300 * (1 + np.arange(channels)) * time)
    soundfile.write(path, wave, 44_100, subtype=subtype)
    task = load_task(path, Asked())
    assert isinstance(task, SoundTask)
    header = read_header(task.header.model_dump())
    assert header == task.header
    decoded = header.decode(Memory(task), Decoding())
    np.testing.assert_allclose(decoded, task.sound.samples, atol=1e-6)
    header.check_file(out)
    said = header.write(decoded, out, Decoding())
    before, after = soundfile.info(path), soundfile.info(out)
    for fact in ("samplerate", "channels", "subtype", "format", "frames"):
        assert getattr(after, fact) == getattr(before, fact), fact
    assert "44,100 Hz" in said and subtype in said
    if subtype not in ("VORBIS", "ULAW"):
        read = soundfile.read(out, always_2d=True)[0]
        expected = soundfile.read(path, always_2d=True)[0]
        np.testing.assert_allclose(read, expected, atol=2**-7 if "8" in subtype else 2**-15)


def test_what_a_format_lacks_is_replaced_by_its_finest(tmp_path: Path) -> None:
    header = SoundHeader(
        name="a", outputs=1, frames=50, rate=8000, peak=2.0, format="WAV", subtype="FLOAT"
    )
    samples = np.linspace(-2, 2, 50, dtype=np.float32)[:, None]
    said = header.write(samples, tmp_path / "a.flac", Decoding())
    assert soundfile.info(tmp_path / "a.flac").subtype == "PCM_24"
    assert said.endswith("PCM_24, divided by its peak of 2, since PCM_24 ends at 1")
    read = soundfile.read(tmp_path / "a.flac", always_2d=True)[0]
    np.testing.assert_allclose(read, samples / 2, atol=1e-6)
    header.write(samples, tmp_path / "a.wav", Decoding())
    np.testing.assert_array_equal(soundfile.read(tmp_path / "a.wav", always_2d=True)[0], samples)


def test_twice_as_many_frames_at_twice_the_rate(tmp_path: Path) -> None:
    task = SoundTask(SOUND)
    wanted = Decoding(scale=2.0, region=(0.01, 0.02))
    decoded = task.header.decode(Memory(task), wanted)
    np.testing.assert_allclose(decoded, np.repeat(VALUES[80:160], 2, axis=0), atol=1e-6)
    task.header.write(decoded, tmp_path / "a.wav", wanted)
    info = soundfile.info(tmp_path / "a.wav")
    assert (info.samplerate, info.frames) == (2 * RATE, 160)


def test_a_point_is_given_in_seconds() -> None:
    task = SoundTask(SOUND)
    np.testing.assert_allclose(task.header.at(Memory(task), [100.5 / RATE]), VALUES[100], atol=1e-6)


@pytest.mark.parametrize("time", [-0.001, 0.0376, math.nan])
def test_a_point_outside(time: float) -> None:
    task = SoundTask(SOUND)
    with pytest.raises(PenchantError, match=r"the sound lasts from 0 to 0.0375 s"):
        task.header.at(Memory(task), [time])


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Decoding(region=(0.02, 0.01)), "region=0.02,0.01: start and end"),
        (Decoding(region=(0.0, 1.0)), "0.0375 s"),
        (Decoding(region=(math.nan, 1.0)), "region=nan,1"),
        (Decoding(region=(0.0, 1.0, 2.0)), "2 numbers are needed"),
        (Decoding(scale=0.0), "scale=0"),
        (Decoding(scale=1e-9), "samples a second; a file of sounds has at least 1"),
        (Decoding(scale=1e9), "more than 100 million"),
        (Decoding(view=1), "view=1: noise is a sound"),
    ],
)
def test_what_cannot_be_decoded(wanted: Decoding, reason: str) -> None:
    task = SoundTask(SOUND)
    with pytest.raises(PenchantError, match=reason):
        task.header.decode(Memory(task), wanted)


@pytest.mark.parametrize(
    ("name", "rate", "reason"),
    [
        ("a.png", 8000, "no sound format is called '.png'"),
        ("a", 8000, "without an ending"),
        ("a.mp3", 12_345, "MP3 cannot hold this sound"),
        ("a.flac", 700_000, "FLAC cannot hold this sound"),
        ("a.ogg", 700_000, "OGG cannot hold this sound"),
    ],
)
def test_files_that_cannot_be_written(tmp_path: Path, name: str, rate: int, reason: str) -> None:
    header = SoundHeader(name="a", outputs=1, frames=50, rate=rate, peak=1.0)
    with pytest.raises(PenchantError, match=reason) as error:
        header.write(np.zeros((50, 1), np.float32), tmp_path / name, Decoding())
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0},
        {"rate": 10**12},
        {"frames": 1},
        {"frames": 10**11},
        {"outputs": 0},
        {"peak": 0.0},
        {"peak": math.inf},
        {"peak": math.nan},
        {"subtype": "../x"},
        {"format": "W" * 99},
        {"more": 1},
    ],
)
def test_a_header_from_outside_has_bounds(wrong: dict[str, object]) -> None:
    facts: dict[str, object] = {"name": "a", "outputs": 1, "frames": 9, "rate": 1, "peak": 1.0}
    SoundHeader(**facts)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        SoundHeader(**(facts | wrong))  # type: ignore[arg-type]
    with pytest.raises(PenchantError):
        read_header({"kind": "sound", **facts, **wrong})


def test_a_subtype_that_nobody_knows_is_replaced(tmp_path: Path) -> None:
    header = SoundHeader(name="a", outputs=1, frames=9, rate=8000, peak=1.0, subtype="PCM_99")
    header.write(np.ones((9, 1), np.float32), tmp_path / "a.wav", Decoding())
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
