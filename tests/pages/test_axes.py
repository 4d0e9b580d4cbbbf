"""Names beside lines: none touches another, and none moves without need."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.pages import apart, figure, label_ends, page_style

GAP = 0.5


@given(st.lists(st.floats(0, 10), min_size=1, max_size=12).map(sorted))
def test_places_are_apart_and_in_order(values: list[float]) -> None:
    places = apart(values, GAP, 0.0, 10.0)
    assert all(b - a >= GAP - 1e-9 for a, b in pairwise(places))
    assert max(places) <= 10.0 + 1e-9


@given(st.lists(st.integers(0, 19), min_size=1, unique=True).map(sorted))
def test_what_is_apart_stays(values: list[int]) -> None:
    spread = [value / 2 for value in values]
    assert apart(spread, GAP, 0.0, 10.0) == pytest.approx(spread)


def test_names_stand_right_of_the_axes() -> None:
    with page_style():
        axes = figure().add_subplot()
        axes.set_ylim(0, 1)
        label_ends(axes, [(1.0, 0.5, "one", "#000000"), (1.0, 0.51, "two", "#000000")], 200.0)
    one, two = axes.texts
    assert one.get_text() == "one"
    assert one.xyann[0] == two.xyann[0] > 1
    assert two.xyann[1] - one.xyann[1] == pytest.approx(1.25 * 10 / 200)
