"""The baselines that keep networks honest: fits in closed form with as many numbers, and JPEG."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from jaxtyping import Float

from penchant.study._results import Run
from penchant.tasks import (
    GridTask,
    PictureTask,
    Task,
    fit_grid,
    fit_jpeg,
    fit_separable_gaussians,
)

SEEDS = 3
"""Seeds on which designs are held against them."""
NAMED = 6
"""Designs that a sentence names one by one."""

NEARLY_LOSSLESS = 95
"""The quality from which a JPEG file looks like the picture: some 40 dB."""


@dataclass(frozen=True)
class Reference:
    """A fit that takes a second and no training."""

    words: str
    """What it is, at the beginning of a sentence."""
    fit: Callable[..., Float[np.ndarray, "*grid channels"]]


REFERENCES = (
    Reference("A plain grid of equal size with linear interpolation", fit_grid),
    Reference(
        "A linear combination of separable Gaussian bumps of equal size", fit_separable_gaussians
    ),
)


def _coded(
    shown: Float[np.ndarray, "height width channels"], seen: object, values: int, lowest: float
) -> Float[np.ndarray, "height width channels"]:
    """Code the whole picture; where no file is small enough, its mean is all there is."""
    file = fit_jpeg(shown, values)
    return file.values if file else np.full_like(shown, shown.mean())


JPEG = Reference("A JPEG file of as many bytes as the parameters take in single precision", _coded)


def reference_warnings(runs: Sequence[Run], tasks: Sequence[Task], metric: str) -> list[str]:
    """Say which designs lose to a reference of equal size, on the seeds that were looked at.

    Args:
        runs: the finished runs.
        tasks: the signals; only those sampled on a grid have references.
        metric: what is compared, in decibels.

    Returns:
        What is to be said of each reference that some design loses to.
    """
    if not metric.startswith(("psnr", "snr")):
        return []
    sampled = [task for task in tasks if isinstance(task, GridTask)]
    found = []
    for reference in REFERENCES:
        beaten = _beaten(runs, sampled, metric, reference)
        if beaten:
            found.append(f"{reference.words}, fitted in closed form, does better than {beaten}.")
    return [*found, *_jpeg_warning(runs, sampled)]


def _jpeg_warning(runs: Sequence[Run], tasks: Sequence[GridTask]) -> list[str]:
    """Say which designs hold less of pictures than files do, whatever they are compared by.

    A file is made of the held-out samples too, so it is held against the seen score alone.
    """
    pictures = [task for task in tasks if isinstance(task, PictureTask)]
    beaten = _beaten(runs, pictures, "psnr_seen", JPEG)
    if not beaten:
        return []
    least = min(run.parameters for run in runs)
    files = [fit_jpeg(task.values, least) for task in pictures]
    whole = all(file is not None and file.quality >= NEARLY_LOSSLESS for file in files)
    return [
        f"{JPEG.words}{', here nearly without loss,' if whole else ''} has a higher seen PSNR than "
        f"{beaten}. It is made from the whole picture: it says what so many bytes can hold, and "
        "nothing of filling in."
    ]


def _beaten(
    runs: Sequence[Run], tasks: Sequence[GridTask], metric: str, reference: Reference
) -> str:
    """Name the designs that lose, by how much and where; empty where none does."""
    gaps: dict[str, list[float]] = {}
    for task in tasks:
        mine = [run for run in runs if run.signal == task.name]
        for label, gap in _gaps(mine, task, metric, reference).items():
            gaps.setdefault(label, []).append(gap)
    lost = {label: [gap for gap in found if gap > 0] for label, found in gaps.items()}
    means = {label: fmean(found) for label, found in lost.items() if found}
    if len(means) > NAMED:
        return _in_all(means, [label for label in gaps if label not in means])
    return ", ".join(
        f"{label}{_on(len(lost[label]), len(gaps[label]))} by {mean:.1f} dB"
        for label, mean in means.items()
    )


def _on(some: int, signals: int) -> str:
    return f" on {some} of {signals} signals" if signals > 1 else ""


def _in_all(means: Mapping[str, float], others: Sequence[str]) -> str:
    """Say of many designs which ones lose least and most, and which do not."""
    least, most = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    span = f"by {means[least]:.1f} dB ({least}) to {means[most]:.1f} dB ({most})"
    if not others:
        return f"all {len(means)} designs, {span}"
    kept = f"; not than {', '.join(others)}" if len(others) <= NAMED else ""
    return f"{len(means)} of {len(means) + len(others)} designs, {span}{kept}"


def _gaps(
    runs: Sequence[Run], task: GridTask, metric: str, reference: Reference
) -> dict[str, float]:
    """By how much the reference does better than each design."""
    seeds = sorted({run.seed for run in runs})[:SEEDS]
    splits = [task.split(seed) for seed in seeds]
    scores: dict[int, float] = {}
    gaps = {}
    for label in dict.fromkeys(run.design for run in runs):
        mine = [run for run in runs if run.design == label and run.seed in seeds]
        size = mine[0].parameters
        if size not in scores:
            fitted = [split.fitted_score(reference.fit, size) for split in splits]
            scores[size] = fmean(score.metrics[metric] for score in fitted)
        gaps[label] = scores[size] - fmean(run.metrics[metric] for run in mine)
    return gaps
