"""L2 against its definition, autograd and torch's own loss."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from penchant.divergences import L2
from penchant.randomness import generator


def draw(samples, outputs, seed, purpose):
    draws = generator(seed, purpose)
    return torch.randn(samples, outputs, generator=draws, dtype=torch.float64)


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 99))
def test_derivative_is_autograds_and_value_is_half_the_mean_square(samples, outputs, seed):
    output = draw(samples, outputs, seed, "output").requires_grad_()
    target = draw(samples, outputs, seed, "target")
    value = L2()(output, target)
    (gradient,) = torch.autograd.grad(value, output)
    torch.testing.assert_close(L2().derivative(output, target), gradient, rtol=1e-12, atol=0)
    expected = F.mse_loss(output, target) * outputs / 2
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)


def test_the_notes_case_where_a_larger_output_is_a_larger_loss():
    output, target = torch.tensor([[1.5]]), torch.tensor([[1.0]])
    assert L2()(output, target).item() == 0.125
    assert L2().derivative(output, target).item() == 0.5
