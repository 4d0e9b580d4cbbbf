"""Gradient descent: the notes' rule, torch's own step, and when a step goes down."""

import copy

import torch
from torch import Tensor, nn

from penchant.claims._claim import Evidence
from penchant.claims._draws import apart, drawn, normal, whole
from penchant.claims._setting import Setting
from penchant.claims._tally import Tally
from penchant.divergences import KL, L2
from penchant.randomness import generator
from penchant.training import GradientDescent

PURPOSE = "claims descent"
STEPS = 10


def update(setting: Setting) -> Evidence:
    """Compare steps with the notes' rule, written out, and with torch.optim.SGD's, bit by bit."""
    tally = Tally()
    for case in range(setting.several(smoke=10, quick=100, full=1000)):
        draws = generator(case, PURPOSE)
        inputs, width, outputs = (whole(1, 6, draws) for _ in range(3))
        ours = drawn(
            nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, outputs)), draws
        )
        x = normal((8, inputs), draws)
        targets = torch.softmax(normal((8, outputs), draws), 1)
        loss = KL("softmax") if case % 2 and outputs > 1 else L2()
        step_size = 10 ** float(-3 * torch.rand((), generator=draws))
        if case % 3 == 0:
            ours, x, targets = ours.float(), x.float(), targets.float()
        theirs = copy.deepcopy(ours)
        mine = GradientDescent(ours.parameters(), step_size)
        sgd = torch.optim.SGD(theirs.parameters(), lr=step_size)
        for _ in range(STEPS):
            written = _written(ours, loss(ours(x), targets), step_size)
            for network, optimizer in ((ours, mine), (theirs, sgd)):
                optimizer.zero_grad()
                torch.autograd.backward(loss(network(x), targets))
                optimizer.step()
            _compare(tally, ours, theirs, written, str(x.dtype))
    return {"checks": tally.checks()}


def _written(network: nn.Module, loss: Tensor, step_size: float) -> list[Tensor]:
    """The notes' rule: current value − derivative of the divergence · step size."""
    weights = list(network.parameters())
    slopes = torch.autograd.grad(loss, weights)
    return [w.detach() - slope * step_size for w, slope in zip(weights, slopes, strict=True)]


def _compare(
    tally: Tally, ours: nn.Module, theirs: nn.Module, written: list[Tensor], kind: str
) -> None:
    for w, other, rule in zip(ours.parameters(), theirs.parameters(), written, strict=True):
        tally.require("torch.optim.SGD's step, to the bit", torch.equal(w, other), kind)
        if w.dtype == torch.float64:
            size = max(1.0, float(w.detach().abs().max()))
            tally.add("current value − derivative · step size", apart(w, rule) / size)


def decreases(setting: Setting) -> Evidence:
    """Take single steps on random quadratics, below and above 2/λ."""
    tally = Tally()
    for case in range(setting.several(smoke=50, quick=500, full=5000)):
        draws = generator(case, PURPOSE, 1)
        size = whole(1, 8, draws)
        root = normal((size, size), draws)
        bends = root @ root.T + 0.1 * torch.eye(size, dtype=torch.float64)
        curvatures, directions = torch.linalg.eigh(bends)
        sharpest = float(curvatures[-1])
        lowest = normal((size,), draws)
        start, share = lowest + normal((size,), draws), torch.rand(2, generator=draws).tolist()
        named = f"{size} weights, largest curvature {sharpest:.3g}"

        below = (0.01 + 0.98 * share[0]) * 2 / sharpest
        tally.require("below 2/λ: it falls", _change(bends, lowest, start, below) < 0, named)
        above = (1.01 + 2 * share[1]) * 2 / sharpest
        along = lowest + directions[:, -1]
        tally.require(
            "above 2/λ, in the sharpest direction: it rises",
            _change(bends, lowest, along, above) > 0,
            named,
        )
        factor = (_step(bends, lowest, along, below) - lowest) @ directions[:, -1]
        tally.add(
            "the distance is multiplied by 1 − ηλ", float(factor) - (1 - below * sharpest), named
        )
    return {"checks": tally.checks(), "one_step": _one_step()}


def elsewhere(setting: Setting) -> Evidence:
    """Count the starts in other directions from which a step above 2/λ goes down all the same."""
    tally, falls = Tally(), 0
    cases = setting.several(smoke=50, quick=500, full=5000)
    for case in range(cases):
        draws = generator(case, PURPOSE, 2)
        bends = torch.diag(torch.tensor([1.0, 0.1], dtype=torch.float64))
        lowest = torch.zeros(2, dtype=torch.float64)
        above = 2 + 0.5 * float(torch.rand((), generator=draws))
        flat = torch.tensor([0.0, 1.0], dtype=torch.float64)
        falls += _change(bends, lowest, normal((2,), draws), above) < 0
        tally.require(
            "above 2/λ, in a direction ten times flatter: it falls",
            _change(bends, lowest, flat, above) < 0,
        )
    return {"checks": tally.checks(), "share_of_random_starts": round(falls / cases, 4)}


def _step(bends: Tensor, lowest: Tensor, start: Tensor, step_size: float) -> Tensor:
    """Take one step down ½(w − w₀)ᵀH(w − w₀) with the optimiser."""
    weight = nn.Parameter(start.clone())
    torch.autograd.backward(_height(bends, lowest, weight))
    GradientDescent([weight], step_size).step()
    return weight.detach()


def _change(bends: Tensor, lowest: Tensor, start: Tensor, step_size: float) -> float:
    after = _step(bends, lowest, start, step_size)
    return float(_height(bends, lowest, after) - _height(bends, lowest, start))


def _height(bends: Tensor, lowest: Tensor, weight: Tensor) -> Tensor:
    away = weight - lowest
    return away @ bends @ away / 2


def _one_step() -> dict[str, list[float]]:
    """Loss after one step over the loss before, of one weight, against η·λ."""
    curvature = 2.0
    bends = torch.tensor([[curvature]], dtype=torch.float64)
    zero, start = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    products = [0.05 * count for count in range(1, 51)]
    before = float(_height(bends, zero, start))
    ratios = [
        float(_height(bends, zero, _step(bends, zero, start, product / curvature))) / before
        for product in products
    ]
    return {"product": [round(p, 2) for p in products], "ratio": [round(r, 9) for r in ratios]}
