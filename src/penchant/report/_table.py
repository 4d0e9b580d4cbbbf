"""The designs of a study, best first, each with its score and its difference."""

from typing import TYPE_CHECKING

import numpy as np

from penchant.report import _reading as reading
from penchant.study import Results, Verdict

if TYPE_CHECKING:
    import pandas as pd


def compared(results: Results, verdict: Verdict | None, design: str) -> dict[str, object]:
    """The columns that compare a design with the baseline."""
    word = "baseline" if reading.is_baseline(results, design) else ""
    return {
        "difference": verdict.mean_difference if verdict else np.nan,
        "difference_low": verdict.interval[0] if verdict else np.nan,
        "difference_high": verdict.interval[1] if verdict else np.nan,
        "verdict": verdict.verdict if verdict else word,
    }


def t_interval(values: list[float], level: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean of `values`; nan below two values."""
    if len(values) < 2:
        return float("nan"), float("nan")
    from scipy import stats

    half = stats.t.ppf(0.5 + level / 2, len(values) - 1) * np.std(values, ddof=1)
    half /= np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def table(results: Results) -> "pd.DataFrame":
    """List the designs of a study, best first on its primary metric.

    `mean`, `low` and `high` are the score with its 95 % t-interval, over seeds for one signal and
    over the signals' means for several; they describe each design alone. Comparisons are in
    `difference`, `difference_low` and `difference_high`: design minus baseline, paired, with the
    simultaneous interval that decided the `verdict`. The baseline's row has nan and "baseline".

    Where designs have several baselines, each row names its own in `baseline`, and designs stand
    beside it. Where each signal is judged by itself, there is a row for each design on each signal,
    named in `signal`, and intervals are over seeds.

    Args:
        results: a finished study.

    Returns:
        One row a design: `design, mean, low, high, difference, difference_low, difference_high,
        verdict, parameters, seconds, runs, diverged`. `parameters` is the median over runs,
        `seconds` the median of the runs' processor seconds.

    Example:
        >>> from penchant.study import Run
        >>> run = Run("a1", "cat", "relu", 0, "done", 300, 1.5, 33, {}, {"psnr_seen": 21.0}, (), ())
        >>> results = Results(None, {}, ("relu",), (), "psnr_seen", (run,), (), (), (), ())
        >>> table(results)[["design", "mean", "verdict"]].to_dict("records")
        [{'design': 'relu', 'mean': 21.0, 'verdict': 'baseline'}]
    """
    if not reading.judged_each(results):
        return overall(results)
    import pandas as pd

    parts = []
    for signal in reading.signals(results):
        part = overall(results, signal=signal)
        part.insert(0, "signal", signal)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def overall(results: Results, metric: str | None = None, signal: str = "") -> "pd.DataFrame":
    """One row a design on one metric, over all signals or on one; see `table`.

    Args:
        results: a finished study.
        metric: the primary one by default.
        signal: all by default; verdicts are then left out where each signal has its own.
    """
    import pandas as pd

    name = metric or results.metric
    verdicts = reading.verdicts_of(results, name, signal)
    several = reading.several_baselines(results)
    rows = []
    for design in results.designs:
        runs = [run for run in reading.runs_of(results, design) if signal in ("", run.signal)]
        samples = reading.samples_of(results, design, name, signal)
        low, high = t_interval(samples)
        rows.append(
            {
                "design": design,
                **({"baseline": reading.baseline_of(results, design)} if several else {}),
                "mean": reading.mean(samples),
                "low": low,
                "high": high,
                **compared(results, verdicts.get(design), design),
                "parameters": int(np.median([run.parameters for run in runs])) if runs else 0,
                "seconds": float(np.median([run.seconds for run in runs])) if runs else np.nan,
                "runs": len(runs),
                "diverged": sum(run.status == "diverged" for run in runs),
            }
        )
    found = pd.DataFrame(rows).sort_values(
        "mean",
        ascending=not reading.metric(results, name).higher_is_better,
        kind="stable",
        ignore_index=True,
    )
    if judged_apart := signal == "" and reading.judged_each(results):
        # A mean over signals that are judged by themselves ranks nothing.
        place = {label: i for i, label in enumerate(results.designs)}
        found = found.iloc[found["design"].map(place).argsort(kind="stable")]
        found = found.reset_index(drop=True)
    if several and not judged_apart:
        place = {label: i for i, label in enumerate(results.designs)}
        key = found["baseline"].map(place)
        found = found.iloc[key.argsort(kind="stable")].reset_index(drop=True)
    return found
