"""How a surface looks: views all around it in plain grey, for a report."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64

from penchant.randomness import generator
from penchant.tasks._surface import Surface, on_surface

SIDE = 160
"""Pixels along each view."""

_POINTS = 400_000
"""Points drawn on a surface: some ten a pixel that it covers, so that no hole is left."""

_LIGHT = np.array([0.3, 0.5, 0.8])

TURNTABLE: Mapping[str, tuple[float, float]] = {
    f"{turn}°": (0.5 + np.deg2rad(turn), 0.35) for turn in range(0, 360, 45)
}
"""Turns about the upright axis and down from the level, in radians, by what a report calls them."""


def turntable(found: Surface) -> dict[str, Float[np.ndarray, "rows columns 1"]]:
    """Draw a surface from all around; see `shaded`."""
    return dict(zip(TURNTABLE, shaded(found, list(TURNTABLE.values())), strict=True))


def shaded(
    found: Surface, views: Sequence[tuple[float, float]]
) -> list[Float[np.ndarray, "rows columns 1"]]:
    """Draw views of a surface in the cube [-1, 1]³, y upright.

    Points drawn evenly on the surface are put where they are seen, the nearest above the others,
    as light as they face the light; what is not seen is white.

    Args:
        found: vertices and faces; none give empty pictures.
        views: turns about y, then down, in radians.

    Returns:
        A grey picture in [0, 1] a view.

    Example:
        >>> square = np.array([[-1.0, -1, 0], [1, -1, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
        >>> shaded(square, [(0.0, 0.0)])[0].shape
        (160, 160, 1)
    """
    vertices, faces = found
    if not len(faces):
        return [np.ones((SIDE, SIDE, 1), np.float32) for _ in views]
    points, face = on_surface(found, _POINTS, generator(0, "mesh/shaded"))
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    across = np.cross(b - a, c - a)
    length = np.linalg.norm(across, axis=1, keepdims=True)
    normals = (across / np.where(length > 0, length, 1))[face]
    return [_seen(points @ turn.T, normals @ turn.T)[..., None] for turn in map(_turned, views)]


def _turned(view: tuple[float, float]) -> Float64[np.ndarray, "3 3"]:
    (about, down), zero = view, 0.0
    upright = [[np.cos(about), zero, -np.sin(about)], [zero, 1, zero]]
    upright.append([np.sin(about), zero, np.cos(about)])
    lower = [[1, zero, zero], [zero, np.cos(down), -np.sin(down)]]
    lower.append([zero, np.sin(down), np.cos(down)])
    return np.array(lower) @ np.array(upright)


def _seen(
    points: Float64[np.ndarray, "points 3"], normals: Float64[np.ndarray, "points 3"]
) -> Float[np.ndarray, "rows columns"]:
    """Look along -z, so that the largest z is nearest."""
    light = 0.25 + 0.7 * (normals @ (_LIGHT / np.linalg.norm(_LIGHT))).clip(0, 1)
    # A cube's corners reach √3 from its middle, but shapes seldom fill them.
    place = ((points[:, :2] / 1.25 + 1) * SIDE / 2).astype(int)
    order = np.argsort(points[:, 2], kind="stable")
    within = np.logical_and(place >= 0, place < SIDE).all(axis=1)
    order = order[np.asarray(within)[order]]
    picture = np.ones((SIDE, SIDE), np.float32)
    # Of several values for one pixel numpy keeps the last, which is the nearest.
    picture[SIDE - 1 - place[order, 1], place[order, 0]] = light[order]
    return picture
