"""Many verdicts at a glance: tables of signs, by signal or by two of the designs' choices."""

from collections.abc import Mapping, Sequence

from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.report._signals import axes_of
from penchant.study import Results, Verdict

_FEWEST = 4
"""Pairs below which sentences alone say it."""

Table = dict[str, object]
"""The title above its rows' names, the names of its columns, and rows of a name, what it is against
and its verdicts."""


def by_signal(results: Results, verdicts: Sequence[Verdict], order: Sequence[str]) -> list[Table]:
    """One table for each axis of the signals: designs down, signals along."""
    signs = {(one.design, one.signal): one for one in verdicts}
    judged = [label for label in order if any(one.design == label for one in verdicts)]
    one_for_all = bool(words.differences_of(results))
    return [
        {
            "title": axis.heading,
            "names": axis.names,
            "rows": [
                (
                    words.row_name(results, label),
                    "" if one_for_all else reading.baseline_of(results, label),
                    [signs.get((label, signal)) for signal in axis.signals],
                )
                for label in judged
            ],
        }
        for axis in axes_of(reading.signals(results))
    ]


def by_choices(results: Results, verdicts: Sequence[Verdict]) -> list[Table]:
    """A table of pairs whose designs differ from each other in two choices; none otherwise."""
    if not reading.several_baselines(results) or len(verdicts) < _FEWEST:
        return []
    settings = {run.design: run.settings for run in reversed(results.runs)}
    own = {one.design: settings[one.design] for one in verdicts if one.design in settings}
    fields = [
        field
        for field in words.telling_fields(results)
        if len({str(table.get(field)) for table in own.values()}) > 1
    ]
    if len(own) < len(verdicts) or len(fields) != 2:
        return []
    # What differs from the baseline stands in the rows; of two others, numbers stand along.
    down, along = sorted(fields, key=lambda field: _place(results, field, own))
    cells = {
        (str(own[one.design].get(down)), str(own[one.design].get(along))): one for one in verdicts
    }
    if len(cells) < len(verdicts):
        return []
    columns = list(dict.fromkeys(str(table.get(along)) for table in own.values()))
    if _numeric(columns):
        columns.sort(key=float)
    rows = dict.fromkeys(str(table.get(down)) for table in own.values())
    return [
        {
            "title": "",
            "names": [words.choices({along: value}) for value in columns],
            "rows": [
                (words.choices({down: value}), "", [cells.get((value, one)) for one in columns])
                for value in rows
            ],
        }
    ]


def _place(
    results: Results, field: str, own: Mapping[str, Mapping[str, object]]
) -> tuple[bool, bool]:
    settings = {run.design: run.settings for run in results.runs}
    compared = any(
        table.get(field) != settings[reading.baseline_of(results, label)].get(field)
        for label, table in own.items()
        if reading.baseline_of(results, label) in settings
    )
    return not compared, _numeric([str(table.get(field)) for table in own.values()])


def _numeric(values: Sequence[str]) -> bool:
    return all(value.replace(".", "", 1).isdecimal() for value in values)
