"""The last frames of a stream, in a ring: a frame is put in or taken out without moving others."""

import torch
from torch import Tensor

from penchant.errors import PenchantError


class Ring:
    """The last `capacity` frames, oldest first from slot `head` on.

    Args:
        blank: a tensor of shape (batch, channels, 0) whose type and device the frames take.
        capacity: frames kept.
        value: what the frames are before any is written.

    Example:
        >>> ring = Ring(torch.empty(1, 1, 0), capacity=3)
        >>> ring.write(torch.tensor([[[1.0, 2.0]]]))
        >>> ring.ordered()
        tensor([[[0., 1., 2.]]])
    """

    def __init__(self, blank: Tensor, capacity: int, value: float = 0.0) -> None:
        batch, channels, _ = blank.shape
        self.frames = blank.new_full((batch, channels, capacity), value)
        self.capacity = capacity
        self.head = 0

    def write(self, frames: Tensor) -> None:
        """Put frames in, in place of the oldest."""
        count = frames.shape[-1]
        if count == 0 or self.capacity == 0:
            return
        if count >= self.capacity:
            self.frames.copy_(frames[..., count - self.capacity :])
            self.head = 0
            return
        before_wrap = min(count, self.capacity - self.head)
        self.frames[..., self.head : self.head + before_wrap] = frames[..., :before_wrap]
        self.frames[..., : count - before_wrap] = frames[..., before_wrap:]
        self.head = (self.head + count) % self.capacity

    def read(self, places: Tensor) -> Tensor:
        """Copy the frames at these places, counted from the oldest (negative: from the newest)."""
        return self.frames.index_select(-1, (places + self.head) % self.capacity)

    def ordered(self) -> Tensor:
        """Copy all frames, oldest first."""
        return torch.cat([self.frames[..., self.head :], self.frames[..., : self.head]], dim=-1)

    def line(self, frames: Tensor) -> Tensor:
        """Put frames in, and return all that were there with them behind, oldest first."""
        held = [self.frames[..., self.head :], self.frames[..., : self.head]]
        line = torch.cat([*held, frames] if self.head else [self.frames, frames], dim=-1)
        self.frames.copy_(line[..., frames.shape[-1] :])
        self.head = 0
        return line

    def fill(self, streams: Tensor, value: float) -> None:
        """Make all frames of some streams of the batch one value."""
        self.frames[streams] = value


class Queue:
    """Frames that wait for those of a slower branch, first in, first out.

    Args:
        blank: a tensor of shape (batch, channels, 0) whose type and device the frames take.
        capacity: the most frames that wait.
        waiting: frames that wait at the start, all zero.
    """

    def __init__(self, blank: Tensor, capacity: int, waiting: int = 0) -> None:
        self.ring = Ring(blank, capacity)
        self.waiting = waiting

    def exchange(self, frames: Tensor, count: int) -> Tensor:
        """Put frames in and take the `count` oldest out."""
        given = frames.shape[-1]
        kept = min(self.waiting, count)
        through = count - kept
        if through > given or self.waiting + given - count > self.ring.capacity:
            raise PenchantError(
                f"stream: {self.waiting + given} frames of one branch meet {count} of another at "
                "the recording's end; branches of one length fit, here as in the whole pass"
            )
        out = frames[..., :through]
        if kept:
            places = torch.arange(-self.waiting, kept - self.waiting, device=frames.device)
            out = torch.cat([self.ring.read(places), out], dim=-1)
        self.ring.write(frames[..., through:])
        self.waiting += given - count
        return out
