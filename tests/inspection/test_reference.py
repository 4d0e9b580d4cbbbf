"""Counts against slow, obvious formulas, and against what torch itself does."""

import random
from itertools import pairwise

import pytest
import torch
from inspection.networks import Attention
from torch import nn

from penchant.inspection import inspect


def _by_hand(layer: nn.Module, before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """Multiply-adds, one output at a time."""
    if isinstance(layer, nn.Conv2d):
        height, width = layer.kernel_size
        each = layer.in_channels // layer.groups * height * width
        return sum(each for _ in range(after[0] * after[1] * after[2] * after[3]))
    if isinstance(layer, nn.ConvTranspose2d):
        height, width = layer.kernel_size
        each = layer.out_channels // layer.groups * height * width
        return sum(each for _ in range(before[0] * before[1] * before[2] * before[3]))
    if isinstance(layer, nn.Linear):
        rows = after[0] if len(after) == 2 else after[0] * after[1] * after[2]
        return sum(layer.in_features for _ in range(rows * layer.out_features))
    return 0


def _network(draw: random.Random) -> nn.Sequential:
    groups = draw.choice((1, 2))
    channels = [2 * draw.randint(1, 3) for _ in range(4)]
    parts: list[nn.Module] = []
    for before, after in pairwise(channels):
        kind = draw.choice((nn.Conv2d, nn.Conv2d, nn.ConvTranspose2d))
        size, bias = (draw.randint(1, 3), draw.randint(1, 3)), draw.random() < 0.5
        parts.append(kind(before, after, size, draw.randint(1, 2), groups=groups, bias=bias))
        extra = (nn.ReLU(), nn.BatchNorm2d(after), nn.MaxPool2d(2, ceil_mode=True), nn.Identity())
        parts.append(draw.choice(extra))
    return nn.Sequential(*parts, nn.Linear(1, 1)) if draw.random() < 0.1 else nn.Sequential(*parts)


@pytest.mark.parametrize("seed", range(30))
def test_random_networks(seed: int) -> None:
    draw = random.Random(seed)
    network = _network(draw)
    if isinstance(network[-1], nn.Linear):
        network = nn.Sequential(*network[:-1], nn.Flatten(2))
    shape = (network[0].in_channels, draw.randint(30, 40), draw.randint(30, 40))
    found = inspect(network, shape, fields=False)
    x = torch.zeros(1, *shape)
    assert len(found.layers) == len(network)
    for layer, module in zip(found.layers, network.eval(), strict=True):
        y = module(x)
        before, after = tuple(x.shape), tuple(y.shape)
        assert (layer.inputs, layer.outputs) == ((before,), (after,))
        assert layer.multiply_adds == _by_hand(module, before, after)
        assert layer.parameters == sum(p.numel() for p in module.parameters())
        if layer.formula:
            ends = {int(part.rsplit("= ", 1)[1]) for part in layer.formula.split("; ")}
            assert ends <= set(after[2:])
        x = y
    assert found.outputs == (tuple(x.shape),)


def _attention_by_hand(tokens: int, width: int) -> int:
    weights = tokens * width * 4 * width
    return weights + 2 * tokens * tokens * width


def test_attention_is_counted() -> None:
    hand = _attention_by_hand(10, 16)
    found = inspect(Attention(), (10, 16), fields=False)
    assert found.multiply_adds == hand
    place, _, _, attention, _, joined = found.layers
    assert (attention.kind, attention.multiply_adds) == ("scaled_dot_product_attention", 3200)
    assert [(one.kind, one.parameters) for one in (place, joined)] == [("add", 160), ("add", 0)]
    encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    assert inspect(encoder, (10, 16)).multiply_adds == hand + 2 * 10 * 16 * 32
    layer = nn.MultiheadAttention(16, 2, batch_first=True)
    assert inspect(layer, [(10, 16)] * 3).layers[0].parameters == 4 * (16 * 16 + 16)


class Decides(nn.Module):
    """Runs on numbers alone."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.ModuleList([Attention(), nn.LSTM(16, 8, batch_first=True)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool((x > 1).any()):
            return x
        return self.inside[1](self.inside[0](x))[0]


def test_what_runs_on_numbers_is_counted_alike() -> None:
    found = inspect(Decides(), (10, 16), fields=False)
    assert any("run on zeros" in note for note in found.notes)
    lstm = 10 * 4 * 8 * (16 + 8)
    assert found.multiply_adds == _attention_by_hand(10, 16) + lstm
    assert inspect(nn.LSTM(16, 8), (10, 16), fields=False).multiply_adds == lstm


class Products(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.zeros(5, 4))
        self.bilinear = nn.Bilinear(4, 5, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        vector = self.matrix @ x[0]
        return self.bilinear(x, vector[None]) + torch.dot(vector, vector)


def test_products_with_vectors_and_bilinear_forms() -> None:
    found = inspect(Products(), (4,), fields=False)
    assert [layer.multiply_adds for layer in found.layers] == [20, 120, 5]
