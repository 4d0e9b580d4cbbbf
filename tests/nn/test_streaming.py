"""A stream gives what the whole pass gives, as early as it can, from a state of one size."""

from collections.abc import Callable

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import FINER, Sine, Streaming, stream
from penchant.randomness import generator

SAMPLES = 90
EXACT = {"rtol": 0, "atol": 1e-12}
SAME_PADDING = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


class Residual(nn.Module):
    """x + f(x)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Gated(nn.Module):
    """tanh of one branch times sigmoid of a slower one, beside the input."""

    def __init__(self, channels: int, reach: int) -> None:
        super().__init__()
        self.value = nn.Conv1d(channels, channels, reach + 1)
        self.gate = nn.Conv1d(channels, channels, 2 * reach + 1, padding=reach)
        self.reach = reach

    def forward(self, x: Tensor) -> Tensor:
        value = torch.tanh(self.value(F.pad(x, (self.reach, 0))))
        return torch.cat([value * torch.sigmoid(self.gate(x)), x], dim=1)


class Chomped(nn.Module):
    """A convolution padded on both sides, whose right end is cut off again."""

    def __init__(self, channels: int, reach: int, stray: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(channels, channels, reach + 1, padding=reach)
        self.cut = max(1, reach + stray)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x)[:, :, : -self.cut].relu()


class Causal(nn.Conv1d):
    """A convolution that pads itself on the left."""

    def forward(self, x: Tensor) -> Tensor:
        reach = self.dilation[0] * (self.kernel_size[0] - 1)
        return super().forward(F.pad(x, (reach, 0)))


class ChannelNorm(nn.Module):
    """Layer normalisation and a linear layer over channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.linear = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * self.linear(self.norm(x.transpose(1, 2))).transpose(1, 2)


@st.composite
def layers(draw: st.DrawFn, channels: int, shape_kept: bool = False) -> tuple[list[nn.Module], int]:
    """A few layers from so many channels, and the channels behind them."""
    small = st.integers(1, 4)
    kinds = ["same", "causal", "pointwise", "norm", "channels", "residual", "chomp"]
    kind = draw(st.sampled_from(kinds if shape_kept else [*kinds, "conv", "pool", "gated", "pad"]))
    if kind == "conv":
        groups = draw(st.sampled_from([1, channels]))
        out = draw(small) * groups
        kernel, dilation = draw(st.integers(1, 5)), draw(st.sampled_from([1, 2, 5]))
        padding = draw(st.integers(0, 6))
        stride = draw(st.integers(1, 3))
        return [nn.Conv1d(channels, out, kernel, stride, padding, dilation, groups)], out
    if kind == "same":
        kernel, dilation = draw(st.integers(1, 5)), draw(st.sampled_from([1, 7]))
        return [nn.Conv1d(channels, channels, kernel, padding="same", dilation=dilation)], channels
    if kind == "causal":
        return [Causal(channels, channels, draw(small), dilation=draw(st.integers(1, 9)))], channels
    if kind == "pool":
        pool = draw(st.sampled_from([nn.MaxPool1d, nn.AvgPool1d]))
        kernel = draw(st.integers(2, 4))
        return [pool(kernel, draw(st.integers(1, 3)), draw(st.integers(0, kernel // 2)))], channels
    if kind == "pad":
        sides = draw(st.tuples(st.integers(-2, 5), st.integers(-2, 5)))
        return [nn.ConstantPad1d(sides, draw(st.sampled_from([0.0, 1.5])))], channels
    if kind == "residual":
        body, _ = draw(layers(channels, shape_kept=True))
        return [Residual(nn.Sequential(*body))], channels
    if kind == "gated":
        return [Gated(channels, draw(small))], 2 * channels
    if kind == "chomp":
        # Only one that cuts what it padded keeps the length.
        stray = 0 if shape_kept else draw(st.integers(-1, 2))
        return [Chomped(channels, draw(small), stray)], channels
    pointwise = [nn.ReLU(), nn.GELU(), Sine(2.0), FINER(1.0), nn.PReLU(channels), nn.Softmax(1)]
    if kind == "norm":
        norm = nn.BatchNorm1d(channels)
        nn.init.normal_(norm.running_mean)
        return [norm, nn.Dropout(0.3)], channels
    return [
        ChannelNorm(channels) if kind == "channels" else draw(st.sampled_from(pointwise))
    ], channels


@st.composite
def networks(draw: st.DrawFn) -> nn.Sequential:
    """A random stack on 2 channels, whose parameters are random numbers too."""
    stack: list[nn.Module] = [nn.Conv1d(2, 2, 1)]
    channels = 2
    for _ in range(draw(st.integers(1, 4))):
        more, channels = draw(layers(channels))
        stack += more
    network = nn.Sequential(*stack).double().eval()
    seeded = generator(draw(st.integers(0, 1000)), "test_streaming")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=seeded, dtype=torch.float64))
            parameter.mul_(0.5)
    return network


def recordings(batch: int = 2, channels: int = 2, samples: int = SAMPLES) -> Tensor:
    seeded = generator(0, "test_streaming recordings")
    return torch.randn(batch, channels, samples, generator=seeded, dtype=torch.float64)


def chunked(streaming: Streaming, recording: Tensor, sizes: list[int]) -> list[Tensor]:
    """Hear a recording in chunks of these sizes in turn, the rest of it at the end."""
    outputs, at = [], 0
    for size in sizes:
        outputs.append(streaming(recording[..., at : at + size]))
        at = min(recording.shape[-1], at + size)
    return [*outputs, streaming(recording[..., at:])]


SIZES = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 40)), max_size=60)


def whole_pass(network: nn.Module, recording: Tensor) -> Tensor | None:
    """None where the recording is too short for the network."""
    with torch.no_grad():
        try:
            return network(recording)
        except RuntimeError:
            return None


@SAME_PADDING
@settings(max_examples=120, deadline=None)
@given(networks(), SIZES)
def test_equals_the_whole_pass(network: nn.Sequential, sizes: list[int]) -> None:
    recording = recordings()
    expected = whole_pass(network, recording)
    if expected is None:
        return
    streaming = stream(network, batch=2)
    outputs = [*chunked(streaming, recording, sizes), streaming.finish()]
    torch.testing.assert_close(torch.cat(outputs, dim=-1), expected, **EXACT)


@SAME_PADDING
@settings(max_examples=40, deadline=None)
@given(networks())
def test_every_output_comes_with_its_sample_and_the_state_stays_of_one_size(
    network: nn.Sequential,
) -> None:
    streaming = stream(network)
    size = streaming.state_size
    given = streaming(recordings(1, samples=0)).shape[-1]
    for heard, frame in enumerate(recordings(1, samples=40).split(1, dim=-1), start=1):
        given += streaming(frame).shape[-1]
        # Output j comes with sample j·stride + delay.
        assert given == max(0, (heard - 1 - streaming.delay) // streaming.stride + 1)
        assert streaming.state_size == size
        assert streaming.heard == heard


def positive_stack(kernels: list[tuple[int, int, int, int]]) -> nn.Sequential:
    """Convolutions of positive weights, so that no path from a sample to an output cancels."""
    stack = [
        nn.Conv1d(1, 1, kernel, stride, padding, dilation)
        for kernel, stride, padding, dilation in kernels
    ]
    network = nn.Sequential(Residual(nn.Conv1d(1, 1, 3, padding=1)), *stack, nn.AvgPool1d(2))
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    return network.double()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 2), st.integers(0, 3), st.integers(1, 3)),
        max_size=3,
    )
)
def test_the_sample_an_output_comes_with_is_the_last_it_depends_on(
    kernels: list[tuple[int, int, int, int]],
) -> None:
    network = positive_stack(kernels)
    recording = torch.ones(1, 1, 120, dtype=torch.float64, requires_grad=True)
    outputs = network(recording)
    middle = outputs.shape[-1] // 2
    (gradient,) = torch.autograd.grad(outputs[0, 0, middle], recording)
    streaming = stream(network)
    assert int(gradient[0, 0].nonzero().max()) == middle * streaming.stride + streaming.delay


@SAME_PADDING
@settings(max_examples=25, deadline=None)
@given(networks(), SIZES, SIZES)
def test_a_saved_state_goes_on_where_it_was_taken(
    network: nn.Sequential, before: list[int], after: list[int]
) -> None:
    recording = recordings()
    first, second = recording[..., : SAMPLES // 2], recording[..., SAMPLES // 2 :]
    uninterrupted = stream(network, batch=2)
    chunked(uninterrupted, first, before)
    saved = safetensors.torch.save(uninterrupted.state_dict())
    expected = [*chunked(uninterrupted, second, after), uninterrupted.finish()]
    loaded = stream(network, batch=2)
    loaded(recording[..., :7])
    loaded.load_state_dict(safetensors.torch.load(saved))
    outputs = [*chunked(loaded, second, after), loaded.finish()]
    torch.testing.assert_close(torch.cat(outputs, -1), torch.cat(expected, -1), **EXACT)


@SAME_PADDING
@settings(max_examples=20, deadline=None)
@given(networks(), SIZES)
def test_reset_is_fresh_and_a_batch_is_its_streams(
    network: nn.Sequential, sizes: list[int]
) -> None:
    recording = recordings()
    together = stream(network, batch=2)
    chunked(together, recording.flip(-1), sizes)
    together.reset()
    outputs = torch.cat([*chunked(together, recording, sizes), together.finish()], dim=-1)
    for one in range(2):
        alone = stream(network)
        parts = [*chunked(alone, recording[one : one + 1], sizes), alone.finish()]
        torch.testing.assert_close(outputs[one : one + 1], torch.cat(parts, -1), **EXACT)


@SAME_PADDING
@settings(max_examples=40, deadline=None)
@given(networks(), SIZES, st.integers(0, 8))
def test_one_stream_begins_anew_beside_another(
    network: nn.Sequential, sizes: list[int], strides: int
) -> None:
    recording, joined = recordings(), stream(network, batch=2)
    at = strides * joined.stride
    other = recording.flip(0)[:, :, : SAMPLES - at]
    begun = joined(recording[..., :at])
    try:
        joined.reset([1])
    except PenchantError:
        return  # its message is tested below
    mixed = torch.cat([recording[:1, :, at:], other[1:]])
    outputs = torch.cat([*chunked(joined, mixed, sizes), joined.finish()], dim=-1)
    going_on = torch.cat([begun, outputs], dim=-1)[:1]
    for heard, got in ((recording[:1], going_on), (other[1:], outputs[1:])):
        expected = whole_pass(network, heard)
        if expected is None:
            continue
        owed = got.shape[-1] - expected.shape[-1]
        assert got[..., :owed].isnan().all()
        torch.testing.assert_close(got[..., owed:], expected, **EXACT)


def test_each_layer_computes_each_output_once() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    network = nn.Sequential(
        nn.Conv1d(2, 8, 5), nn.ReLU(), nn.Conv1d(8, 8, 3, dilation=16), nn.Conv1d(8, 4, 7, stride=2)
    ).double()

    def flops(function: Callable[[Tensor], object], samples: int) -> int:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            for chunk in recordings(1, samples=samples).split(
                1 if function is streaming else 999, -1
            ):
                function(chunk)
        return counter.get_total_flops()

    streaming = stream(network)
    flops(streaming, 200)
    whole = flops(network, 300) - flops(network, 200)
    assert flops(streaming, 100) == whole > 0


MEANS: dict[str, Callable[[], nn.Module]] = {
    "pooled": lambda: nn.Sequential(
        nn.Conv1d(2, 3, 4),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.BatchNorm1d(3),
        nn.Linear(3, 2),
    ),
    "kept": lambda: nn.Sequential(nn.Conv1d(2, 3, 4), nn.AdaptiveAvgPool1d(1), nn.Conv1d(3, 2, 1)),
    "padded": lambda: nn.Sequential(
        nn.Conv1d(2, 3, 4, 2, padding=3), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Softmax(-1)
    ),
}


@pytest.mark.parametrize("name", MEANS)
def test_a_mean_over_time_streams_as_the_mean_so_far(name: str) -> None:
    network = MEANS[name]().double().eval()
    recording = recordings()
    streaming = stream(network, batch=2)
    outputs = torch.cat([*map(streaming, recording.split(7, -1)), streaming.finish()], dim=-1)
    expected = whole_pass(network, recording)
    assert expected is not None
    torch.testing.assert_close(outputs[..., -1], expected.reshape(2, -1), **EXACT)
    if name != "padded":
        for frames in (1, 30):
            part = whole_pass(network, recording[..., : frames + 3])
            assert part is not None
            torch.testing.assert_close(outputs[..., frames - 1], part.reshape(2, -1), **EXACT)


def test_channels_last_outputs_stay_last() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv1d(2, 3, 2)
            self.linear = nn.Linear(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return F.log_softmax(self.linear(self.convolution(x).permute(0, 2, 1)), dim=-1)

    network = Last().double()
    streaming = stream(network, batch=2)
    outputs = torch.cat([*map(streaming, recordings().split(9, -1)), streaming.finish()], dim=1)
    torch.testing.assert_close(outputs, whole_pass(network, recordings()), **EXACT)


def test_parameters_are_the_networks_own_and_no_gradients_are_kept() -> None:
    network = nn.Sequential(nn.Conv1d(1, 1, 1, bias=False))
    streaming = stream(network)
    with torch.no_grad():
        network[0].weight.fill_(3)
    out = streaming(torch.ones(1, 1, 1))
    assert out.item() == 3
    assert not out.requires_grad


class TwoInputs(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Uneven(nn.Module):
    def __init__(self, convolution: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x) + x


class Sized(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / x.shape[-1]


class Last(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[..., -1:]


def eight(*more: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(2, 8, 3), nn.Sequential(*more))


REFUSED: dict[str, tuple[nn.Module, str]] = {
    "dropout in training": (eight(nn.Dropout()), "1.0 (Dropout): it draws at random"),
    "batch norm in training": (eight(nn.BatchNorm1d(8)), "1.0 (BatchNorm1d): in training"),
    "batch norm without statistics": (
        eight(nn.BatchNorm1d(8, track_running_stats=False)).eval(),
        "without running statistics it looks at the whole recording",
    ),
    "instance norm": (eight(nn.InstanceNorm1d(8)).eval(), "1.0 (InstanceNorm1d): it normalises"),
    "group norm": (eight(nn.GroupNorm(2, 8)), "1.0 (GroupNorm): it normalises over time"),
    "layer norm over time": (eight(nn.LayerNorm(88)), "1.0 (LayerNorm): its last axis is time"),
    "linear over time": (
        eight(nn.Linear(88, 2)),
        "for channels take nn.Conv1d(inputs, outputs, 1)",
    ),
    "flatten": (eight(nn.ReLU(), nn.Flatten(), nn.Linear(704, 2)), "1.1 (Flatten): it makes time"),
    "recurrent": (eight(nn.GRU(8, 8)), "1.0 (GRU): recurrent layers are not streamed"),
    "both ways": (eight(nn.LSTM(8, 8, bidirectional=True)), "1.0 (LSTM): it looks at the whole"),
    "adaptive maximum": (eight(nn.AdaptiveMaxPool1d(1)), "1.0 (AdaptiveMaxPool1d): it looks at"),
    "adaptive pieces": (eight(nn.AdaptiveAvgPool1d(4)), "an average to size 1 streams"),
    "upsampling": (eight(nn.Upsample(scale_factor=2)), "1.0 (Upsample): it makes several frames"),
    "reflection": (eight(nn.Conv1d(8, 8, 3, padding=1, padding_mode="reflect")), "padding_mode"),
    "ceiling": (eight(nn.MaxPool1d(2, ceil_mode=True)), "1.0 (MaxPool1d): ceil_mode=True"),
    "indices": (eight(nn.MaxPool1d(2, return_indices=True)), "return_indices=True"),
    "uncounted padding": (
        eight(nn.AvgPool1d(3, padding=1, count_include_pad=False)),
        "count_include_pad=False",
    ),
    "softmax over time": (eight(nn.Softmax(-1)), "1.0 (Softmax): dim=-1 is not channels"),
    "window behind a mean": (
        eight(nn.AdaptiveAvgPool1d(1), nn.Conv1d(8, 8, 3, padding=1)),
        "1.1 (Conv1d): it needs (batch, channels, time)",
    ),
    "unknown": (eight(nn.Fold(2, 2)), "1.0 (Fold): stream does not know"),
    "two inputs": (TwoInputs(), "a second input"),
    "a path that depends on its input": (Branching(), "torch.fx cannot trace its forward"),
    "branches of two lengths": (eight(Uneven(nn.Conv1d(8, 8, 3))), "differ in length by 2 frames"),
    "branches of two strides": (
        eight(Uneven(nn.Conv1d(8, 8, 3, 2, 1))),
        "a frame every 2 and every 1 samples",
    ),
    "its own size": (eight(Sized()), "no size of its own"),
    "the last frame": (eight(Last()), "crops both ends"),
    "channels that do not fit": (eight(nn.Conv1d(5, 5, 1)), "1.0 (Conv1d): Given groups=1"),
    "channels that nobody says": (nn.MaxPool1d(2), "stream(model, channels=1)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_its_path_and_reason(name: str) -> None:
    network, reason = REFUSED[name]
    channels = 2 if name in ("two inputs", "a path that depends on its input") else None
    with pytest.raises(PenchantError) as caught:
        stream(network, channels=channels)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("chunk", "reason"),
    [
        (torch.zeros(2, 5), "shape (2, 5)): needs (batch, channels, samples) = (1, 2, any)"),
        (torch.zeros(1, 3, 5), "shape (1, 3, 5)): needs"),
        (torch.zeros(1, 2, 5).double(), "chunk of torch.float64 on cpu): the network is of"),
    ],
)
def test_a_chunk_that_does_not_fit(chunk: Tensor, reason: str) -> None:
    with pytest.raises(PenchantError, match="streaming") as caught:
        stream(nn.Conv1d(2, 3, 3))(chunk)
    assert reason in str(caught.value)


def test_what_comes_out_of_turn() -> None:
    streaming = stream(nn.Conv1d(1, 1, 3, stride=2, padding=1), batch=2)
    other = stream(nn.Conv1d(1, 1, 5), batch=2).state_dict()
    streaming(torch.zeros(2, 1, 5))
    for call, reason in (
        (lambda: streaming.reset([0]), "multiples of the stride 2, for instance 1 samples on"),
        (lambda: streaming.reset([2]), "the batch has streams 0 to 1"),
        (lambda: streaming.load_state_dict(other), "a state of the same network and batch fits"),
    ):
        with pytest.raises(PenchantError) as caught:
            call()
        assert reason in str(caught.value)
    streaming.finish()
    for call in (
        streaming.finish,
        lambda: streaming(torch.zeros(2, 1, 1)),
        lambda: streaming.reset([0]),
    ):
        with pytest.raises(PenchantError, match="reset"):
            call()
    early = stream(nn.Conv1d(1, 1, 1, padding=2))
    early(torch.zeros(1, 1, 4))
    with pytest.raises(PenchantError, match="0 pads more than it looks back"):
        early.reset([0])


def test_branches_that_end_unevenly_say_so_at_the_end() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AvgPool1d(2)
            self.convolution = nn.Conv1d(1, 1, 3, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.pool(x) + self.convolution(x)

    streaming = stream(Halves())
    streaming(torch.zeros(1, 1, 5))
    with pytest.raises(PenchantError, match="branches of one length"):
        streaming.finish()
