"""Volumes on paper."""

import numpy as np

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
    assert (drawn[4:, :12] == 1).all()


def test_pictures_and_views_stay_and_sounds_have_none() -> None:
    def of(kind: str) -> Reconstruction:
        return Reconstruction("a", "", 0, VOLUME, kind)

    assert on_paper(of("mesh")).values is VOLUME
    assert on_paper(of("picture")).values is VOLUME
    assert on_paper(of("volume")).values.shape == slices(VOLUME).shape
    assert on_paper(of("sound")) is None
