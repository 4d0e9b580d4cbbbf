import math

import pytest
import torch
from probes.networks import Series, assert_untouched, state_of
from torch import nn

from penchant.errors import PenchantError
from penchant.nn import CoordinateNet
from penchant.probes import frequency_speed, frequency_training, tangent_kernel
from penchant.randomness import generator


def small(outputs: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, outputs)).double()


def test_a_series_is_learned_as_fast_as_its_waves_are_large() -> None:
    speed = frequency_speed(Series({1.0: 1.0, 3.0: 0.5}), 1, frequencies=[1, 3, 5])
    # K v = s²·(N/2)·v, and the rate is that over N.
    assert speed.rates == pytest.approx((0.5, 0.125, 0), abs=1e-12)
    assert speed.steps(0.1)[:2] == pytest.approx((math.log(2) / 0.05, math.log(2) / 0.0125))
    assert speed.steps(0.1)[2] > 1e20
    (finding,) = speed.findings
    assert (finding.kind, finding.sentence[:2]) == ("blind", "5 ")
    assert "learned fastest" in str(speed)


def test_half_of_a_series_is_learned_when_the_kernel_says() -> None:
    net, rate = Series({1.0: 1.0, 3.0: 0.5}), 0.2
    found = frequency_training(
        net, 1, frequencies=[1, 3, 5], steps=60, learning_rate=rate, optimizer="gradient descent"
    )
    for index, speed in enumerate((0.5, 0.125)):
        shares = [1 - (1 - rate * speed) ** step for step in range(61)]
        assert [row[index] for row in found.learned] == pytest.approx(shares, abs=1e-12)
        exact = math.log(2) / -math.log(1 - rate * speed)
        assert found.half_learned[index] == pytest.approx(exact, abs=0.05)
        expected = frequency_speed(net, 1, frequencies=[1, 3]).steps(rate)[index]
        assert found.half_learned[index] == pytest.approx(expected, rel=0.06)
    assert found.half_learned[2] == math.inf
    assert "2 of 3 frequencies are half learned, 1 cycles per unit first" in found.sentence
    assert "not" in str(found)


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_rate_is_the_kernels(outputs: int) -> None:
    net = small(outputs)
    frequencies, x = [0.5, 2.0, 7.0], torch.arange(112, dtype=torch.float64)[:, None] / 56 - 1
    kernel = tangent_kernel(net, x).matrix / outputs
    for frequency, rate in zip(
        frequencies, frequency_speed(net, 1, frequencies=frequencies).rates, strict=True
    ):
        angles = 2 * torch.pi * frequency * x[:, 0]
        waves = [angles.cos(), angles.sin()]
        expected = sum(float(v @ kernel @ v / (v @ v)) for v in waves) / 2 / len(x)
        assert rate == pytest.approx(expected, rel=1e-9)


def test_gradient_descent_follows_the_kernel() -> None:
    """A short training, whose weights hardly move, against exp(−K t/N) of the residual."""
    net, frequencies, rate, steps = small(), [0.5, 1.0, 2.0], 0.02, 50
    found = frequency_training(
        net, 1, frequencies=frequencies, steps=steps, learning_rate=rate,
        optimizer="gradient descent", amplitude=0.01,
    )  # fmt: skip
    x = torch.arange(64, dtype=torch.float64) / 32 - 1
    phases = (
        2 * math.pi * torch.rand(3, generator=generator(0, "probe/phases"), dtype=torch.float64)
    )
    waves = torch.stack(
        [(2 * math.pi * f * x + p).sin() for f, p in zip(frequencies, phases, strict=True)]
    )
    values, vectors = torch.linalg.eigh(tangent_kernel(net, x[:, None]).matrix / 64)
    start = vectors.T @ waves.sum(0)
    residual = vectors @ ((1 - rate * values) ** steps * start)
    learned = waves @ (waves.sum(0) - residual) / waves.square().sum(1)
    assert found.learned[-1] == pytest.approx(learned.tolist(), rel=0.02)
    assert found.learned[0] == (0, 0, 0)
    assert max(found.learned[-1]) > 0.15


def test_spectral_bias_of_relu_and_its_cure() -> None:
    rates = {}
    for code in ("none", "nerf"):
        net = CoordinateNet(2, 1, activation="relu", encoding=code)
        speed = frequency_speed(net, 2, frequencies=[0.5, 6])
        rates[code] = speed.rates[1] / speed.rates[0]
    assert rates["nerf"] > 10 * rates["none"]


def test_networks_stay_as_they_were() -> None:
    net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
    before = state_of(net)
    frequency_training(net, 2, frequencies=[1], steps=3)
    frequency_speed(net.eval(), 2, frequencies=[1])
    assert_untouched(net.train(), before)
    assert frequency_speed(CoordinateNet(2, 1, activation="wire"), 2, frequencies=[1]).rates[0] > 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: frequency_speed(small(), 1, frequencies=[]), "above 0, in cycles per unit"),
        (lambda: frequency_speed(small(), 1, frequencies=[0.0]), "above 0, in cycles per unit"),
        (lambda: frequency_training(small(), 1, steps=0), "at least 1"),
        (lambda: frequency_training(small(), 1, amplitude=0), "above 0 would fit"),
        (lambda: frequency_training(small(), 1, optimizer="lion"), "'gradient descent'"),
        (
            lambda: frequency_training(small(), 1, optimizer="gradient descent", learning_rate=1e9),
            "a lower rate would fit",
        ),
    ],
)
def test_what_does_not_fit_is_said(call, said: str) -> None:
    with pytest.raises(PenchantError, match=said):
        call()
