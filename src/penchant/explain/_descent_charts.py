"""The charts of gradient descent: lines with levels and powers of ten, and ways over contours."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from penchant.explain._chart import Line
from penchant.pages import (
    DASHES,
    INK,
    LETTER,
    MUTED,
    RULE,
    SERIES,
    WIDTH,
    ZONE,
    figure,
    label_ends,
    page_style,
    quiet,
    svg,
)

_LEFT, _BELOW, _ABOVE, _HEIGHT = 42.0, 36.0, 14.0, 240.0
_MARKERS = ("o", "s", "^", "D", "v")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(exponent: int) -> str:
    """A power of ten as it is written.

    Example:
        >>> power(-3)
        '10⁻³'
    """
    return "10" + str(exponent).translate(_RAISED)


@page_style()
def lines(
    name: str,
    alt: str,
    drawn: Sequence[Line],
    *,
    against: str,
    limits: tuple[float, float],
    zone: tuple[float, float] | None = None,
    levels: Sequence[float] = (),
    markers: bool = False,
    powers: bool = False,
) -> Markup:
    """Draw named lines; those that leave the chart are cut.

    Args:
        name: unique on the page.
        alt: what the chart shows, for those who do not see it.
        drawn: the lines.
        against: what x is.
        limits: lowest and highest y; with `powers`, exponents of ten.
        zone: from which x to which the ground is shaded.
        levels: heights of dashed lines across, in the colours of the lines.
        markers: mark each point.
        powers: y is drawn by its logarithm.
    """
    right = 18 + LETTER * max(len(line.name) for line in drawn)
    sheet = figure(height=_HEIGHT)
    inner = _HEIGHT - _BELOW - _ABOVE
    axes = sheet.add_axes(
        (_LEFT / WIDTH, _BELOW / _HEIGHT, 1 - (_LEFT + right) / WIDTH, inner / _HEIGHT)
    )
    quiet(axes, grid=True)
    axes.set_ylim(limits)
    axes.set_xlim(min(line.x[0] for line in drawn), max(line.x[-1] for line in drawn))
    if zone:
        axes.axvspan(*zone, color=ZONE, linewidth=0)
    if not powers and limits[0] < 0 < limits[1]:
        axes.axhline(0, color=MUTED, linewidth=0.8)
    ends = []
    for i, line in enumerate(drawn):
        colour = SERIES[i]
        with np.errstate(divide="ignore"):
            y = np.log10(np.maximum(line.y, 0)) if powers else line.y
        axes.plot(
            line.x,
            y,
            color=colour,
            linewidth=1.6,
            linestyle=DASHES[i % len(DASHES)],
            marker=_MARKERS[i] if markers else None,
            markersize=4,
        )
        seen = np.flatnonzero((y >= limits[0]) & (y <= limits[1]))
        ends.append((float(line.x[seen[-1]]), float(y[seen[-1]]), line.name, colour))
    for i, level in enumerate(levels):
        axes.axhline(level, color=SERIES[i], linewidth=0.9, linestyle=(0, (2, 3)))
    if powers:
        ticks = range(int(np.ceil(limits[0])), int(limits[1]) + 1)
        ticks = ticks[:: max(1, len(ticks) // 6)]
        axes.set_yticks(list(ticks), [power(tick) for tick in ticks])
    axes.locator_params(axis="x", integer=markers, nbins=6)
    label_ends(axes, ends, inner)
    axes.set_xlabel(against, color=MUTED)
    return svg(sheet, name, alt)


@page_style()
def paths(
    name: str,
    alt: str,
    curvatures: tuple[float, float],
    drawn: Sequence[tuple[str, Float[np.ndarray, "steps 2"]]],
) -> Markup:
    """Draw ways downhill over the contours of ½(λ₁w₁² + λ₂w₂²).

    Args:
        name: unique on the page.
        alt: what the chart shows, for those who do not see it.
        curvatures: λ₁ along x and λ₂ along y.
        drawn: each way's name, and where it stood before each step.
    """
    height = 250.0
    sheet = figure(height=height)
    axes = sheet.add_axes((50 / WIDTH, 60 / height, 1 - 60 / WIDTH, 1 - 70 / height))
    quiet(axes)
    across, up = np.linspace(-1.15, 1.15, 161), np.linspace(-0.95, 0.95, 133)
    x, y = np.meshgrid(across, up)
    heights = (curvatures[0] * x**2 + curvatures[1] * y**2) / 2
    # Evenly spaced in the root of the height, so that the ellipses are evenly spaced too.
    axes.contour(
        across, up, heights, levels=heights.max() * np.linspace(0.08, 1, 10) ** 2, colors=[RULE]
    )
    for i, (label, way) in enumerate(drawn):
        axes.plot(
            *way.T,
            color=SERIES[i],
            linewidth=1.5,
            linestyle=DASHES[i],
            marker=_MARKERS[i],
            markersize=3.5,
            label=label,
        )
    axes.plot(*drawn[0][1][0], "o", color=INK, markersize=6.5)
    axes.plot(0, 0, "+", color=INK, markersize=9)
    axes.set_xlim(across[0], across[-1])
    axes.set_ylim(up[0], up[-1])
    axes.set_xlabel(f"w₁, curvature {curvatures[0]:g}", color=MUTED)
    axes.set_ylabel(f"w₂, curvature {curvatures[1]:g}", color=MUTED, labelpad=0)
    sheet.legend(
        loc="lower center", ncols=len(drawn), frameon=False, labelcolor=INK, columnspacing=1.2
    )
    return svg(sheet, name, alt)
