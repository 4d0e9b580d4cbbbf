"""Studies of labelled data: their words, their units, and the steps to a target."""

import re
from dataclasses import replace

import numpy as np
import pytest
from markup import Reader
from scipy import stats

from penchant.report import html_summary
from penchant.report._report import page
from penchant.report._target import target_table
from penchant.study import Results

from .conftest import BUDGET, DATA_DESIGNS, make_data_results


@pytest.fixture(scope="module")
def data() -> Results:
    return make_data_results()


def _text(results: Results) -> str:
    return Reader(page(results)).text.replace("\N{NO-BREAK SPACE}", " ")


def test_data_are_not_called_pictures(data: Results) -> None:
    for results in (data, make_data_results(signals=("digits", "wine"))):
        text = _text(results)
        for verdict in (*results.verdicts, *results.target_verdicts):  # the study's own words
            text = text.replace(verdict.sentence, "").replace(verdict.flag or " ", " ")
        assert re.findall(r"picture|pixel|image|signal|constant-mean", text, re.IGNORECASE) == []
    assert "over 2 data sets" in text
    assert "Each data set" in text
    assert "scored as the best constant answer" in text


def test_the_plan_leaves_out_what_data_have_not(data: Results) -> None:
    text = _text(data)
    method = text[text.index("To do it") if "To do it" in text else text.index("Primary metric") :]
    for words in ("Longer side", "Noise", "Family", "Noun", "Metrics"):
        assert words not in method, words
    assert "Data set digits" in text
    assert "Primary metric held-out accuracy" in text
    assert "Margin that matters 1 percentage point" in text
    assert "Target 90 %, a margin of 15 steps" in text
    assert "Done to the data one, two; three" in text


def test_noise_is_told_where_there_is_some(results: Results) -> None:
    noisy = replace(results, plan={**results.plan, "noise": 0.1, "noun": "picture"})
    assert "Noise on what is seen 0.1" in _text(noisy)


def test_each_metric_has_its_own_unit_and_decimals(data: Results) -> None:
    text = _text(data)
    others = text[text.index("Other metrics") : text.index("Means with")]
    for head in (
        "held-out loss (nats)",
        "held-out calibration error (%)",
        "seen accuracy (%)",
    ):
        assert head in others, head
    assert " 0.090 " in others  # nll of relu+kl: a tenth of its margin needs three decimals
    assert " 98.5 " in others
    assert "Lower is better in loss (nll) and calibration error (ece)." in text


def test_the_steps_to_the_target_have_a_section(data: Results) -> None:
    text = _text(data)
    section = text[text.index("How soon each design") : text.index("The held-out accuracy while")]
    assert "reaches 90 % held-out accuracy" in section
    assert "taken to change linearly" in section
    assert "the whole budget, 300 steps, in the differences: so do 6 runs here." in section
    rows = section[section.index("Reached by") :]
    assert "relu+kl 40" in rows and "◆ baseline 6 of 6 runs" in rows
    assert "relu+l2 70" in rows and "+30" in rows and "▼ worse" in rows
    assert "relu+kl start_bias=10 – +260" in rows and "0 of 6 runs" in rows
    for verdict in data.target_verdicts:
        assert verdict.sentence in text


def test_both_families_share_the_five_percent(data: Results) -> None:
    text = _text(data)
    assert "two metrics, held-out accuracy and the steps to 90 %" in text
    assert "That is 4 comparisons (2 × 2), fixed before the first run." in text
    assert "a paired t-interval at 98.75 % (Bonferroni)" in text
    assert "the 97.5 % interval lies within ±1 percentage point, for the steps ±15 steps" in text
    alone = _text(make_data_results(target=None))
    assert "There are 2 comparisons" in alone and "97.5 % (Bonferroni)" in alone
    assert "Steps to" not in alone and "steps to" not in alone


def test_every_comparison_is_listed_with_its_unit(data: Results) -> None:
    text = _text(data)
    listed = text[text.index("Every comparison in numbers") :]
    assert "relu+l2 − relu+kl held-out accuracy 6 −0.10 percentage points" in listed
    assert "relu+l2 − relu+kl steps to 90 % 6 +30" in listed


@pytest.mark.parametrize(
    ("levels", "reached", "spread", "expected"),
    [
        (
            (97.0, 97.1),
            (70.0, 40.0),
            0.1,
            "Use b: on this data set it reaches 90 % held-out accuracy 30 steps sooner than a.",
        ),
        (
            (97.0, 97.8),
            (150.0, 40.0),
            4,
            "Undecided in held-out accuracy, but on this data set b reaches 90 % held-out accuracy "
            "110 steps sooner than a.",
        ),
        (
            (95.0, 97.0),
            (70.0, 130.0),
            0.1,
            "Use b: on this data set it has 2.0 percentage points more held-out accuracy than a.",
        ),
        ((95.0, 97.0), (70.0, 130.0), 0.1, "b reaches 90 % held-out accuracy 60 steps later than"),
        ((97.0, 97.1), (40.0, 70.0), 0.1, "Keep a: on this data set no other design is better."),
        ((97.0, 97.1), (40.0, 41.0), 0.1, "as soon as a, within the margin."),
        ((97.0, 94.0), (70.0, 40.0), 0.1, "b reaches 90 % held-out accuracy 30 steps sooner than"),
        ((97.0, 97.1), (None, None), 0.1, "Neither reaches 90 % held-out accuracy."),
    ],
)
def test_the_advice_weighs_the_target(
    levels: tuple[float, float],
    reached: tuple[float | None, float | None],
    spread: float,
    expected: str,
) -> None:
    results = make_data_results(designs=("a", "b"), levels=levels, reached=reached, spread=spread)
    assert expected in _text(results)


def test_a_long_baseline_does_not_widen_the_chart() -> None:
    results = make_data_results(
        designs=("relu+kl start_bias=10", "relu+l2"), levels=(97.0, 97.1), reached=(40.0, 50.0)
    )
    text = page(results)
    assert "held-out accuracy minus the baseline's (percentage points)</text>" in text
    assert "held-out accuracy minus relu+kl's (percentage points)</text>" in page(
        make_data_results(designs=("relu+kl", "b"), levels=(97.0, 97.1), reached=(40.0, 50.0))
    )


def test_lower_is_better_is_said_and_followed() -> None:
    results = make_data_results(
        designs=("a", "b"),
        levels=(91.0, 97.0),
        reached=(40.0, 40.0),
        metric="nll_held_out",
        target=0.3,
    )
    text = _text(results)
    assert "it has 0.18 nats less held-out loss than a" in text
    assert "Lower is better, to the left." in text
    assert "Steps to 0.3 nats" in text
    assert "✓ rate 0.01: 0.250 rate 0.001: 0.375 rate 0.1: 0.500" in text


def test_curves_have_percent_and_the_target(data: Results) -> None:
    text = page(data)
    learning = text[text.index('id="learning"') : text.index('id="method"')]
    assert "The dashed line is the target, 90" in learning
    assert ">80 %<" in learning
    assert "stroke-dasharray: 4,3" in learning and "stroke: var(--muted)" in learning
    without = page(make_data_results(target=None))
    assert "dashed line" not in without
    assert "stroke-dasharray: 4,3" not in without


def test_the_table_of_steps_against_independent_numbers(data: Results) -> None:
    rows = target_table(data).set_index("design")
    assert list(rows.index) == list(DATA_DESIGNS)
    for design in DATA_DESIGNS[:2]:
        steps = [data.steps_to_target[run.id] for run in data.runs if run.design == design]
        low, high = stats.ttest_1samp(steps, 0).confidence_interval(0.95)
        np.testing.assert_allclose(rows.loc[design, ["low", "high"]].astype(float), [low, high])
        assert rows.loc[design, "mean"] == pytest.approx(np.mean(steps))
        assert rows.loc[design, "reached"] == 6
    last = rows.loc[DATA_DESIGNS[2]]
    assert np.isnan(last["mean"]) and last["reached"] == 0
    assert last["counted"] == BUDGET and last["difference"] == pytest.approx(BUDGET - 40)


def test_runs_that_did_not_reach_are_left_out_of_the_mean_alone(data: Results) -> None:
    missed = f"digits-{DATA_DESIGNS[1]}-0"
    some = replace(data, steps_to_target={**data.steps_to_target, missed: None})
    row = target_table(some).set_index("design").loc[DATA_DESIGNS[1]]
    there = [v for k, v in some.steps_to_target.items() if k.startswith(f"digits-{row.name}-")]
    assert row["reached"] == 5
    assert row["mean"] == pytest.approx(np.mean([v for v in there if v is not None]))
    assert row["counted"] == pytest.approx(np.mean([BUDGET if v is None else v for v in there]))
    assert "5 of 6 runs" in _text(some)


def test_there_is_no_difference_where_nobody_arrived() -> None:
    nobody = make_data_results(reached=(None, None, None))
    rows = target_table(nobody)
    assert rows[["difference", "difference_low", "difference_high"]].isna().all(axis=None)
    assert "there is no difference to show" in _text(nobody)
    assert 'aria-label="Difference in steps' not in page(nobody)


def test_a_notebook_shows_the_target_too(data: Results) -> None:
    text = Reader(html_summary(data)).text.replace("\N{NO-BREAK SPACE}", " ")
    for verdict in data.target_verdicts:
        assert f"Steps to 90 %: {verdict.sentence}" in text
    assert "Against relu+kl (percentage points)" in text
    assert "Steps to" not in Reader(html_summary(make_data_results(target=None))).text
