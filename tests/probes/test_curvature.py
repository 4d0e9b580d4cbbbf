import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call

from penchant.errors import PenchantError
from penchant.nn import CoordinateNet
from penchant.probes import largest_curvature

Loss = Callable[[Tensor, Tensor], Tensor]


def l2(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).square().sum() / (2 * len(output))


def full_hessian(network: nn.Module, divergence: Loss, inputs: Tensor, targets: Tensor) -> Tensor:
    """The slow reference: the whole matrix, a row at a time."""
    named = {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}
    shapes = [p.shape for p in named.values()]
    sizes = [p.numel() for p in named.values()]

    def value(vector: Tensor) -> Tensor:
        pieces = [v.view(s) for v, s in zip(vector.split(sizes), shapes, strict=True)]
        weights = dict(zip(named, pieces, strict=True))
        return divergence(functional_call(network, weights, (inputs,)), targets)

    point = torch.cat([p.flatten() for p in named.values()])
    return torch.autograd.functional.hessian(value, point)


def seeded(network: nn.Module) -> nn.Module:
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(torch.randn(p.shape, generator=draws, dtype=torch.float64) / 2)
    return network.double()


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.there = nn.Linear(4, 4)
        self.back = nn.Linear(4, 4)
        self.back.weight = self.there.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.back(torch.tanh(self.there(x)))[:, :2]


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(1, 4)
        self.mix = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.read(x.unsqueeze(-1))
        return self.head(self.mix(tokens, tokens, tokens, need_weights=False)[0].mean(1))


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x)


def half_frozen() -> nn.Module:
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    network[0].requires_grad_(False)
    return network


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(4, 2),
    "tanh": lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)),
    "gelu": lambda: nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 2)),
    "relu": lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)),
    "sine": lambda: CoordinateNet(4, 2, width=4, depth=2, activation="sine"),
    "norm": lambda: nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2)),
    "tied": Tied,
    "attention": Attention,
    "unused": Unused,
    "frozen": half_frozen,
}


@pytest.fixture
def samples() -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(2)
    kind = {"generator": draws, "dtype": torch.float64}
    return torch.randn(12, 4, **kind), torch.randn(12, 2, **kind)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_the_full_hessians_largest_eigenvalue(
    name: str, samples: tuple[Tensor, Tensor]
) -> None:
    network = seeded(NETWORKS[name]())
    if name == "norm":
        network.eval()
    found = largest_curvature(network, l2, *samples)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        matrix = full_hessian(network, l2, *samples)
    values = torch.linalg.eigvalsh(matrix)
    reach = values.abs().max().item()
    assert found.converged and found.residual <= 1e-7 * reach
    assert found.largest == pytest.approx(values[-1].item(), abs=1e-12 * reach)
    assert found.smallest >= values[0].item() - 1e-12 * reach
    assert found.step_limit == 2 / found.largest
    trainable = [p for p in network.parameters() if p.requires_grad]
    assert [v.shape for v in found.direction] == [p.shape for p in trainable]
    vector = torch.cat([v.flatten() for v in found.direction])
    assert vector.norm().item() == pytest.approx(1, abs=1e-12)
    off = (matrix @ vector - found.largest * vector).norm().item()
    assert off == pytest.approx(found.residual, abs=1e-10 * reach)


class Point(nn.Module):
    """A network that is its weights, so that any quadratic form can be a loss."""

    def __init__(self, size: int, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight


def quadratic(spectrum: list[float], dtype: torch.dtype = torch.float64) -> tuple[Tensor, Loss]:
    """½ w·Aw with the eigenvalues of `spectrum` along a random basis, the columns returned."""
    size = len(spectrum)
    draws = torch.randn(size, size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    basis = torch.linalg.qr(draws)[0]
    matrix = (basis * torch.tensor(spectrum, dtype=torch.float64)) @ basis.T
    matrix = ((matrix + matrix.T) / 2).to(dtype)
    return basis, lambda w, _: w @ matrix @ w / 2


NOTHING = torch.zeros(1)


@given(
    spectrum=st.lists(
        st.floats(-100, 100, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-3),
        min_size=1,
        max_size=12,
    ),
    times=st.integers(1, 3),
)
@settings(deadline=None, max_examples=60)
def test_a_quadratics_spectrum_is_known(spectrum: list[float], times: int) -> None:
    _, form = quadratic(spectrum * times)
    found = largest_curvature(Point(len(spectrum) * times), form, NOTHING, NOTHING)
    reach = max(map(abs, spectrum))
    assert found.converged
    assert found.largest == pytest.approx(max(spectrum), abs=1e-9 * reach)
    assert min(spectrum) - 1e-9 * reach <= found.smallest <= found.largest


def test_the_largest_is_the_most_positive_not_the_longest() -> None:
    basis, form = quadratic([-50.0, -3.0, 0.0, 1.0, 2.0])
    found = largest_curvature(Point(5), form, NOTHING, NOTHING)
    assert found.largest == pytest.approx(2, abs=1e-10)
    assert found.smallest == pytest.approx(-50, abs=1e-10)
    assert found.step_limit == pytest.approx(1, abs=1e-10)
    assert abs(found.direction[0] @ basis[:, 4]).item() == pytest.approx(1, abs=1e-9)


def test_an_eigenvalue_of_several_directions_comes_with_one_of_them() -> None:
    basis, form = quadratic([4.0] * 3 + [1.0] * 40)
    found = largest_curvature(Point(43), form, NOTHING, NOTHING)
    assert found.largest == pytest.approx(4, abs=1e-12)
    assert found.products == 3  # two eigenvalues, two products, and one for the residual
    assert (basis[:, :3].T @ found.direction[0]).norm().item() == pytest.approx(1, abs=1e-10)


def test_without_positive_curvature_no_step_is_too_long() -> None:
    _, form = quadratic([-1.0, -2.0])
    falling = largest_curvature(Point(2), form, NOTHING, NOTHING)
    assert falling.largest == pytest.approx(-1) and falling.step_limit == math.inf
    for flat in (lambda w, _: w.sum(), lambda w, _: 0 * w.square().sum()):
        found = largest_curvature(Point(3), flat, NOTHING, NOTHING)
        assert (found.largest, found.smallest, found.residual) == (0, 0, 0)
        assert found.converged and found.step_limit == math.inf


def test_too_few_products_are_confessed() -> None:
    _, form = quadratic([float(i) for i in range(60)])
    early = largest_curvature(Point(60), form, NOTHING, NOTHING, iterations=5)
    late = largest_curvature(Point(60), form, NOTHING, NOTHING)
    assert not early.converged and early.products == 6
    assert late.converged and late.products < 60
    assert early.largest < late.largest == pytest.approx(59, abs=1e-10)


@pytest.mark.parametrize(
    ("dtype", "within"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)], ids=str
)
def test_shorter_number_types_are_as_exact_as_they_can_be(
    dtype: torch.dtype, within: float
) -> None:
    _, form = quadratic([float(i) for i in range(30)], dtype)
    found = largest_curvature(Point(30, dtype), form, NOTHING, NOTHING)
    assert found.converged and found.direction[0].dtype == dtype
    assert found.largest == pytest.approx(29, rel=within)


def test_the_same_seed_gives_the_same_and_another_seed_the_same_eigenvalue(
    samples: tuple[Tensor, Tensor],
) -> None:
    network = seeded(NETWORKS["tanh"]())
    one, two, other = (largest_curvature(network, l2, *samples, seed=seed) for seed in (0, 0, 1))
    assert (one.largest, one.residual) == (two.largest, two.residual)
    assert other.largest == pytest.approx(one.largest, rel=1e-12)
    for a, b, c in zip(one.direction, two.direction, other.direction, strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(a, c, rtol=0, atol=1e-6)  # also its sign


def test_the_network_is_left_as_it_was(samples: tuple[Tensor, Tensor]) -> None:
    network = seeded(NETWORKS["norm"]()).train()
    for p in network.parameters():
        p.grad = torch.ones_like(p)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        largest_curvature(network, l2, *samples)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in network.parameters())


def test_dropouts_mask_is_one_for_all_products(samples: tuple[Tensor, Tensor]) -> None:
    network = seeded(nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2)))
    assert largest_curvature(network, l2, *samples).converged


def test_what_does_not_fit_is_named(samples: tuple[Tensor, Tensor]) -> None:
    inputs, targets = samples
    network = seeded(nn.Linear(4, 2))
    frozen = seeded(nn.Linear(4, 2)).requires_grad_(False)
    wire = CoordinateNet(4, 2, width=8, depth=2, activation="wire")
    cases: list[tuple[nn.Module, Loss, object, str]] = [
        (network, l2, 0, r"iterations=0\): needs a whole number"),
        (network, l2, 2.5, r"iterations=2.5\): needs a whole number"),
        (network, lambda y, d: (y - d).sum(1), 9, r"gave a tensor of shape \(12,\); a finite sca"),
        (network, lambda y, d: (y / 0).sum(), 9, "gave (nan|-?inf); a finite scalar"),
        (network, lambda y, d: d.sum(), 9, "which has no gradient; a finite scalar"),
        (network, lambda y, d: (y - y).abs().sqrt().sum(), 9, "second derivative is not finite"),
        (frozen, l2, 9, "Linear has no trainable parameter"),
        (wire, l2, 9, r"parameter 'layers.1.weight' of shape \(\d+, \d+\) is complex"),
    ]
    for net, divergence, iterations, words in cases:
        with pytest.raises(PenchantError, match=words) as caught:
            largest_curvature(net, divergence, inputs, targets, iterations=iterations)
        assert "\n" not in str(caught.value)
