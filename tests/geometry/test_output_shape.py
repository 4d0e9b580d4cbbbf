"""Shapes against torch's own layers, over thousands of random settings."""

import random

import pytest
import torch
from torch import nn

from penchant.errors import PenchantError
from penchant.geometry import chain_shapes, output_shape, same_padding, window, window_of

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
AVERAGE_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)

SETTINGS = 10_000


def _torch_says(layer: nn.Module, lengths: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        shape = tuple(layer(torch.empty(1, 1, *lengths, device="meta")).shape[2:])
    except RuntimeError:
        return None
    # On the meta device a transposed convolution may give 0, which the CPU refuses.
    return shape if min(shape) > 0 else None


def _penchant_says(lengths: tuple[int, ...], kernel: tuple[int, ...], **given: object):
    try:
        return output_shape(lengths, kernel, **given)
    except PenchantError as error:
        assert "needs" in str(error), error
        return None


def _setting(draw: random.Random, kind: str) -> tuple[object, ...]:
    axes = draw.choice((1, 1, 2, 2, 3))

    def numbers(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw.randint(low, high) for _ in range(axes))

    lengths, kernel, stride = numbers(1, 20), numbers(1, 6), numbers(1, 4)
    padding, dilation, index = numbers(0, 4), numbers(1, 3), axes - 1
    if kind == "conv":
        word = draw.choice((None, None, "same", "valid"))
        if word == "same":
            stride = (1,) * axes
        given = {"stride": stride, "padding": word or padding, "dilation": dilation}
        layer = CONVS[index](1, 1, kernel, device="meta", **given)
    elif kind == "transposed":
        given = {"stride": stride, "padding": padding, "dilation": dilation, "kind": kind}
        # torch on the meta device does not check it, so only what it allows is drawn.
        added = tuple(
            draw.randrange(max(step, gap)) for step, gap in zip(stride, dilation, strict=True)
        )
        given["output_padding"] = added
        sliding = {name: value for name, value in given.items() if name != "kind"}
        layer = TRANSPOSED[index](1, 1, kernel, device="meta", **sliding)
    elif kind == "max":
        given = {"stride": stride, "padding": padding, "dilation": dilation}
        given["ceil_mode"] = draw.random() < 0.5
        layer = MAX_POOLS[index](kernel, **given)
        given["kind"] = "pool"
    else:
        given = {"stride": stride, "padding": padding, "ceil_mode": draw.random() < 0.5}
        layer = AVERAGE_POOLS[index](kernel, **given)
        given["kind"] = "pool"
    return layer, lengths, kernel, given


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("kind", ["conv", "transposed", "max", "average"])
def test_equal_to_torch_over_random_settings(kind: str) -> None:
    draw = random.Random(f"output shape of {kind}")
    fitted = refused = 0
    for _ in range(SETTINGS // 4):
        layer, lengths, kernel, given = _setting(draw, kind)
        expected = _torch_says(layer, lengths)
        # Average pooling over volumes alone refuses an input below its kernel, however padded.
        small = any(length < size for length, size in zip(lengths, kernel, strict=True))
        if isinstance(layer, nn.AvgPool3d) and small:
            continue
        assert _penchant_says(lengths, kernel, **given) == expected, (layer, lengths)
        described = window_of(layer) if expected is not None else None
        assert described is None or described.output_shape(lengths) == expected
        fitted, refused = fitted + (expected is not None), refused + (expected is None)
    assert fitted > 400
    assert refused > 100


def test_asymmetric_padding_is_torchs_padding_layer_first() -> None:
    draw = random.Random("asymmetric")
    for _ in range(200):
        before, after, length = draw.randint(0, 5), draw.randint(0, 5), draw.randint(6, 20)
        kernel, stride = draw.randint(1, 6), draw.randint(1, 3)
        layer = nn.Sequential(
            nn.ConstantPad1d((before, after), 0.0), nn.Conv1d(1, 1, kernel, stride)
        )
        expected = layer(torch.zeros(1, 1, length)).shape[-1]
        assert output_shape(length, kernel, stride=stride, padding=(before, after)) == expected
        assert output_shape((length,), kernel, stride=stride, padding=[(before, after)]) == (
            expected,
        )


def test_same_padding_keeps_every_size_and_symmetric_wherever_one_exists() -> None:
    for kernel in range(1, 8):
        for dilation in range(1, 4):
            padding = same_padding(kernel, dilation)
            for length in range(1, 20):
                kept = output_shape(length, kernel, padding=padding, dilation=dilation)
                assert kept == length
                for stride in (2, 3):
                    thinned = output_shape(
                        length, kernel, stride=stride, padding=padding, dilation=dilation
                    )
                    assert thinned == -(-length // stride)
            symmetric = [p for p in range(12) if 40 + 2 * p - dilation * (kernel - 1) == 40]
            assert symmetric == ([padding] if isinstance(padding, int) else [])


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_same_padding_is_torchs_same() -> None:
    # An even kernel's outputs tell before from after.
    weight, signal = torch.tensor([[[1.0, 10.0, 100.0, 1000.0]]]), torch.arange(1.0, 6.0)
    before, after = same_padding(4)
    padded = torch.nn.functional.pad(signal[None, None], (before, after))
    ours = torch.nn.functional.conv1d(padded, weight)
    theirs = torch.nn.functional.conv1d(signal[None, None], weight, padding="same")
    assert torch.equal(ours, theirs)


def test_the_error_says_what_would_fit() -> None:
    with pytest.raises(PenchantError, match="an input of at least 9, a padding of at least 2"):
        output_shape(5, 5, dilation=2)
    assert output_shape(9, 5, dilation=2) == 1
    assert output_shape(5, 5, dilation=2, padding=2) == 1
    with pytest.raises(PenchantError, match="on axis 1"):
        output_shape((9, 2), 3)
    with pytest.raises(
        PenchantError, match="an input of at least 4 or a total padding of at most 4"
    ):
        output_shape(3, 1, padding=3, stride=2, kind="transposed")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kernel": 0}, "kernel=0"),
        ({"kernel": 3, "stride": 0}, "stride=0"),
        ({"kernel": 3, "padding": -1}, "padding=-1"),
        ({"kernel": 3, "padding": "full"}, "padding='full'"),
        ({"kernel": 3, "padding": "same", "stride": 2}, "'same' needs stride 1"),
        ({"kernel": (3, 3)}, "kernel=\\(3, 3\\)"),
        ({"kernel": 3, "kind": "deconv"}, "kind='deconv'"),
        ({"kernel": 3, "kind": "pool", "padding": 2}, "half of the kernel 3"),
        ({"kernel": 3, "ceil_mode": True}, "ceil_mode"),
        ({"kernel": 3, "output_padding": 1}, "output_padding"),
        ({"kernel": 3, "kind": "transposed", "output_padding": 1}, "less than the larger"),
    ],
)
def test_numbers_that_torch_refuses(given: dict[str, object], message: str) -> None:
    with pytest.raises(PenchantError, match=message):
        output_shape(10, **given)


@pytest.mark.unchecked
def test_lengths_are_whole_numbers_and_as_many_as_axes() -> None:
    with pytest.raises(PenchantError, match="needs whole numbers"):
        window(3).output_shape((2.5,))
    with pytest.raises(PenchantError, match="has 2 axes, but the window has 1"):
        window(3).output_shape((5, 5))
    with pytest.raises(PenchantError, match="nothing fits"):
        output_shape(0, 1)


def test_a_chain_of_torch_layers() -> None:
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.ConvTranspose2d(8, 4, 2, 2)]
    shapes = chain_shapes((28, 28), layers)
    signal = torch.zeros(1, 3, 28, 28)
    for layer, shape in zip(layers, shapes[1:], strict=True):
        signal = layer(signal)
        assert tuple(signal.shape[2:]) == shape
    with pytest.raises(PenchantError, match=r"layers\[1\].*needs an input of at least 9"):
        chain_shapes(10, [window(3), window(9)])
