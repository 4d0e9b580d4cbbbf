"""The study that `penchant compare` does when it is told nothing, against the loop it replaces.

Six activations and encodings, ten seeds each, on a photograph of 128×128 pixels of which half are
seen, without pilots: by the command, with one worker and with two, start-up, scores and report
included; and by the loop that people write, network after network in one process on all of torch's
threads, plain autograd over all seen pixels at once with torch's Adam, without scores. The loop
takes as many steps as the study; since a step of the study sees a quarter of the pixels, the table
also says what is left where both see as many samples. The sides take turns, each in a process of
its own.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.nn import functional as F
from turns import interleaved

from penchant.nn import CoordinateNet
from penchant.tasks import builtin_picture

SIZE = 128
SEEDS = 10
STEPS = 300
BATCH = 2048
WIDTH = 70
DESIGNS = ("relu", "gelu", "gaussian", "sine", "finer", "relu+nerf")


def by_loop(seeds: int = SEEDS, steps: int = STEPS, size: int = SIZE) -> None:
    """Train every network of the study, as a script of one page would."""
    values = torch.tensor(builtin_picture(size).values)
    rows, columns = values.shape[:2]
    grid = torch.cartesian_prod(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns))
    points, targets = grid[::2].contiguous(), values.reshape(-1, 3)[::2].contiguous()
    for name in DESIGNS:
        activation, _, encoding = name.partition("+")
        for seed in range(seeds):
            network = CoordinateNet(
                2, 3, width=WIDTH, activation=activation, encoding=encoding or "none", seed=seed
            )
            optimizer = torch.optim.Adam(network.parameters(), 1e-3)
            for _ in range(steps):
                optimizer.zero_grad()
                F.mse_loss(network(points), targets).backward()
                optimizer.step()


def by_study(jobs: int) -> None:
    """Have the command do it."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(sys.executable).with_name("penchant")
        command = [program, "compare", "--tune", "0", "--jobs", jobs, "--out", f"{folder}/study"]
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)


def by_loop_apart() -> None:
    subprocess.run([sys.executable, __file__, "--loop"], check=True)


def table(turns: int = 3) -> str:
    """Measure both and lay the rows out as Markdown."""
    taken = interleaved(
        [by_loop_apart, lambda: by_study(1), lambda: by_study(2)],
        turns,
        time.perf_counter,
        warm=False,
    )
    passes = BATCH / (SIZE * SIZE // 2)
    lines = [
        "| 6 designs × 10 seeds, 128×128 | seconds | sooner than the loop "
        "| at as many samples | than one worker |",
        "|---|--:|--:|--:|--:|",
        f"| loop, {torch.get_num_threads()} threads | {taken.median(0):.0f} | | | |",
    ]
    for side, label in ((1, "one worker"), (2, "two workers")):
        sooner, than_one = taken.ratio(0, side), taken.ratio(1, side)
        lines.append(
            f"| penchant compare, {label} | {taken.median(side):.0f} | {sooner:.1f}× "
            f"| {sooner * passes:.1f}× | {than_one:.2f}× |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--loop", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    by_loop() if given.loop else print(table(given.turns))
