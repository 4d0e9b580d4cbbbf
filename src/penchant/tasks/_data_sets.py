"""Labelled data as a user names it: a data set, a file of arrays, or a folder."""

import math
import os
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np

from penchant.errors import PenchantError, nearest
from penchant.tasks._drawn import is_drawn
from penchant.tasks._fashion_mnist import load_fashion_mnist
from penchant.tasks._idx import IDX_FILES, load_idx
from penchant.tasks._image_folder import class_folders, load_image_folder
from penchant.tasks._labelled import Labelled, check_size
from penchant.tasks._options import Options, with_options
from penchant.tasks._picture import find_pictures
from penchant.tasks._posed_pictures import is_posed
from penchant.tasks._spoken import holds_recordings, load_recordings, load_spoken_digits


def load_labelled(source: str | Path, size: int = 32) -> Labelled:
    """Load labelled data.

    ==========================  ===================================================================
    ``digits``                  1,797 handwritten digits, 8 × 8 (in scikit-learn)
    ``breast-cancer``           569 tumours, 30 measurements each, malignant or benign (the same)
    ``fashion-mnist``           70,000 pictures of clothes, 28 × 28, the last 10,000 its test part:
                                from PENCHANT_DATA, else downloaded
    ``spoken-digits``           3,000 recordings of ten digits by six speakers, takes 0 to 4 of each
                                its test part: from PENCHANT_DATA
    a file ``.npz``             arrays ``inputs`` and ``labels``, and if wanted ``classes``
    a folder of idx files       the four files of MNIST, and of those after its pattern
    a folder of .wav files      named class_speaker_take.wav, or one subfolder a class
    a folder                    one subfolder of pictures a class, each cut to its middle square
    ==========================  ===================================================================

    Each may be followed by options, ``fashion-mnist:samples=500,size=14``:

    ==============  ===============================================================================
    ``classes=k``   the first k classes only
    ``samples=n``   n training samples, the same share of each class: a fixed choice, the same
                    whatever else is asked, and n of the more that a larger number gives. Of data
                    without a test part n samples, of which some are then held out
    ``test=n``      n samples of the test part, chosen alike; data without one gets one of n
    ``size=s``      pictures averaged by area to s × s; of a folder's pictures their size
    ``shift=p``     asked too: the held-out pictures moved by up to p pixels down and across, each
                    by a fixed draw, never by none, with the background (the borders' median)
                    coming in: accuracy_shifted_held_out
    ``transfer=k``  networks learn the first k classes; of the others, what a linear probe makes of
                    their features: accuracy_features_held_out (and of their inputs:
                    accuracy_inputs_held_out)
    ==============  ===============================================================================

    Memory: bytes stay bytes (all of Fashion-MNIST 55 MB, its shifted pictures as much again);
    `ClassificationTask` makes of them one standardised copy in float32 (220 MB) a process.

    Args:
        source: a name or a path, with options. A name is taken as such also where a folder is
            called the same: write ``./digits`` for the folder. A path that exists as it is written
            has no options.
        size: the side in pixels of a folder's pictures; data that comes as numbers stays as it is.

    Returns:
        The data.

    Raises:
        PenchantError: an unknown name or option, a path that is not there, or data or options that
            do not fit.

    Example:
        >>> data = load_labelled("digits")
        >>> data.inputs.shape, len(data.classes), data.test
        ((1797, 8, 8, 1), 10, 0)
        >>> load_labelled("digits:samples=500,size=4,shift=1").inputs.shape
        (500, 4, 4, 1)
    """
    place, text = source_and_options(source)
    options = Options.parse(place, text)
    return with_options(_load(place, options.size or size), options)


def source_and_options(source: str | Path) -> tuple[str, str]:
    """Divide what names labelled data into a name or path, and its options.

    Args:
        source: what a user gave.

    Returns:
        The name or path, and what stands after the colon; all of it and nothing where it has no
        options, or exists as it is written.

    Example:
        >>> source_and_options("digits:samples=500"), source_and_options("./digits")
        (('digits', 'samples=500'), ('./digits', ''))
    """
    text = str(source)
    place, _, options = text.rpartition(":")
    if place in DATA_SETS:
        return place, options
    # os.path.exists: it is False for what pathlib raises at, such as names that are too long.
    if not place or os.path.exists(text):  # noqa: PTH110
        return text, ""
    return (place, options) if "=" in options or os.path.exists(place) else (text, "")  # noqa: PTH110


def _load(source: str, size: int) -> Labelled:
    if source in DATA_SETS:
        return DATA_SETS[source]()
    path = Path(source)
    if path.is_dir():
        if _holds_idx(path):
            return load_idx(path)
        return load_recordings(path) if _is_sound(path) else load_image_folder(path, size)
    if not path.exists():
        raise PenchantError(
            f"{source}: no such data set, file or folder; {nearest(source, tuple(DATA_SETS))}"
        )
    if path.suffix.lower() != ".npz":
        raise PenchantError(
            f"{path}: labelled data is a .npz file with arrays inputs and labels, a folder with "
            "one subfolder of pictures or recordings a class, or one of "
            f"{', '.join(sorted(DATA_SETS))}"
        )
    return _load_npz(path)


def is_labelled(source: object) -> bool:
    """Tell whether something names labelled data rather than a picture to reconstruct.

    Args:
        source: what a user gave; only text and paths can name data.

    Returns:
        True for a data set's name, a file .npz, and a folder without a picture of its own that
        holds idx files, recordings, or pictures in its subfolders and no poses of theirs, with
        options or without; and for what is nowhere but has an option of labelled data, so that
        loading says what it might mean. Nothing is read, and nothing raised.

    Example:
        >>> is_labelled("digits"), is_labelled("photo.png")
        (True, False)
    """
    if not isinstance(source, str | Path):
        return False
    place, options = source_and_options(source)
    path = Path(place)
    if place in DATA_SETS or path.suffix.lower() == ".npz":
        return True
    asked = {part.partition("=")[0].strip() for part in options.split(",")}
    known = {option.name for option in fields(Options)}
    if asked & known and not os.path.exists(place) and not is_drawn(str(source)):  # noqa: PTH110
        return True
    try:
        if not path.is_dir() or _holds_picture(path) or is_posed(path):
            return False
        if _holds_idx(path) or holds_recordings(path):
            return True
        return any(map(_holds_picture, class_folders(path)))
    except (OSError, PenchantError):
        return False


def is_sound(source: object) -> bool:
    """Tell whether something is, or names, labelled recordings.

    Args:
        source: what a user gave, or what was loaded.

    Example:
        >>> is_sound("spoken-digits"), is_sound("digits")
        (True, False)
    """
    if isinstance(source, Labelled):
        return source.sound
    if not isinstance(source, str | Path) or not is_labelled(source):
        return False
    place, _ = source_and_options(source)
    path = Path(place)
    return place == SPOKEN_DIGITS or (path.is_dir() and _is_sound(path))


def _digits() -> Labelled:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return Labelled("digits", digits.images[..., None].astype(np.uint8), digits.target)


def _breast_cancer() -> Labelled:
    from sklearn.datasets import load_breast_cancer

    cells = load_breast_cancer()
    return Labelled("breast-cancer", cells.data, cells.target, tuple(cells.target_names))


SPOKEN_DIGITS = "spoken-digits"

DATA_SETS = {
    "breast-cancer": _breast_cancer,
    "digits": _digits,
    "fashion-mnist": load_fashion_mnist,
    SPOKEN_DIGITS: load_spoken_digits,
}
"""Every data set that has a name, with what loads it."""


def _is_sound(folder: Path) -> bool:
    return not _holds_idx(folder) and holds_recordings(folder)


def _holds_idx(folder: Path) -> bool:
    return any((folder / file).is_file() for file in IDX_FILES)


def _holds_picture(folder: Path) -> bool:
    try:
        return bool(find_pictures([folder]))
    except PenchantError:
        return False


def _load_npz(path: Path) -> Labelled:
    """Read a file of arrays, its pickles refused."""
    try:
        with zipfile.ZipFile(path) as archive:
            held = [name.removesuffix(".npy") for name in archive.namelist()]
            if not {"inputs", "labels"} <= set(held):
                raise PenchantError(
                    f"{path}: holds {', '.join(sorted(held)) or 'nothing'}; labelled data needs "
                    "the arrays inputs and labels (and may have classes)"
                )
            inputs, labels = (_read_member(archive, name, path) for name in ("inputs", "labels"))
            names = _read_member(archive, "classes", path).ravel() if "classes" in held else ()
    except PenchantError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise whatever they stumble over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PenchantError(f"{path}: cannot be read as a .npz file ({reason})") from error
    return Labelled(path.stem, inputs, labels, tuple(map(str, names)))


def _read_member(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    """Read an array whose header tells the truth: numpy makes room for what it claims."""
    entry = archive.getinfo(f"{name}.npy")
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            header = np.lib.format.read_array_header_2_0
        shape, _, dtype = header(file)
        claimed, there = math.prod(shape) * dtype.itemsize, entry.file_size - file.tell()
    if dtype.hasobject:
        raise PenchantError(f"{path}: {name} holds Python objects, which are not read")
    check_size(str(path), max(math.prod(shape), claimed // 8))
    if claimed != there:
        raise PenchantError(
            f"{path}: {name} of shape {shape} needs {claimed} bytes, and the file holds {there}; "
            "it is damaged"
        )
    with archive.open(entry) as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    return array
