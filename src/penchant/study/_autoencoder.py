"""Designs of convolutional encoder-decoders that reconstruct one picture."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from penchant.errors import PenchantError
from penchant.nn import NOISE_CHANNELS, Autoencoder, PictureNet
from penchant.study._defaults import AUTOENCODER_LEARNING_RATES, STANDARDISED_NUMBERS
from penchant.study._layered import Layered
from penchant.training import OptimizerName


class AutoencoderDesign(Layered):
    """An encoder-decoder that makes a whole picture in each pass, for pictures to reconstruct.

    It is asked for points, as a coordinate network is; see `nn.PictureNet`.

    Example:
        >>> AutoencoderDesign(activation="sine", source="noise").label
        'autoencoder+sine+noise'
        >>> AutoencoderDesign(width=8).build((2,), 3, seed=0).network.bottleneck(64, 64)
        (8, 8, 8)
    """

    family: Literal["autoencoder"] = "autoencoder"
    depth: int = Field(default=3, gt=0, le=64)
    """Levels, each of which halves height and width."""
    source: Literal["picture", "noise"] = "picture"
    """What the encoder is given: the picture as far as it is seen, or fixed noise."""
    optimizer: OptimizerName = "adam"

    reach: ClassVar[Mapping[str, float]] = {"learning_rate": 4.0, "scale": 2.0}
    numbers: ClassVar[Mapping[str, Mapping[str, float]]] = STANDARDISED_NUMBERS

    @model_validator(mode="after")
    def _check_real(self) -> Self:
        if self.make_activation().is_complex:
            raise ValueError(
                f"activation={self.activation!r}: its values are complex; an encoder-decoder for "
                "pictures is real"
            )
        return self

    @property
    def choices(self) -> tuple[str, ...]:
        """The family, the activation, noise where that is given, and the divergence if chosen."""
        activation, *divergence = super().choices
        noise = ["noise"] if self.source == "noise" else []
        return (self.family, activation, *noise, *divergence)

    @property
    def label_among_families(self) -> str:
        """The short name, which says the family already."""
        return self.label

    @property
    def form(self) -> str:
        """The network's shape in words."""
        return f"{self.depth} levels of {self.width} channels, down and up"

    def _default_rate(self) -> float:
        return AUTOENCODER_LEARNING_RATES[self.optimizer]

    def build(self, shape: tuple[int, ...], outputs: int, seed: int) -> PictureNet:
        """Build the network, its draws keyed by the seed; see `Design.build`.

        Its task shows it the picture (`Task.wrapped`), whose size changes no parameter.

        Raises:
            PenchantError: samples that are no points of a picture.
        """
        if self.width is None:
            raise PenchantError(f"design {self.label}: width is needed to build a network")
        if shape != (2,):
            raise PenchantError(
                f"design {self.label}: samples of shape {shape}, where the points of one picture, "
                "of 2 coordinates, are needed"
            )
        noise = NOISE_CHANNELS if self.source == "noise" else 0
        network = Autoencoder(
            noise or outputs + 1,
            outputs,
            width=self.width,
            depth=self.depth,
            activation=self.make_activation(),
            seed=seed,
        )
        return PictureNet(network, outputs, noise=noise, seed=seed)
