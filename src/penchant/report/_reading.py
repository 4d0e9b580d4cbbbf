"""What a page needs to know about a study, read off its results in one place."""

from collections.abc import Callable, Iterable

import numpy as np

from penchant.study import Results, Run, Verdict
from penchant.tasks import Metric


def baseline(results: Results) -> str:
    """Label of the design that each other one is compared with."""
    return str(results.plan.get("baseline") or results.designs[0])


def signals(results: Results) -> tuple[str, ...]:
    """Names of the signals, in the order of the runs."""
    return tuple(dict.fromkeys(run.signal for run in results.runs))


def seeds(results: Results) -> tuple[int, ...]:
    """The study's seeds, in order."""
    return tuple(sorted({run.seed for run in results.runs}))


def runs_of(results: Results, design: str) -> list[Run]:
    """The runs of one design."""
    return [run for run in results.runs if run.design == design]


def verdicts_of(results: Results) -> dict[str, Verdict]:
    """Each design's verdict on the primary metric, by label."""
    return {one.design: one for one in results.verdicts if one.metric == results.metric}


def target_verdicts_of(results: Results) -> dict[str, Verdict]:
    """Each design's verdict on the steps to the target, by label; none without a target."""
    return {verdict.design: verdict for verdict in results.target_verdicts}


def target(results: Results) -> float | None:
    """The value of the primary metric whose steps are judged too, if the plan has one."""
    value = results.plan.get("target")
    return float(value) if isinstance(value, int | float) else None


def target_metric(results: Results) -> str:
    """Name of the metric that is the steps to the target; empty where the plan has none."""
    value = target(results)
    return "" if value is None else f"steps_to_{value:g}"


def budget(results: Results) -> int:
    """The steps that every run was given."""
    return int(str(results.plan["steps"]))


def metric(results: Results, name: str | None = None) -> Metric:
    """A metric (the primary one by default) as the plan describes it.

    One that the plan says nothing of has no unit and no margin, and higher is better.
    """
    wanted = name or results.metric
    listed = results.plan.get("metrics", ())
    assert isinstance(listed, list | tuple)
    for entry in listed:
        if entry["name"] == wanted:
            return Metric(**entry)
    if wanted != results.metric:
        return Metric(wanted, "", margin=0.0)
    known = results.plan.get("margin")
    return Metric(
        wanted,
        str(results.plan.get("unit", "")),
        margin=float(known) if isinstance(known, int | float) else 0.0,
        higher_is_better=bool(results.plan.get("higher_is_better", True)),
    )


def margin(results: Results) -> float | None:
    """The primary metric's difference that matters, as the plan fixed it."""
    return metric(results).margin or None


def higher_is_better(results: Results) -> bool:
    """Which way the primary metric points."""
    return metric(results).higher_is_better


def other_metrics(results: Results) -> tuple[str, ...]:
    """Metrics beside the primary one, in the order in which the runs carry them."""
    names = dict.fromkeys(name for run in results.runs for name in run.metrics)
    return tuple(name for name in names if name != results.metric)


def finite(values: Iterable[float]) -> list[float]:
    """The values that are numbers; a metric can be undefined (nan)."""
    return [float(value) for value in values if np.isfinite(value)]


def mean(values: Iterable[float]) -> float:
    """Mean of the values that are numbers; nan when there is none."""
    known = finite(values)
    return float(np.mean(known)) if known else float("nan")


def samples_of(results: Results, design: str, metric: str) -> list[float]:
    """What the design's interval is taken over: seeds of one signal, or means of several."""
    return samples(results, design, lambda run: run.metrics.get(metric, np.nan))


def samples(results: Results, design: str, of: Callable[[Run], float]) -> list[float]:
    """A number of each run of the design, or for several signals its mean on each; no nan."""
    runs = runs_of(results, design)
    names = signals(results)
    if len(names) == 1:
        return finite(map(of, runs))
    return finite(mean(of(run) for run in runs if run.signal == name) for name in names)
