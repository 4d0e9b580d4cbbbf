"""Inside or outside of a closed mesh, exactly.

A point's winding number is counted along the ray upward from it: each face above adds one if it
looks up and takes one if it looks down. Which faces a ray passes is asked in the plane below,
where an edge that two faces share gives the same answer to both, so that a ray along an edge or
through a corner is counted once. The answer is exact but for points within rounding of the
surface. Faces are kept by columns, so that a point asks few of them.
"""

import numpy as np
from jaxtyping import Float64, Int64

from penchant.tasks._mesh import Mesh

_PAIRS = 1 << 19
"""Pairs of points and faces at once."""

_CROWDED = 16
"""Columns a face may stand in, on average."""


class Winding:
    r"""Winding numbers of a mesh.

    .. math:: w(p) = \sum_{f\ \text{above}\ p} \operatorname{wind}_2(f, p)

    Args:
        mesh: whose surface it is.

    Source: Jacobson, Kavan, Sorkine-Hornung, "Robust inside-outside segmentation using generalized
    winding numbers", 2013, whose number this is on closed meshes.

    Example:
        >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        >>> mesh = Mesh("corner", corners, np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]))
        >>> Winding(mesh).numbers(np.array([[0.2, 0.2, 0.2], [0.4, 0.4, 0.4]]))
        array([1, 0])
    """

    def __init__(self, mesh: Mesh) -> None:
        self._vertices, self._faces = mesh.vertices, mesh.faces
        flat = mesh.vertices[mesh.faces][:, :, :2]
        self._low, high = flat.min(axis=(0, 1)), flat.max(axis=(0, 1))
        self._side = max(1, min(1024, round(len(mesh.faces) ** 0.5)))
        self._size = high - self._low
        while True:
            first, last = self._columns(flat.min(axis=1)), self._columns(flat.max(axis=1))
            wide = last - first + 1
            each = wide.prod(axis=1)
            if self._side == 1 or each.sum() <= _CROWDED * len(flat):
                break
            self._side //= 2
        face, within = _spread(each)
        column = first[face] + np.stack([within // wide[face, 1], within % wide[face, 1]], axis=1)
        number = column[:, 0] * self._side + column[:, 1]
        self._order = face[np.argsort(number, kind="stable")]
        counts = np.bincount(number, minlength=self._side**2)
        self._counts, self._starts = counts, np.cumsum(counts) - counts

    def numbers(self, points: Float64[np.ndarray, "points 3"]) -> Int64[np.ndarray, " points"]:
        """Return how often the surface goes around each point: 0 outside."""
        numbers = np.zeros(len(points), np.int64)
        beside = ((points[:, :2] < self._low) | (points[:, :2] > self._low + self._size)).any(
            axis=1
        )
        asked = np.flatnonzero(~beside)
        column = self._columns(points[asked, :2])
        place = column[:, 0] * self._side + column[:, 1]
        ends = np.cumsum(self._counts[place])
        first = 0
        while first < len(asked):
            before = ends[first - 1] if first else 0
            last = max(first + 1, int(np.searchsorted(ends, before + _PAIRS, side="right")))
            part = slice(first, last)
            numbers[asked[part]] = self._asked(points[asked[part]], place[part])
            first = last
        return numbers

    def _columns(self, flat: Float64[np.ndarray, "points 2"]) -> Int64[np.ndarray, "points 2"]:
        cells = (flat - self._low) / self._size * self._side
        columns: Int64[np.ndarray, "points 2"] = cells.astype(np.int64).clip(0, self._side - 1)
        return columns

    def _asked(
        self, points: Float64[np.ndarray, "points 3"], place: Int64[np.ndarray, " points"]
    ) -> Int64[np.ndarray, " points"]:
        point, within = _spread(self._counts[place])
        faces = self._faces[self._order[self._starts[place][point] + within]]
        x, y, z = points[point].T
        wind = np.zeros(len(point), np.int64)
        for corner in range(3):
            wind += self._passed(faces[:, corner], faces[:, (corner + 1) % 3], x, y)
        hit = np.flatnonzero(wind)
        a, b, c = (self._vertices[faces[hit, corner]] for corner in range(3))
        across = np.cross(b - a, c - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            lean = across[:, 0] * (x[hit] - a[:, 0]) + across[:, 1] * (y[hit] - a[:, 1])
            above = a[:, 2] - lean / across[:, 2] > z[hit]
        found = np.bincount(point[hit], weights=wind[hit] * above, minlength=len(points))
        return found.astype(np.int64)

    def _passed(
        self,
        tail: Int64[np.ndarray, " pairs"],
        head: Int64[np.ndarray, " pairs"],
        x: Float64[np.ndarray, " pairs"],
        y: Float64[np.ndarray, " pairs"],
    ) -> Int64[np.ndarray, " pairs"]:
        """Return 1 where an edge passes upward to the right of a point, -1 downward, else 0."""
        # Always from the lower index, so that both faces of an edge compute the same number.
        low, high = (
            self._vertices[end, :2] for end in (np.minimum(tail, head), np.maximum(tail, head))
        )
        below = low[:, 1] <= y, high[:, 1] <= y
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (y - low[:, 1]) / (high[:, 1] - low[:, 1])
            right = low[:, 0] + share * (high[:, 0] - low[:, 0]) > x
        upward = np.where(below[0] == (tail < head), 1, -1)
        passed: Int64[np.ndarray, " pairs"] = upward * ((below[0] != below[1]) & right)
        return passed


def _spread(
    counts: Int64[np.ndarray, " groups"],
) -> tuple[Int64[np.ndarray, " members"], Int64[np.ndarray, " members"]]:
    """Return each member's group, and its place within it."""
    group = np.repeat(np.arange(len(counts)), counts)
    return group, np.arange(len(group)) - (np.cumsum(counts) - counts)[group]
