"""Labelled data: samples of one shape, each with the class that it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from jaxtyping import Shaped

from penchant.errors import PenchantError
from penchant.tasks._values import read_only

MAX_VALUES = 2**28
"""The most numbers that a data set may hold: 1 GiB once they are float32."""

MIN_PER_CLASS = 5
"""The fewest samples of a class outside the test part, so that a fifth of them is a sample."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Samples and their classes: what is classified.

    Attributes:
        name: what reports call the data.
        inputs: one sample after another, read only; uint8 stays as it is (a quarter of the
            memory), all else becomes float32. A sample of two axes or more is taken for an image
            (height × width, or height × width × channels), of one axis for a vector of features.
        labels: each sample's class as a whole number from 0; int64, read only.
        classes: the classes' names; by default their numbers.
        test: how many of the last samples are the data's own test part; 0 where it has none.
        notices: what was done to the data on the way in, one sentence each.
        groups: by name, what each sample comes from, such as its speaker; whole groups can be held
            out.
        altered: by name, the same samples in another form, such as shifted; a network that has
            learnt from the samples is asked about these too.
        sound: whether a sample is a sound, bands × frames, rather than an image.
        others: samples of other classes, which no network learns: what its features are worth is
            asked of these.

    Raises:
        PenchantError: shapes that do not fit each other, values that are not finite, labels that
            are no classes, fewer than 2 classes, fewer than 5 samples of a class outside the test
            part, or more than 2²⁸ numbers.

    Example:
        >>> data = Labelled("signs", np.linspace(-1, 1, 10)[:, None], np.repeat([0, 1], 5))
        >>> data.inputs.dtype, data.classes
        (dtype('float32'), ('0', '1'))
    """

    name: str
    inputs: Shaped[np.ndarray, "samples *shape"]
    labels: Shaped[np.ndarray, "samples"]
    classes: tuple[str, ...] = ()
    test: int = 0
    notices: tuple[str, ...] = ()
    groups: Mapping[str, Shaped[np.ndarray, "samples"]] = field(default_factory=dict)
    altered: Mapping[str, Shaped[np.ndarray, "samples *shape"]] = field(default_factory=dict)
    sound: bool = False
    others: "Labelled | None" = None

    def __post_init__(self) -> None:
        """Hold the data to what every reader counts on."""
        inputs = _inputs(self.name, np.asarray(self.inputs))
        labels = _labels(self.name, np.asarray(self.labels), len(inputs))
        classes = tuple(map(str, self.classes)) or tuple(map(str, range(labels.max() + 1)))
        _check_classes(self.name, labels, classes, self.test)
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "classes", classes)
        self._check_beside()

    def _check_beside(self) -> None:
        """Hold what stands beside the samples to their number and shape."""
        for group, values in self.groups.items():
            if values.shape != self.labels.shape:
                raise PenchantError(
                    f"Labelled {self.name!r}: groups[{group!r}] of shape {values.shape} for "
                    f"{len(self.labels)} samples; one value a sample is needed"
                )
        altered = {k: _inputs(f"{self.name} {k}", np.asarray(v)) for k, v in self.altered.items()}
        for form, values in altered.items():
            if values.shape != self.inputs.shape:
                raise PenchantError(
                    f"Labelled {self.name!r}: altered[{form!r}] of shape {values.shape}; the "
                    f"samples' own {self.inputs.shape} is needed"
                )
        object.__setattr__(self, "altered", altered)
        if self.sound and self.inputs.ndim != 3:
            raise PenchantError(
                f"Labelled {self.name!r}: sound=True with inputs of shape {self.inputs.shape}; "
                "samples × bands × frames are needed"
            )
        if self.others is not None and self.others.inputs.shape[1:] != self.inputs.shape[1:]:
            raise PenchantError(
                f"Labelled {self.name!r}: others with samples of shape "
                f"{self.others.inputs.shape[1:]}; the samples' own {self.inputs.shape[1:]} is "
                "needed"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction, since an unpickled array would be writable."""
        return Labelled, tuple(getattr(self, one.name) for one in fields(self))


def check_size(source: str, values: int) -> None:
    """Refuse data of too many numbers, before there is memory for them.

    Args:
        source: what the message begins with.
        values: how many numbers the inputs would hold.

    Raises:
        PenchantError: more than `MAX_VALUES`.
    """
    if values > MAX_VALUES:
        raise PenchantError(
            f"{source}: inputs of {values} numbers, where {MAX_VALUES} fit (1 GiB in float32); "
            "take fewer or smaller samples"
        )


def _inputs(name: str, given: np.ndarray) -> np.ndarray:
    """Return the inputs as uint8 or float32, read only."""
    if given.ndim < 2 or given.size == 0 or given.dtype.kind not in "buif":
        raise PenchantError(
            f"Labelled {name!r}: inputs of shape {given.shape} and type {given.dtype}; they must "
            "be numbers, samples × features or samples × height × width (× channels), none empty"
        )
    check_size(f"Labelled {name!r}", given.size)
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        wrong = ~np.isfinite(given).reshape(len(given), -1).all(axis=1)
        raise PenchantError(
            f"Labelled {name!r}: {wrong.sum()} of {len(given)} samples have inputs that are not "
            f"finite, the first is sample {wrong.argmax()}; fill in or leave out such samples"
        )
    with np.errstate(over="ignore"):
        inputs = read_only(given, np.uint8 if given.dtype == np.uint8 else np.float32)
    if inputs.dtype != np.uint8 and not np.isfinite(inputs).all():
        raise PenchantError(
            f"Labelled {name!r}: inputs reach {np.abs(given).max():g}, beyond float32's 3.4e38; "
            "scale them down"
        )
    return inputs


def _labels(name: str, given: np.ndarray, samples: int) -> np.ndarray:
    """Return the labels as int64, read only."""
    if given.shape != (samples,):
        raise PenchantError(
            f"Labelled {name!r}: labels of shape {given.shape} for {samples} samples; "
            f"one label a sample is needed, shape ({samples},)"
        )
    broken = given if given.dtype.kind not in "buif" else given[given != np.trunc(given)]
    if len(broken):
        raise PenchantError(
            f"Labelled {name!r}: labels of type {given.dtype} such as {broken.tolist()[0]!r}; "
            "they must be whole numbers from 0, one for each class"
        )
    if given.min() < 0 or given.max() > samples:  # > so that what overflows int64 fails here too
        raise PenchantError(
            f"Labelled {name!r}: labels from {given.min()} to {given.max()}; classes are counted "
            "from 0 without gaps"
        )
    return read_only(given, np.int64)


def _check_classes(name: str, labels: np.ndarray, classes: tuple[str, ...], test: int) -> None:
    """Refuse what cannot be divided into samples to learn from and samples to ask about."""
    if labels.max() >= len(classes):
        raise PenchantError(
            f"Labelled {name!r}: label {labels.max()} with {len(classes)} classes; labels must be "
            f"whole numbers from 0 to {len(classes) - 1}"
        )
    if len(classes) < 2:
        raise PenchantError(f"Labelled {name!r}: {len(classes)} class; at least 2 are needed")
    if len(set(classes)) < len(classes):
        raise PenchantError(f"Labelled {name!r}: classes {classes}: two have the same name")
    if not isinstance(test, int | np.integer) or not 0 <= test < len(labels):
        raise PenchantError(
            f"Labelled {name!r}: test={test} of {len(labels)} samples; the test part is the last "
            "samples, 0 for none, and leaves some to learn from"
        )
    counts = np.bincount(labels[: len(labels) - test], minlength=len(classes))
    if counts.min() < MIN_PER_CLASS:
        few = int(counts.argmin())
        outside = " outside the test part" if test else ""
        raise PenchantError(
            f"Labelled {name!r}: class {classes[few]!r} has {counts[few]} "
            f"sample{'' if counts[few] == 1 else 's'}{outside}; each "
            f"class needs at least {MIN_PER_CLASS}, so that some can be learnt from and some asked"
        )
