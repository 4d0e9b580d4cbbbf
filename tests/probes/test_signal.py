"""Signal propagation against mean field theory, and Jacobians against matrices."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from probes.cases import FAULTS, HEALTHY, ResNet, batch, drawn, train
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.probes import signal_propagation


def wide(
    activation: Callable[[], nn.Module], gain: float, bias: float = 0.0, *, depth: int = 12
) -> Callable[[], nn.Module]:
    """A network of width 1,000 in float64 with variances gain²/n and bias²."""

    def build() -> nn.Module:
        layers: list[nn.Module] = []
        for _ in range(depth):
            linear = nn.Linear(1000, 1000, dtype=torch.float64)
            nn.init.normal_(linear.weight, 0, gain / math.sqrt(1000))
            nn.init.normal_(linear.bias, 0, bias)
            layers += [linear, activation()]
        return nn.Sequential(*layers[:-1], nn.Linear(1000, 2, dtype=torch.float64))

    return build


def inputs(correlation: float = 0.0, samples: int = 12) -> Tensor:
    draws = torch.Generator().manual_seed(3)
    common, own = torch.randn(2, samples, 1000, generator=draws, dtype=torch.float64)
    return math.sqrt(correlation) * common[:1] + math.sqrt(1 - correlation) * own


NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(81)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def tanh_theory(gain: float, bias: float) -> tuple[float, float, float]:
    """q*, c* and χ₁ of tanh, by iterating the mean field maps."""
    q, c = 1.0, 0.5
    for _ in range(2000):
        q = gain**2 * float(WEIGHTS @ np.tanh(math.sqrt(q) * NODES) ** 2) + bias**2
    one, other = np.meshgrid(NODES, NODES, indexing="ij")
    for _ in range(200):
        second = c * one + math.sqrt(max(1 - c * c, 0)) * other
        joint = np.tanh(math.sqrt(q) * one) * np.tanh(math.sqrt(q) * second)
        c = (gain**2 * float(WEIGHTS @ joint @ WEIGHTS) + bias**2) / max(q, 1e-300)
    slope = 1 - np.tanh(math.sqrt(q) * NODES) ** 2
    return q, c, gain**2 * float(WEIGHTS @ slope**2)


def test_relu_keeps_the_size_and_follows_the_arc_cosine_kernel() -> None:
    report = signal_propagation(drawn(wide(nn.ReLU, math.sqrt(2)), 0), inputs())
    hidden = report.layers[1:-1]
    sizes = [layer.variance + layer.mean**2 for layer in hidden]
    # A network of width n drifts by √(5/n) a layer: 7 %.
    assert (sizes[-1] / sizes[0]) ** (1 / len(sizes)) == pytest.approx(1, abs=0.05)
    assert sizes[0] == pytest.approx(2, rel=0.05)
    for before, after in pairwise(hidden):
        c = before.correlation
        expected = (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi
        assert after.correlation == pytest.approx(expected, abs=0.03)
    assert report.phase == "critical"


@pytest.mark.parametrize(
    ("gain", "bias", "phase"),
    [(0.5, 0.3, "ordered"), (0.5, 0.0, "ordered"), (1.5, 0.3, "critical"), (2.5, 0.0, "chaotic")],
)
def test_tanh_is_where_the_theory_has_it(gain: float, bias: float, phase: str) -> None:
    q, c, growth = tanh_theory(gain, bias)
    report = signal_propagation(drawn(wide(nn.Tanh, gain, bias), 0), inputs(0.5))
    last = report.layers[-2]  # the last that is wide
    assert report.phase == phase
    assert report.growth == pytest.approx(growth, rel=0.06)
    assert (report.growth < 1) == (growth < 1)
    if q > 0.01:
        assert last.variance + last.mean**2 == pytest.approx(q, rel=0.08)
        assert last.correlation == pytest.approx(
            c, abs=0.15 if phase == "critical" else 0.08
        )  # slow there
    assert report.sentence.startswith(phase)


def test_a_linear_networks_jacobian_is_its_matrices_product() -> None:
    network = drawn(lambda: nn.Sequential(*(nn.Linear(7, 7) for _ in range(4))), 0).double()
    report = signal_propagation(network, torch.ones(2, 7, dtype=torch.float64).cumsum(0), samples=2)
    product = torch.linalg.multi_dot([layer.weight.detach() for layer in reversed(network)])
    expected = torch.linalg.svdvals(product).tolist()
    for values in report.singular_values:
        assert values == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("training", [False, True])
def test_a_jacobian_is_that_of_torch(training: bool) -> None:
    network = drawn(lambda: ResNet(8, 4), 0).double().train(training)
    pictures = batch(5)[0].double()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    report = signal_propagation(network, pictures, samples=2)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    full = torch.autograd.functional.jacobian(network, pictures)
    for sample, values in enumerate(report.singular_values):
        expected = torch.linalg.svdvals(full[sample, :, sample].flatten(1))
        assert values == pytest.approx(expected.tolist(), rel=1e-9)


def test_many_outputs_are_bounded() -> None:
    report = signal_propagation(nn.Conv2d(1, 8, 3, padding=1), torch.randn(2, 1, 16, 16))
    assert [len(values) for values in report.singular_values] == [256, 256]


def test_correlations_near_one_keep_their_digits() -> None:
    network = nn.Linear(3, 3, bias=False, dtype=torch.float64)
    network.weight.data = torch.eye(3, dtype=torch.float64)
    apart = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1e-10, 0.0]], dtype=torch.float64)
    report = signal_propagation(network, apart)
    assert report.layers[1].difference == pytest.approx(1e-10, rel=1e-6)
    assert report.phase == "unknown"


@pytest.mark.parametrize(
    "name",
    [
        "mlp-10-GELU",
        "mlp-10-ReLU",
        "vit-torch",
        "lstm",
        "rezero",
        "batch-norm",
        "zero-branches",
        "experts",
    ],
)
def test_healthy_networks_are_left_alone(name: str) -> None:
    network = drawn(HEALTHY[name], 2)
    assert not signal_propagation(network, batch(32)[0]).findings
    train(network, 30)
    assert not signal_propagation(network, batch(32)[0]).findings


@pytest.mark.parametrize(("name", "kind"), [("vanishing", "collapsed"), ("exploding", "exploding")])
def test_faults_are_named(name: str, kind: str) -> None:
    report = signal_propagation(drawn(FAULTS[name].build, 0), batch(32)[0])
    (found,) = report.findings
    assert found.kind == kind
    place = [layer.name for layer in report.layers].index(found.layer)
    wrong = [
        layer.difference < 1e-6 if kind == "collapsed" else layer.variance > 1e12
        for layer in report.layers
    ]
    assert wrong[place]
    assert not any(wrong[:place])


def test_a_layer_that_gives_zeros_is_named() -> None:
    network = drawn(lambda: nn.Sequential(*(nn.Linear(8, 8) for _ in range(4))), 0)
    for parameter in network[2].parameters():
        nn.init.zeros_(parameter)
    report = signal_propagation(network, torch.randn(8, 8))
    assert [(one.kind, one.layer) for one in report.findings] == [
        ("vanishing", "2"),
        ("collapsed", "3"),
    ]
    assert "all zero" in report.findings[0].sentence


def test_what_is_not_finite_is_named() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    network[1].weight.data.fill_(math.inf)
    report = signal_propagation(network, torch.tensor([[1.0, 2.0], [3.0, 5.0]]))
    assert [(found.kind, found.layer) for found in report.findings] == [("not finite", "1")]
    assert all(math.isnan(value) for values in report.singular_values for value in values)


@pytest.mark.parametrize(
    "given", [torch.zeros(3, 2, dtype=torch.long), torch.zeros(1, 2), [1.0, 2.0], None]
)
@pytest.mark.unchecked
def test_what_does_not_fit_is_said(given: Any) -> None:
    with pytest.raises(PenchantError, match="at least two samples") as told:
        signal_propagation(nn.Linear(2, 2), given)
    assert "\n" not in str(told.value)


def test_a_table() -> None:
    lines = str(signal_propagation(nn.Linear(2, 2), torch.randn(4, 2))).splitlines()
    assert lines[0].split() == ["layer", "mean", "variance", "correlation"]
    assert lines[1].startswith("input")
