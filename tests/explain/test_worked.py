"""The notes' numbers: from the public functions, from autograd, and by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from penchant.divergences import L2, BinaryKL, Divergence, binary_kl, l2
from penchant.explain import Explanation
from penchant.explain._worked import along, logit, worked

NOTES = ((1.0, 1.5), (1.0, 0.0), (1.0, 0.9), (0.0, 0.9))
BY_HAND = {
    "l2": [
        ("0.125", "0.500", "raises", "–"),
        ("0.500", "−1.000", "lowers", "0.000"),
        ("0.005", "−0.100", "lowers", "−0.009"),
        ("0.405", "0.900", "raises", "0.081"),
    ],
    "kl": [
        ("–", "–", "no probability", "–"),
        ("∞", "−∞", "lowers", "−1.000"),
        ("0.105", "−1.111", "lowers", "−0.100"),
        ("2.303", "10.000", "raises", "0.900"),
    ],
}
FUNCTIONS = {"l2": l2, "kl": binary_kl}


@pytest.mark.parametrize("topic", BY_HAND)
def test_the_table_holds_the_notes_numbers(
    explained: Callable[[str], Explanation], topic: str
) -> None:
    rows = explained(topic).table.rows
    for row, (target, answer), hand in zip(rows, NOTES, BY_HAND[topic], strict=True):
        assert row[0] == f"d = {target:g}, y = {answer:g}"
        assert (row[1], row[2], row[4]) == (hand[0], hand[1], hand[3])
        assert hand[2] in row[3]


@pytest.mark.parametrize("topic", BY_HAND)
def test_the_table_agrees_with_the_public_function_and_autograd(
    explained: Callable[[str], Explanation], topic: str
) -> None:
    for row, (target, answer) in zip(explained(topic).table.rows, NOTES, strict=True):
        if row[1] == "–":
            continue
        y = torch.tensor([[answer]], dtype=torch.float64, requires_grad=True)
        value = FUNCTIONS[topic](y, torch.tensor([[target]], dtype=torch.float64))
        (slope,) = torch.autograd.grad(value, y)
        assert _read(row[1]) == pytest.approx(value.item(), abs=5e-4)
        assert _read(row[2]) == pytest.approx(slope.item(), abs=5e-4)


def test_why_kl_over_l2_agrees_with_the_public_functions(
    explained: Callable[[str], Explanation],
) -> None:
    for case, z, *numbers in explained("kl-vs-l2").table.rows:
        target, answer = (float(part.split("=")[1]) for part in case.split(","))
        d = torch.tensor([[target]], dtype=torch.float64)
        y = torch.tensor([[answer]], dtype=torch.float64)
        assert _read(z) == pytest.approx(
            math.log(answer / (1 - answer)) if answer else -math.inf, abs=5e-3
        )
        squared, relative = l2(y, d).item(), binary_kl(y, d).item()
        by_hand = (squared, (answer - target) * answer * (1 - answer), relative, answer - target)
        assert [_read(number) for number in numbers] == pytest.approx(by_hand, abs=5e-5)


def _read(shown: str) -> float:
    return float(shown.replace("−", "-").replace("∞", "inf"))


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("divergence", [L2, BinaryKL])
@given(answer=st.floats(0.001, 0.999))
def test_the_logits_derivative_is_the_answers_times_the_sigmoids(
    divergence: type[Divergence], target: float, answer: float
) -> None:
    case = worked(divergence, target, answer)
    assert case.by_logit == pytest.approx(case.by_answer * answer * (1 - answer), rel=1e-9)
    assert case.direction.startswith(f"increasing y {'raises' if answer > target else 'lowers'}")


def test_fully_right_is_zero_by_the_logit_alone() -> None:
    for end in (1.0, 0.0):
        case = worked(BinaryKL, end, end)
        assert (case.value, case.by_answer, case.by_logit) == (0.0, 1 - 2 * end, 0.0)
        assert worked(L2, end, end).numbers() == ("0.000", "0.000", "0.000")
        assert worked(BinaryKL, end, 1 - end).value == math.inf


def test_the_page_on_kl_says_so(explained: Callable[[str], Explanation]) -> None:
    caption = explained("kl").table.caption
    assert "at d = 1, y = 1, KL is 0 and dDiv/dz is 0, but dDiv/dy is −1." in caption
    (corners,) = (table for section in explained("kl").sections for table in section.tables)
    assert corners.rows == (
        ("d = 1, y = 1", "0", "−1", "0"),
        ("d = 1, y = 0", "∞", "−∞", "−1"),
        ("d = 0, y = 1", "∞", "∞", "1"),
        ("d = 0, y = 0", "0", "1", "0"),
    )


def test_curves_are_single_samples() -> None:
    outputs = np.array([-0.5, 0.25, 3.0])
    values, slopes = along(L2(reduction="none"), outputs, 1.0)
    assert values == pytest.approx(0.5 * (outputs - 1) ** 2)
    assert slopes == pytest.approx(outputs - 1)


@given(st.floats(0.0, 1.0))
def test_a_logit_leads_back_to_its_answer(answer: float) -> None:
    back = torch.sigmoid(torch.tensor(logit(answer), dtype=torch.float64)).item()
    assert back == pytest.approx(answer, abs=1e-12)
