"""Two classes of points in the plane, with a known border between them.

Decisions:
- Seeds draw points, noise and the angle at which the shape lies, so that they speak for the shape
  and not for one sample of it, and no direction of the plane is favoured.
- Noise turns labels over, of what training sees alone: held-out points have the truth.
- Networks are given √3 times the points, whose features then have deviation 1 exactly. Boundaries
  are measured in the plane's own units.
- The true border is measured by the same probe on the same grid, so that what a grid or a scale
  misses is missed in both.
"""

import math
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from penchant.errors import PenchantError, nearest
from penchant.probes import DecisionBoundary, decision_boundary
from penchant.randomness import generator
from penchant.tasks._classes import ClassesTask
from penchant.tasks._classification_split import ClassificationSplit
from penchant.tasks._drawn_words import drawn_words, made_words, words_fingerprint
from penchant.tasks._eval_mode import eval_mode
from penchant.tasks._part import VALIDATION
from penchant.tasks._plane_shapes import SHAPES, PlaneShape
from penchant.tasks._stratified import stratified
from penchant.tasks._task import Metric, Score, Split

PREFIX = "plane"

_VERSION = 1  # part of the fingerprint: raise it whenever the same words would score otherwise
_BOUNDS = {"samples": (50, 100_000), "noise": (0, 0.45), "test": (50, 1_000_000)}
_TURN = 2 * math.pi

_SCORES = (
    Metric("accuracy_held_out", "%", margin=1.0),
    Metric("nll_held_out", "nats", margin=0.05, higher_is_better=False),
    Metric("accuracy_seen", "%", margin=1.0),
    Metric("nll_seen", "nats", margin=0.05, higher_is_better=False),
)
# A twentieth of the length; a right angle's turn; half a piece.
_BOUNDARY = (
    Metric("boundary_length_error", "%", margin=5.0, higher_is_better=False, watched=False),
    Metric("boundary_turning_error", "turns", margin=0.25, higher_is_better=False, watched=False),
    Metric("boundary_length_excess", "%", margin=5.0, watched=False, neutral=True),
    Metric("boundary_turning_excess", "turns", margin=0.25, watched=False, neutral=True),
    Metric("boundary_pieces", "pieces", margin=0.5, watched=False, neutral=True),
)


@dataclass(frozen=True)
class _Words:
    shape: str = "circle"
    samples: int = 200
    noise: float = 0.1
    test: int = 2000

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise PenchantError(
                f"{PREFIX}: shape={self.shape!r} is unknown; {nearest(self.shape, list(SHAPES))}"
            )
        for name, (least, most) in _BOUNDS.items():
            value, whole = getattr(self, name), name != "noise"
            if not (isinstance(value, int if whole else int | float) and least <= value <= most):
                kind = "whole number" if whole else "share of labels"
                raise PenchantError(
                    f"{PREFIX}: {name}={value}: needs a {kind} from {least:,} to {most:,}"
                )

    def __str__(self) -> str:
        own = [f for f in fields(self) if f.name == "shape" or getattr(self, f.name) != f.default]
        said = (f"{f.name}={_plain(getattr(self, f.name))}" for f in own)
        return f"{PREFIX}:{','.join(said)}"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


class PlaneTask(ClassesTask):
    """Tell the inside of a shape in the plane from its outside, learnt from points with noise.

    Points are uniform in [-1, 1]². Beside accuracy and log-likelihood, on held-out points without
    noise and on those seen, a network's decision boundary is held against the true one: by how much
    of the true length it is longer (`boundary_length_excess`), by how many full turns more it bends
    (`boundary_turning_excess`), these without their signs (`..._error`), and in how many pieces it
    comes. A pilot is told none of this.

    Args:
        shape: ``line``, ``stripes``, ``circle``, ``square``, ``wave`` or ``zigzag``.
        samples: that training sees.
        noise: the probability with which a seen label is turned over.
        test: held-out samples.

    Raises:
        PenchantError: an unknown shape, or a number that does not fit.

    Example:
        >>> task = PlaneTask(shape="wave", samples=100)
        >>> task.name, task.inputs, task.outputs, task.split(0).inputs.shape
        ('plane:shape=wave,samples=100', 2, 2, torch.Size([100, 2]))
    """

    noun = "shape"
    inputs = 2
    outputs = 2
    metrics = (*_SCORES, *_BOUNDARY)

    def __init__(self, **words: Any) -> None:
        self.words = made_words(PREFIX, _Words, words)
        self.name = str(self.words)
        self.fingerprint = words_fingerprint(self.words, _VERSION)
        self.notices = (
            f"points in [-1, 1]², inside or outside a {self.words.shape} that each seed turns by "
            f"another angle; {self.words.samples:,} points are seen, and {self.words.noise:.0%} of "
            f"their labels turned over by chance; {self.words.test:,} are held out, with the truth",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction: the words are all there is."""
        return _again, (asdict(self.words),)

    def truth(self, seed: int) -> PlaneShape:
        """Return a seed's region, in the plane's own units."""
        turn = torch.rand((), generator=generator(seed, "plane/angle"), dtype=torch.float64)
        return PlaneShape(self.words.shape, float(_TURN * turn))

    def split(self, seed: int, *, validation: bool = False) -> "PlaneSplit":
        """Draw the samples of a seed; see `Task.split`.

        Args:
            seed: the run's seed.
            validation: keep a fifth of each class's samples from training and compute the held-out
                metrics on it, noise included: a pilot may know no more than training does. Of the
                boundary it is told nothing.
        """
        truth, samples = self.truth(seed), self.words.samples
        seen = _points(samples, generator(seed, "plane/seen"))
        labels = (truth(seen)[:, 0] > 0).long()
        draws = torch.rand(samples, generator=generator(seed, "plane/noise"), dtype=torch.float64)
        labels = torch.where(draws < self.words.noise, 1 - labels, labels)
        if validation:
            kept = stratified(labels.numpy(), VALIDATION, generator(seed, "validation"))
            return PlaneSplit(seen, labels, (np.flatnonzero(~kept), np.flatnonzero(kept)), None)
        asked = _points(self.words.test, generator(seed, "plane/held-out"))
        points = torch.cat([seen, asked])
        labels = torch.cat([labels, (truth(asked)[:, 0] > 0).long()])
        return PlaneSplit(
            points, labels, (np.arange(samples), samples + np.arange(len(asked))), truth
        )

    def seen_values(self) -> int:
        """Count the numbers that training sees: samples times classes."""
        return self.words.samples * self.outputs


class PlaneSplit(Split):
    """One seed's points; made by `PlaneTask.split`.

    Args:
        points: all of them.
        labels: 1 inside, 0 outside.
        parts: indices of the training samples, and of those that the held-out metrics ask about.
        truth: the region that boundaries are held against; None where nobody may know it.
    """

    def __init__(
        self,
        points: Float[Tensor, "points 2"],
        labels: Int[Tensor, " points"],
        parts: tuple[Int[np.ndarray, " seen"], Int[np.ndarray, " asked"]],
        truth: PlaneShape | None,
    ) -> None:
        self.points, self.labels = points[parts[0]], labels[parts[0]]
        self.truth = truth
        self._classes = ClassificationSplit(_standardised(points), labels, 2, parts, altered={})
        self.inputs, self.targets = self._classes.inputs, self._classes.targets

    @cached_property
    def boundary(self) -> DecisionBoundary | None:
        """The true one."""
        return None if self.truth is None else decision_boundary(self.truth)

    def score(self, network: nn.Module, *, final: bool = True) -> Score:
        """Score a network's logits, and at the end its boundary.

        Raises:
            PenchantError: the network answers with another number of classes.
        """
        found = self._classes.score(network, final=final)
        return self._with_boundary(found, in_plane(network) if final else None, final=final)

    def constant_score(self) -> Score:
        """Score the classes' shares of the training samples, given everywhere: no boundary."""
        return self._with_boundary(self._classes.constant_score(), None, final=True)

    def _with_boundary(self, score: Score, network: nn.Module | None, *, final: bool) -> Score:
        metrics = {one.name: score.metrics[one.name] for one in _SCORES}
        if final:
            metrics |= self._boundary_metrics(network)
        return Score(metrics)

    def _boundary_metrics(self, network: nn.Module | None) -> dict[str, float]:
        if self.boundary is None:
            return {one.name: math.nan for one in _BOUNDARY}
        length, turning, pieces = _measured(network)
        longer = 100 * (length / self.boundary.length - 1)
        turned = (turning - self.boundary.turning) / _TURN
        values = abs(longer), abs(turned), longer, turned, pieces
        return {one.name: value for one, value in zip(_BOUNDARY, values, strict=True)}


def _measured(network: nn.Module | None) -> tuple[float, float, float]:
    """Return a network's boundary's length, turning and pieces; nothing of what gives no answer."""
    if network is None:
        return 0.0, 0.0, 0.0
    try:
        with eval_mode(network):
            found = decision_boundary(network)
    except PenchantError:  # not all answers are finite, which is scored as a constant
        return 0.0, 0.0, 0.0
    return found.length, found.turning, float(found.pieces)


class _InPlane(nn.Module):
    """A network as a function of points in the plane's own units."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, points: Float[Tensor, "points 2"]) -> Float[Tensor, "points classes"]:
        answers: Tensor = self.network(_standardised(points))
        return answers


def in_plane(network: nn.Module) -> nn.Module:
    """Return what answers points in [-1, 1]² as the network answers the samples made of them."""
    return _InPlane(network)


def _standardised(points: Float[Tensor, "points 2"]) -> Float[Tensor, "points 2"]:
    return math.sqrt(3) * points


def _points(count: int, draws: torch.Generator) -> Float[Tensor, "points 2"]:
    return 2 * torch.rand(count, 2, generator=draws) - 1


def _again(words: dict[str, Any]) -> PlaneTask:
    return PlaneTask(**words)


def load_plane(source: str) -> PlaneTask:
    """Make the task that its words name.

    ============  =================================================================================
    ``shape``     ``line``, ``stripes``, ``circle`` (by default), ``square``, ``wave``, ``zigzag``
    ``samples``   that training sees, 200
    ``noise``     probability with which a seen label is turned over, 0.1
    ``test``      held-out samples, 2000
    ============  =================================================================================

    Args:
        source: ``plane``, or with options ``plane:shape=wave,samples=500,noise=0``.

    Raises:
        PenchantError: an unknown option or shape, an option given twice, or a number that does not
            fit.

    Example:
        >>> load_plane("plane:samples=500, shape=wave").name
        'plane:shape=wave,samples=500'
    """
    return PlaneTask(**drawn_words(source, "samples=200", {"noise": float, "shape": str}))
