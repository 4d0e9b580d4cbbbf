"""Peers' networks against their papers' formulas, number by number in float64."""

import cmath
import math
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from references import block_gaussians, blocks, finer, miner, siren, wire
from references.block_gaussians import GaussianBlocks
from references.blocks import SIDE, from_blocks, levels, pad, to_blocks
from references.miner import Miner, SineBlocks
from references.pixels import PixelFit, coordinates
from torch import Tensor, nn

POINTS = [(-0.7, 0.2), (0.0, 0.0), (0.9, -1.0)]

pytestmark = pytest.mark.unchecked


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def affine(layer: nn.Linear, x: Sequence[complex]) -> list[complex]:
    """Wx + b, one product after the other."""
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    return [
        sum((w * value for w, value in zip(row, x, strict=True)), start=b)
        for row, b in zip(weight, bias, strict=True)
    ]


def slowly(network: nn.Sequential, phi: Callable[[complex], complex], x: Sequence[float]) -> list:
    """The network at one point: φ after each layer but the last, of which the real part counts."""
    *hidden, head = network
    values: list[complex] = list(x)
    for layer in hidden:
        values = [phi(z) for z in affine(layer.linear, values)]
    return [complex(y).real for y in affine(head, values)]


@pytest.mark.parametrize(
    ("build", "phi"),
    [
        (siren.siren, lambda z: math.sin(30 * z)),
        (finer.finer, lambda z: math.sin(30 * (abs(z) + 1) * z)),
        (wire.wire, lambda z: cmath.exp(20j * z - abs(10 * z) ** 2)),
    ],
    ids=["siren", "finer", "wire"],
)
def test_a_network_is_its_papers_formula(
    double: None, build: Callable[..., nn.Sequential], phi: Callable[[complex], complex]
) -> None:
    network = build(2, 3, width=7)
    found = network(torch.tensor(POINTS))
    expected = torch.tensor([slowly(network, phi, point) for point in POINTS])
    assert found.dtype == torch.float64 and not found.is_complex()
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def reaches(values: Tensor, bound: float) -> bool:
    """Uniform on ±bound: within it, and near to it."""
    parts = torch.view_as_real(values) if values.is_complex() else values
    return 0.9 * bound < float(parts.detach().abs().max()) <= bound


@pytest.mark.parametrize("build", [siren.siren, finer.finer])
def test_sines_start_within_their_papers_bounds(build: Callable[..., nn.Sequential]) -> None:
    first, *later, head = build(2, 3)
    assert reaches(first.linear.weight, 1 / 2)
    assert reaches(first.linear.bias, 1 / math.sqrt(2))
    assert len(later) == 3
    for linear in [*(layer.linear for layer in later), head]:
        assert reaches(linear.weight, math.sqrt(6 / 256) / 30)


def test_siren_and_finer_have_the_published_number_of_parameters() -> None:
    for build in (siren.siren, finer.finer):
        assert sum(p.numel() for p in build(2, 3).parameters()) == 198_915


def test_wire_counts_a_complex_number_as_two_and_starts_as_a_linear_layer() -> None:
    first, *later, head = wire.wire(2, 3)
    assert first.linear.weight.shape == (181, 2) and not first.linear.weight.is_complex()
    assert [layer.linear.weight.shape for layer in later] == [(181, 181)] * 2
    assert head.weight.is_complex() and head.weight.shape == (3, 181)
    assert reaches(first.linear.weight, 1 / math.sqrt(2))


def test_finer_takes_its_factor_for_a_constant(double: None) -> None:
    layer = finer.FinerLayer(1, 1, first=True)
    x = torch.tensor([[0.3]], requires_grad=True)
    layer(x).sum().backward()
    weight, bias = layer.linear.weight.item(), layer.linear.bias.item()
    z = weight * 0.3 + bias
    factor = 30 * (abs(z) + 1)
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(factor * math.cos(factor * z) * weight, rel=1e-10)


def block_by_block(network: nn.Module, x: Tensor, phi: Callable[[Tensor, int, int], Tensor]):
    """Each block alone: x·W + b with the block's own numbers."""
    answers = []
    for block in range(len(x)):
        value = x[block]
        for layer in range(3):
            weight = getattr(network, f"weight{layer}")[block]
            z = value @ weight + getattr(network, f"bias{layer}")[block]
            value = phi(z, block, layer)
        answers.append(value @ network.head_weight[block] + network.head_bias[block])
    return answers


def test_miners_blocks_are_small_sirens(double: None) -> None:
    network = SineBlocks(4, 3, width=5)
    x = torch.rand(4, 6, 2) * 2 - 1
    expected = block_by_block(network, x, lambda z, *_: torch.sin(150 * z))
    torch.testing.assert_close(network(x), torch.stack(expected), rtol=1e-10, atol=1e-12)
    big = SineBlocks(64, 3, width=18)
    assert reaches(big.weight0, 1 / 2) and reaches(big.bias0, 1 / 2)
    assert reaches(big.weight2, math.sqrt(6 / 18) / 150)
    assert reaches(big.head_weight, 1 / (150 * math.sqrt(18)))


def test_block_gaussians_are_their_description(double: None) -> None:
    residual = torch.randn(4, 9, 3)
    network = GaussianBlocks(4, 3, residual)
    with torch.no_grad():
        network.a1.copy_(torch.rand(4, 1, 1) + 0.1)
        network.head_a.copy_(torch.rand(4, 1, 1) + 0.1)

    def gaussian(z: Tensor, block: int, layer: int) -> Tensor:
        a = getattr(network, f"a{layer}")[block].item()
        return torch.exp(-(z**2) / (2 * a**2))

    x = torch.rand(4, 6, 2) * 2 - 1
    heads = block_by_block(network, x, gaussian)
    expected = [
        residual[block].abs().max() * torch.sin(network.head_a[block] * z)
        for block, z in enumerate(heads)
    ]
    torch.testing.assert_close(network(x), torch.stack(expected), rtol=1e-10, atol=1e-12)
    coarsest = GaussianBlocks(4, 3, None)
    heads = block_by_block(coarsest, x, lambda z, *_: torch.exp(-(z**2) / (2 * 0.1**2)))
    torch.testing.assert_close(coarsest(x), torch.sigmoid(torch.stack(heads)))
    assert reaches(network.weight0, 1 / math.sqrt(2))
    assert reaches(network.weight1, 1 / math.sqrt(20))


@pytest.mark.parametrize("shape", [(64, 96, 3), (40, 33, 3), (171, 256, 1)])
def test_blocks_and_back(shape: tuple[int, int, int]) -> None:
    picture = torch.rand(shape)
    padded = pad(picture, SIDE)
    assert padded.shape[0] % SIDE == padded.shape[1] % SIDE == 0
    assert torch.equal(padded[: shape[0], : shape[1]], picture)
    assert torch.equal(padded[-1, : shape[1]], picture[-1])
    cut = to_blocks(padded)
    assert torch.equal(cut[1], padded[:SIDE, SIDE : 2 * SIDE].reshape(-1, shape[2]))
    assert torch.equal(from_blocks(cut, *padded.shape[:2]), padded)


def test_a_level_is_the_mean_over_squares_of_pixels() -> None:
    picture = torch.rand(16, 24, 3)
    coarsest, *_, finest = levels(picture)
    assert torch.equal(finest, picture)
    torch.testing.assert_close(coarsest[1, 2], picture[8:16, 16:24].mean((0, 1)))


class Told(blocks.BlockFit):
    """Knows what is left without learning it."""

    def begin(self) -> tuple[blocks.Blocks, torch.optim.Optimizer]:
        network = SineBlocks(len(self.active), 3, 2)
        return network, torch.optim.Adam(network.parameters())

    def step(self) -> None:
        self.freeze(torch.ones(len(self.active), dtype=torch.bool), self.target[self.active])
        self.next_level()


@pytest.mark.parametrize("shape", [(256, 171, 3), (50, 70, 3)])
def test_what_is_left_on_each_level_adds_up_to_the_picture(shape: tuple[int, int, int]) -> None:
    # Rough, so that each level has something left.
    picture = torch.rand(shape)
    fit = Told(picture)
    while not fit.ended:
        fit.step()
    assert fit.level == blocks.SCALES - 1
    torch.testing.assert_close(fit.picture(), picture)


def test_a_block_that_the_level_below_explains_has_no_network() -> None:
    picture = torch.full((64, 64, 3), 0.5)
    picture[:32, :32] = torch.rand(32, 32, 3)
    fit = Told(picture)
    while not fit.finest:
        fit.step()
    assert fit.active.tolist() == [0]


def test_freezing_leaves_the_other_blocks_as_they_were() -> None:
    fit = Miner(torch.rand(64, 96, 3), miner.LEARNING_RATE)
    while not fit.finest:
        fit.next_level()
    for _ in range(3):
        fit.step()
    before, active = fit.picture(), fit.active
    moments = [fit.optimizer.state[p]["exp_avg"].clone() for p in fit.network.parameters()]
    done = torch.arange(len(active)) % 2 == 0
    fit.freeze(done, fit.network(fit.inputs(len(active))).detach())
    torch.testing.assert_close(fit.picture(), before)
    assert torch.equal(fit.active, active[~done])
    for parameter, moment in zip(fit.network.parameters(), moments, strict=True):
        assert torch.equal(fit.optimizer.state[parameter]["exp_avg"], moment[~done])
    fit.step()
    frozen = active[done]
    expected = to_blocks(pad(before - fit.base, SIDE))[frozen]
    torch.testing.assert_close(fit.found[frozen], expected)


def test_miners_children_start_as_half_of_their_parent() -> None:
    fit = Miner(torch.rand(256, 192, 3), miner.LEARNING_RATE)
    fit.next_level()
    fit.next_level()
    parents = fit.parents
    assert fit.level == 2 and parents is not None
    parents = [parent.clone() for parent in parents]
    fit.next_level()
    # The finest level has 8 × 6 blocks, the one below 4 × 3: block (5, 3) is in (2, 1).
    child, parent = 5 * 6 + 3, 2 * 3 + 1
    at = fit.active.tolist().index(child)
    for new, old in zip(fit.network.parameters(), parents, strict=True):
        assert torch.equal(new[at], old[parent] / 2)


def test_block_networks_learn() -> None:
    line = torch.linspace(0, 1, 32)
    picture = (line[:, None] * line)[..., None].expand(-1, -1, 3).contiguous()
    for fit in (miner.fit(picture, 5e-4), block_gaussians.fit(picture, 3e-2)):
        before = (fit.picture() - picture).square().mean()
        for _ in range(150):
            fit.step()
        assert (fit.picture() - picture).square().mean() < before / 4


def test_coordinates_go_from_corner_to_corner() -> None:
    found = coordinates(2, 3).tolist()
    assert found == [[-1, -1], [-1, 0], [-1, 1], [1, -1], [1, 0], [1, 1]]


def test_a_step_answers_with_the_error_in_colours_on_the_unit_interval() -> None:
    picture = torch.rand(4, 5, 3)
    for fit in (siren.fit(picture, 1e-4), finer.fit(picture, 1e-4), wire.fit(picture, 1e-4)):
        expected = (fit.picture() - picture).square().mean()
        assert fit.step() == pytest.approx(float(expected), rel=1e-5)
        assert not torch.equal(fit.picture(), torch.zeros(4, 5, 3))


def test_batches_cover_an_epoch_and_the_rate_falls_by_epochs() -> None:
    fit = PixelFit(nn.Linear(2, 3), torch.rand(4, 5, 3), 0.1, falls_within=2, batch=8)
    seen = []
    for _ in range(3):
        assert fit.optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
        fit.step()
        seen.append(len(fit.order))
    assert seen == [2, 1, 0]
    rates = []
    for _ in range(3):
        rates.append(fit.optimizer.param_groups[0]["lr"])
        for _ in range(3):
            fit.step()
    assert rates == pytest.approx([0.1 * 0.1**0.5, 0.01, 0.01])


def test_wire_takes_batches_of_256_squared_at_their_share_of_the_rate() -> None:
    fit = wire.fit(torch.zeros(512, 256, 3), 5e-3)
    assert fit.batch == 65_536
    assert fit.optimizer.param_groups[0]["lr"] == pytest.approx(2.5e-3)


def test_siren_pytorch_is_used_as_its_page_says() -> None:
    pytest.importorskip("siren_pytorch")
    from references import siren_pytorch_package

    picture = torch.rand(6, 5, 3)
    fit = siren_pytorch_package.fit(picture, 1e-4)
    assert fit.picture().shape == picture.shape
    expected = (fit.picture() - picture).square().mean()
    assert fit.step() == pytest.approx(float(expected), rel=1e-5)
    assert len(fit.wrapper.net.layers) == 5 and fit.wrapper.net.dim_hidden == 256
