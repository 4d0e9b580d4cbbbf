"""Window classifiers as one dense pass, and long signals in blocks."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.scanning import Scan, close, scans
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import (
    ScanningMLP,
    _blocks,
    count_parameters,
    dense_pass,
    evaluate_in_blocks,
)

settings_ = settings(max_examples=40, deadline=None)


def by_windows(
    model: nn.Module, signal: Tensor, window: tuple[int, ...], stride: int, padding: int
) -> Tensor:
    """Evaluate a classifier window by window."""
    axes = len(window)
    views = nn.functional.pad(signal, [padding] * 2 * axes)
    for axis, span in enumerate(window):
        views = views.unfold(2 + axis, span, stride)
    views = views.movedim(1, 1 + axes)
    answers: Tensor = model(views.flatten(0, axes))
    return answers.reshape(*views.shape[: 1 + axes], -1).movedim(-1, 1)


def draws(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def seasoned(model: nn.Sequential, *shape: int) -> nn.Sequential:
    """Give batch normalisation statistics and factors that are not 0 and 1."""
    model = model.double()
    for step in range(3):
        model(step + (1 + step) * torch.randn(16, *shape, dtype=torch.float64))
    for module in model:
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)
    return model.eval()


@st.composite
def classifiers(draw: st.DrawFn) -> tuple[nn.Sequential, tuple[int, ...], int]:
    torch.manual_seed(draw(st.integers(0, 999)))
    window = draw(st.lists(st.integers(1, 6), min_size=1, max_size=2).map(tuple))
    channels = draw(st.integers(1, 3))
    width = channels * torch.Size(window).numel()
    modules: list[nn.Module] = [nn.Dropout(0.3), nn.Flatten()]
    for units in draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)):
        parts = [
            lambda u=units, w=width: nn.Linear(w, u, bias=draw(st.booleans())),
            *draw(
                st.lists(
                    st.sampled_from(
                        [
                            lambda: nn.ReLU(),
                            lambda: nn.Tanh(),
                            lambda: nn.Dropout(0.5),
                            lambda: nn.Softmax(dim=-1),
                            lambda: nn.LogSoftmax(dim=1),
                        ]
                    ),
                    max_size=2,
                )
            ),
        ]
        modules += [part() for part in parts]
        width = units
    return nn.Sequential(*modules).double().eval(), window, channels


@settings_
@given(classifiers(), st.integers(1, 5), st.integers(0, 2), st.integers(0, 8))
def test_any_classifier_gives_its_windows_answers(
    given_: tuple[nn.Sequential, tuple[int, ...], int], stride: int, padding: int, longer: int
) -> None:
    model, window, channels = given_
    signal = draws(2, channels, *(span + longer for span in window))
    network = dense_pass(model, window=window, channels=channels, stride=stride, padding=padding)
    close(network(signal), by_windows(model, signal, window, stride, padding))
    kinds = {nn.Conv1d, nn.Conv2d, nn.ReLU, nn.Tanh, nn.Softmax, nn.LogSoftmax}
    assert {type(module) for module in network} <= kinds


BATCH_NORMS = {
    "behind Linear": lambda: [nn.Flatten(), nn.Linear(12, 5), nn.BatchNorm1d(5), nn.ReLU()],
    "behind ReLU": lambda: [nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.BatchNorm1d(5)],
    "without bias": lambda: [
        nn.Flatten(),
        nn.Linear(12, 5, bias=False),
        nn.BatchNorm1d(5, affine=False),
        nn.Dropout(),
    ],
    "of the row": lambda: [nn.Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 5, bias=False)],
    "of the channels": lambda: [nn.BatchNorm1d(2), nn.Flatten(), nn.Linear(12, 5)],
}


@pytest.mark.parametrize("case", BATCH_NORMS)
def test_batch_normalisation_is_folded_in(case: str) -> None:
    torch.manual_seed(0)
    model = seasoned(nn.Sequential(*BATCH_NORMS[case](), nn.Linear(5, 3)), 2, 6)
    network = dense_pass(model, window=6, padding=2)
    assert not any(isinstance(module, nn.BatchNorm1d) for module in network)
    close(network(draws(2, 2, 30)), by_windows(model, draws(2, 2, 30), (6,), 1, 2))


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 7])
def test_convolutions_before_flatten_are_scanned_too(stride: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 3, (3, 2), stride=(2, 1)),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 4, 2, stride=2, dilation=(1, 2)),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(4 * 3 * 2, 5),
        nn.ReLU(),
        nn.Linear(5, 2),
    )
    model = seasoned(model, 2, 13, 6)
    signal = draws(2, 2, 22, 15)
    network = dense_pass(model, window=(13, 6), stride=stride)
    close(network(signal), by_windows(model, signal, (13, 6), stride, 0))


def test_a_layer_twice_and_a_sequential_within() -> None:
    torch.manual_seed(0)
    act, tied = nn.SELU(), nn.Linear(4, 4)
    model = nn.Sequential(
        nn.Sequential(nn.Flatten(), nn.Linear(5, 4)), act, tied, act, tied, nn.Identity()
    ).double()
    network = dense_pass(model, window=5)
    close(network(draws(1, 1, 20)), by_windows(model, draws(1, 1, 20), (5,), 1, 0))


@settings_
@given(scans(1), st.booleans())
def test_written_out_sharing_is_found_again(scan: Scan, biased: bool) -> None:
    mlp = scan.mlp
    if not biased:
        for layer in mlp.layers:
            layer.register_parameter("bias", None)
    network = dense_pass(mlp.unshared(), window=mlp.window, padding=scan.padding)
    close(network(scan.signal), mlp.scan(scan.signal, stride=1, padding=scan.padding))
    # Where nothing reads some places of a layer they have no units, and the others are no grid.
    if all(places == tuple(range(len(places))) for places in mlp.structure.axes[0].places):
        assert count_parameters(network) == count_parameters(mlp)


def test_sharing_that_is_not_exact_is_not_taken_for_it() -> None:
    written = ScanningMLP(1, [(4, 2, 2), (3, 2, 2), (2, 2, 2)]).double().unshared()
    shared = dense_pass(written, window=8)
    assert [c.kernel_size for c in shared if isinstance(c, nn.Conv1d)] == [(2,)] * 3
    with torch.no_grad():
        written[1].weight[0, 0] += 1e-9
    signal = draws(1, 1, 30)
    found = dense_pass(written, window=8)
    assert [c.kernel_size for c in found if isinstance(c, nn.Conv1d)] == [(8,), (1,), (1,)]
    close(found(signal), by_windows(written, signal, (8,), 1, 0))


EQUAL_BLOCKS = torch.tensor([[1.0, 2, 0, 0], [0, 0, 1, 2]], dtype=torch.float64)


@pytest.mark.parametrize("case", ["the answer", "other biases", "softmax"])
def test_equal_blocks_that_are_no_places_stay_units(case: str) -> None:
    first = nn.Linear(4, 2).double()
    with torch.no_grad():
        first.weight.copy_(EQUAL_BLOCKS)
        first.bias.copy_(torch.tensor([0.0, 1.0 if case == "other biases" else 0.0]))
    behind = {
        "the answer": [],
        "other biases": [nn.ReLU(), nn.Linear(2, 3)],
        "softmax": [nn.Softmax(dim=-1), nn.Linear(2, 3)],
    }
    model = nn.Sequential(nn.Flatten(), first, *behind[case]).double()
    signal = draws(1, 1, 30)
    close(dense_pass(model, window=4)(signal), by_windows(model, signal, (4,), 1, 0))


def linear(*modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(10, 4), *modules)


PREVENTED = {
    "layer norm": (linear(nn.LayerNorm(4)), "layer 2 .LayerNorm. prevents it: it divides"),
    "dropout": (linear(nn.Dropout()), "call .eval"),
    "batch norm": (linear(nn.BatchNorm1d(4)), "call .eval"),
    "batch norm alone": (linear(nn.ReLU(), nn.BatchNorm1d(4).eval()), "no layer stands directly"),
    "two batch norms": (
        linear(nn.ReLU(), nn.BatchNorm1d(4).eval(), nn.BatchNorm1d(4).eval()),
        "another batch normalisation",
    ),
    "batch norm before ReLU": (
        linear(nn.ReLU(), nn.BatchNorm1d(4).eval(), nn.ReLU(), nn.Linear(4, 2)),
        "stands before",
    ),
    "in_features": (linear(nn.Linear(5, 2)), "layer 2 .Linear. prevents it: in_features=5"),
    "no Flatten": (nn.Sequential(nn.Linear(10, 4)), r"needs nn.Flatten\(\) before it"),
    "flat batch": (nn.Sequential(nn.Flatten(0), nn.Linear(10, 4)), "one row of each window"),
    "only Flatten": (nn.Sequential(nn.Flatten()), "needs nn.Flatten and a Linear layer"),
    "ReLU first": (nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(10, 4)), "before the first"),
    "padding": (
        nn.Sequential(nn.Conv1d(1, 1, 3, padding=1), nn.Flatten(), nn.Linear(10, 4)),
        "lies at the edge of a window",
    ),
    "too short": (nn.Sequential(nn.Conv1d(1, 1, 11), nn.Flatten(), nn.Linear(1, 4)), "too short"),
    "unread samples": (
        nn.Sequential(nn.Conv1d(1, 1, 3, stride=3), nn.Flatten(), nn.Linear(3, 4)),
        "reads only the first 9",
    ),
    "convolution behind": (linear(nn.Conv1d(4, 2, 1)), "behind nn.Flatten"),
    "no Sequential": (nn.Linear(10, 4), "needs an nn.Sequential"),
    "attention": (linear(nn.MultiheadAttention(4, 1)), "place to place"),
}


@pytest.mark.parametrize("case", PREVENTED)
def test_what_prevents_it_is_named_in_one_line(case: str) -> None:
    model, words = PREVENTED[case]
    with pytest.raises(PenchantError, match=words) as error:
        dense_pass(model, window=10)
    assert "\n" not in str(error.value)


def test_window_and_channels_that_do_not_fit_are_named() -> None:
    model = linear()
    for call, words in (
        (lambda: dense_pass(model, window=3), "in_features=10, and window=.3,. leaves"),
        (lambda: dense_pass(model, window=5, channels=1), "takes 2 channels"),
        (lambda: dense_pass(model, window=0), r"window=0"),
        (lambda: dense_pass(model, window=10.0), r"window=10.0"),
        (lambda: dense_pass(model, window=(1, 1, 1, 1)), "1, 2 or 3 numbers"),
        (lambda: dense_pass(model, window=10, stride=0), "stride=0"),
    ):
        with pytest.raises(PenchantError, match=words):
            call()


LAYERS = [(3, 3), (4, 2, 2), (2, 3)]


@pytest.mark.parametrize(
    ("dimensions", "double"), list(itertools.product((1, 2, 3), (False, True)))
)
def test_blocks_change_nothing(
    dimensions: int, double: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlp = ScanningMLP(2, LAYERS, dimensions=dimensions).to(torch.float64 if double else None)
    signal = draws(2, 2, *(20, 47, 16)[:dimensions]).to(mlp.layers[0].weight)
    sizes = []

    def convolve(stages: object, piece: Tensor) -> Tensor:
        sizes.append(piece.numel())
        return whole(stages, piece)

    whole = _blocks.convolve
    monkeypatch.setattr(_blocks, "convolve", convolve)
    monkeypatch.setattr(_blocks, "BLOCK_NUMBERS", 1)
    monkeypatch.setattr(_blocks, "LEAST_WINDOWS", 1)
    for stride, padding in itertools.product((1, 2, 3), (0, 2)):
        sizes.clear()
        network = mlp.to_conv(stride=stride, padding=padding)
        found = evaluate_in_blocks(network, signal)
        assert len(sizes) > 1 and not found.requires_grad
        expected = network(signal).detach()
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-13 if double else 1e-6)
        with torch.no_grad():
            close(mlp.scan(signal, stride=stride, padding=padding), found)


def test_a_long_signal_stays_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 1))
    network = dense_pass(model, window=64)
    largest = []
    network[0].register_forward_hook(lambda *_: pytest.fail("the whole signal at once"))
    whole = _blocks.convolve
    monkeypatch.setattr(
        _blocks,
        "convolve",
        lambda stages, piece: (largest.append(piece.shape[-1]), whole(stages, piece))[1],
    )
    signal = torch.rand(1, 1, 200_000)
    found = evaluate_in_blocks(network, signal)
    assert found.shape == (1, 1, 199_937) and max(largest) * 256 < 1.1 * _blocks.BLOCK_NUMBERS
    for at in (0, 2047, 2048, 123_456, 199_936):
        torch.testing.assert_close(found[0, :, at], model(signal[:, :, at : at + 64])[0])


@pytest.mark.unchecked
def test_blocks_name_what_does_not_fit() -> None:
    network = ScanningMLP(1, LAYERS).to_conv()
    for signal, words in (
        (torch.zeros(1, 1, 3), "one window takes"),
        (torch.zeros(1, 2, 30), r"needs \(batch, 1, length\)"),
        (torch.zeros(1, 1, 30, 30), r"needs \(batch, 1, length\)"),
    ):
        with pytest.raises(PenchantError, match=words):
            evaluate_in_blocks(network, signal)
