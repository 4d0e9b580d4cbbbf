"""A loss over the plane of two weights, with a way downhill drawn upon it."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from penchant.pages import ACCENT, INK, MUTED, SERIES, WIDTH, figure, page_style, quiet, svg

SIDE = 90
"""Points of the grid along each axis."""
SHADES = 12


@page_style()
def surface(
    name: str,
    alt: str,
    height_at: Callable[[Float[np.ndarray, "places 2"]], Float[np.ndarray, " places"]],
    *,
    reach: tuple[tuple[float, float], tuple[float, float]],
    path: Float[np.ndarray, "moments 2"],
    chord: Float[np.ndarray, "2 2"],
) -> Markup:
    """Draw a surface from above: the stronger the colour, the higher.

    Args:
        name: unique on the page.
        alt: what the chart shows, for those who do not see it.
        height_at: the loss at many places.
        reach: lowest and highest value of each weight.
        path: where a descent has been, step by step.
        chord: two places, joined by a dashed line.
    """
    height = 260.0
    sheet = figure(height=height)
    axes = sheet.add_axes((36 / WIDTH, 38 / height, 1 - 48 / WIDTH, 1 - 48 / height))
    quiet(axes)
    across, up = (np.linspace(low, high, SIDE) for low, high in reach)
    places = np.stack(np.meshgrid(across, up), axis=-1)
    heights = height_at(places.reshape(-1, 2)).reshape(SIDE, SIDE)
    levels = np.linspace(heights.min(), heights.max(), SHADES + 1)
    # A veil over all that is higher than each level; shades side by side would show seams.
    for level in levels[1:-1]:
        axes.contourf(
            across,
            up,
            heights,
            levels=[level, np.inf],
            colors=[ACCENT],
            alpha=0.075,
            antialiased=True,
        )
    axes.contour(across, up, heights, levels=levels[1:-1], colors=[ACCENT], linewidths=0.6)
    axes.plot(*chord.T, color=MUTED, linewidth=1.4, linestyle=(0, (5, 3)))
    axes.plot(*path.T, color=SERIES[1], linewidth=1.6, marker="o", markersize=3.2)
    axes.plot(*path[0], "o", color=INK, markersize=7)
    axes.annotate(
        "start", path[0], xytext=(0, 10), textcoords="offset points", ha="center", color=INK
    )
    axes.set_xlim(reach[0])
    axes.set_ylim(reach[1])
    axes.set_xlabel("slope w", color=MUTED)
    axes.set_ylabel("offset b", color=MUTED, labelpad=-2)
    return svg(sheet, name, alt)
