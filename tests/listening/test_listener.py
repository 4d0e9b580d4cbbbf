"""The listener that comes along: as a stream and whole, its size, and how well it hears."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from penchant.listening import Listener
from penchant.nn import TDNN, stream
from penchant.randomness import generator
from penchant.tasks import LogMel, load_recording


def noise(samples: int) -> Float[Tensor, " samples"]:
    return 0.05 * torch.randn(samples, generator=generator(0, "sound"))


@pytest.fixture
def recordings(penchant_data: Path) -> list[Path]:
    """The own test part: takes 0 to 4."""
    found = sorted((penchant_data / "fsdd" / "recordings").glob("*_[0-4].wav"))
    if not found:
        pytest.skip("no real data: PENCHANT_DATA holds no fsdd/recordings")
    return found


@pytest.mark.parametrize("chunk", [1, 79, 80, 333, 4000])
def test_a_stream_answers_as_the_whole(chunk: int) -> None:
    listener, sound = Listener(torch.float64), noise(3001)
    parts = [listener.hear(sound[i : i + chunk]) for i in range(0, len(sound), chunk)]
    parts.append(listener.finish())
    torch.testing.assert_close(
        torch.cat(parts)[-1], listener.whole(sound), rtol=0, atol=1e-12
    )  # fmt: skip
    mel = listener.mel
    places = (mel.frames(3001 + 1200) - 1) // 4 + 1
    assert sum(map(len, parts)) == places


def test_logits_of_a_real_recording_stream_to_1e_12(recordings: list[Path]) -> None:
    listener = Listener(torch.float64)
    for path in recordings[::60]:
        sound = torch.from_numpy(load_recording(path).samples).double()
        frames = (listener.mel(sound)[None] - listener.numbers["mean"]) / 3
        streaming = stream(listener.network)
        parts = [streaming(one) for one in frames.split(3, dim=-1)]
        last = torch.cat([*parts, streaming.finish()], dim=-1)[..., -1]
        with torch.no_grad():
            whole = listener.network(frames)
        torch.testing.assert_close(last, whole, rtol=0, atol=1e-12)


def test_finishing_begins_anew() -> None:
    listener, sound = Listener(), noise(2000)
    first = listener.hear(sound)
    listener.finish()
    assert torch.equal(listener.hear(sound), first)


def test_state_does_not_grow() -> None:
    listener = Listener()
    sizes = set()
    for _ in range(5):
        listener.hear(noise(8000))
        sizes.add(listener.state_size)
    assert len(sizes) == 1 and sizes.pop() < 10_000
    assert listener.delay == 0.025 and listener.seconds_between == 0.04


def test_a_posterior_is_one() -> None:
    posterior = Listener().hear(noise(8000))
    torch.testing.assert_close(posterior.sum(dim=1), torch.ones(len(posterior)))
    assert bool((posterior >= 0).all()) and posterior.shape[1] == len(Listener.classes)


def test_the_weights_are_below_500_kilobytes() -> None:
    content = (files("penchant.listening") / "digits.safetensors").read_bytes()
    assert len(content) < 500_000
    assert isinstance(Listener().network, TDNN) and Listener().mel.bands == LogMel().bands


def test_it_hears_the_test_part(recordings: list[Path]) -> None:
    listener = Listener()
    sounds = [torch.from_numpy(load_recording(path).samples) for path in recordings]
    answers = np.array([int(listener.whole(sound).argmax()) for sound in sounds])
    right = answers == [int(path.name[0]) for path in recordings]
    assert len(right) == 300 and right.mean() >= 0.97
