"""Log-mel frames against their definition, and as a stream."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks import LogMel, LogMelStream, mel_filters


def noise(samples: int) -> Float[Tensor, " samples"]:
    return torch.randn(samples, generator=generator(0, "sound"), dtype=torch.float64) / 4


def by_definition(mel: LogMel, sound: Float[Tensor, " samples"]) -> np.ndarray:
    """One frame after another, each by a sum over its window."""
    n = np.arange(mel.samples)
    window = np.sin(np.pi * n / mel.samples) ** 2
    filters = mel_filters(mel.rate, mel.samples // 2 + 1, mel.bands).numpy()
    frames = []
    for start in range(0, len(sound) - mel.samples + 1, mel.hop):
        part = sound.numpy()[start : start + mel.samples] * window * 2 / window.sum()
        waves = np.exp(-2j * np.pi * np.outer(np.arange(mel.samples // 2 + 1), n) / mel.samples)
        frames.append(np.log(filters @ np.abs(waves @ part) ** 2 + mel.floor))
    return np.array(frames).T


@pytest.mark.parametrize(("rate", "bands"), [(8000, 32), (8000, 40), (16_000, 20)])
def test_frames_are_their_definition(rate: int, bands: int) -> None:
    mel = LogMel(rate, bands).double()
    mel.filters, mel.window = (
        mel_filters(rate, mel.samples // 2 + 1, bands),
        torch.hann_window(mel.samples, dtype=torch.float64) * 4 / mel.samples,
    )
    sound = noise(rate // 10)
    torch.testing.assert_close(
        mel(sound), torch.from_numpy(by_definition(mel, sound)), rtol=0, atol=1e-10
    )


def test_filters_are_triangles_on_the_mel_scale() -> None:
    filters = mel_filters(8000, 4001, 32)
    torch.testing.assert_close(filters.sum(dim=1), torch.ones(32, dtype=torch.float64))
    peaks = filters.argmax(dim=1).double()  # a bin a hertz
    mels = 2595 * torch.log10(1 + peaks / 700)
    assert float((mels.diff() - mels.diff().mean()).abs().max()) < 2
    assert peaks[0] > 60 and peaks[-1] < 4000
    assert bool(((filters > 0).sum(dim=0) <= 2).all()), "no more than two overlap"


def test_a_full_sine_has_the_power_of_its_band() -> None:
    mel = LogMel().double()
    time = torch.arange(8000, dtype=torch.float64) / 8000
    loud, quiet = (mel(a * torch.sin(2 * math.pi * 1000 * time)) for a in (1.0, 0.1))
    band = loud.mean(dim=1).argmax()
    assert float((loud - quiet)[band].mean()) == pytest.approx(math.log(100), abs=1e-4)
    filters = mel_filters(8000, 101, 32)
    assert band == filters[:, 25].argmax(), "1000 Hz is bin 25 of 40 Hz each"


def test_a_frame_depends_on_its_own_window_alone() -> None:
    mel, sound = LogMel().double(), noise(1000)
    changed = sound.clone()
    changed[440:520] += 1
    moved = (mel(sound) != mel(changed)).any(dim=0).nonzero()[:, 0].tolist()
    expected = [j for j in range(mel.frames(1000)) if j * 80 < 520 and j * 80 + 200 > 440]
    assert moved == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=12))
def test_a_stream_gives_the_same_frames(sizes: list[int]) -> None:
    mel, sound = LogMel().double(), noise(sum(sizes))
    hearing = LogMelStream(mel)
    parts = [hearing(chunk) for chunk in sound.split(sizes)] if sizes else []
    whole = mel(sound)
    assert whole.shape == (32, mel.frames(len(sound)))
    if parts:
        torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=0, atol=1e-12)
    assert hearing._kept.numel() * 8 <= hearing.state_size == 199 * 8


def test_reset_forgets() -> None:
    mel, sound = LogMel(), noise(500).float()
    hearing = LogMelStream(mel)
    first = hearing(sound)
    hearing.reset()
    assert torch.equal(hearing(sound), first)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(PenchantError, match="bands lie between two bins"):
        LogMel(bands=90)
    with pytest.raises(PenchantError, match="a hop of 0"):
        LogMel(hop=1e-6)
