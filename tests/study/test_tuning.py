"""Pilots: what they may choose, how far they go, and that every design gets the same points."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.nn import ACTIVATIONS
from penchant.study import CoordinateDesign, Design
from penchant.study._jobs import Job
from penchant.study._tuning import best, candidates, compared

REACH = CoordinateDesign.reach


def tried(one: CoordinateDesign, pilots: int) -> list[Design]:
    """List what the pilots of a design try on no task in particular."""
    return candidates(one.resolved(), one.open_numbers(), pilots)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_scale_is_tuned_where_it_is_bandwidth(activation: str) -> None:
    names = CoordinateDesign(activation=activation).open_numbers()
    assert names[0] == "learning_rate"
    assert ("scale" in names) == (ACTIVATIONS[activation].default_scale != 1)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"encoding": "fourier"}, ("learning_rate", "bandwidth")),
        ({"encoding": "fourier", "bandwidth": 3}, ("learning_rate",)),
        ({"encoding": "nerf"}, ("learning_rate",)),
        ({"activation": "sine", "scale": 3}, ("learning_rate",)),
        ({"activation": "sine", "learning_rate": 0.1}, ("scale",)),
        ({"learning_rate": 0.1}, ()),
        ({"activation": "mine.py:Snake"}, ("learning_rate",)),
    ],
)
def test_what_the_user_gave_is_not_tuned(fields: dict, names: tuple[str, ...]) -> None:
    assert CoordinateDesign(**fields).open_numbers() == names


@pytest.mark.parametrize("pilots", [1, 2, 4, 16])
def test_candidates_stay_in_the_box_around_the_default(pilots: int) -> None:
    one = CoordinateDesign(activation="sine", encoding="fourier")
    default, found = one.resolved(), tried(one, pilots)
    assert len(found) == len(set(found)) == pilots and found[0] == default
    for design in found:
        for name, reach in REACH.items():
            assert 1 / reach <= getattr(design, name) / getattr(default, name) <= reach
        same = design.replaced(**{name: getattr(default, name) for name in REACH})
        assert same == default, "nothing else changes"


def test_nothing_to_choose_means_no_pilots() -> None:
    assert tried(CoordinateDesign(learning_rate=0.1), 4) == []
    assert tried(CoordinateDesign(activation="sine"), 0) == []


def test_more_pilots_keep_the_first_ones() -> None:
    one = CoordinateDesign(activation="gaussian")
    assert tried(one, 8)[:4] == tried(one, 4)


def test_every_design_gets_the_same_points() -> None:
    def factors(one: CoordinateDesign, name: str) -> list[float]:
        default = getattr(one.resolved(), name)
        return [math.log(getattr(d, name) / default) for d in tried(one, 6)]

    designs = [
        CoordinateDesign(),
        CoordinateDesign(activation="sine"),
        CoordinateDesign(encoding="fourier", optimizer="adam"),
    ]
    rates = [factors(one, "learning_rate") for one in designs]
    np.testing.assert_allclose(rates[1:], [rates[0], rates[0]], atol=1e-9)
    scales = [factors(CoordinateDesign(activation=name), "scale") for name in ("sine", "gaussian")]
    np.testing.assert_allclose(scales[0], scales[1], atol=1e-9)


@given(st.lists(st.floats(allow_nan=True), min_size=1, max_size=8), st.booleans())
def test_best_is_the_obvious_one(scores: list[float], higher: bool) -> None:
    numbers = [score for score in scores if not math.isnan(score)]
    winner = best(scores, higher)
    if not numbers:
        assert winner == 0
    else:
        wanted = max(numbers) if higher else min(numbers)
        worst = -math.inf if higher else math.inf
        assert scores[winner] == wanted or wanted == worst
        assert winner <= scores.index(wanted), "the first of equals"


def pilot(task: int, design: str, rate: float) -> Job:
    settings = CoordinateDesign(learning_rate=rate)
    return Job(task, f"signal {task}", design, settings, 0, 1, 1, "loss", validation=True)


def test_each_design_is_given_its_own_best_on_each_signal() -> None:
    jobs = [pilot(t, design, rate) for t in (0, 1) for design in "ab" for rate in (0.1, 0.2, 0.3)]
    scores = [3.0, 1.0, 2.0, 5.0, 5.0, math.nan, 1.0, 2.0, 3.0, math.nan, math.nan, math.nan]
    for higher, chosen in ((False, [1, 3, 6, 9]), (True, [0, 3, 8, 9])):
        tried = compared(jobs, scores, higher)
        assert [one.job for one in tried] == jobs
        assert [index for index, one in enumerate(tried) if one.chosen] == chosen
