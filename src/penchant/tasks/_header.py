"""What a network's file says of its signal: enough to give the signal back.

It comes from outside, so every number has bounds and every text a length.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.tasks._evaluate import evaluate
from penchant.tasks._signed import signed_answering, signed_divergence


@dataclass(frozen=True)
class Decoding:
    """How much of a signal is wanted, and how finely."""

    scale: float = 1.0
    """New samples a sample, along each axis."""
    region: tuple[float, ...] | None = None
    """Its borders, in the signal's own units; the whole by default."""
    view: int | None = None
    """Which of a scene's views."""


class SignalHeader(BaseModel, ABC):
    """The facts of a signal that a network was fitted to, and the way back to its own format."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    name: str = Field(max_length=1000)
    inputs: int = Field(ge=1, le=1_000_000)
    outputs: int = Field(ge=1, le=1_000_000)

    axes: ClassVar[tuple[str, ...]] = ()
    """What a point is given by, such as x and y."""
    takes: ClassVar[tuple[str, ...]] = ("scale", "region")
    """The fields of `Decoding` that mean something here."""

    @property
    @abstractmethod
    def raw(self) -> tuple[int, str]:
        """How many bytes the signal has as it is usually kept, and that in words."""

    @abstractmethod
    def try_render(self, stem: str) -> list[str]:
        """Options of `penchant render` that show what a network can do, for a file's stem."""

    def check(self, wanted: Decoding) -> None:
        """Refuse what means nothing for this kind of signal.

        Raises:
            PenchantError: such a field, or a region of another number of borders.
        """
        usual = Decoding()
        for name in vars(wanted):
            value = getattr(wanted, name)
            if name not in self.takes and value != getattr(usual, name):
                raise PenchantError(
                    f"{name}={value}: {self.name} is a {self.kind}, which takes "
                    f"{' and '.join(self.takes) or 'none of these'}"
                )
        if wanted.region is not None and len(wanted.region) != 2 * len(self.axes):
            raise PenchantError(
                f"region={_listed(wanted.region)}: {2 * len(self.axes)} numbers are needed, the "
                f"borders of a part of the {self.kind}"
            )

    def answer(
        self,
        network: nn.Module,
        divergence: str | None,
        link: Literal["identity", "sigmoid", "softmax"] | None,
    ) -> nn.Module:
        """Return what answers in targets' range, of a network that a divergence has trained."""
        return signed_answering(network, signed_divergence(divergence, link))

    @abstractmethod
    def decode(self, answer: nn.Module, wanted: Decoding) -> Any:
        """Ask a network for the signal, or a part of it.

        Args:
            answer: as `answer` gives it.
            wanted: how much, how finely.

        Returns:
            Numbers, as this kind of signal has them.

        Raises:
            PenchantError: a part that is not there, or more than can be asked for.
        """

    @abstractmethod
    def at(self, answer: nn.Module, point: Sequence[float]) -> Float[np.ndarray, " outputs"]:
        """Ask for the values at one point, given in the signal's own units.

        Raises:
            PenchantError: a point outside the signal.
        """

    @abstractmethod
    def check_file(self, out: Path) -> None:
        """Refuse a file's name whose ending stands for no format of this kind of signal."""

    @abstractmethod
    def write(self, decoded: Any, out: Path, wanted: Decoding) -> str:
        """Write what was decoded, and say in a few words what the file holds.

        Raises:
            PenchantError: the file cannot be written, or its format cannot hold it.
        """

    def _values(
        self, answer: nn.Module, points: Float[Tensor, "points inputs"]
    ) -> Float[np.ndarray, "points outputs"]:
        with torch.no_grad():
            values: Float[np.ndarray, "points outputs"] = evaluate(answer, points).numpy()
        return values


class SamplesHeader(SignalHeader):
    """Of data that is no signal: its networks answer samples, and there is nothing to give back."""

    kind: Literal["samples"] = "samples"
    takes = ()

    @property
    def raw(self) -> tuple[int, str]:
        """Nothing."""
        return 0, ""

    def try_render(self, stem: str) -> list[str]:
        """Nothing."""
        return []

    def decode(self, answer: nn.Module, wanted: Decoding) -> Any:
        """Refuse."""
        raise PenchantError(
            f"a network of {self.kind} ({self.name}); only those of signals are rendered"
        )

    def at(self, answer: nn.Module, point: Sequence[float]) -> Float[np.ndarray, " outputs"]:
        """Refuse."""
        self.decode(answer, Decoding())
        raise AssertionError

    def check_file(self, out: Path) -> None:
        """Refuse."""
        self.decode(nn.Identity(), Decoding())

    def write(self, decoded: Any, out: Path, wanted: Decoding) -> str:
        """Refuse."""
        self.decode(nn.Identity(), wanted)
        raise AssertionError


def _listed(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
