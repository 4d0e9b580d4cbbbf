"""Shapes in the plane: true boundaries, keyed samples and noise, scores, bad words."""

import math
import pickle

import pytest
import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.probes import decision_boundary
from penchant.study import Study
from penchant.tasks import PlaneShape, PlaneTask, is_drawn, is_labelled, load_drawn

TURN = 2 * math.pi


class Exact(nn.Module):
    """The truth, as a network that is given a split's standardised samples."""

    def __init__(self, truth: PlaneShape, sharpness: float = 100.0) -> None:
        super().__init__()
        self.truth, self.sharpness = truth, sharpness

    def forward(self, samples: Tensor) -> Tensor:
        logit = self.sharpness * self.truth(samples / math.sqrt(3))
        return torch.cat([-logit, logit], dim=1)


@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_closed_shapes_are_alike_but_for_their_smoothness(angle: float) -> None:
    circle, square = (decision_boundary(PlaneShape(shape, angle)) for shape in ("circle", "square"))
    assert circle.length == pytest.approx(TURN * 0.7, rel=1e-3)
    assert square.length == pytest.approx(4 * math.sqrt(math.pi) * 0.7, rel=5e-3)  # equal area
    assert circle.turning == pytest.approx(TURN, abs=0.01)
    assert square.turning == pytest.approx(TURN, abs=0.01)


def test_open_shapes_are_alike_but_for_their_smoothness() -> None:
    wave, zigzag = (decision_boundary(PlaneShape(shape)) for shape in ("wave", "zigzag"))
    assert zigzag.length == pytest.approx(2 * math.hypot(1, 1.6), rel=1e-3)
    assert wave.length == pytest.approx(3.9038, rel=1e-3)
    assert zigzag.turning == pytest.approx(8 * math.atan(1.6), abs=0.01)
    assert wave.turning == pytest.approx(8 * math.atan(0.8 * math.pi), abs=0.01)


@pytest.mark.parametrize(("shape", "pieces"), [("line", 1), ("stripes", 5)])
def test_lines_do_not_turn(shape: str, pieces: int) -> None:
    found = decision_boundary(PlaneShape(shape, 0.1))
    assert found.pieces == pieces
    assert found.turning == pytest.approx(0, abs=1e-3)


def test_seeds_draw_angle_points_noise_and_what_is_held_out() -> None:
    task = PlaneTask(shape="square", samples=2000, noise=0.2, test=1000)
    one, again, other = task.split(0), task.split(0), task.split(1)
    assert torch.equal(one.inputs, again.inputs) and torch.equal(one.targets, again.targets)
    assert not torch.equal(one.inputs, other.inputs)
    assert task.truth(0).angle != task.truth(1).angle
    assert one.inputs.std(dim=0).tolist() == pytest.approx([1, 1], abs=0.05)
    assert one.points.abs().max() <= 1
    turned_over = (task.truth(0)(one.points)[:, 0] > 0).long() != one.labels
    assert float(turned_over.double().mean()) == pytest.approx(0.2, abs=0.03)
    fewer = PlaneTask(shape="square", samples=100).split(0)
    assert torch.equal(fewer.points, one.points[:100]), "a part of what more samples are"


def test_the_truth_scores_best() -> None:
    task = PlaneTask(shape="wave", noise=0.1)
    found = task.split(3).score(Exact(task.truth(3))).metrics
    assert set(found) == {metric.name for metric in task.metrics}
    assert found["accuracy_held_out"] == 100
    assert found["accuracy_seen"] == pytest.approx(90, abs=6)
    assert found["boundary_length_error"] == pytest.approx(0, abs=0.01)
    assert found["boundary_turning_error"] == pytest.approx(0, abs=0.01)
    assert found["boundary_pieces"] == decision_boundary(task.truth(3)).pieces


def test_excess_has_a_sign_and_error_has_none() -> None:
    task = PlaneTask(shape="circle")

    class Line(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([0 * x[:, 0], x[:, 0]], dim=1)

    found = task.split(0).score(Line()).metrics
    assert found["boundary_turning_excess"] == pytest.approx(-1, abs=1e-3)
    assert found["boundary_turning_error"] == pytest.approx(1, abs=1e-3)
    excess = 100 * (2 / (TURN * 0.7) - 1)
    assert found["boundary_length_excess"] == pytest.approx(excess, abs=0.1)
    assert found["boundary_length_error"] == pytest.approx(-excess, abs=0.1)
    assert task.split(0).score(Line(), final=False).metrics.keys() == {
        metric.name for metric in task.metrics if metric.watched
    }


def test_no_answer_has_no_boundary() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / 0

    class BrokenElsewhere(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(x.abs() == math.sqrt(3), torch.inf, x)

    split = PlaneTask(shape="circle").split(0)
    constant = split.constant_score().metrics
    assert split.score(Broken()).metrics == constant
    assert constant["boundary_length_excess"] == -100
    assert constant["boundary_turning_excess"] == pytest.approx(-1, abs=1e-3)
    assert constant["boundary_pieces"] == 0
    assert split.score(BrokenElsewhere()).metrics["boundary_pieces"] == 0
    with pytest.raises(PenchantError, match="one number a class"):
        split.score(nn.Linear(2, 3))


def test_pilots_see_noise_and_are_told_nothing_of_the_boundary() -> None:
    task = PlaneTask(shape="circle", samples=500, noise=0.3)
    whole, part = task.split(2), task.split(2, validation=True)
    assert len(part.inputs) == 400
    seen = {tuple(point) for point in whole.inputs.tolist()}
    assert all(tuple(point) in seen for point in part.inputs.tolist())
    found = part.score(Exact(task.truth(2))).metrics
    assert found["accuracy_held_out"] < 90
    assert all(math.isnan(found[m.name]) for m in task.metrics if m.name.startswith("boundary"))


def test_names_and_fingerprints() -> None:
    same = load_drawn("plane: noise=.10, shape=wave,samples=300")
    assert same.name == "plane:shape=wave,samples=300"
    assert same.fingerprint == PlaneTask(shape="wave", samples=300).fingerprint
    words = ({"samples": 100}, {"noise": 0.2}, {"test": 100}, {"shape": "line"})
    assert len({PlaneTask(**one).fingerprint for one in words} | {same.fingerprint}) == 5
    revived = pickle.loads(pickle.dumps(same))
    assert (revived.name, revived.fingerprint) == (same.name, same.fingerprint)
    assert is_drawn("plane") and is_drawn(same) and not is_labelled("plane:samples=300")
    assert not is_drawn("./plane") and not is_drawn("plane.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plane:shape=wav", "shape='wav' is unknown; did you mean 'wave'?"),
        ("plane:shape", "shape='' is unknown"),
        ("plane:samples=2", "samples=2: needs a whole number from 50 to 100,000"),
        ("plane:samples=60.5", "'samples=60.5' is not of the form name=number, such as samples"),
        ("plane:noise=0.5", "noise=0.5: needs a share of labels from 0 to 0.45"),
        ("plane:noise=nan", "noise=nan: needs a share of labels"),
        ("plane:sample=200", "'sample' is unknown; did you mean 'samples'?"),
        ("plane:noise=0,noise=0", "noise is given twice"),
    ],
)
def test_bad_words_are_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(PenchantError) as error:
        load_drawn(text)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_study_of_boundaries() -> None:
    signals = [f"plane:shape={shape},samples=100,test=100" for shape in ("line", "circle")]
    study = Study(
        signals,
        vary={"activation": ["relu", "gaussian"]},
        metric="boundary_length_error",
        also=["boundary_turning_excess"],
        judge="each",
        seeds=2,
        steps=20,
        tune=2,
    )
    assert {one.family for one in study.plan.labelled().values()} == {"dense"}
    assert {job.metric for job in study.pilot_jobs} == {"accuracy_held_out"}
    results = study.run()
    assert [one.metric for one in results.verdicts].count("boundary_turning_excess") == 2
    assert all(math.isfinite(pilot.score) for pilot in results.pilots)
    with pytest.raises(PenchantError, match="is a shape to learn; noise is an option of its own"):
        Study(["plane"], noise=0.1)
