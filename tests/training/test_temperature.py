import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import penchant as pn
from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.training import Temperature, calibrate


def drawn(seed: int, samples: int, classes: int) -> tuple[Tensor, Tensor]:
    """Logits, and labels drawn from their softmax: the best temperature is near 1."""
    draws = generator(seed, "test/temperature")
    logits = 2 * torch.randn(samples, classes, dtype=torch.float64, generator=draws)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=draws)[:, 0]


def nll(logits: Tensor, labels: Tensor) -> float:
    return float(nn.functional.cross_entropy(logits, labels))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 8), st.floats(-6, 6))
def test_a_known_factor_is_recovered(seed: int, classes: int, power: float) -> None:
    logits, labels = drawn(seed, 200, classes)
    factor = math.exp(power)
    own, scaled = calibrate(logits, labels), calibrate(factor * logits, labels)
    assert float(scaled.temperature) == pytest.approx(factor * float(own.temperature), rel=1e-10)
    assert scaled.nll_after == pytest.approx(own.nll_after, abs=1e-12)


def test_labels_drawn_from_the_softmax_have_temperature_1() -> None:
    logits, labels = drawn(0, 100_000, 5)
    assert float(calibrate(logits, labels).temperature) == pytest.approx(1, abs=0.02)
    assert float(calibrate(3 * logits, labels).temperature) == pytest.approx(3, abs=0.06)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 8), st.floats(0.01, 100))
def test_it_is_the_best_and_leaves_the_answers_as_they_were(
    seed: int, classes: int, factor: float
) -> None:
    logits, labels = drawn(seed, 100, classes)
    logits = factor * logits
    temperature = calibrate(logits, labels)
    after = temperature(logits)
    assert torch.equal(after.argmax(1), logits.argmax(1))
    assert temperature.nll_before == pytest.approx(nll(logits, labels), rel=1e-12)
    assert temperature.nll_after == pytest.approx(nll(after, labels), rel=1e-12)
    assert temperature.nll_after <= temperature.nll_before + 1e-12
    for nearby in (0.99, 1.01):
        assert temperature.nll_after < nll(after / nearby, labels)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_scipy_finds_the_same(seed: int, factor: float) -> None:
    from scipy.optimize import minimize_scalar

    logits, labels = drawn(seed, 150, 4)
    logits = factor * logits
    found = minimize_scalar(
        lambda power: nll(logits / math.exp(power), labels), bounds=(-8, 8), method="bounded"
    )
    assert math.log(float(calibrate(logits, labels).temperature)) == pytest.approx(
        float(found.x), abs=1e-4
    )


def test_a_sigmoid_is_a_softmax_of_two() -> None:
    logits, labels = drawn(1, 300, 2)
    single = logits[:, 1] - logits[:, 0]
    expected = float(calibrate(logits, labels).temperature)
    for given_logits, given_labels in (
        (single, labels),
        (single[:, None], labels),
        (single[:, None], labels[:, None].double()),
        (single, labels.bool()),
    ):
        temperature = calibrate(given_logits, given_labels)
        assert float(temperature.temperature) == pytest.approx(expected, rel=1e-12)
    binary = nn.functional.binary_cross_entropy_with_logits(single / expected, labels.double())
    assert temperature.nll_after == pytest.approx(float(binary), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_it_stands_behind_a_network_of_any_precision(dtype: torch.dtype) -> None:
    logits, labels = drawn(2, 500, 3)
    logits = (4 * logits).to(dtype).requires_grad_()
    temperature = pn.calibrate(logits, labels)
    assert temperature.temperature.dtype == torch.float32
    assert not list(temperature.parameters())
    assert temperature(logits).dtype == dtype
    expected = float(calibrate(logits.double(), labels).temperature)
    assert float(temperature.temperature) == pytest.approx(expected, rel=1e-6)
    again = Temperature()
    again.load_state_dict(nn.Sequential(temperature)[0].state_dict())
    assert torch.equal(again.temperature, temperature.temperature)


def test_an_overconfident_network_on_real_data_is_mended() -> None:
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    inputs, labels = load_digits(return_X_y=True)
    fitted = LogisticRegression(C=1e4, max_iter=2000).fit(inputs[:600], labels[:600])
    logits = torch.from_numpy(fitted.decision_function(inputs[600:]))
    classes = torch.from_numpy(labels[600:])
    calibrated = nn.Sequential(nn.Identity(), pn.calibrate(logits[:600], classes[:600]))
    assert float(calibrated[1].temperature) > 1.5
    assert nll(calibrated(logits[600:]), classes[600:]) < 0.8 * nll(logits[600:], classes[600:])


def test_one_mistake_is_enough() -> None:
    # Of n answers with logits ±z one is wrong: the best confidence is 1 − 1/n.
    for n, z in ((10, 1e-3), (1000, 1e3), (100_000, 5.0)):
        logits = torch.full((n,), z, dtype=torch.float64)
        labels = torch.ones(n, dtype=torch.int64)
        labels[0] = 0
        found = torch.sigmoid(calibrate(logits, labels)(logits))
        np.testing.assert_allclose(found.numpy(), 1 - 1 / n, rtol=1e-10)


THREE = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 0.5], [0.0, 1.0, 3.0], [1.0, 0.0, 0.0]])


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (THREE, torch.tensor([0, 1, 2, 0]), "all 4 answers are right.*at least one mistake"),
        (THREE, torch.tensor([1, 0, 0, 1]), "no larger than the others.*order of the classes"),
        (torch.zeros(4, 3), torch.tensor([1, 0, 0, 1]), "no larger than the others"),
        (torch.zeros(0, 3), torch.zeros(0), r"logits of shape \(0, 3\).*needs floating-point"),
        (THREE[None], torch.zeros(1), r"needs floating-point logits of shape \(samples, classes\)"),
        (THREE.long(), torch.zeros(4), "needs floating-point logits"),
        (THREE, torch.zeros(3), r"labels of shape \(3,\)\): needs labels of shape \(4,\)"),
        (THREE, torch.zeros(4, 1), r"labels of shape \(4, 1\)\): needs labels of shape \(4,\)"),
        (THREE / 0, torch.zeros(4), "every logit must be finite"),
        (THREE, torch.tensor([0, 1, 3, 0]), "label 3 is none of the classes 0 to 2"),
        (THREE, torch.tensor([0, 1, -1, 0]), "label -1 is none of the classes 0 to 2"),
        (THREE[:, 0], torch.tensor([0.0, 0.5, 1.0, 1.0]), r"label 0\.5 is none of.*0 to 1"),
        (THREE[:, 0], torch.tensor([0.0, math.nan, 1, 1]), "label nan is none of"),
    ],
)
def test_input_that_does_not_fit_is_named(logits: Tensor, labels: Tensor, message: str) -> None:
    with pytest.raises(PenchantError, match=message) as raised:
        calibrate(logits, labels)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("number", [0.0, -1.0, math.inf, math.nan])
def test_a_temperature_is_a_positive_number(number: float) -> None:
    with pytest.raises(PenchantError, match="needs a finite number above 0"):
        Temperature(number)
