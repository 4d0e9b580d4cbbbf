"""Train the network that `penchant listen` runs, and say how good it is.

    PENCHANT_DATA=... python studies/train_listener.py src/penchant/listening/digits.safetensors

From the Free Spoken Digit Dataset (CC BY-SA 4.0): takes 10 to 49 to learn from, 5 to 9 to choose
the recipe with, 0 to 4 (the data's own test part) asked once at the end. First the recipe is
measured on speakers that it has not heard, each of the six left out in turn; their answers also
give the temperature, so that probabilities are meant for a voice that is new. One thread and keyed
draws: the same file, to the bit, on one machine and version of torch.

What a batch hears is drawn anew at each step: other speeds (and so pitches), levels, noises,
microphones and beginnings, since speakers differ in these and there are six of them.
"""

import argparse
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from penchant.listening import SILENCE, write_listener
from penchant.nn import TDNN, count_parameters
from penchant.randomness import generator
from penchant.tasks import LogMel, calibration_error, load_recording
from penchant.training import Recipe, Temperature, calibrate

RATE = 8000
WIDTH = 64
STEPS = 2500
BATCH = 64
LEARNING_RATE = 3e-3
LONGEST = 9600
"""Samples of a recording that are learnt from; few are longer."""

FREQUENCIES = 4
"""Cosines over the bands that another microphone is made of."""


@dataclass(frozen=True)
class Corpus:
    """All recordings, silence behind each."""

    samples: Float[Tensor, "recordings time"]
    lengths: Int[Tensor, " recordings"]
    labels: Int[Tensor, " recordings"]
    takes: Int[np.ndarray, " recordings"]
    speakers: np.ndarray

    @classmethod
    def read(cls, folder: Path) -> "Corpus":
        paths = sorted(folder.glob("*.wav"))
        sounds = [load_recording(path).samples for path in paths]
        names = [path.stem.split("_") for path in paths]
        samples = torch.zeros(len(paths), max(map(len, sounds)) + 2)
        for row, sound in zip(samples, sounds, strict=True):
            row[: len(sound)] = torch.from_numpy(sound)
        return cls(
            samples,
            torch.tensor([len(sound) for sound in sounds]),
            torch.tensor([int(label) for label, _, _ in names]),
            np.array([int(take) for _, _, take in names]),
            np.array([speaker for _, speaker, _ in names]),
        )

    def sound(self, index: int) -> Float[Tensor, " time"]:
        return self.samples[index, : self.lengths[index]]


def uniform(low: float, high: float, shape: Sequence[int], draws: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(tuple(shape), generator=draws)


def heard(
    corpus: Corpus, chosen: Int[Tensor, " batch"], mel: LogMel, draws: torch.Generator
) -> tuple[Float[Tensor, "batch bands frames"], Int[Tensor, " batch"]]:
    """Return a batch's frames, each recording altered by draws, and how many of them count."""
    many = (len(chosen),)
    speed = uniform(0.85, 1.15, many, draws)[:, None]
    gain = 10 ** (uniform(-12, 12, many, draws) / 20)[:, None]
    noise = 10 ** (uniform(-90, -40, many, draws) / 20)[:, None]
    lead = (uniform(0, 0.15, many, draws) * RATE).long()[:, None]
    tail = (uniform(0, 0.25, many, draws) * RATE).long()
    lengths = corpus.lengths[chosen].clamp(max=LONGEST)
    ends = lead[:, 0] + (lengths / speed[:, 0]).long() + tail
    # Between samples by a straight line; where there is none, the silence behind the recording.
    place = (torch.arange(int(ends.max()))[None] - lead) * speed
    outside = (place < 0) | (place > lengths[:, None] - 1)
    before = place.clamp(0, LONGEST).long()
    weight = (place - before).clamp(0, 1)
    rows = corpus.samples[chosen]
    sound = rows.gather(1, before) * (1 - weight) + rows.gather(1, before + 1) * weight
    sound = sound.masked_fill(outside, 0) * gain
    sound = sound + noise * torch.randn(sound.shape, generator=draws)
    frames = mel(sound.clamp(-1, 1))
    bends = uniform(-0.5, 0.5, (*many, FREQUENCIES), draws)
    angle = torch.linspace(0, math.pi, mel.bands)
    cosines = torch.stack([torch.cos(k * angle) for k in range(1, FREQUENCIES + 1)])
    power = (frames.exp() - mel.floor).clamp(min=0) * (bends @ cosines).exp()[:, :, None]
    return (power + mel.floor).log(), (ends - mel.samples) // mel.hop + 1


def learn(
    corpus: Corpus, seen: Int[np.ndarray, " seen"], norm: nn.Module, mel: LogMel, seed: int = 0
) -> TDNN:
    """Train a network on some of the recordings; Adam, the rate falling linearly to zero."""
    recipe = Recipe(STEPS, "adam", LEARNING_RATE, BATCH)
    network = TDNN(mel.bands, 10, width=WIDTH, seed=seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    batches = len(seen) // recipe.batch
    for step in range(recipe.steps):
        epoch, place = divmod(step, batches)
        if place == 0:
            draws = generator(seed, "batch", epoch)
            order = torch.from_numpy(seen)[torch.randperm(len(seen), generator=draws)]
        chosen = order[place * recipe.batch : (place + 1) * recipe.batch]
        frames, counted = heard(corpus, chosen, mel, generator(seed, "heard", step))
        logits = network.frames(norm(frames))
        stride = -(-frames.shape[-1] // logits.shape[-1])
        places = (counted - 1) // stride + 1
        counts = torch.arange(logits.shape[-1])[None] < places[:, None]
        mean = (logits * counts[:, None]).sum(-1) / places[:, None]
        loss = nn.functional.cross_entropy(mean, corpus.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            warm = min(1, (step + 1) / 100)
            group["lr"] = recipe.learning_rate * warm * (1 - step / recipe.steps)
        optimizer.step()
    return network


def answers(
    corpus: Corpus,
    asked: Int[np.ndarray, " asked"],
    network: nn.Module,
    norm: nn.Module,
    mel: LogMel,
    later: float = 0.0,
) -> Float[Tensor, "asked classes"]:
    """Return each recording's logits, heard alone with the silence that `listen` puts behind it."""
    logits = []
    with torch.no_grad():
        for index in asked:
            edges = (round(later * RATE), round(SILENCE * RATE))
            sound = nn.functional.pad(corpus.sound(int(index)), edges)
            logits.append(network(norm(mel(sound)[None]))[0])
    return torch.stack(logits)


def accuracy(logits: Tensor, labels: Tensor) -> float:
    return 100 * float((logits.argmax(1) == labels).double().mean())


class Norm(nn.Module):
    """Brings log-mel frames to mean zero and deviation one."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation

    def forward(self, frames: Tensor) -> Tensor:
        return (frames - self.mean) / self.deviation


def norm_of(corpus: Corpus, seen: Int[np.ndarray, " seen"], mel: LogMel) -> Norm:
    frames = torch.cat([mel(corpus.sound(int(index))).flatten() for index in seen]).double()
    return Norm(float(frames.mean()), float(frames.std()))


def leave_speakers_out(corpus: Corpus, mel: LogMel) -> Temperature:
    """Train on five speakers and ask about the sixth, six times; return what calibrates that."""
    pooled, labels, found = [], [], []
    for speaker in np.unique(corpus.speakers):
        mine = corpus.speakers == speaker
        learnt = np.flatnonzero(~mine & (corpus.takes >= 10))
        asked = np.flatnonzero(mine & (corpus.takes >= 5))
        norm = norm_of(corpus, learnt, mel)
        network = learn(corpus, learnt, norm, mel)
        logits = answers(corpus, asked, network, norm, mel)
        pooled.append(logits)
        labels.append(corpus.labels[asked])
        found.append(accuracy(logits, labels[-1]))
        print(f"without {speaker}: {found[-1]:.1f} % of its {len(asked)}", flush=True)
    print(f"unseen speakers: {np.mean(found):.1f} % on average")
    temperature = calibrate(torch.cat(pooled), torch.cat(labels))
    report("unseen speakers", torch.cat(pooled), torch.cat(labels), temperature)
    return temperature


def report(words: str, logits: Tensor, labels: Tensor, temperature: Temperature) -> None:
    """Say what the temperature does."""
    for way, shown in (("as trained", logits), (f"{temperature}", temperature(logits))):
        nll = float(nn.functional.cross_entropy(shown.double(), labels))
        error = 100 * calibration_error(shown.double().softmax(1), labels)
        print(f"{words}, {way}: nll {nll:.4f} nats, calibration error {error:.2f} %")


def train(corpus: Corpus, mel: LogMel, temperature: Temperature, out: Path) -> None:
    """Make what comes along, and ask about the test part."""
    learnt = np.flatnonzero(corpus.takes >= 10)
    chosen = np.flatnonzero((corpus.takes >= 5) & (corpus.takes < 10))
    test = np.flatnonzero(corpus.takes < 5)
    norm = norm_of(corpus, learnt, mel)
    network = learn(corpus, learnt, norm, mel)
    write_listener(out, network, norm.mean, norm.deviation, float(temperature.temperature))
    print(f"{out}: {count_parameters(network):,} parameters, {out.stat().st_size:,} bytes")
    validation = accuracy(answers(corpus, chosen, network, norm, mel), corpus.labels[chosen])
    print(f"validation (takes 5 to 9): {validation:.2f} %")
    labels = corpus.labels[test]
    for later in (0.0, 0.1, 0.2, 0.4):
        logits = answers(corpus, test, network, norm, mel, later)
        print(f"test (takes 0 to 4), {later:g} s later: {accuracy(logits, labels):.2f} %")
    report("test", answers(corpus, test, network, norm, mel), labels, temperature)


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description="Train the network of `penchant listen`.")
    parser.add_argument("out", type=Path, help="where the weights go")
    out = parser.parse_args().out
    corpus = Corpus.read(Path(os.environ["PENCHANT_DATA"]) / "fsdd" / "recordings")
    train(corpus, LogMel(), leave_speakers_out(corpus, LogMel()), out)


if __name__ == "__main__":
    main()
