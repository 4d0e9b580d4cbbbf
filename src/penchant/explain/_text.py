"""An explanation on a terminal: its title, its answer, and the worked numbers."""

import io
import re

from penchant.explain._explanation import Explanation, Table

WIDTH = 100
"""Columns that are used where nobody says how many there are."""

_NUMBER = re.compile(r"[+−-]?(\d[\d,.]*([eE][+−-]?\d+)?|∞)|–|")


def text(explanation: Explanation, width: int = WIDTH) -> str:
    """Lay an explanation out in lines of plain text.

    Args:
        explanation: what to show.
        width: columns that there are.

    Returns:
        Lines without trailing spaces; the last one ends.
    """
    from rich.console import Console

    stream = io.StringIO()
    console = Console(
        file=stream, width=width, markup=False, highlight=False, emoji=False, color_system=None
    )
    console.print(explanation.title)
    console.print()
    console.print(explanation.summary)
    console.print()
    console.print(_table(explanation.table))
    if explanation.table.caption:
        console.print()
        console.print(explanation.table.caption)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def numeric(table: Table) -> tuple[bool, ...]:
    """Say which columns hold numbers alone, and so stand to the right.

    Example:
        >>> numeric(Table(("case", "value"), (("d = 1", "0.105"), ("d = 0", "∞"))))
        (False, True)
    """
    columns = range(len(table.columns))
    return tuple(all(_NUMBER.fullmatch(row[i]) for row in table.rows) for i in columns)


def _table(table: Table) -> object:
    from rich import box
    from rich.table import Table as Grid

    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for name, right in zip(table.columns, numeric(table), strict=True):
        grid.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*row)
    return grid
