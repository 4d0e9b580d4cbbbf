"""How soon the designs of a study reach its target, soonest first."""

from typing import TYPE_CHECKING

import numpy as np

from penchant.report import _reading as reading
from penchant.report._table import compared, t_interval
from penchant.study import Results, Run

if TYPE_CHECKING:
    import pandas as pd


def reached_by(results: Results, design: str) -> int:
    """How many of a design's runs came to the target."""
    runs = reading.runs_of(results, design)
    return sum(results.steps_to_target[run.id] is not None for run in runs)


def target_table(results: Results) -> "pd.DataFrame":
    """List the designs of a study with a target by the steps that they take to it.

    `mean`, `low` and `high` are over the runs that reached it, with a 95 % t-interval over seeds
    (over the signals' means, where there are several). Designs are ordered, and compared in
    `difference`, with a run that never reached it counted as the whole budget; where no run of
    either design did, there is no difference.

    Args:
        results: a finished study whose plan has a target.

    Returns:
        One row a design: `design, mean, low, high, reached, runs, difference, difference_low,
        difference_high, verdict`, as in `table`.
    """
    import pandas as pd

    verdicts = reading.target_verdicts_of(results)
    found = {key: np.nan if v is None else v for key, v in results.steps_to_target.items()}
    whole = reading.budget(results)

    def counted(run: Run) -> float:
        steps = found[run.id]
        return whole if np.isnan(steps) else steps

    rows: list[dict[str, object]] = []
    for design in results.designs:
        runs = reading.runs_of(results, design)
        reached = reading.samples(results, design, lambda run: found[run.id])
        low, high = t_interval(reached)
        rows.append(
            {
                "design": design,
                "mean": reading.mean(reached),
                "low": low,
                "high": high,
                "reached": reached_by(results, design),
                "runs": len(runs),
                "counted": reading.mean(reading.samples(results, design, counted)),
                **compared(results, verdicts.get(design), design),
            }
        )
        base = reading.baseline_of(results, design)
        if design in verdicts and not (rows[-1]["reached"] or reached_by(results, base)):
            rows[-1] |= dict.fromkeys(("difference", "difference_low", "difference_high"), np.nan)
    return pd.DataFrame(rows).sort_values("counted", kind="stable", ignore_index=True)
