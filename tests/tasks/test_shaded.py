"""Views of surfaces, drawn in grey."""

import numpy as np
import pytest
import trimesh

from penchant.tasks._shaded import SIDE, shaded

BALL = trimesh.creation.icosphere(subdivisions=3, radius=0.5)


def test_a_ball_is_a_disc_lit_from_above() -> None:
    view = shaded((np.asarray(BALL.vertices), np.asarray(BALL.faces)), ((0.3, 0.2),))[..., 0]
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
    view = shaded((both, faces), ((0.0, 0.0),))[..., 0]
    assert view[SIDE // 2, SIDE // 2] == 0.25
    assert shaded((both, faces), ((np.pi, 0.0),))[SIDE // 2, SIDE // 2, 0] == 0.25
    assert shaded((both, faces[:, ::-1]), ((0.0, 0.0),))[SIDE // 2, SIDE // 2, 0] > 0.5


def test_no_surface_is_an_empty_picture() -> None:
    assert (shaded((np.zeros((0, 3)), np.zeros((0, 3), int))) == 1).all()
