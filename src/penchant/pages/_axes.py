"""Axes that leave the page its calm: no box, no ticks, names beside their lines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penchant.pages._svg import FONT_SIZE, MUTED, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def quiet(axes: "Axes", *, grid: bool = False) -> None:
    """Take away all of an axes' lines but the lower one.

    Args:
        axes: where the chart is drawn.
        grid: draw thin horizontal lines at the ticks.
    """
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(RULE)
    axes.tick_params(length=0, labelcolor=MUTED, pad=4)
    if grid:
        axes.grid(axis="y", color=RULE, linewidth=0.7)
        axes.set_axisbelow(True)


def label_ends(axes: "Axes", ends: Sequence[tuple[float, float, str, str]], height: float) -> None:
    """Write each line's name beside its end, to the right of the axes; none touches another.

    Args:
        axes: where the lines are; its limits are final.
        ends: each line's last x and y, its name, and its colour.
        height: of the axes, in CSS pixels.
    """
    gap = 1.25 * FONT_SIZE / height
    order = sorted(ends, key=lambda end: end[1])
    scaled = axes.transScale + axes.transLimits  # to fractions of the axes, whatever the scale
    heights = [float(scaled.transform((x, y))[1]) for x, y, _, _ in order]
    places = apart(heights, gap, 0.0, 1.0)
    for (x, y, name, colour), place in zip(order, places, strict=True):
        axes.annotate(
            name,
            (x, y),
            xytext=(1.03, place),
            textcoords=axes.transAxes,
            va="center",
            color=colour,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkB": 0},
        )


def apart(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move ascending values as little as needed to stand at least `gap` apart in [low, high].

    Example:
        >>> apart([1.0, 1.1, 3.0], gap=0.5, low=0.0, high=3.0)
        [1.0, 1.5, 3.0]
    """
    places = list(values)
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    ceiling = max(high, low + gap * (len(places) - 1))
    for i in reversed(range(len(places))):
        places[i] = min(places[i], ceiling)
        ceiling = places[i] - gap
    return places
