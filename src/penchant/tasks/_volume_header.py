"""From a network back to a volume, in any format that volumes are read from."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import nn

from penchant.errors import PenchantError
from penchant.files import write_whole
from penchant.tasks._header import Decoding, SignalHeader
from penchant.tasks._points import lattice
from penchant.tasks._signed import unsigned
from penchant.tasks._volume import MAX_NUMBERS, Volume, replaced
from penchant.tasks._volume_files import (
    ENDINGS,
    FARTHEST,
    TYPES,
    Placed,
    ending,
    misplaced,
    written,
)

Finite = Annotated[float, Field(allow_inf_nan=False)]
Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Side = Annotated[int, Field(ge=2, le=MAX_NUMBERS)]
Code = Annotated[int, Field(ge=0, le=5)]
"""NIfTI knows no other."""
Row = tuple[Finite, Finite, Finite, Finite]


class VolumeHeader(SignalHeader):
    """A volume of so many voxels, with its range, its type and its place.

    Example:
        >>> header = VolumeHeader(name="grey", outputs=1, sides=(2, 3, 4))
        >>> header.decode(nn.Linear(3, 1), Decoding(scale=2)).shape
        (4, 6, 8, 1)
    """

    kind: Literal["volume"] = "volume"
    inputs: Literal[3] = 3
    outputs: int = Field(ge=1, le=64)
    sides: tuple[Side, Side, Side]
    low: Finite = 0.0
    high: Finite = 1.0
    dtype: str = Field(default="float32", max_length=10)
    spacing: tuple[Length, Length, Length] = (1.0, 1.0, 1.0)
    units: str = Field(default="unknown", max_length=40)
    affine: tuple[Row, Row, Row, Row] | None = None
    codes: tuple[Code, Code] = (0, 0)
    slope: Finite = 1.0
    intercept: Finite = 0.0

    axes = ("i", "j", "k")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.dtype not in TYPES:
            raise ValueError(f"dtype={self.dtype!r} is no type of numbers that volumes have")
        if self.slope == 0 or self.low == self.high:
            raise ValueError("slope=0, or low and high are the same: no values can be given back")
        if not 1 / FARTHEST <= abs(self.slope) <= FARTHEST >= abs(self.intercept):
            raise ValueError(
                f"slope={self.slope:g}, intercept={self.intercept:g}: beyond NIfTI's precision"
            )
        if not math.isfinite(self.high - self.low):
            raise ValueError(f"low={self.low:g}, high={self.high:g}: too far apart")
        affine = np.eye(4) if self.affine is None else np.array(self.affine)
        lost = misplaced(affine, np.array(self.spacing))
        if lost:
            raise ValueError(lost)
        return self

    @classmethod
    def of(cls, volume: Volume) -> Self:
        """Say what a file needs to know of a volume."""
        placed, (*sides, channels) = volume.placed, volume.values.shape
        return cls.model_validate(
            {
                "name": volume.name,
                "outputs": channels,
                "sides": sides,
                "low": volume.low,
                "high": volume.high,
                "dtype": volume.dtype,
                "spacing": placed.spacing,
                "units": placed.units,
                "affine": None if placed.affine is None else placed.affine.tolist(),
                "codes": placed.codes,
                "slope": placed.slope,
                "intercept": placed.intercept,
            }
        )

    @property
    def raw(self) -> tuple[int, str]:
        """As the file stores its numbers."""
        size = math.prod(self.sides) * self.outputs * np.dtype(self.dtype).itemsize
        return size, f"{'×'.join(map(str, self.sides))} {self.dtype}"

    def try_render(self, stem: str) -> list[str]:
        """Draw it twice as large."""
        return ["--scale", "2", "-o", f"{stem}-2x{'.npy' if self.affine is None else '.nii.gz'}"]

    def decode(
        self, answer: nn.Module, wanted: Decoding
    ) -> Float[np.ndarray, "new_i new_j new_k channels"]:
        """Ask for the volume, or the part between i, j, k and i, j, k in its voxels.

        Raises:
            PenchantError: a region outside the volume, or more than 100 million voxels.
        """
        self.check(wanted)
        grid = lattice(
            self.sides, spacing=self.spacing, region=self._borders(wanted), scale=wanted.scale
        )
        return self._own(answer, grid.reshape(-1, 3)).reshape(*grid.shape[:3], self.outputs)

    def at(self, answer: nn.Module, point: Sequence[float]) -> Float[np.ndarray, " outputs"]:
        """Return the values at a place in voxels; the first one's centre is at ½, ½, ½.

        Raises:
            PenchantError: a point outside the volume.
        """
        if not all(0 <= one <= side for one, side in zip(point, self.sides, strict=True)):
            raise PenchantError(
                f"at={','.join(f'{one:g}' for one in point)}: the point is outside the volume's "
                f"{'×'.join(map(str, self.sides))} voxels"
            )
        sides, spacing = np.array(self.sides), np.array(self.spacing)
        place = (2 * np.array(point) - sides) * spacing / (sides * spacing).max()
        values: Float[np.ndarray, " outputs"]
        values = self._own(answer, torch.from_numpy(place[None]).float())[0]
        return values

    def check_file(self, out: Path) -> None:
        """Refuse a name whose ending stands for no format of volumes."""
        if not ending(out):
            raise PenchantError(
                f"-o {out}: no format of volumes is called {out.suffix or 'so'!r}; take "
                f"{', '.join(ENDINGS)}"
            )

    def write(
        self, decoded: Float[np.ndarray, "new_i new_j new_k channels"], out: Path, wanted: Decoding
    ) -> str:
        """Write a volume in the type, range and place of the one it was fitted to."""
        borders = self._borders(wanted) or [(0.0, float(side)) for side in self.sides]
        cells = [(b - a) / n for (a, b), n in zip(borders, decoded.shape, strict=False)]
        start = [low for low, _ in borders]
        numbers, placed = self._stored(decoded, out), replaced(self._placed(), cells, start)
        try:
            content = written(out, numbers, placed)
        except (ValueError, OverflowError, OSError) as error:
            reason = " ".join(str(error).split())
            raise PenchantError(
                f"-o {out}: its format cannot hold this volume ({reason})"
            ) from error
        write_whole(out, content)
        return f"{'×'.join(map(str, numbers.shape[:3]))} voxels, {numbers.dtype.name}"

    def _borders(self, wanted: Decoding) -> list[tuple[float, float]] | None:
        if wanted.region is None:
            return None
        return list(zip(wanted.region[:3], wanted.region[3:], strict=True))

    def _placed(self) -> Placed:
        affine = None if self.affine is None else np.array(self.affine)
        return Placed(self.spacing, self.units, affine, self.codes, self.slope, self.intercept)

    def _stored(self, values: Float[np.ndarray, "i j k channels"], out: Path) -> np.ndarray:
        """Turn values into the numbers that a file stores for them."""
        kind = np.dtype(self.dtype)
        if ending(out).startswith(".nii"):
            values = (values - self.intercept) / self.slope
        elif (self.slope, self.intercept) != (1, 0):  # only NIfTI's numbers stand for others
            return values.astype(np.float32)
        if kind.kind == "b":
            return np.asarray(values >= 0.5)
        if kind.kind == "f":
            return values.astype(kind)
        limits = np.iinfo(kind)
        # The largest float below the limit, since 2⁶⁴ - 1 itself is none.
        top = np.nextafter(limits.max, 0) if float(limits.max) > limits.max else limits.max
        stored: np.ndarray = np.rint(values).clip(limits.min, top).astype(kind)
        return stored

    def _own(
        self, answer: nn.Module, points: Float[torch.Tensor, "points 3"]
    ) -> Float[np.ndarray, "points outputs"]:
        """Ask for values in the file's own range."""
        answers = unsigned(torch.from_numpy(self._values(answer, points))).clamp(0, 1)
        values: Float[np.ndarray, "points outputs"]
        values = self.low + answers.double().numpy() * (self.high - self.low)
        return values
