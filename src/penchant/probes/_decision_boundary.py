r"""Where a classifier of points in the plane changes its mind: how long that line is, and how bent.

Decisions:
- The boundary is the zero of the difference of two logits, found on a grid (marching squares); each
  vertex is then brought onto it by halving its edge of the grid, so that what is measured is a
  polygon inscribed in the true curve. Its length comes to the curve's from below.
- Curvature by the formula of level sets, div(∇f/|∇f|), is 0 almost everywhere on a network of
  rectifiers, whose boundary turns at kinks alone. Total curvature as Milnor defined it, the
  supremum of an inscribed polygon's turning angles, serves smooth curves and kinks alike.
- Vertices that a grid puts close together say nothing of an angle. So of all vertices
  those are taken between which the polygon's sides have about a declared length, `scale`: what is
  finer is not counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.probes._finding import Finding
from penchant.probes._layers import tensors_in, without_trace
from penchant.probes._passes import check_network
from penchant.probes._segments import checked_count, like_weights

Curve = Float[np.ndarray, "_ 2"]
"""Vertices in order; the first again at the end where it is closed."""
Box = tuple[tuple[float, float], tuple[float, float]]
"""From and to along the first coordinate, and along the second."""

SIDES = 64
"""Sides of the usual scale along the box's longer side."""
HALVINGS = 20
UNSETTLED = 0.05
"""Share of the length by which a grid of half as many cells may be off."""
_BLOCK = 8192  # points at once
_LEAST = 1e-30  # in place of a 0; a square of it is no 0 yet


@dataclass(frozen=True, eq=False)
class DecisionBoundary:
    """A decision boundary within a box."""

    curves: tuple[Curve, ...]
    """Its pieces, in the plane's own units."""
    scale: float
    """The side of the polygon whose turning is counted."""
    unsettled: float
    """By which share the length changes on a grid of half as many cells."""

    @cached_property
    def length(self) -> float:
        """Of all pieces, in units of the plane."""
        return float(sum(_lengths(curve)[-1] for curve in self.curves))

    @cached_property
    def turning(self) -> float:
        """Total absolute curvature ∫|κ| ds of all pieces, in radians: 2π of anything convex."""
        return sum(_turning(curve, self.scale) for curve in self.curves)

    @property
    def curvature(self) -> float:
        """Mean absolute curvature, turning over length, in radians per unit; nan of no boundary."""
        return self.turning / self.length if self.length else math.nan

    @property
    def pieces(self) -> int:
        """How many there are: islands, and lines from border to border."""
        return len(self.curves)

    @property
    def sentence(self) -> str:
        """The outcome in a sentence."""
        if not self.curves:
            return "there is no decision boundary in the box: one class has all of it"
        return (
            f"the decision boundary is {self.length:.3g} units long in {self.pieces} "
            f"{'piece' if self.pieces == 1 else 'pieces'} and turns by {self.turning:.3g} radians "
            f"({self.curvature:.3g} a unit) at a scale of {self.scale:.3g}"
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """A grid too coarse for what it should show."""
        if self.unsettled <= UNSETTLED:
            return ()
        return (
            Finding(
                "undersampled",
                "the decision boundary",
                f"its length changes by {self.unsettled:.0%} on a grid of half as many cells "
                f"(undersampled: above {UNSETTLED:.0%}); take more cells",
            ),
        )

    def __str__(self) -> str:
        return "\n".join([self.sentence, *(f"- {finding}" for finding in self.findings)])


def decision_boundary(
    network: nn.Module,
    box: Box = ((-1.0, 1.0), (-1.0, 1.0)),
    *,
    cells: int = 256,
    scale: float | None = None,
) -> DecisionBoundary:
    r"""Measure the decision boundary of a classifier of points in the plane.

    .. math:: B = \{x : f(x) = 0\},\ f = z_1 - z_0, \qquad L = \int_B ds, \qquad
              T = \int_B |\kappa|\,ds = \sup_{P \subset B} \sum_i |\angle_i(P)|

    over polygons P inscribed in B; here P has sides of about `scale`, so T grows to the integral as
    the scale shrinks, kinks count with their angle, and bends finer than the scale do not count. A
    piece that is closed and convex turns by 2π, whatever the scale. The network is taken in the
    mode it is in, and nothing of it changes.

    Args:
        network: from points (n, 2) to the logits (n, 2) of two classes, or to one logit (n, 1) or
            (n,), whose boundary is at 0. Of several classes, give a module that answers the
            largest of one side's logits less the largest of the other's.
        box: where to look: from and to along each coordinate.
        cells: of the grid, along each coordinate. Islands within a cell are not seen.
        scale: side of the polygon that turning is measured on, in units of the plane; a 64th of the
            box's longer side when not given. At least twice a cell's side would fit.

    Returns:
        The boundary's pieces, with length, turning and mean curvature.

    Raises:
        PenchantError: no module, a box or number that does not fit, or answers that are not finite
            or of another number of classes.

    Example:
        >>> class Disc(nn.Module):
        ...     def forward(self, x):
        ...         return 0.5 - x.norm(dim=1)
        >>> found = decision_boundary(Disc())
        >>> round(found.length / np.pi, 3), round(found.turning / np.pi, 3), found.pieces
        (1.0, 2.0, 1)
        >>> round(found.curvature, 2)
        2.0

    Source: Milnor, "On the total curvature of knots", 1950; Lorensen and Cline, "Marching cubes",
    1987.
    """
    check_network("decision_boundary", network)
    starts, sides = _checked(box)
    cells = checked_count("decision_boundary(cells", cells, 4)
    least = 2 * max(sides) / cells
    scale = max(max(sides) / SIDES, least) if scale is None else scale
    if not least <= scale < math.inf:
        raise PenchantError(
            f"decision_boundary(scale={scale!r}): needs a number of at least {least:g}, twice a "
            f"cell's side with cells={cells}, since angles between closer points are rounding"
        )
    step = np.asarray(sides) / cells
    nodes = np.stack(np.meshgrid(*[np.arange(cells + 1.0)] * 2, indexing="ij"), axis=-1)
    values = _logits(network, starts + step * nodes.reshape(-1, 2)).reshape(cells + 1, cells + 1)
    curves, rougher = _contours(values), _contours(values[::2, ::2])
    fine, rough = (sum(_lengths(c * step)[-1] for c in found) for found in (curves, rougher))
    return DecisionBoundary(
        curves=_refined(network, curves, values, starts, step),
        scale=float(scale),
        unsettled=float(abs(2 * rough / fine - 1)) if fine else 0.0,
    )


def _checked(box: Box) -> tuple[Float[np.ndarray, "2"], tuple[float, float]]:
    """Return the box's lower corner and its sides."""
    try:
        edges = np.asarray(box, dtype=np.float64)
    except (TypeError, ValueError):
        edges = np.empty(0)
    fits = edges.shape == (2, 2) and bool(np.isfinite(edges).all())
    if not fits or not (edges[:, 0] < edges[:, 1]).all():
        raise PenchantError(
            f"decision_boundary(box={box!r}): needs from and to along each coordinate, such as "
            "((-1, 1), (-1, 1))"
        )
    return edges[:, 0], (float(edges[0, 1] - edges[0, 0]), float(edges[1, 1] - edges[1, 0]))


def _logits(network: nn.Module, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    """Return f at points; where the logits are equal the first class has them, as in argmax."""
    asked = like_weights(network, torch.from_numpy(points))
    found = []
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        with torch.no_grad(), without_trace(network) as forward:
            answers = tensors_in(forward(block))
        found.append(_difference(answers[0] if answers else None, len(block)))
    values = torch.cat(found).double().cpu().numpy()
    return np.where(values == 0, -_LEAST, values)


def _difference(answer: Tensor | None, count: int) -> Float[Tensor, " n"]:
    shape = None if answer is None else tuple(answer.shape)
    if answer is None or shape not in {(count,), (count, 1), (count, 2)}:
        raise PenchantError(
            f"decision_boundary: {count} points are answered with shape {shape}; "
            f"({count}, 2), the logits of two classes, or ({count}, 1), one logit, would fit"
        )
    if not bool(answer.isfinite().all()):
        raise PenchantError("decision_boundary: the answers are not all finite")
    return answer[:, 1] - answer[:, 0] if shape == (count, 2) else answer.reshape(-1)


def _contours(values: Float[np.ndarray, "rows columns"]) -> list[Curve]:
    """Find the zero on a grid, in units of its cells; each vertex lies on an edge of the grid."""
    from skimage.measure import find_contours

    return list(find_contours(values, 0.0))  # type: ignore[no-untyped-call]


def _refined(
    network: nn.Module,
    curves: Sequence[Curve],
    values: Float[np.ndarray, "rows columns"],
    starts: Float[np.ndarray, "2"],
    step: Float[np.ndarray, "2"],
) -> tuple[Curve, ...]:
    """Bring all vertices onto the boundary, each along its edge of the grid."""
    if not curves:
        return ()
    vertices = np.concatenate(curves)
    low, high = np.floor(vertices), np.ceil(vertices)
    rows, columns = low.astype(int).T
    first = values[rows, columns]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        same = (_logits(network, starts + step * middle) * first > 0)[:, None]
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    exact = starts + step * (low + high) / 2
    ends = np.cumsum([len(curve) for curve in curves])
    return tuple(exact[end - len(curve) : end] for curve, end in zip(curves, ends, strict=True))


def _lengths(curve: Curve) -> Float[np.ndarray, " vertices"]:
    """The length of a curve up to each of its vertices."""
    return np.concatenate([[0.0], np.hypot(*np.diff(curve, axis=0).T).cumsum()])


def _turning(curve: Curve, scale: float) -> float:
    """Sum the absolute angles of a polygon inscribed in a curve, with sides of about `scale`."""
    along = _lengths(curve)
    closed = bool((curve[0] == curve[-1]).all())
    sides = max(3 if closed else 1, round(along[-1] / scale))
    wanted = np.linspace(0, along[-1], sides + 1)
    after = np.searchsorted(along, wanted).clip(1, len(along) - 1)
    chosen = np.unique(
        np.where(wanted - along[after - 1] < along[after] - wanted, after - 1, after)
    )
    edges = np.diff(curve[chosen], axis=0)
    edges = edges[np.abs(edges).max(axis=1) > 0]
    if closed:
        edges = np.concatenate([edges, edges[:1]])
    (x, y), (u, v) = edges[:-1].T, edges[1:].T
    return float(np.abs(np.arctan2(x * v - y * u, x * u + y * v)).sum())
