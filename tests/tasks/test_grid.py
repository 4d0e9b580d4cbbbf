"""The plain grid: a slow obvious reference, exactness on what it can represent, and its bounds."""

import functools
import itertools
import math

import numpy as np
import pytest
import torch

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks import Picture, PictureTask
from penchant.tasks._grid import SMOOTHNESS, fit_grid


def test_matches_dense_least_squares_over_explicit_interpolation():
    height, width, nodes = 6, 6, 9  # a 3×3 grid
    truth = torch.rand((height, width, 1), generator=generator(0, "truth")).double().numpy()
    seen = np.arange(0, 36, 2)

    def interpolate(grid):
        out = np.empty((height, width))
        for i in range(height):
            for j in range(width):
                y, x = i * 2 / 5, j * 2 / 5
                a, b = min(int(y), 1), min(int(x), 1)
                u, v = y - a, x - b
                out[i, j] = (
                    (1 - u) * (1 - v) * grid[a, b]
                    + (1 - u) * v * grid[a, b + 1]
                    + u * (1 - v) * grid[a + 1, b]
                    + u * v * grid[a + 1, b + 1]
                )
        return out.ravel()

    columns = np.stack([interpolate(unit.reshape(3, 3)) for unit in np.eye(nodes)], axis=1)
    pairs = [(3 * i + j, 3 * i + j + 1) for i in range(3) for j in range(2)]
    pairs += [(3 * i + j, 3 * i + j + 3) for i in range(2) for j in range(3)]
    rough = np.zeros((len(pairs), nodes))
    for row, (one, other) in enumerate(pairs):
        rough[row, one], rough[row, other] = -1, 1
    stacked = np.vstack([columns[seen], np.sqrt(SMOOTHNESS) * rough])
    wanted = np.concatenate([truth.ravel()[seen], np.zeros(len(pairs))])
    solution = np.linalg.lstsq(stacked, wanted, rcond=None)[0]
    expected = np.clip(columns @ solution, 0, 1).reshape(truth.shape)
    np.testing.assert_allclose(fit_grid(truth, seen, nodes), expected, atol=1e-12)


@pytest.mark.parametrize("values", [1, 12, 10_000])
def test_any_size_fits_any_picture_and_ignores_held_out_pixels(values):
    truth = torch.rand((5, 7, 3), generator=generator(1, "truth")).numpy()
    seen = np.arange(0, 35, 3)
    changed = truth.copy().reshape(-1, 3)
    changed[np.setdiff1d(np.arange(35), seen)] = 0
    result = fit_grid(truth, seen, values)
    assert result.shape == truth.shape and result.min() >= 0 and result.max() <= 1
    np.testing.assert_array_equal(result, fit_grid(changed.reshape(truth.shape), seen, values))


def test_split_scores_the_grid_like_any_answer():
    values = np.linspace(0, 1, 16 * 16, dtype=np.float32).reshape(16, 16, 1)
    split = PictureTask(Picture("ramp", values), "random:0.5").split(0)
    assert split.fitted_score(fit_grid, 100).metrics["psnr_held_out"] > 30


@pytest.mark.parametrize("shape", [(23,), (9, 6), (5, 7, 6)])
def test_any_number_of_axes_equals_dense_least_squares(shape: tuple[int, ...]) -> None:
    draws = np.random.default_rng(0)
    truth = draws.normal(size=(*shape, 2)) / 5
    samples = math.prod(shape)
    seen = np.sort(draws.permutation(samples)[: samples // 2])
    values = round(0.3 * samples * 2)
    ratio = (values / 2 / samples) ** (1 / len(shape))
    counts = [max(2, int(n * ratio)) for n in shape]
    columns, rough = [], []
    for node in itertools.product(*map(range, counts)):
        hats = [
            np.maximum(0, 1 - np.abs(np.arange(n) * (count - 1) / (n - 1) - j))
            for j, n, count in zip(node, shape, counts, strict=True)
        ]
        columns.append(functools.reduce(np.multiply.outer, hats).ravel())
        for axis, count in enumerate(counts):
            if node[axis] + 1 < count:
                row = np.zeros(counts)
                row[node] = -1
                row[(*node[:axis], node[axis] + 1, *node[axis + 1 :])] = 1
                rough.append(row.ravel())
    features = np.stack(columns, axis=1)
    stacked = np.vstack([features[seen], np.sqrt(SMOOTHNESS) * np.stack(rough)])
    wanted = np.vstack([truth.reshape(-1, 2)[seen], np.zeros((len(rough), 2))])
    expected = features @ np.linalg.lstsq(stacked, wanted, rcond=None)[0]
    found = fit_grid(truth, seen, values, lowest=-1)
    np.testing.assert_allclose(found, expected.reshape(truth.shape).clip(-1, 1), atol=1e-6)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2, 2, 3)])
def test_other_numbers_of_axes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(PenchantError, match="needs 1 to 3 axes"):
        fit_grid(np.zeros(shape), np.arange(1), 5)
