import pytest
import torch
import torch.nn.functional as F
from probes.networks import assert_untouched, small_resnet, state_of
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import ACTIVATIONS, CoordinateNet, NeRF
from penchant.probes import _weight_function as weights_of
from penchant.probes import tangent_kernel
from penchant.randomness import generator


def draws(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator(0, "test/kernel"), dtype=torch.float64)


def grid(side: int) -> Tensor:
    line = (torch.arange(side, dtype=torch.float64) + 0.5) * 2 / side - 1
    return torch.cartesian_prod(line, line)


@pytest.fixture
def double() -> None:
    """Complex networks are made double by the default type."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_a_linear_model_has_its_gram_matrix() -> None:
    x = draws(7, 3)
    found = tangent_kernel(nn.Linear(3, 1, bias=False).double(), x)
    torch.testing.assert_close(found.matrix, x @ x.T, rtol=1e-13, atol=1e-13)
    assert float(found.eigenvalues.sum()) == pytest.approx(found.trace, rel=1e-12)
    with_bias = tangent_kernel(nn.Linear(3, 2).double(), x).matrix
    torch.testing.assert_close(with_bias, 2 * (x @ x.T + 1), rtol=1e-13, atol=1e-13)


def test_one_hidden_layer_in_closed_form() -> None:
    net = nn.Sequential(nn.Linear(2, 9), nn.Tanh(), nn.Linear(9, 1)).double()
    x = draws(6, 2)
    with torch.no_grad():
        z = net[0](x)
        slopes = (1 - z.tanh() ** 2) * net[2].weight[0]
        expected = z.tanh() @ z.tanh().T + 1 + (slopes @ slopes.T) * (x @ x.T + 1)
    torch.testing.assert_close(tangent_kernel(net, x).matrix, expected, rtol=1e-12, atol=1e-12)


def by_autograd(net: nn.Module, x: Tensor) -> Tensor:
    """The Jacobian a row at a time: slow, and obvious."""
    rows = []
    for answer in net(x).flatten():
        found = torch.autograd.grad(answer, list(net.parameters()), retain_graph=True)
        rows.append(torch.cat([torch.view_as_real(g).flatten() if g.is_complex() else g.flatten()
                               for g in found]))  # fmt: skip
    return torch.stack(rows).detach()


@pytest.mark.parametrize("name", ["relu", "sine", "gaussian", "finer", "wire"])
@pytest.mark.usefixtures("double")
def test_it_is_the_jacobians_product(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = CoordinateNet(2, 2, width=6, depth=2, activation=ACTIVATIONS[name]())
    x = grid(3)
    jacobian = by_autograd(net, x)
    expected = jacobian @ jacobian.T
    for at_once in (2**26, 1_000):  # in one block, and in several
        monkeypatch.setattr(weights_of, "NUMBERS", at_once)
        each = tangent_kernel(net, x, per_output=True)
        torch.testing.assert_close(each.matrix, expected, rtol=1e-10, atol=1e-10)
        summed = expected.view(9, 2, 9, 2).diagonal(dim1=1, dim2=3).sum(-1)
        torch.testing.assert_close(tangent_kernel(net, x).matrix, summed, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("per_output", [False, True])
@pytest.mark.parametrize("name", ["sine", "wire"])
@pytest.mark.usefixtures("double")
def test_products_give_the_leading_eigenvalues(name: str, per_output: bool) -> None:
    net = CoordinateNet(2, 2, width=8, depth=2, activation=name)
    whole = tangent_kernel(net, grid(6), per_output=per_output, leading=5)
    part = tangent_kernel(net, grid(6), per_output=per_output, leading=5, exact=False)
    assert (whole.exact, part.exact, part.matrix) == (True, False, None)
    torch.testing.assert_close(part.eigenvalues, whole.eigenvalues[:5], rtol=1e-9, atol=0)
    assert part.trace == pytest.approx(whole.trace, rel=1e-12)
    assert part.residual < 1e-9
    alike = (part.eigenvectors * whole.eigenvectors).sum(0).abs()
    torch.testing.assert_close(alike, torch.ones(5), rtol=1e-6, atol=0)
    assert part.frequencies == whole.frequencies
    assert "by products" in part.sentence


def test_larger_sets_are_done_by_products() -> None:
    net = CoordinateNet(2, 1, width=4, depth=1, activation="tanh")
    found = tangent_kernel(net, grid(46).float(), leading=4)
    assert not found.exact
    assert found.residual < 1e-4
    assert found.held is not None


class Waves(nn.Module):
    """A linear model of two waves of different weight: its eigenvectors are known."""

    def __init__(self, *vectors: tuple[float, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(len(vectors), dtype=torch.float64))
        self.vectors = torch.tensor(vectors, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        sizes = 2.0 ** -torch.arange(len(self.vectors))
        return torch.sin(2 * torch.pi * x @ self.vectors.T) * sizes @ self.weight[:, None]


def test_eigenvectors_hold_their_frequencies() -> None:
    line = torch.arange(64, dtype=torch.float64)[:, None] / 32 - 1
    found = tangent_kernel(Waves((3.0,), (7.0,), (1.0,)), line, leading=3)
    assert found.frequencies == pytest.approx((3, 7, 1), rel=0.05)
    found = tangent_kernel(Waves((3.0, 0.0), (1.0, 2.0)), grid(20), leading=2)
    assert found.frequencies == pytest.approx((3, 5**0.5), rel=0.06)
    assert "2 eigenvectors reach" in found.sentence
    assert "cycles per unit" in str(found)


def test_encodings_move_the_leading_frequencies() -> None:
    line = torch.linspace(-1, 1, 128)[:, None]
    found = [
        max(tangent_kernel(CoordinateNet(1, 1, activation="relu", encoding=code), line).frequencies)
        for code in ("none", NeRF(1, frequencies=6))
    ]
    assert found[1] > found[0]


def test_other_modules_as_they_are() -> None:
    pictures = draws(5, 1, 8, 8)
    net = small_resnet().double().eval()
    net[0].weight.requires_grad_(False)
    before = state_of(net)
    found = tangent_kernel(net, pictures)
    assert_untouched(net, before)
    assert found.frequencies == ()
    assert (found.points, found.outputs) == (5, 3)
    jacobian = tangent_kernel(net, pictures, per_output=True)
    summed = jacobian.matrix.view(5, 3, 5, 3).diagonal(dim1=1, dim2=3).sum(-1)
    torch.testing.assert_close(found.matrix, summed)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True).double().eval()
    whole = tangent_kernel(layer, draws(3, 2, 8), leading=3)
    part = tangent_kernel(layer, draws(3, 2, 8), leading=1, exact=False)
    assert float(part.eigenvalues[0]) == pytest.approx(float(whole.eigenvalues[0]), rel=1e-9)


def test_tied_weights_count_once() -> None:
    layer = nn.Linear(3, 3, bias=False).double()
    net, x = nn.Sequential(layer, layer), draws(4, 3)
    jacobian = by_autograd(net, x)
    found = tangent_kernel(net, x, per_output=True)
    torch.testing.assert_close(found.matrix, jacobian @ jacobian.T, rtol=1e-11, atol=1e-12)


def test_a_network_that_nothing_moves_is_said() -> None:
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1, bias=False)).double()
    with torch.no_grad():
        net[0].bias.fill_(-100)
    (finding,) = tangent_kernel(net, draws(4, 2)).findings
    assert finding.kind == "detached"


class Forward(nn.Module):
    def __init__(self, forward) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3).double()
        self.given = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.given(self.layer, x)


@pytest.mark.parametrize(
    ("network", "points", "said"),
    [
        ("a name", draws(4, 3), "a torch.nn.Module would fit"),
        (nn.Linear(3, 1).double(), draws(4, 3) / 0, "nan or infinite"),
        (nn.Linear(3, 1).double().requires_grad_(False), draws(4, 3), "no trainable parameter"),
        (small_resnet().double(), draws(4, 1, 8, 8), "network.eval"),
        (Forward(lambda layer, x: F.dropout(layer(x))), draws(4, 3), "network.eval"),
        (Forward(lambda layer, x: layer(x).sum()), draws(4, 3), "a row for each would fit"),
        (Forward(lambda layer, x: [layer(x)]), draws(4, 3), "answers a list"),
        (Forward(lambda layer, x: layer(x) / 0), draws(4, 3), "not finite"),
        (
            Forward(lambda layer, x: layer(x) if layer(x).sum() > -1e9 else -layer(x)),
            draws(4, 3),
            "torch.func cannot differentiate",
        ),
        (
            Forward(lambda layer, x: (layer(x) * 0).sqrt()),
            draws(4, 3),
            "derivatives are not finite",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(network, points, said: str) -> None:
    with pytest.raises(PenchantError, match=said) as error:
        tangent_kernel(network, points)
    assert "\n" not in str(error.value)


@pytest.mark.unchecked
def test_points_are_a_tensor() -> None:
    with pytest.raises(PenchantError, match="a tensor of samples would fit"):
        tangent_kernel(nn.Linear(3, 1), [1.0])


def test_numbers_that_do_not_fit() -> None:
    with pytest.raises(PenchantError, match="at least 1"):
        tangent_kernel(nn.Linear(3, 1).double(), draws(4, 3), leading=0)
    with pytest.raises(PenchantError, match="exact=True gives all"):
        tangent_kernel(nn.Linear(3, 1).double(), draws(4, 3), exact=False)
