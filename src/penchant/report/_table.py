"""The designs of a study, best first, each with its score and its difference."""

from typing import TYPE_CHECKING

import numpy as np

from penchant.report import _reading as reading
from penchant.study import Results, Verdict

if TYPE_CHECKING:
    import pandas as pd


def compared(results: Results, verdict: Verdict | None, design: str) -> dict[str, object]:
    """The columns that compare a design with the baseline."""
    word = "baseline" if design == reading.baseline(results) else ""
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
    import pandas as pd

    verdicts = reading.verdicts_of(results)
    rows = []
    for design in results.designs:
        runs = reading.runs_of(results, design)
        samples = reading.samples_of(results, design, results.metric)
        low, high = t_interval(samples)
        rows.append(
            {
                "design": design,
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
    return pd.DataFrame(rows).sort_values(
        "mean", ascending=not reading.higher_is_better(results), kind="stable", ignore_index=True
    )
