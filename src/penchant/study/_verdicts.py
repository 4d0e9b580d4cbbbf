"""From runs to verdicts: pair by seed on one signal, average over seeds across several."""

from collections.abc import Sequence
from statistics import fmean

from penchant.study._results import Run, Verdict
from penchant.study._sentence import UnitOfN
from penchant.study._verdict import judge
from penchant.tasks import Metric


def verdicts(
    runs: Sequence[Run], designs: Sequence[str], baseline: str, metric: Metric
) -> tuple[Verdict, ...]:
    """Judge each design against the baseline; together they are one family.

    Args:
        runs: the finished runs of a study, every design with the same seeds and signals.
        designs: labels in the order of the plan.
        baseline: the label that each other one is compared with.
        metric: what is compared, with the margin that the plan fixed.

    Returns:
        One verdict for each design but the baseline, in the order of the plan.
    """
    scores = {(run.design, run.signal, run.seed): run.metrics[metric.name] for run in runs}
    signals = sorted({run.signal for run in runs})
    seeds = sorted({run.seed for run in runs})
    others = [label for label in designs if label != baseline]
    unit: UnitOfN = "seeds" if len(signals) == 1 else "signals"

    def differences(label: str) -> list[float]:
        paired = [
            [scores[label, signal, seed] - scores[baseline, signal, seed] for seed in seeds]
            for signal in signals
        ]
        return paired[0] if unit == "seeds" else [fmean(row) for row in paired]

    return tuple(
        judge(
            differences(label),
            design=label,
            baseline=baseline,
            metric=metric,
            margin=metric.margin,
            comparisons=len(others),
            unit_of_n=unit,
            diverged=sum(r.status == "diverged" for r in runs if r.design in (label, baseline)),
        )
        for label in others
    )
