"""An explanation on a terminal: its title, its answer, and the worked numbers."""

import re
import textwrap

from penchant.explain._explanation import Explanation, Table

WIDTH = 100
"""Columns that are used where nobody says how many there are."""

_NUMBER = re.compile(r"[+−-]?(\d[\d,.]*([eE][+−-]?\d+)?|∞)|–|")

_FORMULA = re.compile(r" = |(?<=\b\w) − (?=\w\b)")
_HELD = "\N{NO-BREAK SPACE}"


def text(explanation: Explanation, width: int = WIDTH) -> str:
    """Lay an explanation out in lines of plain text.

    Args:
        explanation: what to show.
        width: columns that there are.

    Returns:
        Lines without trailing spaces; the last one ends.
    """
    parts = [
        _fill(explanation.title, width),
        _fill(explanation.summary, width),
        _table(explanation.table, width),
        _fill(explanation.table.caption, width),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def numeric(table: Table) -> tuple[bool, ...]:
    """Say which columns hold numbers alone, and so stand to the right.

    Example:
        >>> numeric(Table(("case", "value"), (("d = 1", "0.105"), ("d = 0", "∞"))))
        (False, True)
    """
    columns = range(len(table.columns))
    return tuple(all(_NUMBER.fullmatch(row[i]) for row in table.rows) for i in columns)


def held(words: str) -> str:
    """Hold "y = 1" and "y − d" together, so that no line ends within.

    Example:
        >>> held("where y = 0.9, y − d is small").replace(chr(160), "_")
        'where y_=_0.9, y_−_d is small'
    """
    return _FORMULA.sub(lambda found: found[0].replace(" ", _HELD), words)


def _fill(paragraph: str, width: int) -> str:
    return textwrap.fill(held(paragraph), width, break_on_hyphens=False).replace(_HELD, " ")


def _table(table: Table, width: int) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table as Grid

    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for name, right in zip(table.columns, numeric(table), strict=True):
        grid.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*row)
    console = Console(width=width, markup=False, highlight=False, emoji=False, color_system=None)
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
