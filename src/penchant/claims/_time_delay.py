"""A time-delay neural network: its formula, the stream that it is, and what sharing is worth."""

import math
import os
from pathlib import Path

import torch
from torch import Tensor, nn

from penchant.claims._claim import Evidence
from penchant.claims._draws import apart, drawn, normal, whole
from penchant.claims._setting import Gather, NotRun, Setting
from penchant.claims._tally import Tally
from penchant.listening import Listener
from penchant.nn import TDNN, Delays, stream
from penchant.randomness import generator
from penchant.tasks import Labelled, load_recording

PURPOSE = "claims time delay"
BANDS, FRAMES, WORDS, TAKES = 6, 24, 3, 30
"""Of the made-up words: a word is a motif of four frames."""


def definition(setting: Setting) -> Evidence:
    """Compare a TDNN with its layers written out, place by place, and with itself later."""
    tally = Tally()
    for case in range(setting.several(smoke=15, quick=150, full=1000)):
        draws = generator(case, PURPOSE)
        tdnn, delays, channels = _random(draws)
        sound = normal((2, channels, whole(1, 30, draws)), draws)
        named = f"{delays}, {sound.shape[-1]} frames"
        with torch.no_grad():
            frames, answer = tdnn.frames(sound), tdnn(sound)
            one_by_one = _by_places(tdnn, sound)
            tally.add("the same layer at every place in time", apart(frames, one_by_one), named)
            tally.add("the answer is the mean over time", apart(answer, one_by_one.mean(-1)), named)
            late = _later(tdnn, delays, sound)
        tally.add("what comes later is answered later", late, named)
    return {"checks": tally.checks()}


def _by_places(tdnn: TDNN, sound: Tensor) -> Tensor:
    """Compute one place after another: bias, plus each weight times what lies its delay back."""
    steps = list(tdnn.layers)
    below = sound
    for layer, phi in zip(steps[1::3], steps[2::3], strict=True):
        assert isinstance(layer, nn.Conv1d) and layer.bias is not None
        (kernel,), (stride,), (dilation,) = layer.kernel_size, layer.stride, layer.dilation
        places = []
        for place in range(0, below.shape[-1], stride):
            total = layer.bias.expand(len(below), -1)
            for tap in range(kernel):
                heard = place - dilation * (kernel - 1 - tap)
                if heard >= 0:
                    total = total + below[:, :, heard] @ layer.weight[:, :, tap].T
            places.append(phi(total))
        below = torch.stack(places, dim=-1)
    assert tdnn.head.bias is not None
    return torch.einsum("oc,bcp->bop", tdnn.head.weight[:, :, 0], below) + tdnn.head.bias[:, None]


def _later(tdnn: TDNN, delays: list[Delays], sound: Tensor) -> float:
    """Put a sound later by one output's worth, and compare where the beginning is out of reach."""
    stride, reach = 1, 0
    for delay in delays:
        reach += delay.reach * stride
        stride *= delay.stride
    ahead = torch.ones(*sound.shape[:2], reach + stride, dtype=torch.float64)
    early = tdnn.frames(torch.cat([ahead, sound], dim=-1))
    more = torch.ones(*sound.shape[:2], stride, dtype=torch.float64)
    late = tdnn.frames(torch.cat([more, ahead, sound], dim=-1))
    first = -(-reach // stride)
    return apart(late[..., first + 1 :], early[..., first:])


def streams(setting: Setting) -> Evidence:
    """Compare a whole pass with a stream: of random networks, and of the one that comes along."""
    tally = Tally()
    for case in range(setting.several(smoke=15, quick=150, full=1000)):
        draws = generator(case, PURPOSE, 1)
        tdnn, delays, channels = _random(draws)
        sound = normal((2, channels, whole(1, 60, draws)), draws)
        streaming = stream(tdnn.eval(), batch=2, channels=channels)
        sizes = _chunks(sound.shape[-1], draws)
        parts = [streaming(chunk) for chunk in torch.split(sound, sizes, dim=-1)]
        answers = torch.cat([*parts, streaming.finish()], dim=-1)
        with torch.no_grad():
            named = f"{delays}, chunks of {sizes} frames"
            tally.add("random TDNNs", apart(answers[..., -1], tdnn(sound)), named)
    for case in range(setting.several(smoke=1, quick=5, full=20)):
        sound = _made_up_sound(case)
        tally.add("trained TDNN, made-up sound, sample by sample", _heard(sound, 1), f"{case}")
    for path in _recordings(setting.several(smoke=0, quick=60, full=300)):
        sound = torch.from_numpy(load_recording(path).samples).double()
        tally.add("trained TDNN, spoken digits, sample by sample", _heard(sound, 1), path.stem)
    return {"checks": tally.checks()}


def _heard(sound: Tensor, chunk: int) -> float:
    """How far the last answer of the stream is from the whole pass's."""
    listener = Listener(torch.float64)
    answers = [listener.hear(part) for part in torch.split(sound, chunk)]
    return apart(torch.cat([*answers, listener.finish()])[-1], listener.whole(sound))


def _made_up_sound(case: int) -> Tensor:
    """A tenth of a second: a gliding tone in noise."""
    draws = generator(case, f"{PURPOSE} sound")
    time = torch.arange(800, dtype=torch.float64) / 8000
    start, glide = (float(u) for u in torch.rand(2, generator=draws))
    tone = torch.sin(2 * math.pi * (200 + 800 * start + 4000 * glide * time) * time)
    return 0.3 * tone + 0.05 * torch.randn(800, generator=draws, dtype=torch.float64)


def _recordings(count: int) -> list[Path]:
    """So many of the spoken digits, where they are there."""
    named = os.environ.get("PENCHANT_DATA")
    found = sorted(Path(named).glob("fsdd/recordings/*_[0-4].wav")) if named and count else []
    return found[:: max(1, len(found) // count)][:count] if found else []


def sharing(held_out: str, **profiles: str) -> Gather:
    """Gather a study of sharing over time; the smoke profile has made-up words.

    Args:
        held_out: ``takes`` or ``speakers``.
        profiles: by the claim's profile, that of studies/time-delay.toml.
    """

    def gather(setting: Setting) -> Evidence:
        if setting.profile == "smoke":
            designs = [
                {"sharing": "shared", "width": 16},
                {"sharing": "unshared", "width": 6},
                {"sharing": "dense", "width": 12},
            ]
            study = setting.own_study(
                f"time-delay-{held_out}",
                made_up_words(),
                designs=designs,
                held_out=held_out,
                also=["accuracy_shifted_held_out"],
                seeds=6,
                steps=20,
                batch=32,
                tune=0,
            )
            return {"studies": [study]}
        if not (Path(os.environ.get("PENCHANT_DATA", "")) / "fsdd").is_dir():
            raise NotRun("It needs recordings: set PENCHANT_DATA to a folder that has fsdd in it.")
        return {"studies": [setting.study("time-delay", profiles[setting.profile])]}

    return gather


def made_up_words() -> Labelled:
    """Make three words that five speakers say, and the same ones said earlier or later."""
    draws = generator(0, f"{PURPOSE} words")
    count = WORDS * TAKES
    labels = torch.arange(count) % WORDS
    spoken = 0.3 * torch.randn(2, count, BANDS, FRAMES, generator=draws)
    middle = (FRAMES - 4) // 2
    places = torch.randint(2, FRAMES - 6, (count,), generator=draws)
    for index, word in enumerate(labels.tolist()):
        for frame in range(4):
            band = (word + frame * (word - 1)) % BANDS
            spoken[0, index, band, middle + frame] += 3
            spoken[1, index, band, int(places[index]) + frame] += 3
    speakers = torch.arange(count) // WORDS % 5
    takes = torch.arange(count) // (5 * WORDS)
    return Labelled(
        "made-up words",
        spoken[0].numpy(),
        labels.numpy(),
        groups={"speakers": speakers.numpy(), "takes": takes.numpy()},
        altered={"shifted": spoken[1].numpy()},
        sound=True,
    )


def _random(draws: torch.Generator) -> tuple[TDNN, list[Delays], int]:
    delays = [
        Delays(whole(1, 4, draws), dilation=whole(1, 3, draws), stride=whole(1, 2, draws))
        for _ in range(whole(1, 3, draws))
    ]
    channels, classes, width = (whole(1, 5, draws) for _ in range(3))
    tdnn = TDNN(channels, classes, width=width, delays=delays)
    return drawn(tdnn, draws), delays, channels


def _chunks(length: int, draws: torch.Generator) -> list[int]:
    """Divide so many frames into chunks of a few, some of them empty."""
    sizes: list[int] = []
    while (left := length - sum(sizes)) > 0:
        sizes.append(min(left, whole(0, 7, draws)))
    return sizes
