import pytest
import torch
import torch.nn.functional as F
from probes.networks import Functional, Recurrent, assert_untouched, small_resnet, state_of
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import ACTIVATIONS, CoordinateNet, activation
from penchant.probes import activity
from penchant.randomness import generator


def draws(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=generator(0, "test/activity"), dtype=dtype)


@pytest.fixture(autouse=True)
def stream() -> None:
    torch.manual_seed(0)


def kill(layer: nn.Module) -> None:
    with torch.no_grad():
        layer.bias.fill_(-100.0)


class Swish(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * torch.sigmoid(x)


class HandReLU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, torch.zeros_like(x))


class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x + 1


class Centre(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean()


def dense(*between: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), *between, nn.Linear(8, 2))


def test_shares_are_counted_by_hand_in_float64() -> None:
    net = nn.Sequential(nn.Linear(3, 4, dtype=torch.float64), nn.ReLU(), nn.Linear(4, 1).double())
    with torch.no_grad():
        net[0].bias.copy_(torch.tensor([0.0, -50.0, 1.0, -50.0]))
    batches = [draws(32, 3, dtype=torch.float64), draws(64, 3, dtype=torch.float64) / 2]
    z = net[0](torch.cat(batches))
    report = activity(net, batches)
    (layer,) = report.layers
    assert (layer.name, layer.function, layer.behind) == ("1", "relu", "0")
    assert (layer.units, layer.places, report.samples) == (4, 96, 96)
    assert layer.dead == float((z <= 0).all(0).double().mean())
    assert layer.flat == pytest.approx(float((z <= 0).double().mean()))


@pytest.mark.parametrize(
    ("function", "steepest", "slope"),
    [
        (torch.tanh, 1.0, lambda z: 1 - torch.tanh(z) ** 2),
        (torch.sigmoid, 0.25, lambda z: torch.sigmoid(z) * torch.sigmoid(-z)),
        (lambda z: F.relu(z), 1.0, lambda z: (z > 0).double()),
        (lambda z: z.clone().relu_(), 1.0, lambda z: (z > 0).double()),
        (lambda z: F.elu(z, inplace=False), 1.0, lambda z: z.clamp(max=0).exp()),
        (lambda z: z.clamp(min=0), 1.0, lambda z: (z > 0).double()),
        (lambda z: torch.clamp_min(z, 0), 1.0, lambda z: (z > 0).double()),
        (lambda z: torch.special.expit(z), 0.25, lambda z: torch.sigmoid(z) * torch.sigmoid(-z)),
    ],
)
def test_functional_calls_against_closed_forms(function, steepest, slope) -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function(x) @ torch.ones(5, 1, dtype=torch.float64)

    z = 6 * draws(64, 5, dtype=torch.float64)
    (layer,) = activity(Net(), z).layers
    flat = slope(z) < 1e-3 * steepest
    assert layer.flat == pytest.approx(float(flat.double().mean()), abs=1e-12)


def test_a_module_and_its_function_are_one_call() -> None:
    for one in (
        nn.ReLU(),
        nn.ReLU(inplace=True),
        nn.GELU(),
        nn.PReLU(8),
        nn.ReLU6(),
        nn.Hardswish(),
    ):
        assert [layer.name for layer in activity(dense(one), draws(64, 6)).layers] == ["1"]


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_of_this_package_is_one_call(name: str) -> None:
    member = activation(name)
    net = CoordinateNet(2, 1, activation=member, width=16, depth=2)
    report = activity(net, torch.rand(256, 2) * 2 - 1)
    assert report.layers
    assert {layer.function for layer in report.layers} == {type(member).__name__}
    assert not report.findings


@pytest.mark.parametrize("own", [Swish(), HandReLU()])
def test_a_users_own_module_is_one_call(own: nn.Module) -> None:
    report = activity(dense(own), draws(64, 6))
    assert [(layer.name, layer.function) for layer in report.layers] == [("1", type(own).__name__)]
    if isinstance(own, Swish):
        assert own.calls == 1  # as often as the network itself calls it


@pytest.mark.parametrize(
    "other", [Double(), Centre(), nn.Identity(), nn.Dropout(), nn.LayerNorm(8)]
)
def test_what_is_no_non_linearity_is_not_counted(other: nn.Module) -> None:
    assert activity(dense(other), draws(64, 6)).layers == ()


@pytest.mark.parametrize(
    ("shape", "first", "units"),
    [
        ((8, 3, 6, 6), nn.Conv2d(3, 5, 3), 5),
        ((8, 3, 20), nn.Conv1d(3, 5, 3), 5),
        ((8, 7, 6), nn.Linear(6, 5), 5),
        ((8, 4, 7, 6), nn.Linear(6, 5), 5),
        ((8, 6), nn.Linear(6, 5), 5),
    ],
)
def test_a_unit_is_a_channel_or_a_feature(shape, first: nn.Module, units: int) -> None:
    with torch.no_grad():
        first.bias.fill_(10)
        first.bias[0] = -1000
    (layer,) = activity(nn.Sequential(first, nn.ReLU(), nn.Identity()), draws(*shape)).layers
    assert layer.units == units
    assert layer.dead == 1 / units


def test_a_dead_layer_is_named() -> None:
    net = nn.Sequential(
        nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(),
        nn.Linear(32, 2),
    )  # fmt: skip
    kill(net[2])
    report = activity(net, draws(256, 6))
    assert [(one.kind, one.layer) for one in report.findings] == [("dead", "3")]
    assert "100% of 32 units" in report.findings[0].sentence
    assert "dead" in str(report)


def test_a_dead_layer_in_a_resnet_is_named() -> None:
    net = small_resnet()
    kill(net[3].bn1)
    (finding,) = activity(net, draws(64, 1, 10, 10)).findings
    assert (finding.kind, finding.layer) == ("dead", "3.relu")
    other = small_resnet()
    kill(other[4].bn2)
    kill(other[4].downsample[1])
    (finding,) = activity(other, draws(64, 1, 10, 10)).findings
    assert (finding.kind, finding.layer) == ("dead", "4.relu#2")


@pytest.mark.parametrize(("layer", "name"), [("fc1", "relu"), ("fc2", "relu#2"), ("fc3", "relu#3")])
def test_a_dead_functional_layer_is_named(layer: str, name: str) -> None:
    net = Functional()
    kill(getattr(net, layer))
    first = next(one for one in activity(net, draws(128, 6)).layers if one.dead == 1)
    assert (first.name, first.behind) == (name, layer)
    assert activity(net, draws(128, 6)).findings[0].layer == name


@pytest.mark.parametrize("kind", [nn.Sigmoid, nn.Tanh])
def test_saturation_is_named(kind: type[nn.Module]) -> None:
    net = nn.Sequential(
        nn.Linear(16, 32), kind(), nn.Linear(32, 32), kind(), nn.Linear(32, 32), kind(),
        nn.Linear(32, 2),
    )  # fmt: skip
    with torch.no_grad():
        net[2].weight *= 50
    (finding,) = activity(net, 2 * draws(256, 16)).findings
    assert (finding.kind, finding.layer) == ("saturated", "3")


def test_an_answer_may_be_sure() -> None:
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid(), nn.Flatten(0))
    with torch.no_grad():
        net[2].weight *= 1000
    report = activity(net, draws(128, 6))
    assert report.layers[1].flat > 0.5
    assert not report.findings


def test_calls_of_a_cell_are_one_row_and_fused_gates_are_said() -> None:
    report = activity(Recurrent(4, 8), draws(64, 3, 4))
    assert [layer.name for layer in report.layers] == ["cell.tanh", "tanh", "tanh#2", "tanh#3"]
    assert report.layers[0].places == 64 * 6
    lstm = nn.LSTM(4, 8, batch_first=True)
    report = activity(nn.Sequential(lstm), draws(64, 3, 4))
    assert report.layers == ()
    assert report.notes == ("0: the gates of lstm run inside one kernel and are not counted",)


def test_few_samples_are_no_evidence_against_single_units() -> None:
    net = dense(nn.ReLU())
    with torch.no_grad():
        net[0].bias[:-1] = -100.0
        net[0].bias[-1] = 100.0
    assert activity(net, draws(8, 6)).layers[0].dead == 7 / 8
    assert not activity(net, draws(8, 6)).findings


def test_a_loader_and_a_generator_are_batches() -> None:
    data = torch.utils.data.TensorDataset(draws(96, 6), torch.zeros(96))
    loader = torch.utils.data.DataLoader(data, batch_size=32)
    assert activity(dense(nn.ReLU()), loader).samples == 96
    assert activity(dense(nn.ReLU()), (draws(5, 6) for _ in range(3))).samples == 15


def test_nothing_of_the_network_changes() -> None:
    net = small_resnet().train()
    net.insert(3, nn.Dropout(0.5))
    before = state_of(net)
    activity(net, [draws(16, 1, 8, 8)] * 2)
    assert_untouched(net, before)
    with pytest.raises(RuntimeError):
        activity(net, draws(16, 2, 8, 8))
    assert_untouched(net, state_of(net) | before)


@pytest.mark.parametrize(
    ("network", "batches", "said"),
    [
        (torch.relu, draws(4, 6), "a torch.nn.Module would fit"),
        (nn.LazyLinear(3), draws(4, 6), "has no shape yet"),
        (dense(), [], "holds no batch"),
        (dense(), draws(0, 6), "at least 1 sample"),
        (dense(), [draws(4, 6), draws(4, 6) / 0], "nan or infinite"),
        (dense(), 3, "an iterable of tensors would fit"),
        (dense(), ["picture"], "a tensor of samples would fit"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(network, batches, said: str) -> None:
    with pytest.raises(PenchantError, match=said) as error:
        activity(network, batches)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Hardtanh])
def test_healthy_networks_get_no_finding(kind: type[nn.Module]) -> None:
    inputs = torch.rand(256, 16, generator=generator(0, "test/healthy"))
    for seed in range(5):
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Linear(16, 64), kind(), nn.Linear(64, 64), kind(), nn.Linear(64, 64), kind(),
            nn.Linear(64, 3),
        )  # fmt: skip
        assert not activity(net, inputs).findings
        targets = (inputs[:, :3] - 0.5).argmax(1)
        optimizer = torch.optim.Adam(net.parameters(), 2e-3)
        for _ in range(60):
            optimizer.zero_grad()
            F.cross_entropy(net(inputs), targets).backward()
            optimizer.step()
        assert not activity(net, inputs).findings
