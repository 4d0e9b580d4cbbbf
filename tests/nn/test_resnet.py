"""Residual networks against the published ones, their forward written out, their first numbers."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import penchant as pn
from penchant.errors import PenchantError
from penchant.geometry import receptive_field
from penchant.nn import ACTIVATIONS, Residual, ResNet, Sine, count_parameters
from penchant.randomness import generator

REAL = [name for name, member in ACTIVATIONS.items() if not member.is_complex]


def pictures(*shape: int) -> Tensor:
    return torch.randn(shape, generator=generator(0, "pictures"), dtype=torch.float64)


def small_count(depth: int, channels: int = 3, classes: int = 10) -> int:
    """Parameters by arithmetic: 9·in·out and two of a norm for each 3×3 convolution."""
    n = (depth - 2) // 6
    sizes = [(channels, 16)] + [(16, 16)] * 2 * n
    sizes += [(16, 32)] + [(32, 32)] * (2 * n - 1) + [(32, 64)] + [(64, 64)] * (2 * n - 1)
    return sum(9 * i * o + 2 * o for i, o in sizes) + 64 * classes + classes


@pytest.mark.parametrize(
    ("depth", "parameters", "millions"),
    [
        (20, 269_722, "0.27"),
        (32, 464_154, "0.46"),
        (44, 658_586, "0.66"),
        (56, 853_018, "0.85"),
        (110, 1_727_962, "1.7"),
        (1202, 19_421_274, "19.4"),
    ],
)
def test_small_networks_are_as_large_as_published(
    depth: int, parameters: int, millions: str
) -> None:
    """He et al. (2015), table 6, has the millions."""
    network = ResNet(depth)
    assert count_parameters(network) == small_count(depth) == parameters
    assert abs(parameters / 1e6 - float(millions)) <= 0.5 * 10 ** -len(millions.split(".")[1])
    weights = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(weights) == depth


def test_padded_shortcuts_learn_nothing() -> None:
    assert count_parameters(ResNet(56, skip=False)) == count_parameters(ResNet(56))


@pytest.mark.parametrize(
    ("depth", "parameters", "features"),
    [
        (18, 11_689_512, 512),
        (34, 21_797_672, 512),
        (50, 25_557_032, 2048),
        (101, 44_549_160, 2048),
        (152, 60_192_808, 2048),
    ],
)
def test_imagenet_networks_are_as_large_as_published(
    depth: int, parameters: int, features: int
) -> None:
    network = ResNet.imagenet(depth)
    assert count_parameters(network) == parameters
    assert network.head.in_features == features
    main = [
        m
        for name, m in network.named_modules()
        if isinstance(m, nn.Conv2d | nn.Linear) and "projection" not in name
    ]
    assert len(main) == depth


def test_output_shapes() -> None:
    """Of each stage: He et al. (2015), table 1 and section 4.2."""
    with torch.no_grad():
        network = ResNet(20).eval()
        shapes = [tuple(network.stem(torch.zeros(2, 3, 32, 32)).shape)]
        a = network.stem(torch.zeros(2, 3, 32, 32))
        for block in network.blocks:
            a = block(a)
            shapes.append(tuple(a.shape))
        assert shapes == [(2, 16, 32, 32)] * 4 + [(2, 32, 16, 16)] * 3 + [(2, 64, 8, 8)] * 3
        assert network(torch.zeros(2, 3, 28, 30)).shape == (2, 10)

        large = ResNet.imagenet(50).eval()
        a = large.stem(torch.zeros(1, 3, 224, 224))
        shapes = [tuple(a.shape)]
        for block in large.blocks:
            a = block(a)
            shapes.append(tuple(a.shape))
    assert [shapes[i] for i in (0, 1, 3, 4, 7, 8, 13, 14, 16)] == [
        (1, 64, 56, 56),
        *[(1, 256, 56, 56)] * 2,
        *[(1, 512, 28, 28)] * 2,
        *[(1, 1024, 14, 14)] * 2,
        *[(1, 2048, 7, 7)] * 2,
    ]


def test_a_bottleneck_has_its_stride_in_the_3x3() -> None:
    inner = ResNet.imagenet(50, width=4).blocks[3].inner
    assert [inner.get_submodule(f"convolution{i}").stride for i in (1, 2, 3)] == [
        (1, 1), (2, 2), (1, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(("depth", "size"), [(18, 435), (50, 427)])
def test_receptive_fields_of_the_last_block(depth: int, size: int) -> None:
    """docs/geometry.md's table has these numbers, by hand."""
    network = ResNet.imagenet(depth, width=2).eval()
    features = nn.Sequential(network.stem, network.blocks)
    field = receptive_field(features, (1, 3, 480, 480)).field
    assert field is not None and field.size == (size, size)
    assert field.stride == (32, 32)


def written_out(network: ResNet, x: Tensor, *, form: str, normalisation: str) -> Tensor:
    """The forward in torch's functions, from the parameters' names alone."""
    numbers = dict(network.named_parameters()) | dict(network.named_buffers())

    def convolution(name: str, a: Tensor, stride: int = 1) -> Tensor:
        weight = numbers[f"{name}.weight"]
        bias = numbers.get(f"{name}.bias")
        return F.conv2d(a, weight, bias, stride, weight.shape[-1] // 2)

    def norm(name: str, a: Tensor) -> Tensor:
        if normalisation == "none":
            return a
        stored = [numbers[f"{name}.{n}"] for n in ("running_mean", "running_var", "weight", "bias")]
        mean, variance, weight, bias = (value.view(1, -1, 1, 1) for value in stored)
        return (a - mean) / torch.sqrt(variance + 1e-5) * weight + bias

    a = torch.relu(norm("stem.norm", convolution("stem.convolution", x)))
    for index in range(len(network.blocks)):
        block = f"blocks.{index}"
        inner = f"{block}.inner"
        widens = f"{block}.projection.convolution.weight" in numbers
        stride = 2 if widens else 1
        kept = convolution(f"{block}.projection.convolution", a, stride) if widens else a
        if form == "post":
            kept = norm(f"{block}.projection.norm", kept) if widens else kept
            z = torch.relu(norm(f"{inner}.norm1", convolution(f"{inner}.convolution1", a, stride)))
            z = norm(f"{inner}.norm2", convolution(f"{inner}.convolution2", z))
            a = torch.relu(z + kept)
        else:
            z = a if index == 0 else torch.relu(norm(f"{inner}.norm1", a))
            z = torch.relu(norm(f"{inner}.norm2", convolution(f"{inner}.convolution1", z, stride)))
            a = convolution(f"{inner}.convolution2", z) + kept
    if form == "pre":
        a = torch.relu(norm("last.norm", a))
    return a.mean((2, 3)) @ network.head.weight.T + network.head.bias


@pytest.mark.parametrize("form", ["post", "pre"])
@pytest.mark.parametrize("normalisation", ["batch", "none"])
def test_the_forward_is_the_one_written_out(form: str, normalisation: str) -> None:
    words = {"form": form, "normalisation": normalisation}
    network = ResNet(14, 5, width=3, shortcut="project", **words).double()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.ndim == 1:  # norms' and biases' numbers, away from 0 and 1
                drawn = torch.rand(value.shape, generator=generator(0, name), dtype=value.dtype)
                value.copy_(0.5 + drawn)
    network.eval()
    x = pictures(2, 3, 9, 8)
    torch.testing.assert_close(network(x), written_out(network, x, **words), rtol=0, atol=1e-11)


def test_a_padded_shortcut_keeps_every_second_place() -> None:
    network = ResNet(8, width=3)
    a = pictures(2, 3, 7, 8)
    kept = network.blocks[1].projection(a)
    assert torch.equal(kept[:, :3], a[:, :, ::2, ::2]) and not kept[:, 3:].any()
    assert not list(network.blocks[1].projection.parameters())


def test_features_are_what_the_head_sees() -> None:
    for network in (ResNet(8, 5, width=4), ResNet.imagenet(18, 5, width=4)):
        seen: list[Tensor] = []
        last = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
        last.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
        network.eval()
        x = pictures(2, 3, 32, 32).float()
        network(x)
        assert torch.equal(network.features(x), seen[0])
        assert seen[0].shape == (2, last.in_features)


def test_draws_are_keyed_by_name_and_leave_the_stream_alone() -> None:
    state = torch.get_rng_state()
    first, again, other = (ResNet(14, width=4, seed=seed) for seed in (1, 1, 2))
    deeper = ResNet(20, width=4, shortcut="project", seed=1).state_dict()
    assert torch.equal(state, torch.get_rng_state())
    numbers = first.state_dict()
    assert all(torch.equal(again.state_dict()[n], v) for n, v in numbers.items())
    name = "blocks.1.inner.convolution2.weight"
    assert not torch.equal(other.state_dict()[name], numbers[name])
    assert torch.equal(deeper[name], numbers[name]), "equal wherever the shapes agree"
    assert torch.equal(deeper["head.weight"], numbers["head.weight"])


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("scale", [1, 4])
def test_initial_spread_is_the_activations(name: str, scale: float) -> None:
    """Variance 1/(s²·n·E[φ²(u)]), 2/n for relu; with any scale s·z starts with second moment 1."""
    member = pn.nn.activation(name, scale=scale)
    network = ResNet(8, width=32, activation=member)
    for layer, moment in (
        (network.stem.convolution, 1.0),
        (network.blocks[2].inner.convolution2, member.second_moment),
    ):
        n = layer.weight[0].numel()
        expected = 1 / (scale**2 * n * moment)
        assert math.isclose(float(layer.weight.detach().var()), expected, rel_tol=0.15)
    if name == "relu" and scale == 1:
        assert math.isclose(member.second_moment, 0.5, rel_tol=1e-6)


def test_a_name_has_scale_1_and_a_module_its_own() -> None:
    assert ResNet(8, width=2, activation="sine").stem.phi.scale == 1
    assert ResNet(8, width=2, activation=Sine).stem.phi.scale == 1
    assert ResNet(8, width=2, activation=Sine(scale=3)).stem.phi.scale == 3


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("normalisation", ["batch", "none"])
def test_every_activation_gives_gradients_everywhere(name: str, normalisation: str) -> None:
    network = ResNet(8, 3, width=4, activation=name, normalisation=normalisation)
    network(pictures(4, 3, 8, 8).float()).square().sum().backward()
    for name_of, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name_of
        assert parameter.grad.any(), name_of


def test_ones_own_activation_is_learned_in_each_place() -> None:
    member = nn.PReLU()
    network = ResNet(8, width=2, activation=member)
    assert sum(name.endswith("function.weight") for name, _ in network.named_parameters()) == 7
    assert all(parameter is not member.weight for parameter in network.parameters())


@torch.no_grad()
def moments(**words: object) -> list[float]:
    network = ResNet(56, width=8, **words)
    a = network.stem(pictures(16, 3, 16, 16).float())
    found = []
    for block in network.blocks:
        a = block(a)
        found.append(float(a.square().mean()))
    return found


def test_without_normalisation_residual_sums_grow_with_depth() -> None:
    grown = moments(normalisation="none")
    assert grown[-1] > 1e4 * grown[0]
    assert 1.4 < (grown[-1] / grown[0]) ** (1 / 26) < 2.2, "nearly twice with each block"
    assert max(moments(normalisation="batch")) < 20
    assert max(moments(normalisation="none", skip=False)) < 1
    assert max(moments(normalisation="none", skip_scale=0.0)) < 1, "SkipInit starts as its skips"


def test_chances_of_survival_fall_linearly() -> None:
    blocks = ResNet(20, width=2, survival=0.5).blocks
    chances = [block.survival for block in blocks if isinstance(block, Residual)]
    assert chances == pytest.approx([1 - 0.5 * index / 9 for index in range(1, 10)])
    assert all(block.survival == 1 for block in ResNet(8, width=2).blocks)


@pytest.mark.parametrize("form", ["post", "pre"])
def test_it_is_inspected_and_exported(form: str) -> None:
    network = ResNet(8, channels=1, width=4, form=form, skip_scale=0.5, survival=0.5)
    found = pn.inspect(network, "1x28x28")
    assert found.parameters == count_parameters(network)
    assert found.field is not None and found.field.whole
    assert sum(layer.function and layer.kind == "add" for layer in found.layers) == 3
    network.eval()
    x = pictures(2, 1, 28, 28).float()
    exported = torch.export.export(network, (x,)).module()
    torch.testing.assert_close(exported(x), network(x))


def test_resnet_20_is_inspected_by_its_rows() -> None:
    found = pn.inspect(ResNet(20, channels=1), "1x28x28")
    assert found.parameters == small_count(20, channels=1) == 269_434
    assert found.multiply_adds == 30_821_248
    fields = {layer.path: layer.field for layer in found.layers}
    first = fields["blocks.0.inner.convolution2"]
    assert first is not None and first.size == (7, 7)


def test_channels_last_changes_nothing() -> None:
    network = ResNet(8, width=4).double().eval()
    x = pictures(2, 3, 8, 8)
    last = network(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, network(x), rtol=0, atol=1e-12)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"depth": 21}, r"ResNet\(depth=21\): needs 6n \+ 2 layers; the nearest are 20 and 26"),
        ({"depth": 19}, "the nearest are 14 and 20"),
        ({"depth": 2}, "the smallest is 8"),
        ({"depth": 7}, "the smallest is 8"),
        ({"depth": 20.0}, "depth=20.0.*whole number"),
        ({"width": 0}, "width=0"),
        ({"classes": 0}, "classes=0"),
        ({"channels": 0}, "channels=0"),
        ({"form": "prae"}, "form='prae'.*did you mean 'pre'"),
        ({"normalisation": "layer"}, "normalisation='layer'.*known: batch, none"),
        ({"shortcut": "c"}, "shortcut='c'.*known: pad, project"),
        ({"activation": "wire"}, "'wire'.*complex"),
        ({"skip": False, "skip_scale": 0.0}, "skip=False, skip_scale=0.0.*plain"),
        ({"skip": "none"}, "skip='none'.*True or False"),
        ({"survival": 0.0}, "survival=0.0"),
        ({"survival": 1.5}, r"ResNet\(survival=1.5"),
        ({"survival": "0.5"}, "survival='0.5'"),
    ],
)
def test_what_does_not_fit_is_said(arguments: dict, said: str) -> None:
    with pytest.raises(PenchantError, match=said):
        ResNet(**arguments)


@pytest.mark.unchecked
def test_depths_and_pictures_that_do_not_fit() -> None:
    for depth in (20, 50.0, "18"):
        with pytest.raises(PenchantError, match=rf"depth={depth!r}.*known are 18, 34, 50, 101"):
            ResNet.imagenet(depth)
    network = ResNet(8, width=2)
    for shape in ((2, 1, 8, 8), (3, 8, 8)):
        with pytest.raises(PenchantError, match=r"needs pictures N×3×H×W"):
            network(torch.zeros(shape))
