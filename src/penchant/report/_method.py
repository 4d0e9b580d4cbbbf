"""How a study was done, in full, as rows that a page lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from penchant.pages import counted, integers, number, plain
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.study import Pilot, Results

_PLAN_WORDS = {
    "steps": "Steps a run",
    "tune": "Pilots a design",
    "match": "Held equal",
    "batch": "Samples a step",
    "size": "Longer side",
    "held_out": "Held-out pattern",
    "vary": "Varied",
    "notices": "Done to the data",
}
_MOST_PILOT_ROWS = 300
_TOLD = frozenset(
    {"baseline", "metric", "margin", "unit", "higher_is_better", "seeds", "signals", "designs"}
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
    sizes = {
        shown.signal: "{1} × {0} pixels".format(*shown.picture.shape[:2])
        for shown in results.reconstructions
    }
    listed = [f"{name} ({sizes[name]})" if name in sizes else name for name in names]
    more = f" and {len(listed) - 24} more" if len(listed) > 24 else ""
    rows = [
        ("Signals", ", ".join(listed[:24]) + more),
        ("Seeds", integers(reading.seeds(results))),
        ("Baseline", reading.baseline(results)),
        ("Primary metric", words.metric_name(results.metric)),
    ]
    known = reading.margin(results)
    if known:
        rows.append(("Margin that matters", f"{known:g} {words.unit(results)}".rstrip()))
    for key, value in results.plan.items():
        if key not in _TOLD and value not in (None, {}, [], ()):
            label = _PLAN_WORDS.get(key, key.replace("_", " ").capitalize())
            rows.append((label, plain(value)))
    return rows


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
    rows = [_pilot_row(group) for group in groups.values()]
    return rows[:_MOST_PILOT_ROWS], max(0, len(rows) - _MOST_PILOT_ROWS)


def _pilot_row(group: Sequence[Pilot]) -> PilotRow:
    keys = list(dict.fromkeys(key for pilot in group for key in pilot.settings))
    values = {key: {plain(pilot.settings.get(key)) for pilot in group} for key in keys}
    tuned = [key for key in keys if len(values[key]) > 1]
    order = sorted(
        group, key=lambda pilot: (not pilot.chosen, -float(np.nan_to_num(pilot.score, nan=-np.inf)))
    )
    tried = tuple(
        (
            ", ".join(
                f"{k.replace('_', ' ')} {plain(pilot.settings.get(k))}" for k in tuned or keys
            ),
            number(pilot.score),
        )
        for pilot in order
    )
    return PilotRow(group[0].signal, group[0].design, tried, order[0].chosen)


def statistics(results: Results) -> list[str]:
    """The rule that decides, in words."""
    count = len(reading.verdicts_of(results))
    if not count:
        return ["The study compares nothing, so no rule was applied."]
    over = (
        "seed: runs of one seed share the split of samples and the order of batches"
        if len(reading.signals(results)) == 1
        else f"{words.noun(results)}: seeds are averaged within each, and the test runs across them"
    )
    known = reading.margin(results)
    zone = f"±{known:g} {words.unit(results)}".rstrip() if known else "± the margin"
    return [
        f"Differences are design minus baseline on {words.metric_name(results.metric)}, paired by "
        f"{over}.",
        f"There are {counted(count, 'comparison')}, fixed before the first run. Each "
        f"has a paired t-interval at {_percent(1 - 0.05 / count)} (Bonferroni), so that together "
        f"they hold with at least {_percent(0.95)}.",
        f"Equivalent: the {_percent(1 - 0.1 / count)} interval lies within {zone}, even if it "
        "leaves out 0. Otherwise better or worse: the simultaneous interval leaves out 0. "
        "Otherwise inconclusive. Below 6 pairs the study is descriptive.",
        "Beside it stands the exact two-sided sign-flip p over all assignments of signs; where the "
        "two disagree, that is flagged.",
        "A diverged run stays in: it is scored as the constant-mean prediction.",
        f"The interval beside a design’s mean is a plain {_percent(0.95)} t-interval of that "
        "design alone. Two of them overlapping or not says nothing about their difference.",
    ]


def _percent(level: float) -> str:
    return f"{100 * level:.4g}\N{NO-BREAK SPACE}%"
