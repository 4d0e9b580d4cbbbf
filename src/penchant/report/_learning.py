"""What the runs showed while they trained: the metric that decides, and the loss."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup

from penchant.pages import LETTER, MUTED, RULE, WIDTH, label_ends, page_style, quantity, svg
from penchant.report import _curves as curves
from penchant.report import _frame as frames
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.report._curves import Curve
from penchant.report._forest import short as shortened
from penchant.report._layout import Layout
from penchant.report._signals import axes_of, told_apart
from penchant.study import Results

_LOSSES = {"nll": "negative log-likelihood", "mse": "mean squared error"}
_LOG_SPAN = 10.0
"""Values that span more are drawn on a logarithmic axis."""
_MOST_SIGNALS = 12
_LONGEST_END = 18
"""Letters of a name that stands at its line's end; longer ones stand above the chart."""
Chart = tuple[str, Markup]
"""A caption and its figure."""


@dataclass(frozen=True)
class Limits:
    """Ends of a vertical axis."""

    low: float
    high: float
    logarithmic: bool = False


@dataclass(frozen=True)
class Look:
    """What a chart shows, and how large."""

    metric: str
    against: str
    """What the horizontal axis is."""
    limits: Limits | None = None
    """As the lines need where there are none."""
    small: bool = False
    """One of many, which share a legend; otherwise names stand at the lines' ends."""


def learning(results: Results, plan: Layout, designs: Sequence[str]) -> dict[str, object]:
    """Curves of the primary metric and of the loss; empty where nobody watched.

    Where designs are many, there is a chart a panel; where each signal is judged by itself, a chart
    a signal.
    """
    metric = curves.watched_metric(results)
    if metric is None:
        return {}
    by_step, by_seconds = curves.metric_curves(results, designs, metric)
    if not by_step:
        return {}
    by_signal = plan.single and reading.judged_each(results)
    small = by_signal or not plan.single
    losses = [] if by_signal else _losses(results)
    groups: list[tuple[str, list[list[Chart]]]] = []
    if by_signal:
        groups.append(("", [_by_signal(results, plan, designs, metric)]))
    elif plan.single:
        both = [
            *panel_charts(results, plan, by_step, Look(metric, "steps")),
            *panel_charts(results, plan, by_seconds, Look(metric, "processor seconds")),
        ]
        groups.append(("", [both]))
    elif metric not in losses:
        look = Look(metric, "steps", limits(by_step), small=True)
        groups.append((_named(results, metric), [panel_charts(results, plan, by_step, look)]))
    losses = [name for name in losses if small or name != metric]
    if losses:
        unit = words.unit(results, losses[0])
        title = f"Loss ({unit})" if small and unit else "Loss"
        groups.append((title, _loss_charts(results, plan, designs, losses)))
    seconds: list[Chart] = []
    if not plan.single:
        look = Look(metric, "processor seconds", limits(by_seconds), small=True)
        seconds = panel_charts(results, plan, by_seconds, look)
    aimed = metric == results.metric and reading.target(results) is not None
    one_signal = replace(results, runs=reading.runs_on(results, reading.signals(results)[0]))
    return {
        "metric": metric,
        "target": words.goal(results) if aimed else "",
        "groups": groups,
        "seconds": seconds,
        "bands": curves.band_words(one_signal if by_signal else results),
        "loss": _LOSSES[losses[0].removesuffix("_seen")] if losses else "",
        "thin": len([one for one in by_step if one.design not in plan.styles]),
        "small": small,
        "legend": frames.legend(list(plan.styles.values()), "learning-legend") if small else [],
        "left_out": max(0, len(reading.signals(results)) - _MOST_SIGNALS) if by_signal else 0,
    }


def _losses(results: Results) -> list[str]:
    """Training loss and held-out loss, where the runs watched both."""
    watched = {name for run in results.runs for moment in run.curve for name in moment.metrics}
    for stem in _LOSSES:
        pair = [f"{stem}_seen", f"{stem}_held_out"]
        if watched.issuperset(pair):
            return pair
    return []


def _loss_charts(
    results: Results, plan: Layout, designs: Sequence[str], names: Sequence[str]
) -> list[list[Chart]]:
    """Training loss beside held-out loss, panel by panel, all on the same scale."""
    found = {name: curves.metric_curves(results, designs, name)[0] for name in names}
    shared = limits([line for lines in found.values() for line in lines], may_be_logarithmic=True)
    pairs = []
    for i, panel in enumerate(plan.panels):
        pair = []
        for name, lines in found.items():
            own = [line for line in lines if line.design in panel.designs]
            if own:
                look = Look(name, "steps", shared, small=not plan.single)
                said = "training loss" if name.endswith("_seen") else "held-out loss"
                if plan.single:
                    unit = words.unit(results, name)
                    said = words.capital(said) + (f" ({unit}) against steps" if unit else "")
                caption = f"{panel.title}: {said}" if panel.title else said
                pair.append((caption, chart(results, plan, own, look, f"curves-{name}-{i}")))
        pairs.append(pair)
    return [pair for pair in pairs if pair]


def _by_signal(results: Results, plan: Layout, designs: Sequence[str], metric: str) -> list[Chart]:
    """A chart a signal, with its own seeds' bands, all on the same scale."""
    names = [name for axis in axes_of(reading.signals(results)) for name in axis.signals]
    short = told_apart(reading.signals(results))[1]
    found = []
    for signal in list(dict.fromkeys(names))[:_MOST_SIGNALS]:
        own = replace(results, runs=reading.runs_on(results, signal))
        lines = curves.metric_curves(own, designs, metric)[0]
        found.append((words.capital(short[signal]), lines))
    look = Look(metric, "steps", limits([one for _, lines in found for one in lines]), small=True)
    return [
        (said, chart(results, plan, lines, look, f"curves-signal-{i}"))
        for i, (said, lines) in enumerate(found)
        if lines
    ]


def panel_charts(results: Results, plan: Layout, lines: Sequence[Curve], look: Look) -> list[Chart]:
    """One chart a panel, with its caption."""
    charts = []
    for i, panel in enumerate(plan.panels):
        own = [line for line in lines if line.design in panel.designs]
        if own:
            name = f"curves-{look.metric}-{look.against.split()[-1]}-{i}"
            said = panel.title or f"{_named(results, look.metric)} against {look.against}"
            charts.append((said, chart(results, plan, own, look, name)))
    return charts


def _named(results: Results, metric: str) -> str:
    unit = words.unit(results, metric)
    return words.metric_name(metric) + (f" ({unit})" if unit else "")


def limits(lines: Sequence[Curve], *, may_be_logarithmic: bool = False) -> Limits | None:
    """An axis on which all lines fit; logarithmic, where it may be, if they span much."""
    if not lines:
        return None
    means = np.concatenate([line.mean for line in lines])
    edges = np.concatenate([np.r_[line.low, line.high] for line in lines])
    low, high = float(means.min()), float(means.max())
    if may_be_logarithmic and low > 0 and high / low > _LOG_SPAN:
        edges = edges[(edges > low / 3) & (edges < 3 * high)]  # a band's edge may be negative
        return Limits(float(edges.min()) / 1.15, float(edges.max()) * 1.15, logarithmic=True)
    # A band that is wild for a while is cut, so that lines stay apart.
    span = 0.5 * (high - low)
    low, high = max(float(edges.min()), low - span), min(float(edges.max()), high + span)
    pad = 0.04 * (high - low) or 1.0
    return Limits(low - pad, high + pad)


@page_style()
def chart(results: Results, plan: Layout, lines: Sequence[Curve], look: Look, name: str) -> Markup:
    """A metric while training: a line a design, with its band.

    Args:
        results: the study.
        plan: who is drawn how; a line without a style is drawn thin.
        lines: curves, best design first.
        look: what is shown.
        name: unique on the page.
    """
    shown = [line for line in lines if line.design in plan.styles]
    styles = [plan.styles[line.design] for line in shown]
    unit = words.unit(results, look.metric)
    logarithmic = look.limits is not None and look.limits.logarithmic
    names = [shortened(style.name) for style in styles]
    above = not look.small and max(map(len, names)) > _LONGEST_END
    at_ends = not look.small and not above
    drawn, axes = frames.frame(
        200.0 if look.small else 250.0,
        width=frames.SMALL if look.small else WIDTH,
        sides=(
            44.0 if unit == "%" or logarithmic else 34.0,
            18 + LETTER * max(map(len, names)) if at_ends else 14.0,
        ),
        legend=list(zip(names, styles, strict=True)) if above else (),
    )
    target = reading.target(results)
    if target is not None and look.metric == results.metric:
        axes.axhline(target, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    for line in lines:
        if line not in shown:
            axes.plot(line.x, line.mean, color=RULE, linewidth=1)
    drawing = list(enumerate(zip(shown, styles, strict=True)))
    for i, (line, style) in sorted(drawing, key=lambda one: one[1][1].marker is None):
        frames.draw(axes, style, line.x, line.mean, line.low, line.high, start=i)
    axes.margins(x=0)
    axes.set_xlim(left=0)
    if look.limits is not None:
        if logarithmic:
            frames.decades(axes, look.limits.low, look.limits.high)
        else:
            axes.set_ylim(look.limits.low, look.limits.high)
    if at_ends:
        ends = [
            (line.x[-1], line.mean[-1], text, style.colour)
            for line, text, style in zip(shown, names, styles, strict=True)
        ]
        label_ends(axes, ends, 250.0 - 48)
    frames.title(axes, look.against)
    axes.locator_params(axis="x", nbins=6)
    if unit == "%":
        frames.percent(axes)
    places = words.decimals(results, look.metric)
    return svg(
        drawn,
        name,
        f"{words.metric_name(look.metric)} of each design against {look.against}; at the end "
        + ", ".join(f"{line.design} {quantity(line.mean[-1], places, unit)}" for line in shown)
        + ".",
    )
