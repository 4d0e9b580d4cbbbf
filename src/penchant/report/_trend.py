"""The verdicts of a study that judges each signal by itself, and their trend over the signals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from penchant.pages import ACCENT, INK, LETTER, MUTED, WIDTH, ZONE, number, page_style, svg
from penchant.report import _frame as frames
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.report._curves import FEWEST_FOR_INTERVAL, Curve, summarised
from penchant.report._forest import Row, beyond, forest, reach
from penchant.report._forest import short as shortened
from penchant.report._layout import Layout
from penchant.report._signals import Axis, axes_of, plainly, told_apart
from penchant.study import Results, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_CHARTS = 24


def trend(results: Results, plan: Layout, designs: Sequence[str]) -> dict[str, object]:
    """Scores and differences over the signals; empty where signals are not judged by themselves."""
    if not reading.judged_each(results):
        return {}
    sections = []
    for i, axis in enumerate(axes_of(reading.signals(results))):
        scores = []
        if axis.values:
            scores = _score_charts(results, plan, axis, i)
        compared = [one for one in designs if not reading.is_baseline(results, one)]
        limits = reach(
            [row for one in compared for row in _rows(results, axis, one)],
            reading.metric(results).margin,
        )
        differences = [
            (
                f"{one} against {reading.baseline_of(results, one)}",
                difference_chart(results, axis, one, f"trend-{i}-{j}", limits),
            )
            for j, one in enumerate(compared[:_MOST_CHARTS])
        ]
        sections.append(
            {
                "title": axis.heading,
                "numbered": bool(axis.values),
                "scores": scores,
                "differences": differences,
                "left_out": max(0, len(compared) - _MOST_CHARTS),
                "logarithmic": axis.logarithmic,
            }
        )
    return {
        "axes": sections,
        "small": not plan.single,
        "designs": designs,
        "rows": rows(results, designs),
        "bands": _bands(results),
        "legend": [] if plan.single else frames.legend(list(plan.styles.values()), "trend-legend"),
    }


def _bands(results: Results) -> str:
    few = len(reading.seeds(results)) < FEWEST_FOR_INTERVAL
    return "bands reach from the lowest to the highest" if few else "bands are 95 % t-intervals"


def rows(results: Results, designs: Sequence[str]) -> list[dict[str, object]]:
    """One row a signal: its name, and each design's mean with its verdict there."""
    found: list[dict[str, object]] = []
    short = told_apart(reading.signals(results))[1]
    axes = axes_of(reading.signals(results))
    for signal in dict.fromkeys(signal for axis in axes for signal in axis.signals):
        verdicts = reading.verdicts_of(results, signal=signal)
        cells = [
            (
                reading.mean(reading.samples_of(results, design, results.metric, signal)),
                "baseline" if reading.is_baseline(results, design) else _word(verdicts, design),
            )
            for design in designs
        ]
        found.append({"signal": short[signal], "cells": cells})
    return found


def _word(verdicts: dict[str, Verdict], design: str) -> str:
    return verdicts[design].verdict if design in verdicts else ""


def _score_charts(
    results: Results, plan: Layout, axis: Axis, index: int
) -> list[tuple[str, Markup]]:
    charts = []
    for j, panel in enumerate(plan.panels):
        lines = [_scores(results, axis, one) for one in panel.designs if one in plan.styles]
        known = [line for line in lines if line is not None]
        if known:
            name = f"trend-scores-{index}-{j}"
            charts.append((panel.title, score_chart(results, plan, axis, known, name)))
    return charts


def _scores(results: Results, axis: Axis, design: str) -> Curve | None:
    """A design's scores over the signals: mean over seeds, with a band."""
    samples = [reading.samples_of(results, design, results.metric, name) for name in axis.signals]
    count = max(map(len, samples), default=0)
    values = np.full((count, len(samples)), np.nan)
    for i, own in enumerate(samples):
        values[: len(own), i] = own
    known = np.isfinite(values).any(axis=0) if count else np.zeros(0, bool)
    if not known.any():
        return None
    return Curve(design, np.array(axis.values)[known], *summarised(values[:, known]))


@page_style()
def score_chart(
    results: Results, plan: Layout, axis: Axis, lines: Sequence[Curve], name: str
) -> Markup:
    """The primary metric against the number in which signals differ: a line a design."""
    styles = [plan.styles[line.design] for line in lines]
    unit = words.unit(results)
    drawn, axes = frames.frame(
        220,
        width=WIDTH if plan.single else frames.SMALL,
        sides=(44, 16),
        legend=[(shortened(style.name), style) for style in styles] if plan.single else (),
    )
    for line, style in zip(lines, styles, strict=True):
        frames.draw(axes, style, line.x, line.mean, line.low, line.high)
        axes.plot(line.x, line.mean, "o", color=style.colour, markersize=2.5)
    _numbers_along(axes, axis)
    if unit == "%":
        frames.percent(axes)
    places = words.decimals(results)
    said = "; ".join(
        f"{line.design} from {number(line.mean[0], places)} at {plainly(line.x[0])} to "
        f"{number(line.mean[-1], places)} at {plainly(line.x[-1])}"
        for line in lines
    )
    return svg(drawn, name, f"{words.metric_name(results.metric)} against {axis.title}: {said}.")


@page_style()
def difference_chart(
    results: Results, axis: Axis, design: str, name: str, limits: tuple[float, float]
) -> Markup:
    """A design's difference from its baseline on each signal, with the intervals that decide."""
    rows = _rows(results, axis, design)
    margin = reading.metric(results).margin
    drawn = _along(axis, rows, margin, limits) if axis.values else forest(rows, margin, limits)[0]
    places, unit = words.decimals(results), words.difference_unit(results)
    said = "; ".join(
        f"{row.name}: {number(row.difference, places, signed=True)} {unit}".rstrip()
        + f", {row.verdict}"
        for row in rows
    )
    over = f" over {axis.title}" if axis.title else ""
    return svg(
        drawn,
        name,
        f"Difference in {words.metric_name(results.metric)} between {design} and "
        f"{reading.baseline_of(results, design)}{over}: {said}.",
    )


def _rows(results: Results, axis: Axis, design: str) -> list[Row]:
    found = []
    for signal in axis.signals:
        one = reading.verdicts_of(results, signal=signal).get(design)
        if one is not None:
            found.append(Row(axis.name(signal), one.mean_difference, one.interval, one.verdict))
    return found


def _along(axis: Axis, rows: Sequence[Row], margin: float, limits: tuple[float, float]) -> "Figure":
    """Signals along the horizontal axis, by their number; a sign a verdict stands above."""
    drawn, axes = frames.frame(190, width=frames.SMALL, sides=(40, 14), ends=(26, 36))
    if margin:
        axes.axhspan(-margin, margin, color=ZONE, linewidth=0)
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.set_ylim(limits)
    names = [axis.name(signal) for signal in axis.signals]
    for row in rows:
        x = axis.values[names.index(row.name)]
        end, said = beyond(row, limits)
        if said:
            down = end == limits[0]
            end += 0.03 * (limits[1] - limits[0]) * (1 if down else -1)
            axes.plot(x, end, "v" if down else "^", color=ACCENT, markersize=6, clip_on=False)
            axes.annotate(
                said,
                (x, end),
                (0, 7 if down else -7),
                textcoords="offset points",
                ha="center",
                va="bottom" if down else "top",
                color=INK,
            )
        elif np.isfinite(row.interval).all():
            axes.plot((x, x), row.interval, color=ACCENT, linewidth=2, solid_capstyle="butt")
            axes.plot((x, x), row.interval, "_", color=ACCENT, markersize=6)
        if not said:
            axes.plot(x, row.difference, "o", color=ACCENT, markersize=5.5)
        sign, place = words.SYMBOLS[row.verdict], axes.get_xaxis_transform()
        axes.text(x, 1.03, sign, transform=place, ha="center", va="bottom", color=INK)
    _numbers_along(axes, axis)
    return drawn


def _numbers_along(axes: "Axes", axis: Axis) -> None:
    """Name the signals' numbers below the axis, leaving out those for which there is no room."""
    if axis.logarithmic:
        axes.set_xscale("log")
        places = np.log10(axis.values)
    else:
        places = np.array(axis.values)
    span = float(places[-1] - places[0]) or 1.0
    low, high = places[0] - 0.05 * span, places[-1] + 0.05 * span
    axes.set_xlim(*(10.0 ** np.array([low, high]) if axis.logarithmic else (low, high)))
    axes.minorticks_off()
    width = axes.bbox.width * 72 / axes.figure.dpi
    kept: list[float] = []
    free = -np.inf
    for value, place in zip(axis.values, (places - low) / (high - low) * width, strict=True):
        half = LETTER * len(plainly(value)) / 2 + 3
        if place - half >= free:
            kept.append(value)
            free = place + half
    axes.set_xticks(kept)
    axes.set_xticklabels([plainly(value) for value in kept])
    frames.title(axes, axis.title)
