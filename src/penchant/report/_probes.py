"""What the probes found inside the networks: gradients by depth, paths by length, blocks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from penchant.pages import WIDTH, number, page_style, svg
from penchant.report import _curves as curves
from penchant.report import _frame as frames
from penchant.report import _reading as reading
from penchant.report._curves import Curve
from penchant.report._forest import short
from penchant.report._layout import Layout, Panel, layout
from penchant.report._learning import Limits, Look, limits, panel_charts
from penchant.study import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TIMES = {"gradient_start": "at the start", "gradient_end": "at the end"}
_DECAYS = {"gradient_start": "gradient_decay_start", "gradient_end": "gradient_decay_end"}
_STAYS = 0.1
"""Decades below which a norm is said to stay."""
_FARTHEST = 1e-12
"""Gradients further below the largest one are cut off."""


def gradients(results: Results, plan: Layout) -> dict[str, object]:
    """Gradient norms by depth, start and end of training side by side; empty without the probe."""
    order = list(plan.styles)
    found = {key: curves.profile_curves(results, order, key, logarithmic=True) for key in _TIMES}
    lines = [line for one in found.values() for line in one]
    if not lines:
        return {}
    scale = _decades(lines)
    pairs = []
    for i, panel in enumerate(plan.panels):
        charts = []
        for key, when in _TIMES.items():
            own = [line for line in found[key] if line.design in panel.designs]
            if own:
                name = f"gradients-{key}-{i}"
                said = f"{panel.title}, {when}" if panel.title else when.capitalize()
                charts.append((said, depth_chart(plan, own, name, when, scale)))
        if charts:
            pairs.append(charts)
    return {
        "pairs": pairs,
        "decay": _decay(results, plan, order),
        "rows": [
            (design, layers, rows)
            for design in order
            for layers, rows in [_ends(results, found, design)]
            if layers
        ],
        "legend": _legend(plan, order, "gradients"),
        "relative": any(_relative(plan, panel, lines) for panel in plan.panels),
        "bands": curves.band_words(results),
        "small": not plan.single,
    }


def _decay(results: Results, plan: Layout, designs: Sequence[str]) -> list[tuple[str, Markup]]:
    """How many decades lie between the ends of the networks while they train, where it was seen."""
    lines = curves.metric_curves(results, designs, "gradient_decay")[0]
    look = Look("gradient_decay", "steps", limits(lines), small=not plan.single)
    return panel_charts(results, plan, lines, look)


def _decades(lines: Sequence[Curve]) -> Limits:
    highest = max(float(line.mean.max()) for line in lines)
    lowest = min(float(line.mean.min()) for line in lines)
    lowest = max(lowest, highest * _FARTHEST)
    if highest < 10 * lowest:
        middle = float(np.sqrt(highest * lowest))
        lowest, highest = min(lowest, middle / 3), max(highest, middle * 3)
    return Limits(lowest / 1.6, highest * 1.6, logarithmic=True)


def _relative(plan: Layout, panel: Panel, lines: Sequence[Curve]) -> bool:
    """Whether networks of different depth share the panel, so that layers cannot be counted."""
    return len({line.x[-1] for line in lines if line.design in panel.designs}) > 1


def _ends(
    results: Results, found: dict[str, list[Curve]], design: str
) -> tuple[int, list[tuple[float, float, str, float]]]:
    """How many layers a design has; by moment its norms at the first and at the last hidden one.

    Beside them stands whether the norm grows towards the input, and the runs' own gradient decay:
    what is judged has one definition, the study's.
    """
    rows = []
    layers = 0
    for key, lines in found.items():
        decay = reading.mean(reading.samples_of(results, design, _DECAYS[key]))
        line = next((one for one in lines if one.design == design), None)
        if line is None:
            rows.append((np.nan, np.nan, "", decay))
            continue
        layers = int(line.x[-1]) + 1
        norms = dict(zip(line.x.astype(int), line.mean, strict=True))
        first, last = (float(norms.get(place, np.nan)) for place in (0, max(0, layers - 2)))
        rows.append((first, last, _towards_input(first, last), decay))
    return layers, rows


def _towards_input(first: float, last: float) -> str:
    if not np.isfinite([first, last]).all():
        return ""
    decades = float(np.log10(first / last))
    return "stays" if abs(decades) < _STAYS else "grows" if decades > 0 else "shrinks"


@page_style()
def depth_chart(
    plan: Layout, lines: Sequence[Curve], name: str, when: str, scale: Limits
) -> Markup:
    """Norm of the gradient at each layer's activations, from the input to the output."""
    relative = len({line.x[-1] for line in lines}) > 1
    drawn, axes = _frame(plan, lines, left=44)
    frames.decades(axes, scale.low, scale.high)
    for i, line in enumerate(lines):
        x = 100 * line.x / max(line.x[-1], 1) if relative else line.x + 1
        mean = np.where(line.mean < scale.low, np.nan, line.mean)
        low, high = (np.clip(edge, scale.low, scale.high) for edge in (line.low, line.high))
        style = plan.styles[line.design]
        hidden = slice(0, -1 if len(x) > 2 else None)
        shown = (values[hidden] for values in (x, mean, low, high))
        frames.draw(axes, style, *shown, start=i)
        if len(x) > 2:
            axes.plot(
                x[-1], mean[-1], "o", color=style.colour, markerfacecolor="none", clip_on=False
            )
    axes.margins(x=0.02)
    if relative:
        frames.title(axes, "depth: 0 % input, 100 % output")
        axes.set_xticks([0, 25, 50, 75, 100])
        axes.set_xticklabels([f"{tick} %" for tick in (0, 25, 50, 75, 100)])
    else:
        frames.title(axes, "layer, from the input")
        axes.set_xlim(left=0.9)
        _counting(axes)
    said = "; ".join(
        f"{line.design} {line.mean[0]:.2g} at the first of {int(line.x[-1]) + 1} layers and "
        f"{line.mean[-1]:.2g} at the last"
        for line in lines
    )
    return svg(drawn, name, f"Norm of the gradient by depth {when} of training: {said}.")


def _legend(plan: Layout, designs: Sequence[str], name: str) -> list[tuple[str, Markup]]:
    """The names of all lines, where many charts share them."""
    if plan.single:
        return []
    return frames.legend([plan.styles[one] for one in designs], f"{name}-legend")


def _counting(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=2))


def _frame(plan: Layout, lines: Sequence[Curve], *, left: float) -> tuple["Figure", "Axes"]:
    return frames.frame(
        220.0 if plan.single else 200.0,
        width=WIDTH if plan.single else frames.SMALL,
        sides=(left, 14),
        legend=[(short(plan.styles[one.design].name), plan.styles[one.design]) for one in lines]
        if plan.single
        else (),
    )


def paths(results: Results, whole: Layout) -> dict[str, object]:
    """Which path lengths carry the gradient, and what the blocks' identity paths carry."""
    lengths = curves.profile_curves(results, list(results.designs), "path_lengths")
    shares = curves.profile_curves(results, list(results.designs), "identity_share")
    if not (lengths or shares):
        return {}
    effective = {
        line.design: reading.mean(reading.samples_of(results, line.design, "effective_depth"))
        for line in lengths
    }
    named = [one for one in results.designs if one in {line.design for line in lengths + shares}]
    plan = whole if whole.single else _regrouped(results, whole, named)
    return {
        "lengths": _panels(plan, lengths, "paths", effective),
        "identity": _panels(plan, shares, "identity", None),
        "rows": _path_rows(lengths, effective),
        "shares": [(line.design, [float(value) for value in line.mean]) for line in shares],
        "effective": any(np.isfinite(value) for value in effective.values()),
        "legend": _legend(plan, named, "paths"),
        "without": [one for one in results.designs if one not in named],
        "bands": curves.band_words(results),
        "small": not plan.single,
    }


def _regrouped(results: Results, whole: Layout, designs: Sequence[str]) -> Layout:
    """Panels for the designs that have residual blocks, in the same colours as elsewhere."""
    own = layout(results, designs)
    return Layout(own.panels, {**own.styles} if own.single else {**whole.styles, **own.styles})


def _panels(
    plan: Layout, lines: Sequence[Curve], kind: str, effective: dict[str, float] | None
) -> list[tuple[str, Markup]]:
    if not lines:
        return []
    highest = 100.0 if effective is None else 100 * max(float(line.high.max()) for line in lines)
    charts = []
    for i, panel in enumerate(plan.panels):
        own = [one for one in lines if one.design in panel.designs and one.design in plan.styles]
        if own:
            draw = identity_chart if effective is None else path_chart
            charts.append((panel.title, draw(plan, own, f"{kind}-{i}", highest, effective or {})))
    return charts


@page_style()
def path_chart(
    plan: Layout, lines: Sequence[Curve], name: str, highest: float, effective: dict[str, float]
) -> Markup:
    """Share of the gradient that paths of each length carry; the effective depth is marked."""
    drawn, axes = _frame(plan, lines, left=40)
    farthest = max(_reach(line) for line in lines)
    for i, line in enumerate(lines):
        style = plan.styles[line.design]
        seen = line.x <= farthest
        edges = (100 * edge[seen] for edge in (line.mean, line.low, line.high))
        frames.draw(axes, style, line.x[seen], *edges, start=i)
        depth = effective.get(line.design, np.nan)
        if np.isfinite(depth):
            axes.plot((depth, depth), (0, highest), color=style.colour, linewidth=1, alpha=0.55,
                      linestyle=style.dash)  # fmt: skip
            axes.plot(depth, highest * 1.03, "v", color=style.colour, markersize=6, clip_on=False)
    axes.set_ylim(0, highest * 1.06)
    axes.set_xlim(-0.3, farthest + 0.3)
    frames.percent(axes)
    frames.title(axes, "blocks that a path goes through")
    _counting(axes)
    said = "; ".join(
        f"{line.design}: most at length {int(line.x[line.mean.argmax()])}, "
        f"{100 * line.mean.max():.0f} %"
        + (
            f", effective depth {effective[line.design]:.1f} of {int(line.x[-1])} blocks"
            if np.isfinite(effective.get(line.design, np.nan))
            else ""
        )
        for line in lines
    )
    return svg(drawn, name, f"Share of the gradient carried by paths of each length. {said}.")


def _reach(line: Curve) -> float:
    """The longest path that carries enough to be seen, and one more."""
    seen = np.flatnonzero(line.mean > 0.002)
    return min(float(line.x[seen[-1]] if seen.size else 0) + 1, float(line.x[-1]))


@page_style()
def identity_chart(
    plan: Layout, lines: Sequence[Curve], name: str, highest: float, _: dict[str, float]
) -> Markup:
    """Share of each block's output that its identity path carries."""
    drawn, axes = _frame(plan, lines, left=44)
    for i, line in enumerate(lines):
        style = plan.styles[line.design]
        frames.draw(axes, style, line.x + 1, line.mean, line.low, line.high, start=i)
    axes.set_ylim(0, highest)
    axes.margins(x=0.04)
    axes.set_xlim(left=0.7)
    frames.percent(axes)
    frames.title(axes, "residual block, from the input")
    _counting(axes)
    said = "; ".join(
        f"{line.design} from {number(line.mean.min(), 0)} % to {number(line.mean.max(), 0)} %, "
        f"{number(float(line.mean.mean()), 0)} % on average"
        for line in lines
    )
    return svg(drawn, name, f"Share of each block's output carried by its identity path. {said}.")


def _path_rows(
    lengths: Sequence[Curve], effective: dict[str, float]
) -> list[tuple[str, int, float, list[float]]]:
    """Blocks, effective depth and the shortest paths' shares of each design."""
    return [
        (line.design, int(line.x[-1]), effective[line.design], [float(v) for v in line.mean[:7]])
        for line in lengths
    ]
