"""Noise in what training sees of a picture; scores ask for the picture without it."""

import math
import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.tasks import Picture, PictureTask
from penchant.tasks._grid import fit_grid
from penchant.tasks._scores import psnr

SIDE = 64


def grey(value: float = 0.5, channels: int = 1) -> Picture:
    return Picture("grey", np.full((SIDE, SIDE, channels), value, np.float32))


def waves() -> Picture:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    return Picture("waves", (0.5 + 0.4 * np.sin(9 * x + 5 * y))[..., None].astype(np.float32))


def noise_of(task: PictureTask, seed: int = 0) -> np.ndarray:
    """What was added, in the picture's units, where everything is seen."""
    seen = task.split(seed).targets.numpy().reshape(task.picture.values.shape)
    return (seen.astype(np.float64) + 1) / 2 - task.picture.values


class Draws(nn.Module):
    """Answers the whole grid with a picture."""

    def __init__(self, values: np.ndarray) -> None:
        super().__init__()
        self.answer = torch.from_numpy(values.reshape(-1, values.shape[2]) * 2 - 1)

    def forward(self, points: Tensor) -> Tensor:
        return self.answer


@pytest.mark.parametrize("deviation", [0.01, 0.05, 0.1])
def test_noise_is_gaussian_of_the_deviation_asked_for(deviation: float) -> None:
    found = noise_of(PictureTask(grey(channels=3), noise=deviation)).ravel() / deviation
    # 12,288 draws: the deviation's own standard error is 0.0064, the mean's 0.009.
    assert abs(found.std() - 1) < 0.03 and abs(found.mean()) < 0.04
    assert stats.kstest(found, "norm").pvalue > 0.001


def test_noise_is_independent_between_channels_and_neighbours() -> None:
    found = noise_of(PictureTask(grey(channels=3), noise=0.1))
    channels = np.corrcoef(found.reshape(-1, 3).T)[np.triu_indices(3, 1)]
    neighbours = np.corrcoef(found[:, 1:].ravel(), found[:, :-1].ravel())[0, 1]
    assert np.abs([*channels, neighbours]).max() < 0.06


def test_noise_is_keyed_by_the_seed_alone() -> None:
    task = PictureTask(waves(), "random:0.5", noise=0.1)
    torch.manual_seed(0)
    first = task.split(3)
    torch.rand(5)
    again, other = PictureTask(waves(), "random:0.5", noise=0.1).split(3), task.split(4)
    assert torch.equal(first.targets, again.targets) and torch.equal(first.inputs, again.inputs)
    assert not np.array_equal(noise_of(PictureTask(waves(), noise=0.1), 3),
                              noise_of(PictureTask(waves(), noise=0.1), 4))  # fmt: skip
    assert not torch.equal(first.targets, other.targets)
    kept = pickle.loads(pickle.dumps(task))
    assert torch.equal(kept.split(3).targets, first.targets)
    assert kept.fingerprint == task.fingerprint and kept.notices == task.notices


def test_a_pixel_has_the_same_noise_whatever_is_held_out() -> None:
    whole = noise_of(PictureTask(waves(), noise=0.1), 2).reshape(-1)
    split = PictureTask(waves(), "random:0.5", noise=0.1).split(2)
    clean = waves().values.reshape(-1)[split.seen]
    found = (split.targets.numpy().ravel().astype(np.float64) + 1) / 2 - clean
    np.testing.assert_allclose(found, whole[split.seen], atol=1e-6)


def test_scores_ask_for_the_clean_picture() -> None:
    task = PictureTask(waves(), "random:0.5", noise=0.1)
    split = task.split(0)
    clean = split.score(Draws(task.picture.values)).metrics
    assert clean["psnr_seen"] == clean["psnr_held_out"] == 120, "as good as is counted"
    noisy = split.score(Draws(split._shown)).metrics
    assert noisy["psnr_seen"] == pytest.approx(20, abs=0.5), "noise of 0.1 is 20 dB"


def test_validation_asks_for_the_noisy_samples() -> None:
    """A pilot that was told the clean picture would know more than training does."""
    task = PictureTask(waves(), "random:0.5", noise=0.1)
    split = task.split(0, validation=True)
    run = task.split(0)
    assert set(split.seen) | set(split.held_out) == set(run.seen)
    score = split.score(Draws(task.picture.values)).metrics["psnr_held_out"]
    assert score == pytest.approx(20, abs=0.7)
    assert split.score(Draws(run._shown)).metrics["psnr_held_out"] == 120


def test_grid_is_fitted_to_what_training_sees() -> None:
    task = PictureTask(waves(), "random:0.5", noise=0.2)
    split = task.split(0)
    fitted = fit_grid(split._shown, split.seen, 200)
    held_out = np.zeros((SIDE, SIDE), bool)
    held_out.flat[split.held_out] = True
    expected = psnr(fitted[held_out], task.picture.values[held_out])
    assert split.fitted_score(fit_grid, 200).metrics["psnr_held_out"] == pytest.approx(
        expected, abs=1e-9
    )
    quiet = PictureTask(waves(), "random:0.5").split(0).fitted_score(fit_grid, 200)
    assert quiet.metrics["psnr_held_out"] > expected + 3


def test_constant_is_the_mean_of_what_training_sees() -> None:
    split = PictureTask(grey(1.0), noise=0.5).split(0)
    mean = float((split.training_mean + 1) / 2)
    assert mean < 0.9, "clipping moves it"
    assert split.constant_score().metrics["psnr_seen"] == pytest.approx(
        -20 * math.log10(1 - mean), abs=1e-3
    )


@pytest.mark.parametrize(
    ("value", "noise"), [(0.5, 0.1), (0.0, 0.1), (1.0, 0.3), (0.9, 0.1), (0.5, 0.5)]
)
def test_notice_gives_the_clipped_share(value: float, noise: float) -> None:
    task = PictureTask(grey(value, channels=3), noise=noise)
    (notice,) = task.notices
    said = float(notice.partition("of which ")[2].partition("%")[0]) / 100
    targets = task.split(0).targets
    found = float(((targets == 1) | (targets == -1)).double().mean())
    assert f"standard deviation {noise:g}" in notice
    assert said == pytest.approx(found, abs=0.015)


def test_without_noise_nothing_changes() -> None:
    """A fingerprint as it was before there was noise, so that old studies are still found."""
    plain, zero = PictureTask(waves(), "random:0.5"), PictureTask(waves(), "random:0.5", 0)
    assert plain.fingerprint == zero.fingerprint == "344df1b600a44892ce5c86acfab0ec56"
    assert plain.notices == zero.notices == ()
    split = zero.split(0)
    seen = waves().values.reshape(-1)[split.seen]
    assert np.array_equal(split.targets.numpy().ravel(), seen * 2 - 1)


def test_fingerprint_knows_the_noise() -> None:
    found = [PictureTask(waves(), noise=noise).fingerprint for noise in (0, 0.1, 0.2, 1)]
    assert len(set(found)) == 4
    assert PictureTask(waves(), noise=1).fingerprint == PictureTask(waves(), noise=1.0).fingerprint


@pytest.mark.parametrize("noise", [-0.1, 1.5, math.nan, math.inf])
def test_impossible_noise(noise: float) -> None:
    with pytest.raises(PenchantError, match=r"noise=.*from 0 to 1 is needed"):
        PictureTask(waves(), noise=noise)
