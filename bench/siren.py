"""A reference SIREN, written from the paper's description, as a peer to measure `fit` against.

"Implicit neural representations with periodic activation functions" (Sitzmann et al., 2020):
layers y = sin(ω₀(Wx + b)) with ω₀ = 30, first weights U(±1/n), later ones, the head's too,
U(±√(6/n)/ω₀), biases as torch draws them; Adam at 1e-4 on the mean squared error over all pixels
at once, colours in [-1, 1].

"5 layers of 256" counts linear maps: four with a sine behind them, then a linear one. So does the
authors' published code, whose default is a first layer, three hidden ones of 256 and a linear
output; that makes 198,915 numbers for a colour picture.

Nothing of Penchant is used but its pictures, their coordinates and their score.
"""

import argparse
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from penchant.tasks import Picture, PictureTask, builtin_picture, load_picture

OMEGA = 30.0
WIDTH = 256
SINE_LAYERS = 4
LEARNING_RATE = 1e-4
SIZE = 256
TARGET_DB = 35.0
CAP_SECONDS = 1200.0


class SineLayer(nn.Module):
    def __init__(self, inputs: int, outputs: int, first: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        bound = 1 / inputs if first else math.sqrt(6 / inputs) / OMEGA
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(OMEGA * self.linear(x))


def siren(inputs: int, outputs: int) -> nn.Sequential:
    """Build the network."""
    layers = [SineLayer(inputs if i == 0 else WIDTH, WIDTH, i == 0) for i in range(SINE_LAYERS)]
    head = nn.Linear(WIDTH, outputs)
    bound = math.sqrt(6 / WIDTH) / OMEGA
    nn.init.uniform_(head.weight, -bound, bound)
    return nn.Sequential(*layers, head)


@dataclass(frozen=True)
class Reached:
    seconds: float
    steps: int
    psnr: float
    capped: bool


def reach(picture: Picture, target_db: float, cap_seconds: float, seed: int = 0) -> Reached:
    """Train until the PSNR over all pixels is reached, or the time is up.

    The score comes with each step for free, from the forward pass that the step needs anyway.
    """
    torch.manual_seed(seed)
    split = PictureTask(picture).split(seed)
    inputs, targets = split.inputs, split.targets
    network = siren(inputs.shape[1], targets.shape[1])
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    started = time.perf_counter()
    steps = 0
    while True:
        output = network(inputs)
        with torch.no_grad():  # colours span 2 here and 1 in the score
            error = (output.clamp(-1, 1) - targets).square().mean().item() / 4
        psnr = -10 * math.log10(error)
        seconds = time.perf_counter() - started
        if psnr >= target_db or seconds >= cap_seconds:
            return Reached(seconds, steps, psnr, capped=psnr < target_db)
        optimizer.zero_grad()
        (output - targets).square().mean().backward()
        optimizer.step()
        steps += 1


def picture(size: int = SIZE) -> Picture:
    """Load kodim08 where PENCHANT_DATA holds it, else the built-in photograph."""
    kodak = Path(os.environ.get("PENCHANT_DATA", "")) / "kodak" / "kodim08.png"
    return load_picture(kodak, size) if kodak.is_file() else builtin_picture(size)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the reference SIREN to a target.")
    parser.add_argument("--target-db", type=float, default=TARGET_DB)
    parser.add_argument("--cap", type=float, default=CAP_SECONDS, help="seconds")
    parser.add_argument("--size", type=int, default=SIZE, help="pixels along the longer side")
    given = parser.parse_args()
    shown = picture(given.size)
    found = reach(shown, given.target_db, given.cap)
    height, width, _ = shown.values.shape
    print(
        f"{shown.name} at {width}×{height}: {found.psnr:.2f} dB after {found.steps} steps, "
        f"{found.seconds:.1f} s" + (" (capped)" if found.capped else "")
    )


if __name__ == "__main__":
    main()
