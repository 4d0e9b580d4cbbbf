"""A metric at a level of another: against an obvious reference, its words, and its verdicts."""

import itertools
import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.errors import PenchantError
from penchant.study import Moment, Results, Run, Study
from penchant.study._level import Level, at_level, parse_level
from penchant.study._question import at
from penchant.study._verdicts import verdicts
from penchant.tasks import Metric

LOSS = Metric("nll_seen", "nats", margin=0.05, higher_is_better=False)
GAP = Metric("gap_nll", "nats", margin=0.05, higher_is_better=False)
UP = Metric("accuracy_seen", "%", margin=1.0)
ECE = Metric("ece_seen", "%", margin=1.0, watched=False)
KNOWN = {metric.name: metric for metric in (LOSS, GAP, UP, ECE)}
LEVEL = Level(GAP, LOSS, 0.1)


def run(
    looks: list[tuple[float, float]],
    watched: Metric = LOSS,
    *,
    status: str = "done",
    design: str = "relu",
    seed: int = 0,
    signal: str = "digits",
) -> Run:
    """A run whose looks are pairs of the watched metric and the gap."""
    curve = tuple(
        Moment(step, 0.0, {watched.name: level, GAP.name: gap}, ())
        for step, (level, gap) in enumerate(looks)
    )
    return Run(
        id=f"{signal} {design} {seed}", signal=signal, design=design, seed=seed, status=status,  # type: ignore[arg-type]
        steps=len(looks), seconds=0.0, parameters=1, settings={}, bands=(), curve=curve,
        metrics=dict(curve[-1].metrics),
    )  # fmt: skip


def walked(looks: list[tuple[float, float]], level: float) -> float | None:
    """The obvious reference: walk from look to look, the loss falling by equal factors."""
    if looks[0][0] <= level:
        return looks[0][1]
    for (loss, gap), (later, other) in itertools.pairwise(looks):
        for share in np.linspace(0, 1, 2001):
            if loss ** (1 - share) * later**share <= level:
                return float((1 - share) * gap + share * other)
    return None


losses = st.integers(1, 400).map(lambda n: n / 100)  # apart by more than the walk's rounding
gaps = st.floats(-1.0, 3.0)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(losses, gaps), min_size=1, max_size=6), losses)
def test_is_where_a_walk_first_meets_the_level(
    looks: list[tuple[float, float]], level: float
) -> None:
    expected = walked(looks, level)
    found = at_level(run(looks), Level(GAP, LOSS, level))
    if expected is None or found is None:
        # The walk's last step may miss a level that the last look just meets, by rounding.
        assert expected == found or min(loss for loss, _ in looks) == pytest.approx(level)
    else:
        assert found == pytest.approx(expected, abs=4 * 5e-4 + 1e-9)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([(1.0, 0.0), (0.01, 1.0)], 0.5),  # a tenth is half the way to a hundredth
        ([(0.05, 0.3), (0.01, 1.0)], 0.3),  # there from the start
        ([(1.0, 0.0), (0.1, 0.7)], 0.7),
        ([(1.0, 0.0), (0.2, 0.7)], None),
        ([(1.0, 0.0), (0.01, 1.0), (1.0, 5.0), (0.01, 9.0)], 0.5),  # the first time counts
        ([(1.0, 0.0), (math.nan, 8.0), (0.01, 1.0)], 0.5),
        ([(1.0, 0.0), (0.5, math.nan), (0.01, 1.0)], 0.5),
        ([(math.inf, 3.0), (0.01, 1.0)], 1.0),
        ([(1.0, 0.0), (0.0, 1.0)], 0.9),  # no logarithm: a line
        ([(math.nextafter(0.1, 1), 0.0), (0.1, 1.0)], 1.0),  # two losses of one logarithm
        ([(math.nan, 0.0)], None),
    ],
)
def test_known_curves(looks: list[tuple[float, float]], expected: float | None) -> None:
    assert at_level(run(looks), LEVEL) == pytest.approx(expected)


def test_accuracy_comes_to_a_level_from_below() -> None:
    looks = [(0.0, 0.1), (50.0, 0.3), (100.0, 0.9)]
    found = at_level(run(looks, UP), Level(GAP, UP, 75.0))
    share = math.log(75 / 50) / math.log(2)
    assert found == pytest.approx(0.3 + 0.6 * share)
    assert at_level(run(looks, UP), Level(GAP, UP, 25.0)) == pytest.approx(0.2), "from 0, a line"


def test_diverged_run_comes_to_nothing() -> None:
    looks = [(1.0, 0.0), (0.01, 1.0)]
    assert at_level(run(looks, status="diverged"), LEVEL) is None


# Words


def test_a_level_is_a_metric_like_the_one_that_is_read() -> None:
    metric = parse_level("gap_nll@nll_seen=0.10", KNOWN).metric
    assert metric == Metric("gap_nll@nll_seen=0.1", "nats", 0.05, False, watched=False)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("gap_nll@", ["metric@watched=value", "gap_nll@nll_seen=0.1"]),
        ("@nll_seen=1", ["metric@watched=value"]),
        ("gap_nll@0.1", ["metric@watched=value"]),
        ("gap_nll@nll_seen", ["metric@watched=value"]),
        ("gap_nll@nll_seen=", ["metric@watched=value"]),
        ("gap_nll@nll_sen=0.1", ["'nll_sen' is unknown", "did you mean 'nll_seen'"]),
        ("gap_nl@nll_seen=0.1", ["'gap_nl' is unknown", "did you mean 'gap_nll'"]),
        ("gap_nll@ece_seen=1", ["ece_seen is scored at the end", "nll_seen or gap_nll"]),
        ("ece_seen@nll_seen=1", ["ece_seen is scored at the end", "accuracy_seen"]),
        ("gap_nll@nll_seen=low", ["'low' is no finite number", "gap_nll@nll_seen=0.1"]),
        ("gap_nll@nll_seen=nan", ["'nan' is no finite number"]),
        ("gap_nll@nll_seen=1e999", ["'1e999' is no finite number"]),
    ],
)
def test_misfit_names_what_would_fit(text: str, parts: list[str]) -> None:
    with pytest.raises(PenchantError) as caught:
        parse_level(text, KNOWN)
    message = str(caught.value)
    assert "\n" not in message and f"metric={text!r}" in message
    assert all(part in message for part in parts), message


# Verdicts


def judged(found: dict[str, list[list[tuple[float, float]]]]):  # type: ignore[no-untyped-def]
    runs = [
        run(looks, design=label, seed=seed)
        for label, curves in found.items()
        for seed, looks in enumerate(curves)
    ]
    (verdict,) = verdicts(runs, dict.fromkeys(found, "relu"), at(LEVEL), 1)
    return verdict


def falling(gap: float, end: float = 0.01) -> list[tuple[float, float]]:
    return [(1.0, 0.0), (end, 2 * gap)]


def test_the_gap_at_equal_loss_is_judged() -> None:
    """The second design goes twice as far, and so has the wider gap at the end."""
    found = judged(
        {
            "relu": [falling(0.5 + 0.01 * i) for i in range(6)],
            "skip": [[*falling(0.2 + 0.011 * i), (1e-6, 9.0)] for i in range(6)],
        }
    )
    assert found.mean_difference == pytest.approx(-0.3 + 0.0025)
    assert (found.verdict, found.metric, found.unit) == ("better", "gap_nll@nll_seen=0.1", "nats")
    assert found.flag == ""


def test_where_a_run_never_comes_to_it_nothing_is_judged() -> None:
    """Its last value is of another level; the difference is that of the other pairs."""
    found = judged(
        {
            "relu": [falling(0.5)] * 5 + [falling(0.5, end=0.2)],
            "skip": [falling(0.25 + 0.01 * i) for i in range(6)],
        }
    )
    assert (found.verdict, found.n, found.flag) == ("descriptive", 5, "")
    assert found.sentence == (
        "skip against relu: nll_seen 0.1 nats was not reached in 1 of 6 runs of relu; "
        "descriptive only."
    )
    assert found.mean_difference == pytest.approx(fmean(0.25 + 0.01 * i - 0.5 for i in range(5)))


def test_nothing_is_known_where_neither_ever_came_to_it() -> None:
    found = judged({"relu": [falling(0.5, 0.2)] * 6, "skip": [falling(0.1, 0.3)] * 6})
    assert found.verdict == "descriptive" and found.needed is None
    assert math.isnan(found.mean_difference)
    assert "was not reached in 6 of 6 runs of skip and in 6 of 6 runs of relu" in found.sentence


# In a study


@pytest.fixture(scope="module")
def results() -> Results:
    return Study(
        "digits", seeds=2, steps=30, tune=2, vary={"activation": ["relu", "tanh"]},
        metric="gap_nll@nll_seen=0.5", margin=0.25, also=["accuracy_held_out@accuracy_seen=80"],
    ).run()  # fmt: skip


def test_levels_are_columns_of_the_results(results: Results) -> None:
    frame = results.to_pandas()
    for one, value in zip(results.runs, frame["gap_nll@nll_seen=0.5"], strict=True):
        expected = at_level(one, Level(GAP, LOSS, 0.5))
        assert value == pytest.approx(math.nan if expected is None else expected, nan_ok=True)
    assert "accuracy_held_out@accuracy_seen=80" in frame.columns
    assert results.metric == "gap_nll@nll_seen=0.5" and results.plan["margin"] == 0.25
    names = [metric["name"] for metric in results.plan["metrics"]]  # type: ignore[attr-defined]
    assert names[-2:] == [results.metric, "accuracy_held_out@accuracy_seen=80"]
    assert [one.metric for one in results.verdicts] == names[-2:]


def test_pilots_maximise_a_score_not_a_gap(results: Results) -> None:
    """The gap is smallest where nothing is learned."""
    for label in results.designs:
        tried = [pilot for pilot in results.pilots if pilot.design == label]
        assert len(tried) == 2
        (chosen,) = [pilot for pilot in tried if pilot.chosen]
        assert chosen.score == max(pilot.score for pilot in tried) > 20


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ({"metric": "gap_nll@nll_sen=1"}, ["'nll_sen' is unknown"]),
        ({"also": ["gap_nll@nll_seen=x"]}, ["no finite number"]),
        ({"also": ["accuracy_held_out"]}, ["also='accuracy_held_out' is judged already"]),
        ({"also": ["nll_seen@nll_seen=.1", "nll_seen@nll_seen=0.1"]}, ["is judged already"]),
        ({"also": ["acuracy_seen"]}, ["'acuracy_seen' is unknown", "'accuracy_seen'"]),
        ({"metric": "gap_nll@nll_seen=1", "target": 1}, ["target=1", "end of a run alone"]),
    ],
)
def test_study_refuses_what_does_not_fit(words: dict, parts: list[str]) -> None:
    with pytest.raises(PenchantError) as caught:
        Study("digits", **words)
    assert all(part in str(caught.value) for part in parts), str(caught.value)
