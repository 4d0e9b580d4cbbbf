import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from penchant.errors import PenchantError
from penchant.tasks import (
    HeldOut,
    Picture,
    PictureTask,
    band_errors,
    builtin_picture,
    coordinates,
    evaluate,
    grid_coordinates,
    pixel_coordinates,
    psnr,
    ssim_map,
)

VALUES = np.random.default_rng(0).random((12, 20, 3), dtype=np.float32)
PICTURE = Picture("noise", VALUES)
PATTERNS = ["none", "random:0.5", "random:0.3", "checkerboard", "every:3"]


def network(outputs=3, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, outputs))


class Memory(nn.Module):
    """Answers each point with a picture's value there, whatever the order of points."""

    def __init__(self, values):
        super().__init__()
        self.values = torch.from_numpy(values.copy())

    def forward(self, inputs):
        height, width = self.values.shape[:2]
        pixels = (inputs * max(height, width) + torch.tensor([width, height])) / 2 - 0.5
        column, row = pixels.round().long().unbind(-1)
        return self.values[row, column] * 2 - 1


@pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 7), (7, 3), (12, 20)])
def test_coordinates_are_pixel_centres_with_the_aspect_kept(height, width):
    points = pixel_coordinates(height, width).reshape(height, width, 2)
    for i in range(height):
        for j in range(width):
            x = ((j + 0.5) / width * 2 - 1) * (width / max(height, width))
            y = ((i + 0.5) / height * 2 - 1) * (height / max(height, width))
            assert points[i, j].tolist() == pytest.approx([x, y], abs=1e-7)
    corners = torch.tensor([[0, 0], [width, height]], dtype=torch.float64)
    assert coordinates(corners, height, width).abs().max() == 1


def test_a_grid_over_a_region_is_part_of_the_grid_over_the_whole():
    whole = grid_coordinates(12, 20, scale=3.0)
    assert whole.shape == (36, 60, 2)
    part = grid_coordinates(12, 20, region=(5.0, 2.0, 9.0, 12.0), scale=3.0)
    torch.testing.assert_close(part, whole[6:36, 15:27])
    single = grid_coordinates(12, 20, region=(4.5, 2.0, 5.0, 2.25), scale=0.1)
    expected = coordinates(torch.tensor([[[4.75, 2.125]]]), 12, 20)
    torch.testing.assert_close(single, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"region": (5.0, 2.0, 5.0, 9.0)}, "region=5,2,5,9: left, top, right, bottom must enclose"),
        ({"region": (-1.0, 0.0, 5.0, 9.0)}, "20×12 pixels"),
        ({"region": (0.0, 0.0, 21.0, 9.0)}, "20×12 pixels"),
        ({"region": (0.0, 0.0, float("nan"), 9.0)}, "region=0,0,nan,9"),
        ({"scale": 0.0}, "scale=0"),
        ({"scale": float("inf")}, "scale=inf"),
        ({"scale": 1e4}, "120000×200000 new cells"),
    ],
)
def test_a_grid_that_cannot_be(arguments, message):
    with pytest.raises(PenchantError, match=message):
        grid_coordinates(12, 20, **arguments)


@pytest.mark.parametrize("block", [1, 7, 240, 4096])
def test_evaluation_in_blocks_is_evaluation(block):
    points = pixel_coordinates(12, 20)
    model = network()
    answers = evaluate(model, points, block=block)
    assert not answers.requires_grad
    torch.testing.assert_close(answers, model(points).detach())


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("validation", [False, True])
def test_a_split_is_the_same_whenever_it_is_made(pattern, validation):
    task = PictureTask(PICTURE, pattern)
    torch.manual_seed(0)
    one = task.split(3, validation=validation)
    torch.rand(5)
    task.split(4)
    two = pickle.loads(pickle.dumps(task)).split(3, validation=validation)
    assert torch.equal(one.inputs, two.inputs)
    assert torch.equal(one.targets, two.targets)
    np.testing.assert_array_equal(one.held_out, two.held_out)
    other = task.split(4, validation=validation)
    if validation or pattern.startswith("random"):
        assert not np.array_equal(one.held_out, other.held_out)


@settings(deadline=None, max_examples=30)
@given(pattern=st.sampled_from(PATTERNS), seed=st.integers(0, 10**6))
def test_validation_never_touches_held_out_samples(pattern, seed):
    task = PictureTask(PICTURE, pattern)
    held_out = set(np.flatnonzero(task.held_out.mask((12, 20), seed)).tolist())
    full, pilot = task.split(seed), task.split(seed, validation=True)
    assert set(full.held_out.tolist()) == held_out
    assert set(full.seen.tolist()) == set(range(240)) - held_out
    assert set(pilot.seen.tolist()) | set(pilot.held_out.tolist()) == set(full.seen.tolist())
    assert len(pilot.seen) + len(pilot.held_out) == len(full.seen)
    assert len(pilot.held_out) == round(len(full.seen) / 5)
    assert (np.diff(pilot.seen) > 0).all()
    assert (np.diff(pilot.held_out) > 0).all()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_inputs_and_targets_are_the_seen_pixels_row_by_row(pattern):
    task = PictureTask(PICTURE, pattern)
    split = task.split(1)
    seen = ~task.held_out.mask((12, 20), 1)
    assert split.inputs.dtype == split.targets.dtype == torch.float32
    torch.testing.assert_close(
        split.inputs, pixel_coordinates(12, 20)[torch.from_numpy(seen.ravel())]
    )
    np.testing.assert_allclose(task.to_values(split.targets).numpy(), VALUES[seen], atol=1e-7)
    assert split.targets.numel() == task.seen_values()
    assert split.targets.shape[1] == task.outputs == 3
    torch.testing.assert_close(split.training_mean, split.targets.mean(dim=0))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_scores_are_those_of_the_reconstruction(pattern):
    task = PictureTask(PICTURE, pattern)
    split = task.split(0)
    model = network()
    drawn = split.reconstruct(model)
    answers = model(pixel_coordinates(12, 20)).detach().numpy().reshape(12, 20, 3)
    np.testing.assert_allclose(drawn, ((answers + 1) / 2).clip(0, 1), atol=1e-6)
    held_out = task.held_out.mask((12, 20), 0)
    expected = {
        "psnr_seen": psnr(drawn[~held_out], VALUES[~held_out]),
        "ssim_seen": ssim_map(drawn, VALUES)[~held_out].mean(),
    }
    if pattern != "none":
        expected["psnr_held_out"] = psnr(drawn[held_out], VALUES[held_out])
        expected["ssim_held_out"] = ssim_map(drawn, VALUES)[held_out].mean()
    score = split.score(model)
    assert score.metrics == pytest.approx(expected)
    assert set(score.metrics) == {metric.name for metric in task.metrics}
    assert score.bands == band_errors(drawn, VALUES)
    quick = split.score(model, final=False)
    assert quick.metrics == {name: score.metrics[name] for name in expected if "psnr" in name}
    assert quick.bands == score.bands


def test_a_perfect_answer_scores_perfectly():
    split = PictureTask(PICTURE, "checkerboard").split(0)
    np.testing.assert_allclose(split.reconstruct(Memory(VALUES)), VALUES, atol=1e-6)
    metrics = split.score(Memory(VALUES)).metrics
    assert min(metrics["psnr_seen"], metrics["psnr_held_out"]) > 110
    assert metrics["ssim_held_out"] == pytest.approx(1)


def test_held_out_scores_ask_about_held_out_samples_only():
    wrong = VALUES.copy()
    held_out = HeldOut.parse("random:0.5").mask((12, 20), 5)
    wrong[held_out] = 0
    metrics = PictureTask(PICTURE, "random:0.5").split(5).score(Memory(wrong)).metrics
    assert metrics["psnr_seen"] > 110
    assert metrics["psnr_held_out"] == pytest.approx(psnr(0 * VALUES[held_out], VALUES[held_out]))


def test_validation_scores_ask_about_the_validation_part():
    for pattern in PATTERNS:
        split = PictureTask(PICTURE, pattern).split(2, validation=True)
        wrong = VALUES.copy().reshape(-1, 3)
        wrong[split.held_out] = 0
        metrics = split.score(Memory(wrong.reshape(VALUES.shape))).metrics
        assert metrics["psnr_seen"] > 110
        truth = VALUES.reshape(-1, 3)[split.held_out]
        assert metrics["psnr_held_out"] == pytest.approx(psnr(0 * truth, truth))


class Broken(nn.Module):
    """Answers with one value that is not a number."""

    def forward(self, inputs):
        answers = torch.zeros(len(inputs), 3)
        answers[3, 1] = float("nan")
        return answers


@pytest.mark.parametrize("validation", [False, True])
def test_an_answer_that_is_not_finite_scores_as_the_constant(validation):
    split = PictureTask(PICTURE, "random:0.5").split(0, validation=validation)
    mean = VALUES.reshape(-1, 3)[split.seen].mean(axis=0)
    np.testing.assert_allclose(split.reconstruct(Broken())[4, 4], mean, atol=1e-6)
    constant = split.constant_score()
    assert split.score(Broken()) == constant
    assert split.score(Broken(), final=False).metrics.keys() == {"psnr_held_out", "psnr_seen"}
    held_out = VALUES.reshape(-1, 3)[split.held_out]
    assert constant.metrics["psnr_held_out"] == pytest.approx(
        psnr(np.broadcast_to(mean, held_out.shape), held_out), abs=1e-5
    )


def test_a_network_with_other_outputs_is_refused():
    with pytest.raises(PenchantError, match=r"shape \(240, 1\); this picture needs \(240, 3\)"):
        PictureTask(PICTURE).split(0).score(network(outputs=1))


def test_metrics_and_their_margins():
    margins = {metric.name: metric.margin for metric in PictureTask(PICTURE, "every:4").metrics}
    assert margins == {
        "psnr_held_out": 0.5,
        "psnr_seen": 0.5,
        "ssim_held_out": 0.01,
        "ssim_seen": 0.01,
    }
    assert PictureTask(PICTURE, "every:4").metrics[0].name == "psnr_held_out"
    assert [m.name for m in PictureTask(PICTURE).metrics] == ["psnr_seen", "ssim_seen"]


def test_the_fingerprint_knows_the_data_and_the_pattern():
    changed = VALUES.copy()
    changed[0, 0, 0] += 1e-3
    tasks = [
        PictureTask(PICTURE),
        PictureTask(PICTURE, "random:0.5"),
        PictureTask(PICTURE, "random:0.25"),
        PictureTask(Picture("noise", changed.clip(0, 1))),
        PictureTask(Picture("noise", VALUES.reshape(20, 12, 3))),
    ]
    assert len({task.fingerprint for task in tasks}) == len(tasks)
    renamed = PictureTask(Picture("other", VALUES, ("a notice",)), "random:.50")
    assert renamed.fingerprint == tasks[1].fingerprint
    assert renamed.notices == ("a notice",)


def test_a_task_is_immutable_and_pickles_small():
    task = PictureTask(builtin_picture(64), "random:0.5")
    task.split(0)
    for name in ("name", "held_out", "other"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(task, name, "new")
    written = pickle.dumps(task)
    assert len(written) < task.picture.values.nbytes + 1000
    copy = pickle.loads(written)
    assert copy.fingerprint == task.fingerprint
    assert (copy.name, copy.metrics, copy.nyquist) == (task.name, task.metrics, 16)
    assert (copy.inputs, copy.outputs, copy.seen_values()) == (2, 3, 64 * 64 * 3 // 2)


def test_the_smallest_picture_can_be_asked_for_all():
    tiny = Picture("tiny", VALUES[:2, :2, :1])
    for pattern in ("none", "random:0.5", "checkerboard"):
        for validation in (False, True):
            split = PictureTask(tiny, pattern).split(0, validation=validation)
            assert len(split.inputs) >= 1
            metrics = split.score(network(outputs=1)).metrics
            assert np.isfinite([v for name, v in metrics.items() if "psnr" in name]).all()
            assert all(np.isnan(v) for name, v in metrics.items() if "ssim" in name)


def test_a_picture_too_small_for_its_pattern_is_refused_at_once():
    with pytest.raises(PenchantError, match="2×2 samples: 0 seen and 4 held out"):
        PictureTask(Picture("tiny", VALUES[:2, :2]), "random:0.9")


def test_where_all_is_seen_points_are_not_copied():
    task = PictureTask(PICTURE)
    assert task.split(0).inputs is task.points
    assert not np.shares_memory(task.split(0).targets.numpy(), task.values)


def test_a_score_says_whether_every_answer_is_finite():
    split = PictureTask(PICTURE, "checkerboard").split(0)
    assert split.score(network()).finite and split.score(network(), final=False).finite
    assert not split.score(Broken()).finite and not split.constant_score().finite
