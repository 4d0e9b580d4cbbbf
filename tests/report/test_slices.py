"""Volumes on paper."""

import numpy as np
import pytest

from penchant.report._slices import on_paper, slices
from penchant.study import Reconstruction

VOLUME = np.random.default_rng(0).random((4, 6, 5, 1)) * 0.9


def test_slices_are_the_middle_ones_with_white_between() -> None:
    drawn = slices(VOLUME)
    assert drawn.shape == (6, 6 + 1 + 5 + 1 + 5, 1)
    np.testing.assert_array_equal(drawn[:4, :6], VOLUME[:, :, 2])
    np.testing.assert_array_equal(drawn[:4, 7:12], VOLUME[:, 3])
    np.testing.assert_array_equal(drawn[:6, 13:], VOLUME[2])
    assert (drawn[:, 6] == 1).all()
    assert (drawn[4:, :6] == 0).all()


def test_a_voxel_is_as_long_as_its_spacing() -> None:
    drawn = slices(VOLUME, (1.0, 0.5, 1.5))
    assert drawn.shape == (8, 6 + 1 + 15 + 1 + 15, 1)
    np.testing.assert_array_equal(drawn[:8, :6], VOLUME[:, :, 2].repeat(2, axis=0))
    np.testing.assert_array_equal(drawn[:6, 23:], VOLUME[2].repeat(3, axis=1))
    assert slices(VOLUME, (1.0, 1.001, 1.0)).shape == slices(VOLUME).shape
    assert max(slices(VOLUME, (1.0, 1e-9, 1.0)).shape) < 3000


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1)])
def test_a_body_is_upright_however_it_is_stored(
    order: tuple[int, int, int], signs: tuple[int, int, int]
) -> None:
    x, y, z = np.mgrid[:5, :7, :9]
    body = (x + 10 * y + 100 * z)[..., None] / 1000
    spacing = np.array([1.0, 2.0, 3.0])
    stored = body[tuple(slice(None, None, sign) for sign in signs)].transpose(*order, 3)
    affine = np.zeros((4, 4))
    for axis, place in enumerate(order):
        affine[place, axis] = signs[place] * spacing[place]
    drawn = slices(stored, tuple(spacing[list(order)]), affine)
    axial, coronal, sagittal = drawn[:14, :5], drawn[:, 6:11], drawn[:, 12:]
    assert drawn.shape == (27, 5 + 1 + 5 + 1 + 14, 1)
    np.testing.assert_allclose(axial[::-1][::2, :, 0], body[:, :, 4, 0].T)
    np.testing.assert_allclose(coronal[::-1][::3, :, 0], body[:, 3, :, 0].T)
    np.testing.assert_allclose(sagittal[::-1][::3, ::2, 0], body[2, :, :, 0].T)


def test_pictures_and_views_stay_and_sounds_have_none() -> None:
    def of(kind: str) -> Reconstruction:
        return Reconstruction("a", "", 0, VOLUME, kind)

    assert on_paper(of("mesh")).values is VOLUME
    assert on_paper(of("picture")).values is VOLUME
    assert on_paper(of("volume")).values.shape == slices(VOLUME).shape
    assert on_paper(of("sound")) is None
