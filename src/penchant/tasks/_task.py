"""What a task is: data, what a network is asked about it, and how the answer is scored.

Training sees a split's `inputs` and `targets` and a divergence that suits them, nothing else; so a
picture and a table of labels pass through the same study.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.divergences import Divergence, LinkName, divergence
from penchant.errors import PenchantError
from penchant.tasks._header import SamplesHeader, SignalHeader


@dataclass(frozen=True)
class Metric:
    """A score: what it is called, its unit, which way is better and which difference matters.

    Example:
        >>> Metric("psnr_held_out", "dB", margin=0.5).higher_is_better
        True
    """

    name: str
    unit: str
    margin: float
    higher_is_better: bool = True
    watched: bool = field(default=True, repr=False)
    """Whether it is scored while a run trains, or at the end alone (see `Split.score`)."""
    neutral: bool = field(default=False, repr=False)
    """Whether neither way is better: it is described. Verdicts' *better* then means higher."""


@dataclass(frozen=True)
class Score:
    """What a network's answer is worth: one number a metric, and curves over something.

    `metrics` has one finite number (or nan where undefined) for each of the task's metrics that
    was asked for; `bands` holds the error's share of the signal in each radial frequency band,
    lowest first (empty for tasks without a spectrum).
    """

    metrics: Mapping[str, float]
    bands: tuple[float, ...] = ()
    finite: bool = field(default=False, compare=False, repr=False)
    """Whether all that training sees was asked for it, and every answer is known to be finite."""


class Split(ABC):
    """One seed's division of a task's data: what training sees, and how the answer is scored."""

    inputs: Float[Tensor, "samples inputs"]
    targets: Float[Tensor, "samples outputs"]
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None
    """Makes new inputs of a batch's, with the generator that it is given; None leaves them."""

    @abstractmethod
    def score(self, network: nn.Module, *, final: bool = True) -> Score:
        """Score a network; `final=False` leaves out what is too slow to watch during training."""

    def estimate(self, error: float) -> float | None:
        """Return the watched seen metric at a mean squared error of the targets, if it follows.

        Args:
            error: ½ of the squared error of a sample, summed over outputs, on average: what L2 is.
        """
        return None

    @abstractmethod
    def constant_score(self) -> Score:
        """Score of the best constant answer: what a diverged run is given."""


class Task(ABC):
    """Data with its questions and its scores; immutable, picklable, the same for every design."""

    name: str
    """What reports call it, for example the picture's file name without its ending."""
    metrics: tuple[Metric, ...]
    """Every metric that `Split.score` can return; the first is primary unless the plan differs."""
    inputs: int
    """Numbers a sample gives to the network, in a row."""
    outputs: int
    """Numbers the network answers."""
    fingerprint: str
    """Hash of everything that scores depend on: the data and the held-out pattern."""
    notices: tuple[str, ...] = ()
    """What was done to the data on the way in, one sentence each."""
    turns: int = 0
    """Seeds after which the same samples are held out again, where seeds take turns; else 0."""
    noun: str = "signal"
    """What reports call the kind: a picture, a data set."""
    from_spectrum: bool = False
    """Whether networks take their frequencies from the signal's spectrum unless told otherwise."""

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """A sample's own shape, for networks that see more than a row of numbers."""
        return (self.inputs,)

    @property
    def header(self) -> SignalHeader:
        """What a network's file says of the signal; of data that is none, its numbers alone."""
        return SamplesHeader(name=self.name, inputs=self.inputs, outputs=self.outputs)

    def divergence(
        self, name: str | None = None, link: LinkName | None = None, **numbers: float
    ) -> Divergence:
        """Return what training minimises.

        Args:
            name: of a divergence; by default the task's own choice, here L2.
            link: what turns the network's output into its answer; by default the task's own choice.
            numbers: of the divergence, such as Huber's delta.

        Returns:
            A divergence between the network's outputs and a split's targets, averaged over
            samples. It does not look at values: the task has checked its targets, and outputs that
            are not finite are for training to notice.

        Raises:
            PenchantError: a name or link that does not fit the task's targets.
        """
        chosen = divergence(name or "l2", link=link, reduction="mean", validate=False, **numbers)
        if chosen.link != "identity":
            raise PenchantError(
                f"divergence={chosen.name!r} with link={chosen.link!r}: {self.name} takes a "
                "network's outputs for its answers, so only the link identity fits, as of l2, l1 "
                "and huber"
            )
        return chosen

    def answering(self, network: nn.Module, divergence: Divergence) -> nn.Module:
        """Return what `Split.score` is to be given of a network that a divergence has trained."""
        return network

    def unwrapped(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of the network that a design built, of those of the wrapped one."""
        return state

    def wrapped(self, network: nn.Module, split: Split) -> nn.Module:
        """Return what training and `Split.score` are given of a network that a design built.

        Here the network itself. A task says more where its questions are not the network's: where
        a ray is asked about and the network answers points, or where a network makes a whole
        picture and has to be shown the part of it that training sees.

        Args:
            network: newly built; what is returned holds its parameters, and may be it.
            split: whose training samples alone may be shown to the network.
        """
        return network

    @abstractmethod
    def split(self, seed: int, *, validation: bool = False) -> Split:
        """Divide the data for a seed.

        Args:
            seed: the run's seed.
            validation: for a pilot: a keyed fifth of the *seen* samples is kept from training and
                the held-out metrics are computed on it; the truly held-out samples stay unused.

        Returns:
            The same split for the same arguments, whatever happened before.
        """

    @abstractmethod
    def seen_values(self) -> int:
        """Count the numbers that training sees (samples times outputs)."""
