"""`make guard`: has anything become slower, relative to what it is measured against?

Each line is a ratio, ours over a reference that does the same work in the same turns on one thread
in processor seconds, so neither the machine's speed nor other work on it matters much. The median
over the turns is compared with the one stored in guard.json. One that is more than TOLERANCE above
it is measured again with three times the turns; where it stays there, the exit code is 1. One that
has fallen as far is told, so that `--store` may write the file anew.

Ratios belong to a kind of processor: elsewhere than where they were stored they are still compared,
and it is said.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import divergence_cost
import gradients
import scanning
import streaming
import torch
from machine import processor
from torch import Tensor
from torch.nn import functional as F
from turns import interleaved, threads

from penchant.divergences import L2, divergence
from penchant.nn import CoordinateNet, ScanningMLP, evaluate_in_blocks, stream
from penchant.training import Recipe, Training, gradient_of

STORED = Path(__file__).with_suffix(".json")
TOLERANCE = 0.35
"""Two runs beside programs that held both cores differed by up to 21 %, most where page faults
count, as in plain autograd; a closed form that is lost makes a line at least half as long again."""
TURNS = 7


@dataclass(frozen=True)
class Pair:
    """Ours and a reference, doing the same work."""

    ours: Callable[[], object]
    reference: Callable[[], object]

    def ratio(self, turns: int) -> tuple[float, float]:
        """Return the median of ours over the reference, and the turns' interquartile range."""
        taken = interleaved([self.ours, self.reference], turns)
        ratios = [turn[0] / turn[1] for turn in taken.turns]
        low, middle, high = statistics.quantiles(ratios, n=4)
        return middle, high - low


def blocks(activation: str, width: int) -> Pair:
    """Pair closed-form blocks with plain autograd."""
    # A layer's values take 32 MiB: as much as glibc gives back to the kernel each time, whatever
    # was freed before. A part of plain autograd's time is the faults on those pages.
    samples = 2**23 // width
    points, targets = torch.rand(samples, 2) * 2 - 1, torch.rand(samples, 3)
    loss = L2()
    network, twin = (
        CoordinateNet(2, 3, width=width, depth=gradients.DEPTH, activation=activation)
        for _ in range(2)
    )
    gradient = gradient_of(network, loss)

    def plain() -> None:
        twin.zero_grad(set_to_none=True)
        loss(twin(points), targets).backward()

    return Pair(lambda: gradient(points, targets), plain)


def step(optimizer: str) -> Pair:
    """Pair a whole step of training with its gradient alone."""
    points, targets = torch.rand(8192, 2) * 2 - 1, torch.rand(8192, 3)
    network, twin = (CoordinateNet(2, 3, width=192, depth=3) for _ in range(2))
    recipe = Recipe(10**9, optimizer)  # type: ignore[arg-type]
    training = Training(network, L2(), points, targets, recipe, seed=0)
    gradient = gradient_of(twin, L2())
    return Pair(lambda: training.advance(1), lambda: gradient(points, targets))


def scan() -> Pair:
    """Pair a scan with the network's own way, window by window in blocks."""
    divergence_cost.keep_memory()
    mlp = ScanningMLP(1, [(16, 2, 2)] * 6)
    dense = mlp.to_conv(stride=1)
    signal = torch.randn(1, 1, 20_000, generator=torch.Generator().manual_seed(0))
    windows = signal[0].unfold(-1, mlp.window[0], 1).movedim(0, 1)
    return Pair(
        torch.no_grad()(lambda: evaluate_in_blocks(dense, signal)),
        torch.no_grad()(lambda: scanning.by_windows(mlp, windows, 1024)),
    )


def streamed() -> Pair:
    """Pair 200 steps of a stream with the whole window run again for ten of them."""
    network = streaming.tdnn(streaming.MELS, 4)
    heard = stream(network)
    seen = torch.randn(1, streaming.MELS, heard.delay + 1)
    frames = seen[..., -20:].split(1, dim=-1)

    @torch.no_grad()
    def steps() -> None:
        for _ in range(10):
            for frame in frames:
                heard(frame)

    @torch.no_grad()
    def windows() -> None:
        for _ in range(10):
            network(seen)

    return Pair(steps, windows)


def loss(name: str, link: str, own: Callable[[Tensor, Tensor], Tensor]) -> Pair:
    """Pair a divergence's value and gradient, checks included, with those of torch's own loss."""
    divergence_cost.keep_memory()
    ours = divergence(name, link=link)  # type: ignore[arg-type]
    # In the second-level cache, which is a core's own: a third one is shared with other programs.
    samples, outputs = 10_000, 10
    output = torch.randn(samples, outputs, requires_grad=True)
    classes = torch.randint(outputs, (samples,))
    target = classes if name == "cross_entropy" else torch.randn(samples, outputs)

    def passes(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], None]:
        def many() -> None:
            for _ in range(100):
                divergence_cost.gradient(function, output, target)

        return many

    return Pair(passes(ours), passes(own))


# The last ones change how the process allocates, so they stay the last.
PAIRS: dict[str, Callable[[], Pair]] = {
    **{
        f"blocks over plain autograd, {activation} {width}": (
            lambda activation=activation, width=width: blocks(activation, width)  # type: ignore[misc]
        )
        for activation in ("sine", "relu")
        for width in (128, 256)
    },
    "step with Adam over its gradient": lambda: step("adam"),
    "step with Muon over its gradient": lambda: step("muon"),
    "20 streamed steps over a window": streamed,
    "scan over window by window": scan,
    "l2 over mse_loss": lambda: loss("l2", "identity", F.mse_loss),
    "huber over huber_loss": lambda: loss("huber", "identity", F.huber_loss),
    "cross_entropy over torch's": lambda: loss("cross_entropy", "softmax", F.cross_entropy),
}


def judge(name: str, ratio: float, stored: float | None) -> tuple[bool, str]:
    """Say whether a ratio is as stored, and in words what it is."""
    if stored is None:
        return True, f"{name}: {ratio:.3f}, nothing stored"
    change = ratio / stored - 1
    word = ""
    if change > TOLERANCE:
        word = f" SLOWER than the {TOLERANCE:.0%} that are let pass"
    elif change < -TOLERANCE:
        word = " (quicker: --store keeps it)"
    return change <= TOLERANCE, f"{name}: {ratio:.3f}, stored {stored:.3f}, {change:+.0%}{word}"


def check(
    pairs: dict[str, Callable[[], Pair]], stored: dict[str, float], turns: int
) -> tuple[dict[str, float], list[str]]:
    """Measure all pairs; return the ratios, and the names of those that got slower."""
    ratios, slower = {}, []
    for name, make in pairs.items():
        pair = make()
        ratio, spread = pair.ratio(turns)
        as_stored, words = judge(name, ratio, stored.get(name))
        if not as_stored:
            ratio, spread = pair.ratio(3 * turns)
            as_stored, words = judge(name, ratio, stored.get(name))
        ratios[name] = ratio
        slower += [] if as_stored else [name]
        print(f"{words} (quartiles {spread / ratio:.0%} apart)", flush=True)
    return ratios, slower


def main(arguments: list[str] | None = None) -> int:
    """Run the guard; 1 where something got slower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", action="store_true", help="write the ratios as the ones to keep")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--only", default="", help="part of a name")
    given = parser.parse_args(arguments)
    kept = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    if kept and not given.store and kept["processor"] != processor():
        print(f"Stored on {kept['processor']}; this is {processor()}: ratios may differ.")
    pairs = {name: make for name, make in PAIRS.items() if given.only in name}
    stored = {} if given.store else kept.get("ratios", {})
    torch.manual_seed(0)
    with threads(1):
        ratios, slower = check(pairs, stored, given.turns)
    if given.store:
        all_ratios = {**kept.get("ratios", {}), **ratios}
        rounded = {name: round(all_ratios[name], 4) for name in PAIRS if name in all_ratios}
        kept = {"processor": processor(), "torch": torch.__version__, "ratios": rounded}
        STORED.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    if slower:
        print(f"Slower than stored in {STORED.name}: {'; '.join(slower)}.")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
