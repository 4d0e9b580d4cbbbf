"""Surfaces of what networks answer: marching cubes, points on them, and how far they lie apart."""

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64

Surface = tuple[Float64[np.ndarray, "vertices 3"], Int64[np.ndarray, "faces 3"]]
"""Vertices and faces; none where there is no surface."""

_PAIRS = 1 << 18
"""Pairs of points and faces at once."""


def surface(answers: Float[np.ndarray, "side side side"]) -> Surface:
    """Return where answers on a grid over the cube [-1, 1]³ pass zero, closed at its borders.

    Args:
        answers: at cells' centres, positive inside.

    Returns:
        The surface in the cube's coordinates, looking outward.

    Example:
        >>> x, y, z = np.mgrid[-0.9:0.9:10j, -0.9:0.9:10j, -0.9:0.9:10j]
        >>> vertices, faces = surface(0.6 - np.sqrt(x**2 + y**2 + z**2))
        >>> float(np.linalg.norm(vertices, axis=1).round(1).min()), len(vertices) - len(faces) // 2
        (0.6, 2)

    Source: Lewiner, Lopes, Vieira, Tavares, "Efficient implementation of marching cubes' cases with
    topological guarantees", 2003.
    """
    from skimage.measure import marching_cubes

    padded = np.pad(answers.astype(np.float32), 1, constant_values=-1)
    if not padded.max() > 0:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    found = marching_cubes(padded, level=0.0, gradient_direction="ascent")  # type: ignore[no-untyped-call]
    vertices, faces = found[0].astype(np.float64), found[1].astype(np.int64)
    return (vertices - 0.5) * (2 / len(answers)) - 1, faces


def on_surface(
    one: Surface, count: int, draws: torch.Generator
) -> tuple[Float64[np.ndarray, "points 3"], Int64[np.ndarray, " points"]]:
    """Draw points uniformly on a surface.

    Returns:
        The points, and the face that each lies on.
    """
    vertices, faces = one
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1).cumsum()
    pick, u, v = torch.rand((3, count), generator=draws, dtype=torch.float64).numpy()
    face = np.searchsorted(areas, pick * areas[-1], side="right").clip(0, len(faces) - 1)
    # Uniform in a triangle: Osada et al., "Shape distributions", 2002.
    root = np.sqrt(u)[:, None]
    points = (1 - root) * a[face] + root * ((1 - v[:, None]) * b[face] + v[:, None] * c[face])
    return points, face


def distances(
    points: Float64[np.ndarray, "points 3"], one: Surface
) -> Float64[np.ndarray, " points"]:
    """Return each point's distance from a surface, exactly.

    A face is asked only if its middle is nearer than the nearest one's face allows.

    Example:
        >>> square = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
        >>> distances(np.array([[0.2, 0.2, 0.5], [0, -2, 0], [1, 1, 0]]), square).round(4)
        array([0.5   , 2.    , 0.7071])
    """
    from scipy.spatial import cKDTree

    corners = one[0][one[1]]
    middles = corners.mean(axis=1)
    reach = np.linalg.norm(corners - middles[:, None], axis=2).max()
    tree = cKDTree(middles)
    nearest = tree.query(points)[1]
    found = _to_triangles(points, corners[nearest])
    step = 2048
    for first in range(0, len(points), step):
        part = points[first : first + step]
        near = tree.query_ball_point(part, found[first : first + step] + reach)
        counts = np.array([len(one) for one in near])
        point = np.repeat(np.arange(len(part)), counts)
        face = np.concatenate([np.array(one, np.int64) for one in near])
        for start in range(0, len(face), _PAIRS):
            pairs = slice(start, start + _PAIRS)
            apart = _to_triangles(part[point[pairs]], corners[face[pairs]])
            np.minimum.at(found, first + point[pairs], apart)
    return found


def _to_triangles(
    points: Float64[np.ndarray, "pairs 3"], corners: Float64[np.ndarray, "pairs 3 3"]
) -> Float64[np.ndarray, " pairs"]:
    """Return the distance of each point from its triangle: of its plane, or of the nearest side."""
    a = corners[:, 0]
    across = np.cross(corners[:, 1] - a, corners[:, 2] - a)
    length = np.linalg.norm(across, axis=1)
    nearest = np.full(len(points), np.inf)
    inside = length > 0
    for side in range(3):
        tail, head = corners[:, side], corners[:, (side + 1) % 3]
        along, out = head - tail, points - tail
        square = np.einsum("pi,pi->p", along, along)
        share = np.einsum("pi,pi->p", out, along) / np.where(square > 0, square, 1)
        foot = out - share.clip(0, 1)[:, None] * along
        nearest = np.minimum(nearest, np.linalg.norm(foot, axis=1))
        inside &= np.einsum("pi,pi->p", np.cross(along, out), across) >= 0
    height = np.abs(np.einsum("pi,pi->p", points - a, across)) / np.where(length > 0, length, 1)
    return np.where(inside, height, nearest)
