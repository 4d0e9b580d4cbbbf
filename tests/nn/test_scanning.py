"""The scanning MLP, the CNN that it equals, and the MLP with its blocks written out."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.scanning import Scan, answer, close, scans
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from penchant.errors import PenchantError
from penchant.nn import (
    ACTIVATIONS,
    Coverage,
    MultiplyAdds,
    ReLU,
    ScanningMLP,
    count_parameters,
    dense_pass,
    evaluate_in_blocks,
)

NOTES = [(4, 2, 2), (3, 2, 2), (2, 2, 2)]
some = st.one_of(*(scans(dimensions) for dimensions in (1, 1, 2, 3)))
few = settings(max_examples=25, deadline=None)
many = settings(max_examples=60, deadline=None)


@few
@given(some)
def test_a_window_is_answered_unit_by_unit(scan: Scan) -> None:
    windows = scan.windows().flatten(0, len(scan.stride))[:2]
    expected = torch.stack([answer(scan.mlp, window) for window in windows])
    close(scan.mlp(windows), expected)


@many
@given(some)
def test_all_forms_give_the_same_numbers(scan: Scan) -> None:
    mlp, how = scan.mlp, {"stride": scan.stride, "padding": scan.padding}
    expected = scan.by_windows(mlp)
    network = mlp.to_conv(**how)
    close(mlp.scan(scan.signal, **how), expected)
    close(network(scan.signal), expected)
    close(ScanningMLP.from_conv(network).scan(scan.signal), expected)
    close(scan.by_windows(mlp.unshared()), expected)
    close(dense_pass(mlp.unshared(), window=mlp.window, **how)(scan.signal), expected)
    close(evaluate_in_blocks(network, scan.signal), expected)
    assert ScanningMLP.from_conv(mlp.to_conv()).structure == mlp.structure


@many
@given(some)
def test_formulas_count_what_is_there(scan: Scan) -> None:
    mlp, how = scan.mlp, {"stride": scan.stride, "padding": scan.padding}
    written = mlp.unshared()
    counts = mlp.parameter_counts
    assert counts.shared == count_parameters(mlp) == count_parameters(mlp.to_conv())
    assert counts.dense == count_parameters(written)
    assert counts.unshared == sum(int((p != 0).sum()) for p in written.parameters())
    weights = [layer.weight for layer in written if isinstance(layer, nn.Linear)]
    windows = scan.windows().shape[1 : 1 + len(scan.stride)].numel()
    with FlopCounterMode(display=False) as counter:
        mlp.to_conv(**how)(scan.signal[:1])
    assert mlp.multiply_adds(scan.signal.shape[2:], **how) == MultiplyAdds(
        dense=windows * sum(weight.numel() for weight in weights),
        windows=windows * sum(int((weight != 0).sum()) for weight in weights),
        converted=counter.get_total_flops() // 2,
    )


@many
@given(some)
def test_coverage_is_what_windows_cover(scan: Scan) -> None:
    length = tuple(scan.signal.shape[2:])
    found = scan.mlp.coverage(length, stride=scan.stride, padding=scan.padding)
    for axis, size in enumerate(length):
        begins = range(-scan.padding[axis], size + scan.padding[axis], scan.stride[axis])
        spans = [range(begin, begin + scan.mlp.window[axis]) for begin in begins]
        fit = [span for span in spans if span.stop <= size + scan.padding[axis]]
        reached = {sample for span in fit for sample in span}
        assert Coverage(*([numbers[axis]] for numbers in found)) == Coverage(
            [len(fit)], [fit[0].start], [fit[-1].start], [len(set(range(size)) - reached)]
        )


@few
@given(some)
def test_gradient_of_a_shared_weight_is_the_sum_over_its_places(scan: Scan) -> None:
    mlp, written = scan.mlp, scan.mlp.unshared()
    windows = scan.windows().flatten(0, len(scan.stride))[:3]
    mlp(windows).square().sum().backward()
    written(windows.clone()).square().sum().backward()
    linears = [layer for layer in written if isinstance(layer, nn.Linear)]
    for index, (shared, repeated) in enumerate(zip(mlp.layers, linears, strict=True)):
        # Marked with its number in the shared weight, each entry tells which copies there are.
        marked = copy.deepcopy(mlp)
        with torch.no_grad():
            numbers = torch.arange(1.0, shared.weight.numel() + 1).double()
            marked.layers[index].weight.copy_(numbers.reshape(shared.weight.shape))
        copies = [layer for layer in marked.unshared() if isinstance(layer, nn.Linear)][index]
        sums = torch.zeros(len(numbers) + 1, dtype=torch.float64).index_add(
            0, copies.weight.detach().long().flatten(), repeated.weight.grad.flatten()
        )
        close(shared.weight.grad.flatten(), sums[1:])
        close(shared.bias.grad, repeated.bias.grad.reshape(len(shared.bias), -1).sum(1))


@few
@given(some)
def test_gradients_of_a_scan_are_those_of_its_windows(scan: Scan) -> None:
    mlp, signal = scan.mlp, scan.signal.clone().requires_grad_()
    by_scan = mlp.scan(signal, stride=scan.stride, padding=scan.padding)
    by_window = Scan(mlp, signal, scan.stride, scan.padding).by_windows(mlp)
    wanted = [signal, *mlp.parameters()]
    for found, expected in zip(
        torch.autograd.grad(by_scan.square().sum(), wanted),
        torch.autograd.grad(by_window.square().sum(), wanted),
        strict=True,
    ):
        close(found, expected)


def test_the_notes_network() -> None:
    mlp = ScanningMLP(1, NOTES)
    assert (mlp.window, mlp.stride) == ((8,), (8,))
    assert tuple(mlp.parameter_counts) == (260, 116, 53)
    convolutions = [layer for layer in mlp.to_conv() if isinstance(layer, nn.Conv1d)]
    assert [c.out_channels for c in convolutions] == [4, 3, 2]
    assert all(c.kernel_size == c.stride == (2,) for c in convolutions)
    written = mlp.unshared()
    assert [tuple(layer.weight.shape) for layer in written if hasattr(layer, "weight")] == [
        (16, 8),
        (6, 16),
        (2, 6),
    ]


@given(st.integers(1, 7), st.integers(0, 7), st.integers(512, 700))
@settings(max_examples=40, deadline=None)
def test_each_layer_computes_each_position_once_and_no_other(
    depth: int, halvings: int, length: int
) -> None:
    mlp, stride = ScanningMLP(1, [(1, 2, 2)] * depth), 2 ** min(halvings, depth)
    outputs = mlp.coverage(length, stride=stride).outputs[0]
    # Layer by layer downwards, the positions that the windows ask for, as a set.
    wanted, products = {stride * output for output in range(outputs)}, 0
    for layer in reversed(range(depth)):
        products += 2 * len(wanted)
        wanted |= {position + 2**layer for position in wanted}
    # The convolutions may compute a few behind the last window's, which the signal's length allows.
    beyond = 2 * sum(stride // 2**layer for layer in range(depth))
    assert 0 <= mlp.multiply_adds(length, stride=stride).converted - products <= beyond


def test_windows_far_apart_are_each_taken_alone() -> None:
    mlp = ScanningMLP(2, NOTES).double()
    signal = torch.randn(
        2, 2, 1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    costs = mlp.multiply_adds(1000, stride=101)
    assert costs.windows < costs.converted
    with FlopCounterMode(display=False) as counter:
        found = mlp.scan(signal, stride=101)
    assert counter.get_total_flops() == 2 * 2 * costs.windows
    close(found, mlp.to_conv(stride=101)(signal))


@pytest.mark.parametrize(
    "name", [name for name, kind in ACTIVATIONS.items() if not kind.is_complex]
)
def test_every_activation_converts_and_starts_by_its_rule(name: str) -> None:
    mlp = ScanningMLP(2, [(256, 3), (256, 3), (4, 3)], activation=name)
    last = mlp.layers[-1].weight
    moment = ACTIVATIONS[name]().second_moment
    assert last.square().mean().mul(last.shape[1] * moment).sqrt().item() == pytest.approx(
        1 / 30, rel=0.1
    )
    twin = mlp.double()
    signal = torch.randn(1, 2, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([twin(window)[0] for window in signal.unfold(-1, 7, 1).movedim(2, 0)])
    close(twin.to_conv()(signal)[0].T, expected)


def test_an_activations_scale_is_kept() -> None:
    windows = torch.randn(16, 1, 8, generator=torch.Generator().manual_seed(0))
    doubled, plain = (ScanningMLP(1, NOTES, activation=ReLU(scale=scale)) for scale in (2, 1))
    doubled.load_state_dict(plain.state_dict())
    torch.testing.assert_close(doubled.to_conv()(windows)[:, :, 0], doubled(windows))
    assert not torch.allclose(doubled(windows), plain(windows))


def test_depends_on_its_seed_alone() -> None:
    before = torch.get_rng_state()
    one, two, other = (ScanningMLP(1, NOTES, seed=seed) for seed in (5, 5, 6))
    for key, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[key])
        assert value.any() or key.endswith("bias")
    assert not torch.equal(one.layers[0].weight, other.layers[0].weight)
    one.to_conv(), one.unshared(), ScanningMLP.from_conv(one.to_conv())
    assert torch.equal(before, torch.get_rng_state())


def test_state_and_pickle_round_trip() -> None:
    mlp = ScanningMLP(1, NOTES, activation="finer", seed=1)
    assert list(mlp.state_dict()) == [
        f"layers.{index}.{kind}" for index in range(3) for kind in ("weight", "bias")
    ]
    twin = ScanningMLP(1, NOTES, activation="finer", seed=2)
    twin.load_state_dict(mlp.state_dict())
    windows = torch.rand(5, 1, 8)
    for other in (twin, copy.deepcopy(mlp), pickle.loads(pickle.dumps(mlp))):
        assert torch.equal(other(windows), mlp(windows))


def test_conversions_have_parameters_of_their_own() -> None:
    mlp = ScanningMLP(1, NOTES)
    network, written = mlp.to_conv(), mlp.unshared()
    back = ScanningMLP.from_conv(network)
    before = mlp(torch.ones(1, 1, 8))
    for model in (network, written, back):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        assert torch.equal(mlp(torch.ones(1, 1, 8)), before)


def test_from_conv_reads_what_a_network_really_does() -> None:
    torch.manual_seed(0)
    shared = nn.PReLU()
    network = nn.Sequential(
        nn.BatchNorm1d(2),
        nn.Conv1d(2, 5, 3, bias=False),
        nn.BatchNorm1d(5),
        shared,
        nn.Sequential(
            nn.Dropout(0.5), nn.Conv1d(5, 4, 2, stride=2, dilation=3), nn.Identity(), shared
        ),
        nn.BatchNorm1d(4),
        nn.Conv1d(4, 3, 1),
        nn.BatchNorm1d(3, affine=False),
        nn.Tanh(),
        nn.Hardtanh(-0.5, 0.5),
    ).double()
    for _ in range(3):  # statistics worth folding in
        network(3 + 2 * torch.randn(8, 2, 30, dtype=torch.float64))
    network.eval()
    signal = torch.randn(2, 2, 50, dtype=torch.float64)
    mlp = ScanningMLP.from_conv(network)
    assert (mlp.window, mlp.stride, mlp.padding) == ((6,), (2,), (0,))
    close(mlp.scan(signal), network(signal))
    close(mlp(signal[:, :, 2:8]), network(signal)[:, :, 1])


def test_from_conv_keeps_padding_type_and_absent_bias() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, (3, 5), padding="same", bias=False)).double()
    mlp = ScanningMLP.from_conv(network)
    signal = torch.randn(1, 1, 7, 9, dtype=torch.float64)
    assert mlp.padding == (1, 2) and count_parameters(mlp) == 30
    close(mlp.scan(signal), network(signal))
    close(mlp.to_conv()(signal), network(signal))
    assert mlp.unshared()[1].bias is None


BAD = {
    "no layers": (lambda: ScanningMLP(1, []), "at least one layer"),
    "a bare layer": (lambda: ScanningMLP(1, [4]), r"layers\[0\]=4"),
    "a long layer": (lambda: ScanningMLP(1, [(1, 2, 3, 4, 5)]), "filters, width"),
    "no filters": (lambda: ScanningMLP(1, [(0, 2)]), r"layers\[0\] filters=0"),
    "no width": (lambda: ScanningMLP(1, [(4, 0)]), r"layers\[0\] width=0"),
    "half a stride": (lambda: ScanningMLP(1, [(4, 2, 0.5)]), r"stride=0.5"),
    "too many widths": (lambda: ScanningMLP(1, [(4, (2, 2))]), "has 2 numbers, and the signal 1"),
    "four axes": (lambda: ScanningMLP(1, NOTES, dimensions=4), "needs 1, 2 or 3"),
    "no channels": (lambda: ScanningMLP(0, NOTES), r"channels=0"),
    "complex": (lambda: ScanningMLP(1, NOTES, activation="wire"), "complex"),
    "no such name": (lambda: ScanningMLP(1, NOTES, activation="rleu"), "did you mean 'relu'"),
    "a negative padding": (lambda: ScanningMLP(1, NOTES, padding=-1), r"padding=-1"),
    "a long window": (lambda: ScanningMLP(1, NOTES)(torch.zeros(1, 1, 9)), r"\(batch, 1, 8\)"),
    "a short signal": (
        lambda: ScanningMLP(1, NOTES).scan(torch.zeros(1, 1, 5), padding=1),
        r"5 \+ 2·1 samples, and one window takes 8",
    ),
    "channels of a signal": (
        lambda: ScanningMLP(1, NOTES).scan(torch.zeros(1, 2, 50)),
        r"\(1, 2, 50\)\): needs \(batch, 1, length\)",
    ),
    "no batch": (lambda: ScanningMLP(1, NOTES).scan(torch.zeros(1, 50)), r"needs \(batch, 1"),
    "type of windows": (
        lambda: ScanningMLP(1, NOTES)(torch.zeros(1, 1, 8).double()),
        "torch.float64.: the weights are torch.float32",
    ),
    "type of a signal": (
        lambda: ScanningMLP(1, NOTES).scan(torch.zeros(1, 1, 9, dtype=torch.int64)),
        "signal of torch.int64",
    ),
    "no stride": (lambda: ScanningMLP(1, NOTES).to_conv(stride=0), r"to_conv\(stride=0"),
    "a short length": (lambda: ScanningMLP(1, NOTES).coverage(7), "one window takes 8"),
}


@pytest.mark.unchecked
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_in_one_line(case: str) -> None:
    call, words = BAD[case]
    with pytest.raises(PenchantError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


UNFIT = {
    "padding further up": (nn.Conv1d(2, 2, 3, padding=1), "layer 1 .Conv1d. prevents it: padding"),
    "groups": (nn.Conv1d(2, 2, 3, groups=2), "groups=2"),
    "another dimension": (nn.Conv2d(2, 2, 3), "takes 2 axes, and the signal has 1"),
    "channels": (nn.Conv1d(3, 2, 3), "takes 3 channels, and gets 2"),
    "pooling": (nn.MaxPool1d(2), "pooling"),
    "transposed": (nn.ConvTranspose1d(2, 2, 2), "several places of one"),
    "flatten": (nn.Flatten(), "dense_pass"),
    "linear": (nn.Linear(9, 2), "dense_pass"),
    "layer norm": (nn.LayerNorm(2), "spread of all units"),
    "group norm": (nn.GroupNorm(1, 2), "spread of all units"),
    "softmax over places": (nn.Softmax(dim=-1), "mixes units"),
    "softmax over channels": (nn.Softmax(dim=1), "mixes units"),
    "dropout": (nn.Dropout(), "call .eval"),
    "batch norm": (nn.BatchNorm1d(2), "call .eval"),
    "batch norm without statistics": (nn.BatchNorm1d(2, track_running_stats=False).eval(), "eval"),
    "recurrent": (nn.LSTM(2, 2), "place to place"),
    "a slope each": (nn.PReLU(2), "nn.PReLU()"),
    "circular": (nn.Conv1d(2, 2, 3, padding=1, padding_mode="circular"), "circular"),
    "lazy": (nn.LazyConv1d(2, 3), "no weights"),
}


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize("case", UNFIT)
def test_from_conv_names_the_layer_that_prevents_it(case: str) -> None:
    module, words = UNFIT[case]
    with pytest.raises(PenchantError, match=words) as error:
        ScanningMLP.from_conv(nn.Sequential(nn.Conv1d(1, 2, 3), module))
    assert "layer 1" in str(error.value) and "\n" not in str(error.value)


def test_from_conv_wants_a_sequential_with_a_convolution() -> None:
    for network, words in (
        (nn.Conv1d(1, 2, 3), "needs an nn.Sequential"),
        (nn.Sequential(), "needs a convolution"),
        (nn.Sequential(nn.ReLU(), nn.Conv1d(1, 2, 3)), "layer 0 .ReLU. prevents it"),
        (nn.Sequential(nn.Conv1d(1, 2, 4, padding="same")), "same number of zeros on both sides"),
    ):
        with pytest.raises(PenchantError, match=words):
            ScanningMLP.from_conv(network)


def test_a_users_own_pointwise_module_converts() -> None:
    class Snake(nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return z + z.sin().square()

    class Centred(nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return z - z.mean()

    network = nn.Sequential(nn.Conv1d(1, 2, 3), Snake(), nn.Conv1d(2, 2, 3)).double()
    signal = torch.randn(1, 1, 20, dtype=torch.float64)
    close(ScanningMLP.from_conv(network).scan(signal), network(signal))
    network[1] = Centred()
    with pytest.raises(PenchantError, match=r"layer 1 \(Centred\).*not pointwise"):
        ScanningMLP.from_conv(network)
