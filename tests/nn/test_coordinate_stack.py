"""A stack answers, and is differentiated, as its networks one by one."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import (
    ACTIVATIONS,
    CoordinateNet,
    CoordinateStack,
    activation,
    stacked,
    unstackable,
)

CLOSED = [name for name, member in ACTIVATIONS.items() if member.closed_form]
SCALED = [name for name in CLOSED if ACTIVATIONS[name].default_scale != 1]
RUNS, POINTS = 3, 7


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def nets(phi: str = "sine", encoding: str = "none", **fields: object) -> list[CoordinateNet]:
    words: dict = {"width": 9, "depth": 2, **fields}
    return [
        CoordinateNet(2, 3, activation=phi, encoding=encoding, seed=seed, **words)
        for seed in range(RUNS)
    ]


def of_scales(phi: str, scales: tuple[float, ...] = (1.0, 4.0, 9.0)) -> list[CoordinateNet]:
    return [
        CoordinateNet(2, 3, width=9, depth=2, activation=activation(phi, scale=scale), seed=seed)
        for seed, scale in enumerate(scales)
    ]


def points() -> Tensor:
    draws = torch.Generator().manual_seed(5)
    return torch.rand((RUNS, POINTS, 2), generator=draws) * 2 - 1


def hold_to_solo(networks: list[CoordinateNet]) -> None:
    stack, x = stacked(networks), points()
    answers = stack(x)
    answers.square().sum().backward()
    for run, network in enumerate(networks):
        own = network(x[run])
        torch.testing.assert_close(answers[run], own, rtol=1e-12, atol=1e-12)
        gradients = torch.autograd.grad(own.square().sum(), list(network.parameters()))
        for one, parameter in zip(gradients, stack.parameters(), strict=True):
            mine = parameter.grad[run].view_as(one)
            torch.testing.assert_close(mine, one, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("encoding", ["none", "nerf", "fourier", "oneblob"])
def test_each_network_answers_for_itself(encoding: str) -> None:
    hold_to_solo(nets(encoding=encoding))


@pytest.mark.parametrize("phi", CLOSED)
def test_any_real_activation_of_the_table(phi: str) -> None:
    hold_to_solo(nets(phi))


@pytest.mark.parametrize("phi", SCALED)
def test_scales_may_differ(phi: str) -> None:
    hold_to_solo(of_scales(phi))


def test_numbers_go_in_and_come_back() -> None:
    networks = nets(encoding="fourier")
    before = [[p.clone() for p in network.parameters()] for network in networks]
    stack = stacked(networks)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.mul_(2)
    assert all(
        torch.equal(p, q)
        for network, own in zip(networks, before, strict=True)
        for p, q in zip(network.parameters(), own, strict=True)
    ), "the stack's numbers are its own until they are asked for"
    back = stack.networks()
    assert all(one is other for one, other in zip(back, networks, strict=True))
    for network, own in zip(back, before, strict=True):
        for p, q in zip(network.parameters(), own, strict=True):
            assert torch.equal(p, 2 * q)


def test_a_nan_stays_where_it_is() -> None:
    networks = nets()
    whole = stacked(networks)(points())
    with torch.no_grad():
        networks[1].layers[0].weight.fill_(torch.nan)
    broken = stacked(networks)(points())
    assert broken[1].isnan().all()
    assert torch.equal(broken[::2], whole[::2])


class Widened(CoordinateNet):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def frozen() -> CoordinateNet:
    network = nets()[0]
    network.head.bias.requires_grad_(False)
    return network


@pytest.mark.parametrize(
    ("networks", "reason"),
    {
        "none": ([], "at least one"),
        "another module": ([nn.Linear(2, 3)], "a Linear is no plain CoordinateNet"),
        "own forward": ([Widened(2, 3)], "a Widened is no plain CoordinateNet"),
        "complex": (nets("wire"), "'wire' has no real closed form"),
        "own activation": ([CoordinateNet(2, 3, activation=torch.atan)], "'atan' is the user's"),
        "learned code": (nets(encoding="grid"), "the encoding 'grid' learns"),
        "frozen": ([frozen()], "a parameter is frozen"),
        "shapes": ([*nets(), *nets(width=8)], "shape, type or device"),
        "types": ([*nets(), nets()[0].double()], "shape, type or device"),
        "activations": ([*nets("sine"), *nets("gaussian")], "activation or encoding"),
        "encodings": (
            [CoordinateNet(1, 3, width=9), CoordinateNet(1, 3, width=9, activation="sinc")],
            "activation or encoding",
        ),
        "a rectifier's scales": (of_scales("relu"), "activation or encoding"),
    }.values(),
)
def test_what_cannot_be_stacked_is_named(networks: list[nn.Module], reason: str) -> None:
    assert reason in unstackable(networks)
    with pytest.raises(PenchantError, match=rf"stacked\({len(networks)} networks\): "):
        CoordinateStack(networks)
