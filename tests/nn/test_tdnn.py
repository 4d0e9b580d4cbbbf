"""The TDNN against sums written out, its unshared twin, and as a stream."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import DELAYS, TDNN, Delays, Unshared, count_parameters, stream
from penchant.randomness import generator

LAYERS = st.lists(
    st.builds(Delays, st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)),
    min_size=1,
    max_size=3,
).map(tuple)


def sound(batch: int, channels: int, frames: int) -> Float[Tensor, "batch channels frames"]:
    draws = generator(0, "sound")
    return torch.randn(batch, channels, frames, generator=draws, dtype=torch.float64)


def made(delays: tuple[Delays, ...] = DELAYS, width: int = 5) -> TDNN:
    return TDNN(3, 4, width=width, delays=delays, activation="tanh", seed=1).double()


def by_sums(tdnn: TDNN, delays: tuple[Delays, ...], x: Tensor) -> Tensor:
    """Each place by its definition, frame by frame, zeros before the first."""
    convolutions = [one for one in tdnn.layers if isinstance(one, nn.Conv1d)]
    for layer, (kernel, dilation, stride) in zip(convolutions, delays, strict=True):
        places = []
        for place in range(0, x.shape[-1], stride):
            total = layer.bias.expand(len(x), -1)
            for tap in range(kernel):
                frame = place - dilation * (kernel - 1 - tap)
                if frame >= 0:
                    total = total + x[:, :, frame] @ layer.weight[:, :, tap].T
            places.append(torch.tanh(total))
        x = torch.stack(places, dim=-1)
    logits = torch.stack([tdnn.head(x[:, :, [j]])[..., 0] for j in range(x.shape[-1])], dim=-1)
    return logits.mean(-1)


@settings(max_examples=25, deadline=None)
@given(LAYERS, st.integers(1, 20))
def test_it_is_its_definition(delays: tuple[Delays, ...], frames: int) -> None:
    tdnn, x = made(delays), sound(2, 3, frames)
    torch.testing.assert_close(tdnn(x), by_sums(tdnn, delays, x), rtol=0, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(LAYERS, st.integers(1, 30))
def test_unshared_with_repeated_weights_is_the_same(
    delays: tuple[Delays, ...], frames: int
) -> None:
    tdnn, x = made(delays), sound(2, 3, frames)
    written = Unshared.from_tdnn(tdnn, frames)
    torch.testing.assert_close(written(x), tdnn(x), rtol=0, atol=1e-12)


def test_a_shared_weights_gradient_is_the_sum_over_places() -> None:
    tdnn, x = made(), sound(2, 3, 40)
    written = Unshared.from_tdnn(tdnn, 40)
    for network in (tdnn, written):
        network(x).square().sum().backward()
    shared, own = tdnn.layers[1].weight.grad, written.layers[0].weight.grad
    assert shared is not None and own is not None and len(own) == 20
    torch.testing.assert_close(own.sum(dim=0).view_as(shared), shared, rtol=0, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(LAYERS, st.lists(st.integers(0, 12), min_size=1, max_size=6))
def test_as_a_stream_it_answers_the_same(delays: tuple[Delays, ...], sizes: list[int]) -> None:
    tdnn, x = made(delays), sound(1, 3, sum(sizes) + 1)
    streaming = stream(tdnn)
    assert (streaming.delay, streaming.stride) == (0, math.prod(d.stride for d in delays))
    parts = [streaming(chunk) for chunk in x.split([*sizes, 1], dim=-1)]
    parts.append(streaming.finish())
    last = torch.cat(parts, dim=-1)[0, :, -1]
    torch.testing.assert_close(last, tdnn(x)[0], rtol=0, atol=1e-12)


def test_parameters_by_formula() -> None:
    width, channels, classes = 7, 3, 4
    kernels = [delay.kernel for delay in DELAYS]
    inputs = [channels, width, width, width]
    weights = [n * k * width + width for n, k in zip(inputs, kernels, strict=True)]
    head = width * classes + classes
    shared = TDNN(channels, classes, width=width)
    assert count_parameters(shared) == sum(weights) + head
    places = [49, 25, 25, 25]
    own = sum(p * n for p, n in zip(places, weights, strict=True)) + 25 * head
    assert count_parameters(Unshared(channels, classes, 98, width=width)) == own


@pytest.mark.parametrize("kind", [TDNN, Unshared])
def test_draws_are_keyed_and_keep_the_spread(kind: type[TDNN | Unshared]) -> None:
    def network(seed: int) -> nn.Module:
        frames = {} if kind is TDNN else {"frames": 98}
        return kind(32, 10, width=64, seed=seed, **frames)

    x = sound(64, 32, 98).float()
    first, again, other = network(3), network(3), network(4)
    assert torch.equal(first(x), again(x)) and not torch.equal(first(x), other(x))
    hidden = first.layers(x)[:, :, 12:]
    assert 0.25 < float(hidden.detach().square().mean()) < 1, "E[relu²] = ½"


def test_each_layer_has_its_own_activation() -> None:
    member = nn.PReLU()
    tdnn = TDNN(3, 4, width=2, activation=member)
    assert len({id(p) for p in tdnn.layers.parameters()}) == 3 * len(DELAYS)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(PenchantError, match="at least one layer"):
        TDNN(3, 4, delays=())
    with pytest.raises(PenchantError, match="delays: kernel=0"):
        TDNN(3, 4, delays=(Delays(0),))
    with pytest.raises(PenchantError, match="Unshared\\(frames=0"):
        Unshared(3, 4, 0)
    with pytest.raises(PenchantError, match="only recordings of one length fit"):
        Unshared(3, 4, 40)(torch.zeros(1, 3, 50))
