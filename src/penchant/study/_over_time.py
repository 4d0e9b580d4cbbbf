"""Designs for sounds: a network that shares its weights over time, and two that do not."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from penchant.errors import PenchantError
from penchant.nn import TDNN, CoordinateNet, Delays, Unshared
from penchant.study._defaults import DENSE_LEARNING_RATES
from penchant.study._layered import Layered
from penchant.training import OptimizerName


class TDNNDesign(Layered):
    """A time-delay neural network, or what becomes of it where weights are not shared over time.

    ==============  ===============================================================================
    ``shared``      `TDNN`: convolutions over time, the same weights at every place
    ``unshared``    `Unshared`: the same connections, each place with weights of its own
    ``dense``       a multilayer perceptron on the whole window, every unit connected to all below
    ==============  ===============================================================================

    Example:
        >>> TDNNDesign(sharing="unshared", activation="gelu").label
        'unshared+gelu'
        >>> TDNNDesign(width=8).build((32, 98), 10, seed=0)[1].head
        Conv1d(8, 10, kernel_size=(1,), stride=(1,))
    """

    family: Literal["tdnn"] = "tdnn"
    sharing: Literal["shared", "unshared", "dense"] = "shared"
    depth: int = Field(default=4, gt=0, le=10)
    optimizer: OptimizerName = "adam"

    reach: ClassVar[Mapping[str, float]] = {"learning_rate": 4.0, "scale": 2.0}
    usual_width: ClassVar[int | None] = 64

    @property
    def choices(self) -> tuple[str, ...]:
        """What is shared, the activation where it is not relu, and the divergence where chosen."""
        activation, *rest = super().choices
        return (self.sharing, *([] if activation == "relu" else [activation]), *rest)

    def _default_rate(self) -> float:
        return DENSE_LEARNING_RATES[self.optimizer]

    def build(self, shape: tuple[int, ...], outputs: int, seed: int) -> nn.Module:
        """Build the network, its draws keyed by the seed; see `Design.build`.

        Raises:
            PenchantError: samples that are not channels × time.
        """
        if self.width is None:
            raise PenchantError(f"design {self.label}: width is needed to build a network")
        if len(shape) != 2:
            raise PenchantError(
                f"design {self.label}: samples of shape {shape}, where a network over time takes "
                "channels × time, as recordings have; for other data family=dense"
            )
        channels, frames = shape
        phi = self.make_activation()
        if self.sharing == "dense":
            inputs = channels * frames
            return CoordinateNet(
                inputs, outputs, width=self.width, depth=self.depth, activation=phi, seed=seed
            )
        delays = delays_of(self.depth)
        network = (
            TDNN(channels, outputs, width=self.width, delays=delays, activation=phi, seed=seed)
            if self.sharing == "shared"
            else Unshared(
                channels,
                outputs,
                frames,
                width=self.width,
                delays=delays,
                activation=phi,
                seed=seed,
            )
        )
        return nn.Sequential(nn.Unflatten(1, shape), network)


def delays_of(depth: int) -> tuple[Delays, ...]:
    """Say what each of so many layers hears.

    Two that halve the rate, then layers of 3 frames ever further apart.

    Example:
        >>> from penchant.nn import DELAYS
        >>> delays_of(4) == DELAYS
        True
    """
    halving = (Delays(5, stride=2),) * min(2, depth)
    return (*halving, *(Delays(3, dilation=2**index) for index in range(depth - 2)))
