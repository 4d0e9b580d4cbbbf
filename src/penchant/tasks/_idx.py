"""The four idx files, gzipped, in which MNIST and the data sets after its pattern come.

An idx file is two zero bytes, the type of its numbers (8: unsigned bytes), how many axes it has,
their lengths as big-endian 32-bit whole numbers, and the numbers. Nothing is read beyond what
that header promises, so a small file cannot unpack into a huge one.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from penchant.errors import PenchantError
from penchant.tasks._labelled import Labelled, check_size

IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def load_idx(folder: Path, classes: tuple[str, ...] = ()) -> Labelled:
    """Read the four files of a folder; those called t10k are the data's own test part.

    Args:
        folder: holds the four files, and gives the data its name.
        classes: the classes' names; by default their numbers.

    Returns:
        The data, in bytes; a sample is height × width × 1.

    Raises:
        PenchantError: a file that is missing, damaged, cut short or of another kind, or files
            whose counts do not fit each other.
    """
    train, train_labels, test, test_labels = (
        _read_idx(folder / file, axes=3 if "images" in file else 1) for file in IDX_FILES
    )
    for images, labels, kind in ((train, train_labels, "train"), (test, test_labels, "t10k")):
        if len(images) != len(labels):
            raise PenchantError(
                f"{folder}: {len(images)} {kind} images and {len(labels)} labels; one label an "
                "image is needed, so the files are not of the same data"
            )
    if train.shape[1:] != test.shape[1:]:
        raise PenchantError(
            f"{folder}: train images of shape {train.shape[1:]} and t10k images of shape "
            f"{test.shape[1:]}; they must be of one size"
        )
    inputs = np.concatenate([train, test])[..., None]
    labels = np.concatenate([train_labels, test_labels]).astype(np.int64)
    for array in (inputs, labels):
        array.flags.writeable = False  # so that Labelled need not copy
    return Labelled(folder.name, inputs, labels, classes, len(test))


def _read_idx(path: Path, axes: int) -> UInt8[np.ndarray, "*shape"]:
    """Read one file of unsigned bytes with so many axes."""
    try:
        with gzip.open(path) as file:
            head = file.read(4 + 4 * axes)
            if len(head) < 4 + 4 * axes or head[:4] != bytes([0, 0, 8, axes]):
                found = f"begins with {head[:4].hex(' ')}" if len(head) > 3 else "is all but empty"
                raise PenchantError(
                    f"{path}: {found}, where an idx file of bytes with "
                    f"{axes} axes begins with {bytes([0, 0, 8, axes]).hex(' ')}"
                )
            shape = struct.unpack(f">{axes}I", head[4:])
            check_size(str(path), math.prod(shape))
            data = file.read(math.prod(shape))
            rest = file.read(1)  # and with it the checksum at the end
    except FileNotFoundError as error:
        raise PenchantError(
            f"{path}: no such file; the four idx files are {', '.join(IDX_FILES)}"
        ) from error
    except (OSError, EOFError, zlib.error) as error:  # BadGzipFile is an OSError
        reason = getattr(error, "strerror", None) or str(error)
        raise PenchantError(
            f"{path}: cannot be read as gzip, or is cut short ({reason})"
        ) from error
    if len(data) < math.prod(shape) or rest:
        raise PenchantError(
            f"{path}: its header says {math.prod(shape)} bytes, the file holds "
            f"{'more' if rest else len(data)}; it is damaged"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)
