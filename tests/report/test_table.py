"""The table's numbers, against independent ones."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from penchant.report import table
from penchant.study import Results

from .conftest import DESIGNS, make_results


def test_means_and_intervals_are_students(results: Results) -> None:
    designs = table(results).set_index("design")
    for design in DESIGNS:
        scores = [run.metrics["psnr_held_out"] for run in results.runs if run.design == design]
        low, high = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
        row = designs.loc[design]
        np.testing.assert_allclose([row["low"], row["high"]], [low, high])
        assert row["mean"] == pytest.approx(np.mean(scores))


def test_several_signals_count_as_one_value_each(several: Results) -> None:
    runs = pd.DataFrame(
        [(run.design, run.signal, run.metrics["psnr_held_out"]) for run in several.runs],
        columns=["design", "signal", "score"],
    )
    means = runs[runs.design == "sine"].groupby("signal").score.mean()
    row = table(several).set_index("design").loc["sine"]
    low, high = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    np.testing.assert_allclose([row["low"], row["high"]], [low, high])


def test_designs_stand_best_first_and_the_baseline_has_no_difference(results: Results) -> None:
    designs = table(results)
    assert designs["mean"].is_monotonic_decreasing
    base = designs.set_index("design").loc["relu"]
    assert base["verdict"] == "baseline"
    assert math.isnan(base["difference"])


def test_diverged_runs_are_counted() -> None:
    designs = table(make_results(diverged=[("sine", 1), ("sine", 4)])).set_index("design")
    assert designs.loc["sine", "diverged"] == 2
    assert designs["diverged"].sum() == 2
    assert designs.loc["sine", "runs"] == 6


def test_one_seed_has_no_interval() -> None:
    designs = table(make_results(seeds=1))
    assert designs[["low", "high"]].isna().all(axis=None)
