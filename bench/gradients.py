"""Closed-form gradients in blocks against plain autograd over all points at once.

Both fill every parameter's gradient for 65,536 points and a coordinate network of 3 hidden
layers. They take turns, so that other work on the machine falls on both, and the median of the
ratios within a turn is what counts. Arithmetic is measured against the machine's own rate in
sgemm, which is taken in the same turns.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from penchant.divergences import L2
from penchant.nn import CoordinateNet
from penchant.training import gradient_of

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
    share: float
    """Of the rate in sgemm that blocks reach."""
    plain_share: float


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def multiplications(width: int, inputs: int, outputs: int) -> int:
    """Floating-point operations of all matrix products: forward, for weights, for values below."""
    hidden = (DEPTH - 1) * width * width + width * outputs
    return 2 * POINTS * (3 * hidden + 2 * inputs * width)


def measure(activation: str, width: int, turns: int) -> Row:
    """Measure one network; turns interleave sgemm, plain autograd and blocks."""
    points = torch.rand(POINTS, 2) * 2 - 1
    targets = torch.rand(POINTS, 3)
    network = CoordinateNet(2, 3, width=width, depth=DEPTH, activation=activation)
    divergence = L2()
    blocks = gradient_of(network, divergence)
    twin = CoordinateNet(2, 3, width=width, depth=DEPTH, activation=activation)

    def plain() -> None:
        twin.zero_grad(set_to_none=True)
        divergence(twin(points), targets).backward()

    left, right, out = torch.rand(2048, 2048), torch.rand(2048, 2048), torch.empty(2048, 2048)
    tries = [lambda: torch.mm(left, right, out=out), plain, lambda: blocks(points, targets)]
    for work in tries:
        work()
    taken = [[seconds(work) for work in tries] for _ in range(turns)]
    products, plains, quick = zip(*taken, strict=True)
    rate = 2 * 2048**3 / min(products)
    work_done = multiplications(width, 2, 3)
    return Row(
        activation,
        width,
        plain=statistics.median(plains),
        blocks=statistics.median(quick),
        ratio=statistics.median(p / q for p, q in zip(plains, quick, strict=True)),
        share=work_done / statistics.median(quick) / rate,
        plain_share=work_done / statistics.median(plains) / rate,
    )


def table(turns: int = 7) -> str:
    """Measure every network and lay the rows out as Markdown."""
    lines = [
        "| activation | width | plain autograd | blocks | sooner | of sgemm: plain | blocks |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for activation in ("sine", "finer", "gaussian", "relu"):
        for width in (128, 256):
            row = measure(activation, width, turns)
            lines.append(
                f"| {row.activation} | {row.width} | {row.plain * 1e3:.0f} ms "
                f"| {row.blocks * 1e3:.0f} ms | {row.ratio:.1f}× | {row.plain_share:.0%} "
                f"| {row.share:.0%} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    print(table(given.turns))
