"""What a page needs to know about a study, read off its results in one place."""

from collections.abc import Callable, Iterable

import numpy as np

from penchant.study import Results, Run, Verdict
from penchant.tasks import Metric


def baseline(results: Results) -> str:
    """Label of the design that each other one is compared with; of several, the first."""
    if results.baselines:
        return next(iter(results.baselines.values()))
    return str(results.plan.get("baseline") or results.designs[0])


def baseline_of(results: Results, design: str) -> str:
    """Label of the design that this one is compared with; a baseline's is its own."""
    return results.baselines.get(design) or baseline(results)


def is_baseline(results: Results, design: str) -> bool:
    """Whether others are compared with this design."""
    return baseline_of(results, design) == design


def several_baselines(results: Results) -> bool:
    """Whether each design has a partner of its own."""
    return len(set(results.baselines.values())) > 1


def judged_each(results: Results) -> bool:
    """Whether each signal has verdicts of its own."""
    return len(signals(results)) > 1 and any(verdict.signal for verdict in results.verdicts)


def judged_metrics(results: Results) -> tuple[str, ...]:
    """Metrics that have verdicts, the primary one first."""
    names = dict.fromkeys(verdict.metric for verdict in results.verdicts)
    return tuple(sorted(names, key=lambda name: name != results.metric))


def metric_names(results: Results) -> tuple[str, ...]:
    """Every metric that the plan or a run names."""
    listed = results.plan.get("metrics", ())
    assert isinstance(listed, list | tuple)
    names = [str(entry["name"]) for entry in listed]
    return tuple(dict.fromkeys([*names, *(name for run in results.runs for name in run.metrics)]))


def signals(results: Results) -> tuple[str, ...]:
    """Names of the signals, in the order of the runs."""
    return tuple(dict.fromkeys(run.signal for run in results.runs))


def seeds(results: Results) -> tuple[int, ...]:
    """The study's seeds, in order."""
    return tuple(sorted({run.seed for run in results.runs}))


def runs_of(results: Results, design: str) -> list[Run]:
    """The runs of one design."""
    return [run for run in results.runs if run.design == design]


def runs_on(results: Results, signal: str) -> tuple[Run, ...]:
    """The runs on one signal."""
    return tuple(run for run in results.runs if run.signal == signal)


def verdicts_of(
    results: Results, metric: str | None = None, signal: str = ""
) -> dict[str, Verdict]:
    """Each design's verdict on a metric (the primary one by default), by label.

    Where each signal is judged by itself, there are verdicts on a signal alone.
    """
    wanted = metric or results.metric
    each = judged_each(results)
    return {
        one.design: one
        for one in results.verdicts
        if one.metric == wanted and (one.signal == signal or not each)
    }


def target_verdicts_of(results: Results) -> dict[str, Verdict]:
    """Each design's verdict on the steps to the target, by label; none without a target."""
    each = judged_each(results)
    return {one.design: one for one in results.target_verdicts if not (each and one.signal)}


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
        level = wanted.partition("@")[0]  # a metric at a level of another is measured as ever
        return metric(results, level) if level != wanted else Metric(wanted, "", margin=0.0)
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


def samples_of(results: Results, design: str, metric: str, signal: str = "") -> list[float]:
    """What the design's interval is taken over: seeds of one signal, or means of several."""
    return samples(results, design, lambda run: run.metrics.get(metric, np.nan), signal)


def samples(
    results: Results, design: str, of: Callable[[Run], float], signal: str = ""
) -> list[float]:
    """A number of each run of the design, or for several signals its mean on each; no nan."""
    runs = [run for run in runs_of(results, design) if signal in ("", run.signal)]
    names = signals(results)
    if signal or len(names) == 1:
        return finite(map(of, runs))
    return finite(mean(of(run) for run in runs if run.signal == name) for name in names)
