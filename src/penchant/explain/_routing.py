"""Gradient routing: which gradient arrives where, in the notes' case and in a network of one's own.

The notes say: "If 4 filters in the lower layer feed 1 filter above, then the gradient at the higher
filter will be equally rerouted (not split!) amongst the 4 lower layer filters."
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.explain._explanation import Explanation, Figure, Section, Table
from penchant.explain._routing_backward import autograd, route, slope
from penchant.explain._routing_drawing import drawing, short
from penchant.explain._routing_examples import (
    LOWER,
    PLACES,
    SIGNAL,
    UPSTREAM,
    WEIGHTS,
    FourIntoOne,
    Gate,
    Largest,
    Product,
    SharedFilter,
    Sum,
    Weighted,
    row,
)
from penchant.explain._routing_own import SOURCES, legend, routed_network, shared_table, size
from penchant.explain._routing_picture import Picture, chosen
from penchant.explain._routing_trace import trace
from penchant.pages import number

MOVED = 0.001
"""By how much the addends are moved to see what the loss does."""


def routing(
    network: nn.Module | str | None = None,
    input: Sequence[int] | Tensor | Sequence[Sequence[int] | Tensor] | None = None,
) -> Explanation:
    """Explain gradient routing.

    Args:
        network: whose backward pass is drawn; without one, the notes' case.
        input: what goes into it.
    """
    if network is not None:
        return routed_network(network, input)
    if input is not None:
        raise PenchantError(
            "explain routing: input without a network; name one, such as mine.py:Net"
        )
    pictures = {
        maker.__name__: backward(maker(), row(values))
        for maker, values in (
            (Sum, LOWER),
            (Weighted, LOWER),
            (Product, (3.0, -0.5)),
            (Gate, (1.5, -1.0, 0.5, -2.0)),
            (Largest, LOWER),
        )
    }
    pictures["SharedFilter"] = backward(SharedFilter(), row(SIGNAL)[None])
    pictures["FourIntoOne"] = backward(FourIntoOne(), row((1.0, -1.0, 0.5, 2.0))[None])
    largest = max(shown.routed.difference for shown in pictures.values())
    moved = max(
        shown.check(i).difference for shown in pictures.values() for i in range(len(shown.rows))
    )
    return Explanation(
        topic="routing",
        title="Gradient routing: rerouted, not split",
        summary=(
            "A sum hands its upstream gradient whole to each addend; four filters that feed one do "
            "not get a quarter each. Behind a weight each gets the whole gradient times its own "
            "weight, and a shared weight sums over the places that use it. The largest difference "
            f"of all numbers here from autograd is {size(largest)}, from central differences "
            f"{size(moved)}."
        ),
        table=_table(pictures),
        sections=(
            _sum(pictures["Sum"]),
            _split(),
            _weights(pictures["Weighted"]),
            _shared(pictures["SharedFilter"]),
            _gates(pictures),
            _four_into_one(pictures["FourIntoOne"]),
        ),
        sources=SOURCES,
    )


def backward(network: nn.Module, at: Tensor) -> Picture:
    """The backward pass of a small network, ready to be drawn."""
    traced = trace(network, [at])
    return Picture(route(traced), chosen(traced, type(network).__name__))


def _table(pictures: dict[str, Picture]) -> Table:
    rows = []
    for name, case in (("Sum", "sum"), ("Weighted", "weights")):
        shown = pictures[name]
        by_filter = {edge.lower[1]: edge.slope for edge in shown.edges if edge.lower[0] == 2}
        for i, gradient in enumerate(shown.rows[2].gradients):
            theirs, moved = _checked(shown, shown.numbers[2], i)
            rows.append(
                (
                    case,
                    f"filter {i + 1}",
                    "×" + short(by_filter[i] or 0.0),
                    number(gradient, 3),
                    number(theirs, 3),
                    number(moved, 3),
                    number(gradient / len(LOWER), 3),
                )
            )
    for i, one in enumerate(pictures["SharedFilter"].shared):
        rows.append(
            (
                "shared",
                f"w{'₁₂'[i]}",
                f"{len(one.places)} places",
                number(one.routed, 3),
                number(one.autograd, 3),
                number(float("nan") if one.moved is None else one.moved, 3),
                number(one.routed / len(one.places), 3),
            )
        )
    return Table(
        ("case", "arrives at", "slope", "routed", "autograd", "by moving", "if split"),
        tuple(rows),
        f"Upstream, at the one filter above, is {UPSTREAM:g}; the shared weight’s four places have "
        f"{', '.join(short(p) for p in PLACES)}. Moving: the output’s change when this number "
        "alone is moved, per unit. The last column is what is not so.",
    )


def _checked(shown: Picture, at: int, unit: int) -> tuple[float, float]:
    """Autograd's gradient of one unit, and its slope by central differences."""
    node = shown.routed.trace.nodes[at]
    direction = torch.zeros_like(node.value, requires_grad=False)
    direction.flatten()[unit] = 1
    moved = slope(shown.routed, at, direction)
    return float(autograd(node).flatten()[unit]), float("nan") if moved is None else moved


def _figure(name: str, title: str, alt: str, shown: Picture, caption: str) -> Figure:
    return Figure(
        title,
        drawing(f"routing-{name}", alt, shown.rows, shown.edges, legend(shown)),
        caption,
    )


def _sum(shown: Picture) -> Section:
    return Section(
        "A sum reroutes",
        (
            "Four lower filters feed one above by a plain sum. The sum’s slope by each addend is "
            f"1, so the upstream gradient, {UPSTREAM:g}, arrives at each of the four: the same "
            "number four times, whole.",
        ),
        (
            _figure(
                "sum",
                "Four addends, one sum",
                "A box above, a sum below it, four addends at the bottom; each of the four has "
                "the gradient that the sum has.",
                shown,
                "In each box: the value above, the upstream gradient in colour below. Arrows go "
                "the way of the gradient; their number is the slope.",
            ),
        ),
    )


def _split() -> Section:
    network, at = Sum(), row(LOWER)
    before = float(network(at))
    rows = []
    for count in range(1, len(LOWER) + 1):
        move = torch.zeros_like(at)
        move[0, :count] = MOVED
        change = float(network(at + move)) - before
        rows.append(
            (
                str(count),
                number(change, 4, signed=True),
                number(UPSTREAM * count * MOVED, 4, signed=True),
                number(UPSTREAM / len(LOWER) * count * MOVED, 4, signed=True),
            )
        )
    return Section(
        "Why it is not divided by four",
        (
            "One might expect that a gradient is shared out, like money. But a gradient is a rate, "
            "not an amount: it says by how much the loss changes when this one number is moved "
            "and all others stay. Each addend moves the sum by as much as it moves itself, however "
            "many others there are.",
            f"Try it: add {MOVED:g} to one addend, to two, to all. Predict the loss’s change by "
            "gradient times movement, summed. Whole gradients predict it; quarters do not.",
            "A mean does divide, and by the same rule: its weights are 1/4.",
        ),
        tables=(
            Table(
                ("addends moved", "the loss changes by", "whole predicts", "split predicts"),
                tuple(rows),
            ),
        ),
    )


def _weights(shown: Picture) -> Section:
    arrives = ", ".join(short(gradient) for gradient in shown.rows[2].gradients)
    return Section(
        "A weight scales",
        (
            "A filter above multiplies each lower one by a weight before it adds. Each still gets "
            f"the whole upstream gradient, times its own weight: with g = {UPSTREAM:g} and weights "
            f"{', '.join(short(weight) for weight in WEIGHTS)}, wᵢ·g is {arrives}. So “equally” "
            "holds for the addends, which are weight times filter; what the filter itself gets "
            "depends on its weight.",
        ),
        (
            _figure(
                "weights",
                "Four filters behind weights",
                "A box above, a weighted sum below it, four filters at the bottom; each has the "
                "upstream gradient times the number on its arrow.",
                shown,
                "An arrow’s number is the weight.",
            ),
        ),
    )


def _shared(shown: Picture) -> Section:
    first, second = shown.shared
    return Section(
        "A shared weight sums over its places",
        (
            "A filter of width 2 slides over five inputs and so has four places. What counts above "
            f"differs from place to place, so upstream is {', '.join(short(p) for p in PLACES)}. "
            "At each place a weight’s gradient is upstream times the input that it met there; the "
            f"weight’s own gradient is their sum: {short(first.routed)} and "
            f"{short(second.routed)}. It is not their mean.",
            "The inputs show the same rule from below: those in the middle feed two places, and "
            "their gradient is the sum of what comes back from both.",
        ),
        (
            _figure(
                "shared",
                "One filter at four places",
                "Four places in a row above five inputs; two arrows go down from each place, in "
                "the colours of the filter’s two weights.",
                shown,
                "Arrows of one colour are one weight.",
            ),
        ),
        (shared_table(shown.shared),),
    )


def _gates(pictures: dict[str, Picture]) -> Section:
    return Section(
        "Gates and products",
        (
            "Other steps keep to the same rule with slopes of their own. A ReLU’s slope is 1 where "
            "it is open and 0 where it is shut, so a shut one stops the gradient. A maximum is "
            "open for the largest alone. A product’s slope by one factor is the other factor, so "
            "each gets the upstream gradient times the other.",
        ),
        (
            _figure(
                "gate",
                "ReLUs before a sum",
                "Four inputs pass through ReLUs into a sum; the negative ones get no gradient.",
                pictures["Gate"],
                "Dotted: shut, a slope of 0.",
            ),
            _figure(
                "largest",
                "A maximum",
                "Of four inputs the largest alone gets the gradient.",
                pictures["Largest"],
                "Here the gradient is neither rerouted to all nor split.",
            ),
            _figure(
                "product",
                "A product",
                "Two inputs are multiplied; each gets upstream times the other.",
                pictures["Product"],
                "The numbers on the arrows are the other factor.",
            ),
        ),
    )


def _four_into_one(shown: Picture) -> Section:
    places = len(shown.rows[1].values) // 4
    rows = []
    for i, gradient in enumerate(shown.rows[1].gradients):
        weight = next(edge.slope for edge in shown.edges if edge.lower == (1, i))
        theirs, moved = _checked(shown, shown.numbers[1], i)
        rows.append(
            (
                f"filter {i // places + 1}, place {i % places + 1}",
                short(weight or 0.0),
                *(number(v, 3) for v in (shown.rows[0].gradients[0], gradient, theirs, moved)),
            )
        )
    return Section(
        "All at once: four filters feed one",
        (
            "The notes’ layers: four filters of width 2 and stride 2, and above them one more of "
            "that kind. The filter above has a weight for each lower filter and place, and each "
            "gets the whole upstream gradient times that weight. The lower filters are used at two "
            "places each, so their own weights sum over two.",
        ),
        (
            _figure(
                "four",
                "Convolutions, unit by unit",
                "One box above eight, which are four filters at two places each, above four "
                "inputs; arrows of one colour are one weight of a lower filter.",
                shown,
                "The middle row is filter by filter, two places each.",
            ),
        ),
        (
            Table(
                ("lower", "weight above", "upstream", "routed", "autograd", "by moving"),
                tuple(rows),
            ),
            shared_table(shown.shared, "The lower filters’ weights."),
        ),
    )
