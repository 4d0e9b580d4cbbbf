import pytest
import torch
from torch import nn

from penchant.errors import PenchantError
from penchant.nn import CoordinateNet
from penchant.training import Optimizer, hidden_matrices
from penchant.training._optimizer import FEATURE_RATE


def network(activation: str = "sine", depth: int = 3) -> CoordinateNet:
    return CoordinateNet(2, 3, width=8, depth=depth, activation=activation)


def groups(optimizer: Optimizer) -> dict[str, list[nn.Parameter]]:
    return {
        type(part).__name__: [p for group in part.param_groups for p in group["params"]]
        for part in optimizer.parts
    }


def same(found: list[nn.Parameter], wanted: list[nn.Parameter]) -> bool:
    return {id(p) for p in found} == {id(p) for p in wanted} and len(found) == len(wanted)


def test_muon_takes_the_hidden_matrices_and_adam_the_rest() -> None:
    net = network()
    found = groups(Optimizer(net, "muon", 1e-3))
    hidden = [net.layers[1].weight, net.layers[2].weight]
    assert same(hidden_matrices(net), hidden)
    assert same(found["Muon"], hidden)
    assert same(found["Adam"], [p for p in net.parameters() if all(p is not h for h in hidden)])


def test_convolutions_and_frozen_matrices_are_no_hidden_matrices() -> None:
    net = nn.Sequential(nn.Conv1d(1, 4, 3), nn.Linear(4, 4), nn.Linear(4, 5), nn.Linear(5, 1))
    assert same(hidden_matrices(net), [net[2].weight])
    net[2].weight.requires_grad_(False)
    assert hidden_matrices(net) == []
    assert all(p is not net[2].weight for p in groups(Optimizer(net, "muon", 1e-3))["Adam"])


@pytest.mark.parametrize(
    ("net", "name"), [(network(), "adam"), (network("wire"), "muon"), (network(depth=1), "muon")]
)
def test_adam_takes_all_where_muon_has_nothing(net: CoordinateNet, name: str) -> None:
    assert same(groups(Optimizer(net, name, 1e-3))["Adam"], list(net.parameters()))
    assert "Muon" not in groups(Optimizer(net, name, 1e-3))


@pytest.mark.parametrize("name", ["muon", "adam"])
@pytest.mark.parametrize("activation", ["sine", "wire"])
def test_a_step_is_as_long_as_the_rate_that_remains(activation: str, name: str) -> None:
    # Adam's first step is the rate for each number; Muon's is scaled to a like root mean square.
    lengths = []
    for remaining in (1.0, 0.25):
        net = network(activation)
        before = [p.detach().clone() for p in net.parameters()]
        optimizer = Optimizer(net, name, 1e-3)
        draws = torch.Generator().manual_seed(0)
        for p in net.parameters():
            p.grad = torch.randn(p.shape, generator=draws, dtype=p.dtype)
        optimizer.step(remaining)
        lengths.append(
            torch.stack(
                [
                    (p - q).abs().square().mean().sqrt()
                    for p, q in zip(net.parameters(), before, strict=True)
                ]
            )
        )
    torch.testing.assert_close(lengths[1], lengths[0] / 4, rtol=1e-2, atol=0)
    assert (lengths[0] > 1e-4).all() and (lengths[0] < 2e-3).all()


def test_an_unknown_optimizer_is_named() -> None:
    with pytest.raises(PenchantError, match=r"optimizer='mun' is unknown: did you mean 'muon'\?"):
        Optimizer(network(), "mun", 1e-3)


def fill(net: nn.Module, seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    for p in net.parameters():
        p.grad = torch.randn(p.shape, generator=draws, dtype=p.dtype)


def test_momentum_is_torchs_sgd_with_nesterovs_momentum_and_a_rate_that_falls() -> None:
    ours, theirs = network(), network()
    optimizer = Optimizer(ours, "momentum", 0.1)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    for step, remaining in enumerate((1.0, 0.75, 0.5)):
        fill(ours, step)
        fill(theirs, step)
        optimizer.step(remaining)
        reference.param_groups[0]["lr"] = 0.1 * remaining
        reference.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(p, q)


def decay_by_hand(name: str, p: torch.Tensor, rate: float, decay: float) -> torch.Tensor:
    """What is left of a number without a gradient after one step."""
    if name == "momentum":  # Nesterov's first step is (1 + momentum) times the gradient's
        return p - rate * 1.9 * decay * p
    return p - rate * decay * p


@pytest.mark.parametrize("name", ["muon", "adam", "sgd", "momentum"])
def test_weight_decay_pulls_matrices_and_convolutions_and_leaves_vectors(name: str) -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 4), nn.Linear(4, 4), nn.Linear(4, 1)
    ).double()
    before = [p.detach().clone() for p in net.parameters()]
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    Optimizer(net, name, 0.1, 0.5).step(0.5)
    for p, was in zip(net.parameters(), before, strict=True):
        wanted = was if p.ndim < 2 else decay_by_hand(name, was, 0.05, 0.5)
        torch.testing.assert_close(p.detach(), wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["muon", "adam"])
def test_decoupled_decay_adds_to_the_step_and_does_not_change_it(name: str) -> None:
    plain, decayed = network(), network()
    before = [p.detach().clone() for p in plain.parameters()]
    for net, decay in ((plain, 0.0), (decayed, 0.5)):
        fill(net, 0)
        Optimizer(net, name, 1e-2, decay).step(1.0)
    for p, q, was in zip(plain.parameters(), decayed.parameters(), before, strict=True):
        pulled = 1e-2 * 0.5 * was if p.ndim == 2 else torch.zeros_like(was)
        torch.testing.assert_close(q.detach(), p.detach() - pulled, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["muon", "adam", "sgd", "momentum"])
def test_what_an_encoding_learns_takes_adam_at_a_rate_of_its_own_without_decay(name: str) -> None:
    net = CoordinateNet(2, 3, width=8, depth=2, activation="relu", encoding="grid")
    assert same(hidden_matrices(net), [net.layers[1].weight])
    before = net.encoding.nodes.detach().clone()
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    net.encoding.nodes.grad[0, :5] = 1e-9  # far below the usual epsilon
    optimizer = Optimizer(net, name, 1e-4, 0.5)
    part = optimizer.parts[-1]
    assert same([p for group in part.param_groups for p in group["params"]], [net.encoding.nodes])
    optimizer.step(0.5)
    moved = before - net.encoding.nodes.detach()
    torch.testing.assert_close(moved[0, :5], torch.full((5,), 0.5 * FEATURE_RATE))
    assert moved[0, 5:].abs().max() == 0 and moved[1].abs().max() == 0
    others = {
        id(p) for other in optimizer.parts[:-1] for g in other.param_groups for p in g["params"]
    }
    assert others == {id(p) for p in net.parameters()} - {id(net.encoding.nodes)}
