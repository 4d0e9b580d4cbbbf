"""Classify labelled data: a sample in, one number for each class out.

A sample is flattened and standardised; a target is a row with a one at its class.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Shaped
from torch import Tensor, nn

from penchant.divergences import DIVERGENCES, Divergence, LinkName
from penchant.divergences import divergence as make_divergence
from penchant.errors import PenchantError, nearest
from penchant.tasks._calibration import calibration_error
from penchant.tasks._labelled import Labelled
from penchant.tasks._part import Part, parse_part
from penchant.tasks._reconstruction import evaluate
from penchant.tasks._standardised import standardised
from penchant.tasks._task import Metric, Score, Split, Task

_VERSION = 1  # part of the fingerprint: raise it whenever the same data would score otherwise

_METRICS = tuple(
    metric
    for part, watched in (("held_out", True), ("seen", False))
    for metric in (
        # One in a hundred: below it, published results on these data sets are called the same.
        Metric(f"accuracy_{part}", "%", margin=1.0, watched=watched),
        # 0.05 nats: the right class is given a probability that is 5 % higher.
        Metric(f"nll_{part}", "nats", margin=0.05, higher_is_better=False, watched=watched),
        # A confidence that is off by one in a hundred, on average, misleads nobody.
        Metric(f"ece_{part}", "%", margin=1.0, higher_is_better=False, watched=watched),
    )
)


def _metrics_of(data: Labelled) -> tuple[Metric, ...]:
    """List what is scored: also the held-out samples in each other form that the data has."""
    altered = (
        Metric(f"accuracy_{form}_held_out", "%", margin=1.0, watched=False) for form in data.altered
    )
    return (*_METRICS, *altered)


_OF_CLASSES = ("cross_entropy", "kl")
_OF_NUMBERS = ("huber", "l1", "l2")


class ClassificationTask(Task):
    """Tell the classes of labelled data apart.

    Scores are, of the samples held out and of those seen: accuracy, the mean negative
    log-likelihood of the right class, and the expected calibration error in 15 equal bins.

    Inputs are standardised with the mean and standard deviation of all samples that a seed's runs
    may see, those that its pilots keep for validation included, so that a tuned learning rate fits
    what it is used for; held-out samples have no part in it. Images (samples of two axes or more)
    have one mean and one deviation for all pixels, vectors one for each feature; a feature that
    never changes is 0.

    Args:
        data: the samples and their classes.
        held_out: ``test`` for the data's own test part, or where it has none a keyed random 30 %
            of each class; ``random:0.4`` for that share of each class, the data's own test part
            mixed in with the rest; the name of the data's groups, such as ``speakers``, for whole
            groups (see `parse_part`).

    Attributes:
        data: the samples and their classes.
        held_out: the pattern.
        shape: a sample's own shape, before it is flattened.

    Raises:
        PenchantError: an unknown pattern, or one that leaves too little of a class.

    Example:
        >>> data = Labelled("signs", np.linspace(-1, 1, 20)[:, None], np.repeat([0, 1], 10))
        >>> task = ClassificationTask(data)
        >>> task.inputs, task.outputs, task.seen_values(), task.metrics[0].name
        (1, 2, 28, 'accuracy_held_out')
    """

    data: Labelled
    held_out: str
    noun = "data set"
    _part: Part
    """What is held out, as read from the pattern."""
    _latest: dict[int, Float32[Tensor, "samples inputs"]]
    """The standardised inputs of the latest seed: a study's runs of one seed come together."""

    def __init__(self, data: Labelled, held_out: str = "test") -> None:
        part = parse_part(held_out, data)
        notices = (*data.notices, part.said(data), _said_of_inputs(data))
        content = hashlib.blake2b(data.inputs.data, digest_size=16)
        content.update(data.labels.data)
        content.update(
            f"{data.inputs.shape} {data.inputs.dtype} {len(data.classes)} {data.test} {part} "
            f"version {_VERSION}".encode()
        )
        for values in data.altered.values():
            content.update(values.data)
        if part.group:
            content.update(repr(data.groups[part.group].tolist()).encode())
        shape = data.inputs.shape[1:]
        self.__dict__.update(  # past __setattr__, which refuses
            data=data,
            held_out=str(part),
            shape=shape,
            name=data.name,
            metrics=_metrics_of(data),
            inputs=int(np.prod(shape)),
            outputs=len(data.classes),
            fingerprint=content.hexdigest(),
            notices=notices,
            turns=part.turns(data),
            _part=part,
            _latest={},
        )
        self._check()

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a task is the same for every design."""
        raise AttributeError(f"ClassificationTask is immutable: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction: the data, in its own type, and the pattern are all there is."""
        return ClassificationTask, (self.data, self.held_out)

    def divergence(
        self, name: str | None = None, link: LinkName | None = None, **numbers: float
    ) -> Divergence:
        """Return what training minimises; see `Task.divergence`.

        Args:
            name: by default kl, which between a row with a one and probabilities is the negative
                log-likelihood; the binary ones do not fit.
            link: by default softmax, also for l2, l1 and huber, which may have the identity too:
                the network then answers with the row itself.
            numbers: of the divergence, such as Huber's delta.

        Returns:
            A divergence between logits (with the identity, answers) and rows of targets.

        Raises:
            PenchantError: a name or link that does not fit classes.
        """
        name, link = name or "kl", link or "softmax"
        fitting = _OF_CLASSES + _OF_NUMBERS
        if name not in fitting:
            why = "is unknown"
            if name in DIVERGENCES:
                why = "is between single probabilities, where classes have rows of them"
            raise PenchantError(f"divergence={name!r} {why}; {nearest(name, fitting)}")
        if link != "softmax" and not (link == "identity" and name in _OF_NUMBERS):
            raise PenchantError(
                f"link={link!r} with divergence={name!r}: classes have the link softmax, and "
                f"{', '.join(_OF_NUMBERS)} may have the identity"
            )
        return make_divergence(name, link=link, reduction="mean", validate=False, **numbers)

    def answering(self, network: nn.Module, divergence: Divergence) -> nn.Module:
        """Return what answers with logits: the network, or what turns its rows into logits.

        Args:
            network: trained with the divergence.
            divergence: with the link identity, the network's answers are taken for shares: clipped
                to [1e-6, 1], divided by their sum, and the logarithm taken.

        Returns:
            What `ClassificationSplit.score` is to be given.
        """
        return _Shares(network) if divergence.link == "identity" else network

    def split(self, seed: int, *, validation: bool = False) -> "ClassificationSplit":
        """Divide the samples for a seed; see `Task.split`.

        Args:
            seed: the run's seed.
            validation: keep a keyed fifth of each class's seen samples from training and compute
                the held-out metrics on it.

        Returns:
            The split; where a part is one stretch of the data it shares the task's memory.
        """
        mask = self._part.mask(self.data, seed)
        rows = self._standardised(seed, mask)
        seen, asked = np.flatnonzero(~mask), np.flatnonzero(mask)
        altered = {
            form: torch.from_numpy(self._like_seen(values, mask))
            for form, values in self.data.altered.items()
        }
        if validation:
            kept = self._part.validation(self.data, seed, seen)
            seen, asked = seen[~kept], seen[kept]
        return ClassificationSplit(self, rows, seen, asked, altered)

    def seen_values(self) -> int:
        """Count the numbers that training sees: seen samples times classes."""
        return int((~self._part.mask(self.data, seed=0)).sum()) * self.outputs

    def _standardised(
        self, seed: int, mask: Bool[np.ndarray, "samples"]
    ) -> Float32[Tensor, "samples inputs"]:
        """Standardise all samples with the statistics of those that are not held out."""
        key = seed if self._part.drawn else 0
        if key not in self._latest:
            self._latest.clear()  # before the next is made, so that there are never two
            self._latest[key] = torch.from_numpy(self._like_seen(self.data.inputs, mask))
        return self._latest[key]

    def _like_seen(
        self, values: Shaped[np.ndarray, "samples *shape"], mask: Bool[np.ndarray, "samples"]
    ) -> Float32[np.ndarray, "samples inputs"]:
        rows = self.data.inputs.reshape(len(mask), -1)
        seen = rows[~mask] if self._part.drawn else rows[: len(mask) - self.data.test]
        one = len(self.shape) > 1
        return standardised(values.reshape(len(mask), -1), seen, together=one)

    def _check(self) -> None:
        """Refuse a pattern that leaves too little of a class, the same for every seed."""
        mask = self._part.mask(self.data, seed=0)
        seen = np.bincount(self.data.labels[~mask], minlength=self.outputs)
        if seen.min() < 2:
            few = int(seen.argmin())
            raise PenchantError(
                f"held-out {self.held_out!r} of {self.name!r}: {seen[few]} samples of class "
                f"{self.data.classes[few]!r} are seen; at least 2 are needed, one to learn from "
                "and one for validation, so hold out a smaller share"
            )


class ClassificationSplit(Split):
    """One seed's seen and held-out samples; made by `ClassificationTask.split`.

    Args:
        task: the task.
        rows: all its samples, standardised.
        seen: indices of the training samples.
        held_out: indices of the samples that the held-out metrics ask about.
        altered: all samples in other forms, standardised alike.

    Attributes:
        inputs: the training samples, flattened and standardised.
        targets: rows with a one at the sample's class.
        seen: as given.
        held_out: as given.
    """

    def __init__(
        self,
        task: ClassificationTask,
        rows: Float32[Tensor, "samples inputs"],
        seen: Int[np.ndarray, "seen"],
        held_out: Int[np.ndarray, "held_out"],
        altered: Mapping[str, Float32[Tensor, "samples inputs"]] | None = None,
    ) -> None:
        self.seen, self.held_out = seen, held_out
        self.inputs, self._asked = _stretch(rows, seen), _stretch(rows, held_out)
        self._altered = {
            form: _stretch(values, held_out) for form, values in (altered or {}).items()
        }
        labels = torch.from_numpy(task.data.labels.copy())  # torch warns of what is read only
        self._labels, self._asked_labels = labels[seen], labels[held_out]
        self.targets = nn.functional.one_hot(self._labels, task.outputs).float()

    def score(self, network: nn.Module, *, final: bool = True) -> Score:
        """Score a network's logits.

        Args:
            network: answers each sample with one logit a class; see `ClassificationTask.answering`.
            final: also score the samples seen.

        Returns:
            The scores; those of the constant answer if any of the network's is not finite.

        Raises:
            PenchantError: the network answers with another number of classes.
        """
        logits = [self._answers(network, inputs) for inputs in self._parts(final)]
        if not all(bool(part.isfinite().all()) for part in logits):
            return self._constant(final)
        return self._score(logits)

    def constant_score(self) -> Score:
        """Score the classes' shares of the training samples, given for every sample."""
        return self._constant(final=True)

    def _parts(self, final: bool) -> list[Tensor]:
        return [self._asked, self.inputs, *self._altered.values()] if final else [self._asked]

    def _constant(self, final: bool) -> Score:
        shares = self.targets.double().mean(dim=0).log()
        return self._score([shares.expand(len(inputs), -1) for inputs in self._parts(final)])

    def _answers(
        self, network: nn.Module, inputs: Float32[Tensor, "samples inputs"]
    ) -> Float[Tensor, "samples classes"]:
        logits = evaluate(network, inputs)
        if logits.shape != (len(inputs), self.targets.shape[1]):
            raise PenchantError(
                f"a network that answers {len(inputs)} samples with shape {tuple(logits.shape)}; "
                f"{(len(inputs), self.targets.shape[1])} is needed: one number a class"
            )
        return logits

    def _score(self, parts: list[Float[Tensor, "_ classes"]]) -> Score:
        metrics: dict[str, float] = {}
        asked = (("held_out", self._asked_labels), ("seen", self._labels))
        for logits, (part, labels) in zip(parts, asked, strict=False):
            logs = logits.double().log_softmax(dim=1)
            metrics[f"accuracy_{part}"] = _accuracy(logs, labels)
            metrics[f"nll_{part}"] = -float(logs.gather(1, labels[:, None]).mean())
            metrics[f"ece_{part}"] = 100 * calibration_error(logs.exp(), labels)
        for logits, form in zip(parts[len(asked) :], self._altered, strict=False):
            metrics[f"accuracy_{form}_held_out"] = _accuracy(logits, self._asked_labels)
        return Score(metrics)


class _Shares(nn.Module):
    """Turns a network's rows, meant as shares of classes, into their logarithms."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Float[Tensor, "samples inputs"]) -> Float[Tensor, "samples classes"]:
        answers: Tensor = self.network(inputs)
        shares = answers.clamp(1e-6, 1)
        logs = (shares / shares.sum(dim=1, keepdim=True)).log()
        return torch.where(answers.isfinite(), logs, torch.nan)  # clipping would hide infinity


def _accuracy(logits: Float[Tensor, "_ classes"], labels: Int[Tensor, "_"]) -> float:
    return 100 * float((logits.argmax(dim=1) == labels).double().mean())


def _said_of_inputs(data: Labelled) -> str:
    if data.sound:
        return "inputs are standardised with one mean and deviation over all seen frames"
    if data.inputs.ndim > 2:
        return "inputs are standardised with one mean and deviation over all seen pixels"
    seen = "inputs are standardised feature by feature over the seen samples"
    low, high = data.inputs.min(axis=0), data.inputs.max(axis=0)
    constant = int((low == high).sum())
    return f"{seen}; constant ones ({constant} of {len(low)}) are 0" if constant else seen


def _stretch(
    rows: Float32[Tensor, "samples inputs"], chosen: Int[np.ndarray, "chosen"]
) -> Float32[Tensor, "chosen inputs"]:
    """Return the chosen rows, without a copy where they follow each other."""
    first, last = int(chosen[0]), int(chosen[-1])
    if last - first + 1 == len(chosen):
        return rows[first : last + 1]
    return rows[torch.from_numpy(chosen)]
