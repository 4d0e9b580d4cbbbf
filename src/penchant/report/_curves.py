"""What the runs showed while they trained, gathered over seeds and signals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from penchant.report import _reading as reading
from penchant.study import Moment, Results, Run

_MOST_POINTS = 48
"""More points than a chart shows would only make the page heavier."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A design's metric while training: mean over runs, with the lowest and highest one."""

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
        name for run in results.runs for moment in run.curve for name in moment.metrics
    )
    return results.metric if results.metric in names else next(iter(names), None)


def metric_curves(
    results: Results, designs: Sequence[str], metric: str
) -> tuple[list[Curve], list[Curve]]:
    """Curves of a metric against steps, and the same against mean processor seconds.

    For several signals, seeds are averaged within each and the band spans the signals.
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
        summary = np.nanmean(values, 0), np.nanmin(values, 0), np.nanmax(values, 0)
        by_step.append(Curve(design, np.array(steps, float)[known], *summary))
        by_seconds.append(Curve(design, seconds, *summary))
    return by_step, by_seconds


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
