"""What this machine can do, and what share of it each workload reaches.

A workload's operations are counted by kind: matrix products, transcendental functions, and the
bytes that have to come from memory and go back, at least: samples, parameters with what the
optimiser keeps of them, and what autograd saves for its way back; not what a cache could have held.
Products and functions are done by the same units, one after the other; memory can be waited for
meanwhile. So the limit is the longer of the two, with products at the faster of torch.mm and
oneDNN, and the share is limit over measured time.

A workload is bound by the kind that has the largest part of its time, where products count at
torch.mm's rate and calls at the price of one that does next to nothing; what no kind explains are
passes over buffers.

All workloads run on one thread, in turns, in processor seconds.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradients
import probe_cost
import rates
import torch
from rates import Rates
from scanning import SAMPLES as SCANNED
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from turns import interleaved, threads

from penchant.divergences import L2, divergence
from penchant.nn import CoordinateNet, ScanningMLP, evaluate_in_blocks
from penchant.training import Recipe, Training

BATCH = Recipe.batch
MOMENTS_PASSES = 8
"""Of a step with Adam or Muon over all parameters: read, gradient written and read, written, and
two moments read and written; Muon has one moment, and its own products instead."""
MOMENTUM_PASSES = 6
FLOAT = 4


@dataclass(frozen=True)
class Workload:
    """Something to be timed, and its operations by kind."""

    name: str
    work: Callable[[], object]
    products: float = 0.0
    """Floating-point operations in float32."""
    halves: float = 0.0
    """In bfloat16."""
    sines: float = 0.0
    exponentials: float = 0.0
    memory: float = 0.0
    """Bytes, at least."""

    def seconds(self, can: Rates, product: float) -> dict[str, float]:
        """Return what each kind takes, with float32 products at a given rate."""
        return {
            "matrix products": self.products / product + self.halves / can.half,
            "transcendentals": self.sines / can.sines + self.exponentials / can.exponentials,
            "memory": self.memory / can.memory,
        }


@dataclass(frozen=True)
class Reached:
    """What a workload makes of the machine, in seconds."""

    limit: float
    kinds: dict[str, float]
    """By kind, calls among them, with products at torch.mm's rate."""
    measured: float

    @property
    def share(self) -> float:
        return self.limit / self.measured

    @property
    def bound_by(self) -> str:
        """Name the kind with the largest part of the time, and that part."""
        rest = self.measured - _at_once(self.kinds) - self.kinds["calls"]
        parts = {**self.kinds, "passes over buffers": rest}
        word = max(parts, key=lambda kind: parts[kind])
        return f"{word} ({min(parts[word] / self.measured, 1):.0%} of its time)"


def _at_once(kinds: dict[str, float]) -> float:
    return max(kinds["matrix products"] + kinds["transcendentals"], kinds["memory"])


class _Calls(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def calls_of(work: Callable[[], object]) -> int:
    """Count the torch operations of one pass; numpy's are not seen."""
    with _Calls() as calls:
        work()
    return calls.count


def saved_bytes(work: Callable[[], object], network: nn.Module) -> int:
    """Count the bytes that autograd keeps from the forward for the backward, parameters apart."""
    known = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        work()
    return sum(kept.values())


def parameters(network: nn.Module) -> int:
    return sum(p.numel() * (2 if p.is_complex() else 1) for p in network.parameters())


def coordinate(activation: str, width: int, samples: int = gradients.POINTS) -> Workload:
    """Describe a step of `fit`: a batch, its gradient, Muon."""
    points, targets = torch.rand(samples, 2) * 2 - 1, torch.rand(samples, 3)
    network = CoordinateNet(2, 3, width=width, depth=gradients.DEPTH, activation=activation)
    training = Training(network, L2(), points, targets, Recipe(10**9, "muon"), seed=0)
    batch = min(BATCH, samples)
    values = batch * width * gradients.DEPTH
    oscillates = activation in ("sine", "finer")
    return Workload(
        f"{activation} {width}: step of {batch:,} with Muon",
        lambda: training.advance(1),
        products=gradients.multiplications(width, 2, 3, batch),
        halves=gradients.orthogonalisations(width),
        sines=2 * values if oscillates else 0,
        exponentials=values if activation == "gaussian" else 0,
        memory=FLOAT * (3 * batch * 5 + MOMENTS_PASSES * parameters(network)),
    )


def wire(width: int, samples: int = gradients.POINTS) -> Workload:
    """Describe WIRE, which is complex and goes by autograd."""
    points, targets = torch.rand(samples, 2) * 2 - 1, torch.rand(samples, 3)
    network = CoordinateNet(2, 3, width=width, depth=gradients.DEPTH, activation="wire")
    training = Training(network, L2(), points, targets, Recipe(10**9, "adam"), seed=0)
    batch = min(BATCH, samples)
    values = batch * width * gradients.DEPTH
    hidden = (gradients.DEPTH - 1) * width**2 + 3 * width
    return Workload(
        f"wire {width}: step of {batch:,} with Adam",
        lambda: training.advance(1),
        # A complex multiplication and addition are eight real operations.
        products=batch * (3 * 8 * hidden + 2 * 2 * 2 * width),
        sines=2 * values,
        exponentials=values,
        memory=FLOAT * (3 * batch * 5 + MOMENTS_PASSES * parameters(network)),
    )


def resnet() -> Workload:
    """Describe a step of ResNet-20, as `probes` measures it."""
    from torch.utils.flop_counter import FlopCounterMode

    network, pictures, classes = probe_cost.setting(channels_last=False)
    step = probe_cost.stepper(network, pictures, classes, None)
    with FlopCounterMode(display=False) as counted:
        step()
    kept = saved_bytes(step, network)
    return Workload(
        f"ResNet-20: step of {probe_cost.BATCH} pictures with momentum",
        step,
        products=counted.get_total_flops(),
        memory=2 * kept + FLOAT * MOMENTUM_PASSES * parameters(network),
    )


def scan(filters: int = 16, depth: int = 6) -> Workload:
    """Describe a scanning MLP over a long signal."""
    network = ScanningMLP(1, [(filters, 2, 2)] * depth)
    dense = network.to_conv(stride=1)
    signal = torch.randn(1, 1, SCANNED, generator=torch.Generator().manual_seed(0))

    @torch.no_grad()
    def work() -> Tensor:
        return evaluate_in_blocks(dense, signal)

    return Workload(
        f"scan of {SCANNED:,} samples, {filters} filters, {depth} layers",
        work,
        products=2 * network.multiply_adds(SCANNED, stride=1).converted,
        memory=FLOAT * (signal.numel() + work().numel()),
    )


def l2(samples: int = 2**24) -> Workload:
    """Describe a divergence and its derivative far beyond the cache."""
    loss = divergence("l2", validate=False)
    output, target = torch.randn(samples), torch.randn(samples)

    @torch.no_grad()
    def work() -> Tensor:
        return loss.derivative(output, target)

    return Workload(f"l2: derivative for {samples:,}", work, memory=3 * FLOAT * samples)


def cross_entropy(samples: int = 2**20, classes: int = 10) -> Workload:
    """Describe a value and its gradient by autograd."""
    loss = divergence("cross_entropy", link="softmax", validate=False)
    output = torch.randn(samples, classes, requires_grad=True)
    target = torch.randint(classes, (samples,))

    def work() -> None:
        output.grad = None
        loss(output, target).backward()

    values = samples * classes
    return Workload(
        f"cross-entropy: gradient for {samples:,}×{classes}",
        work,
        exponentials=2 * values,  # one for the value, one for the gradient, as it is not kept
        memory=FLOAT * 4 * values,
    )


def workloads() -> Iterator[Callable[[], Workload]]:
    """Yield what is measured; each is made when it is its turn."""
    for activation in ("sine", "finer", "gaussian", "relu"):
        for width in (128, 256):
            yield lambda activation=activation, width=width: coordinate(activation, width)  # type: ignore[misc]
    yield lambda: wire(128)
    yield from (resnet, scan, cross_entropy, l2)


def reach(workload: Workload, can: Rates, turns: int) -> Reached:
    """Measure a workload, and what it is made of."""
    taken = interleaved([workload.work], turns).median(0)
    limit = _at_once(workload.seconds(can, can.product))
    calls = calls_of(workload.work) * can.call
    return Reached(limit, {**workload.seconds(can, can.sgemm), "calls": calls}, taken)


def row(workload: Workload, found: Reached) -> str:
    functions = workload.sines + workload.exponentials
    cells = [
        workload.name,
        _amount((workload.products + workload.halves) / 1e9, "GFLOP"),
        _amount(functions / 1e6, "M"),
        _amount(workload.memory / 1e6, "MB"),
        f"{found.limit * 1e3:.3g} ms",
        f"{found.measured * 1e3:.3g} ms",
        f"{found.share:.0%}",
        found.bound_by,
    ]
    return f"| {' | '.join(cells)} |"


def _amount(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}" if value else "–"


def table(turns: int = 7) -> str:
    """Measure the machine, then every workload, as Markdown."""
    one = rates.measure(1, turns)
    count = rates.cores()
    every = rates.measure(count, turns) if count > 1 else None
    lines = [
        rates.table(one, every, count),
        "",
        "| workload | products | functions | memory, at least | limit | measured | reached "
        "| bound by |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    with threads(1):
        for make in workloads():
            workload = make()
            lines.append(row(workload, reach(workload, one, turns)))
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    torch.manual_seed(0)
    print(table(parser.parse_args().turns))
