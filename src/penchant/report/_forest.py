"""Differences with their intervals, one below the other, the margin shaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from penchant.pages import ACCENT, INK, LETTER, MUTED, WIDTH, ZONE
from penchant.report import _words as words
from penchant.report._frame import frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RIGHT = 24.0
"""Room for the verdicts' signs."""


@dataclass(frozen=True)
class Row:
    """One difference and what was decided of it."""

    name: str
    difference: float
    interval: tuple[float, float]
    verdict: str


def short(label: str, letters: int = 22) -> str:
    """A label that fits; its end is kept, since long labels often differ only there."""
    half = letters // 2
    return label if len(label) <= letters else f"{label[: letters - half]}…{label[1 - half :]}"


def reach(rows: Sequence[Row], margin: float) -> tuple[float, float]:
    """Limits that show every dot, every usual interval and zero; wild intervals are cut."""
    centre = [row.difference for row in rows]
    ends = [end for row in rows for end in row.interval if np.isfinite(end)]
    far = 2.5 * max(max(map(abs, centre), default=0.0), margin, 1e-9)
    values = [*centre, *ends, -margin, margin, 0.0]
    low, high = max(min(values), -far), min(max(values), far)
    pad = 0.04 * (high - low)
    return low - pad, high + pad


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
        if np.isfinite(row.interval).all():
            axes.plot(row.interval, (y, y), color=ACCENT, linewidth=2, solid_capstyle="butt")
            axes.plot(row.interval, (y, y), "|", color=ACCENT, markersize=7)
        axes.plot(row.difference, y, "o", color=ACCENT, markersize=6.5)
        sign, place = words.SYMBOLS[row.verdict], axes.get_yaxis_transform()
        axes.text(1.02, y, sign, transform=place, va="center", color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(limits)
    axes.locator_params(axis="x", nbins=6)
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([short(row.name) for row in rows], color=INK)
    return drawn, axes, left
