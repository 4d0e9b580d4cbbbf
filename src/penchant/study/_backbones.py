"""Designs of the published backbones for pictures: the vision transformer and ConvNeXt."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field
from torch import nn

from penchant.errors import PenchantError
from penchant.nn import ConvNeXt, Pictures, ViT
from penchant.study._defaults import (
    BACKBONE_LEARNING_RATES,
    BACKBONE_WEIGHT_DECAY,
    STANDARDISED_NUMBERS,
)
from penchant.study._layered import Layered
from penchant.training import OptimizerName

MOST_TOKENS = 64
"""Patches that a picture is cut into at most where the patch's side is left open."""


class Backbone(Layered):
    """Blocks with a residual path; a sample is a picture."""

    activation: str = "gelu"
    optimizer: OptimizerName = "adam"

    reach: ClassVar[Mapping[str, float]] = {"learning_rate": 4.0, "scale": 2.0}
    numbers: ClassVar[Mapping[str, Mapping[str, float]]] = STANDARDISED_NUMBERS

    @property
    def choices(self) -> tuple[str, ...]:
        """The family, the activation, and the divergence where it was chosen."""
        return (self.family, *super().choices)

    @property
    def label_among_families(self) -> str:
        """The short name, which says the family already."""
        return self.label

    def resolved(self) -> Self:
        """Return the design with every number filled in, but for the width."""
        decay = self._default_decay() if self.weight_decay is None else self.weight_decay
        return super().resolved().replaced(weight_decay=decay)

    def _default_rate(self) -> float:
        return BACKBONE_LEARNING_RATES[self.optimizer]

    def _default_decay(self) -> float:
        return BACKBONE_WEIGHT_DECAY

    def build(self, shape: tuple[int, ...], outputs: int, seed: int) -> nn.Module:
        """Build the network, its draws keyed by the seed; see `Design.build`.

        Raises:
            PenchantError: samples that are no pictures, or too small ones.
        """
        if self.width is None:
            raise PenchantError(f"design {self.label}: width is needed to build a network")
        if len(shape) not in (2, 3):
            raise PenchantError(
                f"design {self.label}: samples of shape {shape}, where pictures (height × width, "
                "or height × width × channels) are needed; for other data family=dense"
            )
        pictures = Pictures(shape)
        sides = (pictures.height, pictures.width)
        return nn.Sequential(pictures, self._network(sides, pictures.channels, outputs, seed))

    @abstractmethod
    def _network(self, sides: tuple[int, int], channels: int, outputs: int, seed: int) -> nn.Module:
        """Build what stands behind the pictures."""


class ViTDesign(Backbone):
    """A vision transformer.

    Example:
        >>> ViTDesign(activation="sine").label, ViTDesign(positions="none").label
        ('vit+sine', 'vit+gelu+no-positions')
        >>> ViTDesign(width=8, depth=1).build((8, 8), 10, seed=0)[1].size
        (8, 8)
    """

    family: Literal["vit"] = "vit"
    depth: int = Field(default=6, gt=0, le=64)
    """Blocks, each of attention and of two layers with the activation between them."""
    heads: int = Field(default=4, gt=0, le=64)
    """Of the attention."""
    patch: int | None = Field(default=None, gt=0)
    """A patch's side in pixels; by default the smallest from 2 with at most 64 patches."""
    positions: Literal["learned", "sinusoidal", "none"] = "learned"
    """What tells tokens where they are."""

    usual_width: ClassVar[int | None] = 64

    @property
    def choices(self) -> tuple[str, ...]:
        """The family, the activation, and the positions and the divergence where unusual."""
        family, activation, *divergence = super().choices
        named = {"learned": [], "none": ["no-positions"]}.get(self.positions, [self.positions])
        return (family, activation, *named, *divergence)

    @property
    def identity(self) -> dict[str, Any]:
        """All fields that say something; older runs lack the positions, which were learned."""
        usual = self.positions == "learned"
        return {n: v for n, v in super().identity.items() if not (usual and n == "positions")}

    @property
    def form(self) -> str:
        """The network's shape in words."""
        return f"{self.depth} blocks of {self.width} with {self.heads} heads"

    def _network(self, sides: tuple[int, int], channels: int, outputs: int, seed: int) -> nn.Module:
        return ViT(
            sides,
            outputs,
            channels=channels,
            patch=self.patch or self._usual_patch(sides),
            width=self.width or 0,
            depth=self.depth,
            heads=self.heads,
            activation=self.make_activation(),
            positions=self.positions,
            seed=seed,
        )

    def _usual_patch(self, sides: tuple[int, int]) -> int:
        height, width = sides
        for side in range(2, min(sides) // 2 + 1):
            few = height * width <= MOST_TOKENS * side**2
            if few and height % side == 0 and width % side == 0:
                return side
        raise PenchantError(
            f"design {self.label}: pictures of {height}×{width} pixels cannot be cut into 4 to "
            f"{MOST_TOKENS} square patches; scale them (size=28), or say patch="
        )


class ConvNeXtDesign(Backbone):
    """ConvNeXt in three stages behind a stem of 2×2 pixels.

    Example:
        >>> ConvNeXtDesign().label, ConvNeXtDesign(depth=7).depths
        ('convnext+gelu', (2, 3, 2))
    """

    family: Literal["convnext"] = "convnext"
    depth: int = Field(default=6, ge=3, le=64)
    """Blocks in all, each with the activation once."""

    usual_width: ClassVar[int | None] = 32

    @property
    def form(self) -> str:
        """The network's shape in words."""
        return f"{self.depth} blocks in 3 stages, the first of {self.width} channels"

    @property
    def depths(self) -> tuple[int, int, int]:
        """Blocks of each stage; the middle one has what is left over."""
        third = self.depth // 3
        return third, self.depth - 2 * third, third

    def _network(self, sides: tuple[int, int], channels: int, outputs: int, seed: int) -> nn.Module:
        network = ConvNeXt(
            outputs,
            channels=channels,
            width=self.width or 0,
            depths=self.depths,
            activation=self.make_activation(),
            seed=seed,
        )
        if min(sides) < network.smallest:
            raise PenchantError(
                f"design {self.label}: pictures of {sides[0]}×{sides[1]} pixels, where three "
                f"stages need {network.smallest} a side"
            )
        return network
