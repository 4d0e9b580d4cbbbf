import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from probes.networks import assert_untouched, small_resnet, state_of
from torch import Tensor, nn

from penchant.divergences import KL, L2
from penchant.errors import PenchantError
from penchant.nn import Residual
from penchant.probes import path_lengths
from penchant.randomness import generator


def draws(*shape: int, step: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(0, "test/paths", step), dtype=torch.float64)


@pytest.fixture(autouse=True)
def stream() -> None:
    torch.manual_seed(0)


def linear_chain(blocks: int, gain: float) -> nn.Sequential:
    linear = [nn.Linear(3, 3, bias=False, dtype=torch.float64) for _ in range(blocks)]
    chain = nn.Sequential(*(Residual(one, None) for one in linear))
    with torch.no_grad():
        for block in chain:
            block.inner.weight.copy_(gain * torch.eye(3, dtype=torch.float64))
    return chain


@pytest.mark.parametrize(("blocks", "gain"), [(1, 0.3), (6, 0.5), (12, 2.0), (40, 0.1)])
def test_a_linear_chain_is_binomial(blocks: int, gain: float) -> None:
    found = path_lengths(linear_chain(blocks, gain), L2(), draws(4, 3), draws(4, 3, step=1))
    wanted = [math.comb(blocks, k) * gain**k / (1 + gain) ** blocks for k in range(blocks + 1)]
    shares = list(found.shares) + [0.0] * (blocks + 1 - len(found.shares))
    assert shares == pytest.approx(wanted, rel=1e-9, abs=1e-15)
    assert list(found.aligned) == pytest.approx(wanted[: len(found.aligned)], rel=1e-9, abs=1e-15)
    assert found.effective_depth == pytest.approx(blocks * gain / (1 + gain))
    assert len(found.blocks) == blocks


def test_a_branch_of_opposite_sign_cancels_in_aligned_alone() -> None:
    found = path_lengths(linear_chain(2, -0.5), L2(), draws(4, 3), draws(4, 3, step=1))
    assert found.shares == pytest.approx((1 / 2.25, 1 / 2.25, 0.25 / 2.25))
    assert found.aligned == pytest.approx((4.0, -4.0, 1.0))


class Gated(nn.Module):
    """Blocks through which the gradient takes one path: by the branch where the choice says so."""

    def __init__(self, blocks: int, post: bool, nested: bool) -> None:
        super().__init__()
        self.first = nn.Linear(5, 6)
        self.inner = nn.ModuleList(
            nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 6)) for _ in range(blocks)
        )
        self.post, self.nested = post, nested
        self.choice: tuple[bool, ...] | None = None

    def join(self, place: int, kept: Tensor, z: Tensor) -> Tensor:
        if self.choice is None:
            return kept + z
        through = self.choice[place]
        # Sums of other tensors than the probe looks for, so that the reference is independent.
        return torch.stack([kept.detach(), z] if through else [kept, z.detach()]).sum(0)

    def forward(self, x: Tensor) -> Tensor:
        a = self.first(x)
        last = len(self.inner) - 1
        for place, inner in enumerate(self.inner):
            if self.nested and place == last:
                break
            z = inner(a)
            if self.nested and place == last - 1:
                z = self.join(last, z, self.inner[last](z))
            a = self.join(place, a, z)
            a = torch.tanh(a) if self.post else a
        return a[:, :2]


@pytest.mark.parametrize("post", [True, False])
@pytest.mark.parametrize("nested", [False, True])
def test_every_path_by_itself_in_float64(post: bool, nested: bool) -> None:
    net, x, target = Gated(4, post, nested).double(), draws(7, 5), draws(7, 2, step=1)

    def gradients() -> list[Tensor]:
        leaf = x.clone().requires_grad_()
        return list(torch.autograd.grad(L2()(net(leaf), target), [leaf, net.first.weight]))

    whole = gradients()
    by_length = [[torch.zeros_like(one) for one in whole] for _ in range(5)]
    for choice in itertools.product((False, True), repeat=4):
        if nested and choice[3] and not choice[2]:
            continue  # within a branch that is not taken
        net.choice = choice
        if nested and not choice[2]:
            net.choice = (*choice[:3], False)
        for held, one in zip(by_length[sum(choice)], gradients(), strict=True):
            held += one
    net.choice = None
    for place, one in enumerate(whole):
        assert torch.allclose(sum(held[place] for held in by_length), one, rtol=1e-12)

    found = path_lengths(net, L2(), x, target)
    norms = torch.tensor([[float(one.norm()) for one in held] for held in by_length])
    longest = len(found.lengths)
    assert found.shares == pytest.approx((norms[:, 0] / norms[:, 0].sum()).tolist()[:longest])
    assert found.first_shares == pytest.approx((norms[:, 1] / norms[:, 1].sum()).tolist()[:longest])
    aligned = [float((held[0] * whole[0]).sum() / whole[0].square().sum()) for held in by_length]
    assert found.aligned == pytest.approx(aligned[:longest])
    assert sum(found.aligned) == pytest.approx(1)
    assert found.at == "inputs"


def test_without_blocks_there_is_one_path() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    found = path_lengths(net, L2(), draws(4, 3), draws(4, 2))
    assert (found.lengths, found.shares, found.effective_depth) == ((0,), (1.0,), 0.0)
    assert "no residual block" in found.sentence.lower()


def test_in_place_blocks_pass_the_whole_gradient() -> None:
    net, x = small_resnet().double().train(), draws(8, 1, 8, 8)
    targets = torch.arange(8) % 3
    before = state_of(net)
    found = path_lengths(net, F.cross_entropy, x, targets)
    assert_untouched(net, before)
    assert found.blocks == ("3", "4")
    assert found.lengths == (0, 1, 2)
    assert sum(found.aligned) == pytest.approx(1)
    assert "branches" in str(found)
    assert path_lengths(net, KL("softmax"), x, F.one_hot(targets, 3).double()).blocks


def test_a_block_that_starts_as_the_identity_has_depth_0() -> None:
    net = nn.Sequential(*(Residual(nn.Linear(3, 3), None, scale=0.0) for _ in range(3))).double()
    assert path_lengths(net, L2(), draws(4, 3), draws(4, 3, step=1)).effective_depth == 0


def test_whole_numbers_have_the_gradient_of_the_first_weight() -> None:
    net = nn.Sequential(nn.Embedding(9, 3), Residual(nn.Linear(3, 3)), nn.Linear(3, 2)).double()
    found = path_lengths(net, L2(), torch.arange(9), draws(9, 2))
    assert found.at == "0.weight"
    assert found.shares == found.first_shares


def test_frozen_networks_have_a_gradient_at_their_inputs() -> None:
    net = linear_chain(2, 1.0).requires_grad_(False)
    found = path_lengths(net, L2(), draws(4, 3), draws(4, 3, step=1))
    assert found.shares == pytest.approx((0.25, 0.5, 0.25))
    assert found.first_shares == ()


@pytest.mark.parametrize(
    ("network", "divergence", "inputs", "said"),
    [
        (3, L2(), draws(4, 3), "a torch.nn.Module would fit"),
        (linear_chain(1, 1.0), L2(), draws(0, 3), "at least 1 sample"),
        (linear_chain(1, 1.0), L2(), draws(4, 3) / 0, "nan or infinite"),
        (linear_chain(1, 1.0), lambda y, d: y - d, draws(4, 3), "a finite scalar would fit"),
        (linear_chain(1, 1.0), lambda y, d: 1.0, draws(4, 3), "a finite scalar would fit"),
        (linear_chain(1, 1.0), lambda y, d: y.sum() * 0, draws(4, 3), "gradient at inputs is 0"),
        (linear_chain(1, 1.0), lambda y, d: d.sum(), draws(4, 3), "no gradient arrives"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(network, divergence, inputs, said: str) -> None:
    with pytest.raises(PenchantError, match=said):
        path_lengths(network, divergence, inputs, torch.zeros(len(inputs), 3).double())
