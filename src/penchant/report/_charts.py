"""The charts of a study's page, drawn small enough to be read on a phone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from markupsafe import Markup

from penchant.pages import (
    FONT_SIZE,
    LETTER,
    MUTED,
    WIDTH,
    apart,
    mix,
    page_style,
    svg,
)
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.report._curves import BandCurve
from penchant.report._forest import RIGHT, Row, forest, reach, short
from penchant.report._frame import frame
from penchant.study import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@page_style()
def differences(
    results: Results, designs: pd.DataFrame, metric: str, name: str = "differences"
) -> Markup:
    """Dots with simultaneous intervals: each design minus the baseline, the margin shaded.

    Args:
        results: the study.
        designs: one row a design, with the columns that compare it (see `table`).
        metric: what is compared.
        name: unique on the page.
    """
    known = reading.metric(results, metric).margin
    rows = [
        Row(
            words.row_name(results, row["design"]),
            row["difference"],
            (row["difference_low"], row["difference_high"]),
            row["verdict"],
        )
        for row in designs[designs["difference"].notna()].to_dict("records")
    ]
    drawn, axes, left = forest(rows, known, reach(rows, known))
    base = words.against(results)
    text = _difference_of(results, metric, base)
    half = LETTER * len(text) / 2
    middle = left + (WIDTH - left - RIGHT) / 2
    within = max(half, min(middle, WIDTH - half))
    axes.set_xlabel(text, color=MUTED, x=(within - left) / (WIDTH - left - RIGHT))
    return svg(
        drawn,
        name,
        f"Difference in {words.name_of(results, metric)} between each design and {base}, with "
        "simultaneous intervals; the same numbers stand in the table.",
    )


def _difference_of(results: Results, metric: str, base: str) -> str:
    """Name the axis of differences, with the baseline's label where there is room for it."""
    unit = words.difference_unit(results, metric)
    said = "" if metric == reading.target_metric(results) or not unit else f" ({unit})"
    texts = [
        f"{words.name_of(results, metric)} minus {whose}'s{said}"
        for whose in (short(base), "the baseline")
    ]
    texts.append(f"difference{said}")
    return next((text for text in texts if LETTER * len(text) <= WIDTH), texts[-1])


@page_style()
def bands(curve: BandCurve, index: int, limits: tuple[float, float], last_step: float) -> Markup:
    """How much of each frequency band is still missing: one line a band, lowest to highest.

    Args:
        curve: one design's bands.
        index: the design's place on the page.
        limits: lowest and highest share, the same for every design.
        last_step: right end, the same for every design.
    """
    width, height = 180.0, 150.0
    drawn, axes = frame(height, width=width, sides=(40, 32), ends=(8, 32))
    axes.set_yscale("log")
    axes.set_ylim(limits)
    axes.set_xlim(0, last_step)
    axes.minorticks_off()
    count = curve.shares.shape[1]
    shares = np.maximum(curve.shares, limits[0])
    for band in range(count):
        share = band / max(1, count - 1)
        axes.plot(
            curve.x,
            shares[:, band],
            color=mix(share),
            linewidth=2.2 - 1.2 * share,
        )
    exponents = range(int(np.floor(np.log10(limits[0]))), int(np.ceil(np.log10(limits[1]))) + 1)
    ticks = [10.0**e for e in exponents if limits[0] <= 10.0**e <= limits[1]]
    axes.set_yticks(ticks)
    axes.set_yticklabels([f"{100 * tick:g} %" for tick in ticks])
    axes.set_xticks([0, last_step])
    axes.set_xlabel("step", color=MUTED, labelpad=-8)
    ends = [("low", float(shares[-1, 0]), mix(0))]
    if count > 1:
        ends.append(("high", float(shares[-1, -1]), mix(1)))
    _label_log_ends(axes, ends, last_step, limits, height - 40)
    return svg(
        drawn,
        f"bands-{index}",
        f"{curve.design}: share of each frequency band's energy still missing against steps, from "
        f"the lowest band ({_percent(shares[-1, 0])} at the end) to the highest "
        f"({_percent(shares[-1, -1])}).",
    )


def _label_log_ends(
    axes: "Axes",
    ends: Sequence[tuple[str, float, str]],
    x: float,
    limits: tuple[float, float],
    height: float,
) -> None:
    span = np.log10(limits[1] / limits[0])
    order = sorted(ends, key=lambda end: end[1])
    gap = span * 1.2 * FONT_SIZE / height
    low, high = np.log10(limits)
    places = apart([float(np.log10(end[1])) for end in order], gap, low, high)
    for (text, _, colour), place in zip(order, places, strict=True):
        axes.text(x * 1.03, 10.0**place, text, va="center", color=colour)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
