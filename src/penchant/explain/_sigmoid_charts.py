"""The charts of `explain sigmoid` that are more than lines over a common axis."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from penchant.pages import (
    DASHES,
    LETTER,
    MUTED,
    RULE,
    SERIES,
    WIDTH,
    figure,
    label_ends,
    page_style,
    quiet,
    svg,
)
from penchant.tasks import Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT, _LEFT, _BELOW, _ABOVE = 240.0, 42.0, 36.0, 12.0
_MARKERS = ("o", "s", "D")
LEAST = 10
"""Predictions in a bin that is shown: of fewer, the share that comes true is mostly chance."""


def _axes(names: Sequence[str]) -> tuple["Figure", "Axes"]:
    right = 16 + LETTER * max(map(len, names))
    sheet = figure(height=_HEIGHT)
    place = (_LEFT / WIDTH, _BELOW / _HEIGHT, 1 - (_LEFT + right) / WIDTH)
    axes = sheet.add_axes((*place, 1 - (_BELOW + _ABOVE) / _HEIGHT))
    quiet(axes, grid=True)
    return sheet, axes


@page_style()
def distances(
    name: str,
    alt: str,
    sizes: Sequence[int],
    lines: Mapping[str, Float[np.ndarray, "sizes seeds"]],
    limits: tuple[float, float],
) -> Markup:
    """Draw how far learners are from the truth as data grows, both on logarithmic axes.

    Args:
        name: unique on the page.
        alt: what the chart shows, for those who do not see it.
        sizes: samples trained on.
        lines: a learner's distances; the line is their mean, the band reaches over all seeds.
        limits: lowest and highest distance that are shown.
    """
    sheet, axes = _axes(list(lines))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(limits)
    axes.set_xlim(sizes[0], sizes[-1])
    axes.minorticks_off()
    ticks = [tick for tick in (0.003, 0.01, 0.03, 0.1, 0.3) if limits[0] <= tick <= limits[1]]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ends = []
    for i, (line, values) in enumerate(lines.items()):
        low, mean, high = values.min(axis=1), values.mean(axis=1), values.max(axis=1)
        axes.fill_between(sizes, low, high, color=SERIES[i], alpha=0.14, linewidth=0)
        axes.plot(
            sizes,
            mean,
            color=SERIES[i],
            linewidth=1.8,
            linestyle=DASHES[i],
            marker=_MARKERS[i],
            markersize=4,
            clip_on=False,
        )
        ends.append((float(sizes[-1]), float(mean[-1]), line, SERIES[i]))
    _label_log_ends(axes, ends)
    axes.set_xlabel("samples trained on", color=MUTED)
    return svg(sheet, name, alt)


def _label_log_ends(axes: "Axes", ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Name lines on a logarithmic axis, through a linear one that lies over it."""
    twin = axes.twinx()
    twin.set_axis_off()
    twin.set_ylim(*(math.log10(limit) for limit in axes.get_ylim()))
    linear = [(x, math.log10(y), name, colour) for x, y, name, colour in ends]
    label_ends(twin, linear, _HEIGHT - _BELOW - _ABOVE)


@page_style()
def diagram(name: str, alt: str, lines: Mapping[str, Reliability], chance: str) -> Markup:
    """Draw how often what is said to happen does happen; honest probabilities are the diagonal.

    Args:
        name: unique on the page.
        alt: what the chart shows, for those who do not see it.
        lines: reliability by what it is of; bins of fewer than `LEAST` predictions are left out.
        chance: what x is.
    """
    sheet, axes = _axes(list(lines))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.plot((0, 1), (0, 1), color=RULE, linewidth=1.2)
    ends = []
    for i, (line, found) in enumerate(lines.items()):
        shown = found.count >= LEAST
        x, y = found.confidence[shown], found.accuracy[shown]
        axes.plot(
            x,
            y,
            color=SERIES[i],
            linewidth=1.5,
            linestyle=DASHES[i],
            marker=_MARKERS[i],
            markersize=4.5,
            clip_on=False,
        )
        ends.append((float(x[-1]), float(y[-1]), line, SERIES[i]))
    label_ends(axes, ends, _HEIGHT - _BELOW - _ABOVE)
    axes.set_xlabel(chance, color=MUTED)
    return svg(sheet, name, alt)
