"""The charts of a study's page, drawn small enough to be read on a phone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from markupsafe import Markup

from penchant.pages import (
    ACCENT,
    DASHES,
    FONT_SIZE,
    INK,
    LETTER,
    MUTED,
    RULE,
    SERIES,
    WIDTH,
    ZONE,
    apart,
    figure,
    label_ends,
    mix,
    page_style,
    quantity,
    quiet,
    svg,
)
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.report._curves import BandCurve, Curve
from penchant.study import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


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
    rows = designs[designs["difference"].notna()].reset_index(drop=True)
    left = min(0.42 * WIDTH, 12 + LETTER * max(len(_short(name)) for name in rows["design"]))
    height = 44 + 24 * len(rows)
    drawn = figure(height=height)
    axes = drawn.add_axes(
        (left / WIDTH, 34 / height, 1 - (left + 24) / WIDTH, 1 - 40 / height),
    )
    quiet(axes)
    known = reading.metric(results, metric).margin
    if known:
        axes.axvspan(-known, known, color=ZONE, linewidth=0)
    axes.axvline(0, color=MUTED, linewidth=1)
    for y, row in enumerate(rows.to_dict("records")):
        low, high = row["difference_low"], row["difference_high"]
        if np.isfinite(low) and np.isfinite(high):
            axes.plot((low, high), (y, y), color=ACCENT, linewidth=2, solid_capstyle="butt")
            axes.plot((low, high), (y, y), "|", color=ACCENT, markersize=7)
        axes.plot(row["difference"], y, "o", color=ACCENT, markersize=6.5)
        axes.text(
            1.02,
            y,
            words.SYMBOLS[row["verdict"]],
            transform=axes.get_yaxis_transform(),
            va="center",
            color=INK,
        )
    axes.set_ylim(len(rows) - 0.4, -0.6)
    limit = _reach(rows, known)
    axes.set_xlim(limit)
    axes.locator_params(axis="x", nbins=6)
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([_short(name) for name in rows["design"]], color=INK)
    base = reading.baseline(results)
    text = _difference_of(results, metric, base)
    half = LETTER * len(text) / 2
    middle = left + (WIDTH - left - 24) / 2
    within = max(half, min(middle, WIDTH - half))
    axes.set_xlabel(text, color=MUTED, x=(within - left) / (WIDTH - left - 24))
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
        for whose in (_short(base), "the baseline")
    ]
    return texts[0] if LETTER * len(texts[0]) <= WIDTH else texts[1]


def _reach(rows: pd.DataFrame, margin: float) -> tuple[float, float]:
    """Limits that show every dot, every usual interval and zero; wild intervals are cut."""
    centre = rows["difference"].to_numpy(float)
    ends = rows[["difference_low", "difference_high"]].to_numpy(float)
    far = 2.5 * max(float(np.max(np.abs(centre))), margin, 1e-9)
    values = np.concatenate([centre, ends[np.isfinite(ends)], [-margin, margin, 0.0]])
    low, high = float(np.min(values)), float(np.max(values))
    low, high = max(low, -far), min(high, far)
    pad = 0.04 * (high - low)
    return low - pad, high + pad


@page_style()
def curves(
    results: Results, lines: Sequence[Curve], metric: str, name: str, against: str
) -> Markup:
    """A metric while training: a line a design, a band from lowest to highest seed.

    Args:
        results: the study.
        lines: curves, best design first; those after the palette's end are drawn thin.
        metric: what the curves show.
        name: unique on the page.
        against: what `x` is.
    """
    height = 250.0
    base = reading.baseline(results)
    shown = named(lines, base)
    right = 18 + LETTER * max(len(_short(line.design)) for line in shown)
    drawn = figure(height=height)
    unit = words.unit(results, metric)
    left = 44 if unit == "%" else 34
    axes = drawn.add_axes((left / WIDTH, 36 / height, 1 - (left + right) / WIDTH, 1 - 48 / height))
    quiet(axes, grid=True)
    target = reading.target(results)
    if target is not None and metric == results.metric:
        axes.axhline(target, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    for line in lines:
        if line not in shown:
            axes.plot(line.x, line.mean, color=RULE, linewidth=1)
    others = [line for line in shown if line.design != base]
    colours = {line.design: _draw(axes, line, i) for i, line in enumerate(others)}
    colours |= {line.design: _draw(axes, line, None) for line in shown if line.design == base}
    axes.margins(x=0)
    axes.set_xlim(left=0)
    ends = [
        (line.x[-1], line.mean[-1], _short(line.design), colours[line.design]) for line in shown
    ]
    label_ends(axes, ends, height - 48)
    axes.set_xlabel(against, color=MUTED)
    if unit == "%":
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    places = words.decimals(results, metric)
    return svg(
        drawn,
        name,
        f"{words.metric_name(metric)} of each design against {against}; at the end "
        + ", ".join(f"{line.design} {quantity(line.mean[-1], places, unit)}" for line in shown)
        + ".",
    )


def _draw(axes: "Axes", line: Curve, index: int | None) -> str:
    """Draw a line with its band and return its colour; the baseline has no index and no marker."""
    colour = INK if index is None else SERIES[index]
    axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.14, linewidth=0)
    axes.plot(
        line.x,
        line.mean,
        color=colour,
        linewidth=1.8,
        linestyle="solid" if index is None else DASHES[index % len(DASHES)],
        marker=None if index is None else _MARKERS[index],
        markersize=4,
        markevery=((index or 0) % len(line.x), max(1, len(line.x) // 5)),
        clip_on=False,
    )
    return colour


def named(lines: Sequence[Curve], base: str) -> list[Curve]:
    """The curves that get a colour and a name: the best ones and the baseline."""
    others = [line for line in lines if line.design != base][: len(SERIES)]
    return [line for line in lines if line in others or line.design == base]


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
    drawn = figure(width, height)
    axes = drawn.add_axes((40 / width, 32 / height, 1 - 72 / width, 1 - 40 / height))
    quiet(axes, grid=True)
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


def _short(label: str, letters: int = 22) -> str:
    """A label that fits; its end is kept, since long labels often differ only there."""
    half = letters // 2
    return label if len(label) <= letters else f"{label[: letters - half]}…{label[1 - half :]}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
