"""Golden texts: a small network, a tied one, a residual one, and two of ours."""

from collections.abc import Callable
from functools import cache

import pytest
from inspection.networks import Cnn, Residual, Tied

from penchant.inspection import Inspection, inspect, text

Golden = Callable[[str, str], None]
CASES = {
    "cnn": lambda: inspect(Cnn(), (1, 28, 28)),
    "tied": lambda: inspect(Tied(), "int:7", axes=(1,)),
    "residual": lambda: inspect(Residual(8, 16, 2, False), (8, 32, 32)),
    "tdnn": lambda: inspect("tdnn"),
    "coordinate": lambda: inspect("coordinate"),
}


@cache
def _found(name: str) -> Inspection:
    return CASES[name]()


@pytest.mark.parametrize("name", CASES)
def test_golden(golden: Golden, name: str) -> None:
    found = _found(name)
    golden(f"{name}.txt", f"{text(found)}\n{text(found, 80)}")


@pytest.mark.parametrize("width", [50, 60, 80, 100, 120, 200])
def test_it_is_as_wide_as_there_is_room(width: int) -> None:
    for name in CASES:
        found = _found(name)
        table = text(found, width).split("\n\n")[1]
        longest = max(map(len, table.splitlines()))
        assert longest <= max(width, 63)
        beside = text(found, width).replace(table, "").splitlines()
        assert max(map(len, beside)) <= width
        if width == 200:
            assert table == text(found).split("\n\n")[1]


def test_printed_it_is_the_text() -> None:
    found = _found("coordinate")
    assert f"{found}\n" == text(found)
