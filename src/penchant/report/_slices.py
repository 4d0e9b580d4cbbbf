"""A volume on paper: its three middle slices, side by side."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from penchant.study import Reconstruction

_GAP = 1
"""White pixels between two slices."""

_LONGEST = 512
"""Pixels along the longest side, at most, where voxels have to be drawn larger than one."""


def slices(
    volume: Float[np.ndarray, "i j k channels"], spacing: Sequence[float] = ()
) -> Float[np.ndarray, "rows columns shown"]:
    """Put the middle slices across k, j and i side by side.

    A slice's first axis runs down and its second to the right. Of channels that are no colours the
    first is shown.

    Args:
        volume: its values.
        spacing: a voxel's length along each axis, so that shapes look as they are: the shortest is
            a pixel and longer ones are repeated. By default a voxel is a pixel.

    Example:
        >>> slices(np.zeros((4, 5, 6, 2))).shape
        (5, 19, 1)
        >>> slices(np.zeros((4, 5, 6, 2)), (1.0, 1.0, 2.5)).shape
        (5, 37, 1)
    """
    shown = volume if volume.shape[3] in (1, 3) else volume[..., :1]
    i, j, k = (side // 2 for side in shown.shape[:3])
    down, across, deep = map(_places, shown.shape, _pixels(shown.shape[:3], spacing))
    parts = [
        shown[:, :, k][np.ix_(down, across)],
        shown[:, j][np.ix_(down, deep)],
        shown[i][np.ix_(across, deep)],
    ]
    rows = max(len(part) for part in parts)
    wide = [
        np.pad(part, ((0, rows - len(part)), (0, _GAP), (0, 0)), constant_values=1)
        for part in parts
    ]
    return np.concatenate(wide, axis=1)[:, :-_GAP]


def _pixels(sides: Sequence[int], spacing: Sequence[float]) -> list[int]:
    """Say how many pixels each side of a volume takes."""
    if len(set(spacing)) < 2:
        return list(sides)
    lengths = [side * voxel for side, voxel in zip(sides, spacing, strict=True)]
    pixel = max(min(spacing), max(lengths) / max(_LONGEST, *sides))
    return [max(1, round(length / pixel)) for length in lengths]


def _places(side: int, pixels: int) -> list[int]:
    """Say which voxel each pixel shows."""
    return [(2 * pixel + 1) * side // (2 * pixels) for pixel in range(pixels)]


def on_paper(shown: Reconstruction) -> Reconstruction | None:
    """Return what a gallery shows of a reconstruction: a picture, or nothing."""
    if shown.kind == "volume":
        return replace(shown, values=slices(shown.values, shown.spacing))
    return None if shown.kind == "sound" else shown
