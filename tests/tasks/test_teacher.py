"""The teacher: closed-form moments in any number of dimensions, keyed samples, R², bad words."""

import math
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.study import Study
from penchant.tasks import Teacher, TeacherTask, is_drawn, load_drawn

SIZES = [(2, 1, 1), (2, 8, 3), (10, 4, 3), (100, 4, 3), (1000, 16, 2)]
"""(inputs, ridges, degree)."""


def normal(count: int, inputs: int, seed: int = 0) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(count, inputs, generator=draws, dtype=torch.float64)


@pytest.mark.parametrize(("inputs", "ridges", "degree"), SIZES)
def test_variance_is_one_and_roughness_is_of_the_degree_alone(
    inputs: int, ridges: int, degree: int
) -> None:
    parts = [1 / j**2 for j in range(1, degree + 1)]
    expected = sum(j * part for j, part in enumerate(parts, start=1)) / sum(parts)
    means, variances, gradients = [], [], []
    for draw in range(4):
        x = normal(20_000 if inputs < 1000 else 4000, inputs, draw).requires_grad_()
        f = Teacher(inputs, ridges, degree, draw)(x)
        (slope,) = torch.autograd.grad(f.sum(), x)
        f = f.detach()
        means.append(float(f.mean()))
        variances.append(float(f.var()))
        gradients.append(float(slope.square().sum(dim=1).mean()))
    assert abs(np.mean(means)) < 0.03
    assert np.mean(variances) == pytest.approx(1, abs=0.06)
    assert np.mean(gradients) == pytest.approx(expected, abs=0.12)


def test_the_polynomials_are_the_hermite_ones() -> None:
    teacher = Teacher(3, ridges=2, degree=4, draw=5)
    x = normal(50, 3)
    hermite = np.polynomial.hermite_e.hermeval
    expected = np.zeros(50)
    for direction, coefficients in zip(teacher.directions, teacher.coefficients, strict=True):
        t = (x @ direction).numpy()
        series = [0.0] + [
            float(c) / math.sqrt(math.factorial(j)) for j, c in enumerate(coefficients, start=1)
        ]
        expected += hermite(t, series)
    assert teacher(x)[:, 0].numpy() == pytest.approx(expected, abs=1e-12)
    assert teacher.directions.norm(dim=1).numpy() == pytest.approx(np.ones(2))


def test_every_input_matters() -> None:
    x = normal(100, 200).requires_grad_()
    (slope,) = torch.autograd.grad(Teacher(200)(x).sum(), x)
    assert bool((slope.square().mean(dim=0) > 1e-6).all())


def test_seeds_draw_function_samples_noise_and_what_is_held_out() -> None:
    task = TeacherTask(inputs=5, samples=400, noise=0.5, test=300)
    one, again, other = task.split(0), task.split(0), task.split(1)
    assert torch.equal(one.inputs, again.inputs) and torch.equal(one.targets, again.targets)
    assert not torch.equal(one.inputs, other.inputs)
    assert (one.inputs.shape, one.targets.shape) == ((400, 5), (400, 1))
    noise = one.targets - task.teacher(0)(one.inputs)
    assert float(noise.std()) == pytest.approx(0.5, rel=0.15)
    assert not torch.allclose(noise, other.targets - task.teacher(1)(other.inputs))
    exact = one.score(task.teacher(0)).metrics
    assert exact["r2_held_out"] == pytest.approx(100)
    assert exact["r2_seen"] == pytest.approx(100 * (1 - 0.25 / 1.25), abs=6)
    assert other.score(task.teacher(1)).metrics["r2_held_out"] == pytest.approx(100)
    assert other.score(task.teacher(0)).metrics["r2_held_out"] < 50


def test_validation_is_a_fifth_of_the_seen_with_their_noise() -> None:
    task = TeacherTask(inputs=3, samples=50, noise=1.0)
    whole, part = task.split(2), task.split(2, validation=True)
    assert torch.equal(whole.inputs[10:], part.inputs)
    assert torch.equal(whole.targets[10:], part.targets)
    assert part.score(task.teacher(2)).metrics["r2_held_out"] < 99


def test_scores_are_explained_variance() -> None:
    split = TeacherTask(inputs=3, samples=50).split(0)
    constant = split.constant_score().metrics
    assert constant["r2_seen"] == pytest.approx(0, abs=1e-4)
    assert -20 < constant["r2_held_out"] <= 0

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :1] / 0

    assert split.score(Broken()).metrics == constant
    with pytest.raises(PenchantError, match="one number a point"):
        split.score(nn.Linear(3, 2))


def test_names_and_fingerprints() -> None:
    same = load_drawn("teacher: samples=1000,inputs=7,noise=.10")
    assert same.name == "teacher:inputs=7"
    assert same.fingerprint == TeacherTask(inputs=7).fingerprint
    others = [TeacherTask(inputs=7, **{word: 20}) for word in ("samples", "noise", "test")]
    assert len({task.fingerprint for task in others} | {same.fingerprint}) == 4
    revived = pickle.loads(pickle.dumps(same))
    assert (revived.name, revived.fingerprint) == (same.name, same.fingerprint)
    assert is_drawn("teacher") and is_drawn(same)
    assert not is_drawn("./teacher") and not is_drawn("teachers:inputs=3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("teacher:inputs=0", "inputs=0: needs a whole number from 1 to 100,000"),
        ("teacher:inputs=2.5", "'inputs=2.5' is not of the form name=number"),
        ("teacher:inputs", "'inputs' is not of the form name=number"),
        ("teacher:", "'' is not of the form name=number"),
        ("teacher:ridge=2", "'ridge' is unknown; did you mean 'ridges'?"),
        ("teacher:noise=-1", "noise=-1.0: needs a number from 0"),
        ("teacher:noise=nan", "noise=nan: needs a number from 0"),
        ("teacher:inputs=3,inputs=4", "inputs is given twice"),
        ("teacher:inputs=100000,samples=1000000", "at most 100,000,000 fit"),
    ],
)
def test_bad_words_are_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(PenchantError) as error:
        load_drawn(text)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_study_of_teachers_from_2_to_1000_inputs() -> None:
    signals = [f"teacher:inputs={inputs},samples=200,test=200" for inputs in (2, 1000)]
    study = Study(signals, vary={"activation": ["relu", "sine"]}, seeds=1, steps=30, tune=2)
    assert {one.family for one in study.plan.labelled().values()} == {"dense"}
    results = study.run()
    assert results.metric == "r2_held_out" and results.plan["noun"] == "function"
    in_two = [run for run in results.runs if run.signal == signals[0]]
    assert len(in_two) == 2 and all(run.metrics["r2_held_out"] > 30 for run in in_two)
    assert all(run.status == "done" for run in results.runs)
