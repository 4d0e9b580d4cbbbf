"""Grids of small networks: each answers for its tile, and between tiles the answer goes over."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from penchant.errors import PenchantError
from penchant.nn import ACTIVATIONS, TiledNet
from penchant.randomness import generator

REAL = [name for name, member in ACTIVATIONS.items() if not member.is_complex]
CORNER, CELL, BLEND = (-1.0, -0.5, -0.25), (0.5, 0.25, 0.2), (0.1, 0.05, 0.04)


def net(axes: int = 2, activation: str = "sine", tiles: tuple[int, ...] = (4, 3, 2)) -> TiledNet:
    made = TiledNet(
        tiles[:axes],
        2,
        corner=CORNER[:axes],
        cell=CELL[:axes],
        blend=BLEND[:axes],
        width=5,
        depth=2,
        activation=activation,
        seed=1,
    ).double()
    draws = generator(0, "test")
    with torch.no_grad():  # biases start at 0, where their places could be mixed up
        for parameter in made.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=draws).double()
    # Exact in double, where the constructor keeps single precision.
    for name, numbers in (("corner", CORNER), ("cell", CELL), ("blend", BLEND)):
        setattr(made, name, torch.tensor(numbers[:axes], dtype=torch.float64))
    return made


def points(count: int, axes: int, spread: float = 1.2) -> Tensor:
    drawn = torch.rand((count, axes), generator=generator(1, "test"), dtype=torch.float64)
    return (2 * drawn - 1) * spread


def share(place: float, index: int, half: float, last: int) -> float:
    """One tile's weight along one axis, at a place counted in tiles: the formula, case by case."""
    below, above = place - index, index + 1 - place
    if index > 0 and below < half:
        return max(0.0, min(1.0, (below + half) / (2 * half)))
    if index < last and above < half:
        return max(0.0, min(1.0, (above + half) / (2 * half)))
    inside = (below >= 0 or index == 0) and (above > 0 or index == last)
    return 1.0 if inside else 0.0


def slow(network: TiledNet, x: Tensor) -> Tensor:
    """Each point, each tile, one after another."""
    answers = []
    for point in x:
        total = torch.zeros(2, dtype=torch.float64)
        for number, index in enumerate(product(*(range(many) for many in network.tiles))):
            weight, local = 1.0, []
            for axis, i in enumerate(index):
                cell, band = float(network.cell[axis]), float(network.blend[axis])
                place = (float(point[axis]) - float(network.corner[axis])) / cell
                weight *= share(place, i, band / cell / 2, network.tiles[axis] - 1)
                local.append(2 * (place - i) - 1)
            h = torch.tensor(local, dtype=torch.float64)
            for layer, phi in zip(network.layers, network.activations, strict=True):
                h = phi(layer.weight[number] @ h + layer.bias[number, 0])
            total = total + weight * (
                network.head.weight[number] @ h + network.head.bias[number, 0]
            )
        answers.append(total)
    return torch.stack(answers)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_forward_is_the_formula(axes: int) -> None:
    network, x = net(axes), points(60, axes)
    torch.testing.assert_close(network(x), slow(network, x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", REAL)
def test_forward_takes_every_real_activation(activation: str) -> None:
    network, x = net(activation=activation), points(5, 2)
    torch.testing.assert_close(network(x), slow(network, x), rtol=1e-10, atol=1e-10)


def test_many_points_of_one_tile_and_few_of_others() -> None:
    network = net()
    crowd = torch.tensor([[-0.8, -0.4]], dtype=torch.float64) + 0.001 * points(300, 2)
    x = torch.cat([crowd, points(40, 2)])
    torch.testing.assert_close(network(x), slow(network, x), rtol=1e-12, atol=1e-12)
    assert network(x.reshape(17, 20, 2)).shape == (17, 20, 2)
    assert network(x[:0]).shape == (0, 2)


@given(along=st.floats(-1.2, 1.2), across=st.floats(-0.7, 0.4))
def test_weights_sum_to_one(along: float, across: float) -> None:
    network = net()
    with torch.no_grad():  # each tile answers 1
        network.head.weight.zero_()
        network.head.bias.fill_(1)
    answer = network(torch.tensor([[along, across]], dtype=torch.float64))
    assert answer.tolist() == [pytest.approx([1.0, 1.0], abs=1e-12)]


def test_nothing_jumps_at_a_border() -> None:
    network = net()
    line = torch.linspace(-1.1, 1.1, 200_001, dtype=torch.float64)
    x = torch.stack([line, torch.full_like(line, 0.02)], dim=1)
    with torch.no_grad():
        steps = network(x).diff(dim=0).abs().max()
        apart = network.layers[0].weight.std()  # the tiles differ
    assert float(apart) > 0.1
    assert float(steps) < 1e-3


def test_away_from_borders_a_tile_answers_alone() -> None:
    network = net()
    inside = torch.tensor([[-0.75, -0.375]], dtype=torch.float64)  # the first tile's middle
    before = network(inside)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter[1:] += 1
    assert torch.equal(network(inside), before)


def test_gradients_are_those_of_the_formula() -> None:
    network, x = net(), points(30, 2)
    found = torch.autograd.grad(network(x).square().sum(), list(network.parameters()))
    wanted = torch.autograd.grad(slow(network, x).square().sum(), list(network.parameters()))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_each_tile_is_drawn_by_its_activations_rules() -> None:
    network = TiledNet(
        (30, 30), 3, corner=(-1, -1), cell=(0.1, 0.1), blend=(0, 0), width=12, activation="sine"
    )
    first, hidden, head = network.layers[0], network.layers[1], network.head
    largest = [float(layer.weight.detach().abs().max()) for layer in (first, hidden)]
    assert largest[0] == pytest.approx(1 / 2, rel=1e-3)  # SIREN's 1/inputs
    assert largest[1] == pytest.approx(math.sqrt(6 / 12) / 30, rel=0.1)
    assert float(head.bias.detach().abs().max()) == 0
    assert not torch.equal(first.weight[0], first.weight[1])
    again = TiledNet(
        (30, 30), 3, corner=(-1, -1), cell=(0.1, 0.1), blend=(0, 0), width=12, activation="sine"
    )
    assert all(map(torch.equal, network.parameters(), again.parameters()))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"tiles": (4, 0)}, "TiledNet(tiles=0"),
        ({"corner": (-1.0,)}, "corner=(-1.0,)"),
        ({"cell": (0.5, math.nan)}, "cell=(0.5, nan)"),
        ({"cell": (0.5, 0.0)}, "above 0"),
        ({"blend": (0.6, 0.1)}, "at most as wide"),
        ({"activation": "wire"}, "complex"),
        ({"width": 0}, "width=0"),
    ],
)
def test_what_does_not_fit_is_said(words: dict[str, object], said: str) -> None:
    usual = {"tiles": (4, 3), "corner": (-1, -1), "cell": (0.5, 0.5), "blend": (0.1, 0.1)}
    with pytest.raises(PenchantError) as raised:
        TiledNet(**{"outputs": 1, **usual, **words})  # type: ignore[arg-type]
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_points_of_another_number_of_coordinates() -> None:
    with pytest.raises(PenchantError, match="2 coordinates"):
        net()(torch.zeros(5, 3))
