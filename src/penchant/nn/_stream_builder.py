"""What a streamed network is put together from: frames on their way, and what can follow them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NoReturn

import torch.nn.functional as F
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._stream_stages import (
    Each,
    HoldBack,
    Join,
    Operation,
    Pointwise,
    RunningMean,
    Span,
    Stage,
    Timing,
    Window,
)

WHOLE = "it looks at the whole recording, of which a stream has heard only a part"
UNKNOWN = "stream does not know what it does along time"
EVALUATE = "call model.eval() before stream"

Layout = Literal["time", "channels", "mean"]
CHANNEL_AXES: dict[Layout, tuple[int, int]] = {
    "time": (1, -2),
    "channels": (2, -1),
    "mean": (1, -1),
}
TIME_AXES: dict[Layout, tuple[int, ...]] = {"time": (2, -1), "channels": (1, -2), "mean": ()}


@dataclass(frozen=True)
class Frames:
    """A value on its way: which stage it comes from, and how the network itself lays it out.

    A layout is "time" for (batch, channels, time), "channels" for (batch, time, channels) and
    "mean" for (batch, channels) behind a mean over time. Stages always see the first of them.

    Args:
        place: the stage, counted from 1; 0 is what is heard.
        timing: when the frames come.
        blank: the value without frames, of shape (1, channels, 0).
        layout: see above.
        averaged: whether a mean over time lies behind, so that the network has one frame.
        padding: padding that is asked for and not yet done, since a window may take it up.
    """

    place: int
    timing: Timing
    blank: Tensor
    layout: Layout = "time"
    averaged: bool = False
    padding: Span | None = None


@dataclass
class Plan:
    """The stages in order, each with its layer's path and the places of its inputs."""

    stages: list[Stage] = field(default_factory=list)
    sources: list[tuple[int, ...]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    result: Frames = field(init=False)


class Builder:
    """Adds stages for one layer after the other; `path` and `kind` name the one at hand."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.path = ""
        self.kind = ""

    def refuse(self, why: str) -> NoReturn:
        """Say which layer cannot be streamed, and why."""
        raise PenchantError(f"stream: {self.path} ({self.kind}): {why}")

    def add(self, stage: Stage, *sources: Frames) -> Frames:
        """Put a stage behind its inputs; return its frames."""
        self.plan.stages.append(stage)
        self.plan.sources.append(tuple(source.place for source in sources))
        self.plan.paths.append(self.path)
        place = len(self.plan.stages)
        return replace(
            sources[0], place=place, timing=stage.timing, blank=stage.blank, padding=None
        )

    def each(self, frames: Frames, function: Pointwise) -> Frames:
        """Add a function of each frame alone."""
        frames = self.padded(frames)
        blank = function(frames.blank.new_zeros(1, frames.blank.shape[1], 1))
        if blank.ndim != 3 or blank.shape[-1] != 1:
            self.refuse(UNKNOWN)
        return self.add(Each(function, frames.timing, blank[..., :0]), frames)

    def last_axis(self, frames: Frames, function: Pointwise) -> Frames:
        """Add a function of the last axis, where that is channels."""
        return self.each(frames, lambda x: function(x.transpose(1, 2)).transpose(1, 2))

    def channels(self, frames: Frames, layer: nn.Module, axis: Any) -> Frames:
        """Add a layer that looks along axis 1, which the network says to be `axis`."""
        self.require_channels(frames, axis)
        return self.each(frames, layer)

    def require_channels(self, frames: Frames, axis: Any) -> None:
        """Refuse an axis that is not channels."""
        fits = CHANNEL_AXES[frames.layout]
        if axis not in fits:
            self.refuse(f"dim={axis} is not channels, which are dim={fits[0]} here")

    def in_time(self, frames: Frames) -> Frames:
        """Refuse frames that a layer of windows cannot look along."""
        if frames.layout != "time" or frames.averaged:
            self.refuse(
                "it needs (batch, channels, time); behind a mean over time or a transpose only "
                "layers that look at one frame stream"
            )
        return frames

    def window(self, frames: Frames, span: Span, operation: Operation) -> Frames:
        """Add an operation on windows, with padding before it where one value serves for both."""
        if span != Span():
            self.in_time(frames)
        elif frames.layout != "time":
            self.refuse("it needs (batch, channels, time)")
        before = frames.padding
        if before is not None and before.joins(span):
            frames = replace(frames, padding=None)
            left, right = span.left + before.left, span.right + before.right
            span = replace(span, left=left, right=right, value=before.value)
        frames = self.padded(frames)
        taps = frames.blank.new_zeros(1, frames.blank.shape[1], span.kernel)
        blank = operation(taps, 1, 1)[..., :0]
        return self.add(Window(operation, span, frames.timing, frames.blank, blank), frames)

    def convolution(
        self, frames: Frames, span: Span, weights: Callable[[], Any], groups: int
    ) -> Frames:
        """Add a convolution; its weights are looked up at each step."""

        def operation(x: Tensor, stride: int, dilation: int) -> Tensor:
            weight, bias = weights()
            return F.conv1d(x, weight, bias, stride, 0, dilation, groups)

        return self.window(frames, span, operation)

    def pad(self, frames: Frames, left: int, right: int, value: float = 0.0) -> Frames:
        """Ask for padding on both sides; below 0 it crops."""
        frames = self.padded(self.in_time(frames))
        return replace(frames, padding=Span(left=left, right=right, value=value))

    def padded(self, frames: Frames) -> Frames:
        """Do the padding that is asked for and that no window has taken up."""
        span = frames.padding
        if span is None:
            return frames
        frames = replace(frames, padding=None)
        if span.left or span.right > 0:
            taken = replace(span, right=max(0, span.right))
            every = Window(lambda x, _, __: x, taken, frames.timing, frames.blank, frames.blank)
            frames = self.add(every, frames)
        if span.right < 0:
            frames = self.add(HoldBack(-span.right, frames.timing, frames.blank), frames)
        return frames

    def unpadded(self, frames: Frames, count: int) -> Frames | None:
        """Take back padding on the right, if the frames come straight from a window that has it.

        Cropping them instead would hold each one back until it is known not to be the last.
        """
        stage = self.plan.stages[frames.place - 1] if frames.place else None
        if not isinstance(stage, Window) or stage.span.stride > 1 or stage.span.right < count:
            return None
        span = replace(stage.span, right=stage.span.right - count)
        shorter = Window(stage.operation, span, stage.sources[0], stage.taken, stage.blank)
        self.plan.stages[frames.place - 1] = shorter
        return replace(frames, timing=shorter.timing)

    def mean(self, frames: Frames, keep: bool) -> Frames:
        """Add the mean over time, as it runs; `keep` says whether the network keeps the axis."""
        frames = self.padded(frames)
        frames = self.add(RunningMean(frames.timing, frames.blank), frames)
        return replace(frames, averaged=True, layout=frames.layout if keep else "mean")

    def flatten(self, frames: Frames) -> Frames:
        """Let the network lose the axis of time, which holds one mean."""
        if frames.layout != "time" or not frames.averaged:
            self.refuse(f"it makes time and channels one axis: {WHOLE}")
        return replace(frames, layout="mean")

    def transpose(self, frames: Frames) -> Frames:
        """Let channels and time change places."""
        if frames.layout == "mean":
            self.refuse("only channels and time may change places")
        other: Layout = "channels" if frames.layout == "time" else "time"
        return replace(self.padded(frames), layout=other)

    def meet(self, function: Callable[..., Tensor], branches: Sequence[Frames]) -> Frames:
        """Add a function of several branches' frames of one index."""
        branches = [self.padded(one) for one in branches]
        first, *others = branches
        for one in others:
            if (one.layout, one.averaged) != (first.layout, first.averaged):
                self.refuse("its branches are laid out differently")
            strides = first.timing.stride, one.timing.stride
            if strides[0] != strides[1]:
                self.refuse(
                    f"its branches have a frame every {strides[0]} and every {strides[1]} "
                    "samples; equal strides fit"
                )
            lengths = list(zip(first.timing.lengths, one.timing.lengths, strict=True))
            if all(a != b for a, b in lengths):
                self.refuse(
                    f"its branches differ in length by {abs(lengths[0][0] - lengths[0][1])} "
                    "frames; pad or crop one of them"
                )
        stage = Join(function, [b.timing for b in branches], [b.blank for b in branches])
        return self.add(stage, *branches)
