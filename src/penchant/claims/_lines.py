"""Named lines over steps that are evenly spaced: octaves, scales, encodings."""

from collections.abc import Mapping, Sequence
from itertools import count

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

_HEIGHT, _LEFT, _BELOW, _ABOVE = 250.0, 44.0, 38.0, 20.0


@page_style()
def lines(
    name: str,
    alt: str,
    steps: Sequence[str],
    drawn: Mapping[str, Sequence[float]],
    *,
    against: str,
    of: str,
) -> Markup:
    """Draw lines with their names at their ends; that of ReLU is drawn in ink.

    Args:
        name: unique on the page.
        alt: what the figure shows, for those who do not see it.
        steps: what stands along the horizontal axis.
        drawn: by name, a number for each step.
        against: what the steps are.
        of: what the numbers are, with their unit.
    """
    sheet = figure(height=_HEIGHT)
    right = 20 + LETTER * max(map(len, drawn))
    inner = _HEIGHT - _BELOW - _ABOVE
    axes = sheet.add_axes(
        (_LEFT / WIDTH, _BELOW / _HEIGHT, 1 - (_LEFT + right) / WIDTH, inner / _HEIGHT)
    )
    quiet(axes, grid=True)
    places, last = range(len(steps)), len(steps) - 1
    relus, others = count(), count()
    ends = []
    for label, values in drawn.items():
        relu = label.startswith("relu")
        index = next(relus if relu else others)
        colour = INK if relu else SERIES[index]
        dash = DASHES[index % len(DASHES)]
        axes.plot(places, values, color=colour, linewidth=2.2 if relu else 1.6, linestyle=dash)
        axes.plot(places, values, "o", color=colour, markersize=4, clip_on=False)
        ends.append((float(last), float(values[-1]), label, colour))
    axes.margins(x=0.02, y=0.06)
    axes.set_xticks(places, steps)
    axes.autoscale_view()
    label_ends(axes, ends, inner)
    axes.set_xlabel(against, color=MUTED)
    axes.text(0, 1.03, of, transform=axes.transAxes, color=MUTED, va="bottom")
    return svg(sheet, name, alt)
