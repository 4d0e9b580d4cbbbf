"""Regions of the plane whose borders are known: smooth ones, and ones made of straight pieces.

They come in pairs that differ in smoothness and little else: a circle and a square of equal area,
a wave and a zigzag of equal height and period, one straight line and several. So a bias towards
straight or smooth borders can help on one of a pair and hurt on the other.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

_RADIUS, _HEIGHT = 0.7, 0.4
_PERIOD = 1.0
"""Of waves, zigzags and stripes: two in the box."""

Points = Float[Tensor, " points"]


def _line(x: Points, y: Points) -> Points:
    return x


def _stripes(x: Points, y: Points) -> Points:
    return torch.sin(2 * math.pi / _PERIOD * x)


def _circle(x: Points, y: Points) -> Points:
    return _RADIUS - torch.hypot(x, y)


def _square(x: Points, y: Points) -> Points:
    return math.sqrt(math.pi) / 2 * _RADIUS - torch.maximum(x.abs(), y.abs())


def _wave(x: Points, y: Points) -> Points:
    return y - _HEIGHT * torch.sin(2 * math.pi / _PERIOD * x)


def _zigzag(x: Points, y: Points) -> Points:
    return y - _HEIGHT * 2 / math.pi * torch.asin(torch.sin(2 * math.pi / _PERIOD * x))


SHAPES: dict[str, Callable[[Points, Points], Points]] = {
    "line": _line,
    "stripes": _stripes,
    "circle": _circle,
    "square": _square,
    "wave": _wave,
    "zigzag": _zigzag,
}
"""By name, a function of the plane that is positive inside."""


class PlaneShape(nn.Module):
    """A region of the plane as a classifier that makes no mistake: one logit, positive inside.

    Args:
        shape: its name in `SHAPES`.
        angle: by which it is turned about 0, in radians.

    Example:
        >>> PlaneShape("circle")(torch.tensor([[0.0, 0.0], [0.9, 0.0]])).sign()
        tensor([[ 1.],
                [-1.]])
    """

    def __init__(self, shape: str, angle: float = 0.0) -> None:
        super().__init__()
        self.shape, self.angle = shape, angle

    def forward(self, points: Float[Tensor, "points 2"]) -> Float[Tensor, "points 1"]:
        """Return what is positive inside, zero on the border."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        x, y = points.unbind(1)
        return SHAPES[self.shape](cos * x + sin * y, cos * y - sin * x)[:, None]
