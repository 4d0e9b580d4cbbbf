import numpy as np
import pytest
import torch
from probes.networks import assert_untouched, small_resnet, state_of
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import CoordinateNet, Sine
from penchant.probes import signal_spectrum, spectrum
from penchant.randomness import generator


class Plane(nn.Module):
    """A sum of plane waves."""

    def __init__(self, *vectors: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.tensor(vectors, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(2 * torch.pi * x.double() @ self.vectors.T).sum(1, keepdim=True) + 100


def test_a_wave_is_seen_at_its_frequency() -> None:
    found = spectrum(Plane((6.0,)), 1)
    assert float(found.frequencies[found.power.argmax()]) == 6
    # Hann's window: amplitudes 1/2, 1, 1/2 at the neighbours.
    near = found.power[10:13]
    torch.testing.assert_close(near, torch.tensor([1 / 6, 4 / 6, 1 / 6], dtype=torch.float64))
    assert found.half == pytest.approx(6, abs=1e-6)
    assert float(found.power.sum()) == pytest.approx(1, abs=1e-12)
    assert found.findings == ()
    assert "below 6 cycles per unit" in found.sentence
    assert "4 to 8" in str(found)


def test_a_sine_unit_has_the_frequency_of_its_weight() -> None:
    net = CoordinateNet(1, 1, width=1, depth=1, activation=Sine(scale=2 * np.pi * 8))
    with torch.no_grad():
        net.layers[0].weight.fill_(1.0)
    assert spectrum(net, 1).half == pytest.approx(8, abs=0.01)


def test_two_waves_share_the_power() -> None:
    found = spectrum(Plane((4.0,), (32.0,)), 1)
    assert float(found.power[:20].sum()) == pytest.approx(0.5, abs=1e-6)
    assert found.most == pytest.approx(32, abs=0.5)


def test_along_a_line_a_plane_wave_has_its_projection() -> None:
    found = spectrum(Plane((8.0, 0.0)), 2, lines=2000, points=64)
    # |cos| of a uniform angle has median 1/√2.
    assert found.half == pytest.approx(8 / 2**0.5, rel=0.1)
    assert found.most < 9


def test_the_whole_rate_of_points_is_used_and_too_few_are_said() -> None:
    (finding,) = spectrum(Plane((30.0,)), 1, points=128).findings
    assert finding.kind == "undersampled"
    assert spectrum(Plane((30.0,)), 1, points=512).findings == ()


def test_a_constant_has_none() -> None:
    found = spectrum(Plane((0.0,)), 1)
    assert (found.half, found.most) == (0, 0)
    assert "constant" in found.sentence


def test_it_averages_over_starts() -> None:
    several = spectrum(lambda seed: CoordinateNet(2, 3, activation="sine", seed=seed), 2, seeds=3)
    alone = [spectrum(CoordinateNet(2, 3, activation="sine", seed=s), 2) for s in range(3)]
    assert several.halves == pytest.approx([one.half for one in alone])
    torch.testing.assert_close(several.power, sum(one.power for one in alone) / 3)
    assert "over 3" in several.sentence


def test_any_module_and_nothing_of_it_changes() -> None:
    net = small_resnet().train()
    before = state_of(net)
    found = spectrum(net, (1, 8, 8), lines=2, points=32)
    assert_untouched(net, before)
    assert len(found.power) == 16
    assert spectrum(CoordinateNet(2, 1, activation="wire"), 2, points=64).half > 0


def test_a_signal_is_judged_as_a_network_is() -> None:
    axis = torch.arange(256, dtype=torch.float64) / 128 - 1
    values = Plane((5.0,), (11.0,))(axis[:, None])
    signal, network = signal_spectrum(values), spectrum(Plane((5.0,), (11.0,)), 1, points=256)
    torch.testing.assert_close(signal.power, network.power)
    assert signal.half == pytest.approx(network.half)


def test_axes_of_a_signal() -> None:
    rows, columns = np.meshgrid(np.arange(60), np.arange(100), indexing="ij")
    picture = np.sin(2 * np.pi * 6 * rows * 0.02)[..., None] + 0 * columns[..., None]
    found = signal_spectrum(picture)
    assert found.halves[0] == pytest.approx(6, abs=0.2)
    assert found.halves[1] == 0
    assert float(found.power.sum()) == pytest.approx(1)
    assert float(found.frequencies[-1]) == pytest.approx(25)
    finer = signal_spectrum(picture, spacing=0.01)
    assert finer.half == pytest.approx(2 * found.half)


def test_only_what_is_seen_counts() -> None:
    rows, columns = np.meshgrid(np.arange(96), np.arange(96), indexing="ij")
    picture = (np.sin(0.3 * rows) + np.cos(0.2 * columns))[..., None]
    seen = torch.rand(96, 96, generator=generator(0, "test/seen")).numpy() < 0.5
    spoiled = np.where(seen[..., None], picture, 1e6)
    found, whole = signal_spectrum(spoiled, seen=seen), signal_spectrum(picture)
    assert found.half == pytest.approx(whole.half, rel=0.1)
    everything = signal_spectrum(picture, seen=np.ones((96, 96), bool))
    assert torch.equal(everything.power, whole.power)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: spectrum("x", 2), "a torch.nn.Module would fit"),
        (lambda: spectrum(nn.Linear(2, 1), 0), "a sample's shape, would fit"),
        (lambda: spectrum(nn.Linear(2, 1), "two"), "a sample's shape, would fit"),
        (lambda: spectrum(nn.Linear(2, 1), 2, seeds=3), "a function that makes one"),
        (lambda: spectrum(lambda seed: None, 2), "a torch.nn.Module would fit"),
        (lambda: spectrum(nn.Linear(2, 1), 2, points=4), "at least 8"),
        (lambda: spectrum(nn.Flatten(0), 2), "a row for each"),
        (lambda: signal_spectrum(np.ones((3, 1))), "at least 4 along an axis"),
        (lambda: signal_spectrum(np.full((8, 1), np.nan)), "finite samples"),
        (lambda: signal_spectrum(np.ones((8, 1)), spacing=0.0), "above 0"),
        (lambda: signal_spectrum(np.ones((8, 1)), seen=np.zeros(8, bool)), "at least one sample"),
    ],
)
def test_what_does_not_fit_is_said(call, said: str) -> None:
    with pytest.raises(PenchantError, match=said):
        call()
