"""A finished study as evidence: what its verdicts were computed from, as JSON."""

from collections import defaultdict
from statistics import fmean
from typing import Any

from penchant.study import Results, Run, Verdict


def study_evidence(results: Results, name: str, profile: str) -> dict[str, Any]:
    """Take from a study what rules and figures read.

    Args:
        results: the finished study.
        name: of its file or its question.
        profile: which of the file's profiles it was; empty where there are none.

    Returns:
        ``study``, ``profile``, ``command``, ``finished``, ``steps``, ``seeds``, ``signals``,
        ``noun``, ``machine`` and ``warnings`` of the study; ``pairs``, one for each verdict, with
        ``design``, ``baseline``, ``metric``, ``unit``, ``margin``, ``higher_is_better``,
        ``signal`` (where each is judged by itself), ``unit_of_n``, ``differences`` and ``facts``
        (the design's value on each axis in which the study's designs differ), and whether it can
        only be ``described``, since there are few pairs or some are undefined; and ``scores``, by
        design and metric the mean of each signal over its seeds.
    """
    plan = results.plan
    metrics = {metric["name"]: metric for metric in _list(plan["metrics"])}
    settings = {run.design: run.settings for run in reversed(results.runs)}
    signals = list(dict.fromkeys(run.signal for run in results.runs))
    unit_of_n = "signals" if len(signals) > 1 and plan.get("judge") != "each" else "seeds"

    def pair(verdict: Verdict) -> dict[str, Any]:
        metric = metrics[verdict.metric]
        mine = settings[verdict.design]
        return {
            "design": verdict.design,
            "baseline": verdict.baseline,
            "metric": verdict.metric,
            "unit": verdict.unit,
            "margin": metric["margin"],
            "higher_is_better": metric["higher_is_better"],
            "signal": verdict.signal,
            "unit_of_n": unit_of_n,
            "differences": [_rounded(value) for value in verdict.differences],
            "described": verdict.verdict == "descriptive",
            "flag": verdict.flag,
            "facts": {axis: mine.get(axis) for axis in results.axes},
        }

    return {
        "study": name,
        "profile": profile,
        "command": results.method.get("command", ""),
        "finished": results.method.get("finished", ""),
        "machine": results.method.get("machine", ""),
        "steps": plan["steps"],
        "seeds": plan["seeds"],
        "signals": signals,
        "noun": plan["noun"],
        "metric": results.metric,
        "unit": plan["unit"],
        "runs": len(results.runs),
        "seconds": _rounded(sum(run.seconds for run in results.runs)),
        "pairs": [pair(one) for one in (*results.verdicts, *results.target_verdicts)],
        "scores": _scores(results.runs),
        "warnings": list(results.warnings),
    }


def _scores(runs: tuple[Run, ...]) -> dict[str, dict[str, list[float]]]:
    values: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for run in runs:
        for metric, value in run.metrics.items():
            if value == value:  # what is undefined in a run has no mean
                values[run.design][metric][run.signal].append(value)
    return {
        design: {
            metric: [_rounded(fmean(seeds)) for seeds in by_signal.values()]
            for metric, by_signal in by_metric.items()
        }
        for design, by_metric in values.items()
    }


def _list(value: object) -> list[dict[str, Any]]:
    assert isinstance(value, list)
    return value


def _rounded(value: float) -> float:
    """Nine digits: more than any difference has, and the files stay small."""
    return float(f"{value:.9g}")
