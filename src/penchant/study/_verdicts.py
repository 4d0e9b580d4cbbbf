"""From runs to verdicts: pair by seed on one signal, average over seeds across several."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from penchant.study._results import Run, Verdict, VerdictWord
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
    runs: Sequence[Run],
    designs: Sequence[str],
    baseline: str,
    metric: Metric,
    target: float,
    budget: int,
) -> tuple[Verdict, ...]:
    """Judge how soon each design reaches a value of the metric; see `verdicts`.

    A target that is never reached counts as the whole budget, and the verdict says so; where
    neither design ever came to it, nothing is known of which is sooner.

    Args:
        runs: the finished runs of a study.
        designs: labels in the order of the plan.
        baseline: the label that each other one is compared with.
        metric: what is to reach the target.
        target: its value.
        budget: the steps of every run.
    """
    found = {(run.design, run.signal, run.seed): steps_to(run, metric, target) for run in runs}
    values = {place: budget if steps is None else steps for place, steps in found.items()}
    # Of a run that diverged, too, the flag says that it never got there.
    counted = [replace(run, status="done") for run in runs]
    judged = _judged(values, counted, designs, baseline, target_metric(target, budget), families=2)
    return tuple(_with_missed(verdict, found, f"{target:g} {metric.unit}") for verdict in judged)


def _with_missed(
    verdict: Verdict, found: Mapping[tuple[str, str, int], float | None], target: str
) -> Verdict:
    """Flag the runs of the two designs that never came to the target."""
    labels = (verdict.design, verdict.baseline)
    missed = {
        label: [steps is None for (design, _, _), steps in found.items() if design == label]
        for label in labels
    }
    if all(map(all, missed.values())):
        text = f"Neither {labels[0]} nor {labels[1]} reached {target.rstrip()} in any run."
        word: VerdictWord = "descriptive" if verdict.verdict == "descriptive" else "inconclusive"
        return replace(verdict, verdict=word, sentence=text, flag="", needed=None)
    parts = [
        f"{sum(mine)} of {len(mine)} runs of {label} never reached it"
        for label, mine in missed.items()
        if any(mine)
    ]
    if not parts:
        return verdict
    text = f"{' and '.join(parts)}; these count as the whole budget."
    return replace(verdict, flag=f"{verdict.flag} {text}".lstrip())


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
