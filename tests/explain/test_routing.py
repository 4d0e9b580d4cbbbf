"""Gradients routed by hand: against autograd, against finite differences, against plain sums."""

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import penchant as pn
from penchant.errors import PenchantError
from penchant.explain import Explanation, explain, text
from penchant.explain._routing import backward
from penchant.explain._routing_backward import Routed, route, slope
from penchant.explain._routing_drawing import Edge, Row, drawing
from penchant.explain._routing_examples import (
    LOWER,
    PLACES,
    SIGNAL,
    UPSTREAM,
    WEIGHTS,
    FourIntoOne,
    SharedFilter,
    Sum,
    Weighted,
    row,
)
from penchant.explain._routing_picture import Picture, chosen
from penchant.explain._routing_trace import trace
from penchant.randomness import generator


class Everything(nn.Module):
    """Layers, in-place steps, a tied weight, a recurrent layer, branches, outputs in tuples."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.conv = nn.Conv1d(1, 2, 2, padding="same", padding_mode="circular")
        self.gate = nn.ReLU(inplace=True)
        self.memory = nn.GRU(4, 3, batch_first=True)
        self.drop = nn.Dropout()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.gate(self.layer(x))
        y += x
        y = 2 * y - 1 / (y.square() + 3)
        y = self.norm(x @ self.layer.weight.T + y)
        z = nn.functional.max_pool1d(self.drop(self.conv(y[:, None])), 2)
        kept, _ = self.memory(y[:, None])
        looked, _ = self.attention(y[:, None], y[:, None], y[:, None])
        parts = torch.cat([kept.flatten(1), z.sum(-1), looked[:, 0]], 1)
        return parts.softmax(-1)[:, :3] * torch.sigmoid(kept.mean()) * sum(y[0].unbind())


class Loop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = torch.tanh(self.cell(x))
        return x


def routed(network: nn.Module, *shape: int, seed: int = 0) -> Routed:
    draws = generator(seed, "test routing")
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=draws) / 2
    at = torch.randn(1, *shape, generator=draws, dtype=torch.float64)
    return route(trace(network, [at]))


def test_a_sum_reroutes_whole_and_weights_scale() -> None:
    assert backward(Sum(), row(LOWER)).rows[2].gradients == (UPSTREAM,) * 4
    behind = backward(Weighted(), row(LOWER)).rows[2].gradients
    assert behind == tuple(UPSTREAM * weight for weight in WEIGHTS)


def test_a_shared_weight_sums_over_its_places() -> None:
    shown = backward(SharedFilter(), row(SIGNAL)[None])
    assert [one.places for one in shown.shared] == [
        tuple((PLACES[p], SIGNAL[p + k]) for p in range(4)) for k in range(2)
    ]
    for k, one in enumerate(shown.shared):
        total = sum(PLACES[p] * SIGNAL[p + k] for p in range(4))
        assert one.routed == one.autograd == total
        assert one.moved == pytest.approx(total, abs=1e-8)
    colours = [edge.weight for edge in shown.edges if edge.upper[0] == 1]
    assert colours == [0, 1] * 4


def test_four_filters_that_feed_one() -> None:
    network = FourIntoOne()
    shown = backward(network, row((1.0, -1.0, 0.5, 2.0))[None])
    assert shown.rows[1].gradients == tuple(network.upper.weight.flatten().tolist())
    assert shown.routed.difference == 0
    assert len(shown.shared) == 8
    assert all(one.routed == one.autograd and len(one.places) == 2 for one in shown.shared)


def test_any_module_is_followed_to_rounding() -> None:
    found = routed(Everything(), 4)
    assert found.difference < 1e-14
    nodes = found.trace.nodes
    assert {node.name for node in nodes if node.parameter} == {
        name for name, _ in Everything().named_parameters()
    }
    assert sum(bool(gradient.any()) for gradient in found.gradients) > 30
    for number in (node for node in range(len(nodes)) if nodes[node].drawn):
        gradient = found.gradients[number]
        if (length := float(gradient.norm())) > 1e-9:
            assert slope(found, number, gradient / length) == pytest.approx(length, abs=1e-7)


def test_a_layer_used_three_times_is_one_weight() -> None:
    found = routed(Loop(), 2)
    shown = Picture(found, chosen(found.trace, "Loop"))
    assert [len(one.places) for one in shown.shared] == [3] * 4
    for one in shown.shared:
        assert one.routed == pytest.approx(one.autograd, abs=1e-15)
        assert one.moved == pytest.approx(one.autograd, abs=1e-8)
    assert [line.operation or line.name for line in shown.rows] == ["tanh", "linear"] * 3 + [
        "input"
    ]


widths = st.lists(st.integers(1, 8), min_size=2, max_size=4)
pointwise = st.sampled_from([nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.ELU])


@settings(max_examples=25, deadline=None)
@given(widths=widths, kind=pointwise, seed=st.integers(0, 1000))
def test_small_networks_agree(widths: list[int], kind: type[nn.Module], seed: int) -> None:
    layers: list[nn.Module] = []
    for below, above in pairwise(widths):
        layers += [nn.Linear(below, above), kind()]
    found = routed(nn.Sequential(*layers), widths[0], seed=seed)
    assert found.difference < 1e-13
    shown = Picture(found, chosen(found.trace, "net"))
    for i in range(len(shown.rows)):
        assert shown.check(i).difference < 1e-6
    # What arrives below is, arrow by arrow, slope times what is above.
    for i in range(1, len(shown.rows)):
        for unit, gradient in enumerate(shown.rows[i].gradients):
            arrows = [edge for edge in shown.edges if edge.lower == (i, unit)]
            summed = sum(
                shown.rows[e.upper[0]].gradients[e.upper[1]] * (e.slope or 0) for e in arrows
            )
            assert summed == pytest.approx(gradient, abs=1e-13)


@settings(max_examples=15, deadline=None)
@given(
    channels=st.integers(1, 3),
    filters=st.integers(1, 3),
    width=st.integers(1, 3),
    stride=st.integers(1, 2),
    padding=st.integers(0, 1),
    seed=st.integers(0, 1000),
)
def test_shared_filters_agree(
    channels: int, filters: int, width: int, stride: int, padding: int, seed: int
) -> None:
    conv = nn.Conv1d(channels, filters, width, stride, padding)
    found = routed(nn.Sequential(conv, nn.Tanh(), nn.Flatten()), channels, 4, seed=seed)
    assert found.difference < 1e-13
    shown = Picture(found, chosen(found.trace, "net"))
    for one in shown.shared:
        assert one.routed == pytest.approx(one.autograd, abs=1e-13)


def test_steps_that_are_large_are_routed_too() -> None:
    found = routed(
        nn.Sequential(nn.Flatten(), nn.Linear(300, 40), nn.ReLU(), nn.Linear(40, 1)), 3, 100
    )
    assert found.difference < 1e-13
    shown = Picture(found, chosen(found.trace, "net"))
    assert [line.block for line in shown.rows] == [0, 40, 40, 300]
    assert all(shown.check(i).difference < 1e-7 for i in range(4))
    assert [edge.slope for edge in shown.edges] == [None] * 3


def test_kinks_are_counted_and_left_out() -> None:
    class Kink(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x - x.detach())

    shown = backward(Kink(), row((0.5, 1.0)))
    assert shown.check(1).kinks == 2
    told = explain("routing", network=Kink(), input=(2,))
    assert "numbers left out" in told.summary
    assert "kink" in {line[-1] for line in told.table.rows}


def test_the_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Linear(2, 1))
    network[0].weight.requires_grad_(False)
    before = [parameter.clone() for parameter in network.parameters()]
    explain("routing", network=network, input=(2,))
    assert network.training and not network[0].weight.requires_grad
    for parameter, old in zip(network.parameters(), before, strict=True):
        assert parameter.dtype == torch.float32 and torch.equal(parameter, old)
        assert parameter.grad is None


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        return 2 * x

    @staticmethod
    def backward(ctx, g):  # type: ignore[no-untyped-def]
        return 2 * g


def module(forward: Callable[[Tensor], object]) -> nn.Module:
    made = type("Net", (nn.Module,), {"forward": lambda self, x: forward(x)})()
    assert isinstance(made, nn.Module)
    return made


def writes(x: Tensor) -> Tensor:
    y = 2 * x
    y.add_(x)
    return y


@pytest.mark.parametrize(
    ("network", "input", "expected"),
    [
        (
            nn.Linear(3, 1),
            None,
            "what goes into Linear? Give one sample's shape, such as --input 8",
        ),
        (nn.Linear(3, 1), (4,), r"Linear fails on an input of shape (1, 4), in float64: Runtime"),
        (nn.Linear(3, 1), (0,), r"input=(0,) is no shape; use whole numbers from 1"),
        (nn.Linear(3, 1), 3, r"input=3 is no shape"),
        (nn.Linear(3, 1), (10_000, 10_000), "has 100,000,000 numbers"),
        (
            nn.LSTM(2, 2),
            (3, 2),
            "LSTM returns a tuple: gradients are followed from one tensor back",
        ),
        (module(lambda x: x.detach()), (2,), "an output that no gradient comes back from"),
        (module(Twice.apply), (2,), "an output that no gradient comes back from"),
        (module(lambda x: Twice.apply(x) + x), (2,), "goes into add outside of torch's functions"),
        (module(writes), (2,), "writes into its tensors in place"),
        (module(torch.fft.fft), (2,), r"complex values (fft_fft): not drawn"),
        (
            nn.Sequential(*[nn.Linear(8, 8)] * 9),
            (8,),
            "with 80 units or blocks to draw; at most 60",
        ),
        (3, (2,), "network is of type int; give a torch.nn.Module, or file.py:Class"),
        ("nowhere.py:Net", (2,), "there is no file nowhere.py"),
        (None, (2,), "input without a network; name one"),
    ],
)
def test_what_does_not_fit_is_one_line(network: object, input: object, expected: str) -> None:
    with pytest.raises(PenchantError) as raised:
        explain("routing", network=network, input=input)  # type: ignore[arg-type]
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_other_topics_take_no_network() -> None:
    with pytest.raises(PenchantError, match=r"'kl': takes no network and no input; routing does"):
        explain("kl", network=nn.Linear(1, 1), input=(1,))


def test_networks_with_several_inputs_and_tensors_of_ones_own() -> None:
    told = pn.explain("routing", network=nn.Bilinear(2, 3, 1), input=[(2,), (3,)])
    assert [line[0] for line in told.table.rows] == ["bilinear", "input 1", "input 0"]
    words = torch.tensor([[1, 0]])
    told = pn.explain("routing", network=nn.Embedding(3, 2), input=words)
    assert "Embedding" in told.title


@pytest.fixture(scope="session")
def shown(explained: Callable[[str], Explanation]) -> Explanation:
    return explained("routing")


def test_the_printed_table(shown: Explanation, golden: Callable[[str, str], None]) -> None:
    # How far rounding takes central differences depends on the machine.
    golden("routing.txt", re.sub(r"\de−\d+", "…", text(shown, width=80)))


def test_the_table_has_what_the_notes_say(shown: Explanation) -> None:
    for _, _, _, by_hand, theirs, moved, split in shown.table.rows:
        assert by_hand == theirs == moved
        assert float(split.replace("−", "-")) == pytest.approx(float(by_hand.replace("−", "-")) / 4)
    assert [line[3] for line in shown.table.rows[:4]] == ["2.000"] * 4


def test_moving_addends_is_predicted_by_whole_gradients(shown: Explanation) -> None:
    (table,) = next(s for s in shown.sections if "divided" in s.heading).tables
    assert len(table.rows) == 4
    for _, changed, whole, split in table.rows:
        assert changed == whole != split


def test_a_page_of_ones_own_network_is_drawn(shown: Explanation) -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.narrow = nn.Linear(3, 12), nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.narrow(torch.relu(self.wide(x)))

    told = explain("routing", network=Skip(), input=(3,))
    (figure,) = told.sections[0].figures
    assert "12 units, length" in figure.svg
    assert "goes past the steps between" in figure.caption
    assert told.sections[0].heading == "The backward pass"
    assert [line[0] for line in told.table.rows] == ["add", "narrow", "relu", "wide", "input"]
    arrows = told.sections[1].tables[1].rows  # the rest are between blocks
    assert {line[:4] for line in arrows} == {
        ("add, " + str(i), f"{lower}, {i}", "1", "1")
        for i in range(3)
        for lower in ("narrow linear", "input")
    }
    assert len(arrows) == 6


def test_drawings_escape_names() -> None:
    rows = [Row("<b>", "<i>", (1.0,), (1.0,)), Row("input", "", (1.0,), (1.0,))]
    svg = drawing("x", '"><script>', rows, [Edge((0, 0), (1, 0), 1.0, 0)], ["<u> = 1"])
    assert not re.search(r"<(b|i|u|script)>", svg)
