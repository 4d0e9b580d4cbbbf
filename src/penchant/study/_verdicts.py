"""From runs to verdicts: pair by seed on one signal, average over seeds across several."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from penchant.study._results import Run, Verdict
from penchant.study._sentence import UnitOfN
from penchant.study._target import steps_to, target_metric
from penchant.study._verdict import judge
from penchant.tasks import Metric

Values = Mapping[tuple[str, str, int], float]
"""A number for each design, signal and seed."""


def verdicts(
    runs: Sequence[Run], designs: Sequence[str], baseline: str, metric: Metric, families: int = 1
) -> tuple[Verdict, ...]:
    """Judge each design against the baseline; together they are one family.

    Args:
        runs: the finished runs of a study, every design with the same seeds and signals.
        designs: labels in the order of the plan.
        baseline: the label that each other one is compared with.
        metric: what is compared, with the margin that the plan fixed.
        families: how many metrics the study judges; they share the error that may be made.

    Returns:
        One verdict for each design but the baseline, in the order of the plan.
    """
    values = {(run.design, run.signal, run.seed): run.metrics[metric.name] for run in runs}
    return _judged(values, runs, designs, baseline, metric, families)


def target_verdicts(
    runs: Sequence[Run], designs: Sequence[str], baseline: str, metric: Metric, target: float
) -> tuple[Verdict, ...]:
    """Judge how soon each design reaches a value of the metric; see `verdicts`.

    A target that is never reached counts as the whole budget, and the verdict says so.
    """
    budget = max(run.steps for run in runs)
    found = {(run.design, run.signal, run.seed): steps_to(run, metric, target) for run in runs}
    values = {place: budget if steps is None else steps for place, steps in found.items()}
    judged = _judged(values, runs, designs, baseline, target_metric(target, budget), families=2)
    return tuple(
        replace(verdict, flag="; ".join(filter(None, (verdict.flag, _missed(found, verdict)))))
        for verdict in judged
    )


def _missed(found: Mapping[tuple[str, str, int], float | None], verdict: Verdict) -> str:
    """Say how many runs never came to the target, for each of the two designs."""
    parts = []
    for label in (verdict.design, verdict.baseline):
        mine = [steps for (design, _, _), steps in found.items() if design == label]
        missed = sum(steps is None for steps in mine)
        if missed:
            parts.append(f"{missed} of {len(mine)} runs of {label} never reached it")
    return " and ".join(parts) + " and count as the whole budget" if parts else ""


def _judged(
    values: Values,
    runs: Sequence[Run],
    designs: Sequence[str],
    baseline: str,
    metric: Metric,
    families: int,
) -> tuple[Verdict, ...]:
    signals = sorted({run.signal for run in runs})
    seeds = sorted({run.seed for run in runs})
    others = [label for label in designs if label != baseline]
    unit: UnitOfN = "seeds" if len(signals) == 1 else "signals"

    def differences(label: str) -> list[float]:
        paired = [
            [values[label, signal, seed] - values[baseline, signal, seed] for seed in seeds]
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
            comparisons=families * len(others),
            unit_of_n=unit,
            diverged=sum(r.status == "diverged" for r in runs if r.design in (label, baseline)),
        )
        for label in others
    )
