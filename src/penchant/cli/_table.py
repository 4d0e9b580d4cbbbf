"""What a study found, on a terminal: a table, the verdicts in sentences, and what limits them."""

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

from penchant.cli._screen import Screen
from penchant.study import Results, Verdict, with_unit

if TYPE_CHECKING:
    from rich.table import Table

WIDE = 110
"""Columns from which the table also holds parameters, seconds and intervals of differences."""

_LONGEST_LINE = 17
"""Letters of a design's label that one line of the table has."""
_LONGEST_WORD = 13
"""Letters of a line in a column's heading, and so of a baseline's label that stands there."""

STYLES = {"better": "green", "worse": "red", "baseline": "bold"}


def closing(results: Results, screen: Screen) -> None:
    """Print the designs, best first, then each verdict, its flag, and the warnings.

    Where each signal is judged by itself, its table and its verdicts stand together. Verdicts on
    further metrics and on the steps to a target come after those on the primary one.

    Scores stand with their 95 % t-interval over seeds (over signals, where there are several);
    differences with the simultaneous interval that decided the verdict.

    Args:
        results: the finished study.
        screen: where to.
    """
    from penchant.report import metric_name, several, table, told_apart

    rows = table(results).to_dict("records")
    signals = list(dict.fromkeys(_signal(row) for row in rows))  # one, unless each is judged
    names = dict.fromkeys(run.signal for run in results.runs)
    short = {"": "", **told_apart(list(names))[1]}
    if len(signals) > 1:
        noun = str(results.plan.get("noun", "signal"))
        screen.print()
        screen.say(f"{several(signals, noun)}, each judged by itself", style="bold")
    order = [(_signal(row), str(row["design"])) for row in rows]
    primary = [one for one in results.verdicts if one.metric == results.metric]
    for signal in signals:
        screen.print()
        if signal:
            screen.print(short[signal], style="bold")
        own = [row for row in rows if _signal(row) == signal]
        screen.print(_table(results, own, narrow=screen.width < WIDE))
        _say(results, [v for v in primary if signal in ("", v.signal)], order, screen)
    for metric in dict.fromkeys(verdict.metric for verdict in results.verdicts):
        if metric != results.metric:
            screen.print()
            screen.say(metric_name(metric), style="bold")
            for signal in signals:
                if signal:
                    screen.print(f"{short[signal]}:")
                judged = [v for v in results.verdicts if v.metric == metric]
                mine = [v for v in judged if signal in ("", v.signal)]
                _say(results, mine, order, screen, apart=False)
    if results.target_verdicts:
        target = with_unit(f"{results.plan['target']:g}", str(results.plan["unit"]))
        screen.print()
        screen.say(f"steps to {target}", style="bold")
        _say(results, results.target_verdicts, order, screen, apart=False)
    if results.warnings:
        screen.print()
        say_warnings(results.warnings, list(names), screen)


def say_warnings(warnings: Sequence[str], signals: Sequence[str], screen: Screen) -> None:
    """Print warnings; those of several signals that differ in numbers alone are one."""
    from penchant.report import by_signal, told_apart

    for where, text in by_signal(warnings, told_apart(signals)[1]):
        screen.say(f"warning: {where}: {text}" if where else f"warning: {text}", style="yellow")


def _signal(row: Mapping[Hashable, Any]) -> str:
    """The signal that a row is about, where each is judged by itself."""
    return str(row.get("signal", ""))


def _say(
    results: Results,
    judged: Sequence[Verdict],
    order: Sequence[tuple[str, str]],
    screen: Screen,
    *,
    apart: bool = True,
) -> None:
    """Print verdicts in the order of the table, then what a reader should know of them."""
    from penchant.report import in_words, said

    several = any(signal for signal, _ in order)  # with one signal, its rows do not name it
    ranked = sorted(judged, key=lambda v: order.index((v.signal if several else "", v.design)))
    if ranked and apart:
        screen.print()
    for verdict in ranked:
        screen.item(said(results, verdict))
    known = {name for run in results.runs for name in run.metrics}
    for verdict in ranked:
        if verdict.flag:
            screen.item(f"note: {verdict.design}: {in_words(verdict.flag, known)}")


def _table(results: Results, rows: Sequence[Mapping[Hashable, Any]], *, narrow: bool) -> "Table":
    from rich import box
    from rich.table import Table

    from penchant.report import decimals, metric_name

    unit = str(results.plan["unit"])
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    several = bool(rows) and "baseline" in rows[0]
    labels = {row["design"]: _broken(str(row["design"])) for row in rows}
    table.add_column("design", overflow="fold")
    name = metric_name(results.metric)
    table.add_column(_heading(f"{name}, {unit}" if unit else name), justify="right")
    table.add_column("95 % interval", justify="right", no_wrap=True)
    if results.verdicts:
        whose = "its baseline" if several else str(results.plan["baseline"])
        if len(whose) > _LONGEST_WORD:
            whose = "the baseline"
        table.add_column(_heading(f"against {whose}"), justify="right")
        if not narrow:
            table.add_column("interval of that", justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
    if not narrow:
        table.add_column("parameters", justify="right")
        table.add_column("seconds", justify="right")
    places = decimals(results)
    for row in rows:
        verdict = str(row["verdict"])
        cells = [
            labels[row["design"]],
            _number(row["mean"], places),
            _interval(row["low"], row["high"], places),
        ]
        if results.verdicts:
            cells.append(_number(row["difference"], places, sign="+"))
            if not narrow:
                low, high = row["difference_low"], row["difference_high"]
                cells.append(_interval(low, high, places, sign="+"))
            cells.append(verdict)
        if not narrow:
            cells += [f"{row['parameters']:,}", _number(row["seconds"], 1)]
        table.add_row(*cells, style=STYLES.get(verdict))
    return table


def _broken(label: str) -> str:
    """A label in lines that a table has room for; they end after a plus or at a space."""
    lines = [""]
    for part in re.split(r"(?<=[+ ])", label):
        if lines[-1] and len((lines[-1] + part).rstrip()) > _LONGEST_LINE:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def _heading(text: str) -> str:
    """A column's heading in lines, so that the numbers below it decide the column's width."""
    return fill(text, _LONGEST_WORD, break_long_words=False, break_on_hyphens=False)


def _number(value: float, places: int, *, sign: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{sign}.{places}f}"


def _interval(low: float, high: float, places: int, *, sign: str = "") -> str:
    if math.isnan(low) or math.isinf(low):  # a single run has none
        return ""
    return f"{_number(low, places, sign=sign)} to {_number(high, places, sign=sign)}"
