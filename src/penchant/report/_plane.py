"""Classifiers of points in the plane: the regions that they make, beside the true boundary."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from penchant.pages import quantity
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.report._signals import told_apart
from penchant.study import PlaneMap, Results

SIDE = 100
"""Of a picture, in its own units."""
MOST_POINTS = 400
_TOLERANCE = 0.1
"""By which a drawn line may be off, in units of the picture."""


@dataclass(frozen=True)
class PlanePanel:
    """One picture: the region of class 1 and the boundary, as paths of an SVG."""

    design: str
    region: str
    boundary: str
    score: str
    facts: str
    alt: str


@dataclass(frozen=True)
class PlaneWall:
    """One shape: what training saw, the truth, and what each design makes of it."""

    signal: str
    inside: str
    outside: str
    left_out: int
    """Points that are not drawn."""
    panels: tuple[PlanePanel, ...]
    """The truth's first."""


def planes(results: Results, designs: Sequence[str]) -> tuple[PlaneWall, ...]:
    """Draw a study's maps of the plane.

    Args:
        results: the study.
        designs: labels in the order of display.
    """
    short = told_apart(reading.signals(results))[1]
    by_signal: dict[str, dict[str, PlaneMap]] = {}
    for shown in results.planes:
        by_signal.setdefault(shown.signal, {})[shown.design] = shown
    walls = []
    for signal, group in by_signal.items():
        maps = [group[design] for design in ("", *designs) if design in group]
        walls.append(_wall(results, short.get(signal) or signal, maps))
    return tuple(walls)


def _wall(results: Results, signal: str, maps: Sequence[PlaneMap]) -> PlaneWall:
    points, inside = maps[0].points[:MOST_POINTS], maps[0].labels[:MOST_POINTS] == 1
    return PlaneWall(
        signal,
        _dots(points, inside),
        _dots(points, ~inside),
        len(maps[0].points) - len(points),
        tuple(_panel(results, signal, shown) for shown in maps),
    )


def _panel(results: Results, signal: str, shown: PlaneMap) -> PlanePanel:
    # Beyond the border nothing is inside, so that regions are closed along it.
    closed = np.pad(shown.values, 1, constant_values=-1e-9)
    score, facts = _said(results, shown)
    whose = f"as {shown.design} divides it" if shown.design else "and its true boundary"
    return PlanePanel(
        shown.design,
        _path(closed, offset=1),
        _path(shown.values, offset=0),
        score,
        facts,
        f"{signal} {whose}{f', {score}' if score else ''}",
    )


def _said(results: Results, shown: PlaneMap) -> tuple[str, str]:
    """A run's score, and how its boundary differs from the true one."""
    for run in results.runs:
        if (run.signal, run.design, run.seed) == (shown.signal, shown.design, shown.seed):
            value = run.metrics.get(results.metric, np.nan)
            score = quantity(value, words.decimals(results), words.unit(results))
            longer, turned = (
                run.metrics.get(f"boundary_{name}_excess", np.nan) for name in ("length", "turning")
            )
            facts = f"length {longer:+.0f}\0%, {turned:+.1f}\0turns".replace("-", "−")
            return score, facts.replace("\0", words.NO_BREAK)
    return "", ""


def _path(values: Float[np.ndarray, "x y"], offset: int) -> str:
    """The zero of a grid as a path; first axis to the right, second upwards."""
    from skimage.measure import approximate_polygon, find_contours

    cells = len(values) - 1 - 2 * offset
    parts = []
    filled = np.where(values == 0, -1e-12, values)
    for curve in find_contours(filled, 0.0):  # type: ignore[no-untyped-call]
        drawn = ((curve - offset) * (SIDE / cells)).clip(0, SIDE)
        drawn = approximate_polygon(drawn, _TOLERANCE)  # type: ignore[no-untyped-call]
        parts.append("M" + "L".join(f"{x:.1f} {SIDE - y:.1f}" for x, y in drawn))
    return "".join(parts)


def _dots(points: Float[np.ndarray, "n 2"], chosen: Bool[np.ndarray, " n"]) -> str:
    """Points as strokes of no length, which round or square ends make visible."""
    places = (points[chosen] + 1) * (SIDE / 2)
    return "".join(f"M{x:.1f} {SIDE - y:.1f}h0" for x, y in places)
