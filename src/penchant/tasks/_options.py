"""Options of labelled data, written after its name: ``fashion-mnist:samples=500,size=14``.

What is drawn depends on the option alone, never on what else is asked: samples=500 is the same
samples with and without size=14, and a part of samples=2000, so that a trend over sizes is about
the size.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from penchant.errors import PenchantError, nearest
from penchant.randomness import generator
from penchant.tasks._labelled import MIN_PER_CLASS, Labelled, check_size
from penchant.tasks._moving import background, moved
from penchant.tasks._picture import _area_weights
from penchant.tasks._stratified import in_turn

_BLOCK = 4096  # pictures that are worked on at a time


@dataclass(frozen=True)
class Options:
    """What is to be made of labelled data; 0 where nothing is asked.

    Attributes:
        classes: the first classes only.
        samples: so many training samples, the same share of each class; the test part stays.
        test: so many samples of the test part; data without one gets a test part of so many.
        size: pictures averaged by area to this many pixels a side.
        shift: the held-out pictures also moved, by up to so many pixels each way but never by none.
        transfer: the first classes are learnt, the others only asked of a network's features.

    Example:
        >>> print(Options.parse("digits", "size=4, classes=3"))
        classes=3,size=4
    """

    classes: int = 0
    samples: int = 0
    test: int = 0
    size: int = 0
    shift: int = 0
    transfer: int = 0

    def __str__(self) -> str:
        """Write them as `parse` reads them, always in the same order."""
        return ",".join(f"{name}={value}" for name, value in asdict(self).items() if value)

    @classmethod
    def parse(cls, source: str, text: str) -> "Options":
        """Read options.

        Args:
            source: what they are of; it begins the messages.
            text: ``name=number``, separated by commas; empty for none.

        Raises:
            PenchantError: an unknown option, one given twice, or no whole number from 1.
        """
        known = [field.name for field in fields(cls)]
        found: dict[str, int] = {}
        for part in text.split(",") if text else ():
            name, _, value = (piece.strip() for piece in part.partition("="))
            if name not in known:
                raise PenchantError(f"{source}: option {name!r} is unknown; {nearest(name, known)}")
            if name in found:
                raise PenchantError(f"{source}: option {name!r} is given twice; give it once")
            number = int(value) if value.isdecimal() and len(value) < 10 else 0
            if number < 1:
                raise PenchantError(
                    f"{source}: {part.strip()!r}: {name} needs a whole number from 1, of at most "
                    f"9 digits, such as {name}=5"
                )
            found[name] = number
        return cls(**found)


def with_options(data: Labelled, options: Options) -> Labelled:
    """Make of labelled data what options ask for.

    Args:
        data: all of it.
        options: what is asked.

    Returns:
        The data; its name is that of the data with the options, in a fixed order.

    Raises:
        PenchantError: an option that does not fit the data.

    Example:
        >>> from penchant.tasks import load_labelled
        >>> data = load_labelled("digits:classes=3,samples=90,size=4")
        >>> data.name, data.inputs.shape, len(data.classes)
        ('digits:classes=3,samples=90,size=4', (90, 4, 4, 1), 3)
    """
    if options == Options():
        return data
    classes = options.classes or len(data.classes)
    _check(data, options, classes)
    name, learnt = f"{data.name}:{options}", options.transfer or classes
    others = None
    if options.transfer:
        others = _others(data, options, range(learnt, classes), f"{name}, others")
    made = _of_classes(data, options, range(learnt), name)
    if options.shift:
        chosen = np.concatenate(_chosen(data, options, range(learnt)))
        moves = _moves(options.shift, len(data.labels))[torch.from_numpy(chosen)]
        made = replace(made, altered={**made.altered, "shifted": _shifted(made, moves)})
    notices = (*data.notices, *_notices(data, options, classes))
    return replace(made, others=others, notices=notices)


def _others(data: Labelled, options: Options, classes: range, name: str) -> Labelled:
    """Take the classes that are not learnt: all that there is of them, or `test` to ask about."""
    there = int(np.isin(data.labels[len(data.labels) - data.test :], classes).sum())
    test = min(options.test, there) if data.test else options.test
    return _of_classes(data, replace(options, samples=0, test=test), classes, name)


def _of_classes(data: Labelled, options: Options, classes: range, name: str) -> Labelled:
    """Take some classes' samples, and bring pictures to their size."""
    seen, asked = _chosen(data, options, classes)
    chosen = np.concatenate([seen, asked])
    return replace(
        data,
        name=name,
        inputs=_smaller(data, options.size, chosen),
        labels=data.labels[chosen] - classes.start,
        classes=data.classes[classes.start : classes.stop],
        test=len(asked),
        groups={group: values[chosen] for group, values in data.groups.items()},
        altered={form: values[chosen] for form, values in data.altered.items()},
    )


def _chosen(
    data: Labelled, options: Options, classes: range
) -> tuple[Int[np.ndarray, "seen"], Int[np.ndarray, "asked"]]:
    """Choose samples to learn from and samples of the test part, each in the data's order."""
    own = len(data.labels) - data.test
    order, tested = _order(data.labels[:own], "subset"), _order(data.labels[own:], "test subset")
    order, tested = (part[np.isin(data.labels[base + part], classes)] + base
                     for part, base in ((order, 0), (tested, own)))  # fmt: skip
    if options.test and not data.test:
        _check_count(data, "test", options.test, len(order), "samples")
        # From the end, so that the samples to learn from are those without a test part.
        order, tested = order[: -options.test], order[-options.test :]
    elif options.test:
        _check_count(data, "test", options.test, len(tested), "test samples")
        tested = tested[: options.test]
    if options.samples:
        _check_count(data, "samples", options.samples, len(order), "training samples")
        _check_classes(data, options.samples, order, classes)
        order = order[: options.samples]
    return np.sort(order), np.sort(tested)


def _order(labels: Int[np.ndarray, "samples"], purpose: str) -> Int[np.ndarray, "samples"]:
    return in_turn(labels, generator(0, purpose)) if len(labels) else np.zeros(0, np.int64)


def _smaller(
    data: Labelled, size: int, chosen: Int[np.ndarray, "chosen"]
) -> Shaped[np.ndarray, "chosen *shape"]:
    """Average pictures by area, in sums whose order no number of threads changes."""
    inputs: np.ndarray = data.inputs[chosen]
    side = inputs.shape[1]
    if not size or side == size:
        return inputs
    channels = inputs.shape[3:]
    weights = _area_weights(side, size)
    result = np.empty((len(inputs), size, size, *channels), np.float32)
    for start in range(0, len(inputs), _BLOCK):
        block = np.moveaxis(inputs[start : start + _BLOCK].astype(np.float64), 0, -1)
        rows = (weights @ block.reshape(side, -1)).reshape(size, side, -1)
        both = (weights @ rows.swapaxes(0, 1).reshape(side, -1)).reshape(size, size, -1)
        pictures = both.swapaxes(0, 1).reshape(size, size, *channels, block.shape[-1])
        result[start : start + _BLOCK] = np.moveaxis(pictures, -1, 0)
    return result


def _moves(reach: int, samples: int) -> Int[Tensor, "samples 2"]:
    """Draw an offset for every sample there is, whichever are chosen; never none."""
    each = range(-reach, reach + 1)
    moves = torch.tensor([(down, across) for down in each for across in each if down or across])
    which = torch.randint(len(moves), (samples,), generator=generator(0, "shifted pictures"))
    return moves[which]


def _shifted(
    data: Labelled, moves: Int[Tensor, "samples 2"]
) -> Shaped[np.ndarray, "samples *shape"]:
    """Move every picture by its own offset."""
    shape = data.inputs.shape
    pictures = torch.from_numpy(data.inputs.reshape(*shape[:3], -1).copy())
    fill = background(pictures[: len(pictures) - data.test])
    result = np.empty(pictures.shape, data.inputs.dtype)
    for start in range(0, len(result), _BLOCK):
        part = slice(start, start + _BLOCK)
        result[part] = moved(pictures[part], moves[part], fill).numpy()
    return result.reshape(shape)


def _check(data: Labelled, options: Options, classes: int) -> None:
    """Refuse what does not fit the data's classes or the kind of its samples."""
    there = len(data.classes)
    if options.classes and not 2 <= options.classes <= there:
        raise PenchantError(f"{data.name}: classes={options.classes} of {there}; 2 to {there} fit")
    if options.transfer and classes < 4:
        raise PenchantError(
            f"{data.name}: transfer={options.transfer} of {classes} classes; at least 4 are "
            "needed: 2 to learn and 2 others"
        )
    if options.transfer and not 2 <= options.transfer <= classes - 2:
        raise PenchantError(
            f"{data.name}: transfer={options.transfer} of {classes} classes; 2 to {classes - 2} "
            "fit, so that there are at least 2 others"
        )
    shape = data.inputs.shape[1:]
    asked = [name for name in ("size", "shift") if getattr(options, name)]
    if asked and (data.sound or len(shape) < 2):
        kind = "sounds" if data.sound else "vectors"
        raise PenchantError(
            f"{data.name}: {asked[0]}={getattr(options, asked[0])} is for pictures, and its "
            f"samples are {kind} of shape {shape}"
        )
    if options.size:
        _check_side(data, options.size)
    side = options.size or min(shape[:2])
    if options.shift and options.shift >= side:
        raise PenchantError(
            f"{data.name}: shift={options.shift} of pictures whose side is {side}; 1 to {side - 1} "
            "fit"
        )


def _check_side(data: Labelled, size: int) -> None:
    height, width = data.inputs.shape[1:3]
    if height != width:
        raise PenchantError(
            f"{data.name}: size={size} of pictures {height}×{width}; only square pictures are made "
            "smaller"
        )
    if not 2 <= size <= height:
        raise PenchantError(
            f"{data.name}: size={size} of pictures {height}×{width}; 2 to {height} fit"
        )
    check_size(data.name, len(data.labels) * size * size * int(np.prod(data.inputs.shape[3:])))


def _check_count(data: Labelled, option: str, asked: int, there: int, what: str) -> None:
    if asked > there:
        raise PenchantError(
            f"{data.name}: {option}={asked}, and there are {there} {what}; 1 to {there} fit"
        )


def _check_classes(
    data: Labelled, asked: int, order: Int[np.ndarray, "there"], classes: range
) -> None:
    """Refuse so few samples that a class has too few, and say how many would do."""
    labels = data.labels[order]
    counts = {c: int((labels[:asked] == c).sum()) for c in classes}
    few = min(counts, key=lambda c: counts[c])
    places = [np.flatnonzero(labels == c) for c in classes]
    if counts[few] < MIN_PER_CLASS <= min(map(len, places)):
        least = 1 + max(int(place[MIN_PER_CLASS - 1]) for place in places)
        raise PenchantError(
            f"{data.name}: samples={asked} has {counts[few]} of class {data.classes[few]!r}, and "
            f"each needs {MIN_PER_CLASS}; {least} to {len(order)} fit"
        )


def _notices(data: Labelled, options: Options, classes: int) -> Sequence[str]:
    """Say what was done, a sentence an option."""
    side = data.inputs.shape[1]
    said = {
        "classes": f"the first {classes} of {len(data.classes)} classes",
        "samples": f"{options.samples} training samples, the same share of each class",
        "test": f"a test part of {options.test} samples, the same share of each class",
        "size": f"pictures averaged by area from {side}×{side} to {options.size}×{options.size}",
        "shift": "asked too: the held-out pictures moved by up to "
        f"{options.shift} pixel{'s' if options.shift > 1 else ''}, with the background coming in",
        "transfer": f"the first {options.transfer} classes are learnt; the other "
        f"{classes - options.transfer} are asked of the features, by a linear probe",
    }
    asked = [said[name] for name, value in asdict(options).items() if value]
    return asked if side != options.size else [one for one in asked if one != said["size"]]
