"""The notes' numbers, and what happens at the ends: exactly 0 and exactly infinite."""

import math

import pytest
import torch
from torch import Tensor

from penchant.divergences import (
    KL,
    L1,
    L2,
    BinaryCrossEntropy,
    BinaryKL,
    CrossEntropy,
    binary_kl,
    divergence,
    kl,
    l2,
)

BINARY = [BinaryKL, BinaryCrossEntropy]


def one(value: float) -> Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


def test_l2_of_the_notes() -> None:
    y, d = one(1.5), one(1.0)
    assert l2(y, d).item() == 0.125
    assert L2().derivative(y, d).item() == 0.5  # increasing y increases the loss
    assert L2().derivative(one(0.5), d).item() == -0.5
    vector = torch.tensor([[1.5, 0.0, 2.0]])
    assert L2().derivative(vector, torch.ones(1, 3)).tolist() == [[0.5, -1.0, 1.0]]


def test_kl_of_the_notes() -> None:
    for member in BINARY:
        assert member()(one(0.0), one(1.0)).item() == math.inf  # fully wrong
        assert member()(one(1.0), one(1.0)).item() == 0.0  # fully correct
        assert member().derivative(one(0.9), one(1.0)).item() == pytest.approx(-1 / 0.9, rel=1e-15)
        assert member().derivative(one(0.9), one(0.0)).item() == pytest.approx(10, rel=1e-14)
    assert binary_kl(one(0.0), one(1.0)).item() == math.inf
    right, wrong = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert kl(wrong, right).item() == math.inf
    assert kl(right, right).item() == 0.0


@pytest.mark.parametrize("member", BINARY)
@pytest.mark.parametrize(
    ("d", "y", "value", "derivative", "logits_derivative"),
    [
        (1.0, 1.0, 0.0, -1.0, 0.0),
        (0.0, 0.0, 0.0, 1.0, 0.0),
        (1.0, 0.0, math.inf, -math.inf, -1.0),
        (0.0, 1.0, math.inf, math.inf, 1.0),
    ],
)
def test_the_four_corners_of_two_classes(
    member: type[BinaryKL],
    d: float,
    y: float,
    value: float,
    derivative: float,
    logits_derivative: float,
) -> None:
    leaf = one(y).requires_grad_()
    out = member()(leaf, one(d))
    assert out.item() == value
    (slope,) = torch.autograd.grad(out, leaf, create_graph=True)
    assert slope.item() == derivative == member().derivative(one(y), one(d)).item()
    (second,) = torch.autograd.grad(slope, leaf)
    assert second.item() == (1.0 if d == y else math.inf)
    # The same corner from logits, which never quite reach it: finite, and y - d.
    logit = one(1e4 if y else -1e4).requires_grad_()
    out = member("sigmoid")(logit, one(d))
    assert out.item() == (0.0 if d == y else 1e4)
    (slope,) = torch.autograd.grad(out, logit, create_graph=True)
    assert slope.item() == logits_derivative
    assert member("sigmoid").derivative(logit.detach(), one(d)).item() == logits_derivative
    (second,) = torch.autograd.grad(slope, logit)
    assert second.item() == 0.0


@pytest.mark.parametrize(
    ("member", "by_class"), [(KL, False), (CrossEntropy, False), (CrossEntropy, True)]
)
def test_the_corners_of_many_classes(member: type[KL], by_class: bool) -> None:
    row = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    d = torch.tensor([1]) if by_class else row
    right = row.clone().requires_grad_()
    out = member()(right, d)
    (slope,) = torch.autograd.grad(out, right)
    assert out.item() == 0.0
    assert slope.tolist() == [[0.0, -1.0, 0.0]] == member().derivative(row, d).tolist()
    wrong = row.roll(1, 1)
    leaf = wrong.clone().requires_grad_()
    out = member()(leaf, d)
    (slope,) = torch.autograd.grad(out, leaf)
    assert out.item() == math.inf
    assert slope.tolist() == [[0.0, -math.inf, 0.0]] == member().derivative(wrong, d).tolist()
    for y, value, derivative in ((row, 0.0, [0.0, 0.0, 0.0]), (wrong, 2e4, [0.0, -1.0, 1.0])):
        logits = (2 * y - 1) * 1e4
        assert member("softmax")(logits, d).item() == value
        assert member("softmax").derivative(logits, d).tolist() == [derivative]


def test_zero_at_the_target_wherever_that_is() -> None:
    draws = torch.Generator().manual_seed(3)
    for dtype in (torch.float32, torch.float64):
        rows = torch.rand(100, 7, generator=draws, dtype=dtype).softmax(1)
        assert not KL(reduction="none")(rows, rows).any()
        fractions = torch.rand(1000, generator=draws, dtype=dtype)
        assert not BinaryKL(reduction="none")(fractions, fractions).any()
        assert not L2()(rows, rows).any() and not L1().derivative(rows, rows).any()


def test_a_small_divergence_keeps_its_digits() -> None:
    d, y = one(1e-9), one(2e-9)
    # d log(d/y) + (1 - d) log((1 - d)/(1 - y)), to first order in both
    expected = 1e-9 * math.log(0.5) + 1e-9
    assert BinaryKL()(y, d).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
def test_l2s_gradient_dies_where_the_network_is_certainly_wrong_and_kls_does_not(
    link: str,
) -> None:
    d = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    wrong = torch.tensor([[-20.0, 20.0]], dtype=torch.float64)
    dead = L2(link, reduction="sum").derivative(wrong, d).abs().max()  # type: ignore[arg-type]
    assert 0 < dead < 1e-8
    name = "binary_kl" if link == "sigmoid" else "kl"
    alive = divergence(name, reduction="sum").derivative(wrong, d)
    torch.testing.assert_close(alive, torch.tensor([[-1.0, 1.0]], dtype=torch.float64))


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
def test_the_chain_rule_keeps_its_digits_in_float32(link: str) -> None:
    d = torch.tensor([[1.0, 0.0]])
    for size in (5.0, 20.0, 40.0):
        z = torch.tensor([[-size, size]])
        narrow = L2(link).derivative(z, d)  # type: ignore[arg-type]
        wide = L2(link).derivative(z.double(), d.double())  # type: ignore[arg-type]
        if link == "sigmoid":
            torch.testing.assert_close(narrow.double(), wide, rtol=1e-5, atol=0)
        else:
            torch.testing.assert_close(narrow.double(), wide, rtol=1e-5, atol=1e-7)
