import pytest
import torch
from probes.networks import Series
from torch import nn

from penchant.errors import PenchantError
from penchant.nn import CoordinateNet, Gaussian, NeRF, RandomFourier, Sine
from penchant.probes import (
    bandwidth,
    kernel_spectrum,
    matching_scale,
    signal_spectrum,
    suited_bandwidth,
    tangent_kernel,
)
from penchant.probes._segments import segments, tapered_power


def test_a_linear_model_of_waves_has_its_own_sizes() -> None:
    found = kernel_spectrum(Series({4.0: 1.0, 12.0: 0.5}), 1, draws=100)
    # Four fifths of the power at 4, with Hann's window half a cycle to each side.
    assert float(found.power[:15].sum()) == pytest.approx(0.8, abs=0.03)
    assert float(found.frequencies[found.power.argmax()]) == 4
    assert bandwidth(Series({4.0: 1.0}), 1) == pytest.approx(4.4, abs=0.3)


def test_random_moves_have_the_kernels_spectrum() -> None:
    """Against the kernel itself: R(f) is the tapered transform of K from both sides."""
    net = nn.Sequential(nn.Linear(1, 32), Sine(20.0), nn.Linear(32, 1)).double()
    x = segments((1,), 1, 256, 0)[0]
    values, vectors = torch.linalg.eigh(tangent_kernel(net, x).matrix)
    exact = tapered_power((vectors * values.clamp_min(0).sqrt()).T).sum(0)
    exact /= exact.sum()
    found = kernel_spectrum(net, 1, lines=1, draws=600).power
    assert len(found) == 128
    assert float((found - exact).abs().sum()) < 0.12


@pytest.mark.parametrize("activation", [Sine, Gaussian])
@pytest.mark.parametrize("scale", [10.0, 20.0])
@pytest.mark.parametrize("inputs", [1, 2])
def test_twice_the_scale_is_twice_the_bandwidth(activation, scale: float, inputs: int) -> None:
    slow, fast = (
        bandwidth(CoordinateNet(inputs, 1, width=48, activation=activation(s)), inputs)
        for s in (scale, 2 * scale)
    )
    assert 1.6 < fast / slow < 2.5


def test_encodings_have_their_frequencies() -> None:
    nets = [
        CoordinateNet(2, 1, width=32, activation="relu", encoding=NeRF(2, frequencies=n))
        for n in (4, 6, 8)
    ]
    found = [bandwidth(net, 2) for net in nets]
    assert found == sorted(found)
    for net, band in zip(nets[1:], found[1:], strict=True):
        assert band == pytest.approx(net.encoding.highest_frequency, rel=0.25)
    slow, fast = (
        bandwidth(CoordinateNet(2, 1, activation="relu", encoding=RandomFourier(2, bandwidth=b)), 2)
        for b in (2, 8)
    )
    assert fast / slow == pytest.approx(4, rel=0.25)


def test_points_are_added_until_they_suffice() -> None:
    found = kernel_spectrum(CoordinateNet(1, 1, width=16, activation=Sine(300.0)), 1)
    assert len(found.power) > 128
    assert found.findings == ()
    assert len(kernel_spectrum(CoordinateNet(1, 1, activation="relu"), 1).power) == 128


def test_it_averages_over_starts() -> None:
    def make(seed: int) -> nn.Module:
        return CoordinateNet(2, 1, width=16, activation="sine", seed=seed)

    several = kernel_spectrum(make, 2, seeds=3)
    assert several.halves == pytest.approx([kernel_spectrum(make(s), 2).half for s in range(3)])
    assert bandwidth(make, 2, seeds=3) == several.most


def test_a_scale_is_found_for_a_bandwidth() -> None:
    scales = [2.0**k for k in range(3, 8)]

    def make(scale: float) -> nn.Module:
        return CoordinateNet(2, 1, width=32, activation=Sine(scale))

    for scale in (16.0, 64.0):
        assert matching_scale(make, 2, bandwidth(make(scale), 2), scales) == scale
    assert matching_scale(make, 2, 1e-3, scales) == 8
    assert matching_scale(make, 2, 1e6, scales) == 128

    def coded(frequencies: int) -> nn.Module:
        code = NeRF(2, frequencies=frequencies)
        return CoordinateNet(2, 1, width=32, activation="relu", encoding=code)

    assert matching_scale(coded, 2, 8.0, range(4, 9)) == 6


def test_what_suits_a_signal() -> None:
    x = torch.arange(400, dtype=torch.float64)[:, None] / 200 - 1
    slow, fast, rough = (signal_spectrum(torch.sin(2 * torch.pi * f * x)) for f in (1, 3, 90))
    assert suited_bandwidth(slow) == pytest.approx(2, rel=0.01)
    assert suited_bandwidth(fast) == pytest.approx(6, rel=0.01)
    assert suited_bandwidth(rough) == pytest.approx(9)  # of the 100 that 400 samples can show
    with pytest.raises(PenchantError, match="a signal that varies"):
        suited_bandwidth(signal_spectrum(torch.ones(8, 1)))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: bandwidth(nn.Flatten(), 2), "no trainable parameter"),
        (lambda: bandwidth(nn.Linear(2, 1), 2, seeds=2), "a function that makes one"),
        (lambda: kernel_spectrum(nn.Linear(2, 1), 2, draws=0), "at least 1"),
        (lambda: matching_scale(lambda s: nn.Linear(2, 1), 2, 1.0, []), "at least one choice"),
        (lambda: matching_scale(lambda s: nn.Linear(2, 1), 2, 0.0, [1.0]), "above 0 would fit"),
    ],
)
def test_what_does_not_fit_is_said(call, said: str) -> None:
    with pytest.raises(PenchantError, match=said):
        call()
