"""Pictures arrive as they are, errors on one scale, and never more bytes than allowed."""

import base64
import io
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from penchant.report._pictures import (
    Form,
    address,
    error_limit,
    error_palette,
    errors,
    gallery,
)
from penchant.report._report import page
from penchant.study import Reconstruction, Results

from .conftest import DESIGNS, make_results

AFFINE = tuple(tuple(row) for row in np.diag([1.0, 1.0, 2.5, 1.0]).tolist())


def _decoded(data: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB"))


@pytest.mark.parametrize("channels", [1, 3])
def test_small_pictures_are_kept_without_loss(channels: int) -> None:
    results = make_results(channels=channels)
    shown = gallery(results, DESIGNS, 10**7)
    assert shown.note == ""
    for panel, kept in zip(shown.walls[0].panels, results.reconstructions, strict=True):
        expected = np.rint(255 * kept.values).astype(int)
        np.testing.assert_array_equal(
            _decoded(panel.picture), np.broadcast_to(expected, (24, 36, 3))
        )


def test_an_error_map_reads_back_through_its_colours() -> None:
    original = np.zeros((2, 5, 1))
    answer = np.linspace(0, 0.4, 10).reshape(2, 5, 1)
    results = make_results(designs=("relu",), levels=(20.0,), original=lambda _: original)
    results.reconstructions[1].values[:] = answer
    shown = gallery(results, ("relu",), 10**6)
    colours = _decoded(shown.walls[0].panels[1].error).reshape(-1, 3)
    palette = [tuple(colour) for colour in error_palette()]
    levels = np.array([palette.index(tuple(map(int, c))) for c in colours]) / (len(palette) - 1)
    np.testing.assert_allclose(
        levels * shown.error_limit, np.minimum(answer.ravel(), shown.error_limit), atol=0.005
    )


def test_the_palette_grows_lighter() -> None:
    light = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in error_palette()]
    assert all(b > a for a, b in pairwise(light))


def test_errors_average_channels_and_a_missing_value_counts_as_one() -> None:
    answer = np.array([[[0.5, 0.0, 0.1], [np.nan, 0.0, 0.0]]])
    np.testing.assert_allclose(errors(answer, np.zeros((1, 2, 3))), [[0.2, 1.0]])


def test_one_failed_design_does_not_darken_the_others() -> None:
    truth = np.full((8, 8, 1), 0.5)
    good = [Reconstruction("a", f"d{i}", 0, truth + 0.01) for i in range(3)]
    failed = Reconstruction("a", "failed", 0, np.ones((8, 8, 1)))
    limit = error_limit([Reconstruction("a", "", 0, truth), *good, failed])
    assert 0.01 <= limit <= 0.02


@pytest.mark.parametrize("budget", [200_000, 60_000, 9_000, 900, 0])
def test_the_budget_holds_and_is_spoken_of(several: Results, budget: int) -> None:
    shown = gallery(several, DESIGNS, budget)
    spent = sum(len(p.picture) + len(p.error) for wall in shown.walls for p in wall.panels)
    assert spent <= budget
    assert shown.note
    assert len(shown.walls) == 12 or "left out" in shown.note or "of 12 signals" in shown.note


def test_a_large_picture_is_reduced() -> None:
    picture = np.random.Generator(np.random.PCG64(0)).random((10, 1500, 3))
    assert _decoded(address(picture, Form(300))).shape == (2, 300, 3)


def with_views(kind: str, views: tuple[str, ...], signals: tuple[str, ...] = ("spot",)) -> Results:
    """A study of shapes or scenes: each view is lighter than the one before."""
    made = make_results(designs=("relu", "sine"), levels=(20.0, 30.0), signals=signals)
    shown = [
        Reconstruction(signal, design, 0, np.full((6, 8, 3), light - wrong), kind, view=view)
        for signal in signals
        for design, wrong in (("", 0.0), ("relu", 0.1), ("sine", 0.01))
        for view, light in zip(views, np.linspace(0.3, 0.9, len(views)), strict=True)
    ]
    return replace(made, reconstructions=tuple(shown), plan={**made.plan, "noun": kind})


def test_each_view_has_a_wall_of_its_own() -> None:
    shown = gallery(with_views("radiance", ("view 1", "view 5")), ("relu", "sine"), 10**6)
    assert [(wall.signal, wall.view) for wall in shown.walls] == [
        ("spot", "view 1"),
        ("spot", "view 5"),
    ]
    assert shown.signals == ["spot"]
    assert shown.most_views == 2
    for wall, light in zip(shown.walls, (0.3, 0.9), strict=True):
        assert [panel.design for panel in wall.panels] == ["", "relu", "sine"]
        assert _decoded(wall.panels[0].picture)[0, 0, 0] == round(255 * light)
        assert wall.panels[1].score.endswith("this view 20.0 dB")
        assert wall.panels[2].score.endswith("this view 40.0 dB")
        assert float(wall.panels[1].error_mean) == pytest.approx(0.1)
        assert wall.view in wall.panels[1].picture_alt


def test_views_that_do_not_fit_are_spoken_of() -> None:
    made = with_views("mesh", tuple(f"{turn}°" for turn in range(0, 360, 45)))
    whole = gallery(made, ("relu", "sine"), 10**6)
    spent = sum(len(p.picture) + len(p.error) for wall in whole.walls for p in wall.panels)
    assert "limited to 4 of 8 views" in gallery(made, ("relu", "sine"), int(0.6 * spent)).note


def test_a_page_calls_what_it_shows_by_its_kind() -> None:
    made = with_views("mesh", ("0°", "90°"))
    text = page(made)
    assert "<h2>Surfaces</h2>" in text
    assert ">Turn <input" in text
    assert ">Pictures<" not in text
    volume = np.random.default_rng(0).random((4, 5, 6, 1))
    slices = tuple(
        Reconstruction(
            "spot", one, 0, volume, "volume", spacing=(1.0, 1.0, 2.5), units="mm", affine=AFFINE
        )
        for one in ("", "relu")
    )
    text = page(replace(made, reconstructions=slices))
    assert "axial, coronal, sagittal; a voxel is 1 × 1 × 2.5 mm" in text
    assert "4 × 5 × 6 voxels of 1 × 1 × 2.5 mm" in text
    assert "data-turn" not in text.partition("<script")[0]
