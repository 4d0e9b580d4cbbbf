"""The figures of the claims on shared parameters, drawn from their evidence alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from penchant.claims._claim import Evidence
from penchant.claims._figures import intervals
from penchant.explain import Figure, Line, chart
from penchant.pages import (
    ACCENT,
    INK,
    MUTED,
    RULE,
    SERIES,
    WIDTH,
    ZONE,
    counted,
    figure,
    number,
    page_style,
    quiet,
    svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Found = Mapping[str, Evidence]

_NAMES = 66.0
"""Room for the layers' names, in CSS pixels."""


def scan_equals_conv(found: Found) -> Figure | None:
    """Draw the example: places of each layer, a colour for each filter, and what feeds them."""
    if "outputs" not in found:
        return None
    layers, inputs = found["outputs"]["layers"], found["outputs"]["inputs"]
    title = "One window of 8 samples: units of one colour in a layer share their parameters"
    with page_style():
        height = 240.0
        drawn = figure(height=height)
        axes = _empty(drawn.add_axes((0, 0, 1, 1)), height)
        step = (WIDTH - _NAMES) / inputs
        below = [_NAMES + step * (i + 0.5) for i in range(inputs)]
        level = 22.0
        axes.plot(below, [level] * inputs, "s", color=MUTED, markersize=7)
        axes.text(0, level, f"{inputs} inputs", va="center", color=INK)
        for depth, (filters, width, stride) in enumerate(layers):
            groups = [
                below[first : first + width] for first in range(0, len(below) - width + 1, stride)
            ]
            level += 66
            for group in groups:
                x = float(np.mean(group))
                for under in group:
                    axes.plot((under, x), (level - 58, level - 8), color=RULE, linewidth=1.2)
                for one in range(filters):
                    colour = SERIES[(one + 2 * depth) % len(SERIES)]
                    axes.plot(x + 12 * (one - (filters - 1) / 2), level, "o", color=colour)
            words = f"{counted(filters, 'filter')},\n{counted(len(groups), 'place')}"
            axes.text(0, level, words, va="center", color=INK)
            below = [float(np.mean(group)) for group in groups]
        return Figure(
            title,
            svg(drawn, "claim-scan-equals-conv", title),
            "As a CNN: 4, 3 and 2 filters of kernel width 2 and stride 2. The next window has the "
            "same units with the same parameters.",
        )


def scan_parameters(found: Found) -> Figure | None:
    """Draw the example's three counts."""
    if "counts" not in found:
        return None
    example = found["counts"]["example"]
    title = "Parameters of the 4-3-2 example"
    with page_style():
        height = 130.0
        drawn = figure(height=height)
        axes = drawn.add_axes((74 / WIDTH, 8 / height, 1 - 120 / WIDTH, 1 - 16 / height))
        quiet(axes)
        axes.spines["bottom"].set_visible(False)
        names = ("dense", "unshared", "shared")
        for row, name in enumerate(names):
            axes.barh(row, example[name], height=0.55, color=ACCENT)
            axes.text(example[name] + 4, row, str(example[name]), va="center", color=INK)
        axes.set_yticks(range(3), names, color=INK)
        axes.set_xticks([])
        axes.set_ylim(2.6, -0.6)
        axes.set_xlim(0, 1.02 * max(example.values()))
        return Figure(
            title,
            svg(drawn, "claim-scan-parameters", title),
            "Dense: every unit sees the whole layer below. Unshared: it sees its two places. "
            "Shared: at every place the same weights and biases, counted once.",
        )


def tdnn(found: Found) -> Figure | None:
    """Draw what is lost without sharing where words come at another time."""
    if "shifted" not in found:
        return None
    return intervals(
        found["shifted"],
        name="claim-tdnn",
        title="Accuracy on moved recordings, against weights that are shared over time",
        caption="At equal parameters. Nobody was trained on recordings that begin at another "
        "time. Shaded: a difference that does not matter.",
        metric="accuracy_shifted_held_out",
    )


def gradient_routing(found: Found) -> Figure | None:
    """Draw four lower filters, the sum above, and the gradient on every way down."""
    if "weights" not in found:
        return None
    example = found["weights"]["example"]
    title = "Backward from one filter to the four below it"
    with page_style():
        height = 230.0
        drawn = figure(height=height)
        axes = _empty(drawn.add_axes((0, 0, 1, 1)), height)
        top = (WIDTH / 2, height - 42)
        _disc(axes, top, "+")
        upstream = f"upstream gradient {number(example['upstream'], 1)}"
        axes.text(top[0], height - 12, upstream, ha="center", va="center", color=ACCENT)
        rows = zip(
            example["weights"], example["at_the_sum"], example["at_the_filters"], strict=True
        )
        for index, (weight, arrived, received) in enumerate(rows):
            x = WIDTH * (index + 0.5) / 4
            axes.plot((top[0], x), (top[1] - 15, 128), color=ACCENT, linewidth=1.4)
            axes.plot((x, x), (104, 64), color=ACCENT, linewidth=1.4)
            axes.text(x, 116, number(arrived, 1), ha="center", va="center", color=ACCENT)
            by = f"×\N{NO-BREAK SPACE}{number(weight, 2)}"
            axes.text(x - 6, 85, by, ha="right", va="center", color=INK)
            _disc(axes, (x, 48), str(index + 1))
            axes.text(x, 18, number(received, 1), ha="center", va="center", color=ACCENT)
        return Figure(
            title,
            svg(drawn, "claim-gradient-routing", title),
            "What autograd gives. The sum hands its whole gradient to each of the four, split "
            "among none; then each way's own weight multiplies it.",
        )


def output_shape(found: Found) -> Figure | None:
    """Draw the output's length over the input's: torch's, and the formula without rounding."""
    if "formula" not in found:
        return None
    stairs = found["formula"]["stairs"]
    x = np.array(stairs["input"], dtype=float)
    return Figure(
        "Output length of a convolution of kernel 3, stride 2, padding 1",
        chart(
            "claim-output-shape",
            "Two lines over the input's length: a straight one, and torch's, which meets it at "
            "every other length and lies half a sample below in between.",
            [
                Line("torch's layer", x, np.array(stairs["torch"], dtype=float)),
                Line("not rounded", x, np.array(stairs["unrounded"])),
            ],
            against="input length",
            limits=(0.0, 9.0),
        ),
        "They meet where the stride divides; elsewhere the quotient is rounded down.",
    )


def _empty(axes: "Axes", height: float) -> "Axes":
    """Axes in CSS pixels, with nothing on them."""
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, height)
    return axes


def _disc(axes: "Axes", place: tuple[float, float], words: str) -> None:
    axes.plot(*place, "o", markersize=22, markerfacecolor=ZONE, markeredgecolor=MUTED)
    axes.text(*place, words, ha="center", va="center", color=INK)
