"""From a network back to a picture, in any format that PIL writes."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import nn

from penchant.errors import PenchantError
from penchant.files import write_whole
from penchant.tasks._header import Decoding, SignalHeader
from penchant.tasks._points import MAX_POINTS, coordinates, grid_coordinates
from penchant.tasks._signed import unsigned


class PictureHeader(SignalHeader):
    """A picture of so many pixels.

    Example:
        >>> header = PictureHeader(name="grey", inputs=2, outputs=1, height=2, width=3)
        >>> header.decode(nn.Linear(2, 1), Decoding(scale=2)).shape
        (4, 6, 1)
    """

    kind: Literal["picture"] = "picture"
    inputs: Literal[2] = 2
    outputs: Literal[1, 3]
    height: int = Field(ge=1, le=MAX_POINTS)
    width: int = Field(ge=1, le=MAX_POINTS)

    axes = ("x", "y")

    @property
    def raw(self) -> tuple[int, str]:
        """A byte a channel."""
        size = self.height * self.width * self.outputs
        return size, f"{self.width}×{self.height} in 8 bits"

    def try_render(self, stem: str) -> list[str]:
        """Draw it four times as large."""
        return ["--scale", "4", "-o", f"{stem}-4x.png"]

    def decode(
        self, answer: nn.Module, wanted: Decoding
    ) -> Float[np.ndarray, "rows columns channels"]:
        """Draw the picture, or the part within left, top, right and bottom in its pixels.

        Raises:
            PenchantError: a region outside the picture, or more than 100 megapixels.
        """
        self.check(wanted)
        region = None
        if wanted.region is not None:
            left, top, right, bottom = wanted.region
            region = (left, top, right, bottom)
        grid = grid_coordinates(self.height, self.width, region, wanted.scale)
        return self._colours(answer, grid.reshape(-1, 2)).reshape(*grid.shape[:2], self.outputs)

    def at(self, answer: nn.Module, point: Sequence[float]) -> Float[np.ndarray, " outputs"]:
        """Return the colour at x columns from the left edge and y rows from the upper one.

        Raises:
            PenchantError: a point outside the picture.
        """
        x, y = point
        if not (0 <= x <= self.width and 0 <= y <= self.height):
            raise PenchantError(
                f"at={x:g},{y:g}: the point is outside the picture's {self.width}×"
                f"{self.height} pixels"
            )
        place = coordinates(torch.tensor([[x, y]], dtype=torch.float32), self.height, self.width)
        colour: Float[np.ndarray, " outputs"] = self._colours(answer, place)[0]
        return colour

    def check_file(self, out: Path) -> None:
        """Refuse a name whose ending stands for no format of pictures."""
        _format(out)

    def write(
        self, decoded: Float[np.ndarray, "rows columns channels"], out: Path, wanted: Decoding
    ) -> str:
        """Write a picture of 8 bits a channel."""
        from PIL import Image

        kind = _format(out)
        whole = np.rint(decoded * 255).astype(np.uint8)
        image = Image.fromarray(whole[:, :, 0] if whole.shape[2] == 1 else whole)
        encoded = io.BytesIO()
        try:
            image.save(encoded, format=kind)
        except (OSError, ValueError, KeyError) as error:
            raise PenchantError(f"-o {out}: {kind} cannot hold this picture ({error})") from error
        write_whole(out, encoded.getvalue())
        return f"{decoded.shape[1]}×{decoded.shape[0]} pixels"

    def _colours(
        self, answer: nn.Module, points: Float[torch.Tensor, "points 2"]
    ) -> Float[np.ndarray, "points outputs"]:
        colours: Float[np.ndarray, "points outputs"]
        answers = torch.from_numpy(self._values(answer, points))
        colours = unsigned(answers).clamp(0, 1).numpy()
        return colours


def _format(out: Path) -> str:
    """Name the format that a file's ending stands for."""
    from PIL import Image

    known = Image.registered_extensions()
    kind = known.get(out.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise PenchantError(
            f"-o {out}: no picture format is called {out.suffix or 'so, without an ending'!r}; "
            "take .png, .jpg, .tif or .webp"
        )
    return kind
