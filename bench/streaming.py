"""What a stream keeps and takes for a step, from its first second to an hour of sound.

TDNNs of five layers hear an hour in one run. A step is 10 ms: one log-mel frame, or 80 samples
at 8 kHz for the network that hears samples. Around each time that the table names, single steps
are measured, one second of sound at a time: the median over five seconds (for the first second
over five streams) of the mean step in each; what lies between is heard in chunks of 10 seconds,
which leave the same state behind. Beside it stands what a step takes without state: the window,
as long as the receptive field, run again. One thread, processor seconds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from penchant.nn import Streaming, stream

FRAMES, SAMPLES = 100, 8_000
"""What a second has of each."""
CHANNELS, MELS, CLASSES = 64, 40, 10
STOPS = {"1 s": 1, "1 min": 60, "10 min": 600, "1 h": 3_600}
SECONDS_MEASURED = 5
CHUNK_SECONDS = 10


@dataclass(frozen=True)
class Case:
    """A network, the steps that a second has, and the samples that a step has."""

    name: str
    network: nn.Sequential
    channels: int
    samples: int

    def second(self) -> Tensor:
        seeded = torch.Generator().manual_seed(0)
        return torch.randn(1, self.channels, FRAMES * self.samples, generator=seeded)


def tdnn(inputs: int, growth: int) -> nn.Sequential:
    """Five layers of three taps, each `growth` times as far apart as in the layer below."""
    layers: list[nn.Module] = []
    for depth in range(5):
        below = CHANNELS if depth else inputs
        layers += [nn.Conv1d(below, CHANNELS, 3, dilation=growth**depth), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv1d(CHANNELS, CLASSES, 1)).eval()


def cases() -> list[Case]:
    torch.manual_seed(0)
    front = nn.Conv1d(1, MELS, 2 * SAMPLES // FRAMES, SAMPLES // FRAMES)
    return [
        *(Case("log-mel frames", tdnn(MELS, growth), MELS, 1) for growth in (1, 2, 4, 8)),
        Case("samples", nn.Sequential(front, *tdnn(MELS, 2)), 1, SAMPLES // FRAMES),
    ]


def step_microseconds(step: Callable[[Tensor], object], second: Tensor) -> float:
    """The mean over the steps of one second of sound."""
    steps = second.split(second.shape[-1] // FRAMES, dim=-1)
    started = time.process_time()
    for one in steps:
        step(one)
    return (time.process_time() - started) / len(steps) * 1e6


def at_stops(case: Case, streaming: Streaming) -> tuple[list[float], set[int]]:
    """Microseconds for a step at each stop, and all sizes that the state had."""
    second = case.second()
    chunk = second.repeat(1, 1, CHUNK_SECONDS)
    first = []
    for _ in range(SECONDS_MEASURED):
        streaming.reset()
        first.append(step_microseconds(streaming, second))
    heard, times, sizes = 1, [statistics.median(first)], {streaming.state_size}
    for seconds in list(STOPS.values())[1:]:
        while heard + CHUNK_SECONDS + SECONDS_MEASURED <= seconds:
            streaming(chunk)
            heard += CHUNK_SECONDS
        while heard + SECONDS_MEASURED < seconds:
            streaming(second)
            heard += 1
        count = SECONDS_MEASURED if seconds else 1
        times.append(statistics.median(step_microseconds(streaming, second) for _ in range(count)))
        heard += count
        sizes.add(streaming.state_size)
    assert heard == max(STOPS.values())
    return times, sizes


@torch.no_grad()
def window_again(case: Case, window: int) -> float:
    """Microseconds for a step that runs the window again; fewer steps where it is long."""
    seen = torch.randn(1, case.channels, window)
    case.network(seen)
    few = max(3, min(FRAMES, 100_000 // window))
    times = []
    for _ in range(few):
        started = time.process_time()
        case.network(seen)
        times.append(time.process_time() - started)
    return statistics.median(times) * 1e6


def table() -> str:
    """Measure all cases, as Markdown."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    lines = [
        f"| hears | window | state | step at {' | '.join(STOPS)} | window again | sooner |",
        "|---|--:|--:|" + "--:|" * (len(STOPS) + 2),
    ]
    for case in cases():
        streaming = stream(case.network)
        window = streaming.delay + 1
        times, sizes = at_stops(case, streaming)
        assert len(sizes) == 1, sizes
        again = window_again(case, window)
        shown = " | ".join(f"{one:.0f} µs" for one in times)
        lines.append(
            f"| {case.name} | {window / FRAMES / case.samples:.2f} s | {sizes.pop():,} bytes "
            f"| {shown} | {again:,.0f} µs | {again / times[-1]:.1f}× |"
        )
    torch.set_num_threads(threads)
    return "\n".join(lines)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(table())
