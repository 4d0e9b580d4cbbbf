"""All probes at once."""

import pytest
import torch
from torch import Tensor, nn

import penchant as pn
from penchant.divergences import CrossEntropy
from penchant.errors import PenchantError
from penchant.nn import ResNet
from penchant.probes import examine


def _dead(network: nn.Sequential, layer: int) -> nn.Sequential:
    with torch.no_grad():
        network[layer].bias.fill_(-100.0)
    return network


def test_pictures_in_a_residual_network_get_every_probe() -> None:
    network = ResNet(8, channels=1, width=4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = examine(
        network, torch.randn(16, 1, 12, 12), torch.arange(16) % 10, CrossEntropy("softmax")
    )
    assert not found.left_out
    assert list(found.reports) == ["gradients", "signal", "activity", "identity", "paths", "shift"]
    assert not found.findings
    assert str(found).startswith("no probe warns of anything\ngradients: ")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_findings_stand_first_and_name_the_layer() -> None:
    mlp = nn.Sequential(*(m for _ in range(3) for m in (nn.Linear(8, 8), nn.ReLU())))
    found = examine(_dead(mlp, 2), torch.randn(32, 8))
    assert {(one.kind, one.layer) for one in found.findings} >= {("dead", "3")}
    assert str(found).startswith("! ")
    assert found.to_dict()["findings"][0].keys() == {"kind", "layer", "sentence"}
    assert set(found.left_out) == {"paths", "shift"}


def test_what_a_probe_cannot_measure_is_said_and_the_others_go_on() -> None:
    words = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 4))
    found = examine(words, torch.randint(10, (5, 3)))
    assert "real numbers" in found.left_out["signal"]
    assert "gradients" in found.reports


def test_the_first_tensor_of_a_tuple_is_the_answer() -> None:
    found = examine(nn.LSTM(4, 8), torch.randn(5, 3, 4))
    assert "gradients" in found.reports
    assert not found.findings


def test_all_that_is_answered_is_asked() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.one, self.other = nn.Linear(4, 8), nn.Linear(8, 2), nn.Linear(8, 3)
            self.turned = nn.Linear(8, 2, dtype=torch.complex64)

        def forward(self, x: Tensor) -> dict[str, object]:
            x = torch.relu(self.body(x))
            more = (self.other(x), None, self.turned(x.to(torch.complex64)))
            return {"one": self.one(x), "more": more, "count": 3}

    found = examine(Heads(), torch.randn(8, 4))
    assert not found.findings
    reached = found.reports["gradients"].layers
    assert [one.name for one in reached] == ["body", "other", "turned", "one"]
    assert all(one.activation > 0 for one in reached)


def test_what_a_network_raises_is_a_line_and_leaves_nothing() -> None:
    class Raises(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)

        def forward(self, x: Tensor) -> Tensor:
            self.norm(torch.dropout(self.body(x), 0.5, train=True))
            raise KeyError("mine\nand more")

    network, inputs = Raises(), torch.randn(8, 4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    stream = torch.get_rng_state()
    found = examine(network, inputs)
    assert not found.reports
    first, second, *_ = str(found).splitlines()
    assert first == "no probe could measure anything"
    said = "gradients, signal, activity, identity, paths: not measured: KeyError: 'mine"
    assert second.startswith(said)
    assert torch.equal(stream, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in network.modules())


class _Says(nn.Module):
    def forward(self, _: Tensor) -> str:
        return "cat"


@pytest.mark.unchecked
def test_inputs_that_are_no_tensor_are_refused() -> None:
    with pytest.raises(PenchantError, match=r"examine\(inputs\): a tuple; one tensor"):
        examine(nn.Linear(2, 2), (torch.zeros(4, 2), torch.zeros(4, 2)))


def test_no_tensor_and_half_a_question_are_refused() -> None:
    assert "gradients" in examine(_Says(), torch.randn(4, 2)).left_out
    with pytest.raises(PenchantError, match="go together"):
        examine(nn.Linear(2, 2), torch.randn(4, 2), targets=torch.randn(4, 2))
    assert pn.examine is examine
