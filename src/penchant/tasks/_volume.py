"""Volumes from files, as numbers in [0, 1], reduced by averaging.

Values are mapped from their own range, lowest to 0 and highest to 1, and the range is kept, so
that what a network answers can be given back in the file's own numbers. A file is walked through
in slabs, so that it never stands in memory as floats unless that is the size asked for.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped

from penchant.errors import PenchantError
from penchant.tasks._picture import _area_weights
from penchant.tasks._values import check_unit, read_only
from penchant.tasks._volume_files import Placed, ending, read

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MAX_NUMBERS = 20_000_000
"""The most voxels times channels that are kept: each takes about 60 bytes where it is asked."""

_SLAB = 1 << 20  # numbers


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume as numbers: what is reconstructed.

    Attributes:
        name: the file's name without its ending.
        values: float32 in [0, 1], read only.
        low: the file's value that 0 stands for.
        high: the file's value that 1 stands for.
        placed: how these voxels lie in space: spacing, units, affine.
        dtype: the type of the file's numbers, by numpy's name.
        notices: what was done to the file's numbers on the way in, one sentence each.

    Example:
        >>> thick = Placed(spacing=(1.0, 1.0, 2.5), units="mm")
        >>> volume = Volume("grey", np.full((2, 3, 4, 1), 0.5, np.float32), placed=thick)
        >>> volume.spacing, volume.dtype
        ((1.0, 1.0, 2.5), 'float32')
    """

    name: str
    values: Float[np.ndarray, "i j k channels"]
    low: float = 0.0
    high: float = 1.0
    placed: Placed = field(default_factory=Placed)
    dtype: str = "float32"
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Hold the values to what every reader counts on."""
        values = read_only(self.values, np.float32)
        if values.ndim != 4 or values.shape[3] < 1 or min(values.shape[:3]) < 2:
            raise PenchantError(
                f"Volume {self.name!r}: values of shape {values.shape}; a volume is i × j × k × "
                "channels, at least 2 × 2 × 2 × 1"
            )
        check_unit(f"Volume {self.name!r}", values)
        object.__setattr__(self, "values", values)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction, since an unpickled array would be writable."""
        words = (self.low, self.high, self.placed, self.dtype, self.notices)
        return Volume, (self.name, self.values, *words)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """A voxel's length along each axis."""
        return self.placed.spacing


def load_volume(path: str | Path, size: int | None = None) -> Volume:
    """Read a volume from NumPy's .npy, from NIfTI or from a TIFF of several pages.

    Axes stay in the file's order: i, j, k of NIfTI with its affine; pages, rows, columns of TIFF.
    A fourth axis is taken for channels. Values go from their own range to [0, 1].

    Args:
        path: the file.
        size: voxels along the longest side; a larger volume is reduced by averaging (the exact
            integral over each new voxel), with its proportions kept to the nearest voxel, and
            spacing and affine follow; a smaller one stays as it is.

    Returns:
        The volume.

    Raises:
        PenchantError: no file, no volume, cut short, a header that claims more than the file can
            hold, not finite, all of one value, or more than 20 million numbers to keep.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder) / "ramp.npy", np.arange(64, dtype=np.int16).reshape(4, 4, 4))
        ...     volume = load_volume(Path(folder) / "ramp.npy", size=2)
        >>> volume.values.shape, volume.low, volume.high, volume.spacing, volume.notices
        ((2, 2, 2, 1), 0.0, 63.0, (2.0, 2.0, 2.0), ('reduced from 4×4×4 to 2×2×2 by averaging',))
    """
    path = Path(path)
    if size is not None and size < 2:
        raise PenchantError(f"size={size}: the longest side of a volume needs at least 2 voxels")
    stored = read(path)
    numbers, placed = stored.numbers, stored.placed
    shape, channels = numbers.shape[:3], numbers.shape[3]
    scale = 1.0 if size is None else min(1.0, size / max(shape))
    kept = tuple(max(2, round(side * scale)) for side in shape)
    if math.prod(kept) * channels > MAX_NUMBERS:
        raise PenchantError(
            f"{path}: {_times(kept)} voxels of {channels} channels, more than "
            f"{MAX_NUMBERS // 10**6} million numbers; take a smaller --size, such as 128"
        )
    low, high = _range(numbers, path)
    lowest, highest = (one * placed.slope + placed.intercept for one in (low, high))
    if not (math.isfinite(high - low) and 0 < abs(highest - lowest) < math.inf):
        raise PenchantError(
            f"{path}: its voxels reach from {lowest:g} to {highest:g}, a range that double "
            "precision does not hold; shift or scale them before"
        )
    values = _reduced(numbers, kept, low, high)
    values.flags.writeable = False  # so that Volume need not copy
    notices: tuple[str, ...] = ()
    if kept != shape:
        notices = (f"reduced from {_times(shape)} to {_times(kept)} by averaging",)
        placed = replaced(placed, [n / m for n, m in zip(shape, kept, strict=True)], (0, 0, 0))
    return Volume(
        path.name[: -len(ending(path))] or path.name,
        values,
        lowest,
        highest,
        placed,
        numbers.dtype.name,
        notices,
    )


def replaced(placed: Placed, cells: Sequence[float], start: Sequence[float]) -> Placed:
    """Return where other voxels lie that are laid over the old ones.

    Args:
        placed: where the old ones lie.
        cells: old voxels a new one, along each axis.
        start: the first new voxel's border, in old voxels from their first border.

    Example:
        >>> replaced(Placed(affine=np.eye(4)), (2, 2, 2), (0, 0, 0)).affine[0]
        array([2. , 0. , 0. , 0.5])
    """
    i, j, k = (one * length for one, length in zip(placed.spacing, cells, strict=True))
    moved = replace(placed, spacing=(i, j, k))
    if placed.affine is None:
        return moved
    # An index means a voxel's centre: the new voxel 0 lies half a new voxel behind the border.
    back = np.diag([*cells, 1.0])
    back[:3, 3] = [a + c / 2 - 0.5 for a, c in zip(start, cells, strict=True)]
    return replace(moved, affine=placed.affine @ back)


def _range(numbers: Shaped[np.ndarray, "i j k channels"], path: Path) -> tuple[float, float]:
    """Return the lowest and the highest stored number."""
    low, high = math.inf, -math.inf
    axis = _widest(numbers)
    for _, slab in _slabs(numbers, axis):
        finite = np.isfinite(slab)
        if not finite.all():
            raise PenchantError(
                f"{path}: {int((~finite).sum()):,} voxels or more are not finite (nan or inf); "
                "fill them before, since a network cannot be asked for them"
            )
        low, high = min(low, float(slab.min())), max(high, float(slab.max()))
    if low == high:
        raise PenchantError(f"{path}: every voxel is {low:g}, so there is nothing to reconstruct")
    return low, high


def _reduced(
    numbers: Shaped[np.ndarray, "i j k channels"],
    kept: tuple[int, ...],
    low: float,
    high: float,
) -> Float[np.ndarray, "new_i new_j new_k channels"]:
    """Map numbers to [0, 1] and average them over new voxels, slab by slab."""
    shape = numbers.shape[:3]
    weights = [_area_weights(n, m) for n, m in zip(shape, kept, strict=True)]
    same = kept == shape
    values = np.zeros((*kept, numbers.shape[3]), np.float32 if same else np.float64)
    axis = _widest(numbers)
    others = [one for one in (2, 1, 0) if one != axis]
    layers = np.moveaxis(values, axis, 0)
    for top, slab in _slabs(numbers, axis):
        bottom = top + slab.shape[axis]
        slab = (slab - low) / (high - low)
        if same:
            layers[top:bottom] = np.moveaxis(slab, axis, 0)
            continue
        # The new layers that this slab touches; its neighbours may add to the outer two.
        first, last = top * kept[axis] // shape[axis], -(-bottom * kept[axis] // shape[axis])
        for other in others:
            slab = _averaged(slab, weights[other], other)
        slab = _averaged(slab, weights[axis][first:last, top:bottom], axis)
        layers[first:last] += np.moveaxis(slab, axis, 0)
    return values.clip(0, 1, out=values).astype(np.float32, copy=False)


def _averaged(
    values: Float[np.ndarray, "..."], weights: "csr_array", axis: int
) -> Float[np.ndarray, "..."]:
    moved = np.moveaxis(values, axis, 0)
    averaged = (weights @ moved.reshape(len(moved), -1)).reshape(-1, *moved.shape[1:])
    return np.moveaxis(averaged, 0, axis)


def _widest(numbers: Shaped[np.ndarray, "i j k channels"]) -> int:
    """Choose the axis whose layers lie in one piece: NIfTI's is the last, NumPy's the first."""
    return int(np.argmax(np.abs(numbers.strides[:3])))


def _slabs(
    numbers: Shaped[np.ndarray, "i j k channels"], axis: int
) -> Iterator[tuple[int, Float[np.ndarray, "i j k channels"]]]:
    layers = np.moveaxis(numbers, axis, 0)
    step = max(1, _SLAB // math.prod(layers.shape[1:]))
    for top in range(0, len(layers), step):
        slab = layers[top : top + step].astype(np.float64)
        yield top, np.moveaxis(slab, 0, axis)


def _times(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
