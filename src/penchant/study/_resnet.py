"""Designs of residual networks for small pictures, and of their plain twins."""

from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator
from torch import nn

from penchant.nn import ResNet
from penchant.study._backbones import Backbone
from penchant.study._defaults import RESNET_LEARNING_RATES, RESNET_WEIGHT_DECAYS
from penchant.training import OptimizerName


class ResNetDesign(Backbone):
    """A residual network of 6n + 2 layers, or the plain one of the same layers; see `nn.ResNet`.

    Runs of one seed pair: with zero-padded shortcuts, as here, residual and plain networks have
    the same parameters, and start from the same numbers.

    Example:
        >>> ResNetDesign().label, ResNetDesign(skip="none", activation="gelu").label
        ('resnet-20+relu', 'plain-20+gelu')
        >>> ResNetDesign(depth=8, width=4).build((8, 8), 10, seed=0)[1].head
        Linear(in_features=16, out_features=10, bias=True)
    """

    family: Literal["resnet"] = "resnet"
    activation: str = "relu"
    depth: int = Field(default=20, ge=8, le=1202)
    """Layers with weights: 8, 14, 20, 26, ..."""
    skip: Literal["residual", "none"] = "residual"
    normalisation: Literal["batch", "none"] = "batch"
    block: Literal["post", "pre"] = "post"
    """Where the activations stand: behind each sum, or before each convolution."""
    skip_scale: float | None = Field(default=None, allow_inf_nan=False)
    """Where learned factors before the sums start; 0 is SkipInit."""
    survival: float = Field(default=1.0, gt=0, le=1)
    """Stochastic depth: the last block's chance in training."""
    optimizer: OptimizerName = "momentum"

    usual_width: ClassVar[int | None] = 16

    @field_validator("depth", mode="after")
    @classmethod
    def _check_depth(cls, depth: int) -> int:
        over = (depth - 2) % 6
        if over:
            raise ValueError(
                f"depth={depth}: a residual network has 6n + 2 layers; the nearest are "
                f"{depth - over} and {depth - over + 6}"
            )
        return depth

    @model_validator(mode="after")
    def _check_choices(self) -> Self:
        if self.skip == "none" and (self.skip_scale is not None or self.survival != 1):
            raise ValueError("skip=none: a plain network has no skip_scale and no survival")
        if self.make_activation().is_complex:
            raise ValueError(
                f"activation={self.activation!r}: its values are complex; a residual network for "
                "pictures is real"
            )
        return self

    @property
    def choices(self) -> tuple[str, ...]:
        """Residual or plain with the depth, the activation, and what else is unusual."""
        _, activation, *divergence = super().choices
        kind = "plain" if self.skip == "none" else "resnet"
        unusual = {"unnormalised": self.normalisation == "none", "pre": self.block == "pre"}
        named = [name for name, chosen in unusual.items() if chosen]
        return (f"{kind}-{self.depth}", activation, *named, *divergence)

    @property
    def form(self) -> str:
        """The network's shape in words."""
        wide = f"{self.width} to {4 * self.width} channels" if self.width else "3 stages"
        return f"{self.depth} layers of {wide}"

    def _default_rate(self) -> float:
        return RESNET_LEARNING_RATES[self.normalisation][self.optimizer]

    def _default_decay(self) -> float:
        return RESNET_WEIGHT_DECAYS[self.optimizer]

    def _network(self, sides: tuple[int, int], channels: int, outputs: int, seed: int) -> nn.Module:
        return ResNet(
            self.depth,
            outputs,
            channels=channels,
            width=self.width or 0,
            activation=self.make_activation(),
            skip=self.skip == "residual",
            form=self.block,
            normalisation=self.normalisation,
            skip_scale=self.skip_scale,
            survival=self.survival,
            seed=seed,
        )
