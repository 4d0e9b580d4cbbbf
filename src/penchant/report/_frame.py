"""The one frame in which every chart of a study is drawn: a figure, quiet axes, a legend above."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from penchant.pages import (
    FONT_SIZE,
    INK,
    LETTER,
    MUTED,
    WIDTH,
    figure,
    page_style,
    quiet,
    svg,
)
from penchant.report._layout import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 230.0
"""Width of one of several charts, in CSS pixels."""
_LINE = 1.5 * FONT_SIZE
_SAMPLE = 28.0
"""Length of a legend's sample line."""
_TICK_SPAN = 6
"""Powers of ten that a logarithmic axis names at most."""
_FEW_DECADES = 2.2
"""An axis that spans no more has ticks between the powers of ten."""


def frame(
    height: float,
    *,
    width: float = WIDTH,
    sides: tuple[float, float] = (34.0, 18.0),
    ends: tuple[float, float] = (12.0, 36.0),
    legend: Sequence[tuple[str, Style]] = (),
    grid: bool = True,
) -> tuple["Figure", "Axes"]:
    """Make a figure with quiet axes.

    Args:
        height: of the figure without its legend, in CSS pixels.
        width: of the figure.
        sides: room left and right of the axes.
        ends: room above and below the axes.
        legend: names with their lines, set above the axes in as many rows as they take.
        grid: draw thin horizontal lines at the ticks.
    """
    rows = _rows(legend, width)
    above = ends[0] + _LINE * len(rows)
    whole = height + _LINE * len(rows)
    drawn = figure(width, whole)
    box = (
        sides[0] / width,
        ends[1] / whole,
        1 - sum(sides) / width,
        1 - (above + ends[1]) / whole,
    )
    axes = drawn.add_axes(box)
    quiet(axes, grid=grid)
    for i, row in enumerate(rows):
        y = 1 - (0.6 * _LINE + i * _LINE) / whole
        for x, name, style in row:
            _sample(drawn, x / width, y, _SAMPLE / width, style)
            drawn.text((x + _SAMPLE + 5) / width, y, name, va="center_baseline", color=INK)
    return drawn, axes


@page_style()
def legend(styles: Sequence[Style], name: str) -> list[tuple[str, Markup]]:
    """Name the lines of many small charts once: each name with a picture of its line.

    Args:
        styles: of the lines; those of one name look alike.
        name: unique on the page.
    """
    found = []
    for i, style in enumerate({style.name: style for style in styles}.values()):
        drawn = figure(_SAMPLE, _LINE)
        _sample(drawn, 0, 0.5, 1, style)
        found.append((style.name, svg(drawn, f"{name}-{i}", f"line of {style.name}")))
    return found


def _rows(
    legend: Sequence[tuple[str, Style]], width: float
) -> list[list[tuple[float, str, Style]]]:
    """Where each name of the legend begins, row by row."""
    rows: list[list[tuple[float, str, Style]]] = []
    x = width
    for name, style in legend:
        taken = _SAMPLE + 5 + LETTER * len(name) + 12
        if x + taken > width + 12 or not rows:
            rows.append([])
            x = 2.0
        rows[-1].append((x, name, style))
        x += taken
    return rows


def _sample(drawn: "Figure", x: float, y: float, length: float, style: Style) -> None:
    from matplotlib.lines import Line2D

    drawn.add_artist(
        Line2D(
            (x, x + length / 2, x + length),
            (y, y, y),
            color=style.colour,
            linestyle=style.dash,
            linewidth=1.8,
            marker=style.marker,
            markersize=4,
            markevery=[1],
        )
    )


def draw(
    axes: "Axes",
    style: Style,
    x: np.ndarray,
    mean: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    start: int = 0,
) -> None:
    """Draw a line with its band.

    Args:
        axes: where.
        style: colour, dash and marker.
        x: where the line has points.
        mean: the line.
        low: the band's lower edge.
        high: the band's upper edge.
        start: the first point that has a marker, so that lines' markers do not meet.
    """
    axes.fill_between(x, low, high, color=style.colour, alpha=0.14, linewidth=0)
    axes.plot(
        x,
        mean,
        color=style.colour,
        linewidth=1.8,
        linestyle=style.dash,
        marker=style.marker,
        markersize=4,
        markevery=(start % len(x), max(1, len(x) // 5)),
        clip_on=False,
    )


def decades(axes: "Axes", low: float, high: float) -> None:
    """Make the vertical axis logarithmic, with a few powers of ten named."""
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_ylim(low, high)
    first, last = int(np.ceil(np.log10(low) - 1e-9)), int(np.floor(np.log10(high) + 1e-9))
    if high / low > 10.0**_FEW_DECADES:
        step = max(1, -(-(last - first) // _TICK_SPAN))
        exponents = range(first, last + 1, step)
        axes.set_yticks([10.0**e for e in exponents])
        axes.set_yticklabels([power(e) for e in exponents])
        return
    between = (1, 2, 5) if high / low > 2 else range(1, 10)
    ticks = [step * 10.0**e for e in range(first - 1, last + 1) for step in between]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.set_yticks(ticks)
    axes.set_yticklabels([f"{tick:.3g}" for tick in ticks])


def power(exponent: int) -> str:
    """A power of ten, written out where it is short.

    Example:
        >>> power(-2), power(0), power(-7)
        ('0.01', '1', '10⁻⁷')
    """
    if -3 <= exponent <= 3:
        return f"{10.0**exponent:g}"
    digits = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return "10" + str(exponent).translate(digits)


def percent(axes: "Axes") -> None:
    """Write the vertical axis' numbers with a percent sign."""
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %".replace("-", "−"))


def title(axes: "Axes", text: str) -> None:
    """Say what the horizontal axis is."""
    axes.set_xlabel(text, color=MUTED)
