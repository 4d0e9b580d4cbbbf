"""The study that `penchant compare` does when it is told nothing, against the loop it replaces.

Six activations and encodings, ten seeds each, on a photograph of 128×128 pixels of which half are
seen, without pilots: by the command, with one worker and with two, start-up, scores and report
included; and by the loop that people write, network after network in one process on all of torch's
threads, plain autograd over all seen pixels at once with torch's Adam, without scores. The sides
take turns, each in a process of its own.

The loop takes as many steps as the study, 300. The table also says what is left where both see as
many samples, since a step of the study sees a quarter of the pixels; and where the loop goes on
until its networks reproduce what they see as well as the study's do, each design at the best of
three learning rates. `--count` counts these steps anew.
"""

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from contest import psnr
from torch import Tensor
from torch.nn import functional as F
from turns import interleaved

from penchant.divergences import L2
from penchant.nn import CoordinateNet
from penchant.tasks import builtin_picture
from penchant.training import gradient_of

SIZE = 128
SEEDS = 10
STEPS = 300
BATCH = 2048
WIDTH = 70
RATES = (1e-3, 3e-3, 1e-2)
MOST_STEPS = 2000
DESIGNS = {"relu": 1279, "gelu": 407, "gaussian": 417, "sine": 64, "finer": 80, "relu+nerf": 808}
"""With the steps that Adam takes to the study's quality, as `--count` printed them."""


def network(name: str, seed: int) -> CoordinateNet:
    """Build a design's network as the study does."""
    activation, _, encoding = name.partition("+")
    return CoordinateNet(
        2, 3, width=WIDTH, activation=activation, encoding=encoding or "none", seed=seed
    )


def seen(size: int = SIZE) -> tuple[Tensor, Tensor]:
    """Return half of the picture's pixels, in [-1, 1]."""
    values = torch.tensor(builtin_picture(size).values)
    rows, columns = values.shape[:2]
    grid = torch.cartesian_prod(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns))
    return grid[::2].contiguous(), (2 * values.reshape(-1, 3) - 1)[::2].contiguous()


def by_loop(seeds: int = SEEDS, steps: int = STEPS, size: int = SIZE) -> None:
    """Train every network of the study, as a script of one page would."""
    points, targets = seen(size)
    for name in DESIGNS:
        for seed in range(seeds):
            one = network(name, seed)
            optimizer = torch.optim.Adam(one.parameters(), RATES[0])
            for _ in range(steps):
                optimizer.zero_grad()
                F.mse_loss(one(points), targets).backward()
                optimizer.step()


def by_study(jobs: int, seeds: int = SEEDS) -> dict[str, float]:
    """Have the command do it; return each design's mean PSNR on what its networks saw."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(sys.executable).with_name("penchant")
        words = ["compare", "--tune", 0, "--seeds", seeds, "--jobs", jobs, "--out", f"{folder}/it"]
        command = [str(program), *map(str, words)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with (Path(folder) / "it" / "results.csv").open(encoding="utf-8") as file:
            runs = list(csv.DictReader(file))
    reached: dict[str, list[float]] = {name: [] for name in DESIGNS}
    for run in runs:
        reached[run["design"]].append(float(run["psnr_seen"]))
    return {name: statistics.mean(scores) for name, scores in reached.items()}


def count() -> None:
    """Print how many steps the loop's optimiser takes to the study's quality, at each rate."""
    points, targets = seen()
    for name, wanted in by_study(jobs=2).items():
        for rate in RATES:
            one, step, reached = network(name, 0), 0, False
            # The same steps as the loop's, in a quarter of its time.
            gradient, optimizer = gradient_of(one, L2()), torch.optim.Adam(one.parameters(), rate)
            while step < MOST_STEPS and not reached:
                gradient(points, targets)
                optimizer.step()
                step += 1
                with torch.no_grad():
                    reached = psnr((one(points) + 1) / 2, (targets + 1) / 2) >= wanted
            print(
                f"{name} to {wanted:.2f} dB at {rate:g}: {step if reached else f'> {step}'} steps"
            )


def by_loop_apart() -> None:
    subprocess.run([sys.executable, __file__, "--loop"], check=True)


def table(turns: int = 3) -> str:
    """Measure both and lay the rows out as Markdown."""
    sides = [by_loop_apart, lambda: by_study(1), lambda: by_study(2)]
    taken = interleaved(sides, turns, time.perf_counter, warm=False)
    passes = BATCH / (SIZE * SIZE // 2)
    longer = statistics.mean(DESIGNS.values()) / STEPS
    lines = [
        "| 6 designs × 10 seeds, 128×128 | seconds | sooner than the loop, at as many steps "
        "| samples | to the same quality | than one worker |",
        "|---|--:|--:|--:|--:|--:|",
        f"| loop, {torch.get_num_threads()} threads | {taken.median(0):.0f} | | | | |",
    ]
    for side, label in ((1, "one worker"), (2, "two workers")):
        sooner, than_one = taken.ratio(0, side), taken.ratio(1, side)
        lines.append(
            f"| penchant compare, {label} | {taken.median(side):.0f} | {sooner:.1f}× "
            f"| {sooner * passes:.1f}× | {sooner * longer:.1f}× | {than_one:.2f}× |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--count", action="store_true", help="count the loop's steps to quality")
    parser.add_argument("--loop", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.loop:
        by_loop()
    elif given.count:
        count()
    else:
        print(table(given.turns))
