"""The effective receptive field against closed forms."""

import math

import pytest
import torch
from torch import nn

from penchant.errors import PenchantError
from penchant.geometry import effective_receptive_field, receptive_field


def _chain(count: int, kernel: int = 3) -> nn.Sequential:
    layers = [nn.Conv1d(1, 1, kernel, bias=False) for _ in range(count)]
    for layer in layers:
        nn.init.ones_(layer.weight)
    return nn.Sequential(*layers)


def test_equal_weights_give_the_binomial_width() -> None:
    # n layers of kernel k and equal weights: the variance is n·(k² − 1)/12 (Luo et al., 2016).
    for count in (1, 4, 16):
        field = effective_receptive_field(_chain(count), (1, 1, 101), samples=1)
        assert field.deviation[0] == pytest.approx(math.sqrt(count * 8 / 12), rel=1e-6)
        assert field.centre[0] == pytest.approx(50)
        assert float(field.map.sum()) == pytest.approx(1)


def test_it_lies_within_the_receptive_field_and_is_narrower() -> None:
    layers = [nn.Conv2d(2, 2, 3, padding=1) for _ in range(8)]
    draws = torch.Generator().manual_seed(0)
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, generator=draws)
        nn.init.zeros_(layer.bias)
    model = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))
    field = effective_receptive_field(model, (1, 2, 33, 33), samples=4)
    seen = receptive_field(model, (1, 2, 33, 33)).field.seen((0, None, 16, 16))
    assert not (field.map[~seen] > 0).any()
    assert max(field.width()) < 17 == receptive_field(model, (1, 2, 33, 33)).size[0]
    assert field.width(1.0) <= (17, 17)


def test_a_layer_inside_and_equal_draws() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 2)
    )
    one = effective_receptive_field(model, (1, 1, 8, 8), layer="0")
    assert int((one.map > 0).sum()) == 9
    two = effective_receptive_field(model, (1, 1, 8, 8), layer="0")
    assert torch.equal(one.map, two.map)
    whole = effective_receptive_field(model, (1, 1, 8, 8))
    assert int((whole.map > 0).sum()) == 64
    with pytest.raises(PenchantError, match="layer='conv'"):
        effective_receptive_field(model, (1, 1, 8, 8), layer="conv")
    with pytest.raises(PenchantError, match="width"):
        one.width(0)
