"""What half a century of coding makes of the same bytes: a picture as a JPEG file."""

from bisect import bisect_right
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from penchant.errors import PenchantError

if TYPE_CHECKING:
    from PIL.Image import Image

BYTES_PER_PARAMETER = 4
"""A float32's."""


@dataclass(frozen=True)
class Jpeg:
    """A picture as its file gives it back.

    Attributes:
        values: in [0, 1].
        bytes: the file's size.
        quality: libjpeg's, 1 to 100.
    """

    values: Float[np.ndarray, "height width channels"]
    bytes: int
    quality: int


def fit_jpeg(truth: Float[np.ndarray, "height width channels"], parameters: int) -> Jpeg | None:
    """Code a picture as the best JPEG file that takes no more bytes than a network's parameters.

    The highest quality whose file has at most 4 bytes times the parameters, with or without
    halving the resolution of colours, whichever has less squared error. A file is made from the
    whole picture, so it holds for the samples that were seen, and says nothing of filling in.

    Args:
        truth: in [0, 1], with 1 channel or 3; rounded to 8 bits first.
        parameters: float32 numbers that a network has.

    Returns:
        The picture that the file gives back; None where even the smallest file is too large.

    Raises:
        PenchantError: another number of channels.

    Example:
        >>> ramp = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64, 1)
        >>> coded = fit_jpeg(ramp, 500)
        >>> coded.bytes <= 2000, float(np.abs(coded.values - ramp).max()) < 0.02
        (True, True)
        >>> fit_jpeg(ramp, 10) is None
        True

    Source: Wallace, "The JPEG still picture compression standard", 1991.
    """
    from PIL import Image

    allowed, channels = BYTES_PER_PARAMETER * parameters, truth.shape[-1]
    if truth.ndim != 3 or channels not in (1, 3):
        raise PenchantError(
            f"fit_jpeg(truth of shape {truth.shape}): needs height, width and 1 or 3 channels"
        )
    pixels = np.round(truth.clip(0, 1) * 255).astype(np.uint8)
    picture = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
    found = []
    for subsampling in ("4:4:4", "4:2:0") if channels == 3 else ("4:4:4",):

        def size(quality: int, subsampling: str = subsampling) -> int:
            return len(_coded(picture, quality, subsampling))

        # Better files are larger, so the best that fits is found by halves.
        quality = bisect_right(range(1, 101), allowed, key=size)
        if quality:
            file = _coded(picture, quality, subsampling)
            with Image.open(BytesIO(file)) as decoded:
                values = np.asarray(decoded).reshape(truth.shape) / np.float32(255)
            found.append(Jpeg(values, len(file), quality))
    return min(found, key=lambda one: float(np.square(one.values - truth).mean()), default=None)


def _coded(picture: "Image", quality: int, subsampling: str) -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=subsampling, optimize=True)
    return file.getvalue()
