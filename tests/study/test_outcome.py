"""What a finished study shows of its signals: views of what is no picture, with its facts."""

import numpy as np
import pytest
import trimesh
from scenes import ball_scene

from penchant.study import Results, Study
from penchant.tasks import Mesh, MeshTask, Placed, RadianceTask, Task, Volume, VolumeTask

WORDS = {"seeds": 2, "steps": 2, "tune": 0}
DESIGN = {"activation": "relu", "width": 8, "depth": 1}


def shown(task: Task) -> Results:
    return Study(task, designs=[DESIGN], **WORDS).run()


def test_a_shape_is_seen_from_all_around() -> None:
    ball = trimesh.creation.icosphere(subdivisions=2)
    mesh = Mesh("ball", np.asarray(ball.vertices, np.float64), np.asarray(ball.faces, np.int64))
    found = shown(MeshTask(mesh, size=8)).reconstructions
    turns = [f"{turn}°" for turn in range(0, 360, 45)]
    assert [one.view for one in found] == 2 * turns
    assert [one.design for one in found] == 8 * [""] + 8 * ["relu"]
    assert {one.kind for one in found} == {"mesh"}
    first, *others = (one.values for one in found[:8])
    assert (first < 1).any()
    for other in others:  # a ball looks the same from everywhere
        assert np.abs(other - first).mean() < 0.02


def test_a_scene_shows_held_out_views_beside_the_truth() -> None:
    scene = ball_scene()
    task = RadianceTask(scene, "every:4", degree=0, samples=8)
    results = shown(task)
    truth, answers = results.reconstructions[:3], results.reconstructions[3:]
    assert [one.view for one in truth] == [one.view for one in answers]
    assert [one.view for one in truth] == [f"view {view}, held out" for view in (0, 4, 8)]
    for one, view in zip(truth, (0, 4, 8), strict=True):
        assert one.values == pytest.approx(scene.pictures[view], abs=1e-6)
    # All held-out views are shown, so the run's own score is theirs.
    errors = [
        np.square(a.values.astype(np.float64) - b.values).mean()
        for a, b in zip(truth, answers, strict=True)
    ]
    (run,) = [run for run in results.runs if run.seed == 0]
    assert run.metrics["psnr_held_out"] == pytest.approx(-10 * np.log10(np.mean(errors)), abs=1e-4)


def test_a_volume_keeps_how_it_lies_in_space() -> None:
    values = np.random.default_rng(0).random((6, 8, 5, 1)).astype(np.float32)
    affine = np.diag([1.0, 1.0, 2.5, 1.0])
    placed = Placed(spacing=(1.0, 1.0, 2.5), units="mm", affine=affine)
    truth, drawn = shown(VolumeTask(Volume("v", values, placed=placed))).reconstructions
    for one in (truth, drawn):
        assert (one.kind, one.spacing, one.units) == ("volume", (1.0, 1.0, 2.5), "mm")
        assert np.array(one.affine) == pytest.approx(affine)
    np.testing.assert_array_equal(truth.values, values)
