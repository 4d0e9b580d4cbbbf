"""Layers that do not fit: torch refuses them too, and the message has the number that would."""

import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.inspection import inspect

Attention = nn.MultiheadAttention
CASES: dict[str, tuple[Callable[[], nn.Module], object, str]] = {
    "linear": (
        lambda: nn.Linear(100, 10),
        "5408",
        "Linear(100, 10) but gets 5408 features: use in_features=5408",
    ),
    "not flattened": (lambda: nn.Linear(48, 10), "3x4x4", "flatten its input first, 3·4·4 = 48"),
    "neither": (
        lambda: nn.Linear(50, 10),
        "3x4x4",
        "flatten its input first and use in_features=48, or use in_features=4",
    ),
    "channels": (
        lambda: nn.Conv2d(1, 8, 3),
        "3x9x9",
        "Conv2d(1, 8) but gets 3 channels (1×3×9×9): use in_channels=3",
    ),
    "groups": (
        lambda: nn.Conv2d(8, 8, 3, groups=4),
        "6x9x9",
        "use in_channels=6, which groups=4 does not divide, with groups=2 or 1",
    ),
    "depthwise": (
        lambda: nn.Conv1d(8, 8, 3, groups=8),
        "5x9",
        "which groups=8 does not divide, with groups=1",
    ),
    "transposed": (
        lambda: nn.ConvTranspose1d(4, 8, 3),
        "3x9",
        "ConvTranspose1d(4, 8) but gets 3 channels (1×3×9): use in_channels=3",
    ),
    "axes": (lambda: nn.Conv2d(3, 8, 3), "9", "it needs 4, batch, channels and 2 of positions"),
    "no batch": (
        lambda: nn.Conv2d(3, 8, 3),
        "9x9",
        "it needs 4 axes (batch, 3 channels, 2 of positions)",
    ),
    "batch twice": (
        lambda: nn.Conv2d(3, 8, 3),
        "1x3x9x9",
        "the first of which may be a batch too many",
    ),
    "kernel": (
        lambda: nn.Conv2d(3, 8, 7),
        "3x4x9",
        "4 − 7 + 1 = -2: use padding=2, an input of at least 7 or kernel_size=4",
    ),
    "dilation": (
        lambda: nn.Conv1d(1, 1, 3, dilation=4),
        "1x5",
        "5 − 4·(3 − 1) − 1 + 1 = -3: use padding=2 or an input of at least 9",
    ),
    "pool": (
        lambda: nn.MaxPool2d(3),
        "1x2x2",
        "⌊(2 − 3) / 3⌋ + 1 = 0: use padding=1, an input of at least 3 or kernel_size=2",
    ),
    "mean pool": (lambda: nn.AvgPool1d(9), "1x2", "an input of at least 9"),
    "pool padding": (
        lambda: nn.MaxPool1d(2, padding=2),
        "1x9",
        "needs at most half of the kernel 2",
    ),
    "batch norm": (
        lambda: nn.BatchNorm2d(8),
        "3x9x9",
        "BatchNorm2d(8) but gets 3 channels (1×3×9×9): use num_features=3",
    ),
    "batch norm's axes": (lambda: nn.BatchNorm2d(8), "8x9", "needs 4 axes: use BatchNorm1d"),
    "instance norm": (lambda: nn.InstanceNorm1d(8, affine=True), "3x9", "use num_features=3"),
    "group norm": (
        lambda: nn.GroupNorm(2, 8),
        "6x9",
        "GroupNorm(2, 8) but gets 6 channels (1×6×9): use num_channels=6",
    ),
    "layer norm": (lambda: nn.LayerNorm(8), "4x6", "whose last axis is 6: use normalized_shape=6"),
    "layer norm's axes": (lambda: nn.LayerNorm((4, 8)), "4x6", "use normalized_shape=(4, 6)"),
    "rms norm": (lambda: nn.RMSNorm(8), "6", "RMSNorm(8) but gets 1×6"),
    "embedding": (
        lambda: nn.Embedding(10, 4),
        "5",
        "it needs whole numbers from 0 to 9, such as --input int:16",
    ),
    "lstm": (
        lambda: nn.LSTM(16, 8, batch_first=True),
        "5x12",
        "LSTM(16, 8) but gets 12 features (1×5×12): use input_size=12",
    ),
    "gru, turned": (
        lambda: nn.GRU(16, 8),
        "16x5",
        "use input_size=5, or transpose the last two axes",
    ),
    "cell": (lambda: nn.GRUCell(16, 8), "12", "use input_size=12"),
    "attention": (
        lambda: Attention(16, 4),
        ["5x10"] * 3,
        "use embed_dim=10 with num_heads=2, since 4 does not divide it",
    ),
    "keys": (lambda: Attention(16, 4, kdim=8), ["5x16", "5x16", "5x16"], "use kdim=16"),
    "prelu": (lambda: nn.PReLU(8), "3x4", "use num_parameters=3 or 1"),
}


@pytest.mark.parametrize("name", CASES)
def test_torch_refuses_it_and_the_message_helps(name: str) -> None:
    make, given, words = CASES[name]
    inputs = given if isinstance(given, list) else [given]
    zeros = [torch.zeros(1, *map(int, str(one).split("x"))) for one in inputs]
    with pytest.raises((RuntimeError, ValueError, AssertionError)):
        make().eval()(*zeros)
    with pytest.raises(PenchantError) as caught:
        inspect(nn.ModuleList([make()])[0] if len(inputs) > 1 else nn.Sequential(make()), given)
    message = str(caught.value)
    assert message.startswith("0 is " if len(inputs) == 1 else "the model is ")
    assert words in message
    assert "\n" not in message


FITS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "linear on rows": (lambda: nn.Linear(4, 2), "3x4"),
    "one axis": (lambda: nn.Linear(1, 2), "1"),
    "conv without a batch": (lambda: nn.Conv2d(1, 2, 3), "9x9"),
    "kernel as large as the input": (lambda: nn.Conv2d(1, 2, 9), "1x9x9"),
    "padded": (lambda: nn.Conv1d(1, 2, 5, padding="same"), "1x2"),
    "reflected": (lambda: nn.Conv1d(1, 2, 5, padding=2, padding_mode="reflect"), "1x3"),
    "rounded up": (lambda: nn.MaxPool1d(3, ceil_mode=True, stride=2), "1x4"),
    "instance norm, no numbers": (lambda: nn.InstanceNorm1d(3), "3x8"),
    "batch norm on rows": (lambda: nn.BatchNorm1d(3), "3"),
    "one slope": (lambda: nn.PReLU(), "3"),
    "whole numbers": (lambda: nn.Embedding(9, 2), "int32:3"),
    "lstm": (lambda: nn.LSTM(4, 2), "3x4"),
}


@pytest.mark.parametrize("name", FITS)
def test_what_torch_takes_is_taken(name: str) -> None:
    make, given = FITS[name]
    found = inspect(make(), given, fields=False)
    dtype, _, sizes = given.rpartition(":")
    shape = (1, *map(int, sizes.split("x")))
    result = make().eval()(torch.zeros(shape, dtype=torch.int32 if dtype else None))
    result = result[0] if isinstance(result, tuple) else result
    assert found.layers[0].output_shape == tuple(result.shape)


class Padded(nn.Conv1d):
    """Has a forward of its own, and takes what torch's would refuse."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(x, (2, 2)))


def test_a_layer_with_a_forward_of_its_own_is_its_users() -> None:
    assert inspect(Padded(1, 1, 5), (1, 3)).outputs == ((1, 1, 3),)


class Does(nn.Module):
    def __init__(self, does: Callable[..., object]) -> None:
        super().__init__()
        self.does = does

    def forward(self, x: Tensor) -> object:
        return self.does(x)


FUNCTIONS: dict[str, Callable[[Tensor], object]] = {
    "add": lambda x: x + x[:, :, 1:],
    "multiply": lambda x: x * torch.ones(5),
    "in place": lambda x: x.clone().add_(x[:, 1:]),
    "cat": lambda x: torch.cat([x, x[:, :, 1:]], 1),
    "cat along no axis": lambda x: torch.cat([x, x], 3),
    "stack": lambda x: torch.stack([x, x[:, 1:]]),
    "matmul": lambda x: x @ x,
    "view": lambda x: x.view(-1, 7),
    "own": lambda x: [][3],
}

# Apart from the functions, since the message has the line of a function's own text.
SAID = {
    "add": "add gets 1×4×6 and 1×4×5, which differ along axis 2 (6 and 5)",
    "multiply": "mul gets 1×4×6 and 5, which differ along axis 2 (6 and 5)",
    "in place": "add gets 1×4×6 and 1×3×6, which differ along axis 1 (4 and 3)",
    "cat": "cat gets 1×4×6 and 1×4×5, which differ along axis 2 (6 and 5): all but axis 1 must be",
    "cat along no axis": "cat along axis 3 gets 1×4×6 and 1×4×6, which have axes 0 to 2",
    "stack": "axis 1 (4 and 3): all must be equal",
    "matmul": "the first's last size 6 and the second's last but one 4 must be equal",
    "view": "view(-1, 7) gets 1×4×6, 24 numbers: behind the batch there are 4·6 = 24",
    "own": "IndexError: list index out of range",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    does = FUNCTIONS[name]
    with pytest.raises((RuntimeError, IndexError)):
        does(torch.zeros(1, 4, 6))
    with pytest.raises(PenchantError) as caught:
        inspect(nn.Sequential(Does(does)), (4, 6))
    message = str(caught.value)
    assert message.startswith("0 (Does) fails at ")
    assert "test_misfit.py:" in message
    assert SAID[name] in message
    assert "\n" not in message


GIVEN: dict[str, tuple[object, str]] = {
    "nothing": (None, "what goes into Linear?"),
    "a number": (3, "is no input"),
    "no shape": ("3xx", "is no shape"),
    "a type": ("double:3", "no type 'double'"),
    "zero": ((0,), "has a size below 1"),
    "large": ("10000x10000x10000", "at most 100,000,000 fit"),
    "digits": ("9" * 99, "more than 12 digits"),
    "many": ([(3,), (3,)], "2 inputs given"),
    "empty": ([], "is no input"),
    "twice": (["a=3", "a=3"], "one name"),
}


@pytest.mark.parametrize("name", GIVEN)
def test_inputs(name: str) -> None:
    given, words = GIVEN[name]
    with pytest.raises(PenchantError) as caught:
        inspect(nn.Linear(3, 2), given)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_models() -> None:
    for model, words in ((3, "int"), ("nothing", "no built-in network"), ("a.py", "a.py:Class")):
        with pytest.raises(PenchantError, match=words):
            inspect(model, (3,))  # type: ignore[arg-type]
    with pytest.raises(PenchantError, match="depth=0"):
        inspect(nn.Linear(3, 2), (3,), depth=0)


def test_a_name_that_forward_does_not_have() -> None:
    class Two(nn.Module):
        def forward(self, image: Tensor, mask: Tensor) -> Tensor:
            return image * mask

    with pytest.raises(PenchantError, match="has no argument 'msk'; did you mean 'mask'"):
        inspect(Two(), {"image": (3,), "msk": (3,)})
    with pytest.raises(PenchantError, match=r"--input image=\.\.\. --input mask=\.\.\."):
        inspect(Two(), (3,))
    with pytest.raises(PenchantError, match="forward has no argument img, and with one dictionary"):
        inspect(nn.Sequential(nn.Linear(3, 3)), {"img": (3,)})


def _any_layer(draw: random.Random) -> nn.Module:
    axes, few = draw.randint(1, 3), draw.randint
    kind = draw.choice(
        ("conv", "transposed", "pool", "mean", "batch", "instance", "group", "other")
    )
    name = f"{axes}d"
    if kind in ("conv", "transposed"):
        groups = few(1, 2)
        size = {"kernel_size": few(1, 5), "stride": few(1, 3), "padding": few(0, 2)}
        layer = getattr(nn, f"Conv{'Transpose' if kind == 'transposed' else ''}{name}")
        return layer(
            groups * few(1, 2), groups * few(1, 2), dilation=few(1, 2), groups=groups, **size
        )
    if kind in ("pool", "mean"):
        layer = getattr(nn, f"{'Max' if kind == 'pool' else 'Avg'}Pool{name}")
        return layer(few(1, 4), few(1, 3), few(0, 1), ceil_mode=draw.random() < 0.5)
    if kind in ("batch", "instance"):
        layer = getattr(nn, f"{'Batch' if kind == 'batch' else 'Instance'}Norm{name}")
        return layer(few(1, 3), affine=draw.random() < 0.5)
    if kind == "group":
        return nn.GroupNorm(1, few(1, 3), affine=draw.random() < 0.5)
    return draw.choice(
        (
            nn.Linear(few(1, 4), 2),
            nn.LayerNorm(few(1, 4)),
            nn.PReLU(few(1, 3)),
            nn.GRU(few(1, 4), 2),
        )
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_refused_where_torch_refuses_and_nowhere_else() -> None:
    refused = 0
    for seed in range(400):
        draw = random.Random(seed)
        layer = _any_layer(draw)
        shape = tuple(draw.randint(1, 6) for _ in range(draw.randint(1, 4)))
        try:
            given = layer.eval()(torch.zeros(1, *shape))
            expected = tuple((given[0] if isinstance(given, tuple) else given).shape)
        except (RuntimeError, ValueError, IndexError):
            expected = None
        try:
            found = inspect(layer, shape, fields=False).layers[0].output_shape
        except PenchantError as error:
            refused += 1
            assert expected is None, f"{seed}: {layer} on {shape}: {error}"
        else:
            assert found == expected, f"{seed}: {layer} on {shape}"
    assert 50 < refused < 350


def test_channels_that_come_last() -> None:
    with pytest.raises(PenchantError, match=r"or put the channels before the positions, 3×9×8$"):
        inspect(nn.Conv2d(3, 4, 3), (9, 8, 3))


def test_parametrised_layers_have_their_plain_names() -> None:
    from torch.nn.utils.parametrizations import weight_norm

    with pytest.raises(PenchantError, match=r"the model is Conv1d\(2, 6\) but gets 3 channels"):
        inspect(weight_norm(nn.Conv1d(2, 6, 3)), (3, 9))


@pytest.mark.parametrize(
    ("channels", "words"), [(30, "2·2 = 4 does not divide: use 28 or 32"), (3, "use 4 channels")]
)
def test_pixel_shuffle(channels: int, words: str) -> None:
    with pytest.raises(PenchantError, match=rf"1 is PixelShuffle\(2\) but gets .*{words}"):
        inspect(nn.Sequential(nn.Conv2d(1, channels, 1), nn.PixelShuffle(2)), (1, 4, 4))
    assert inspect(nn.Sequential(nn.Conv2d(1, 28, 1), nn.PixelShuffle(2)), (1, 4, 4)).outputs
    with pytest.raises(PenchantError, match="3 does not divide: pad them to 6×9"):
        inspect(nn.PixelUnshuffle(3), (1, 5, 9))


class Functional(nn.Module):
    def __init__(self, function: Callable[..., Tensor], *shape: int) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.weight)


def test_weights_of_functions() -> None:
    linear = Functional(torch.nn.functional.linear, 7, 3)
    with pytest.raises(
        PenchantError, match=r"1×5 and a weight of 7×3, .* 3 features: use one for 5"
    ):
        inspect(linear, (5,))
    conv = Functional(torch.nn.functional.conv2d, 7, 4, 3, 3)
    with pytest.raises(PenchantError, match=r"a weight of 7×4×3×3, .* 4 channels: use one for 3"):
        inspect(conv, (3, 9, 9))
    assert inspect(conv, (4, 9, 9)).parameters == 252


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_a_compiled_part_is_named() -> None:
    part = torch.jit.trace(nn.Linear(4, 3), torch.zeros(1, 4))
    with pytest.raises(PenchantError, match="1 is a TopLevelTracedModule, which cannot"):
        inspect(nn.Sequential(nn.Linear(3, 4), part), (3,))


UNEQUAL: dict[str, tuple[nn.Module, tuple[int, ...], str]] = {
    "the worst axis decides": (
        nn.Conv2d(3, 3, 6, dilation=2),
        (3, 7, 5),
        "use padding=3 or an input of at least 11",
    ),
    "both are short, by other lengths": (
        nn.Conv2d(1, 1, (5, 7)),
        (1, 2, 3),
        "use padding=2, an input of at least 5×7 or kernel_size=(2, 3)",
    ),
    "pooling": (
        nn.MaxPool2d(5, 3),
        (7, 4, 1),
        "use padding=2, an input of at least 5 or kernel_size=1",
    ),
    "padding does not help torch here": (
        nn.AvgPool3d(3, 1, padding=1),
        (1, 2, 5, 5),
        "use an input of at least 3 or kernel_size=2",
    ),
    "groups": (nn.GroupNorm(2, 8), (7, 4), "use num_channels=7 with num_groups=1, since 2 does"),
    "nothing comes out": (
        nn.ConvTranspose1d(2, 1, 4, padding=3),
        (2, 3),
        "use less padding or an input of at least 4",
    ),
}


@pytest.mark.parametrize("name", UNEQUAL)
def test_the_numbers_fit_every_axis(name: str) -> None:
    layer, shape, words = UNEQUAL[name]
    with pytest.raises((RuntimeError, ValueError)):
        layer(torch.zeros(1, *shape))
    with pytest.raises(PenchantError) as caught:
        inspect(layer, shape)
    assert words in str(caught.value)
