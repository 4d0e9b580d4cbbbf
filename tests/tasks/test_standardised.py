import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from penchant.tasks import _standardised
from penchant.tasks._standardised import standardised

seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds, samples=st.integers(2, 30), features=st.integers(1, 6))
def test_feature_by_feature_is_scikit_learns_scaler(seed, samples, features):
    rows = np.random.default_rng(seed).normal(3, 7, (samples + 5, features)).astype(np.float32)
    exact = rows.astype(np.float64)
    expected = StandardScaler().fit(exact[:samples]).transform(exact)
    np.testing.assert_allclose(
        standardised(rows, rows[:samples], together=False), expected, rtol=1e-5, atol=1e-5
    )


@given(seed=seeds)
def test_pixels_have_one_mean_and_one_deviation(seed):
    rows = np.random.default_rng(seed).integers(0, 256, (12, 9), dtype=np.uint8)
    seen = rows[:8].astype(np.float64)
    result = standardised(rows, rows[:8], together=True)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, (rows - seen.mean()) / seen.std(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("together", [False, True])
def test_blocks_do_not_matter(together, monkeypatch):
    rows = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    whole = standardised(rows, rows[:20], together=together)
    monkeypatch.setattr(_standardised, "_BLOCK", 21)
    np.testing.assert_allclose(standardised(rows, rows[:20], together=together), whole, rtol=1e-6)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e30, 1e-40])
def test_what_never_changes_is_zero_and_changes_nothing_else(constant):
    rows = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    rows[:, 1] = constant
    rows[15, 1] = 0.5  # held out
    result = standardised(rows, rows[:15], together=False)
    assert (result[:, 1] == 0).all()
    others = [0, 2]
    np.testing.assert_array_equal(
        result[:, others], standardised(rows[:, others], rows[:15, others], together=False)
    )


def test_small_changes_far_from_zero_are_kept():
    rows = (1e6 + np.arange(10, dtype=np.float32))[:, None]
    result = standardised(rows, rows, together=False)
    expected = (np.arange(10) - 4.5) / np.arange(10).std()
    np.testing.assert_allclose(result[:, 0], expected, rtol=1e-6)
