"""The encoder-decoder: what passes through its bottleneck, sizes, and how it starts."""

from statistics import fmean

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import ACTIVATIONS, Autoencoder, count_parameters
from penchant.nn import activation as make_activation
from penchant.randomness import generator

REAL = [name for name, member in ACTIVATIONS.items() if not member.is_complex]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed, "test"), dtype=torch.float64)


def slow(network: Autoencoder, x: Tensor) -> Tensor:
    """The formula, with each step written out."""

    def convolved(x: Tensor, level: nn.Module, stride: int) -> Tensor:
        layer = level.get_submodule("convolution")
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        rows, columns = [1 + (size - 1) // stride for size in x.shape[-2:]]
        z = torch.zeros(len(x), layer.weight.shape[0], rows, columns, dtype=x.dtype)
        for row in range(rows):
            for column in range(columns):
                top, left = row * stride, column * stride
                window = padded[:, :, top : top + 3, left : left + 3]
                seen = window[:, None] * layer.weight
                z[:, :, row, column] = seen.sum(dim=(2, 3, 4)) + layer.bias
        return level.get_submodule("phi")(z)

    sizes = []
    for level in network.encoder:
        sizes.append(x.shape[-2:])
        x = convolved(x, level, 2)
    for level in network.decoder:
        rows, columns = sizes.pop()
        repeated = x.repeat_interleave(2, -1).repeat_interleave(2, -2)
        x = convolved(repeated[..., :rows, :columns], level, 1)
    weight = network.head.weight[:, :, 0, 0]
    return torch.einsum("oc,nchw->nohw", weight, x) + network.head.bias[:, None, None]


@pytest.mark.parametrize("size", [(8, 8), (7, 12), (5, 3), (1, 9), (1, 1)])
def test_forward_is_the_formula(size: tuple[int, int]) -> None:
    network = Autoencoder(4, 3, width=5, depth=3, activation="gelu", seed=1).double()
    x = noise(2, 4, *size)
    torch.testing.assert_close(network(x), slow(network, x), rtol=1e-12, atol=1e-12)


def test_all_passes_through_the_bottleneck() -> None:
    """The answer's derivative by the picture has at most as many dimensions as the bottleneck."""
    network = Autoencoder(1, 1, width=2, depth=2, activation="tanh", seed=3).double()
    assert network.bottleneck(8, 4) == (2, 2, 1)
    jacobian = torch.func.jacrev(network)(noise(1, 1, 8, 4)).view(32, 32)
    values = torch.linalg.svdvals(jacobian)
    assert values[3] > 1e-8 * values[0] and values[4] < 1e-12 * values[0]


def test_what_is_flat_stays_flat() -> None:
    """No checkerboard and no frame at the start: each place of the decoder gets as much."""
    network = Autoencoder(2, 3, width=6, depth=3, activation="sine").double()
    answer = network(torch.ones(1, 2, 11, 14, dtype=torch.float64))
    torch.testing.assert_close(answer, answer[..., :1, :1].expand_as(answer), rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", REAL)
def test_every_layer_starts_at_second_moment_one(name: str) -> None:
    found: list[list[float]] = []
    for seed in range(4):
        network = Autoencoder(4, 3, width=24, depth=3, activation=name, seed=seed)
        moments: list[float] = []
        for module in network.modules():
            if isinstance(module, nn.Conv2d) and module is not network.head:
                module.register_forward_hook(
                    lambda _, __, z, into=moments: into.append(float(z.detach().square().mean()))
                )
        network(torch.randn(1, 4, 32, 32, generator=generator(seed, "test")))
        found.append(moments)
    for layer in zip(*found, strict=True):
        assert 0.4 < fmean(layer) < 2.5, found


def test_draws_are_keyed_by_the_seed_alone() -> None:
    torch.manual_seed(0)
    first = Autoencoder(seed=4).state_dict()
    stream = torch.get_rng_state()
    second, other = Autoencoder(seed=4).state_dict(), Autoencoder(seed=5).state_dict()
    assert torch.equal(stream, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_activations_of_one_seed_start_from_the_same_draws() -> None:
    relu, sine = (Autoencoder(activation=name).state_dict() for name in ("relu", "sine"))
    name = "decoder.1.convolution.weight"
    ratio = relu[name] / sine[name]
    torch.testing.assert_close(ratio, ratio.flatten()[0].expand_as(ratio))


def test_scale_by_name_is_one_and_own_numbers_are_kept() -> None:
    assert Autoencoder(activation="sine").encoder[0].phi.scale == 1
    built = make_activation("sine", scale=3)
    network = Autoencoder(activation=built)
    copies = [level.phi for level in (*network.encoder, *network.decoder)]
    assert {phi.scale for phi in copies} == {3} and len({id(phi) for phi in copies}) == 6


@pytest.mark.parametrize(("width", "depth"), [(8, 1), (8, 3), (5, 4)])
def test_parameters_do_not_depend_on_the_picture(width: int, depth: int) -> None:
    hidden = (2 * depth - 1) * width * (9 * width + 1)
    expected = width * (9 * 4 + 1) + hidden + 3 * (width + 1)
    assert count_parameters(Autoencoder(4, 3, width=width, depth=depth)) == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"width": 0}, "Autoencoder(width=0): needs a whole number"),
        ({"depth": 1.5}, "Autoencoder(depth=1.5)"),
        ({"inputs": -1}, "Autoencoder(inputs=-1)"),
        ({"outputs": 0}, "Autoencoder(outputs=0)"),
        ({"activation": "wire"}, "its values are complex"),
        ({"activation": "rellu"}, "did you mean 'relu'"),
    ],
)
def test_misfit_is_one_helpful_line(arguments: dict, words: str) -> None:
    with pytest.raises(PenchantError) as caught:
        Autoencoder(**arguments)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (1, 8, 8, 4)])
def test_another_number_of_channels(shape: tuple[int, ...]) -> None:
    with pytest.raises(PenchantError, match=r"needs N×4×H×W"):
        Autoencoder(4, 3)(torch.zeros(shape))
