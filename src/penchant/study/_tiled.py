"""Designs of grids of small networks, each of which reconstructs a tile of the signal."""

import ast
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from penchant.errors import PenchantError
from penchant.nn import TiledNet
from penchant.study._layered import Layered

MOST_TILES = 10_000_000

QUICKER = 3.0
"""By how much the best rate exceeds that of one coordinate network, for which a signal is far more
than a tile (docs/LOG.md)."""

BAND = 0.99
"""The width of the band between two tiles, in samples: a little less than from one to the next, so
that rounding puts no sample into it."""


class TiledDesign(Layered):
    """A grid of small coordinate networks, each for its own tile, for signals on a grid.

    Example:
        >>> one = TiledDesign(activation="sine", tile=8, raster=((32, 1 / 16), (24, 1 / 16)))
        >>> one.label, one.replaced(width=6).build((2,), 3, seed=0).tiles
        ('tiled+sine', (4, 3))
    """

    family: Literal["tiled"] = "tiled"
    activation: str = "sine"
    tile: int = Field(default=16, ge=2, le=65536)
    """Samples along a tile's edge."""
    raster: tuple[tuple[int, float], ...] | None = None
    """The signal's samples and their distance along each coordinate; the signal says so itself."""

    usual_width: ClassVar[int | None] = 12
    reach: ClassVar[Mapping[str, float]] = {"learning_rate": 4.0, "scale": 2.0}

    @field_validator("raster", mode="before")
    @classmethod
    def _read(cls, raster: Any) -> Any:
        try:
            return ast.literal_eval(raster) if isinstance(raster, str) else raster
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise ValueError(
                f"raster={raster!r}: pairs of samples and their distance are needed, one for each "
                "coordinate; where it is left open, the signal says so itself"
            ) from None

    @model_validator(mode="after")
    def _check_real(self) -> Self:
        if self.make_activation().is_complex:
            raise ValueError(
                f"activation={self.activation!r}: its values are complex; tiles' networks are real"
            )
        for samples, step in self.raster or ():
            if samples < 1 or not (math.isfinite(step) and step > 0):
                raise ValueError(f"raster={self.raster}: samples and distances are above 0")
        if self.raster and math.prod(self.tiles) > MOST_TILES:
            raise ValueError(
                f"tile={self.tile}: {math.prod(self.tiles):,} tiles, more than {MOST_TILES:,}; a "
                "larger tile would fit"
            )
        return self

    @property
    def tiles(self) -> tuple[int, ...]:
        """How many there are along each coordinate of the signal."""
        return tuple(math.ceil(samples / self.tile) for samples, _ in self.raster or ())

    @property
    def choices(self) -> tuple[str, ...]:
        """The family, the activation, and the divergence if chosen."""
        return (self.family, *super().choices)

    @property
    def label_among_families(self) -> str:
        """The short name, which says the family already."""
        return self.label

    @property
    def form(self) -> str:
        """The network's shape in words."""
        return f"{self.depth} layers of {self.width} for each tile of {self.tile} samples a side"

    def _default_rate(self) -> float:
        return QUICKER * super()._default_rate()

    def build(self, shape: tuple[int, ...], outputs: int, seed: int) -> TiledNet:
        """Build the network, its draws keyed by the seed; see `Design.build`.

        Raises:
            PenchantError: samples that lie on no grid of this number of coordinates.
        """
        if self.width is None:
            raise PenchantError(f"design {self.label}: width is needed to build a network")
        raster = self.raster or ()
        if shape != (len(raster),):
            raise PenchantError(
                f"design {self.label}: samples of shape {shape}, where the places of samples on a "
                "grid (a picture, a sound, a volume) are needed"
            )
        return TiledNet(
            self.tiles,
            outputs,
            corner=[-samples * step / 2 for samples, step in raster],
            cell=[self.tile * step for _, step in raster],
            blend=[BAND * step for _, step in raster],
            width=self.width,
            depth=self.depth,
            activation=self.make_activation(),
            seed=seed,
        )
