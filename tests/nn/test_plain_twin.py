"""Plain twins: the same layers and numbers without skips, of anyone's module."""

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import Residual, ResNet, plain_twin
from penchant.randomness import generator


def rows(*shape: int) -> Tensor:
    return torch.randn(shape, generator=generator(0, "rows"), dtype=torch.float64)


def linear(inputs: int = 4, outputs: int = 4) -> nn.Linear:
    return nn.Linear(inputs, outputs, dtype=torch.float64)


class Own(nn.Module):
    """A user's network: blocks in a dictionary and a list, one block used twice, one nested."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({"first": Residual(linear(4, 6), "tanh", linear(4, 6))})
        twice = Residual(linear(6, 6), "relu", scale=0.5)
        nested = Residual(
            nn.Sequential(Residual(linear(6, 6), "sine"), linear(6, 6)),
            None,
            Residual(linear(6, 6)),
        )
        self.rest = nn.ModuleList([twice, nested, twice])
        self.norm = nn.LayerNorm(6, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        x = self.parts["first"](x)
        for block in self.rest:
            x = block(x)
        return self.norm(x) * 2


def test_a_users_network() -> None:
    network = Own().double().eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    twin, x = plain_twin(network), rows(5, 4)
    first, twice, nested = network.parts["first"], network.rest[0], network.rest[1]
    a = torch.tanh(first.inner(x))
    a = torch.relu(twice.inner(a))
    a = nested.inner[1](nested.inner[0].activation(nested.inner[0].inner(a)))
    a = torch.relu(twice.inner(a))
    torch.testing.assert_close(twin(x), network.norm(a) * 2, rtol=0, atol=1e-14)
    assert type(twin) is Own and not twin.training
    assert not any(isinstance(module, Residual) for module in twin.modules())
    assert twin.rest[0] is twin.rest[2], "a block used twice stays one block"

    assert isinstance(network.rest[1], Residual), "the network itself is left alone"
    assert all(torch.equal(before[n], v) for n, v in network.state_dict().items())
    gone = {n for n in before if "projection" in n or n.endswith("scale")}
    assert len(gone) == 6
    kept = {name: value for name, value in before.items() if name not in gone}
    assert list(twin.state_dict()) == list(kept)
    assert all(torch.equal(kept[n], v) for n, v in twin.state_dict().items())
    theirs = {p.data_ptr() for p in network.parameters()}
    assert not theirs & {p.data_ptr() for p in twin.parameters()}


@pytest.mark.parametrize("g", ["relu", None])
def test_a_network_that_is_a_residual_itself(g: str | None) -> None:
    inner = Residual(linear(), "tanh")
    network, x = Residual(inner, g, scale=0.0, survival=0.5), rows(5, 4)
    twin = plain_twin(network)
    expected = torch.tanh(inner.inner(x))
    assert torch.equal(twin(x), torch.relu(expected) if g else expected)
    assert list(twin.state_dict()) == ["inner.inner.weight", "inner.inner.bias"]


def test_a_block_that_changes_the_shape() -> None:
    convolution = nn.Conv2d(3, 8, 3, 2, 1).double()
    block = Residual(convolution, "relu", nn.Conv2d(3, 8, 1, 2).double())
    twin = plain_twin(nn.Sequential(OrderedDict(block=block, flat=nn.Flatten())))
    x = rows(2, 3, 8, 8)
    assert torch.equal(twin(x), torch.relu(convolution(x)).flatten(1))


@pytest.mark.parametrize("form", ["post", "pre"])
@pytest.mark.parametrize("shortcut", ["pad", "project"])
@pytest.mark.parametrize("normalisation", ["batch", "none"])
def test_a_resnets_twin_is_the_plain_network_of_its_seed(
    form: str, shortcut: str, normalisation: str
) -> None:
    words = {"form": form, "shortcut": shortcut, "normalisation": normalisation, "seed": 3}
    twin = plain_twin(ResNet(14, width=4, skip_scale=0.0, survival=0.5, **words))
    plain = ResNet(14, width=4, skip=False, **words)
    assert list(twin.state_dict()) == list(plain.state_dict())
    for name, value in plain.state_dict().items():
        assert torch.equal(twin.state_dict()[name], value), name
    x = rows(2, 3, 8, 8).float()
    assert torch.equal(twin(x), plain(x))
    assert torch.equal(twin.features(x), plain.features(x))


def test_an_imagenet_twin_too() -> None:
    words = {"width": 4, "classes": 7, "seed": 1}
    twin = plain_twin(ResNet.imagenet(50, **words))
    plain = ResNet.imagenet(50, skip=False, **words)
    assert list(twin.state_dict()) == list(plain.state_dict())
    assert all(torch.equal(twin.state_dict()[n], v) for n, v in plain.state_dict().items())


def test_parts_keep_their_modes() -> None:
    network = ResNet(8, width=4)
    network.blocks[1].eval()
    twin = plain_twin(network)
    modes = {name: module.training for name, module in network.named_modules()}
    assert not twin.blocks[1].training and twin.blocks[0].training
    assert all(modes[name] == module.training for name, module in twin.named_modules())


class Holding(nn.Module):
    """Holds its blocks in an own list too, and its blocks' inner modules know it."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Residual(linear()) for _ in range(2))
        self.order = [self.blocks[1], self.blocks[0]]
        self.blocks[0].inner.owner = [self]

    def forward(self, x: Tensor) -> Tensor:
        for block in self.order:
            x = block(x)
        return x


def test_blocks_are_twins_wherever_they_are_held() -> None:
    network, x = Holding(), rows(5, 4)
    twin = plain_twin(network)
    first, last = (block.inner for block in network.order)
    assert torch.equal(twin(x), torch.relu(last(torch.relu(first(x)))))
    assert twin.order[1] is twin.blocks[0]
    assert twin.blocks[0].inner.owner[0] is twin
    assert isinstance(network.order[0], Residual)


def test_layers_that_two_blocks_share_stay_shared() -> None:
    layer = linear()
    twin = plain_twin(nn.Sequential(Residual(layer), Residual(layer, "tanh"), layer))
    assert twin[0].inner is twin[1].inner is twin[2]
    assert len(list(twin.parameters())) == 2


class Scaled(Residual):
    """A block that does more than its parts."""

    def forward(self, a: Tensor) -> Tensor:
        return 2 * super().forward(a)


@pytest.mark.unchecked
def test_a_block_with_a_forward_of_its_own_is_refused() -> None:
    with pytest.raises(PenchantError, match=r"plain_twin\(Sequential\): 1 is a Scaled with a forw"):
        plain_twin(nn.Sequential(Residual(linear()), Scaled(linear())))
    with pytest.raises(PenchantError, match=r"plain_twin\(int\): needs a torch.nn.Module"):
        plain_twin(3)


def test_what_has_no_residual_has_no_twin() -> None:
    for network in (nn.Linear(2, 2), ResNet(8, width=4, skip=False)):
        with pytest.raises(PenchantError, match="there is no Residual in it"):
            plain_twin(network)
