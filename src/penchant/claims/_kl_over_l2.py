"""Why KL over L2: gradients of confidently wrong answers, convexity, and the noise that fits."""

import math

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from penchant.claims._claim import Evidence
from penchant.claims._draws import apart, normal, whole
from penchant.claims._setting import Setting
from penchant.claims._tally import Tally
from penchant.divergences import KL, L2, BinaryKL, Divergence
from penchant.randomness import generator

PURPOSE = "claims kl over l2"
LOGITS = torch.linspace(-8, 8, 65, dtype=torch.float64)
DISTANCES = tuple(2.0**power for power in range(1, 11))
"""How far on the wrong side a logit lies: from doubtful to certain."""


def gradients(setting: Setting) -> Evidence:
    """Follow both gradients to where the answer is confidently wrong."""
    tally = Tally()
    _behind_sigmoid(tally)
    for case in range(setting.several(smoke=30, quick=300, full=3000)):
        _behind_softmax(tally, case)
    target = torch.ones_like(LOGITS)
    curves = {
        one.name: _slopes(one, LOGITS[:, None], target[:, None]).flatten().tolist()
        for one in (BinaryKL("sigmoid", reduction="sum"), L2("sigmoid", reduction="sum"))
    }
    return {"checks": tally.checks(), "curves": {"logit": LOGITS.tolist(), **curves}}


def _behind_sigmoid(tally: Tally) -> None:
    for d in (1.0, 0.0):
        for distance in DISTANCES:
            z = torch.tensor([[-distance if d else distance]], dtype=torch.float64)
            target = torch.full_like(z, d)
            y = torch.sigmoid(z)
            squared = _slopes(L2("sigmoid"), z, target)
            relative = _slopes(BinaryKL("sigmoid"), z, target)
            named = f"d = {d:g}, z = {float(z):g}"
            bend = y * torch.sigmoid(-z)
            tally.add("sigmoid: dL2/dz = (y − d)·y(1 − y)", apart(squared, (y - d) * bend), named)
            tally.require(
                "sigmoid: |dL2/dz| ≤ e^−|z|, which vanishes",
                float(squared.abs()) <= (1 + 1e-9) * math.exp(-distance),
                named,
            )
            tally.add("sigmoid: dKL/dz = y − d", apart(relative, y - d), named)
            tally.require(
                "sigmoid: |dKL/dz| ≥ 1 − e^−|z|, which goes to 1",
                float(relative.abs()) >= 1 - math.exp(-distance),
                named,
            )


def _behind_softmax(tally: Tally, case: int) -> None:
    draws = generator(case, PURPOSE)
    classes = whole(2, 10, draws)
    z = normal((1, classes), draws)
    wrong, right = (int(i) for i in torch.randperm(classes, generator=draws)[:2])
    z[0, wrong] += DISTANCES[whole(0, len(DISTANCES) - 1, draws)]
    target = torch.zeros_like(z)
    target[0, right] = 1
    y = torch.softmax(z, 1)
    # What is left to the others: not 1 − y, which rounds to 0 too soon.
    rest = float(torch.cat([y[0, :wrong], y[0, wrong + 1 :]]).sum())
    named = f"{classes} classes, the wrong one given all but {rest:.2g}"
    squared = float(_slopes(L2("softmax"), z, target).abs().max())
    relative = float(_slopes(KL("softmax"), z, target).abs().max())
    # The gradient is a difference of numbers near 1, so it is exact to a few of their last digits.
    tally.require(
        "softmax: |dL2/dz| ≤ twice what the other classes get",
        squared <= 2 * rest + 1e-15,
        named,
    )
    tally.require(
        "softmax: |dKL/dz| ≥ what the wrong class gets",
        relative >= float(y[0, wrong]) - 1e-12,
        named,
    )


def convexity(setting: Setting) -> Evidence:
    """Look at second derivatives with respect to logits: on grids, and by random Hessians."""
    tally = Tally()
    z = torch.linspace(-30, 30, 601, dtype=torch.float64)
    for d in (0.0, 0.25, 0.5, 1.0):
        bend = _second(BinaryKL("sigmoid", reduction="none"), z, d)
        tally.add("sigmoid: KL bends down nowhere", max(0.0, -float(bend.min())), f"d = {d:g}")
        bend = _second(L2("sigmoid", reduction="none"), z, d)
        tally.require("sigmoid: L2 does somewhere", float(bend.min()) < -1e-3, f"d = {d:g}")
    for case in range(setting.several(smoke=20, quick=200, full=2000)):
        draws = generator(case, PURPOSE, 1)
        classes = whole(2, 5, draws)
        target = torch.softmax(normal((1, classes), draws), 1)
        if case % 2:
            target = torch.eye(classes, dtype=torch.float64)[[case % classes]]
        at = 3 * normal((classes,), draws)
        least = _least_bend(KL("softmax"), at, target)
        tally.add("softmax: KL bends down nowhere", max(0.0, -least), f"{classes} classes")
        # Confident in one class while the target lies elsewhere: the shelf of L2.
        shelf = torch.zeros(classes, dtype=torch.float64)
        shelf[(int(target.argmax()) + 1) % classes] = 4.0
        least = _least_bend(L2("softmax"), shelf, target)
        tally.require("softmax: L2 does where it is wrong", least < -1e-3, f"{classes} classes")
    return {"checks": tally.checks()}


def _second(divergence: Divergence, z: Tensor, d: float) -> Tensor:
    at = z[:, None].clone().requires_grad_()
    total = divergence(at, torch.full_like(at, d)).sum()
    (first,) = torch.autograd.grad(total, at, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), at)
    return second


def _least_bend(divergence: Divergence, at: Tensor, target: Tensor) -> float:
    """The smallest eigenvalue of the Hessian with respect to the logits."""

    def value(z: Tensor) -> Tensor:
        result: Tensor = divergence(z[None], target)
        return result

    hessian = torch.autograd.functional.hessian(value, at)  # type: ignore[no-untyped-call]
    return float(torch.linalg.eigvalsh(hessian)[0])


def matching(setting: Setting) -> Evidence:
    """Compare each divergence with the negative log-likelihood of its noise."""
    tally = Tally()
    for case in range(setting.several(smoke=50, quick=500, full=5000)):
        draws = generator(case, PURPOSE, 2)
        answer, target = normal((1, 3), draws), normal((1, 3), draws)
        spread = 0.1 + float(torch.rand((), generator=draws))
        likelihood = Normal(answer, spread).log_prob(target).sum()  # type: ignore[no-untyped-call]
        constant = 3 * math.log(spread * math.sqrt(2 * math.pi))
        scaled = float(-likelihood - constant) * spread**2
        squared = float(L2()(answer, target))
        tally.add("L2 = −σ²·log of a Gaussian's likelihood + constant", squared - scaled)
        y = torch.sigmoid(answer)
        drawn = (target > 0).double()
        entropy = -Bernoulli(y).log_prob(drawn).sum()  # type: ignore[no-untyped-call]
        relative = BinaryKL()(y, drawn)
        tally.add("KL = −log of a Bernoulli draw's likelihood", apart(relative, entropy))
        many = normal((20, 1), draws)
        mean = many.mean(0, keepdim=True).expand(20, 1).contiguous()
        pulled = L2(reduction="sum").derivative(mean, many).sum()
        tally.add("L2 is least at the targets' mean", float(pulled))
    return {"checks": tally.checks()}


def _slopes(divergence: Divergence, z: Tensor, target: Tensor) -> Tensor:
    at = z.clone().requires_grad_()
    (slope,) = torch.autograd.grad(divergence(at, target).sum(), at)
    return slope
