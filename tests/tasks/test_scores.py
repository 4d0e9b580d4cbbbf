import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from penchant.tasks import _scores, band_edges, band_errors, psnr, ssim_map
from penchant.tasks._scores import band_energies, mean_ssim, strips

seeds = st.integers(0, 2**32 - 1)
sides = st.integers(2, 20)


def two(seed, *shape):
    random = np.random.default_rng(seed)
    return random.random(shape), random.random(shape)


@given(seed=seeds, height=sides, width=sides)
def test_psnr_is_its_definition(seed, height, width):
    prediction, truth = two(seed, height, width, 3)
    assert psnr(prediction, truth) == pytest.approx(
        peak_signal_noise_ratio(truth, prediction, data_range=1.0), rel=1e-12
    )
    assert psnr(prediction, truth) == psnr(truth, prediction)


def test_psnr_clips_the_prediction_caps_a_match_and_passes_nan_on():
    truth = np.array([0.0, 1.0])
    assert psnr(np.array([-3.0, 1.5]), truth) == 120.0
    assert psnr(truth + 1e-9, truth) == 120.0
    assert math.isnan(psnr(np.array([np.nan, 1.0]), truth))
    assert math.isnan(psnr(truth[:0], truth[:0]))


@pytest.mark.parametrize(
    ("height", "width", "window"), [(16, 12, 7), (7, 9, 7), (6, 20, 5), (4, 4, 3), (3, 8, 3)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_that_of_scikit_image(height, width, window, channels):
    prediction, truth = two(0, height, width, channels)
    similarity = ssim_map(prediction, truth)
    expected = np.mean(
        [
            structural_similarity(
                prediction[..., c], truth[..., c], win_size=window, data_range=1.0, full=True
            )[1]
            for c in range(channels)
        ],
        axis=0,
    )
    np.testing.assert_allclose(similarity, expected, atol=1e-12)
    np.testing.assert_array_equal(similarity, ssim_map(prediction, truth))
    np.testing.assert_allclose(ssim_map(truth, truth), 1)


def test_ssim_is_undefined_where_no_window_fits():
    prediction, truth = two(0, 2, 9, 1)
    assert np.isnan(ssim_map(prediction, truth)).all()
    assert ssim_map(prediction, truth).shape == (2, 9)


@given(seed=seeds, height=sides, width=sides, channels=st.sampled_from([1, 3]), bands=sides)
def test_band_energies_add_up_to_the_whole(seed, height, width, channels, bands):
    values = two(seed, height, width, channels)[0] - 0.5
    energies = band_energies(values, bands)
    assert energies.shape == (bands,)
    assert energies.sum() == pytest.approx(np.square(values).sum(), rel=1e-10)


@pytest.mark.parametrize("cycles", range(1, 16))
def test_a_wave_lies_in_its_own_band(cycles):
    x = np.arange(32)
    wave = np.sin(2 * np.pi * cycles * x / 32 + 0.3)[None, :, None].repeat(32, axis=0)
    energies = band_energies(wave, 8)
    edges = band_edges(8)
    assert edges[0] == 0
    assert edges[-1] == 0.5
    band = next(b for b in range(8) if edges[b] <= cycles / 32 < edges[b + 1])
    assert energies[band] == pytest.approx(energies.sum(), rel=1e-12)


def test_the_corners_of_the_spectrum_are_in_the_last_band():
    board = np.indices((8, 8)).sum(axis=0)[..., None] % 2 - 0.5
    assert band_energies(board, 4).tolist() == pytest.approx([0, 0, 0, 16])


@given(seed=seeds)
def test_the_best_constant_has_error_1_in_every_band(seed):
    truth = two(seed, 32, 24, 3)[0]
    constant = np.broadcast_to(truth.mean(axis=(0, 1)), truth.shape)
    np.testing.assert_allclose(band_errors(constant, truth), 1)
    np.testing.assert_allclose(band_errors(truth, truth), 0)


def test_an_error_of_the_mean_is_in_the_first_band():
    truth = two(0, 32, 32, 1)[0]
    errors = band_errors(truth + 0.1, truth)
    assert errors[0] > 0.1
    assert max(errors[1:]) < 1e-20


def test_a_band_without_signal_has_no_share():
    flat = np.full((8, 8, 1), 0.3)
    assert np.isnan(band_errors(flat + 0.1, flat)).all()


def test_energies_are_of_what_is_left():
    values, less = two(0, 9, 12, 3)
    np.testing.assert_array_equal(band_energies(values, 8, less), band_energies(values - less))
    mean = values.mean(axis=(0, 1))
    np.testing.assert_array_equal(band_energies(values, 8, mean), band_energies(values - mean))


# Large signals, in strips


@given(shape=st.lists(st.integers(1, 50), min_size=1, max_size=3), most=st.integers(1, 2000))
def test_strips_are_the_whole_grid_once(shape, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_scores, "WHOLE", most)
        patch.setattr(_scores, "_STRIP", most // 4)
        pieces = list(strips(shape))
    assert [row for rows in pieces for row in range(rows.start, rows.stop)] == [*range(shape[0])]
    assert len(pieces) == 1 or math.prod(shape) > most
    in_a_row = math.prod(shape[1:])
    if math.prod(shape) > most:
        assert all((one.stop - one.start) * in_a_row <= max(most // 4, in_a_row) for one in pieces)


@pytest.mark.parametrize(
    "shape",
    [
        *[(40, 23, 3), (41, 24, 1), (7, 60, 1), (60, 7, 1), (5, 50, 3), (50, 4, 1)],
        *[(300, 2), (301, 1), (20, 8, 9, 1), (9, 11, 12, 2)],
    ],
)
@pytest.mark.parametrize("strip", [1, 60, 250])
def test_a_signal_in_strips_scores_as_the_whole(shape, strip, monkeypatch):
    prediction, truth = (one.astype(np.float32) for one in two(5, *shape))
    parts = {"seen": two(6, *shape[:-1])[0] < 0.7}
    parts["held_out"] = ~parts["seen"]

    def scored():
        psnrs = [psnr(prediction, truth, chosen) for chosen in parts.values()]
        return psnrs, mean_ssim(prediction, truth, parts), band_errors(prediction, truth)

    psnrs, similarity, errors = scored()
    monkeypatch.setattr(_scores, "WHOLE", 100)
    monkeypatch.setattr(_scores, "_STRIP", strip)
    in_strips = scored()
    assert in_strips[0] == pytest.approx(psnrs, rel=1e-12)
    assert in_strips[1] == pytest.approx(similarity, abs=1e-12, nan_ok=True)
    assert in_strips[2] == pytest.approx(errors, rel=1e-10, nan_ok=True)
    whole = ssim_map(prediction, truth)
    for part, chosen in parts.items():
        assert psnrs[[*parts].index(part)] == psnr(prediction[chosen], truth[chosen])
        assert similarity[part] == pytest.approx(whole[chosen].mean(), rel=1e-15, nan_ok=True)


def test_a_band_without_signal_has_no_share_in_strips_either(monkeypatch):
    monkeypatch.setattr(_scores, "WHOLE", 100)
    x = np.arange(32)
    wave = 0.5 + 0.3 * np.sin(2 * np.pi * 3 * x / 32)[None, :, None].repeat(32, axis=0)
    errors = band_errors(wave + two(0, 32, 32, 1)[0], wave)
    assert np.isfinite(errors[1]) and np.isnan(errors[2:]).all()
