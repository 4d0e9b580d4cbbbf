"""Two classes of points whose features are Gaussian, so that the true posterior is known.

Decisions:
- Seeds draw samples and the angle at which the classes lie, so that they speak for the pair of
  Gaussians and not for one sample of it, and no direction of the plane is favoured.
- Held-out labels are drawn as those seen are: that they are a matter of chance is the question.
- How far probabilities are from the posterior is told at the end alone, and never to a pilot, which
  may know no more than training does.
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from penchant.errors import PenchantError, nearest
from penchant.randomness import generator
from penchant.tasks._calibration import calibration_error
from penchant.tasks._classes import ClassesTask
from penchant.tasks._classification_split import ClassificationSplit
from penchant.tasks._drawn_words import drawn_words, made_words, words_fingerprint
from penchant.tasks._evaluate import evaluate
from penchant.tasks._gaussian_classes import GaussianClasses
from penchant.tasks._part import VALIDATION
from penchant.tasks._stratified import stratified
from penchant.tasks._task import Metric, Score, Split

PREFIX = "gaussians"

_VERSION = 1  # part of the fingerprint: raise it whenever the same words would score otherwise
_BOUNDS = {"samples": (50, 1_000_000), "test": (50, 1_000_000)}
_PAIRS: dict[str, tuple[list[list[float]], list[list[list[float]]]]] = {
    "equal": ([[-0.8, 0.0], [0.8, 0.0]], [[[1.0, 0.5], [0.5, 1.0]], [[1.0, 0.5], [0.5, 1.0]]]),
    "unequal": ([[-0.4, 0.0], [0.4, 0.0]], [[[1.0, 0.0], [0.0, 1.0]], [[0.25, 0.0], [0.0, 3.0]]]),
}
"""Means and covariances of the two classes, before they are turned."""
_HELD_OUT = 10**6  # held-out samples are drawn with seeds beyond any study's

_SCORES = (
    Metric("nll_held_out", "nats", margin=0.05, higher_is_better=False),
    Metric("accuracy_held_out", "%", margin=1.0),
    Metric("nll_seen", "nats", margin=0.05, higher_is_better=False),
    Metric("accuracy_seen", "%", margin=1.0),
)
# A hundredth of probability; a hundredth of a nat; a hundredth again.
_POSTERIOR = (
    Metric("posterior_distance", "%", margin=1.0, higher_is_better=False, watched=False),
    Metric("posterior_kl", "nats", margin=0.01, higher_is_better=False, watched=False),
    Metric("posterior_ece_excess", "%", margin=1.0, higher_is_better=False, watched=False),
)


@dataclass(frozen=True)
class _Words:
    covariances: str = "equal"
    samples: int = 1000
    test: int = 5000

    def __post_init__(self) -> None:
        if self.covariances not in _PAIRS:
            raise PenchantError(
                f"{PREFIX}: covariances={self.covariances!r} is unknown; "
                f"{nearest(self.covariances, list(_PAIRS))}"
            )
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if not (isinstance(value, int) and least <= value <= most):
                raise PenchantError(
                    f"{PREFIX}: {name}={value}: needs a whole number from {least:,} to {most:,}"
                )

    def __str__(self) -> str:
        own = [
            f for f in fields(self) if f.name == "covariances" or getattr(self, f.name) != f.default
        ]
        return f"{PREFIX}:{','.join(f'{f.name}={getattr(self, f.name)}' for f in own)}"


class GaussiansTask(ClassesTask):
    """Tell two classes of Gaussian features apart, whose true posterior is known.

    Beside accuracy and log-likelihood, of held-out samples and of those seen, a network's
    probabilities are held against the posterior at the held-out samples: the mean distance
    |p − P(1 | x)| (`posterior_distance`), the mean divergence KL(P ‖ p) (`posterior_kl`), and by
    how much the expected calibration error is above that of the posterior itself on the same
    samples (`posterior_ece_excess`). A pilot is told none of this.

    Args:
        covariances: ``equal`` or ``unequal``.
        samples: that training sees.
        test: held-out samples.

    Raises:
        PenchantError: an unknown kind, or a number that does not fit.

    Example:
        >>> task = GaussiansTask(covariances="unequal", samples=100)
        >>> task.name, task.inputs, task.outputs, task.split(0).inputs.shape
        ('gaussians:covariances=unequal,samples=100', 2, 2, torch.Size([100, 2]))

    Source: Bishop, "Pattern recognition and machine learning", 2006, section 4.2.
    """

    noun = "pair of classes"
    inputs = 2
    outputs = 2
    metrics = (*_SCORES, *_POSTERIOR)

    def __init__(self, **words: Any) -> None:
        self.words = made_words(PREFIX, _Words, words)
        self.name = str(self.words)
        self.fingerprint = words_fingerprint(self.words, _VERSION)
        self.notices = (
            f"two classes of two Gaussian features with {self.words.covariances} covariances, "
            f"which each seed turns by another angle; {self.words.samples:,} samples are seen and "
            f"{self.words.test:,} are held out",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction: the words are all there is."""
        return _again, (asdict(self.words),)

    def classes(self, seed: int) -> GaussianClasses:
        """Return a seed's classes, which know their posterior."""
        turn = torch.rand((), generator=generator(seed, "gaussians/angle"), dtype=torch.float64)
        angle = 2 * math.pi * float(turn)
        cosine, sine = math.cos(angle), math.sin(angle)
        turned = torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float64)
        means, covariances = (
            torch.tensor(numbers, dtype=torch.float64) for numbers in _PAIRS[self.words.covariances]
        )
        return GaussianClasses(means @ turned.T, turned @ covariances @ turned.T)

    def split(self, seed: int, *, validation: bool = False) -> "GaussiansSplit":
        """Draw the samples of a seed; see `Task.split`.

        Args:
            seed: the run's seed.
            validation: keep a fifth of each class's samples from training and compute the held-out
                metrics on it; of the posterior nothing is told.
        """
        classes, samples = self.classes(seed), self.words.samples
        points, labels = classes.sample(samples, seed)
        if validation:
            kept = stratified(labels.numpy(), VALIDATION, generator(seed, "validation"))
            return GaussiansSplit(points, labels, (np.flatnonzero(~kept), np.flatnonzero(kept)))
        asked, answers = classes.sample(self.words.test, _HELD_OUT + seed)
        parts = np.arange(samples), samples + np.arange(len(asked))
        return GaussiansSplit(
            torch.cat([points, asked]), torch.cat([labels, answers]), parts, classes
        )

    def seen_values(self) -> int:
        """Count the numbers that training sees: samples times classes."""
        return self.words.samples * self.outputs


class GaussiansSplit(Split):
    """One seed's samples; made by `GaussiansTask.split`.

    Args:
        points: all of them.
        labels: their classes.
        parts: indices of the training samples, and of those that the held-out metrics ask about.
        classes: whose posterior probabilities are held against; None where nobody may know it.
    """

    def __init__(
        self,
        points: Float[Tensor, "points 2"],
        labels: Int[Tensor, " points"],
        parts: tuple[Int[np.ndarray, " seen"], Int[np.ndarray, " asked"]],
        classes: GaussianClasses | None = None,
    ) -> None:
        self._split = ClassificationSplit(points.float(), labels, 2, parts, altered={})
        self.inputs, self.targets = self._split.inputs, self._split.targets
        chosen = torch.from_numpy(parts[1])
        self._asked, self._labels = points[chosen], labels[chosen]
        self._posterior = None if classes is None else classes.posterior(self._asked)

    def score(self, network: nn.Module, *, final: bool = True) -> Score:
        """Score a network's logits, and at the end its probabilities against the posterior.

        Raises:
            PenchantError: the network answers with another number of classes.
        """
        found = self._split.score(network, final=final)
        if not final or self._posterior is None:
            return self._scored(found, None)
        logs = evaluate(network, self._asked.float()).double().log_softmax(dim=1)
        return self._scored(found, logs if bool(logs.isfinite().all()) else self._shares())

    def constant_score(self) -> Score:
        """Score the classes' shares of the training samples, given for every sample."""
        return self._scored(self._split.constant_score(), self._shares())

    def _shares(self) -> Float[Tensor, "asked 2"]:
        shares: Tensor = self.targets.double().mean(dim=0).log()
        return shares.expand(len(self._asked), -1)

    def _scored(self, found: Score, logs: Float[Tensor, "asked 2"] | None) -> Score:
        metrics = {one.name: found.metrics[one.name] for one in _SCORES}
        truth = self._posterior
        if logs is None or truth is None:
            return Score(metrics)
        kl = (torch.special.xlogy(truth, truth) - truth * logs).sum(dim=1)
        return Score(
            {
                **metrics,
                "posterior_distance": 100 * float((logs.exp() - truth)[:, 1].abs().mean()),
                "posterior_kl": float(kl.mean()),
                "posterior_ece_excess": 100 * (self._ece(logs.exp()) - self._ece(truth)),
            }
        )

    def _ece(self, probabilities: Float[Tensor, "asked 2"]) -> float:
        return calibration_error(probabilities[:, 1].clamp(0, 1), self._labels)


def _again(words: dict[str, Any]) -> GaussiansTask:
    return GaussiansTask(**words)


def load_gaussians(source: str) -> GaussiansTask:
    """Make the task that its words name.

    ===============  ==============================================================================
    ``covariances``  ``equal`` (by default) or ``unequal``
    ``samples``      that training sees, 1000
    ``test``         held-out samples, 5000
    ===============  ==============================================================================

    Args:
        source: ``gaussians``, or with options ``gaussians:covariances=unequal,samples=100``.

    Raises:
        PenchantError: an unknown option, an option given twice, or a number that does not fit.

    Example:
        >>> load_gaussians("gaussians:samples=500").name
        'gaussians:covariances=equal,samples=500'
    """
    return GaussiansTask(**drawn_words(source, "samples=1000", {"covariances": str}))
