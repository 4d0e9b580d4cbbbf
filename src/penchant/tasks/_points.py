"""Where samples on a regular grid stand: the coordinates that a network is given.

A sample is a cell's centre. The longest side spans [-1, 1] and the others less, so that a unit is
the same length along all.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from penchant.errors import PenchantError

MAX_POINTS = 100_000_000
"""The most points that are asked about at once."""


def lattice(
    shape: Sequence[int],
    *,
    spacing: Sequence[float] | None = None,
    region: Sequence[tuple[float, float]] | None = None,
    scale: float = 1.0,
) -> Float[Tensor, "*counts axes"]:
    r"""Lay a grid over a sampled signal or a part of it, at any resolution.

    .. math:: u_a = (2 p_a - n_a)\, \delta_a / \max_b (n_b \delta_b)

    for a position p in cells, n cells along each axis and their spacing δ.

    Args:
        shape: cells along each axis.
        spacing: a cell's length along each axis; the same for all by default.
        region: from where to where along each axis, in cells; the whole by default.
        scale: new cells a cell, along each axis.

    Returns:
        The coordinates of the new cells' centres, axes in the order of the shape; the new cells
        fill the region exactly.

    Raises:
        PenchantError: a region that is empty or reaches outside, a scale that is not positive, or
            more than 100 million points.

    Example:
        >>> lattice((4,))
        tensor([[-0.7500],
                [-0.2500],
                [ 0.2500],
                [ 0.7500]])
        >>> lattice((2, 2), spacing=(1, 3)).reshape(-1, 2)[0]
        tensor([-0.1667, -0.5000])
    """
    spacings = [1.0] * len(shape) if spacing is None else [float(one) for one in spacing]
    borders = [(0.0, float(n)) for n in shape] if region is None else list(region)
    for (low, high), cells in zip(borders, shape, strict=True):
        if not 0 <= low < high <= cells:
            raise PenchantError(
                f"region={low:g} to {high:g}: an axis of {cells} cells has no such part"
            )
    if not (math.isfinite(scale) and scale > 0):
        raise PenchantError(f"scale={scale}: new cells a cell must be a positive number")
    sides = [max(1.0, (high - low) * scale) for low, high in borders]
    counts = [round(min(side, MAX_POINTS + 1)) for side in sides]
    if math.prod(counts) > MAX_POINTS:
        asked = "×".join(f"{side:.0f}" if side < 1e12 else f"{side:.0e}" for side in sides)
        raise PenchantError(
            f"scale={scale}: {asked} new cells, more than {MAX_POINTS // 10**6} million; take a "
            "smaller scale or region"
        )
    longest = max(n * one for n, one in zip(shape, spacings, strict=True))
    axes = []
    for (low, high), count, cells, length in zip(borders, counts, shape, spacings, strict=True):
        places = low + (torch.arange(count, dtype=torch.float64) + 0.5) * ((high - low) / count)
        axes.append(((2 * places - cells) * length / longest).float())
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def coordinates(
    points: Float[Tensor, "*points 2"], height: int, width: int
) -> Float[Tensor, "*points 2"]:
    r"""Turn positions in pixels into what a network is given.

    .. math:: u = (2x / w - 1) \cdot w / \max(h, w), \qquad v = (2y / h - 1) \cdot h / \max(h, w)

    Args:
        points: (x, y) in pixels from the upper left corner; pixel (column j, row i) has its
            centre at (j + ½, i + ½).
        height: the picture's rows.
        width: the picture's columns.

    Returns:
        (u, v) of the same shape and precision.

    Example:
        >>> coordinates(torch.tensor([[0.0, 0.0], [4.0, 2.0]]), height=2, width=4)
        tensor([[-1.0000, -0.5000],
                [ 1.0000,  0.5000]])
    """
    side = torch.tensor([width, height], dtype=points.dtype)
    return (2 * points - side) / max(height, width)


def grid_coordinates(
    height: int,
    width: int,
    region: tuple[float, float, float, float] | None = None,
    scale: float = 1.0,
) -> Float[Tensor, "rows columns 2"]:
    """Lay a grid over a picture or a part of it, at any resolution.

    Args:
        height: the picture's rows.
        width: the picture's columns.
        region: left, top, right and bottom in the picture's pixels; the whole by default.
        scale: new pixels a pixel, along each side.

    Returns:
        The coordinates of the new pixels' centres; they fill the region exactly.

    Raises:
        PenchantError: a region that is empty or reaches outside, a scale that is not positive,
            or a grid above 100 megapixels.

    Example:
        >>> grid_coordinates(2, 2, region=(0, 0, 1, 2), scale=2).shape
        torch.Size([4, 2, 2])
    """
    left, top, right, bottom = region or (0.0, 0.0, width, height)
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise PenchantError(
            f"region={left:g},{top:g},{right:g},{bottom:g}: left, top, right, bottom must enclose "
            f"a part of the picture's {width}×{height} pixels"
        )
    borders = ((top, bottom), (left, right))
    return lattice((height, width), region=borders, scale=scale).flip(-1)


def pixel_coordinates(height: int, width: int) -> Float[Tensor, "pixels 2"]:
    """Return the coordinates of every pixel's centre, row by row.

    Args:
        height: rows.
        width: columns.

    Returns:
        (u, v): u along the columns, v along the rows; the longer side spans [-1, 1].

    Example:
        >>> pixel_coordinates(1, 2)
        tensor([[-0.5000,  0.0000],
                [ 0.5000,  0.0000]])
    """
    return grid_coordinates(height, width).reshape(-1, 2)
