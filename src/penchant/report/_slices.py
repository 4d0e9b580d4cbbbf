"""A volume on paper: its three middle slices, side by side."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from penchant.study import Reconstruction

_GAP = 1
"""White pixels between two slices; what is left below a lower one is black."""

_LONGEST = 512
"""Pixels along the longest side, at most, where voxels have to be drawn larger than one."""

_SAME = 1.02
"""Ratio of voxels' lengths that nobody sees, while a row drawn twice is seen."""


def slices(
    volume: Float[np.ndarray, "i j k channels"],
    spacing: Sequence[float] = (),
    affine: Sequence[Sequence[float]] | None = None,
) -> Float[np.ndarray, "rows columns shown"]:
    """Put the middle slices across k, j and i side by side.

    A slice's first axis runs down and its second to the right. Where it is known how the volume
    lies in space, its axes are first turned to the nearest ones there (x, y, z: of a body in NIfTI
    to its right, its front and upwards), and slices are drawn as a plane's axes are, the first to
    the right and the second upwards: axial, coronal and sagittal, upright. Of channels that are no
    colours the first is shown.

    Args:
        volume: its values.
        spacing: a voxel's length along each axis, so that shapes look as they are: the shortest is
            a pixel and longer ones are repeated. By default a voxel is a pixel.
        affine: from a voxel's indices to its place.

    Example:
        >>> slices(np.zeros((4, 5, 6, 2))).shape
        (5, 19, 1)
        >>> slices(np.zeros((4, 5, 6, 2)), (1.0, 1.0, 2.5)).shape
        (5, 37, 1)
        >>> slices(np.zeros((4, 5, 6, 2)), (1.0, 1.0, 1.0), np.eye(4)).shape
        (6, 15, 1)
    """
    lengths = list(spacing) or [1.0, 1.0, 1.0]
    shown = volume if volume.shape[3] in (1, 3) else volume[..., :1]
    if affine is not None:
        shown, lengths = _turned(shown, lengths, np.array(affine))
    i, j, k = (side // 2 for side in shown.shape[:3])
    first, second, third = map(_places, shown.shape, _pixels(shown.shape[:3], lengths))
    parts = [
        shown[:, :, k][np.ix_(first, second)],
        shown[:, j][np.ix_(first, third)],
        shown[i][np.ix_(second, third)],
    ]
    if affine is not None:
        parts = [part.swapaxes(0, 1)[::-1] for part in parts]
    rows = max(len(part) for part in parts)
    high = [np.pad(part, ((0, rows - len(part)), (0, 0), (0, 0))) for part in parts]
    gap = np.ones((rows, _GAP, shown.shape[3]), shown.dtype)
    return np.concatenate([high[0], gap, high[1], gap, high[2]], axis=1)


def _turned(
    volume: Float[np.ndarray, "i j k channels"],
    spacing: Sequence[float],
    affine: Float[np.ndarray, "4 4"],
) -> tuple[Float[np.ndarray, "x y z channels"], list[float]]:
    """Turn a volume's axes to the nearest ones in space, and its spacing with them."""
    from nibabel.orientations import apply_orientation, io_orientation

    orientation = io_orientation(affine)  # type: ignore[no-untyped-call]
    order = np.argsort(orientation[:, 0])
    turned = apply_orientation(volume, orientation)  # type: ignore[no-untyped-call]
    return turned, [spacing[axis] for axis in order]


def _pixels(sides: Sequence[int], spacing: Sequence[float]) -> list[int]:
    """Say how many pixels each side of a volume takes."""
    if max(spacing) < _SAME * min(spacing):
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
        return replace(shown, values=slices(shown.values, shown.spacing, shown.affine))
    return None if shown.kind == "sound" else shown
