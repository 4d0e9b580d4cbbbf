"""The plan of a study: the words that a user types, checked, and the designs that they mean.

The same words name the options of `penchant compare`, the arguments of `Study` and the entries of
`study.toml`.
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from penchant.errors import PenchantError, nearest
from penchant.study._baselines import baselines_of
from penchant.study._design import Design, one_line
from penchant.study._families import design
from penchant.tasks import (
    DATA_SETS,
    ClassificationTask,
    Labelled,
    PictureTask,
    Task,
    is_drawn,
    is_labelled,
    is_sound,
    kind_of,
    source_and_options,
)

FamilyName = Literal[
    "coordinate", "dense", "tdnn", "resnet", "vit", "convnext", "autoencoder", "tiled"
]

BACKBONE_DESIGNS: tuple[dict[str, Any], ...] = (
    {"activation": "gelu"},
    {"activation": "relu"},
    {"activation": "gaussian"},
    {"activation": "sine"},
)

DEFAULT_DESIGNS: dict[FamilyName, tuple[dict[str, Any], ...]] = {
    "coordinate": (
        {"activation": "relu"},
        {"activation": "gelu"},
        {"activation": "gaussian"},
        {"activation": "sine"},
        {"activation": "finer"},
        {"activation": "relu", "encoding": "nerf"},
    ),
    "dense": (
        {"activation": "relu"},
        {"activation": "gelu"},
        {"activation": "tanh"},
        {"activation": "sigmoid"},
        {"activation": "relu", "divergence": "l2"},
    ),
    "tdnn": ({"sharing": "shared"}, {"sharing": "unshared"}, {"sharing": "dense"}),
    "resnet": ({"skip": "none"}, {"skip": "residual"}),
    "vit": BACKBONE_DESIGNS,
    "convnext": BACKBONE_DESIGNS,
    "tiled": (
        {"activation": "relu"},
        {"activation": "gelu"},
        {"activation": "gaussian"},
        {"activation": "sine"},
        {"activation": "finer"},
    ),
    "autoencoder": (
        {"activation": "relu"},
        {"activation": "gelu"},
        {"activation": "gaussian"},
        {"activation": "sine"},
    ),
}

DENSE_WORDS: dict[str, Any] = {
    "family": "dense",
    "steps": 500,
    "batch": 128,
    "size": 32,
    "held_out": "test",
}
"""What a plan on labelled data says where its user does not."""

SOUND_WORDS: dict[str, Any] = {**DENSE_WORDS, "family": "tdnn", "match": "parameters"}
"""The same for recordings: at equal width a network that shares nothing is many times as large."""

SIGNAL_WORDS: dict[str, dict[str, Any]] = {
    "picture": {},
    "sound": {
        "size": 2**15,
        "designs": [
            {"activation": "relu"},
            {"activation": "sine", "scale": 1000, "learning_rate": 1.5e-4},
            {"activation": "finer", "scale": 600, "learning_rate": 2e-4},
            {"activation": "relu", "encoding": "nerf", "frequencies": 11},
            {
                "activation": "relu",
                "encoding": "fourier",
                "frequencies": 32,
                "bandwidth": 150,
            },
            {
                "activation": "relu",
                "encoding": "grid",
                "width": 32,
                "levels": 2,
                "coarsest": 512,
                "finest": 4096,
                "per_level": 1,
                "table": 4096,
            },
        ],
    },
    "radiance": {"size": 50, "steps": 500, "batch": 1024, "held_out": "every:8"},
    "volume": {"size": 32},
    "mesh": {"size": 32, "held_out": "fresh"},
}
"""The same for signals to reconstruct, by their kind (see `tasks.kind_of`).

A sound's time spans thousands of cycles a unit, so designs with pictures' numbers learn nothing of
it; these were chosen on speech, by what they make of unseen samples of the usual excerpt.
"""

BUILT_IN = "built-in"
"""In place of a path: the photograph that comes with scikit-image."""

PILOT_SEED = 1_000_000
"""Pilots run on this seed; a study's own seeds are 0, 1, 2, ..., below it."""

MOST_DESIGNS = 200

NAMED = ("sharing", "activation", "encoding", "divergence")
"""Fields that a design's short name has already."""

LATER_WORDS = ("augment", "also", "probes", "judge", "references")
"""Words that older plans lack; where one says nothing, a plan's fingerprint stays what it was."""


class Plan(BaseModel):
    """Everything that is fixed before the first run.

    Example:
        >>> plan = Plan(vary={"activation": ["relu", "sine"], "encoding": ["none", "nerf"]})
        >>> list(plan.labelled())
        ['relu', 'relu+nerf', 'sine', 'sine+nerf']
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    vary: dict[str, list[Any]] = Field(default_factory=dict)
    """Values by axis; the designs are their full grid."""
    designs: list[dict[str, Any]] = Field(default_factory=list)
    """Single designs outside the grid."""
    family: FamilyName = "coordinate"
    """Of the designs that do not name one."""
    seeds: int = Field(default=10, ge=1, lt=PILOT_SEED)
    steps: int = Field(default=300, ge=1)
    batch: int = Field(default=2048, ge=1)
    """Samples a step; all of them where there are fewer."""
    size: int = Field(default=128, ge=2, le=2**23)
    """Pixels along a picture's longer side; frames of a sound's loudest excerpt."""
    held_out: str = "random:0.5"
    noise: float = Field(default=0, ge=0, le=1)
    """Standard deviation of noise on what training sees of a picture."""
    tune: int = Field(default=4, ge=0, le=1000)
    """Pilots for each design."""
    match: Literal["width", "parameters"] = "width"
    """What designs have in common: the width, or (nearly) the number of parameters."""
    baseline: str | None = None
    """A design's label, or fields that choose one; see `baselines_of`."""
    metric: str | None = None
    margin: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    target: float | None = Field(default=None, allow_inf_nan=False)
    """A value of the metric; the steps to it get verdicts of their own."""
    augment: str = ""
    """What is drawn anew for each batch of labelled pictures, such as ``"shift:2,flip"``."""
    also: list[str] = Field(default_factory=list)
    """Further metrics that get verdicts; all of a study's verdicts share one rate of error."""
    probes: list[Literal["gradients", "blocks"]] = Field(default_factory=list)
    """What is measured in each network, at the start and the end of its run."""
    references: bool = True
    """Whether designs are held against fits in closed form with as many numbers."""
    judge: Literal["across", "each"] = "across"
    """Whether verdicts are about the mean over all signals, or about each signal by itself."""

    @classmethod
    def of(cls, words: dict[str, Any]) -> Self:
        """Check the words of a plan.

        Raises:
            PenchantError: an unknown word, or a value that does not fit.

        Example:
            >>> Plan.of({"seeds": 0})
            Traceback (most recent call last):
                ...
            penchant.errors.PenchantError: seeds=0: input should be greater than or equal to 1
        """
        for name in words:
            if name not in cls.model_fields:
                raise PenchantError(f"{name!r} is unknown: {nearest(name, list(cls.model_fields))}")
        try:
            plan = cls(**words)
        except ValidationError as error:
            raise PenchantError(one_line(error)) from error
        plan.baselines()
        return plan

    def labelled(self) -> dict[str, Design]:
        """Return the designs by label, in the order of the plan.

        A label is a design's short name, and where two share it, the fields in which they differ.
        """
        axes = list(self.vary)
        for axis, values in self.vary.items():
            if not values:
                raise PenchantError(f"vary {axis}: no value is given")
        count = math.prod(map(len, self.vary.values())) if axes else 0
        count += len(self.designs)
        if count > MOST_DESIGNS:
            raise PenchantError(f"vary: {count:,} designs; at most {MOST_DESIGNS} fit a study")
        grid = [
            dict(zip(axes, values, strict=True))
            for values in itertools.product(*self.vary.values())
        ]
        chosen = [*(grid if axes else []), *self.designs] or list(DEFAULT_DESIGNS[self.family])
        designs = [design({"family": self.family, **fields}) for fields in chosen]
        for one, count in Counter(designs).items():
            if count > 1:
                raise PenchantError(f"design {one.label} is in the plan {count} times")
        return dict(zip(_labels(designs), designs, strict=True))

    def axes(self) -> tuple[str, ...]:
        """Name the fields in which the designs differ, in the order of the design's fields."""
        return differing(list(self.labelled().values()))

    def baselines(self) -> dict[str, str]:
        """Return each design's baseline by label, in the order of the plan; see `baselines_of`."""
        return baselines_of(self.labelled(), self.baseline)

    def baseline_label(self) -> str:
        """Return the baseline's label, or the fields by which several are chosen."""
        chosen = set(self.baselines().values())
        return chosen.pop() if len(chosen) == 1 else str(self.baseline)

    def fingerprint(self) -> str:
        """Return the plan as canonical text; two studies are the same where this is."""
        designs = {label: one.identity for label, one in self.labelled().items()}
        rest = self.model_dump(exclude={"vary", "designs", "baseline"})
        defaults = Plan().model_dump(include=set(LATER_WORDS))
        rest = {name: v for name, v in rest.items() if name not in defaults or v != defaults[name]}
        baselines = self.baselines()
        several = len(set(baselines.values())) > 1
        baseline = baselines if several else next(iter(baselines.values()))
        content = {"designs": designs, "baseline": baseline, **rest}
        return json.dumps(content, sort_keys=True)


def usual_words(signals: Iterable[object]) -> dict[str, Any]:
    """Return what a plan on these signals says where its user does not.

    Args:
        signals: names and paths, or what was loaded.

    Raises:
        PenchantError: pictures and labelled data among them.

    Example:
        >>> usual_words(["photo.png"]), usual_words(["digits"])["held_out"]
        ({}, 'test')
    """
    named = [(signal, _is_data(signal)) for signal in signals]
    data = [signal for signal, is_data in named if is_data]
    # A task of a user's own may stand beside labelled data, if it is scored alike.
    others = [signal for signal, is_data in named if not (is_data or _is_own_task(signal))]
    if data and others:
        raise PenchantError(
            f"{_called(data[0])} is labelled data and {_called(others[0])} is a picture; a study "
            "is about pictures or about labelled data"
        )
    if data:
        return dict(SOUND_WORDS if all(map(_is_recordings, data)) else DENSE_WORDS)
    files = {kind_of(one).name: one for one in others if isinstance(one, str | Path)}
    if len(files) > 1:
        (one, first), (other, second), *_ = files.items()
        raise PenchantError(
            f"{first} is a {one} and {second} a {other}; a study is about signals of one kind"
        )
    return dict(SIGNAL_WORDS[next(iter(files), "picture")])


def plan_words(signals: Iterable[object], words: dict[str, Any]) -> dict[str, Any]:
    """Add what is usual on these signals to what a user says.

    Usual designs are for users who choose none.

    Example:
        >>> sorted(plan_words(["a.wav"], {})), plan_words(["a.wav"], {"vary": {}})
        (['designs', 'size'], {'size': 32768, 'vary': {}})
    """
    usual = usual_words(signals)
    if words.keys() & {"vary", "designs", "family"}:
        usual.pop("designs", None)
    return usual | words


def _is_data(signal: object) -> bool:
    named = is_labelled(signal) or is_drawn(signal)
    return named or isinstance(signal, Labelled | ClassificationTask)


def _is_recordings(signal: object) -> bool:
    return is_sound(signal.data if isinstance(signal, ClassificationTask) else signal)


def _is_own_task(signal: object) -> bool:
    return isinstance(signal, Task) and not isinstance(signal, PictureTask)


def _called(signal: object) -> str:
    return str(signal) if isinstance(signal, str | Path) else getattr(signal, "name", "an array")


def differing(designs: Sequence[Design]) -> tuple[str, ...]:
    """Name the fields in which designs differ, those of how they learn last.

    A field that a family lacks counts as not given.

    Example:
        >>> differing([design({"width": 8}), design({"width": 9})])
        ('width',)
    """
    fields = dict.fromkeys(field for one in designs for field in type(one).model_fields)
    found = [f for f in fields if len({getattr(one, f, None) for one in designs}) > 1]
    return tuple(sorted(found, key=lambda field: field in Design.model_fields))


def _labels(designs: list[Design]) -> list[str]:
    several = len({one.family for one in designs}) > 1
    names = [one.label_among_families if several else one.label for one in designs]
    namesakes: dict[str, list[Design]] = {}
    for name, one in zip(names, designs, strict=True):
        namesakes.setdefault(name, []).append(one)
    fields = {name: differing(alike) for name, alike in namesakes.items()}
    labels = []
    for name, one in zip(names, designs, strict=True):
        known = {f: getattr(one, f, None) for f in fields[name] if f not in NAMED}
        extra = [f"{f}={_short(value)}" for f, value in known.items() if value is not None]
        labels.append(" ".join([name, *extra]))
    if len(set(labels)) < len(labels):  # two own activations of one name
        labels = [f"{label} #{index + 1}" for index, label in enumerate(labels)]
    return labels


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def parse_vary(texts: list[str]) -> dict[str, list[Any]]:
    """Read ``activation=relu,sine`` and its like.

    Example:
        >>> parse_vary(["activation=relu,sine", "width=32,64"])
        {'activation': ['relu', 'sine'], 'width': ['32', '64']}
    """
    vary: dict[str, list[Any]] = {}
    for text in texts:
        axis, equals, values = text.partition("=")
        split = [value.strip() for value in values.split(",")]
        if not equals or not all(split):
            raise PenchantError(f"vary {text!r} is not of the form axis=value,value,...")
        if axis.strip() in vary:
            raise PenchantError(f"vary {axis.strip()!r} is given twice; list all its values once")
        vary[axis.strip()] = split
    return vary


def is_name(signal: str) -> bool:
    """Tell the name of something that comes along, with options or without, from a path."""
    known = signal == BUILT_IN or source_and_options(signal)[0] in DATA_SETS
    return known or is_drawn(signal)
