"""The stages that a streamed network consists of: what each keeps, and when its frames come.

Decisions:
- Every stage is stationary: frame j comes with input sample j·stride + lag, from the first sample
  on. Frames with j < 0, from before the recording, come too; they hold nothing of meaning, each
  padding stage takes its padding's value in their place, and the last ones are not given out. So
  a stream's start, the restart of one stream of a batch, and the steady state are one rule, and
  what is kept has one size throughout.
- Frames that need padding alone (j·stride + lag < 0) come at the start, before any sample.
- A window keeps the last span − 1 frames in a ring. For a few frames at a time it reads its taps
  from there, so that a step costs `kernel` frames however far they are apart; many frames go
  through one line.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from penchant.nn._ring import Queue, Ring

LINE = 8
"""Frames go through a line where their number times this is at least the window's width.

One frame alone does not where taps are apart: a dilated convolution costs more than the reading.
"""

Pointwise = Callable[[Tensor], Tensor]
Operation = Callable[[Tensor, int, int], Tensor]
"""From frames, stride and dilation to the frames of an unpadded window operation."""

LENGTHS = tuple(10**9 + 7919 * k for k in range(64))
"""Recordings by which the lengths of branches are compared."""


@dataclass(frozen=True)
class Timing:
    """When frame j comes: with input sample j·stride + lag, both counted from 0.

    Args:
        stride: samples from one frame to the next.
        lag: samples from a frame's place to when it comes; negative where padding gives frames
            before any sample.
        lengths: frames that recordings of LENGTHS samples have.
    """

    stride: int = 1
    lag: int = 0
    lengths: tuple[int, ...] = LENGTHS

    @property
    def first(self) -> int:
        """The first frame that waits for a sample; those from 0 to it come at the start."""
        return self.next(0)

    def next(self, heard: int) -> int:
        """The frame that comes next after so many samples."""
        return -((self.lag - heard) // self.stride)


@dataclass(frozen=True)
class Span:
    """What a window covers: the kernel's taps, how far apart, and the padding on both sides."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    left: int = 0
    right: int = 0
    value: float = 0.0

    @property
    def width(self) -> int:
        """Frames from the first tap to the last."""
        return self.dilation * (self.kernel - 1) + 1

    def joins(self, span: "Span") -> bool:
        """Say whether this padding and another window's are one."""
        plain = not span.left and not span.right
        return min(self.left, self.right) >= 0 and (plain or self.value == span.value)

    def after(self, timing: Timing) -> Timing:
        """Say when this window's frames come, given its inputs' timing."""
        padding = self.left + self.right
        return Timing(
            timing.stride * self.stride,
            timing.lag + timing.stride * (self.width - 1 - self.left),
            tuple((n + padding - self.width) // self.stride + 1 for n in timing.lengths),
        )


class Stage(ABC):
    """One layer of a streamed network, with what it has to keep of its inputs.

    Args:
        timing: when its frames come.
        blank: its output without frames, of shape (1, channels, 0).
        sources: the timings of its inputs.
    """

    def __init__(self, timing: Timing, blank: Tensor, *sources: Timing) -> None:
        self.timing = timing
        self.blank = blank
        self.sources = sources

    def clear(self, batch: int) -> None:
        """Forget everything, for a batch of so many streams."""
        self.batch = batch

    def none(self) -> Tensor:
        """Return no frames."""
        return self.blank.expand(self.batch, -1, -1)

    def start(self, *frames: Tensor) -> Tensor:
        """Take what the inputs give before any sample; return what comes before any sample."""
        begun = self._begin(*frames)
        return begun[..., begun.shape[-1] - max(0, self.timing.first) :]

    def _begin(self, *frames: Tensor) -> Tensor:
        return self.push(*frames)

    @abstractmethod
    def push(self, *frames: Tensor) -> Tensor:
        """Take the inputs' next frames; return the frames that are ready."""

    def finish(self, *frames: Tensor) -> Tensor:
        """Take the inputs' last frames; return the frames that are left."""
        return self.push(*frames)

    def restart(self, streams: Tensor, heard: int) -> None:
        """Begin some streams of the batch anew, after so many samples of all."""
        return

    def memory(self) -> dict[str, Tensor]:
        """What is kept of the inputs, in copies, oldest first."""
        return {}

    def remember(self, memory: dict[str, Tensor], heard: int, began: Tensor) -> None:
        """Take up what `memory` gave after so many samples.

        Args:
            memory: by the same names.
            heard: samples.
            began: the sample at which each stream of the batch began, of shape (batch,).
        """
        return


class Each(Stage):
    """A function of each frame alone; it keeps nothing."""

    def __init__(self, function: Pointwise, source: Timing, blank: Tensor) -> None:
        super().__init__(source, blank, source)
        self.function = function

    def push(self, *frames: Tensor) -> Tensor:
        """Apply the function."""
        (x,) = frames
        return self.function(x) if x.shape[-1] else self.none()


class Counting(Stage):
    """A stage that has to know where each stream of the batch began."""

    def clear(self, batch: int) -> None:
        """Forget everything; all streams begin at frame 0."""
        super().clear(batch)
        self.index = min(0, self.sources[0].first)
        self.origin = torch.zeros(batch, dtype=torch.int64, device=self.blank.device)
        self.earliest_origin = self.latest_origin = 0

    def own(self, frames: Tensor, value: float) -> Tensor:
        """Put a value in place of frames from before each stream began."""
        if self.index >= self.latest_origin:
            return frames
        if self.index + frames.shape[-1] <= self.earliest_origin:
            return torch.full_like(frames, value)
        places = torch.arange(frames.shape[-1], device=frames.device) + self.index
        foreign = places < self.origin.unsqueeze(-1)
        return torch.where(foreign.unsqueeze(1), value, frames)

    def restart(self, streams: Tensor, heard: int) -> None:
        """Let the streams' frame 0 be the one at this sample."""
        origin = self.origin.clone()
        origin[streams] = heard // self.sources[0].stride
        self._begin_at(origin)

    def remember(self, memory: dict[str, Tensor], heard: int, began: Tensor) -> None:
        """Count on from there."""
        self.index = self.sources[0].next(heard)
        self._begin_at(began // self.sources[0].stride)

    def _begin_at(self, origin: Tensor) -> None:
        self.origin.copy_(origin)
        self.earliest_origin, self.latest_origin = int(origin.min()), int(origin.max())


class Window(Counting):
    """A convolution, a pooling or a padding: an operation on windows of the last frames."""

    def __init__(
        self, operation: Operation, span: Span, source: Timing, taken: Tensor, blank: Tensor
    ) -> None:
        super().__init__(span.after(source), blank, source)
        self.operation = operation
        self.span = span
        self.taken = taken
        self.taps = torch.arange(span.kernel - 1, device=taken.device) * span.dilation

    def clear(self, batch: int) -> None:
        """Hear padding alone."""
        super().clear(batch)
        blank = self.taken.expand(batch, -1, -1)
        self.ring = Ring(blank, self.span.width - 1, self.span.value)

    def _padding(self, count: int) -> Tensor:
        return self.taken.new_full((self.batch, self.taken.shape[1], count), self.span.value)

    def _begin(self, *frames: Tensor) -> Tensor:
        (x,) = frames
        first_whole = self.span.width - 1 - self.span.left
        early = max(0, self.index - first_whole)
        self.index -= early
        return self.push(torch.cat([self._padding(early), x], dim=-1))

    def push(self, *frames: Tensor) -> Tensor:
        """Take the next frames, return the windows that they complete."""
        (x,) = frames
        span, count = self.span, frames[0].shape[-1]
        x = self.own(x, span.value)
        skipped = -(self.index + span.left - span.width + 1) % span.stride
        self.index += count
        if span.width == 1:
            ready = x[..., skipped:]
            return self.operation(ready, span.stride, 1) if ready.shape[-1] else self.none()
        if count * LINE >= span.width and (count > 1 or span.dilation == 1):
            return self._line(x, skipped)
        return self._steps(x, skipped)

    def finish(self, *frames: Tensor) -> Tensor:
        """Take the last frames, and the padding behind them."""
        return self.push(torch.cat([frames[0], self._padding(self.span.right)], dim=-1))

    def _line(self, x: Tensor, skipped: int) -> Tensor:
        line = self.ring.line(x)
        if skipped >= x.shape[-1]:
            return self.none()
        return self.operation(line[..., skipped:], self.span.stride, self.span.dilation)

    def _steps(self, x: Tensor, skipped: int) -> Tensor:
        count, written, windows = x.shape[-1], 0, []
        for last in range(skipped, count, self.span.stride):
            self.ring.write(x[..., written:last])
            written = last
            taps = torch.cat([self.ring.read(self.taps), x[..., last : last + 1]], dim=-1)
            windows.append(self.operation(taps, 1, 1))
        self.ring.write(x[..., written:])
        return torch.cat(windows, dim=-1) if windows else self.none()

    def restart(self, streams: Tensor, heard: int) -> None:
        """Let the streams hear padding alone until their own first frame."""
        super().restart(streams, heard)
        self.ring.fill(streams, self.span.value)

    def memory(self) -> dict[str, Tensor]:
        """The last frames."""
        return {"frames": self.ring.ordered()} if self.ring.capacity else {}

    def remember(self, memory: dict[str, Tensor], heard: int, began: Tensor) -> None:
        """Take up the last frames."""
        super().remember(memory, heard, began)
        if self.ring.capacity:
            self.ring.write(memory["frames"])


class RunningMean(Counting):
    """The mean over all frames so far, summed in float64."""

    def __init__(self, source: Timing, blank: Tensor) -> None:
        super().__init__(source, blank, source)

    def clear(self, batch: int) -> None:
        """Sum nothing."""
        super().clear(batch)
        wide = torch.promote_types(self.blank.dtype, torch.float64)
        self.total = self.blank.new_zeros((batch, self.blank.shape[1]), dtype=wide)

    def push(self, *frames: Tensor) -> Tensor:
        """Take the next frames, return the mean up to each."""
        (x,) = frames
        if x.shape[-1] == 0:
            return self.none()
        totals = self.own(x, 0.0).to(self.total.dtype).cumsum(-1) + self.total.unsqueeze(-1)
        places = torch.arange(x.shape[-1], device=x.device) + self.index
        heard = (places - self.origin.unsqueeze(-1) + 1).clamp(min=1)
        self.index += x.shape[-1]
        self.total.copy_(totals[..., -1])
        return (totals / heard.unsqueeze(1)).to(x.dtype)

    def restart(self, streams: Tensor, heard: int) -> None:
        """Begin the streams' sums anew."""
        super().restart(streams, heard)
        self.total[streams] = 0

    def memory(self) -> dict[str, Tensor]:
        """The sums."""
        return {"total": self.total.clone()}

    def remember(self, memory: dict[str, Tensor], heard: int, began: Tensor) -> None:
        """Take up the sums."""
        super().remember(memory, heard, began)
        self.total.copy_(memory["total"])


class Join(Stage):
    """A function of several branches' frames of one index; the faster branches' frames wait."""

    def __init__(
        self, function: Callable[..., Tensor], sources: Sequence[Timing], blanks: Sequence[Tensor]
    ) -> None:
        slowest = max(sources, key=lambda timing: timing.lag)
        blank = function(*[one.new_zeros((1, one.shape[1], 1)) for one in blanks])[..., :0]
        super().__init__(slowest, blank, *sources)
        self.function = function
        self.slowest = sources.index(slowest)
        self.blanks = blanks

    def clear(self, batch: int) -> None:
        """Let only frames from before the recording wait."""
        super().clear(batch)
        self.queues = [
            Queue(
                blank.expand(batch, -1, -1),
                capacity=-((source.lag - self.timing.lag) // source.stride),
                waiting=min(0, source.first) - min(0, self.timing.first),
            )
            for source, blank in zip(self.sources, self.blanks, strict=True)
        ]

    def push(self, *frames: Tensor) -> Tensor:
        """Take all branches' next frames, return the function of those that have met."""
        count = frames[self.slowest].shape[-1]
        met = [queue.exchange(x, count) for queue, x in zip(self.queues, frames, strict=True)]
        return self.function(*met) if count else self.none()

    def memory(self) -> dict[str, Tensor]:
        """The last frames of the faster branches, of which some wait."""
        return {
            f"branch{number}": queue.ring.ordered()
            for number, queue in enumerate(self.queues)
            if queue.ring.capacity
        }

    def remember(self, memory: dict[str, Tensor], heard: int, began: Tensor) -> None:
        """Take up the frames that wait."""
        for number, queue in enumerate(self.queues):
            queue.waiting = self.sources[number].next(heard) - self.timing.next(heard)
            if queue.ring.capacity:
                queue.ring.write(memory[f"branch{number}"])


class HoldBack(Stage):
    """Keeps the last frames until others come, and at the end for good: a crop on the right."""

    def __init__(self, count: int, source: Timing, blank: Tensor) -> None:
        lengths = tuple(n - count for n in source.lengths)
        timing = Timing(source.stride, source.lag + count * source.stride, lengths)
        super().__init__(timing, blank, source)
        self.count = count

    def clear(self, batch: int) -> None:
        """Hold frames from before the recording."""
        super().clear(batch)
        self.queue = Queue(self.none(), self.count, waiting=self.count)

    def push(self, *frames: Tensor) -> Tensor:
        """Take frames in, return as many from before."""
        return self.queue.exchange(frames[0], frames[0].shape[-1])

    def memory(self) -> dict[str, Tensor]:
        """The frames held."""
        return {"frames": self.queue.ring.ordered()}

    def remember(self, memory: dict[str, Tensor], heard: int, began: Tensor) -> None:
        """Take up the frames held."""
        self.queue.ring.write(memory["frames"])
