"""What this machine can do: products, memory, transcendental functions and calls, each at its best.

One thread is measured in processor seconds, which other work on the machine hardly touches; all
threads by the wall clock, so on a quiet machine only. The quickest of the turns counts.
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F
from turns import seconds, threads

SIDE = 2048
"""Of the matrices that are multiplied."""
FAR_BEYOND_CACHE = 2**25
"""Floats in each of the three arrays that a pass over memory touches: 128 MiB."""
IN_CACHE = 1024 * 128
"""Values of a layer's buffer: 512 KiB, two of which fit a second-level cache."""
CALLS = 2000


@dataclass(frozen=True)
class Rates:
    """Of one thread or of all, each in units a second but for `call`."""

    sgemm: float
    """Floating-point operations by torch.mm, a multiplication and an addition being two."""
    onednn: float
    """The same by oneDNN, the library that torch has its convolutions from. Which is faster depends
    on the processor: the BLAS of torch's build may take a lesser path on another maker's."""
    half: float
    """In bfloat16, by torch.mm."""
    memory: float
    """Bytes read and written; what a cache fetches before it writes is not counted."""
    sines: float
    exponentials: float
    call: float
    """Seconds that a call of a torch operation takes for itself."""

    @property
    def product(self) -> float:
        """What float32 products can reach at best."""
        return max(self.sgemm, self.onednn)


def quickest(work: Callable[[], object], clock: Callable[[], float], turns: int) -> float:
    """Return the least seconds of several turns; a first one is not counted."""
    work()
    return min(seconds(work, clock) for _ in range(turns))


def measure(count: int = 1, turns: int = 7, scale: int = 1) -> Rates:
    """Measure on so many threads.

    Args:
        count: of threads.
        turns: of which the quickest counts.
        scale: by which the arrays are made smaller, for a look at whether all of it runs.
    """
    clock = time.process_time if count == 1 else time.perf_counter
    with threads(count):
        return Rates(
            sgemm=_products(torch.float32, clock, turns, SIDE // scale),
            onednn=_onednn(clock, turns, SIDE // scale),
            half=_products(torch.bfloat16, clock, turns, SIDE // scale),
            memory=_memory(clock, turns, FAR_BEYOND_CACHE // scale),
            sines=_elements(_sine, count, clock, turns),
            exponentials=_elements(_exponential, count, clock, turns),
            call=_call(clock, turns),
        )


def _products(dtype: torch.dtype, clock: Callable[[], float], turns: int, side: int) -> float:
    left, right, out = (torch.rand(side, side).to(dtype) for _ in range(3))
    return 2 * side**3 / quickest(lambda: torch.mm(left, right, out=out), clock, turns)


def _onednn(clock: Callable[[], float], turns: int, side: int) -> float:
    if not torch.backends.mkldnn.is_available():
        return 0.0
    left, right = (torch.rand(side, side).to_mkldnn() for _ in range(2))
    return 2 * side**3 / quickest(lambda: F.linear(left, right), clock, turns)


def _memory(clock: Callable[[], float], turns: int, size: int) -> float:
    """Measure a = b + s·c, the triad of STREAM (McCalpin, 1995)."""
    a, b, c = (torch.ones(size) for _ in range(3))
    return 12 * size / quickest(lambda: torch.add(b, c, alpha=3.0, out=a), clock, turns)


Buffers = tuple[torch.Tensor, torch.Tensor]


def _sine(buffers: Buffers) -> None:
    """As penchant's sine layers take it on a CPU."""
    np.sin(buffers[0].numpy(), out=buffers[1].numpy())


def _exponential(buffers: Buffers) -> None:
    torch.exp(buffers[0], out=buffers[1])


def _elements(
    function: Callable[[Buffers], None], count: int, clock: Callable[[], float], turns: int
) -> float:
    """Measure with a buffer a thread, each of them filled by one thread, as a fit's lanes do."""
    lanes: Sequence[Buffers] = [
        (torch.randn(IN_CACHE) * 10, torch.empty(IN_CACHE)) for _ in range(count)
    ]

    def lane(buffers: Buffers) -> None:
        for _ in range(100):
            function(buffers)

    values = 100 * IN_CACHE * count
    if count == 1:
        return values / quickest(lambda: lane(lanes[0]), clock, turns)
    with ThreadPoolExecutor(count, initializer=lambda: torch.set_num_threads(1)) as pool:
        return values / quickest(lambda: list(pool.map(lane, lanes)), clock, turns)


def _call(clock: Callable[[], float], turns: int) -> float:
    one = torch.ones(1, 1)

    def calls() -> None:
        for _ in range(CALLS):
            torch.addmm(one, one, one, out=one)

    return quickest(calls, clock, turns) / CALLS


def cores() -> int:
    """Return how many threads torch would take here, whatever this process is held to."""
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


def table(one: Rates, every: Rates | None, count: int) -> str:
    """Lay the machine's rates out as Markdown."""
    rows = [
        ("matrix products, float32, torch.mm", "GFLOP/s", lambda r: r.sgemm / 1e9),
        ("matrix products, float32, oneDNN", "GFLOP/s", lambda r: r.onednn / 1e9),
        ("matrix products, bfloat16, torch.mm", "GFLOP/s", lambda r: r.half / 1e9),
        ("memory, a = b + s·c", "GB/s", lambda r: r.memory / 1e9),
        ("sines, float32", "G/s", lambda r: r.sines / 1e9),
        ("exponentials, float32", "G/s", lambda r: r.exponentials / 1e9),
        ("a call of a torch operation", "µs", lambda r: r.call * 1e6),
    ]
    lines = [f"| | one thread | {count} threads | |", "|---|--:|--:|---|"]
    for name, unit, value in rows:
        beside = "–" if every is None or unit == "µs" else f"{value(every):.3g}"
        lines.append(f"| {name} | {value(one):.3g} | {beside} | {unit} |")
    return "\n".join(lines)
