"""Products of Gaussian bumps: a slow obvious reference, seen and held out, and its bounds."""

import itertools
import math

import numpy as np
import pytest

from penchant.errors import PenchantError
from penchant.tasks._separable_gaussians import fit_separable_gaussians

SHAPES = {1: (40,), 2: (9, 12), 3: (5, 6, 7)}


def smooth(*shape: int) -> np.ndarray:
    draws = np.random.default_rng(0)
    waves = [
        np.sin(draws.normal(size=2) @ np.array([np.linspace(-3, 3, n), [1] * n])) for n in shape
    ]
    value = np.ones(())
    for wave in waves:
        value = np.multiply.outer(value, wave)
    return np.stack([value, 0.5 * value**2], axis=-1)


def reference(
    truth: np.ndarray, seen: np.ndarray, values: int, ridge: float, spread: float
) -> np.ndarray:
    """Every feature at every sample as one matrix, solved by least squares."""
    *shape, channels = truth.shape
    ratio = min(1.0, (values / channels / math.prod(shape)) ** (1 / len(shape)))
    counts = [max(2, int(n * ratio)) for n in shape]
    columns = []
    for bump in itertools.product(*map(range, counts)):
        column = np.empty(shape)
        for place in itertools.product(*map(range, shape)):
            exponent = 0.0
            for i, j, n, count in zip(place, bump, shape, counts, strict=True):
                apart = (n - 1) / (count - 1)
                exponent += ((i - j * apart) / (spread * apart)) ** 2 / 2
            column[place] = math.exp(-exponent)
        columns.append(column.ravel())
    features = np.stack(columns, axis=1)
    stacked = np.vstack([features[seen], math.sqrt(ridge) * np.eye(len(columns))])
    wanted = np.vstack([truth.reshape(-1, channels)[seen], np.zeros((len(columns), channels))])
    found = features @ np.linalg.lstsq(stacked, wanted, rcond=None)[0]
    return found.reshape(truth.shape).clip(-1, 1)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize(("ridge", "spread"), [(0.05, 0.7), (0.01, 1.0)])
def test_equals_dense_least_squares(axes: int, held_out: bool, ridge: float, spread: float) -> None:
    truth = smooth(*SHAPES[axes])
    seen = np.arange(truth[..., 0].size)
    if held_out:
        seen = np.sort(np.random.default_rng(1).permutation(seen)[: len(seen) // 2])
    size = truth.size // 3
    found = fit_separable_gaussians(truth, seen, size, -1, ridge=ridge, spread=spread)
    np.testing.assert_allclose(found, reference(truth, seen, size, ridge, spread), atol=1e-6)


@pytest.mark.parametrize("shape", [(7,), (1, 9), (5, 7), (3, 4, 5)])
@pytest.mark.parametrize("values", [1, 12, 10_000])
def test_any_size_fits_any_signal_and_ignores_held_out_samples(
    shape: tuple[int, ...], values: int
) -> None:
    truth = np.random.default_rng(2).random((*shape, 3)).astype(np.float32)
    seen = np.arange(0, math.prod(shape), 3)
    changed = truth.copy().reshape(-1, 3)
    changed[np.setdiff1d(np.arange(len(changed)), seen)] = 0
    found = fit_separable_gaussians(truth, seen, values)
    assert found.shape == truth.shape and found.min() >= 0 and found.max() <= 1
    np.testing.assert_array_equal(
        found, fit_separable_gaussians(changed.reshape(truth.shape), seen, values)
    )


def test_a_long_sound_is_followed() -> None:
    time = np.arange(50_000) / 8000
    sound = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)[:, None]
    seen = np.arange(0, len(sound), 2)
    found = fit_separable_gaussians(sound, seen, len(sound) // 4, lowest=-1)
    error = np.mean((found - sound) ** 2) / np.mean(sound**2)
    assert 10 * math.log10(error) < -20


def test_a_signal_without_axes_is_refused() -> None:
    with pytest.raises(PenchantError, match=r"truth of shape \(3,\)\): needs an axis"):
        fit_separable_gaussians(np.ones(3), np.arange(1), 5)
