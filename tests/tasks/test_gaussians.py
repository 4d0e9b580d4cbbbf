"""Two Gaussian classes as a task: keyed samples, the posterior's own score, bad words."""

import math
import pickle
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.study import Study
from penchant.tasks import GaussianClasses, GaussiansTask, is_drawn, is_labelled, load_drawn


class Exact(nn.Module):
    """The true posterior's logits, times a number."""

    def __init__(self, classes: GaussianClasses, times: float = 1.0) -> None:
        super().__init__()
        self.logits, self.times = classes.quadratic_logits(), times

    def forward(self, points: Tensor) -> Tensor:
        return cast(Tensor, self.times * self.logits(points.double()))


@pytest.mark.parametrize("kind", ["equal", "unequal"])
def test_the_posterior_scores_best(kind: str) -> None:
    task = GaussiansTask(covariances=kind, test=2000)
    classes = task.classes(3)
    assert classes.equal_covariances == (kind == "equal")
    split = task.split(3)
    true, sure = (split.score(Exact(classes, times)).metrics for times in (1.0, 3.0))
    assert set(true) == {metric.name for metric in task.metrics}
    assert true["posterior_distance"] < 1e-4 and abs(true["posterior_kl"]) < 1e-6
    assert true["posterior_ece_excess"] == pytest.approx(0, abs=0.2)  # bins' borders, in float32
    assert sure["posterior_kl"] > 0.05 and sure["posterior_distance"] > 3
    assert sure["posterior_ece_excess"] > 3
    assert sure["nll_held_out"] > true["nll_held_out"]


def test_the_divergence_is_what_the_likelihood_lacks() -> None:
    """KL(P ‖ p) is the expected excess of −log p over that of the posterior."""
    task = GaussiansTask(test=100_000)
    split, classes = task.split(0), task.classes(0)
    true, other = (split.score(Exact(classes, times)).metrics for times in (1.0, 2.0))
    excess = other["nll_held_out"] - true["nll_held_out"]
    assert other["posterior_kl"] == pytest.approx(excess, abs=0.01)


def test_seeds_draw_angle_and_samples() -> None:
    task = GaussiansTask(samples=200, test=100)
    one, again, other = task.split(0), task.split(0), task.split(1)
    assert torch.equal(one.inputs, again.inputs) and torch.equal(one.targets, again.targets)
    assert not torch.equal(one.inputs, other.inputs)
    first, second = task.classes(0), task.classes(1)
    assert not torch.allclose(first.means, second.means)
    assert torch.allclose(first.means.norm(dim=1), second.means.norm(dim=1))
    values = (torch.linalg.eigvalsh(one.covariances[0]) for one in (first, second))
    assert torch.allclose(*values)


def test_a_pilot_is_told_nothing_of_the_posterior() -> None:
    task = GaussiansTask(samples=100)
    split = task.split(0, validation=True)
    assert len(split.inputs) == 80
    found = split.score(Exact(task.classes(0))).metrics
    assert not [name for name in found if name.startswith("posterior_")]
    study = Study("gaussians", metric="posterior_kl", designs=[{"width": 4}, {"width": 5}])
    assert study.shown.name == "nll_held_out"


def test_what_is_not_finite_is_scored_as_the_constant() -> None:
    task = GaussiansTask(samples=100, test=100)
    split = task.split(0)
    broken = split.score(Exact(task.classes(0), math.nan)).metrics
    assert broken == split.constant_score().metrics
    assert all(map(math.isfinite, broken.values()))


def test_is_named_by_its_words() -> None:
    task = load_drawn("gaussians:covariances=unequal, samples=300")
    assert task.name == "gaussians:covariances=unequal,samples=300"
    assert is_drawn(task) and is_drawn("gaussians") and not is_labelled("gaussians")
    same = pickle.loads(pickle.dumps(task))
    assert same.fingerprint == task.fingerprint != GaussiansTask().fingerprint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("gaussians:covariances=odd", "'odd' is unknown"),
        ("gaussians:samples=3", "samples=3: needs a whole number from 50"),
        ("gaussians:noise=3", "'noise' is unknown"),
        ("gaussians:samples=x", "name=number"),
    ],
)
def test_bad_words_are_one_line(words: str, said: str) -> None:
    with pytest.raises(PenchantError) as error:
        load_drawn(words)
    assert said in str(error.value) and "\n" not in str(error.value)
