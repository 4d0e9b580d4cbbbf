"""What gradient flow costs: steps of ResNet-20 with it and without.

Batch 128, pictures 28×28 (as N×C×H×W, and with the channels last), one thread: forward, backward
and a step of SGD. Sides take turns in processor seconds; each watched step stands between two plain
ones, and ratios are medians over the turns. At every 16th step sixteen pairs of steps are a turn.
Peak memory is that of fresh processes, one a side.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penchant.nn import ResNet
from penchant.probes import GradientFlow

BATCH, SIZE, EVERY = 128, 28, 16


def setting(channels_last: bool) -> tuple[nn.Module, Tensor, Tensor]:
    network: nn.Module = ResNet(20, 10, channels=1, seed=0).train()
    draws = torch.Generator().manual_seed(0)
    pictures = torch.randn(BATCH, 1, SIZE, SIZE, generator=draws)
    classes = torch.randint(10, (BATCH,), generator=draws)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
    return network, pictures, classes


def stepper(
    network: nn.Module, pictures: Tensor, classes: Tensor, flow: GradientFlow | None
) -> Callable[[], None]:
    optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        with flow or nullcontext():
            F.cross_entropy(network(pictures), classes).backward()
        optimizer.step()
        if flow is not None:
            _ = flow.report

    return step


def seconds(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def overhead(channels_last: bool, turns: int) -> tuple[float, list[float]]:
    """Seconds of a plain step, and the ratio of a watched one to it, turn by turn."""
    network, pictures, classes = setting(channels_last)
    plain = stepper(network, pictures, classes, None)
    watched = stepper(network, pictures, classes, GradientFlow(network))
    for step in (plain, watched):
        step()
    bases, ratios = [], []
    for _ in range(turns):
        # A plain step on either side of the watched one: what the machine does meanwhile cancels.
        first, middle, last = seconds(plain), seconds(watched), seconds(plain)
        bases.append((first + last) / 2)
        ratios.append(middle / bases[-1])
    return statistics.median(bases), ratios


def every_16th(channels_last: bool, turns: int) -> list[float]:
    network, pictures, classes = setting(channels_last)
    plain = stepper(network, pictures, classes, None)
    flow = GradientFlow(network, every=EVERY)
    optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9)

    def watched() -> None:
        optimizer.zero_grad()
        with flow:
            F.cross_entropy(network(pictures), classes).backward()
        optimizer.step()

    plain()
    ratios = []
    for _ in range(turns):
        pairs = [(seconds(plain), seconds(watched)) for _ in range(EVERY)]
        ratios.append(sum(pair[1] for pair in pairs) / sum(pair[0] for pair in pairs))
    return ratios


def peak(watched: bool) -> float:
    """MB of a fresh process after three steps."""
    code = f"import probe_cost; probe_cost.three({watched})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout) / 1024


def three(watched: bool) -> None:
    torch.set_num_threads(1)
    network, pictures, classes = setting(False)
    step = stepper(network, pictures, classes, GradientFlow(network) if watched else None)
    for _ in range(3):
        step()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def table(turns: int = 15) -> str:
    """Measure all of it and lay it out as Markdown; on one thread, whatever is set."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    lines = [
        "| ResNet-20, batch 128, 28×28 | plain step | watched at every step | at every 16th |",
        "|---|--:|--:|--:|",
    ]
    for name, channels_last in (("N×C×H×W", False), ("channels last", True)):
        base, ratios = overhead(channels_last, turns)
        few = every_16th(channels_last, max(turns // 5, 1))
        lines.append(
            f"| {name} | {base * 1e3:.0f} ms | {_percent(ratios)} | {_percent(few)} "
            f"(a sixteenth: {(statistics.median(ratios) - 1) / EVERY:+.2%}) |"
        )
    plain, watched = peak(False), peak(True)
    lines += ["", f"Peak memory of the process: {plain:.0f} MB plain, {watched:.0f} MB watched."]
    torch.set_num_threads(threads)
    return "\n".join(lines)


def _percent(ratios: list[float]) -> str:
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
    return f"{statistics.median(ratios) - 1:+.1%} (quartiles {low - 1:+.1%}, {high - 1:+.1%})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15)
    print(table(parser.parse_args().turns))
