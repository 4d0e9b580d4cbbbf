"""The unit on eight points: its loss and its descent against torch's, and what the page claims."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from penchant.divergences import L2, BinaryKL, Divergence
from penchant.explain._kl_vs_l2 import END, START, STEP_SIZE, STEPS
from penchant.explain._logistic_unit import INPUTS, TARGETS, descend, error, loss

PLACES = st.tuples(st.floats(-9, 9), st.floats(-9, 9))


def _obvious(
    divergence: type[Divergence], slope: torch.Tensor, offset: torch.Tensor
) -> torch.Tensor:
    logits = slope * torch.tensor(INPUTS, dtype=torch.float64) + offset
    targets = torch.tensor(TARGETS, dtype=torch.float64)
    if divergence is BinaryKL:
        return F.binary_cross_entropy_with_logits(logits, targets)
    return F.mse_loss(torch.sigmoid(logits), targets) / 2


@pytest.mark.parametrize("divergence", [L2, BinaryKL])
@given(place=PLACES)
def test_the_loss_is_the_mean_over_the_points(
    divergence: type[Divergence], place: tuple[float, float]
) -> None:
    weights = torch.tensor(place, dtype=torch.float64)
    expected = _obvious(divergence, weights[0], weights[1]).item()
    assert loss(divergence, np.array([place, place])) == pytest.approx([expected] * 2, abs=1e-12)


@pytest.mark.parametrize("divergence", [L2, BinaryKL])
def test_the_descent_is_torchs_own(divergence: type[Divergence]) -> None:
    weights = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    plain = torch.optim.SGD([weights], lr=0.7)
    for moment in descend(divergence, START, step_size=0.7, steps=12):
        assert moment == pytest.approx(weights.detach().numpy(), abs=1e-12)
        plain.zero_grad()
        _obvious(divergence, weights[0], weights[1]).backward()
        plain.step()


@given(PLACES, PLACES, st.floats(0, 1))
def test_no_chord_of_kl_lies_below_it(
    one: tuple[float, float], other: tuple[float, float], share: float
) -> None:
    ends = np.array([one, other])
    between = (1 - share) * ends[:1] + share * ends[1:]
    low, high = loss(BinaryKL, ends)
    assert loss(BinaryKL, between)[0] <= (1 - share) * low + share * high + 1e-9
    assert BinaryKL("sigmoid").convex_in_logits


def test_the_pages_chord_shows_that_l2_is_not_convex() -> None:
    ends = np.array([START, END])
    assert loss(L2, ends.mean(0, keepdims=True))[0] > loss(L2, ends).mean() + 0.1
    assert not L2("sigmoid").convex_in_logits


def test_from_a_confidently_wrong_start_kl_arrives_and_l2_stays() -> None:
    paths = {d: descend(d, START, step_size=STEP_SIZE, steps=STEPS) for d in (BinaryKL, L2)}
    assert error(paths[L2][:1])[0] > 0.75
    assert error(paths[BinaryKL][-1:])[0] < 0.25
    assert error(paths[L2][-1:])[0] > 0.75
