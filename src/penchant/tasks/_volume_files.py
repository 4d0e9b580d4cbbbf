"""Volumes as their files have them: an array in its own type, and how it lies in space.

A header may claim whatever it likes, so what it claims is held against the file's size before
anything is allocated. What is not compressed is mapped into memory and read as it is needed.
"""

import gzip
import io
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped

from penchant.errors import PenchantError

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

LARGEST = 1_000_000_000
"""Bytes of an array beyond which a compressed file is not unpacked: unpacking takes twice that."""

DEFLATE = 1100
"""How many times as large what is unpacked can be, at most: deflate's limit is 1,032."""

TYPES = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
         "float16", "float32", "float64")  # fmt: skip
"""Types of numbers that are read, by numpy's names."""

FARTHEST = 1e30
"""How large a voxel or its place may be, and its inverse how small: NIfTI keeps them in single
precision."""

ENDINGS = (".nii.gz", ".nii", ".npy", ".tiff", ".tif")


@dataclass(frozen=True, eq=False)
class Placed:
    """How an array lies in space, and what its numbers stand for."""

    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """A voxel's length along each axis."""
    units: str = "unknown"
    """Of the spacing, by the file's own name: mm, micron, ..."""
    affine: Float[np.ndarray, "4 4"] | None = None
    """From a voxel's indices to its centre's place; None where a file says nothing."""
    codes: tuple[int, int] = (0, 0)
    """NIfTI's qform and sform codes: what the place refers to."""
    slope: float = 1.0
    """A value is slope times the stored number plus intercept."""
    intercept: float = 0.0


@dataclass(frozen=True, eq=False)
class Stored:
    """A file's numbers."""

    numbers: Shaped[np.ndarray, "i j k channels"]
    placed: Placed


def ending(path: Path) -> str:
    """Return the ending that names a volume's format, or nothing.

    Example:
        >>> ending(Path("brain.nii.gz")), ending(Path("photo.png"))
        ('.nii.gz', '')
    """
    return next((one for one in ENDINGS if path.name.lower().endswith(one)), "")


def is_volume(path: Path) -> bool:
    """Tell a volume by its ending; a TIFF, by holding a stack of pages of one size."""
    if not ending(path).startswith(".tif"):
        return bool(ending(path))
    if not path.is_file():  # a pipe would be waited for
        return False
    from tifffile import TiffFile

    # It says what it stumbles over beside our one line.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with TiffFile(path) as file:
            return bool(_stacked(file.series[0]))
    except Exception:  # whatever a damaged file raises: it is said where it is read as a picture
        return False


def read(path: Path) -> Stored:
    """Read a volume's numbers as they are stored.

    Raises:
        PenchantError: no file, one that is damaged or claims more than it can hold, or numbers
            that are no volume.
    """
    try:
        if not path.is_file():
            raise PenchantError(f"{path}: no such file")
        if path.stat().st_size == 0:
            raise PenchantError(f"{path}: the file is empty (0 bytes)")
        return next(reader for start, reader in _READERS if ending(path).startswith(start))(path)
    except (PenchantError, MemoryError):
        raise
    except Exception as error:  # readers raise whatever they stumble over in a damaged file
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise PenchantError(f"{path}: damaged, cut short or no volume ({reason})") from error


def _checked(path: Path, shape: Sequence[int], kind: np.dtype[Any]) -> None:
    """Refuse what is no volume, going by its header alone."""
    size = "×".join(map(str, shape))
    if kind.name not in TYPES:
        raise PenchantError(
            f"{path}: numbers of type {kind}; a volume's are real: {TYPES[-1]}, ..."
        )
    if len(shape) == 2:
        raise PenchantError(
            f"{path}: {size} numbers, which are a picture; save it as .png or .tif, or give a "
            "volume three axes"
        )
    if len(shape) not in (3, 4):
        raise PenchantError(f"{path}: {size} numbers; a volume has 3 axes, or 4 with channels last")
    if min(shape[:3]) < 2:
        raise PenchantError(f"{path}: {size} voxels; each axis of a volume needs at least 2")
    if len(shape) == 4 and not 1 <= shape[3] <= 64:
        raise PenchantError(f"{path}: {shape[3]} numbers a voxel; 1 to 64 channels are taken")


def _believed(
    path: Path, shape: Sequence[int], kind: np.dtype[Any], packed: bool, start: int = 0
) -> None:
    """Refuse a header that claims more than its file can hold."""
    claimed, there = start + math.prod(map(int, shape)) * kind.itemsize, path.stat().st_size
    if claimed > there * (DEFLATE if packed else 1):
        raise PenchantError(
            f"{path}: its header claims {'×'.join(map(str, shape))} numbers, {claimed:,} bytes, "
            f"which a file of {there:,} bytes cannot hold"
        )
    if packed and claimed > LARGEST:
        raise PenchantError(
            f"{path}: {claimed:,} bytes once unpacked, more than {LARGEST:,}; save it without "
            "compression, and it is read piece by piece"
        )


def _with_channels(numbers: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "i j k channels"]:
    return numbers[..., None] if numbers.ndim == 3 else numbers


_ARRAY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _read_array(path: Path) -> Stored:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version not in _ARRAY_HEADERS:
            raise PenchantError(
                f"{path}: .npy of version {version}; 1.0 and 2.0 hold plain numbers"
            )
        shape, _, kind = _ARRAY_HEADERS[version](file)
        start = file.tell()
    _checked(path, shape, kind)
    _believed(path, shape, kind, packed=False, start=start)
    return Stored(_with_channels(np.lib.format.open_memmap(path, mode="r")), Placed())


def _read_nifti(path: Path) -> Stored:
    import nibabel

    # It prints what it mends in a header beside our one line.
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
    image: Any = nibabel.load(path)
    if not isinstance(image, nibabel.Nifti1Image):
        raise PenchantError(f"{path}: not a NIfTI file, whatever its name says")
    return _of_nifti(path, image)


def _of_nifti(path: Path, image: Any) -> Stored:
    header, shape, kind = image.header, image.shape, image.get_data_dtype()
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    _checked(path, shape, kind)
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    _believed(path, shape, kind, packed, start=int(image.dataobj.offset))
    affine = np.array(image.affine, np.float64)
    spacing = np.array(header.get_zooms()[:3], np.float64)
    lost = misplaced(affine, spacing)
    if lost:
        raise PenchantError(f"{path}: its header places the voxels nowhere: {lost}")
    slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
    if not (1 / FARTHEST <= abs(slope) <= FARTHEST and abs(intercept) <= FARTHEST):
        raise PenchantError(
            f"{path}: its header's values are {slope:g} times the stored ones plus {intercept:g}; "
            f"up to {FARTHEST:g}, and from {1 / FARTHEST:g} on for what multiplies, is read"
        )
    placed = Placed(
        spacing=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        units=header.get_xyzt_units()[0],
        affine=affine,
        codes=(int(header["qform_code"]), int(header["sform_code"])),
        slope=slope,  # loading takes it out of the header
        intercept=intercept,
    )
    numbers = np.asanyarray(image.dataobj.get_unscaled()).reshape(shape, order="F")
    return Stored(_with_channels(numbers), placed)


def misplaced(affine: Float[np.ndarray, "4 4"], spacing: Float[np.ndarray, "3"]) -> str:
    """Say what is wrong with where voxels lie, or nothing.

    Example:
        >>> misplaced(np.diag([1.0, 0.0, 1.0, 1.0]), np.ones(3))
        'its affine puts all of them in one plane'
    """
    if not (spacing.min() >= 1 / FARTHEST and spacing.max() <= FARTHEST):  # so that nan fails too
        sides = ", ".join(f"{one:g}" for one in spacing)
        return f"its spacing is {sides}, and lengths from {1 / FARTHEST:g} to {FARTHEST:g} fit"
    if not np.abs(affine).max() <= FARTHEST:
        return f"its affine holds what is not finite or beyond {FARTHEST:g}"
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not lengths.all() or abs(np.linalg.det(axes / lengths)) < 1e-6:
        return "its affine puts all of them in one plane"
    return ""


def _stacked(series: "TiffPageSeries") -> str:
    """Name the axis along which pages are stacked, or nothing for a picture."""
    sides = zip(series.axes, series.shape, strict=True)
    return "".join(axis for axis, length in sides if axis not in "YXSC" and length > 1)


def _read_tiff(path: Path) -> Stored:
    from tifffile import COMPRESSION, TiffFile

    with TiffFile(path) as file:
        series = file.series[0]
        stack, axes, shape = _stacked(series), series.axes, series.shape
        named = "×".join(f"{length} {axis}" for axis, length in zip(axes, shape, strict=True))
        if len(stack) != 1 or ("S" in axes and "C" in axes):
            raise PenchantError(f"{path}: pages of {named}; one stack of pages is needed")
        order = [axes.index(axis) for axis in (stack, "Y", "X", "S", "C") if axis in axes]
        _checked(path, [shape[axis] for axis in order], series.dtype)
        packing = int(series.keyframe.compression)
        _believed(path, shape, series.dtype, packed=packing != COMPRESSION.NONE)
        try:
            numbers = file.asarray(series=0)
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            raise PenchantError(
                f"{path}: its pages are compressed by {COMPRESSION(packing).name}, which "
                "needs a further package; save it without compression or with deflate"
            ) from error
        # Axes of length 1 that are none of these go.
        numbers = numbers.transpose(order + [a for a in range(len(shape)) if a not in order])
        numbers = numbers.reshape(numbers.shape[: len(order)])
        return Stored(_with_channels(numbers), _placed_tiff(file))


def _placed_tiff(file: "TiffFile") -> Placed:
    """Read ImageJ's spacing, the one convention that TIFF stacks have."""
    facts = file.imagej_metadata or {}
    tags = file.pages.first.tags
    sides = [float(facts.get("spacing", 1) or 1)]
    for name in ("YResolution", "XResolution"):
        above, below = tags[name].value if name in tags and facts else (1, 1)
        sides.append(below / above if above and below else 1.0)
    if not all(math.isfinite(side) and side > 0 for side in sides):
        return Placed()
    unit = str(facts.get("unit", "unknown"))[:40]
    return Placed(spacing=(sides[0], sides[1], sides[2]), units=unit)


_WIDER = {"bool": "uint8", "float16": "float32"}
"""What NIfTI and TIFF store in place of types that they lack."""

_READERS = ((".nii", _read_nifti), (".tif", _read_tiff), ("", _read_array))


def written(path: Path, numbers: Shaped[np.ndarray, "i j k channels"], placed: Placed) -> bytes:
    """Return a volume's file.

    Args:
        path: whose ending names the format.
        numbers: as they are to be stored, before slope and intercept.
        placed: where it lies.

    Returns:
        The file's content. A type that the format has not goes into a wider one.
    """
    squeezed = numbers[..., 0] if numbers.shape[3] == 1 else numbers
    kind = ending(path)
    if kind.startswith(".nii"):
        content = _nifti_bytes(squeezed, placed)
        return gzip.compress(content, mtime=0) if kind.endswith(".gz") else content
    return _tiff_bytes(squeezed, placed) if kind.startswith(".tif") else _array_bytes(squeezed)


def _array_bytes(numbers: Shaped[np.ndarray, "..."]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(numbers), allow_pickle=False)
    return stream.getvalue()


def _nifti_bytes(numbers: Shaped[np.ndarray, "..."], placed: Placed) -> bytes:
    import nibabel

    numbers = numbers.astype(_WIDER.get(numbers.dtype.name, numbers.dtype.name))
    affine = np.diag([*placed.spacing, 1.0]) if placed.affine is None else placed.affine
    large = max(numbers.shape) > np.iinfo(np.int16).max
    make: Any = nibabel.Nifti2Image if large else nibabel.Nifti1Image
    image = make(numbers, affine, dtype=numbers.dtype)
    image.header.set_slope_inter(placed.slope, placed.intercept)
    if placed.units in ("mm", "meter", "micron"):
        image.header.set_xyzt_units(xyz=placed.units)
    if placed.affine is not None:
        image.set_qform(affine, placed.codes[0])
        image.set_sform(affine, placed.codes[1])
    content: bytes = image.to_bytes()
    return content


def _tiff_bytes(numbers: Shaped[np.ndarray, "..."], placed: Placed) -> bytes:
    from tifffile import imwrite

    numbers = np.ascontiguousarray(
        numbers.astype(_WIDER.get(numbers.dtype.name, numbers.dtype.name))
    )
    stream = io.BytesIO()
    colour = numbers.ndim == 4 and numbers.shape[3] == 3
    places = placed.spacing != (1.0, 1.0, 1.0) or placed.units != "unknown"
    if places and numbers.ndim == 3 and numbers.dtype.name in ("uint8", "uint16", "float32"):
        deep, high, wide = placed.spacing
        facts = {"axes": "ZYX", "spacing": deep, "unit": placed.units}
        imwrite(stream, numbers, imagej=True, resolution=(1 / wide, 1 / high), metadata=facts)
    elif numbers.ndim == 3 or colour:
        photometric = "rgb" if colour else "minisblack"
        imwrite(stream, numbers, photometric=photometric, metadata={"axes": "ZYXS"[: numbers.ndim]})
    else:
        moved = np.ascontiguousarray(np.moveaxis(numbers, 3, 1))
        imwrite(stream, moved, photometric="minisblack", metadata={"axes": "ZCYX"})
    return stream.getvalue()
