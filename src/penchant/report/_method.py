"""How a study was done, in full, as rows that a page lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from penchant.pages import counted, integers, number, plain
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.report._merge import by_signal as merged_by_signal
from penchant.report._pictures import voxel
from penchant.report._signals import told_apart
from penchant.study import Pilot, Reconstruction, Results

_PLAN_WORDS = {
    "steps": "Steps a run",
    "tune": "Pilots a design",
    "match": "Held equal",
    "batch": "Samples a step",
    "size": "Longer side",
    "held_out": "Held-out pattern",
    "vary": "Varied",
    "notices": "Done to the data",
    "noise": "Noise on what is seen",
    "augment": "Drawn anew for each batch",
    "also": "Judged beside it",
    "probes": "Measured inside",
    "judge": "Verdicts",
    "references": "Held against closed-form fits",
}
_JUDGED = {"each": "on each signal by itself", "across": "over all signals"}
_MOST_PILOT_ROWS = 300
_TOLD = frozenset(
    (
        *("baseline", "metric", "metrics", "margin", "unit", "higher_is_better", "target"),
        *("seeds", "signals", "noun", "designs", "family"),
    )
)
"""Entries of the plan that the page tells elsewhere."""


@dataclass(frozen=True)
class DesignSettings:
    """What one design was given; settings that runs differ in are listed with all their values."""

    design: str
    parameters: str
    settings: str
    shared: str


@dataclass(frozen=True)
class PilotRow:
    """What was tried for one design on one signal, and what was taken."""

    signal: str
    design: str
    tried: tuple[tuple[str, str], ...]
    """Settings and their score; the chosen pilot first."""
    chosen: bool
    """Whether the first of `tried` is the one that was taken."""


def plan_rows(results: Results) -> list[tuple[str, str]]:
    """The plan in words, beside what the runs themselves tell."""
    names = reading.signals(results)
    sizes = {shown.signal: _size(shown) for shown in results.reconstructions}
    listed = [f"{name} ({sizes[name]})" if name in sizes else name for name in names]
    more = f" and {len(listed) - 24} more" if len(listed) > 24 else ""
    kind = counted(len(names), words.kind(results)).split(maxsplit=1)[1]
    rows = [
        (kind.capitalize(), "; ".join(listed[:24]) + more),
        ("Seeds", integers(reading.seeds(results))),
        ("Baseline", _baseline(results)),
        ("Primary metric", words.metric_name(results.metric)),
    ]
    known = words.margin(results)
    if known:
        rows.append(("Margin that matters", known))
    if reading.target(results) is not None:
        steps = words.margin(results, reading.target_metric(results))
        rows.append(("Target", words.goal(results) + (f", a margin of {steps}" if steps else "")))
    told = set(_TOLD)
    if words.noun(results) != "picture":
        told.add("size")  # of pictures in a folder of classes, whose notice says it
    if words.noun(results) == "function":
        told.add("held_out")  # samples of its own, whose notice says it
    if words.noun(results) not in ("picture", "sound", "volume"):
        told.add("references")  # which only signals on a grid have
    told |= {word for word in ("noise", "augment") if not results.plan.get(word)}
    if len(names) == 1:
        told.add("judge")
    for key, value in results.plan.items():
        if key not in told and value not in (None, {}, [], ()):
            label = _PLAN_WORDS.get(key, key.replace("_", " ").capitalize())
            if key == "held_out" and words.noun(results) != "picture":
                label = "Held out"
            rows.append((label, _said(results, key, value)))
    return rows


def _size(shown: Reconstruction) -> str:
    """How large a signal is, as its kind is usually measured."""
    shape = shown.values.shape[:-1]
    if shown.kind == "sound":
        return f"{shape[0] / shown.rate:.3g} s at {shown.rate:,} Hz"
    if shown.kind == "mesh":  # what is kept of it are views
        return "a closed surface"
    if shown.kind == "volume":
        return f"{_times(shape)} voxels of {voxel(shown)}"
    return f"{_times(shape[::-1])} pixels{' a view' if shown.view else ''}"


def _times(sides: Sequence[int]) -> str:
    return " × ".join(map(str, sides))


def _baseline(results: Results) -> str:
    """The baseline's label, or how the plan chooses each design's own."""
    if not reading.several_baselines(results):
        return reading.baseline(results)
    return f"{results.plan.get('baseline')}: for each design, the one that differs in this alone"


def _said(results: Results, key: str, value: object) -> str:
    """A word of the plan; sentences are joined apart, since they hold commas of their own."""
    if key == "notices" and isinstance(value, list | tuple):
        short = told_apart(reading.signals(results))[1]
        notices = merged_by_signal([str(one) for one in value], short)
        return "; ".join(f"{where}: {text}" if where else text for where, text in notices)
    if key == "held_out" and value == "test":
        return "the data’s own test part"
    if key == "held_out" and value == "fresh":
        return "fresh points, which no training sees"
    if key == "also" and isinstance(value, list | tuple):
        return ", ".join(words.metric_name(str(name)) for name in value)
    return _JUDGED.get(str(value), str(value)) if key == "judge" else plain(value)


def design_settings(results: Results) -> list[DesignSettings]:
    """Each design's settings: first those in which designs differ, then those of all."""
    tables = {
        design: _joined([run.settings for run in reading.runs_of(results, design)])
        for design in results.designs
    }
    keys = list(dict.fromkeys(key for table in tables.values() for key in table))
    differing = [k for k in keys if len({table.get(k) for table in tables.values()}) > 1]
    rows = []
    for design, table in tables.items():
        counts = sorted({run.parameters for run in reading.runs_of(results, design)})
        parameters = " to ".join(f"{count:,}" for count in dict.fromkeys(counts[:1] + counts[-1:]))
        own = [k for k in keys if k in table and (k in differing or len(tables) == 1)]
        shared = [k for k in keys if k in table and k not in own]
        rows.append(
            DesignSettings(design, parameters, _settings(table, own), _settings(table, shared))
        )
    return rows


def _joined(settings: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """One value a key; all of them where runs differ (pilots are made for each signal)."""
    values: dict[str, dict[str, None]] = {}
    for table in settings:
        for key, value in table.items():
            if value is None:  # a field of the family that this design does not use
                continue
            values.setdefault(str(key), {})[plain(value)] = None
    return {key: " / ".join(list(known)[:6]) for key, known in values.items()}


def _settings(table: dict[str, str], keys: Sequence[str]) -> str:
    return " · ".join(f"{key.replace('_', ' ')} {table[key]}" for key in keys)


def pilot_rows(results: Results) -> tuple[list[PilotRow], int]:
    """The pilots, one row a design and signal, and how many rows were left out."""
    groups: dict[tuple[str, str], list[Pilot]] = {}
    for pilot in results.pilots:
        groups.setdefault((pilot.signal, pilot.design), []).append(pilot)
    rows = [_pilot_row(results, group) for group in groups.values()]
    return rows[:_MOST_PILOT_ROWS], max(0, len(rows) - _MOST_PILOT_ROWS)


def _pilot_row(results: Results, group: Sequence[Pilot]) -> PilotRow:
    keys = list(dict.fromkeys(key for pilot in group for key in pilot.settings))
    values = {key: {plain(pilot.settings.get(key)) for pilot in group} for key in keys}
    tuned = [key for key in keys if len(values[key]) > 1]
    sign = -1 if reading.higher_is_better(results) else 1
    order = sorted(
        group,
        key=lambda pilot: (not pilot.chosen, float(np.nan_to_num(sign * pilot.score, nan=np.inf))),
    )
    places = words.decimals(results)
    tried = tuple(
        (
            ", ".join(
                f"{k.replace('_', ' ')} {plain(pilot.settings.get(k))}" for k in tuned or keys
            ),
            number(pilot.score, places),
        )
        for pilot in order
    )
    return PilotRow(group[0].signal, group[0].design, tried, order[0].chosen)


def statistics(results: Results) -> list[str]:
    """The rule that decides, in words."""
    count = len(results.verdicts) + len(results.target_verdicts)
    if not results.verdicts:
        return ["The study compares nothing, so no rule was applied."]
    name, target = words.metric_name(results.metric), reading.target_metric(results)
    if len(reading.signals(results)) == 1:
        over = "seed: runs of one seed share the split of samples and the order of batches"
    elif reading.judged_each(results):
        over = (
            f"seed: runs of one seed share the split of samples and the order of batches. Each "
            f"{words.kind(results)} is judged by itself, so a verdict speaks of that one alone"
        )
    else:
        over = (
            f"{words.noun(results)}: seeds are averaged within each, and the test runs across them"
        )
    base = (
        ". Each design’s baseline differs from it in what the plan compares alone"
        if reading.several_baselines(results)
        else ""
    )
    return [
        f"Differences are design minus baseline on {name}, paired by {over}{base}.",
        *([_steps_to_target(results)] if target else []),
        *_at_levels(results),
        f"{_comparisons(results, count)} "
        + (
            f"It has a paired t-interval at {_percent(0.95)}."
            if count == 1
            else f"Each has a paired t-interval at {_percent(1 - 0.05 / count)} (Bonferroni), so "
            f"that together they hold with at least {_percent(0.95)}."
        ),
        f"Equivalent: the {_percent(1 - 0.1 / count)} interval lies within {_zone(results)}, even "
        "if it leaves out 0. Otherwise better or worse: the simultaneous interval leaves out 0. "
        "Otherwise inconclusive. Below 6 pairs the study is descriptive.",
        "Beside it stands the exact two-sided sign-flip p over all assignments of signs; where the "
        "two disagree, that is flagged.",
        f"A diverged run stays in: it is scored as the {words.constant(results)}"
        f"{' and has not reached the target' if target else ''}.",
        f"The interval beside a design’s mean is a plain {_percent(0.95)} t-interval of that "
        "design alone. Two of them overlapping or not says nothing about their difference.",
    ]


_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


def _comparisons(results: Results, count: int) -> str:
    """How many comparisons share the error, and of what they are the product."""
    metrics = [words.metric_name(one) for one in reading.judged_metrics(results)]
    if results.target_verdicts:
        metrics.append(f"the {words.target_name(results)}")
    each = reading.judged_each(results)
    if len(metrics) == 1 and not each:
        are = "is" if count == 1 else "are"
        return f"There {are} {counted(count, 'comparison')}, fixed before the first run."
    signals = len({one.signal for one in results.verdicts}) if each else 1
    factors = [
        *([f"{len(metrics)}"] if len(metrics) > 1 else []),
        *([f"{signals}"] if each else []),
        f"{count // (len(metrics) * signals)}",
    ]
    lead = ""
    if len(metrics) > 1:
        lead = (
            f"The study judges {_NUMBERS.get(len(metrics), len(metrics))} metrics, "
            f"{words.listed(metrics)}{', on each ' + words.kind(results) if each else ''}. "
        )
    elif each:
        lead = f"Each of {counted(signals, words.kind(results))} is judged. "
    said = f"{counted(count, 'comparison')} ({' × '.join(factors)})"
    return f"{lead}That is {said}, fixed before the first run."


def _zone(results: Results) -> str:
    """What counts as too small to matter, by metric."""
    target = reading.target_metric(results)
    judged = reading.judged_metrics(results)
    if len(judged) <= 1:
        known = [words.margin(results, one) for one in (results.metric, target) if one]
        return ", for the steps ".join(f"±{one}" for one in known if one) or "± the margin"
    known = [
        f"±{words.margin(results, one)} for {words.name_of(results, one)}"
        for one in (*judged, *([target] if target else []))
        if words.margin(results, one)
    ]
    return words.listed(known) or "± the margin"


def _at_levels(results: Results) -> list[str]:
    """What a metric at a level of another is, where one is judged."""
    if not any("@" in one for one in reading.judged_metrics(results)):
        return []
    return [
        "A metric at a level of another is read off each run where its curve first crosses that "
        "level, between two looks; where a run never does, the pair is described and not judged."
    ]


def _steps_to_target(results: Results) -> str:
    return (
        f"The {words.target_name(results)} are those after which "
        f"{words.metric_name(results.metric)} first reaches {words.goal(results)}. It is looked at "
        "now and then while a run trains, and taken to change linearly between two looks. A run "
        f"that never reaches it counts as the whole budget, {reading.budget(results):,} steps."
    )


def _percent(level: float) -> str:
    return f"{100 * level:.4g}\N{NO-BREAK SPACE}%"
