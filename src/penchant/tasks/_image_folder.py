"""A folder of pictures with one subfolder for each class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from penchant.errors import PenchantError
from penchant.tasks._labelled import Labelled, check_size
from penchant.tasks._picture import _area_weights, find_pictures, load_picture


def load_image_folder(folder: Path, size: int) -> Labelled:
    """Read the pictures of a folder's subfolders; a subfolder's name is its pictures' class.

    Each picture is cut to its middle square, which keeps what it shows in proportion, and brought
    to size × size by averaging areas; a smaller one is enlarged, since samples must be of one
    shape. If all are grey, samples are; else grey ones are repeated in red, green and blue. Hidden
    files and folders are passed over.

    Args:
        folder: holds the subfolders; files in it are not asked.
        size: the side in pixels.

    Returns:
        Samples size × size × 1 or 3 channels in [0, 1], classes in the order of their names.

    Raises:
        PenchantError: a folder that cannot be listed or is empty, a picture that `load_picture`
            refuses, fewer than 2 classes or too few pictures of one, or too many for memory.
    """
    if size < 2:
        raise PenchantError(f"size={size}: pictures to classify need a side of at least 2 pixels")
    classes = class_folders(folder)
    if len(classes) < 2:
        raise PenchantError(
            f"{folder}: {len(classes)} subfolders; pictures to classify need at least 2, one for "
            "each class, named as the class"
        )
    pictures = [find_pictures([path]) for path in classes]
    files = [file for inside in pictures for file in inside]
    check_size(str(folder), len(files) * size * size * 3)
    inputs, notices = _read(files, size)
    inputs.flags.writeable = False  # so that Labelled need not copy
    labels = np.repeat(np.arange(len(classes)), [len(inside) for inside in pictures])
    names = tuple(path.name for path in classes)
    return Labelled(folder.name, inputs, labels, names, notices=notices)


def class_folders(folder: Path) -> list[Path]:
    """List a folder's subfolders that are not hidden, sorted by name.

    Args:
        folder: where to look.

    Returns:
        Their paths.

    Raises:
        PenchantError: the folder cannot be listed.
    """
    try:
        return sorted(
            path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
        )
    except OSError as error:
        raise PenchantError(f"{folder}: cannot be listed ({error.strerror})") from error


def _read(
    files: Sequence[Path], size: int
) -> tuple[Float32[np.ndarray, "samples size size channels"], tuple[str, ...]]:
    """Read pictures one after another into one array, and say what was done to them."""
    values = np.empty((len(files), size, size, 3), np.float32)
    grey, cut, enlarged = 0, 0, 0
    changed: list[str] = []
    for sample, file in enumerate(files):
        picture = load_picture(file)
        height, width, channels = picture.values.shape
        values[sample] = _square(picture.values, size)
        grey += channels == 1
        cut += height != width
        enlarged += min(height, width) < size
        if picture.notices:
            changed.append(f"{file.parent.name}/{file.name} ({'; '.join(picture.notices)})")
    notices = [f"{len(files)} pictures were brought to {size}×{size} by averaging areas"]
    of_all = f"of {len(files)} pictures"
    if cut:
        notices.append(f"cut to the middle square, since not square: {cut} {of_all}")
    if enlarged:
        notices.append(f"enlarged, since smaller than {size}×{size}: {enlarged} {of_all}")
    if changed:
        notices.append(f"changed in reading: {len(changed)} {of_all}, the first {changed[0]}")
    if grey == len(files):
        return np.ascontiguousarray(values[..., :1]), tuple(notices)
    if grey:
        notices.append(f"repeated in red, green and blue, since grey: {grey} {of_all}")
    return values, tuple(notices)


def _square(
    values: Float[np.ndarray, "height width channels"], size: int
) -> Float[np.ndarray, "size size channels"]:
    """Cut a picture to its middle square and average it to size × size."""
    height, width, channels = values.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = values[top : top + side, left : left + side]
    if side == size:
        return square
    weights = _area_weights(side, size)
    rows = (weights @ square.reshape(side, -1)).reshape(size, side, channels)
    return np.stack([weights @ row for row in rows])
