"""The residual block against the written-out formula, its gradient, its variants and its errors."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import ACTIVATIONS, Pictures, Residual, activation
from penchant.randomness import generator

REAL = [name for name, member in ACTIVATIONS.items() if not member.is_complex]


def numbers(*shape: int, purpose: str = "a") -> Float[Tensor, "*shape"]:
    return torch.randn(shape, generator=generator(0, purpose), dtype=torch.float64)


def affine(inputs: int, outputs: int, *, bias: bool = True) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias=bias, dtype=torch.float64)
    for name, parameter in layer.named_parameters():
        drawn = numbers(*parameter.shape, purpose=f"{name}/{inputs}/{outputs}")
        parameter.data.copy_(drawn / 2)
    return layer


@pytest.mark.parametrize("name", REAL)
def test_skip_form_with_the_identity(name: str) -> None:
    """The statement skip-form: "the new activation is g(z + a)"."""
    g, layer, a = activation(name, scale=1), affine(4, 4), numbers(7, 4).requires_grad_()
    z = a @ layer.weight.T + layer.bias
    written = g(z + a)
    block = Residual(layer, g)(a)
    torch.testing.assert_close(block, written, rtol=0, atol=1e-14)

    # dL/da = (g'(z + a) ∘ e) (W + 1), dL/dW = (g'(z + a) ∘ e)ᵀ a, by hand.
    e = numbers(7, 4, purpose="e")
    slope = g.derivative((z + a).detach()) * e
    by_a, by_weight, by_bias = torch.autograd.grad(block, (a, layer.weight, layer.bias), e)
    close = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(by_a, slope @ layer.weight + slope, **close)
    torch.testing.assert_close(by_weight, slope.T @ a, **close)
    torch.testing.assert_close(by_bias, slope.sum(0), **close)


@pytest.mark.parametrize("name", ["relu", "tanh", "gaussian"])
def test_skip_form_with_a_projection(name: str) -> None:
    g, layer, p = activation(name, scale=1), affine(4, 6), affine(4, 6, bias=False)
    a = numbers(7, 4, purpose="b").requires_grad_()
    z = a @ layer.weight.T + layer.bias
    block = Residual(layer, g, p)(a)
    torch.testing.assert_close(block, g(z + a @ p.weight.T), rtol=0, atol=1e-14)

    e = numbers(7, 6, purpose="e")
    slope = g.derivative((z + a @ p.weight.T).detach()) * e
    by_a, by_weight, by_p = torch.autograd.grad(block, (a, layer.weight, p.weight), e)
    close = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(by_a, slope @ (layer.weight + p.weight), **close)
    torch.testing.assert_close(by_weight, slope.T @ a, **close)
    torch.testing.assert_close(by_p, slope.T @ a, **close)


def test_the_sum_goes_in_before_the_activation() -> None:
    layer, a = affine(4, 4), numbers(7, 4)
    block = Residual(layer, "relu")(a)
    assert not torch.allclose(block, torch.relu(layer(a)) + a), "g(z) + a is another block"


def test_without_an_activation_it_is_the_sum() -> None:
    layer, a = affine(4, 4), numbers(7, 4)
    assert torch.equal(Residual(layer, None)(a), layer(a) + a)


@pytest.mark.parametrize("start", [0.0, 0.3, -1.0])
def test_a_scale_is_learned_from_its_start(start: float) -> None:
    layer, a = affine(4, 4), numbers(7, 4)
    block = Residual(layer, None, scale=start).double()
    assert torch.allclose(block(a), start * layer(a) + a, rtol=0, atol=1e-7)
    block(a).sum().backward()
    assert block.scale is not None and block.scale.grad is not None
    torch.testing.assert_close(block.scale.grad, layer(a).sum())
    assert (layer.weight.grad == 0).all() == (start == 0), "SkipInit: at first the scale alone"


def test_stochastic_depth() -> None:
    """A block is passed by with the chance 1 − p; in evaluation it is weighted by p."""
    layer, a = affine(4, 4), numbers(7, 4)
    block = Residual(layer, "tanh", survival=0.7)
    with_it, without = torch.tanh(layer(a) + a), torch.tanh(a)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = [block(a) for _ in range(300)]
        torch.manual_seed(0)
        again = [block(a) for _ in range(300)]
    assert all(torch.equal(one, other) for one, other in zip(drawn, again, strict=True))
    survived = [torch.equal(one, with_it) for one in drawn]
    assert all(s or torch.equal(one, without) for s, one in zip(survived, drawn, strict=True))
    assert 0.6 < sum(survived) / 300 < 0.8
    block.eval()
    torch.testing.assert_close(block(a), torch.tanh(0.7 * layer(a) + a))


def test_a_block_passed_by_has_gradients_of_zero() -> None:
    layer = affine(4, 4)
    block = Residual(layer, None, survival=1e-9)
    block(numbers(7, 4)).sum().backward()
    assert layer.weight.grad is not None and not layer.weight.grad.any()


def test_blocks_draw_nothing_where_all_survive_or_in_evaluation() -> None:
    layer = affine(4, 4)
    state = torch.get_rng_state()
    Residual(layer)(numbers(7, 4))
    Residual(layer, survival=0.5).eval()(numbers(7, 4))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("block", "shape", "said"),
    [
        (Residual(nn.Linear(4, 6)), (7, 4), r"\(7, 6\), and its identity path keeps \(7, 4\)"),
        (
            Residual(nn.Conv2d(3, 8, 3, 2, 1)),
            (2, 3, 8, 8),
            r"\(2, 8, 4, 4\), and its identity path keeps \(2, 3, 8, 8\)",
        ),
        (
            Residual(nn.Linear(4, 6), projection=nn.Linear(4, 5)),
            (7, 4),
            r"\(7, 6\), and its projection makes \(7, 5\)",
        ),
        (Residual(nn.Linear(4, 1)), (7, 4), r"\(7, 1\), and its identity path keeps \(7, 4\)"),
        (Residual(nn.LSTM(4, 4)), (7, 4), r"a tuple, no tensor, and its identity path"),
    ],
    ids=["wider", "strided", "projection", "broadcast", "tuple"],
)
def test_paths_that_do_not_fit_are_named(
    block: Residual, shape: tuple[int, ...], said: str
) -> None:
    with pytest.raises(PenchantError, match=said) as raised:
        block(torch.zeros(shape))
    assert "\n" not in str(raised.value)


def test_an_inner_module_that_writes_into_the_input_is_refused() -> None:
    block = Residual(nn.Sequential(nn.ReLU(inplace=True), affine(4, 4)), None)
    for inputs in (numbers(7, 4), numbers(7, 4).requires_grad_() * 1):
        with pytest.raises(PenchantError, match=r"Residual\(Sequential\).*writes.*inplace=False"):
            block(inputs)
    later = Residual(nn.Sequential(affine(4, 4), nn.ReLU(inplace=True)), None)
    a = numbers(7, 4)
    assert torch.equal(later(a), torch.relu(later.inner[0](a)) + a)
    with torch.inference_mode():
        assert torch.equal(later(a.clone()), torch.relu(later.inner[0](a)) + a)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"inner": torch.tanh}, "inner=.*Module"),
        ({"inner": nn.Identity(), "projection": torch.tanh}, "projection=.*Module"),
        ({"inner": nn.Identity(), "scale": float("nan")}, "scale=nan"),
        ({"inner": nn.Identity(), "scale": "0"}, "scale='0'"),
        ({"inner": nn.Identity(), "survival": 0.0}, "survival=0.0"),
        ({"inner": nn.Identity(), "survival": 1.5}, "survival=1.5"),
        ({"inner": nn.Identity(), "activation": "rellu"}, "did you mean 'relu'"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict, said: str) -> None:
    with pytest.raises(PenchantError, match=said):
        Residual(**arguments)


def test_its_numbers_are_shown() -> None:
    assert repr(Residual(nn.Identity(), None, scale=0.5, survival=0.8)).splitlines()[1] == (
        "  scale=0.5, survival=0.8"
    )


@pytest.mark.parametrize(
    ("shape", "pixel"), [((2, 3), (0, 1, 2)), ((2, 3, 1), (0, 1, 2)), ((2, 3, 2), (1, 1, 2))]
)
def test_pictures_are_their_rows(shape: tuple[int, ...], pixel: tuple[int, int, int]) -> None:
    images = torch.arange(5.0 * 6 * (shape[2:] or (1,))[0]).view(5, *shape)
    made = Pictures(shape)(images.flatten(1))
    channel, y, x = pixel
    assert made.shape == (5, (shape[2:] or (1,))[0], 2, 3)
    assert made[3, channel, y, x] == images.view(5, 2, 3, -1)[3, y, x, channel]
    assert made.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.unchecked
def test_pictures_that_do_not_fit() -> None:
    for shape in ((4,), 4):
        with pytest.raises(PenchantError, match=r"4,?\)?\): needs \(height, width\)"):
            Pictures(shape)
    with pytest.raises(PenchantError, match=r"=0\): needs a whole number"):
        Pictures((4, 0))
    with pytest.raises(PenchantError, match=r"shape \(5, 15\): needs rows of 2·4·2 = 16 numbers"):
        Pictures((2, 4, 2))(torch.zeros(5, 15))
