"""Pictures from files: whatever PIL reads, as numbers in [0, 1], reduced by area.

A picture is decoded once by PIL and then walked through in strips of rows: each strip becomes
floating point, is laid over white and averaged into the result, so that 100 megapixels never
stand in memory as floats unless that is the size asked for. Turning (EXIF) comes last, on the
small result: it commutes with the average.

Numbers are taken as the file stores them, without colour management and without gamma.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from penchant.errors import PenchantError
from penchant.tasks._values import check_unit, read_only

if TYPE_CHECKING:
    from PIL.Image import Image
    from scipy.sparse import csr_array

MAX_PIXELS = 100_000_000
"""The largest picture that is decoded; a file that claims more is taken for a bomb."""

# PIL also logs what it raises; without a handler Python prints that beside our one line.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_STRIP_PIXELS = 1 << 20
_ORIENTATION = 0x0112  # the EXIF tag


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as numbers: what is reconstructed.

    Attributes:
        name: the file's name without its ending.
        values: float32 in [0, 1], read only; 1 channel (grey) or 3 (red, green, blue).
        notices: what was done to the file's numbers on the way in, one sentence each.

    Example:
        >>> Picture("grey", np.full((2, 3, 1), 0.5, np.float32)).values.shape
        (2, 3, 1)
    """

    name: str
    values: Float[np.ndarray, "height width channels"]
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Hold the values to what every reader counts on."""
        values = read_only(self.values, np.float32)
        if values.ndim != 3 or values.shape[2] not in (1, 3) or min(values.shape[:2]) < 2:
            raise PenchantError(
                f"Picture {self.name!r}: values of shape {values.shape}; "
                "a picture is height × width × 1 or 3 channels, at least 2 × 2"
            )
        check_unit(f"Picture {self.name!r}", values)
        object.__setattr__(self, "values", values)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction, since an unpickled array would be writable."""
        return Picture, (self.name, self.values, self.notices)


def load_picture(path: str | Path, size: int | None = None) -> Picture:
    """Read a picture from any file that PIL reads.

    Values go to [0, 1] by what the file stores: 8 bits are divided by 255, 16 bits (and wider
    integers that stay within 0 to 65535) by 65535, floats within [0, 1] are kept; wider integers
    and floats outside [0, 1] are mapped from their own range, lowest to 0 and highest to 1.
    Transparency is laid over white. EXIF's orientation is applied. Of several frames the first
    is taken. Palettes, CMYK, YCbCr and Lab become RGB. Whatever changes numbers is said in the
    picture's notices.

    Args:
        path: the file.
        size: the longer side in pixels; a larger picture is reduced by averaging areas (the exact
            integral over each new pixel), with its aspect kept to the nearest pixel and nothing
            cropped; a smaller one stays as it is.

    Returns:
        The picture.

    Raises:
        PenchantError: no file, no picture, cut short, more than 100 megapixels, not finite, or
            smaller than 2 × 2.

    Example:
        >>> import tempfile; from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("L", (8, 4), 51).save(Path(folder) / "grey.png")
        ...     picture = load_picture(Path(folder) / "grey.png", size=4)
        >>> picture.values.shape, float(picture.values[0, 0, 0]), picture.notices
        ((2, 4, 1), 0.20000000298023224, ('reduced from 8×4 to 4×2 by area',))
    """
    path = Path(path)
    if size is not None and size < 2:
        raise PenchantError(f"size={size}: the longer side of a picture needs at least 2 pixels")
    _check_file(path)
    notices: list[str] = []
    # Plugins raise whatever they stumble over in a damaged file, and warn besides: what matters
    # of it is an error or a notice of ours.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image, turn = _decode(path, notices)
            values = _reduce(image, path, size, notices)
        except PenchantError:
            raise
        except Exception as error:
            raise PenchantError(_why_unreadable(path, error)) from error
    values = np.ascontiguousarray(_turned(values, turn))
    values.flags.writeable = False  # so that Picture need not copy
    height, width = values.shape[:2]
    before = image.size if turn < 5 else image.size[::-1]
    if before != (width, height):
        notices.append(f"reduced from {before[0]}×{before[1]} to {width}×{height} by area")
    return Picture(path.stem, values, tuple(notices))


def builtin_picture(size: int | None = None) -> Picture:
    """Return the photograph that comes with scikit-image: an astronaut (NASA, public domain).

    Args:
        size: the longer side in pixels, as in `load_picture`; the file has 512 × 512.

    Returns:
        The picture, without any download.

    Example:
        >>> builtin_picture(64).values.shape
        (64, 64, 3)
    """
    import skimage.data

    return load_picture(Path(skimage.data.__file__).parent / "astronaut.png", size)


def find_pictures(paths: Sequence[str | Path]) -> list[Path]:
    """Replace each folder by the pictures in it, by the endings that PIL reads.

    Args:
        paths: files, which are kept as they are, and folders, which are not searched deeper;
            hidden files are passed over.

    Returns:
        The files, a folder's sorted by name.

    Raises:
        PenchantError: a folder without a picture.

    Example:
        >>> find_pictures(["photo.png"])
        [PosixPath('photo.png')]
    """
    from PIL import Image

    endings = {
        ending
        for ending, format_name in Image.registered_extensions().items()
        if format_name in Image.OPEN
    }
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(path)
            continue
        try:
            inside = sorted(
                file
                for file in path.iterdir()
                if file.suffix.lower() in endings
                and not file.name.startswith(".")
                and file.is_file()
            )
        except OSError as error:
            raise PenchantError(f"{path}: cannot be listed ({error.strerror})") from error
        if not inside:
            raise PenchantError(
                f"{path}: a folder without a picture; it needs files such as .png, .jpg or .tif"
            )
        found.extend(inside)
    return found


def _check_file(path: Path) -> None:
    """Refuse what is no readable file before PIL is asked."""
    try:
        if path.is_dir():
            raise PenchantError(
                f"{path}: a folder, where one file is needed, or a scene's folder with its "
                "transforms.json"
            )
        if not path.exists():
            raise PenchantError(f"{path}: no such file")
        if not path.is_file():
            raise PenchantError(f"{path}: not a regular file, so no picture can be read from it")
        if path.stat().st_size == 0:
            raise PenchantError(f"{path}: the file is empty (0 bytes), so there is no picture")
        path.open("rb").close()
    except OSError as error:
        raise PenchantError(f"{path}: cannot be opened ({error.strerror})") from error


def _why_unreadable(path: Path, error: Exception) -> str:
    """Put what PIL stumbled over in one line."""
    from PIL import Image, UnidentifiedImageError

    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        return (
            f"{path}: not a picture in any format that PIL reads, or one cut short; sounds, "
            "volumes and meshes are known by endings such as .wav, .nii and .obj"
        )
    if isinstance(error, Image.DecompressionBombError):
        return f"{path}: more than {MAX_PIXELS // 10**6} megapixels, refused as a bomb ({reason})"
    return f"{path}: the picture in it is damaged, cut short or unsupported (PIL: {reason})"


def _decode(path: Path, notices: list[str]) -> tuple["Image", int]:
    """Read the first frame whole; return it with the EXIF turn that is still to be done."""
    from PIL import Image

    # A file handle, since PIL maps a path's file into memory and then reads an uncompressed TIFF
    # that lies on its side with its rows and columns exchanged.
    with path.open("rb") as file, Image.open(file) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise PenchantError(
                f"{path}: its header says {width}×{height} pixels, more than "
                f"{MAX_PIXELS // 10**6} megapixels; refused as a decompression bomb"
            )
        if min(width, height) < 2:
            raise PenchantError(f"{path}: {width}×{height} pixels; a picture needs at least 2×2")
        if getattr(image, "is_animated", False):
            notices.append("holds several frames: the first was taken")
        narrowed = _is_narrowed(image)
        # PIL turns a TIFF itself while it decodes, and then says that nothing is left to turn;
        # of other formats EXIF is only asked afterwards, since asking may decode.
        turned = _orientation(image) if image.format == "TIFF" else 1
        image.load()
        turn = _orientation(image)
    if turned != turn:
        notices.append(f"turned as its EXIF orientation {max(turned, turn)} asks")
    if narrowed:
        notices.append("16 bits a channel were read as 8: PIL reads colour no finer")
        key = image.info.get("transparency")
        if isinstance(key, tuple):
            image.info["transparency"] = tuple(level >> 8 for level in key)
    if image.mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        notices.append(f"converted from {image.mode} to RGB without the file's colour profile")
    return image, turn


def _is_narrowed(image: "Image") -> bool:
    """Tell whether PIL will drop the lower 8 of 16 bits: its decoder's arguments say so."""
    if image.mode.startswith("I"):
        return False
    for tile in getattr(image, "tile", ()):
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if isinstance(arguments[0], str) and ";16" in arguments[0]:
            return True
        if tile[0].startswith("ppm") and isinstance(arguments[-1], int) and arguments[-1] > 255:
            return True
    return False


def _orientation(image: "Image") -> int:
    """Return EXIF's orientation, 1 (upright) where there is none or none that is defined."""
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # whatever damaged EXIF data raises: the picture may be whole all the same
        return 1
    return turn if turn in range(1, 9) else 1


def _turned(
    values: Float[np.ndarray, "height width channels"], turn: int
) -> Float[np.ndarray, "new_height new_width channels"]:
    """Undo the camera's position (EXIF 2.3, tag 0x0112)."""
    if turn >= 5:
        values = values.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        values = values[::-1]
    if turn in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def _reduce(
    image: "Image", path: Path, size: int | None, notices: list[str]
) -> Float[np.ndarray, "height width channels"]:
    """Average the picture's areas, strip by strip, and bring its numbers to [0, 1]."""
    width, height = image.size
    longer = max(width, height)
    scale = 1.0 if size is None else min(1.0, size / longer)
    new_width, new_height = max(2, round(width * scale)), max(2, round(height * scale))
    rows, columns = _area_weights(height, new_height), _area_weights(width, new_width)
    values: np.ndarray | None = None
    lowest, highest, see_through = np.inf, -np.inf, 0
    for top, strip, share in _strips(image, path):
        lowest, highest = min(lowest, strip.min()), max(highest, strip.max())
        see_through += share
        if values is None:
            kind = np.float32 if scale == 1 else np.float64
            values = np.zeros((new_height, new_width, strip.shape[2]), kind)
        bottom = top + len(strip)
        if scale == 1:
            values[top:bottom] = strip
            continue
        # The new rows that this strip touches; its neighbours may add to the outer two.
        first, last = top * new_height // height, -(-bottom * new_height // height)
        part = rows[first:last, top:bottom] @ strip.reshape(len(strip), -1)
        for row, line in enumerate(part.reshape(last - first, width, -1), start=first):
            values[row] += columns @ line
    assert values is not None
    if see_through:
        notices.append(
            f"{100 * see_through / (width * height):.3g} % of its pixels are not opaque: "
            "laid over white"
        )
    low, high = _range(image.mode, float(lowest), float(highest), notices)
    values -= low
    values /= high - low
    return values.clip(0, 1, out=values).astype(np.float32, copy=False)


def _area_weights(source: int, target: int) -> "csr_array":
    """Weigh source pixels by the share of each target pixel that they cover, in whole numbers.

    With the side cut into source·target parts, target pixel i is parts [i·source, (i+1)·source)
    and source pixel j parts [j·target, (j+1)·target); every piece between two of these borders
    lies in one pixel of each.
    """
    from scipy.sparse import csr_array

    borders = np.union1d(np.arange(target + 1) * source, np.arange(source + 1) * target)
    starts, lengths = borders[:-1], np.diff(borders)
    return csr_array(
        (lengths / source, (starts // source, starts // target)), shape=(target, source)
    )


def _strips(
    image: "Image", path: Path
) -> Iterator[tuple[int, Float[np.ndarray, "rows width channels"], int]]:
    """Yield the first row, the values and the count of not opaque pixels of strip after strip."""
    width, height = image.size
    step = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, step):
        strip = image.crop((0, top, width, min(height, top + step)))
        if not image.mode.startswith(("I", "F")):
            yield top, *_strip_in_bytes(strip)
            continue
        values = np.asarray(strip).astype(np.float64)[..., None]
        if not np.isfinite(values).all():
            raise PenchantError(_not_finite(image, path))
        key = image.info.get("transparency")
        clear = (values == key) if isinstance(key, int) else np.zeros(values.shape, bool)
        white = 65535.0 if image.mode != "F" else 1.0
        yield top, np.where(clear, white, values), int(clear.sum())


def _strip_in_bytes(strip: "Image") -> tuple[Float[np.ndarray, "rows width channels"], int]:
    """Return a strip of an 8-bit mode in [0, 255] over white, and its not opaque pixels."""
    grey = strip.mode in ("1", "L", "LA", "La")
    if not strip.has_transparency_data:
        values = np.asarray(strip.convert("L" if grey else "RGB"), dtype=np.float64)
        return values.reshape(strip.height, strip.width, -1), 0
    layers = np.asarray(strip.convert("LA" if grey else "RGBA"), dtype=np.float64)
    colour, alpha = layers[..., :-1], layers[..., -1:]
    return 255 + (colour - 255) * (alpha / 255), int((alpha < 255).sum())


def _not_finite(image: "Image", path: Path) -> str:
    """Say how many values of a float picture are not finite, and where the first lies."""
    wrong = ~np.isfinite(np.asarray(image))
    row, column = np.argwhere(wrong)[0]
    return (
        f"{path}: {wrong.sum()} of {wrong.size} values are not finite, the first at row {row}, "
        f"column {column}; a picture needs finite values"
    )


def _range(mode: str, lowest: float, highest: float, notices: list[str]) -> tuple[float, float]:
    """Return which stored numbers mean 0 and 1."""
    if mode == "F":
        low, high, unit = 0.0, 1.0, "numbers"
    elif mode.startswith("I"):
        low, high, unit = 0.0, 65535.0, "whole numbers"
    else:
        return 0.0, 255.0
    if lowest >= low and highest <= high:
        if mode == "I":
            notices.append("32-bit whole numbers were divided by 65535, as if they had 16 bits")
        return low, high
    if lowest == highest:
        notices.append(f"every value is {lowest:g}: cut to 0 or 1")
        return low, high
    notices.append(f"{unit} from {lowest:g} to {highest:g} were mapped to 0 to 1")
    return lowest, highest
