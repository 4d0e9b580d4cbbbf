"""What a study found: its runs, as people and pandas expect them, and its verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from pandas import DataFrame

    from penchant.study._planes import PlaneMap

Status = Literal["done", "diverged"]


@dataclass(frozen=True)
class Moment:
    """One look at a run while it trains."""

    step: int
    seconds: float
    """Processor seconds of this run so far, scoring left out."""
    metrics: Mapping[str, float]
    bands: tuple[float, ...]
    """Error energy in each radial frequency band over the signal's energy there, lowest first."""


@dataclass(frozen=True)
class Run:
    """One finished run: a design, a seed and a signal, with what came of it."""

    id: str
    signal: str
    design: str
    """The design's label, for example ``relu+nerf``."""
    seed: int
    status: Status
    steps: int
    seconds: float
    parameters: int
    settings: Mapping[str, object]
    """The design in full after pilots: activation, encoding, scale, width, learning rate, ..."""
    metrics: Mapping[str, float]
    bands: tuple[float, ...]
    curve: tuple[Moment, ...]
    profiles: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """What the plan's probes found, a row of numbers each.

    ``gradient_start`` and ``gradient_end`` are norms by layer, ``path_lengths`` shares of the
    gradient by length (0, 1, ...), ``identity_share`` shares by residual block, in percent.
    """
    layers: tuple[str, ...] = ()
    """The layers of the gradient's profiles, in the order of the forward pass."""


@dataclass(frozen=True)
class Pilot:
    """One pilot: the settings that were tried for a design, and the validation score they got."""

    signal: str
    design: str
    settings: Mapping[str, object]
    score: float
    chosen: bool


@dataclass(frozen=True)
class Reconstruction:
    """A signal as a design's network gives it back, and as it was."""

    signal: str
    design: str
    """The design's label; empty for the original."""
    seed: int
    values: Float[np.ndarray, "*grid channels"]
    """Of a picture in [0, 1]; 1 channel is grey, 3 are red, green and blue. Of a sound frames ×
    channels in [-1, 1]; of a volume i × j × k × channels in [0, 1]; of a mesh or a scene a picture
    of the view."""
    kind: str = "picture"
    """As the header of a network's file has it: picture, sound, ..."""
    rate: int = 0
    """Frames a second of a sound."""
    spacing: tuple[float, ...] = ()
    """A volume's voxel along each axis."""
    units: str = "unknown"
    """Of the spacing."""
    affine: tuple[tuple[float, ...], ...] | None = None
    """From a voxel's indices to its place, where the file says it."""
    view: str = ""
    """Which view it is of a mesh or a scene, of which there are several."""


VerdictWord = Literal["better", "worse", "equivalent", "inconclusive", "descriptive"]


@dataclass(frozen=True)
class Verdict:
    """What paired runs say about a design against the baseline on one metric.

    Differences are design minus baseline. `interval` is the simultaneous interval that decided.
    """

    design: str
    baseline: str
    metric: str
    unit: str
    n: int
    """Pairs: seeds for one signal, signals for several."""
    mean_difference: float
    interval: tuple[float, float]
    p_sign_flip: float
    effect: float
    """Mean difference over the standard deviation of the differences (paired Cohen's d)."""
    verdict: VerdictWord
    sentence: str
    """The verdict in words, with its numbers."""
    flag: str = ""
    """Set where the sign-flip test and the interval disagree, or runs diverged."""
    needed: int | None = None
    """When inconclusive: about how many pairs would decide."""
    signal: str = ""
    """The signal that it speaks of, where each is judged by itself."""
    differences: tuple[float, ...] = ()
    """What was judged, a pair each, by seed (by signal's name, where there are several); none
    where nothing is known."""


@dataclass(frozen=True)
class Results:
    """A finished study, as read from its folder.

    `plan` is the study's plan in plain words and numbers (the content of `study.toml`);
    `method` holds what a reader needs to judge it: versions, machine, command, dates.
    """

    folder: Path | None
    plan: Mapping[str, object]
    designs: tuple[str, ...]
    """Labels in the order of the plan."""
    axes: tuple[str, ...]
    """The fields in which the designs differ, for example ``("activation", "encoding")``."""
    metric: str
    runs: tuple[Run, ...]
    pilots: tuple[Pilot, ...]
    verdicts: tuple[Verdict, ...]
    """On the primary metric, then on each further one that the plan judges."""
    reconstructions: tuple[Reconstruction, ...]
    """For each signal the original, then one a design, at the study's first seed; of a mesh or a
    scene a few views of each."""
    warnings: tuple[str, ...]
    """Validity warnings and what could not be held equal, one sentence each."""
    method: Mapping[str, str] = field(default_factory=dict)
    target_verdicts: tuple[Verdict, ...] = ()
    """Verdicts on the steps to the plan's target, where it has one."""
    steps_to_target: Mapping[str, float | None] = field(default_factory=dict)
    """By the run's id, where the plan has a target; None where it was never reached."""
    baselines: Mapping[str, str] = field(default_factory=dict)
    """Each design's baseline by label; a baseline is its own. `plan["baseline"]` says it in words:
    a label, or the fields by which several are chosen."""
    planes: "tuple[PlaneMap, ...]" = ()
    """For each signal in the plane the truth, then one map a design, at the study's first seed."""

    def to_pandas(self) -> "DataFrame":
        """Return one row a run.

        Returns:
            A frame with columns run, design, seed, status, steps, seconds, parameters, one for
            each axis in which the designs differ (and signal, where there are several), then one
            for each metric, and steps_to_target where the plan has a target (empty where it was
            never reached).
        """
        import pandas

        reached = bool(self.steps_to_target)
        several = len({run.signal for run in self.runs}) > 1
        return pandas.DataFrame(
            [
                {
                    "run": run.id,
                    "design": run.design,
                    "seed": run.seed,
                    "status": run.status,
                    "steps": run.steps,
                    "seconds": run.seconds,
                    "parameters": run.parameters,
                    **({"signal": run.signal} if several else {}),
                    **{axis: run.settings.get(axis) for axis in self.axes},
                    **{name: run.metrics[name] for name in sorted(run.metrics, key=_column)},
                    **({"steps_to_target": self.steps_to_target[run.id]} if reached else {}),
                }
                for run in self.runs
            ]
        )

    def _repr_html_(self) -> str:
        # The one look upwards: a notebook asks the results themselves how they are shown.
        import importlib

        return str(importlib.import_module("penchant.report").html_summary(self))


def _column(metric: str) -> tuple[str, bool]:
    """Order metrics by what they measure, seen before held out."""
    return metric.removesuffix("_seen").removesuffix("_held_out"), metric.endswith("_held_out")
