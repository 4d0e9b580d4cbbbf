"""Closed-form gradients in blocks against plain autograd over all points at once.

Both fill every parameter's gradient for 65,536 points and a coordinate network of 3 hidden
layers. They take turns, so that other work on the machine falls on both, and the median of the
ratios within a turn is what counts. Arithmetic is measured against the machine's own rate in
sgemm, which is taken in the same turns.

Beside the gradient alone stand whole steps, as `fit` takes them: 65,536 points in batches of 8,192
with Adam, and with Muon. What counts as work is the network's products alone, so an optimiser's own
lower the share.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from turns import interleaved

from penchant.divergences import L2
from penchant.nn import CoordinateNet
from penchant.training import OptimizerName, Recipe, Training, gradient_of

POINTS = 65_536
DEPTH = 3


@dataclass(frozen=True)
class Row:
    activation: str
    width: int
    plain: float
    """Seconds."""
    blocks: float
    """Seconds."""
    ratio: float
    shares: list[float]
    """Of the rate in sgemm: plain, blocks, steps with Adam, steps with Muon."""


def multiplications(width: int, inputs: int, outputs: int, points: int = POINTS) -> int:
    """Floating-point operations of all matrix products: forward, for weights, for values below."""
    hidden = (DEPTH - 1) * width * width + width * outputs
    return 2 * points * (3 * hidden + 2 * inputs * width)


def orthogonalisations(width: int) -> int:
    """Floating-point operations of Muon's step: five times three products for a hidden matrix."""
    return (DEPTH - 1) * 5 * 3 * 2 * width**3


def measure(activation: str, width: int, turns: int, clock: Callable[[], float]) -> Row:
    """Measure one network; turns interleave sgemm, plain autograd, blocks and whole steps."""
    points = torch.rand(POINTS, 2) * 2 - 1
    targets = torch.rand(POINTS, 3)
    divergence = L2()

    def network() -> CoordinateNet:
        return CoordinateNet(2, 3, width=width, depth=DEPTH, activation=activation)

    def steps(optimizer: OptimizerName) -> Callable[[], None]:
        recipe = Recipe(10**9, optimizer)
        training = Training(network(), divergence, points, targets, recipe, seed=0)
        return lambda: training.advance(POINTS // recipe.batch)

    blocks, twin = gradient_of(network(), divergence), network()

    def plain() -> None:
        twin.zero_grad(set_to_none=True)
        divergence(twin(points), targets).backward()

    left, right, out = torch.rand(2048, 2048), torch.rand(2048, 2048), torch.empty(2048, 2048)
    taken = interleaved(
        [
            lambda: torch.mm(left, right, out=out),
            plain,
            lambda: blocks(points, targets),
            steps("adam"),
            steps("muon"),
        ],
        turns,
        clock,
    )
    rate = 2 * 2048**3 / taken.quickest(0)
    work_done = multiplications(width, 2, 3)
    return Row(
        activation,
        width,
        plain=taken.median(1),
        blocks=taken.median(2),
        ratio=taken.ratio(1, 2),
        shares=[work_done / taken.median(side) / rate for side in range(1, 5)],
    )


def table(turns: int = 7, clock: Callable[[], float] = time.perf_counter) -> str:
    """Measure every network and lay the rows out as Markdown."""
    lines = [
        "| activation | width | plain autograd | blocks | sooner | of sgemm: plain | blocks "
        "| steps with Adam | with Muon |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for activation in ("sine", "finer", "gaussian", "relu"):
        for width in (128, 256):
            row = measure(activation, width, turns, clock)
            shares = " | ".join(f"{share:.0%}" for share in row.shares)
            lines.append(
                f"| {row.activation} | {row.width} | {row.plain * 1e3:.0f} ms "
                f"| {row.blocks * 1e3:.0f} ms | {row.ratio:.1f}× | {shares} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--processor", action="store_true", help="processor seconds: for one thread, beside others"
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    print(table(given.turns, time.process_time if given.processor else time.perf_counter))
