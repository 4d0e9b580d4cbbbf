"""A volume on paper: its three middle slices, side by side."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from penchant.study import Reconstruction

_GAP = 1
"""White voxels between two slices."""


def slices(
    volume: Float[np.ndarray, "i j k channels"],
) -> Float[np.ndarray, "rows columns shown"]:
    """Put the middle slices across k, j and i side by side, a voxel a pixel.

    A slice's first axis runs down and its second to the right. Of channels that are no colours the
    first is shown.

    Example:
        >>> slices(np.zeros((4, 5, 6, 2))).shape
        (5, 19, 1)
    """
    shown = volume if volume.shape[3] in (1, 3) else volume[..., :1]
    i, j, k = (side // 2 for side in shown.shape[:3])
    parts = [shown[:, :, k], shown[:, j], shown[i]]
    rows = max(len(part) for part in parts)
    wide = [
        np.pad(part, ((0, rows - len(part)), (0, _GAP), (0, 0)), constant_values=1)
        for part in parts
    ]
    return np.concatenate(wide, axis=1)[:, :-_GAP]


def on_paper(shown: Reconstruction) -> Reconstruction | None:
    """Return what a gallery shows of a reconstruction: a picture, or nothing."""
    if shown.kind in ("picture", "mesh"):
        return shown
    return replace(shown, values=slices(shown.values)) if shown.kind == "volume" else None
