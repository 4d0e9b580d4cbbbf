import pytest
import torch
from probes.networks import assert_untouched, state_of
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.probes import shift_response
from penchant.randomness import generator


def pictures(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator(0, "test/shift"), dtype=torch.float64)


@pytest.fixture(autouse=True)
def stream() -> None:
    torch.manual_seed(0)


def circular(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, padding_mode="circular")


def test_circular_convolutions_follow_to_rounding() -> None:
    net = nn.Sequential(
        circular(1, 4), nn.ReLU(inplace=True), nn.MaxPool2d(2), circular(4, 4, 2), nn.Tanh(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    ).double()  # fmt: skip
    report = shift_response(net, pictures(6, 1, 16, 16), (1, 2, 4))
    strides = {layer.name: layer.stride for layer in report.layers}
    assert strides == {"0": 1, "1": 1, "2": 2, "3": 4, "4": 4}
    for layer in report.layers:
        assert layer.exact == tuple(shift % layer.stride == 0 for shift in report.shifts)
        for error, exact in zip(layer.errors, layer.exact, strict=True):
            assert (error < 1e-12) == exact
    assert report.change[2] < 1e-12
    assert report.flips[2] == 0
    assert report.change[0] > 0.01
    assert "no multiple of the stride" in str(report)


def test_a_dense_network_does_not_follow() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(144, 20), nn.ReLU(), nn.Linear(20, 10)).double()
    report = shift_response(net, pictures(32, 1, 12, 12))
    assert report.layers == ()
    assert 0.8 < report.change[0] < 1.2  # as for other pictures, of white noise
    assert report.flips[0] > 0.5


def test_a_mean_does_not_move() -> None:
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 3)).double()
    report = shift_response(net, pictures(8, 1, 8, 8), 3)
    assert report.change[0] < 1e-12
    assert report.flips == (0.0,)


def test_borders_are_left_out() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 3, 3)).double()
    report = shift_response(net, pictures(4, 1, 24, 24), (1, 3))
    assert all(error < 1e-12 for layer in report.layers for error in layer.errors)


def test_a_layer_that_knows_its_place_is_found() -> None:
    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = circular(1, 2)
            self.norm = nn.LayerNorm([2, 16, 16])

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.conv(x))

    net = Placed().double()
    with torch.no_grad():
        net.norm.weight.copy_(pictures(2, 16, 16))
    report = shift_response(net, pictures(4, 1, 16, 16))
    errors = {layer.name: layer.errors[0] for layer in report.layers}
    assert errors["conv"] < 1e-12
    assert errors["norm"] > 0.5


def test_the_error_against_a_slow_reference() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, stride=2)).double()
    x = pictures(3, 1, 16, 16)
    (layer,) = shift_response(net, x, 1).layers
    with torch.no_grad():
        there = net(x)
        squares = []
        for rows, columns in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            moved = net(x.roll((rows, columns), (2, 3)))
            apart = moved - there.roll((rows, columns), (2, 3))  # 1/2 a cell, counted as 1
            top, left = 1 + max(rows, 0), 1 + max(columns, 0)
            bottom, right = 7 + min(rows, 0), 7 + min(columns, 0)
            squares.append(apart[:, :, top:bottom, left:right].square().mean())
        spread = (there - there.mean((0, 2, 3), keepdim=True)).square().mean()
    assert layer.errors[0] == pytest.approx(
        float(torch.stack(squares).mean() / (2 * spread)) ** 0.5
    )


def test_random_layers_draw_the_same_for_every_shift() -> None:
    net = nn.Sequential(circular(1, 2), nn.Dropout2d(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    report = shift_response(net.double().train(), pictures(8, 1, 8, 8))
    assert report.change[0] < 1e-12


def test_nothing_of_the_network_changes() -> None:
    net = nn.Sequential(circular(1, 2), nn.BatchNorm2d(2), nn.ReLU(inplace=True)).double().train()
    before = state_of(net)
    shift_response(net, pictures(4, 1, 8, 8))
    assert_untouched(net, before)


@pytest.mark.parametrize(
    ("network", "inputs", "shift", "said"),
    [
        (None, pictures(4, 1, 8, 8), 1, "a torch.nn.Module would fit"),
        (circular(1, 1), pictures(4, 8), 1, "pictures N×C×H×W"),
        (circular(1, 1), pictures(1, 1, 8, 8), 1, "at least 2 pictures"),
        (circular(1, 1), pictures(0, 1, 8, 8), 1, "at least 1 sample"),
        (circular(1, 1), pictures(2, 1, 8, 8) / 0, 1, "nan or infinite"),
        (circular(1, 1), pictures(2, 1, 8, 8), 8, "from 1 to 7"),
        (circular(1, 1), pictures(2, 1, 8, 8), (1, 0), "from 1 to 7"),
        (circular(1, 1), pictures(2, 1, 8, 8), 0.5, "from 1 to 7"),
        (circular(1, 1), pictures(2, 1, 8, 8), (), "holds no shift"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(network, inputs, shift, said: str) -> None:
    with pytest.raises(PenchantError, match=said):
        shift_response(network, inputs, shift)


def test_a_network_that_decides_by_its_numbers_is_measured() -> None:
    class Deciding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = circular(1, 2, 2)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            return y.mean((2, 3)) if float(y.detach().sum()) < 1e9 else y[:, :, 0, 0]

    report = shift_response(Deciding().double(), pictures(4, 1, 16, 16), 2)
    assert report.change[0] < 1e-12
    assert all(error < 1e-12 for layer in report.layers for error in layer.errors)


def test_an_answer_that_is_a_map_is_no_answer() -> None:
    report = shift_response(circular(1, 2).double(), pictures(4, 1, 8, 8))
    assert "-" in str(report)
    assert report.sentence == (
        "Under a shift by 1 pixel the last map that can follow (the network) is off by 0.0%."
    )
