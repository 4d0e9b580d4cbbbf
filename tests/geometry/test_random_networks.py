"""Random networks of all operations: the traced field is what the gradient reaches."""

import random
import re

import pytest
import torch
from geometry.judge import agree
from torch import Tensor, nn
from torch.nn import functional as F

from penchant.geometry import receptive_field

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
MEANS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
ADAPTIVE = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
SMOOTH = ("linear", "bilinear", "trilinear")


class Branches(nn.Module):
    """Two paths, cropped to one size, added or concatenated by channels."""

    def __init__(self, one: nn.Module, two: nn.Module, joined: str) -> None:
        super().__init__()
        self.one, self.two, self.joined = one, two, joined

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.one(x), self.two(x)
        cut = [slice(0, min(p, q)) for p, q in zip(a.shape[2:], b.shape[2:], strict=True)]
        a, b = a[(..., *cut)], b[(..., *cut)]
        return a + b if self.joined == "added" else torch.cat([a, b], 1)[:, 1:3]


class Cut(nn.Module):
    def __init__(self, axis: int, start: int, step: int) -> None:
        super().__init__()
        self.axis, self.start, self.step = axis, start, step

    def forward(self, x: Tensor) -> Tensor:
        places: list[slice] = [slice(None)] * x.dim()
        places[self.axis] = slice(self.start, None, self.step)
        return x[tuple(places)]


class Windows(nn.Module):
    """A layer applied to windows that are cut out."""

    def __init__(self, size: int, step: int) -> None:
        super().__init__()
        self.size, self.step = size, step
        self.mix = nn.Linear(size, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.mix(x.unfold(2, self.size, self.step)).squeeze(-1), inplace=True)


def _padding(draw: random.Random, axes: int) -> nn.Module:
    kind = draw.choice(("Constant", "Reflection", "Replication", "Circular"))
    pads = tuple(draw.randint(0, 1) for _ in range(2 * axes))
    layer = getattr(nn, f"{kind}Pad{axes}d")
    return layer(pads, 0.0) if kind == "Constant" else layer(pads)


EVERYWHERE = (
    *("conv", "conv", "conv", "depthwise", "transposed", "maximum", "mean", "nearest", "smooth"),
    *("pad", "cut", "norm", "activation", "windows", "branches", "branches"),
)
KINDS = (*EVERYWHERE, "adaptive", "aligned")


def _layer(
    draw: random.Random, axes: int, depth: int = 0, kinds: tuple[str, ...] = KINDS
) -> nn.Module:
    def numbers(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw.randint(low, high) for _ in range(axes))

    at = axes - 1
    kind = draw.choice(kinds)
    if kind == "conv":
        padding = draw.choice((0, 1, 2))
        return CONVS[at](2, 2, numbers(1, 3), numbers(1, 2), padding, numbers(1, 2))
    if kind == "depthwise":
        return CONVS[at](2, 2, 3, padding=1, groups=2)
    if kind == "transposed":
        return TRANSPOSED[at](2, 2, numbers(1, 3), numbers(1, 2))
    if kind == "maximum":
        return POOLS[at](2, numbers(1, 2), 1, ceil_mode=draw.random() < 0.5)
    if kind == "mean":
        return MEANS[at](numbers(2, 3), numbers(1, 2), 1)
    if kind == "adaptive":
        return ADAPTIVE[at](numbers(2, 6))
    if kind == "nearest":
        return nn.Upsample(scale_factor=draw.choice((2, 1.5)))
    if kind in ("smooth", "aligned"):
        return nn.Upsample(scale_factor=2, mode=SMOOTH[at], align_corners=kind == "aligned")
    if kind == "pad":
        return _padding(draw, axes)
    if kind == "cut":
        return Cut(draw.randint(2, axes + 1), draw.randint(0, 1), draw.randint(1, 2))
    if kind == "norm":
        return NORMS[at](2).train(draw.random() < 0.5)
    if kind == "activation":
        return draw.choice((nn.ReLU(inplace=True), nn.GELU(), nn.Tanh()))
    if kind == "windows":
        return Windows(draw.randint(1, 3), draw.randint(1, 2))
    if depth > 1:
        return nn.Identity()
    one, two = (_stack(draw, axes, draw.randint(0, 2), depth + 1, kinds) for _ in range(2))
    return Branches(one, two, draw.choice(("added", "concatenated")))


def _stack(
    draw: random.Random, axes: int, count: int, depth: int = 0, kinds: tuple[str, ...] = KINDS
) -> nn.Sequential:
    return nn.Sequential(*(_layer(draw, axes, depth, kinds) for _ in range(count)))


def _runs(model: nn.Module, shape: tuple[int, ...]) -> bool:
    try:
        with torch.no_grad():
            out = model(torch.rand(shape))
    except RuntimeError:
        return False
    return 0 < out.numel() < 20_000


def _judge(seeds: range, looks: int) -> None:
    judged = 0
    for seed in seeds:
        draw = random.Random(f"network {seed}")
        axes = draw.choice((1, 1, 2, 2, 3))
        lengths = tuple(draw.randint(5, (20, 10, 6)[axes - 1]) for _ in range(axes))
        model = _stack(draw, axes, draw.randint(1, 6))
        shape = (2, 2, *lengths)
        if _runs(model, shape):
            agree(model, shape, looks=looks, seed=str(seed))
            judged += 1
    assert judged > len(seeds) // 2


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_random_networks_see_what_the_gradient_reaches() -> None:
    _judge(range(30), looks=6)


def test_size_stride_and_start_hold_far_from_the_edges() -> None:
    judged = 0
    for seed in range(35):
        draw = random.Random(f"endless {seed}")
        model = _stack(draw, 1, draw.randint(1, 5), kinds=EVERYWHERE)
        shape = (1, 2, draw.randint(240, 260))
        if not _runs(model, shape):
            continue
        axis = receptive_field(model, shape).field.axes[0]
        if axis.stride is None:
            assert axis.size is None, axis.note
            assert "misaligned" in axis.note
            continue
        found = re.search(r"every (\d+) outputs", axis.note)
        period = int(found[1]) if found else 1
        first = len(axis.rows) // 2 // period * period
        rows = [axis.positions(first + phase) for phase in range(period)]
        assert axis.size == max(row[-1] - row[0] + 1 for row in rows if row)
        seen = next(row for row in rows if row)
        moved = axis.start + axis.stride * first
        assert seen == tuple(moved + offset for offset in axis.offsets)
        judged += 1
    assert judged > 15


@pytest.mark.slow
def test_many_random_networks_see_what_the_gradient_reaches() -> None:
    _judge(range(30, 300), looks=6)
