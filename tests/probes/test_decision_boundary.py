"""Decision boundaries: closed forms of length and turning, convergence, and bad input."""

import math
from collections.abc import Callable

import pytest
import torch
from probes.networks import assert_untouched, state_of
from scipy.integrate import quad
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import CoordinateNet
from penchant.probes import decision_boundary


class Of(nn.Module):
    """A function of points as a classifier with one logit."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def turned(x: Tensor, angle: float) -> Tensor:
    cos, sin = math.cos(angle), math.sin(angle)
    return x @ torch.tensor([[cos, -sin], [sin, cos]], dtype=x.dtype)


def wave(x: Tensor) -> Tensor:
    return x[:, 1] - 0.4 * torch.sin(2 * math.pi * x[:, 0])


def zigzag(x: Tensor) -> Tensor:
    """A triangle wave of slope ±1.6, with kinks at four places within [-1, 1]."""
    return x[:, 1] - 0.8 / math.pi * torch.asin(torch.sin(2 * math.pi * x[:, 0]))


STEEPEST = 0.4 * 2 * math.pi
WAVE_LENGTH = quad(lambda t: math.hypot(1, STEEPEST * math.cos(2 * math.pi * t)), -1, 1)[0]
CLOSED_FORMS = {
    "circle": (lambda x: 0.7 - x.norm(dim=1), 1.4 * math.pi, 2 * math.pi, 1),
    "line": (lambda x: turned(x, 0.3)[:, 0] - 0.1, 2 / math.cos(0.3), 0.0, 1),
    "two lines": (lambda x: turned(x, 0.3)[:, 0].abs() - 0.4, 4 / math.cos(0.3), 0.0, 2),
    "rotated square": (lambda x: 0.6 - turned(x, 0.4).abs().amax(1), 4.8, 4 * math.pi / 2, 1),
    # From one inflection to the next, a wave turns by twice the angle of its steepest slope.
    "wave": (wave, WAVE_LENGTH, 8 * math.atan(STEEPEST), 1),
    "zigzag": (zigzag, 2 * math.hypot(1, 1.6), 8 * math.atan(1.6), 1),
}


@pytest.mark.parametrize("shape", CLOSED_FORMS)
def test_length_and_turning_are_those_of_closed_forms(shape: str) -> None:
    function, length, turning, pieces = CLOSED_FORMS[shape]
    found = decision_boundary(Of(function))
    assert found.length == pytest.approx(length, rel=3e-3)
    assert found.turning == pytest.approx(turning, abs=5e-3)
    assert (found.pieces, found.findings) == (pieces, ())
    assert found.curvature == pytest.approx(turning / length, abs=0.01)


@pytest.mark.parametrize("shape", ["circle", "wave", "rotated square"])
def test_length_converges_from_below(shape: str) -> None:
    function, length, _, _ = CLOSED_FORMS[shape]
    exact = Of(function)
    exact.unused = nn.Parameter(torch.zeros((), dtype=torch.float64))  # asks for float64
    for cells in (32, 128, 512):
        missing = length - decision_boundary(exact, cells=cells).length
        # Smooth curves come to second order; a square loses less than a cell's diagonal a corner.
        most = 4 * 2**1.5 / cells if shape == "rotated square" else 20 / cells**2
        assert 0 < missing < most


def test_turning_grows_to_the_integral_as_the_scale_shrinks() -> None:
    found = [decision_boundary(Of(wave), cells=1024, scale=s).turning for s in (0.6, 0.15, 0.02)]
    expected = CLOSED_FORMS["wave"][2]
    assert found[0] < found[1] < found[2] == pytest.approx(expected, abs=2e-3)


def test_what_is_finer_than_the_scale_does_not_count() -> None:
    rough = Of(lambda x: x[:, 1] - 0.005 * torch.sin(2 * math.pi * 20 * x[:, 0]))
    fine = decision_boundary(rough, cells=1024, scale=0.004)
    assert fine.turning == pytest.approx(160 * math.atan(0.2 * math.pi), rel=0.05)
    assert decision_boundary(rough, scale=0.25).turning < fine.turning / 100


def test_two_logits_are_as_good_as_their_difference() -> None:
    net = CoordinateNet(2, 2, width=16, depth=2, activation="gelu", seed=1)
    one = decision_boundary(net)
    other = decision_boundary(Of(lambda x: net(x)[:, 1:] - net(x)[:, :1]))
    assert one.length > 0
    assert other.length == pytest.approx(one.length, rel=1e-6)
    assert other.turning == pytest.approx(one.turning, abs=1e-3)


def test_units_and_boxes_are_the_plane_s_own() -> None:
    wide = Of(lambda x: 7 - (x - torch.tensor([100.0, 50.0])).norm(dim=1))
    found = decision_boundary(wide, ((90, 130), (40, 60)))
    assert found.length == pytest.approx(14 * math.pi, rel=1e-3)
    assert found.turning == pytest.approx(2 * math.pi, abs=1e-2)
    (curve,) = found.curves
    assert curve.min(axis=0) == pytest.approx([93, 43], abs=0.05)


def test_no_boundary_and_planes_of_zeros() -> None:
    none = decision_boundary(Of(lambda x: x[:, 0] * 0 + 1))
    assert (none.length, none.turning, none.pieces) == (0, 0, 0)
    assert math.isnan(none.curvature) and "no decision boundary" in str(none)
    # Where both logits are equal the first class has it: the border of what is above 0.
    flat = decision_boundary(Of(lambda x: torch.relu(x[:, 0] - 0.3)))
    assert flat.length == pytest.approx(2, abs=1e-3)


def test_too_coarse_a_grid_is_said() -> None:
    islands = Of(lambda x: torch.sin(40 * x[:, 0]) * torch.sin(40 * x[:, 1]) - 0.7)
    (finding,) = decision_boundary(islands, cells=64).findings
    assert finding.kind == "undersampled" and "take more cells" in finding.sentence
    assert decision_boundary(islands, cells=512).findings == ()


def test_the_network_is_left_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2))
    before = state_of(net)
    decision_boundary(net, cells=16)
    assert_untouched(net, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"box": ((-1, 1), (1, -1))}, "needs from and to along each coordinate"),
        ({"box": (-1, 1)}, "needs from and to"),
        ({"box": ((-1, 1), (0, math.inf))}, "needs from and to"),
        ({"cells": 2}, "a whole number of at least 4"),
        ({"scale": 0.001}, "at least 0.015625, twice a cell's side"),
        ({"scale": math.nan}, "at least 0.015625"),
    ],
)
def test_bad_words_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(PenchantError, match=message):
        decision_boundary(nn.Linear(2, 2), **options)


def test_bad_networks_are_refused() -> None:
    with pytest.raises(PenchantError, match=r"answered with shape \(\d+, 3\); .* would fit"):
        decision_boundary(nn.Linear(2, 3))
    with pytest.raises(PenchantError, match="not all finite"):
        decision_boundary(Of(lambda x: x[:, 0] / 0))
    with pytest.raises(PenchantError, match=r"a torch\.nn\.Module would fit"):
        decision_boundary(lambda x: x)  # type: ignore[arg-type]
