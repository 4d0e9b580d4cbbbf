"""What a study found, on a terminal: a table, the verdicts in sentences, and what limits them."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penchant.cli._screen import Screen
from penchant.study import Results, Verdict, with_unit

if TYPE_CHECKING:
    from rich.table import Table

WIDE = 110
"""Columns from which the table also holds parameters, seconds and intervals of differences."""

STYLES = {"better": "green", "worse": "red", "baseline": "bold"}


def closing(results: Results, screen: Screen) -> None:
    """Print the designs, best first, then each verdict, its flag, and the warnings.

    Verdicts on further metrics and on the steps to a target come after those on the primary one.

    Scores stand with their 95 % t-interval over seeds (over signals, where there are several);
    differences with the simultaneous interval that decided the verdict.

    Args:
        results: the finished study.
        screen: where to.
    """
    from penchant.report import metric_name, table

    rows = table(results).to_dict("records")
    for signal in dict.fromkeys(_signal(row) for row in rows):  # one, unless each is judged
        screen.print()
        if signal:
            screen.print(signal, style="bold")
        own = [row for row in rows if _signal(row) == signal]
        screen.print(_table(results, own, narrow=screen.width < WIDE))
    order = [(_signal(row), str(row["design"])) for row in rows]
    for metric in dict.fromkeys(verdict.metric for verdict in results.verdicts):
        judged = [verdict for verdict in results.verdicts if verdict.metric == metric]
        _say(judged, order, "", screen, "" if metric == results.metric else metric_name(metric))
    if results.target_verdicts:
        target = with_unit(f"{results.plan['target']:g}", str(results.plan["unit"]))
        _say(results.target_verdicts, order, f"steps to {target}: ", screen)
    for warning in results.warnings:
        screen.say(f"warning: {warning}", style="yellow")


def _signal(row: Mapping[Hashable, Any]) -> str:
    """The signal that a row is about, where each is judged by itself."""
    return str(row.get("signal", ""))


def _say(
    judged: Sequence[Verdict],
    order: Sequence[tuple[str, str]],
    about: str,
    screen: Screen,
    heading: str = "",
) -> None:
    """Print verdicts in the order of the table, then what a reader should know of them."""
    several = any(signal for signal, _ in order)  # with one signal, its rows do not name it
    ranked = sorted(judged, key=lambda v: order.index((v.signal if several else "", v.design)))
    if ranked:
        screen.print()
        if heading:
            screen.say(f"{heading}:")
    for verdict in ranked:
        screen.say(about + verdict.sentence)
    for verdict in ranked:
        if verdict.flag:
            whose = " on ".join(filter(None, (verdict.design, verdict.signal)))
            screen.say(f"note: {about}{whose}: {verdict.flag}")


def _table(results: Results, rows: Sequence[Mapping[Hashable, Any]], *, narrow: bool) -> "Table":
    from rich import box
    from rich.table import Table

    from penchant.report import decimals, metric_name

    unit = str(results.plan["unit"])
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    several = bool(rows) and "baseline" in rows[0]
    table.add_column("design", overflow="fold")
    name = metric_name(results.metric)
    table.add_column(f"{name}, {unit}" if unit else name, justify="right")
    table.add_column("95 % interval", justify="right", no_wrap=True)
    if results.verdicts:
        whose = "its baseline" if several else str(results.plan["baseline"])
        table.add_column(f"against {whose}", justify="right")
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
            str(row["design"]),
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


def _number(value: float, places: int, *, sign: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{sign}.{places}f}"


def _interval(low: float, high: float, places: int, *, sign: str = "") -> str:
    if math.isnan(low) or math.isinf(low):  # a single run has none
        return ""
    return f"{_number(low, places, sign=sign)} to {_number(high, places, sign=sign)}"
