import copy

import pytest
import torch
from torch import Tensor, nn

from penchant.divergences import L2, Divergence
from penchant.nn import ACTIVATIONS, ENCODINGS, CoordinateNet, Encoding, OneBlob, Sine
from penchant.training import AutogradGradient, Gradient, gradient_of
from penchant.training._products import SMALL

CLOSED = [name for name, member in ACTIVATIONS.items() if member.closed_form]
BLOCK = 16
SAMPLES = 37  # two whole blocks and a part of one


class Learned(nn.Module):
    """An activation of one's own, with a number that is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.7))

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.slope * z)


class ScaledSine(Sine):
    """A member's subclass that learns, and says nothing of it."""

    def __init__(self) -> None:
        super().__init__()
        self.height = nn.Parameter(torch.tensor(1.5))

    def forward(self, z: Tensor) -> Tensor:
        return self.height * super().forward(z)


class WidenedNet(CoordinateNet):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def data(samples: int = SAMPLES) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    inputs = torch.rand((samples, 2), generator=draws, dtype=torch.float64) * 2 - 1
    targets = torch.rand((samples, 3), generator=draws, dtype=torch.float64)
    dtype = torch.get_default_dtype()
    return inputs.to(dtype), targets.to(dtype)


def by_plain_autograd(
    network: nn.Module, divergence: Divergence, inputs: Tensor, targets: Tensor
) -> tuple[float, list[Tensor]]:
    """The slow, obvious way: all samples at once, every intermediate recorded."""
    value = divergence(network(inputs), targets)
    gradients = torch.autograd.grad(value, list(network.parameters()))
    return float(value.detach()), list(gradients)


def hold_to_plain(network: nn.Module, tolerance: float, block: int = BLOCK, samples=SAMPLES):
    inputs, targets = data(samples)
    # In double also for a single-precision network: plain autograd's own rounding reaches 1e-5.
    exact = (copy.deepcopy(network).double(), L2(), inputs.double(), targets.double())
    wanted, wanted_gradients = by_plain_autograd(*exact)
    gradient = gradient_of(network, L2(), block=block)
    for _ in range(2):  # a second call overwrites the first one's gradients
        assert gradient(inputs, targets) == pytest.approx(wanted, rel=tolerance)
    for (name, parameter), one in zip(network.named_parameters(), wanted_gradients, strict=True):
        distance = (parameter.grad - one).norm() / one.norm().clamp_min(1e-30)
        assert distance < tolerance, name
    return gradient


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("activation", CLOSED)
def test_closed_form_equals_autograd(activation: str, encoding: str, depth: int) -> None:
    network = CoordinateNet(2, 3, width=9, depth=depth, activation=activation, encoding=encoding)
    gradient = hold_to_plain(network, 1e-10)
    assert not isinstance(gradient, AutogradGradient)


@pytest.mark.parametrize("activation", CLOSED)
def test_closed_form_equals_autograd_in_single_precision(activation: str) -> None:
    hold_to_plain(CoordinateNet(2, 3, width=32, activation=activation), 1e-5)


@pytest.mark.parametrize("activation", CLOSED)
def test_so_it_does_where_products_are_onednns(activation: str) -> None:
    hold_to_plain(CoordinateNet(2, 3, width=SMALL, activation=activation), 1e-5, 64, samples=200)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("samples", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_any_number_of_samples_will_do(samples: int) -> None:
    hold_to_plain(CoordinateNet(2, 3, width=9), 1e-10, samples=samples)


@pytest.mark.usefixtures("double")
def test_block_larger_than_the_samples() -> None:
    hold_to_plain(CoordinateNet(2, 3, width=9), 1e-10, block=1000)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("width", [3, 40])  # narrower and wider than the grid's 16 features
def test_a_learned_grid_is_reached_by_any_number_of_threads(width: int) -> None:
    torch.set_num_threads(2)
    try:
        net = CoordinateNet(2, 3, width=width, depth=2, activation="gelu", encoding="grid")
        assert not isinstance(hold_to_plain(net, 1e-10), AutogradGradient)
        assert net.encoding.nodes.grad.abs().max() > 0
    finally:
        torch.set_num_threads(1)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("samples", [1, 2, SAMPLES])
def test_several_threads_share_the_samples(samples: int) -> None:
    torch.set_num_threads(3)
    try:
        gradient = hold_to_plain(CoordinateNet(2, 3, width=9), 1e-10, samples=samples)
        assert len(gradient.lanes) == 3
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(1)


class LearnedEncoding(Encoding):
    """An encoding of one's own that learns and has no closed form."""

    def __init__(self) -> None:
        super().__init__(2)
        self.features = 2
        self.stretch = nn.Parameter(torch.ones(2))

    def encode(self, x: Tensor) -> Tensor:
        return x * self.stretch


AUTOGRAD = {
    "own encoding that learns": lambda: CoordinateNet(2, 3, width=9, encoding=LearnedEncoding()),
    "complex": lambda: CoordinateNet(2, 3, width=9, activation="wire"),
    "own function": lambda: CoordinateNet(2, 3, width=9, activation=torch.atan),
    "own module that learns": lambda: CoordinateNet(2, 3, width=9, activation=Learned()),
    "member's subclass that learns": lambda: CoordinateNet(2, 3, width=9, activation=ScaledSine()),
    "own forward": lambda: WidenedNet(2, 3, width=9),
    "plain module": lambda: nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 3)),
}


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("make", AUTOGRAD.values(), ids=AUTOGRAD)
def test_autograd_in_blocks_equals_autograd_at_once(make) -> None:
    gradient = hold_to_plain(make(), 1e-10)
    assert isinstance(gradient, AutogradGradient)


def test_a_frozen_parameter_is_left_alone() -> None:
    network = CoordinateNet(2, 3, width=9)
    network.layers[0].weight.requires_grad_(False)
    gradient: Gradient = gradient_of(network, L2())
    gradient(*data())
    assert network.layers[0].weight.grad is None
    assert network.layers[1].weight.grad.abs().sum() > 0


def test_an_encodings_instance_is_used() -> None:
    hold_to_plain(CoordinateNet(2, 3, width=16, encoding=OneBlob(2, bins=5)), 1e-5)


class Counted(nn.Module):
    """Writes down how many samples it is given at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.counts.append(len(x))
        return x


@pytest.mark.parametrize(
    ("norm", "counts"),
    [
        (nn.BatchNorm1d(5), [SAMPLES]),
        (nn.SyncBatchNorm(5), [SAMPLES]),
        (nn.LayerNorm(5), [16, 16, 5]),
        (nn.GroupNorm(1, 5), [16, 16, 5]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_batch_that_is_normalised_by_itself_is_not_cut(
    norm: nn.Module, counts: list[int]
) -> None:
    counted = Counted()
    network = nn.Sequential(counted, nn.Linear(2, 5), norm, nn.Tanh(), nn.Linear(5, 3))
    gradient = gradient_of(network, L2(), block=BLOCK)
    if isinstance(norm, nn.SyncBatchNorm):
        assert gradient.whole
        return  # it runs on several machines only
    gradient(*data())
    assert counted.counts == counts


@pytest.mark.usefixtures("double")
def test_a_batch_norms_gradient_is_the_batchs() -> None:
    network = nn.Sequential(nn.Linear(2, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3))
    hold_to_plain(network, 1e-8)
