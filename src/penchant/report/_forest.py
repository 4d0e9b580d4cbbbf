"""Differences with their intervals, one below the other, the margin shaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from penchant.pages import ACCENT, INK, LETTER, MUTED, WIDTH, ZONE, number
from penchant.report import _words as words
from penchant.report._frame import frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_USUAL = 5.0
_FEWEST_FOR_USUAL = 4
"""From so many rows, one that reaches further than so many times the median is cut."""
RIGHT = 24.0
"""Room for the verdicts' signs."""


@dataclass(frozen=True)
class Row:
    """One difference and what was decided of it."""

    name: str
    difference: float
    interval: tuple[float, float]
    verdict: str


def short(label: str, letters: int = 26) -> str:
    """A label that fits; its end is kept, since long labels often differ only there."""
    half = letters // 2
    return label if len(label) <= letters else f"{label[: letters - half]}…{label[1 - half :]}"


def reach(rows: Sequence[Row], margin: float) -> tuple[float, float]:
    """Limits that show zero, every usual dot and interval; what is far beyond others is cut."""
    extents = [max(map(abs, _known(row))) for row in rows]
    usual = _USUAL * float(np.median(extents)) if len(rows) >= _FEWEST_FOR_USUAL else np.inf
    shown = [row for row in rows if abs(row.difference) <= usual]
    centre = [row.difference for row in shown]
    ends = [end for row in shown for end in row.interval if np.isfinite(end)]
    far = 2.5 * max(max(map(abs, centre), default=0.0), margin, 1e-9)
    values = [*centre, *ends, -margin, margin, 0.0]
    low, high = max(min(values), -far), min(max(values), far)
    pad = 0.04 * (high - low)
    return low - pad, high + pad


def _known(row: Row) -> list[float]:
    return [row.difference, *(end for end in row.interval if np.isfinite(end))]


def beyond(row: Row, limits: tuple[float, float]) -> tuple[float, str]:
    """Which end of the axis a difference lies beyond, and its number; nan where it is within."""
    end = max(limits[0], min(limits[1], row.difference))
    if end == row.difference:
        return np.nan, ""
    return end, number(row.difference, 0 if abs(row.difference) >= 10 else 1, signed=True)


def forest(
    rows: Sequence[Row], margin: float, limits: tuple[float, float]
) -> tuple["Figure", "Axes", float]:
    """Draw a row for each difference, its name to the left and its verdict's sign to the right.

    Args:
        rows: from top to bottom.
        margin: the difference that matters; 0 where there is none.
        limits: of the horizontal axis.

    Returns:
        The figure, its axes, and where these begin, in CSS pixels.
    """
    left = min(0.42 * WIDTH, 12 + LETTER * max(len(short(row.name)) for row in rows))
    drawn, axes = frame(44.0 + 24 * len(rows), sides=(left, RIGHT), ends=(6, 34), grid=False)
    if margin:
        axes.axvspan(-margin, margin, color=ZONE, linewidth=0)
    axes.axvline(0, color=MUTED, linewidth=1)
    for y, row in enumerate(rows):
        end, said = beyond(row, limits)
        if said:
            left_of = end == limits[0]
            end += 0.02 * (limits[1] - limits[0]) * (1 if left_of else -1)
            axes.plot(end, y, "<" if left_of else ">", color=ACCENT, markersize=6, clip_on=False)
            axes.annotate(
                said,
                (end, y),
                (8 if left_of else -8, 0),
                textcoords="offset points",
                ha="left" if left_of else "right",
                va="center",
                color=INK,
            )
        elif np.isfinite(row.interval).all():
            axes.plot(row.interval, (y, y), color=ACCENT, linewidth=2, solid_capstyle="butt")
            axes.plot(row.interval, (y, y), "|", color=ACCENT, markersize=7)
        if not said:
            axes.plot(row.difference, y, "o", color=ACCENT, markersize=6.5)
        sign, place = words.SYMBOLS[row.verdict], axes.get_yaxis_transform()
        axes.text(1.02, y, sign, transform=place, va="center", color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(limits)
    axes.locator_params(axis="x", nbins=6)
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([short(row.name) for row in rows], color=INK)
    return drawn, axes, left
