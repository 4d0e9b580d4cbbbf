import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from penchant.explain import Explanation
from penchant.explain._sigmoid import sigmoid
from penchant.explain._sigmoid_examples import (
    equal_line,
    equal_plane,
    three_classes,
    unequal_line,
    unequal_plane,
)
from penchant.explain._sigmoid_runs import SEEDS, SIZES, SPLITS, Learnt, Mended, learn, mend
from penchant.tasks import GaussianClasses, calibration_error


@dataclass
class Measured:
    equal: Learnt
    unequal: Learnt
    tumours: Mended
    explanation: Explanation


@pytest.fixture(scope="module")
def measured() -> Measured:
    """All that the topic measures, once, and the explanation made of it."""
    return Measured(learn(equal_plane), learn(unequal_plane), mend(), sigmoid())


def means(learnt: Learnt) -> dict[str, np.ndarray]:
    return {name: values.mean(axis=1) for name, values in learnt.distance.items()}


def value(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def test_the_worked_numbers_are_what_scipy_says(measured: Measured) -> None:
    from scipy.special import expit
    from scipy.stats import norm

    table = measured.explanation.table
    assert len(table.rows) == 6
    for row in table.rows[:3] + table.rows[4:]:  # the boundary is printed rounded
        x, zero, one, bayes, logit, answer, apart = map(value, row)
        densities = norm(-1, 1.5**0.5).pdf(x), norm(2, 1.5**0.5).pdf(x)
        posterior = 0.25 * densities[1] / (0.75 * densities[0] + 0.25 * densities[1])
        assert (zero, one) == pytest.approx(densities, abs=6e-5)
        assert bayes == pytest.approx(posterior, abs=6e-5) == answer
        assert logit == pytest.approx(2 * x - 1 - np.log(3), abs=6e-5)
        assert expit(logit) == pytest.approx(posterior, abs=1e-5)
        assert apart < 1e-12
    assert "= 2.0000" in table.caption and "= −2.0986" in table.caption


@pytest.mark.parametrize("make", [equal_line, unequal_line, equal_plane, unequal_plane])
def test_on_every_example_the_sigmoid_of_the_closed_form_is_the_posterior(
    make: Callable[[], GaussianClasses],
) -> None:
    classes = make()
    x, _ = classes.sample(2_000, seed=1)
    equal = classes.equal_covariances
    assert equal == (make in (equal_line, equal_plane))
    logit = (classes.linear_logits() if equal else classes.quadratic_logits()).log_odds()
    torch.testing.assert_close(
        torch.sigmoid(logit(x)), classes.posterior(x)[:, 1], rtol=0, atol=1e-12
    )


def test_three_classes_are_a_softmax() -> None:
    classes = three_classes()
    x, _ = classes.sample(2_000, seed=1)
    found = torch.softmax(classes.linear_logits()(x), dim=1)
    torch.testing.assert_close(found, classes.posterior(x), rtol=0, atol=1e-12)


def test_with_equal_covariances_all_learners_approach_and_the_unit_is_nearest(
    measured: Measured,
) -> None:
    found = means(measured.equal)
    assert measured.equal.distance["network"].shape == (len(SIZES), SEEDS)
    for distance in found.values():
        assert (np.diff(distance) < 0).all() and distance[-1] < distance[0] / 5
    for other in ("quadratic unit", "network"):
        assert (found["logistic unit"] < found[other]).all()
    assert found["network"][-1] < 0.02


def test_the_units_parameters_approach_the_closed_form(measured: Measured) -> None:
    logit = equal_plane().linear_logits().log_odds()
    exact = np.array([*logit.weight.tolist(), float(logit.bias)])
    errors = [np.abs(np.array(unit) - exact).max() for unit in measured.equal.units]
    assert errors[0] > 2 * errors[1] > 2 * errors[2] and errors[2] < 0.06


def test_with_unequal_covariances_the_unit_stays_away_and_the_others_approach(
    measured: Measured,
) -> None:
    found = means(measured.unequal)
    unit = found["logistic unit"]
    assert unit.min() > 0.12 and unit[-1] > 0.97 * unit[1] and unit[0] < found["network"][0]
    assert found["quadratic unit"][-1] < 0.015 and found["network"][-1] < 0.04
    assert found["network"][-1] < found["network"][0] / 4


def test_the_unit_is_not_calibrated_where_the_others_are(measured: Measured) -> None:
    errors = {
        name: calibration_error(probability, measured.unequal.labels, 10)
        for name, probability in measured.unequal.probability.items()
    }
    assert errors["logistic unit"] > 0.08
    assert errors["quadratic unit"] < 0.025 and errors["network"] < 0.025


def test_temperature_scaling_mends_the_tumours_network(measured: Measured) -> None:
    found = measured.tumours
    assert found.sizes == (113, 228, 228) and found.loss.max() < 1e-3
    assert len(found.labels) == len(found.probability[0]) == SPLITS * found.sizes[2]
    nll, confidence = found.scores["nll"], found.scores["confidence"]
    assert (nll[:, 1] < nll[:, 0]).sum() >= SPLITS - 1
    assert nll[:, 1].mean() < 0.5 * nll[:, 0].mean()
    error = found.scores["error"].mean(axis=0)
    assert error[1] < error[0] and error[1] < 1.5 * found.chance.mean()
    accuracy = found.accuracy.mean()
    assert 0.93 < accuracy < 0.99
    gaps = np.abs(confidence.mean(axis=0) - accuracy)
    assert gaps[1] < 0.5 * gaps[0] and confidence[:, 0].mean() > 0.98
    assert (found.temperature > 1).all()
    before, after = found.probability
    assert ((before > 0.5) == (after > 0.5)).all()


def test_the_page_says_what_was_measured(measured: Measured) -> None:
    explanation = measured.explanation
    assert explanation.topic == "sigmoid" and len(explanation.sections) == 6
    text = " ".join(p for section in explanation.sections for p in section.paragraphs)
    unit = means(measured.unequal)["logistic unit"]
    assert f"from {unit[0]:.3f} to {unit[-1]:.3f}" in text
    wins = (np.diff(measured.tumours.scores["nll"]) < 0).sum()
    assert f"falls in {wins} of {SPLITS} splits" in text
    apart = re.search(r"differ by (\S+) at most", text)
    assert apart is not None and value(apart[1]) < 1e-12


def test_every_figure_belongs_to_the_page(measured: Measured) -> None:
    figures = [figure for section in measured.explanation.sections for figure in section.figures]
    assert len(figures) == 8
    names = [re.findall(r'\bid="(sigmoid-[a-z]+(?:-[a-z]+)?)-', str(f.svg)) for f in figures]
    assert len({found[0] for found in names}) == len(figures)
    for figure in figures:
        assert figure.title and figure.caption and 'role="img"' in figure.svg
        assert "#01" not in figure.svg, "a stand-in colour was left"
    for section in measured.explanation.sections:
        for table in section.tables:
            assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_same_numbers_come_out_again(measured: Measured) -> None:
    from penchant.explain import _sigmoid_runs as runs

    x, labels = equal_plane().sample(SIZES[0], 0)
    unit = runs._trained(runs._unit(2), x.float(), labels, 200, runs.RATES["logistic unit"], 0)
    assert (*unit.weight[0].tolist(), unit.bias.item()) == measured.equal.units[0]
