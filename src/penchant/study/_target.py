"""How soon a run reaches a target: a second question of a study, with verdicts of its own."""

import math

from penchant.study._results import Run
from penchant.tasks import Metric

SHARE = 0.05
"""The margin that matters, as a share of the budget."""


def target_metric(target: float, steps: int) -> Metric:
    """Describe the steps to a target as a metric.

    Example:
        >>> target_metric(90, 500)
        Metric(name='steps_to_90', unit='steps', margin=25.0, higher_is_better=False)
    """
    return Metric(f"steps_to_{target:g}", "steps", SHARE * steps, higher_is_better=False)


def steps_to(run: Run, metric: Metric, target: float) -> float | None:
    """Return the steps after which a run's metric first reaches a target.

    Between two looks the metric is taken to change linearly. A look at which it is undefined is
    passed over, and a diverged run reaches nothing.

    Args:
        run: with its curve.
        metric: which, and which way is better.
        target: its value.

    Returns:
        Steps, or None where the target is never reached.
    """
    if run.status == "diverged":
        return None
    sign = 1 if metric.higher_is_better else -1
    before: tuple[int, float] | None = None
    for moment in run.curve:
        value = moment.metrics.get(metric.name, math.nan)
        if math.isnan(value):
            continue
        if sign * value >= sign * target:
            if before is None:
                return float(moment.step)
            step, lower = before
            if math.isinf(value - lower):  # no line goes there: it is known at the look alone
                return float(moment.step)
            return step + (moment.step - step) * (target - lower) / (value - lower)
        before = moment.step, value
    return None
