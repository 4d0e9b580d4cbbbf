import pytest
import torch
import torch.nn.functional as F
from probes.networks import (
    PaddedShortcut,
    Recurrent,
    assert_untouched,
    small_resnet,
    state_of,
)
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import Residual
from penchant.probes import identity_shares
from penchant.randomness import generator


def draws(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=generator(0, "test/linearity"), dtype=dtype)


@pytest.fixture(autouse=True)
def stream() -> None:
    torch.manual_seed(0)


def branch() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))


class Forward(nn.Module):
    """A forward that is given."""

    def __init__(self, forward, parts: int = 3) -> None:
        super().__init__()
        self.parts = nn.ModuleList(branch() for _ in range(parts))
        self.bias = nn.Parameter(torch.ones(6))
        self.place = nn.Parameter(torch.ones(8, 6))
        self.given = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.given(self, x)


def test_shares_by_hand_in_float64() -> None:
    block = Residual(branch(), projection=nn.Linear(6, 6)).double()
    x = draws(32, 6, dtype=torch.float64)
    a, z = block.projection(x).detach(), block.inner(x).detach()
    (found,) = identity_shares(nn.Sequential(block, nn.Linear(6, 2).double()), x).blocks
    assert (found.name, found.projected) == ("0", True)
    assert found.share == pytest.approx(float(a.pow(2).sum() / (a.pow(2).sum() + z.pow(2).sum())))
    one, two = a - a.mean(0), a + z - (a + z).mean(0)
    rho = (one * two).sum() / (one.norm() * two.norm())
    assert found.explained == pytest.approx(float(rho**2), rel=1e-12)


@pytest.mark.parametrize("scale", [0.0, 0.5, None])
@pytest.mark.parametrize("projection", [None, "linear"])
@pytest.mark.parametrize("activation", [None, "gelu"])
def test_our_own_block_is_found(scale, projection, activation) -> None:
    made = nn.Linear(6, 6) if projection else None
    net = nn.Sequential(*(Residual(branch(), activation, made, scale=scale) for _ in range(3)))
    blocks = identity_shares(net, draws(16, 6)).blocks
    assert [block.name for block in blocks] == ["0", "1", "2"]
    assert {block.projected for block in blocks} == {projection is not None}
    if scale == 0.0:
        assert {block.share for block in blocks} == {1.0}
        assert all(block.explained == pytest.approx(1) for block in blocks)


@pytest.mark.parametrize("training", [True, False])
def test_stochastic_depth_is_found(training: bool) -> None:
    net = nn.Sequential(*(Residual(branch(), survival=0.5) for _ in range(3))).train(training)
    assert len(identity_shares(net, draws(16, 6)).blocks) == 3


def test_resnets_as_people_write_them() -> None:
    report = identity_shares(small_resnet(), draws(16, 1, 8, 8))
    assert [(one.name, one.projected) for one in report.blocks] == [("3", False), ("4", True)]
    assert all(0 < one.share < 1 for one in report.blocks)
    assert "2 residual blocks" in report.sentence
    assert "projection" in str(report)
    (block,) = identity_shares(PaddedShortcut(4), draws(8, 4, 6, 6)).blocks
    assert block.projected


WRITTEN = {
    "plus": (lambda n, x: n.bias * (x + n.parts[0](x)), 1),
    "branch first": (lambda n, x: n.parts[0](x) + x, 1),
    "torch.add with a weight": (lambda n, x: torch.add(x, n.parts[0](x), alpha=0.5), 1),
    "in place on the stream": (lambda n, x: (x * 1).add_(n.parts[0](x)) * 1, 1),
    "plus equals": (lambda n, x: _plus_equals(n, x), 2),
    "several in one forward": (lambda n, x: _chain(n, x), 3),
    "pre-activation": (lambda n, x: x + n.parts[0](F.layer_norm(F.relu(x), (6,))), 1),
    "parallel branches": (lambda n, x: x + n.parts[0](x) + n.parts[1](x), 2),
    "branches first": (lambda n, x: n.parts[0](x) + n.parts[1](x) + x, 1),
    "scaled and dropped": (lambda n, x: x + n.bias * F.dropout(n.parts[0](x), 0.1), 1),
    "nested": (lambda n, x: x + n.parts[1](_inner(n, x)), 2),
    "reshaped on the way": (lambda n, x: x + n.parts[0](x.reshape(-1, 2, 6)).flatten(0, 1), 1),
    "projected by a norm": (lambda n, x: F.layer_norm(x, (6,)) + n.parts[0](x), 1),
    "mixed by pooling": (lambda n, x: x + F.avg_pool1d(x[:, None], 3, 1, 1)[:, 0], 1),
}
NOT_RESIDUAL = {
    "a bias": lambda n, x: torch.relu(n.parts[0](x) + n.bias),
    "a place code of the same shape": lambda n, x: n.parts[0](x[:8] + n.place),
    "a number": lambda n, x: n.parts[0](x) + 1,
    "two branches": lambda n, x: n.parts[0](x) + n.parts[1](x),
    "two linear maps": lambda n, x: n.parts[0][0](x) + n.parts[1][0](x),
    "a polynomial": lambda n, x: n.parts[0](x + 0.04 * x**3),
    "a polynomial behind a block": lambda n, x: _cubed(_inner(n, x)[:, :, None].flatten(1)),
    "a polynomial of a projection": lambda n, x: _cubed(n.parts[0][0](x)),
    "twice the same": lambda n, x: n.parts[0](x) + (n.parts[0](x)),
    "a gate": lambda n, x: torch.sigmoid(n.parts[0](x)) * x,
    "halves": lambda n, x: torch.cat([x[:8] + n.parts[0](x[8:]), x[8:]]),
    "a mean": lambda n, x: n.parts[0](x) + n.parts[0](x).mean(0, keepdim=True),
}


def _chain(net: Forward, x: Tensor) -> Tensor:
    for part in net.parts:
        x = x + part(x)
    return x


def _cubed(x: Tensor) -> Tensor:
    return x + 0.04 * x**3


def _plus_equals(net: Forward, x: Tensor) -> Tensor:
    out = net.parts[0](x)
    out += x
    stream = torch.relu(out)
    kept = stream.clone()
    stream += net.parts[1](kept)
    return stream


def _inner(net: Forward, x: Tensor) -> Tensor:
    return x + net.parts[0](x)


@pytest.mark.parametrize("name", WRITTEN)
def test_additions_however_written(name: str) -> None:
    forward, blocks = WRITTEN[name]
    net, x = Forward(forward), draws(16, 6)
    plain = net(x)
    report = identity_shares(net.eval(), x)
    assert len(report.blocks) == blocks
    assert torch.equal(x, draws(16, 6))
    if "dropped" not in name:
        assert torch.equal(net(x), plain)


@pytest.mark.parametrize("name", NOT_RESIDUAL)
def test_other_additions_are_left_alone(name: str) -> None:
    blocks = identity_shares(Forward(NOT_RESIDUAL[name]), draws(16, 6)).blocks
    assert len(blocks) == ("behind a block" in name)


def test_a_recurrence_is_no_block() -> None:
    assert identity_shares(Recurrent(4, 8), draws(8, 5, 4)).blocks == ()


def test_the_operands_are_told_apart() -> None:
    def forward(net: Forward, x: Tensor) -> Tensor:
        return torch.add(net.parts[0](x) * 0, x, alpha=3.0)

    (block,) = identity_shares(Forward(forward), draws(16, 6)).blocks
    assert block.share == 1


def test_torchs_transformer_layer() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    for norm_first in (False, True):
        layer.norm_first = norm_first
        names = [one.name for one in identity_shares(layer.eval(), draws(4, 5, 8)).blocks]
        assert names == ["", "#2"]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_vit_of_transformers_has_two_blocks_a_layer(attention: str) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        image_size=8, patch_size=4, num_channels=1, num_labels=3, hidden_act="gelu_new",
    )  # fmt: skip
    config._attn_implementation = attention
    report = identity_shares(transformers.ViTForImageClassification(config), draws(4, 1, 8, 8))
    assert len(report.blocks) == 4
    assert not any(one.projected for one in report.blocks)


def test_convnext_of_transformers_has_one_block_a_layer() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ConvNextConfig(
        num_channels=1, hidden_sizes=[4, 8], depths=[1, 2], num_stages=2, patch_size=2, num_labels=3
    )
    net = transformers.ConvNextForImageClassification(config)
    assert len(identity_shares(net, draws(4, 1, 8, 8)).blocks) == 3


def test_nothing_of_the_network_changes() -> None:
    net = small_resnet().train()
    before = state_of(net)
    identity_shares(net, draws(16, 1, 8, 8))
    assert_untouched(net, before)


@pytest.mark.parametrize(
    ("network", "inputs", "said"),
    [
        ("resnet", draws(4, 6), "a torch.nn.Module would fit"),
        (branch(), draws(0, 6), "at least 1 sample"),
        (branch(), draws(4, 6) / 0, "nan or infinite"),
        (branch(), [draws(4, 6)], "a tensor of samples would fit"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(network, inputs, said: str) -> None:
    with pytest.raises(PenchantError, match=said):
        identity_shares(network, inputs)
