"""Runs of a contest as tables and lines."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

Run = dict[str, Any]
"""What a run came to, as `contest.Found.as_dict` returns it."""


def median(runs: Sequence[Run], target: float, what: str) -> float:
    """Return the median over runs; one that did not come to the target counts as longest."""
    values = [run["reached"].get(f"{target:g}", {}).get(what, math.inf) for run in runs]
    return statistics.median_high(values) if values else math.nan


def cell(runs: Sequence[Run], target: float, cap: float) -> str:
    """Say when a target was reached, in seconds and processor seconds, or that it was not."""
    if not runs:
        return "not run"
    seconds = median(runs, target, "seconds")
    if math.isfinite(seconds):
        return f"{seconds:.1f} ({median(runs, target, 'processor'):.1f})"
    failed = _failed(runs, target)
    score = "" if failed["psnr"] is None else f" ({failed['psnr']:.1f} dB)"
    if failed["end"] == "cap":
        return f"> {cap:g}{score}"
    return f"{failed['end']} at {failed['seconds']:.1f}{score}"


def _failed(runs: Sequence[Run], target: float) -> Run:
    """Return the first run that did not come to a target."""
    return next(run for run in runs if f"{target:g}" not in run["reached"])


def times(theirs: Sequence[Run], ours: Sequence[Run], target: float, cap: float) -> str:
    """Say how many times as long as ours theirs took."""
    long, short = median(theirs, target, "seconds"), median(ours, target, "seconds")
    if not math.isfinite(short) or not theirs:
        return "–"
    if math.isfinite(long):
        return f"{long / short:.1f}×"
    return f"> {cap / short:.0f}×" if _failed(theirs, target)["end"] == "cap" else "never"


def line(job: dict[str, Any], found: Run) -> str:
    """Say what a run came to."""
    reached = ", ".join(
        f"{target} dB {one['seconds']:.1f} s" for target, one in found["reached"].items()
    )
    rate = "" if job["learning_rate"] is None else f" at {job['learning_rate']:g}"
    score = "" if found["psnr"] is None else f" at {found['psnr']:.2f} dB"
    targets = (reached or "no target") if job["targets"] else "tuning"
    return (
        f"{job['peer']}{rate}, {job['picture']}, seed {job['seed']}: {targets}; "
        f"{found['end']} after {found['seconds']:.1f} s{score}"
    )
