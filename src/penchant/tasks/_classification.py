"""Classify labelled data: a sample in, one number for each class out.

A sample is flattened and standardised; a target is a row with a one at its class.
"""

import hashlib
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int
from torch import Tensor

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks._augmentation import (
    Augmentation,
    Operation,
    augmentation_text,
    parse_augmentation,
)
from penchant.tasks._classes import ClassesTask
from penchant.tasks._classification_split import WATCHED, ClassificationSplit
from penchant.tasks._labelled import Labelled
from penchant.tasks._moving import background
from penchant.tasks._part import Part, parse_part
from penchant.tasks._standardised import Scale
from penchant.tasks._stratified import in_turn
from penchant.tasks._task import Metric
from penchant.tasks._transfer import LEARNT, Transfer

_VERSION = 2  # part of the fingerprint: raise it whenever the same data would score otherwise

_METRICS = (
    *(
        metric
        for part in ("held_out", "seen")
        for metric in (
            # One in a hundred: below it, published results on these data sets are called the same.
            Metric(f"accuracy_{part}", "%", margin=1.0),
            # 0.05 nats: the right class is given a probability that is 5 % higher.
            Metric(f"nll_{part}", "nats", margin=0.05, higher_is_better=False),
            # A confidence that is off by one in a hundred, on average, misleads nobody.
            Metric(f"ece_{part}", "%", margin=1.0, higher_is_better=False, watched=False),
        )
    ),
    Metric("gap_accuracy", "points", margin=1.0, higher_is_better=False),
    Metric("gap_nll", "nats", margin=0.05, higher_is_better=False),
)


def _metrics_of(data: Labelled) -> tuple[Metric, ...]:
    """List what is scored: also the held-out samples in other forms, and features of others."""
    forms = [*data.altered, *(["features", "inputs"] if data.others else [])]
    beside = (Metric(f"accuracy_{form}_held_out", "%", margin=1.0, watched=False) for form in forms)
    return (*_METRICS, *beside)


class ClassificationTask(ClassesTask):
    """Tell the classes of labelled data apart.

    Scores are, of the samples held out and of those seen: accuracy, the mean negative
    log-likelihood of the right class, and the expected calibration error in 15 equal bins. The
    generalisation gap is how much better the seen samples do: of accuracy seen − held out, of the
    log-likelihood held out − seen. While a run trains, accuracy and log-likelihood are those of at
    most 2,000 samples of each part, a fixed choice; at its end they are those of all.

    Training, validation and test are three parts. The test part is held out: where the data has
    one of its own (`test`) it is the same for every seed, and networks are scored on it alone.
    Pilots, which choose a learning rate, never see it: their validation samples are a fifth of each
    class's *seen* samples, drawn by the pilots' seed. Runs then learn from all seen samples.

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
        augment: how training sees pictures, such as ``shift:2,flip`` (see `Augmentation`); what is
            scored is never augmented. The background is the borders' median over seen pictures.

    Attributes:
        data: the samples and their classes.
        held_out: the pattern.
        augment: the operations, as text.
        shape: a sample's own shape, before it is flattened.

    Raises:
        PenchantError: an unknown pattern, or one that leaves too little of a class; an unknown
            augmentation, or one of what is no picture.

    Example:
        >>> data = Labelled("signs", np.linspace(-1, 1, 20)[:, None], np.repeat([0, 1], 10))
        >>> task = ClassificationTask(data)
        >>> task.inputs, task.outputs, task.seen_values(), task.metrics[0].name
        (1, 2, 28, 'accuracy_held_out')
    """

    data: Labelled
    held_out: str
    augment: str
    noun = "data set"
    _part: Part
    """What is held out, as read from the pattern."""
    _operations: tuple[Operation, ...]
    """What training does to a picture."""
    _latest: dict[int, tuple[Scale, Float32[Tensor, "samples inputs"]]]
    """The standardised inputs of the latest seed: a study's runs of one seed come together."""

    def __init__(self, data: Labelled, held_out: str = "test", augment: str = "") -> None:
        part, shape = parse_part(held_out, data), data.inputs.shape[1:]
        operations = parse_augmentation(augment, () if data.sound else shape)
        notices = (*data.notices, part.said(data), _said_of_inputs(data), *_said_of(operations))
        content = hashlib.blake2b(f"version {_VERSION} {operations}".encode(), digest_size=16)
        for one in (data, data.others):
            if one is not None:
                _add_content(content, one, part)
        if data.others is not None:
            content.update(b"inputs")  # are probed too, since version 2 of the transfer
        self.__dict__.update(  # past __setattr__, which refuses
            data=data,
            held_out=str(part),
            augment=augmentation_text(operations),
            shape=shape,
            name=data.name,
            metrics=_metrics_of(data),
            inputs=int(np.prod(shape)),
            outputs=len(data.classes),
            fingerprint=content.hexdigest(),
            notices=notices,
            turns=part.turns(data),
            _part=part,
            _operations=operations,
            _latest={},
        )
        self._check()

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a task is the same for every design."""
        raise AttributeError(f"ClassificationTask is immutable: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction: the data, in its own type, and two texts are all there is."""
        return ClassificationTask, (self.data, self.held_out, self.augment)

    def split(self, seed: int, *, validation: bool = False) -> "ClassificationSplit":
        """Divide the samples for a seed; see `Task.split`.

        Args:
            seed: the run's seed.
            validation: keep a keyed fifth of each class's seen samples from training and compute
                the held-out metrics on it.

        Returns:
            The split; where a part is one stretch of the data it shares the task's memory.
        """
        seen, asked = self._divided(self.data, seed, validation=validation)
        scale, rows = self._standardised(seed)
        split = ClassificationSplit(
            rows,
            torch.from_numpy(self.data.labels.copy()),  # torch warns of what is read only
            self.outputs,
            (seen, asked),
            altered={
                form: torch.from_numpy(scale(values.reshape(len(values), -1)[asked]))
                for form, values in self.data.altered.items()
            },
            transfer=self._transfer(seed, scale, validation=validation),
        )
        if self._operations:
            pictures = split.inputs[:WATCHED].reshape(-1, *self.shape[:2], (*self.shape, 1)[2])
            split.augment = Augmentation(self._operations, self.shape, background(pictures))
        return split

    def seen_values(self) -> int:
        """Count the numbers that training sees: seen samples times classes."""
        return int((~self._part.mask(self.data, seed=0)).sum()) * self.outputs

    def _divided(
        self, data: Labelled, seed: int, *, validation: bool
    ) -> tuple[Int[np.ndarray, "seen"], Int[np.ndarray, "asked"]]:
        mask = self._part.mask(data, seed)
        seen, asked = np.flatnonzero(~mask), np.flatnonzero(mask)
        if validation:
            kept = self._part.validation(data, seed, seen)
            seen, asked = seen[~kept], seen[kept]
        return seen, asked

    def _standardised(self, seed: int) -> tuple[Scale, Float32[Tensor, "samples inputs"]]:
        """Standardise all samples with the statistics of those that are not held out."""
        key = seed if self._part.drawn else 0
        if key not in self._latest:
            self._latest.clear()  # before the next is made, so that there are never two
            mask = self._part.mask(self.data, seed)
            rows = self.data.inputs.reshape(len(mask), -1)
            seen = rows[~mask] if self._part.drawn else rows[: len(mask) - self.data.test]
            scale = Scale.of(seen, together=len(self.shape) > 1)
            self._latest[key] = scale, torch.from_numpy(scale(rows))
        return self._latest[key]

    def _transfer(self, seed: int, scale: Scale, *, validation: bool) -> Transfer | None:
        """Divide the other classes' samples as the data itself, and standardise them alike."""
        others = self.data.others
        if others is None:
            return None
        seen, asked = self._divided(others, seed, validation=validation)
        few = in_turn(others.labels[seen], generator(0, "features"))[:LEARNT]
        rows = others.inputs.reshape(len(others.labels), -1)
        learnt, questions = (
            (torch.from_numpy(scale(rows[part])), others.labels[part])
            for part in (seen[np.sort(few)], asked)
        )
        return Transfer(*learnt, *questions)

    def _check(self) -> None:
        """Refuse a pattern that leaves too little of a class, the same for every seed."""
        for data in (self.data, self.data.others):
            if data is None:
                continue
            mask = self._part.mask(data, seed=0)
            seen = np.bincount(data.labels[~mask], minlength=len(data.classes))
            if seen.min() < 2:
                few = int(seen.argmin())
                raise PenchantError(
                    f"held-out {self.held_out!r} of {data.name!r}: {seen[few]} samples of class "
                    f"{data.classes[few]!r} are seen; at least 2 are needed, one to learn from "
                    "and one for validation, so hold out a smaller share"
                )


def _add_content(content: hashlib.blake2b, data: Labelled, part: Part) -> None:
    """Add to a hash all of the data that scores depend on."""
    content.update(data.inputs.data)
    content.update(data.labels.data)
    content.update(
        f"{data.inputs.shape} {data.inputs.dtype} {len(data.classes)} {data.test} {part}".encode()
    )
    for form, values in data.altered.items():
        content.update(form.encode())
        content.update(values.data)
    if part.group:
        content.update(repr(data.groups[part.group].tolist()).encode())


def _said_of(operations: tuple[Operation, ...]) -> tuple[str, ...]:
    if not operations:
        return ()
    said = [
        f"moved by up to {reach} pixel{'s' if reach > 1 else ''}" if reach else "flipped or not"
        for _, reach in operations
    ]
    return (f"pictures are augmented anew whenever training sees them: {', then '.join(said)}",)


def _said_of_inputs(data: Labelled) -> str:
    if data.sound:
        return "inputs are standardised with one mean and deviation over all seen frames"
    if data.inputs.ndim > 2:
        return "inputs are standardised with one mean and deviation over all seen pixels"
    seen = "inputs are standardised feature by feature over the seen samples"
    low, high = data.inputs.min(axis=0), data.inputs.max(axis=0)
    constant = int((low == high).sum())
    return f"{seen}; constant ones ({constant} of {len(low)}) are 0" if constant else seen
