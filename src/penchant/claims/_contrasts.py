"""Comparisons that no study makes by itself, read off its runs in the form that rules read."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from penchant.claims._evidence import study_evidence
from penchant.claims._setting import Setting
from penchant.study import Results, Run
from penchant.tasks import Metric

DIGITS = 9
"""As of a study's differences: more than any has, and the files stay small."""


@dataclass(frozen=True)
class Contrast:
    """A weighted sum over designs of what their runs of one seed score.

    A difference of two designs has the weights 1 and −1; one with a single weight of 1 compares a
    design with what scores 0, such as a true boundary's excess over itself.
    """

    design: str
    """What is compared, and with what, in words."""
    baseline: str
    weights: Mapping[str, float]
    """By the designs' labels in the study."""
    facts: Mapping[str, object] = field(default_factory=dict)


def pair(
    metric: Metric,
    differences: Iterable[float],
    *,
    design: str,
    baseline: str,
    signal: str = "",
    unit_of_n: str = "seeds",
    facts: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Return a comparison as a study's evidence has it; undefined differences leave it described.

    Example:
        >>> speed = Metric("speed", "decades", margin=0.3)
        >>> found = pair(speed, [1.0, math.nan], design="sine", baseline="relu")
        >>> found["differences"], found["described"]
        ([1.0], True)
    """
    every = [float(f"{one:.{DIGITS}g}") for one in differences]
    known = [one for one in every if math.isfinite(one)]
    return {
        "design": design,
        "baseline": baseline,
        "metric": metric.name,
        "unit": metric.unit,
        "margin": metric.margin,
        "higher_is_better": metric.higher_is_better,
        "signal": signal,
        "unit_of_n": unit_of_n,
        "differences": known,
        "described": len(known) < len(every),
        "flag": "",
        "facts": dict(facts or {}),
    }


def contrasted(
    results: Results,
    metric: Metric,
    contrasts: Iterable[Contrast],
    value: Callable[[Run], float] | None = None,
) -> list[dict[str, Any]]:
    """Compute contrasts of a study's runs, paired as the study pairs them.

    Args:
        results: the finished study; where it judges each signal, there is a comparison for each.
        metric: what the differences are of, with the margin that matters.
        contrasts: which.
        value: of a run; by default its score on the metric of that name.

    Returns:
        Comparisons, as in a study's evidence.
    """
    of = value or (lambda run: run.metrics[metric.name])
    found = {(run.signal, run.design, run.seed): of(run) for run in results.runs}
    signals = list(dict.fromkeys(run.signal for run in results.runs))
    seeds = sorted({run.seed for run in results.runs})

    def differences(contrast: Contrast, signal: str) -> list[float]:
        terms = contrast.weights.items()
        return [
            sum(weight * found[signal, label, seed] for label, weight in terms) for seed in seeds
        ]

    pairs = []
    for contrast in contrasts:
        words: dict[str, Any] = {
            "design": contrast.design,
            "baseline": contrast.baseline,
            "facts": contrast.facts,
        }
        rows = {signal: differences(contrast, signal) for signal in signals}
        if len(signals) == 1:
            pairs.append(pair(metric, rows[signals[0]], **words))
        elif results.plan.get("judge") == "each":
            pairs += [pair(metric, row, signal=signal, **words) for signal, row in rows.items()]
        else:
            means = [fmean(rows[signal]) for signal in sorted(rows)]  # as a study's are
            pairs.append(pair(metric, means, unit_of_n="signals", **words))
    return pairs


def primary(results: Results) -> Metric:
    """Return a study's primary metric, with the margin that its plan fixed."""
    plan: Mapping[str, Any] = results.plan
    return Metric(results.metric, plan["unit"], plan["margin"], plan["higher_is_better"])


def study_with(
    setting: Setting,
    name: str,
    profile: str,
    contrasts: Callable[[Results], list[dict[str, Any]]],
) -> dict[str, Any]:
    """Do one of the package's study files; return its evidence with contrasts for its comparisons.

    Args:
        setting: where.
        name: of the file.
        profile: of the file.
        contrasts: makes them of the finished study.
    """
    results = setting.results(name, profile)
    return {**study_evidence(results, name, profile), "pairs": contrasts(results)}


def probed(
    setting: Setting,
    name: str,
    pairs: list[dict[str, Any]],
    *,
    designs: Sequence[str],
    seeds: int,
    steps: int = 0,
) -> dict[str, Any]:
    """Return comparisons of measurements that need no study, in the form of one's evidence.

    Args:
        setting: where they were made.
        name: of what was measured.
        pairs: the comparisons.
        designs: what was measured.
        seeds: of each.
        steps: for which it was trained.
    """
    return {
        "study": name,
        "profile": setting.profile,
        "command": "",
        "steps": steps,
        "seeds": seeds,
        "signals": list(designs),
        "noun": "design",
        "runs": len(designs) * seeds,
        "seconds": 0.0,  # the claim's own, which its record has
        "pairs": pairs,
        "warnings": [],
    }
