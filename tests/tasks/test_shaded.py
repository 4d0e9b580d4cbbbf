"""Views of surfaces, drawn in grey."""

import numpy as np
import pytest
import trimesh

from penchant.tasks._shaded import SIDE, shaded, turntable

TWO_WAYS = [(0.0, 0.0), (np.pi, 0.0)]
BALL = trimesh.creation.icosphere(subdivisions=3, radius=0.5)


def test_a_ball_is_a_disc_lit_from_above() -> None:
    view = shaded((np.asarray(BALL.vertices), np.asarray(BALL.faces)), [(0.3, 0.2)])[0][..., 0]
    row, column = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
    distance = np.hypot(row, column) / (SIDE / 2) * 1.25
    assert (view[distance > 0.52] == 1).all()
    assert (view[distance < 0.48] < 1).all()  # no holes
    assert view[distance < 0.48].max() == pytest.approx(0.95, abs=0.01)
    assert view[SIDE // 2 - 20, SIDE // 2] > view[SIDE // 2 + 20, SIDE // 2] + 0.2


def test_what_is_nearer_hides_what_is_behind() -> None:
    up = np.array([[-0.9, -0.9, 0], [0.9, -0.9, 0], [0, 0.9, 0]])
    both = np.concatenate([up - np.array([0, 0, 0.5]), up + np.array([0, 0, 0.5])])
    faces = np.array([[0, 1, 2], [5, 4, 3]])  # the nearer one looks away, so it is dark
    front, back = (view[SIDE // 2, SIDE // 2, 0] for view in shaded((both, faces), TWO_WAYS))
    assert front == back == 0.25
    assert shaded((both, faces[:, ::-1]), TWO_WAYS)[0][SIDE // 2, SIDE // 2, 0] > 0.5


def test_a_turntable_goes_around_once() -> None:
    moved = np.asarray(BALL.vertices) * 0.4 + np.array([0, 0, 0.6])
    views = turntable((moved, np.asarray(BALL.faces)))
    assert list(views) == ["0°", "45°", "90°", "135°", "180°", "225°", "270°", "315°"]
    column = [float(np.nonzero((view < 1).any(axis=(0, 2)))[0].mean()) for view in views.values()]
    middle = np.mean(column)
    assert middle == pytest.approx((SIDE - 1) / 2, abs=0.6)
    waves = np.fft.rfft(column - middle)  # a circle seen from the side: one wave, and no other
    assert abs(waves[1]) > 100
    assert np.abs(waves[2:]).max() < 0.03 * abs(waves[1])


def test_no_surface_is_an_empty_picture() -> None:
    for view in turntable((np.zeros((0, 3)), np.zeros((0, 3), int))).values():
        assert view.shape == (SIDE, SIDE, 1)
        assert (view == 1).all()
