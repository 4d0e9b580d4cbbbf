"""What is printed, line by line; and it fits the columns that there are."""

from collections.abc import Callable

import pytest

from penchant.explain import Explanation, Table, text
from penchant.explain._text import numeric


@pytest.mark.parametrize("topic", ["l2", "kl", "kl-vs-l2"])
def test_the_printed_tables(
    explained: Callable[[str], Explanation], golden: Callable[[str, str], None], topic: str
) -> None:
    golden(f"{topic}.txt", text(explained(topic), width=80))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_fit(explained: Callable[[str], Explanation], width: int) -> None:
    lines = text(explained("kl-vs-l2"), width).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0] == "Why KL over L2"
    assert all(line == line.rstrip() for line in lines)


def test_markup_is_text() -> None:
    shown = Explanation("t", "[red]T[/]", "S", Table(("[b]c[/b]",), (("[i]1[/i]",),)), ())
    assert "[red]T[/]" in text(shown)
    assert "[b]c[/b]" in text(shown)
    assert "[i]1[/i]" in text(shown)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        *((cell, True) for cell in ("1", "−1.25", "+3", "1,200", "1e-05", "∞", "–", "")),
        *((cell, False) for cell in ("d = 1", "1 s", "no", "−")),
    ],
)
def test_columns_of_numbers_are_known(cell: str, number: bool) -> None:
    assert numeric(Table(("c",), ((cell,),))) == (number,)
