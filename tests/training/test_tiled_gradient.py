"""The fast way through a grid of networks against each tile's own autograd."""

import pytest
import torch
from torch import Tensor

from penchant.divergences import L1, L2, BinaryKL, Divergence
from penchant.nn import ACTIVATIONS, TiledNet
from penchant.randomness import generator
from penchant.training import (
    BatchedMuon,
    Optimizer,
    Recipe,
    TiledGradient,
    Training,
    _tiled_gradient,
    gradient_of,
)
from penchant.training._batched_muon import orthogonal

CLOSED = [name for name, member in ACTIVATIONS.items() if member.closed_form]


def net(activation: str = "sine", outputs: int = 3) -> TiledNet:
    place = {"corner": (-1, -0.75), "cell": (0.5, 0.5), "blend": (0.01, 0.01)}
    return TiledNet(
        (4, 3), outputs, **place, width=6, depth=3, activation=activation, seed=2
    ).double()


def data(samples: int, outputs: int = 3) -> tuple[Tensor, Tensor]:
    draws = generator(0, "test")
    inputs = 2 * torch.rand((samples, 2), generator=draws, dtype=torch.float64) - 1
    return inputs, torch.rand((samples, outputs), generator=draws, dtype=torch.float64)


def by_tile(
    network: TiledNet, divergence: Divergence, inputs: Tensor, targets: Tensor
) -> tuple[float, list[Tensor]]:
    """Each tile's network by itself, all of it recorded."""
    tiles, local = network.located(inputs)
    value, total = torch.zeros((), dtype=torch.float64), 0.0
    for tile in tiles.unique().tolist():
        mine = tiles == tile
        h = local[mine]
        for layer, phi in zip(network.layers, network.activations, strict=True):
            h = phi(h @ layer.weight[tile].T + layer.bias[tile, 0])
        answer = h @ network.head.weight[tile].T + network.head.bias[tile, 0]
        mean = divergence(answer, targets[mine])
        value = value + mean
        total += float(mean.detach()) * int(mine.sum())
    return total / len(inputs), list(torch.autograd.grad(value, list(network.parameters())))


def hold(network: TiledNet, divergence: Divergence, inputs: Tensor, targets: Tensor) -> None:
    wanted, wanted_gradients = by_tile(network, divergence, inputs, targets)
    for block in (1, 400, 2**16):  # a tile at a time, some, all
        gradient = TiledGradient(network, divergence, block)
        for _ in range(2):  # a second call overwrites the first one's gradients
            assert gradient(inputs, targets) == pytest.approx(wanted, rel=1e-12)
        for parameter, one in zip(network.parameters(), wanted_gradients, strict=True):
            torch.testing.assert_close(parameter.grad, one, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", CLOSED)
def test_every_closed_form(activation: str) -> None:
    hold(net(activation), L2(), *data(200))


@pytest.mark.parametrize("divergence", [L1(), BinaryKL("sigmoid"), L2("sigmoid")])
def test_divergences(divergence: Divergence) -> None:
    hold(net(), divergence, *data(100))


def test_tiles_with_few_samples_and_with_none() -> None:
    inputs, targets = data(7)
    network = net()
    hold(network, L2(), inputs, targets)
    asked = set(network.located(inputs)[0].tolist())
    for parameter in network.parameters():
        for tile in set(range(12)) - asked:
            assert float(parameter.grad[tile].abs().max()) == 0


def test_other_samples_after_the_first_ones() -> None:
    network, (inputs, targets) = net(), data(120)
    gradient = gradient_of(network, L2())
    assert isinstance(gradient, TiledGradient)
    gradient(inputs, targets)
    wanted, _ = by_tile(network, L2(), inputs[:50], targets[:50])
    assert gradient(inputs[:50], targets[:50]) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("placed", [1, 7, 64])
def test_samples_placed_in_pieces_lie_where_they_lie_placed_at_once(
    placed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, (inputs, targets) = net(), data(200)
    whole = _tiled_gradient._Places.of(network, inputs)
    monkeypatch.setattr(_tiled_gradient, "PLACED", placed)
    pieces = _tiled_gradient._Places.of(network, inputs)
    assert torch.equal(pieces.samples, whole.samples) and torch.equal(pieces.shares, whole.shares)
    tiles = network.located(inputs)[0]
    for tile, (samples, shares) in enumerate(zip(pieces.samples, pieces.shares, strict=True)):
        mine = (tiles == tile).nonzero()[:, 0]
        assert samples[: len(mine)].tolist() == mine.tolist()  # in their own order
        assert shares[: len(mine), 0].tolist() == [1 / len(mine)] * len(mine)
        assert not shares[len(mine) :].any()
    hold(network, L2(), inputs, targets)


def test_other_targets_for_the_same_samples() -> None:
    network, (inputs, targets) = net(), data(120)
    gradient = TiledGradient(network, L2())
    gradient(inputs, targets)
    wanted, wanted_gradients = by_tile(network, L2(), inputs, 1 - targets)
    assert gradient(inputs, 1 - targets) == pytest.approx(wanted, rel=1e-12)
    for parameter, one in zip(network.parameters(), wanted_gradients, strict=True):
        torch.testing.assert_close(parameter.grad, one, rtol=1e-10, atol=1e-12)


def test_samples_that_are_not_kept_are_learned_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twelve tiles all are kept, or none."""
    inputs, targets = data(200)
    most = int(torch.bincount(net().located(inputs)[0]).max())
    for kept in (12 * most, 12 * most - 1):
        monkeypatch.setattr(_tiled_gradient, "KEPT", kept)
        hold(net(), L2(), inputs, targets)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("block", [1, 300, 2**16])
def test_blocks_are_all_tiles_shared_out_evenly(threads: int, block: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        blocks = TiledGradient(net(), L2(), block)._blocks(most=10)
    finally:
        torch.set_num_threads(before)
    sizes = [one.stop - one.start for one in blocks]
    assert [n for one in blocks for n in range(one.start, one.stop)] == list(range(12))
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= max(1, block // (10 * 6))
    assert len(blocks) % threads == 0 or len(blocks) == 12


def test_threads_change_no_bit() -> None:
    inputs, targets = data(500)
    found = []
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            network = net()
            value = TiledGradient(network, L2(), 300)(inputs, targets)
        finally:
            torch.set_num_threads(before)
        found.append((value, [p.grad for p in network.parameters()]))
    assert found[0][0] == found[1][0]
    assert all(map(torch.equal, found[0][1], found[1][1]))


def test_a_sample_is_placed_where_forward_answers_it_alone() -> None:
    """What is minimised is what the whole network answers at samples outside the bands."""
    steps = (torch.arange(16, dtype=torch.float64) + 0.5) / 8 - 1
    inputs = torch.cartesian_prod(steps, steps[2:14])
    network = net()
    network.blend = torch.tensor([0.12, 0.12], dtype=torch.float64)
    targets = torch.zeros(len(inputs), 3, dtype=torch.float64)
    value = TiledGradient(network, L2())(inputs, targets)
    assert value == pytest.approx(float(L2()(network(inputs), targets).detach()), rel=1e-12)


def test_muon_moves_each_matrix_of_a_stack_as_alone() -> None:
    draws = generator(3, "test")
    start = torch.randn((5, 4, 6), generator=draws, dtype=torch.float64)
    stack = torch.nn.Parameter(start.clone())
    alone = [torch.nn.Parameter(one.clone()) for one in start]
    together = BatchedMuon([stack], lr=0.02, weight_decay=0.1)
    apart = [BatchedMuon([one], lr=0.02, weight_decay=0.1) for one in alone]
    for _ in range(4):
        stack.grad = torch.randn(start.shape, generator=draws, dtype=torch.float64)
        together.step()
        for one, gradient, optimizer in zip(alone, stack.grad, apart, strict=True):
            one.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(stack.detach(), torch.stack([one.detach() for one in alone]))


@pytest.mark.parametrize("shape", [(8, 8), (4, 9), (9, 4)])
def test_muon_is_torchs(shape: tuple[int, int]) -> None:
    """Torch iterates in bfloat16, which has three digits."""
    draws = generator(4, "test")
    start = torch.randn(shape, generator=draws)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    optimizers = (
        BatchedMuon([ours], lr=0.1, weight_decay=0.2),
        torch.optim.Muon([theirs], lr=0.1, weight_decay=0.2, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(3):
        gradient = torch.randn(shape, generator=draws)
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    apart, moved = (ours - theirs).detach().norm(), (theirs - start).detach().norm()
    assert float(apart / moved) < 0.03


def test_orthogonal_keeps_directions() -> None:
    matrices = torch.randn((3, 5, 7), generator=generator(5, "test"), dtype=torch.float64)
    s = torch.linalg.svdvals(orthogonal(matrices))
    assert float(s.min()) > 0.3 and float(s.max()) < 1.3
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    turned = left.mT @ orthogonal(matrices) @ right.mT
    off = turned - torch.diag_embed(turned.diagonal(dim1=1, dim2=2))
    assert float(off.abs().max()) < 1e-10


def test_muon_takes_hidden_stacks_and_adam_the_rest() -> None:
    network = net()
    kinds = [
        (type(part).__name__, sum(len(group["params"]) for group in part.param_groups))
        for part in Optimizer(network, "muon", 0.01).parts
    ]
    assert kinds == [("BatchedMuon", 2), ("Adam", 6)]


def test_training_goes_on_from_a_checkpoint_with_the_same_numbers() -> None:
    inputs, targets = (one.float() for one in data(300))

    def fresh() -> Training:
        return Training(net().float(), L2(), inputs, targets, Recipe(12, "muon", 0.02), seed=0)

    whole, first, second = fresh(), fresh(), fresh()
    whole.advance(12)
    first.advance(5)
    second.load_state_dict(first.state_dict())
    second.advance(7)
    assert whole.divergence == second.divergence < 0.9 * first.divergence
    assert all(map(torch.equal, whole.network.parameters(), second.network.parameters()))
