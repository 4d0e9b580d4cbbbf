"""Lines with names at their ends, and marked points: the chart that most explanations need."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from penchant.pages import (
    DASHES,
    INK,
    LETTER,
    MUTED,
    SERIES,
    WIDTH,
    figure,
    label_ends,
    page_style,
    quiet,
    svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _BELOW, _ABOVE = 38.0, 36.0, 12.0


@dataclass(frozen=True)
class Line:
    """A named line; it may leave the chart. All lines of a chart have the same x."""

    name: str
    x: Float[np.ndarray, " points"]
    y: Float[np.ndarray, " points"]


@dataclass(frozen=True)
class Point:
    """A marked place, with words beside it.

    `line` is the index of the line whose colour it has; `shift` moves the words, in CSS pixels to
    the right and up, and `align` says which end of them stands there.
    """

    x: float
    y: float
    words: str
    line: int
    shift: tuple[float, float] = (7.0, 7.0)
    align: str = "left"


@page_style()
def chart(
    name: str,
    alt: str,
    drawn: Sequence[Line],
    points: Sequence[Point] = (),
    *,
    against: str,
    limits: tuple[float, float],
    powers: bool = False,
) -> Markup:
    """Draw lines over a common axis.

    Args:
        name: unique on the page.
        alt: what the chart shows, for those who do not see it.
        drawn: the lines, each with a colour and a dash of its own.
        points: marked places.
        against: what x is.
        limits: lowest and highest y that are shown.
        powers: y is a logarithm to base 10, and its axis names what it is the logarithm of.
    """
    height = 240.0
    right = 16 + LETTER * max(len(line.name) for line in drawn)
    sheet = figure(height=height)
    inner = height - _BELOW - _ABOVE
    axes = sheet.add_axes(
        (_LEFT / WIDTH, _BELOW / height, 1 - (_LEFT + right) / WIDTH, inner / height)
    )
    quiet(axes, grid=True)
    axes.set_ylim(limits)
    axes.set_xlim(round(drawn[0].x[0], 1), round(drawn[0].x[-1], 1))
    if powers:
        exponents = range(math.ceil(limits[0]), math.floor(limits[1]) + 1)
        axes.set_yticks(exponents, [_power(exponent) for exponent in exponents])
    elif limits[0] < 0 < limits[1]:
        axes.axhline(0, color=MUTED, linewidth=0.8)
    for i, line in enumerate(drawn):
        axes.plot(line.x, line.y, color=SERIES[i], linewidth=1.8, linestyle=DASHES[i])
    for point in points:
        axes.plot(point.x, point.y, "o", color=SERIES[point.line], markersize=6, clip_on=False)
        axes.annotate(
            point.words,
            (point.x, point.y),
            xytext=point.shift,
            textcoords="offset points",
            ha=point.align,
            va="center",
            color=INK,
        )
    label_ends(axes, _name_leavers(axes, drawn, limits), inner)
    axes.set_xlabel(against, color=MUTED)
    return svg(sheet, name, alt)


def _power(exponent: int) -> str:
    """A power of ten as one writes it: 0.01, but 10⁻⁵."""
    if abs(exponent) <= 3:
        return f"{10.0**exponent:g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _name_leavers(
    axes: "Axes", drawn: Sequence[Line], limits: tuple[float, float]
) -> list[tuple[float, float, str, str]]:
    """Name lines where they leave the chart; return the ends of those that stay."""
    ends = []
    for i, line in enumerate(drawn):
        last = int(np.flatnonzero((line.y >= limits[0]) & (line.y <= limits[1]))[-1])
        x, y = float(line.x[last]), float(line.y[last])
        if last == len(line.x) - 1:
            ends.append((x, y, line.name, SERIES[i]))
        else:
            down = y > sum(limits) / 2
            axes.annotate(
                line.name,
                (x, y),
                xytext=(8, -6 if down else 6),
                textcoords="offset points",
                va="center",
                color=SERIES[i],
            )
    return ends
