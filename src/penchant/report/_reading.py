"""What a page needs to know about a study, read off its results in one place."""

from collections.abc import Iterable

import numpy as np

from penchant.study import Results, Run, Verdict


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


def verdicts_of(results: Results, metric: str | None = None) -> dict[str, Verdict]:
    """Each design's verdict on a metric (the primary one by default), by label."""
    wanted = metric or results.metric
    return {verdict.design: verdict for verdict in results.verdicts if verdict.metric == wanted}


def margin(results: Results) -> float | None:
    """The difference that matters, as the plan fixed it."""
    value = results.plan.get("margin")
    return float(value) if isinstance(value, int | float) and value > 0 else None


def higher_is_better(results: Results) -> bool:
    """Which way the primary metric points, as the plan says (upwards if it does not)."""
    return bool(results.plan.get("higher_is_better", True))


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
    runs = runs_of(results, design)
    names = signals(results)
    if len(names) == 1:
        return finite(run.metrics.get(metric, np.nan) for run in runs)
    return finite(
        mean(run.metrics.get(metric, np.nan) for run in runs if run.signal == name)
        for name in names
    )
