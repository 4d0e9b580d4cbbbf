"""L2: its derivative with and without the half, and what the derivative's sign says."""

import torch
from torch import Tensor

from penchant.claims._claim import Evidence
from penchant.claims._draws import apart, normal, whole
from penchant.claims._setting import Setting
from penchant.claims._tally import Tally
from penchant.divergences import L2
from penchant.randomness import generator

PURPOSE = "claims l2"
TARGET, ANSWER = 1.0, 1.5
"""The notes' case."""


def half(setting: Setting) -> Evidence:
    """Compare ½‖y − d‖² and its derivative with autograd, and with what is left without the ½."""
    tally = Tally()
    for answer, target in _pairs(setting):
        squared = (answer - target).square().sum()
        (doubled,) = torch.autograd.grad(squared, answer)
        value = L2()(answer, target)
        (slope,) = torch.autograd.grad(value, answer)
        tally.add("Div = ½‖y − d‖²", apart(value, squared / 2))
        tally.add("autograd's dDiv/dy = y − d", apart(slope, answer - target))
        tally.add("L2.derivative = y − d", apart(L2().derivative(answer, target), answer - target))
        tally.add("without the ½, autograd gives 2(y − d)", apart(doubled, 2 * (answer - target)))
    return {"checks": tally.checks(), "lines": _lines()}


def rescaling(setting: Setting) -> Evidence:
    """Compare steps down ½‖y − d‖² with steps of half the size down ‖y − d‖²."""
    tally = Tally()
    for case, (answer, target) in enumerate(_pairs(setting)):
        size = 0.01 + 0.9 * float(torch.rand((), generator=generator(case, PURPOSE, 1)))
        with_half, without = answer.detach(), answer.detach()
        for _ in range(5):
            with_half = with_half - size * (with_half - target)
            without = without - size / 2 * (2 * (without - target))
        tally.add("5 steps: η with the ½, η/2 without", apart(with_half, without))
    return {"checks": tally.checks()}


def sign(setting: Setting) -> Evidence:
    """See the notes' case, and that the derivative's sign says what increasing y does."""
    tally = Tally()
    at, target = _row(ANSWER), _row(TARGET)
    slope = float(L2().derivative(at, target))
    tally.add("d = 1, y = 1.5: dDiv/dy = 0.5", slope - 0.5)
    larger = float(L2()(at + 0.1, target)) > float(L2()(at, target))
    tally.require("d = 1, y = 1.5: a larger y, a larger loss", larger)
    for given, target in _pairs(setting):
        answer = given.detach()
        slopes = L2().derivative(answer, target)
        before = float(L2()(answer, target))
        for index, each in enumerate(slopes[0].tolist()):
            # Up to twice the error away the loss is lower, so a tenth of it is a small move.
            move = torch.zeros_like(answer)
            move[0, index] = 0.1 * abs(each)
            after = float(L2()(answer + move, target))
            said = "positive: increasing y raises it" if each > 0 else "negative: it lowers it"
            tally.require(said, (after > before) == (each > 0))
    return {"checks": tally.checks(), "parabola": _parabola()}


def size(setting: Setting) -> Evidence:
    """See that the derivative is as large as the error, and grows in proportion to it."""
    tally = Tally()
    for answer, target in _pairs(setting):
        error = answer.detach() - target
        slopes = L2().derivative(answer.detach(), target)
        tally.add("|dDiv/dy| = |y − d|, part by part", apart(slopes.abs(), error.abs()))
        twice = L2().derivative(target + 2 * error, target)
        tally.add("twice the error, twice the derivative", apart(twice, 2 * slopes))
    return {"checks": tally.checks()}


def _pairs(setting: Setting) -> list[tuple[Tensor, Tensor]]:
    """Random answers and targets, one sample each, of 1 to 8 numbers: scalars and vectors."""
    found = []
    for case in range(setting.several(smoke=50, quick=500, full=5000)):
        draws = generator(case, PURPOSE)
        shape = (1, 1 if case % 2 else whole(2, 8, draws))
        found.append((normal(shape, draws).requires_grad_(), normal(shape, draws)))
    return found


def _row(value: float) -> Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


def _lines() -> dict[str, list[float]]:
    """Both derivatives over the answer, for the target 1, by autograd."""
    answers = torch.linspace(-0.5, 2.5, 31, dtype=torch.float64, requires_grad=True)
    squared = (answers - TARGET).square().sum()
    (without,) = torch.autograd.grad(squared, answers, retain_graph=True)
    (with_half,) = torch.autograd.grad(squared / 2, answers)
    return {"answer": answers.tolist(), "half": with_half.tolist(), "whole": without.tolist()}


def _parabola() -> dict[str, object]:
    """The loss over the answer, and the notes' place on it."""
    answers = torch.linspace(-0.5, 2.5, 61, dtype=torch.float64)
    at, target = _row(ANSWER), _row(TARGET)
    return {
        "answer": answers.tolist(),
        "loss": L2(reduction="none")(answers[:, None], target.expand(61, 1)).tolist(),
        "at": {
            "answer": ANSWER,
            "loss": float(L2()(at, target)),
            "derivative": float(L2().derivative(at, target)),
        },
    }
