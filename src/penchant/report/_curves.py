"""What the runs showed while they trained, gathered over seeds and signals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.study import Moment, Results, Run

_MOST_POINTS = 48
"""More points than a chart shows would only make the page heavier."""
FEWEST_FOR_INTERVAL = 6
"""Samples below which a band reaches from the lowest to the highest one."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A design's numbers along steps, layers or the like: their mean over runs, with a band."""

    design: str
    x: Float[np.ndarray, " moments"]
    mean: Float[np.ndarray, " moments"]
    low: Float[np.ndarray, " moments"]
    high: Float[np.ndarray, " moments"]


@dataclass(frozen=True, eq=False)
class BandCurve:
    """A design's error energy in each frequency band while training, as a share of the signal's."""

    design: str
    x: Float[np.ndarray, " moments"]
    shares: Float[np.ndarray, "moments bands"]


def watched_metric(results: Results) -> str | None:
    """The primary metric if the runs watched it, otherwise the first one that they did watch."""
    names = dict.fromkeys(
        name
        for run in results.runs
        for moment in run.curve[:-1]  # at its end a run is scored on everything
        for name in moment.metrics
    )
    return results.metric if results.metric in names else next(iter(names), None)


def metric_curves(
    results: Results, designs: Sequence[str], metric: str
) -> tuple[list[Curve], list[Curve]]:
    """Curves of a metric against steps, and the same against mean processor seconds.

    For several signals, seeds are averaged within each and the band is taken over the signals.
    """
    by_step, by_seconds = [], []
    for design in designs:
        runs = reading.runs_of(results, design)
        steps = _steps(runs)
        values = _gather(runs, steps, lambda moment: (moment.metrics.get(metric, np.nan),))[..., 0]
        seconds = _gather(runs, steps, lambda moment: (moment.seconds,))[..., 0]
        values = _within_signals(values, runs)
        known = np.isfinite(values).any(axis=0) if len(values) else np.zeros(0, bool)
        if not known.any():
            continue
        values, seconds = values[:, known], np.nanmean(seconds[:, known], axis=0)
        summary = summarised(values)
        by_step.append(Curve(design, np.array(steps, float)[known], *summary))
        by_seconds.append(Curve(design, seconds, *summary))
    return by_step, by_seconds


def summarised(
    values: Float[np.ndarray, "samples places"],
) -> tuple[
    Float[np.ndarray, " places"], Float[np.ndarray, " places"], Float[np.ndarray, " places"]
]:
    """Mean and band of samples: a 95 % t-interval, or lowest to highest where they are few.

    Nan is left out; every place has a number.
    """
    from scipy import stats

    count = np.isfinite(values).sum(axis=0)
    mean = np.nanmean(values, axis=0)
    if len(values) < FEWEST_FOR_INTERVAL:
        return mean, np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    freedom = np.maximum(count - 1, 1)
    spread = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / freedom)
    half = stats.t.ppf(0.975, freedom) * spread / np.sqrt(count)
    return mean, mean - half, mean + half


def band_words(results: Results) -> str:
    """What the bands of this study's curves are, in words."""
    names = reading.signals(results)
    single = len(names) == 1
    count = len(reading.seeds(results)) if single else len(names)
    sample = "seed" if single else words.noun(results)
    if count < FEWEST_FOR_INTERVAL:
        return f"bands reach from the lowest to the highest {sample}"
    return f"bands are 95{words.NO_BREAK}% t-intervals over {sample}s"


def profile_curves(
    results: Results, designs: Sequence[str], key: str, *, logarithmic: bool = False
) -> list[Curve]:
    """What a probe measured along a network, by place from 0: mean over runs, with a band.

    Args:
        results: the study.
        designs: labels, in the order of the answer; those without the profile are left out.
        key: which profile.
        logarithmic: take means and bands of logarithms; values of 0 or less are left out.
    """
    found = []
    for design in designs:
        runs = [run for run in reading.runs_of(results, design) if run.profiles.get(key)]
        width = max((len(run.profiles[key]) for run in runs), default=0)
        # A network of another width than the rest cannot be averaged with it place by place.
        runs = [run for run in runs if len(run.profiles[key]) == width]
        if not runs:
            continue
        values = np.array([run.profiles[key] for run in runs], float)
        usable = np.isfinite(values) & ((values > 0) | (not logarithmic))
        values = np.where(usable, values, np.nan)
        if logarithmic:
            values = np.log(values)
        values = _within_signals(values, runs)
        known = np.isfinite(values).any(axis=0)
        if known.any():
            mean, low, high = summarised(values[:, known])
            if logarithmic:
                mean, low, high = np.exp(mean), np.exp(low), np.exp(high)
            found.append(Curve(design, np.flatnonzero(known).astype(float), mean, low, high))
    return found


def band_curves(results: Results, designs: Sequence[str]) -> list[BandCurve]:
    """Each design's error by frequency band over training: geometric means over all runs.

    Geometric, since the shares span orders of magnitude and are shown on a logarithmic scale.
    """
    found = []
    for design in designs:
        runs = [run for run in reading.runs_of(results, design) if any(m.bands for m in run.curve)]
        steps = _steps(runs)
        if not runs or not steps:
            continue
        shares = _gather(runs, steps, lambda moment: moment.bands)
        logs = np.log(np.maximum(shares, 1e-12))
        known = np.isfinite(logs).any(axis=(0, 2))
        logs = logs[:, known]
        usable = np.isfinite(logs).any(axis=0).all(axis=0)
        if not usable.any():
            continue
        means = np.exp(np.nanmean(logs[..., usable], axis=0))
        found.append(BandCurve(design, np.array(steps, float)[known], means))
    return found


def _steps(runs: Sequence[Run]) -> list[int]:
    steps = sorted({moment.step for run in runs for moment in run.curve})
    if len(steps) <= _MOST_POINTS:
        return steps
    kept = np.unique(np.linspace(0, len(steps) - 1, _MOST_POINTS).round().astype(int))
    return [steps[i] for i in kept]


def _gather(
    runs: Sequence[Run], steps: Sequence[int], of: Callable[[Moment], Sequence[float]]
) -> Float[np.ndarray, "runs moments values"]:
    """Values of every run at every step; nan where a run did not look (or had diverged)."""
    tables = [{moment.step: tuple(of(moment)) for moment in run.curve} for run in runs]
    width = max((len(row) for table in tables for row in table.values()), default=1)
    values = np.full((len(runs), len(steps), width), np.nan)
    for i, table in enumerate(tables):
        for j, step in enumerate(steps):
            row = table.get(step, ())
            values[i, j, : len(row)] = row
    values[~np.isfinite(values)] = np.nan
    return values


def _within_signals(
    values: Float[np.ndarray, "runs moments"], runs: Sequence[Run]
) -> Float[np.ndarray, "samples moments"]:
    names = list(dict.fromkeys(run.signal for run in runs))
    if len(names) <= 1:
        return values
    rows = []
    for name in names:
        own = values[[run.signal == name for run in runs]]
        count = np.isfinite(own).sum(axis=0)
        rows.append(np.where(count > 0, np.nansum(own, axis=0) / np.maximum(count, 1), np.nan))
    return np.stack(rows)
