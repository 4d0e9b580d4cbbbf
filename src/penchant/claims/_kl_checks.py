"""KL at its limits, and the sign of its derivative."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from penchant.claims._claim import Evidence, Rule, Ruling
from penchant.claims._draws import apart, normal, whole
from penchant.claims._setting import Setting
from penchant.claims._tally import Tally
from penchant.divergences import KL, BinaryKL
from penchant.pages import number
from penchant.randomness import generator

PURPOSE = "claims kl"
CERTAIN = 1000.0
"""A logit so large that its sigmoid is exactly 0 or 1 in float64."""


def right(setting: Setting) -> Evidence:
    """See that it costs exactly nothing to be fully correct."""
    tally = Tally()
    for d in (1.0, 0.0):
        tally.add(f"d = {d:g}, y = {d:g}: Div = 0", _binary(d, d))
    for case in range(_cases(setting)):
        draws = generator(case, PURPOSE)
        target = _one_hot(draws)
        tally.add("one of several classes, given 1: Div = 0", float(KL()(target, target)))
        rows = torch.softmax(normal((1, whole(2, 10, draws)), draws), 1)
        tally.add("any probabilities, given as they are: Div = 0", float(KL()(rows, rows)))
    return {"checks": tally.checks(), "curves": _curves()}


def wrong(setting: Setting) -> Evidence:
    """See that it costs exactly +∞ to be fully wrong."""
    tally = Tally()
    one = torch.tensor(1.0, dtype=torch.float64)
    tally.require("−1·log(0) = +∞", float(-one * torch.log(one - 1)) == math.inf)
    tally.require("d = 1, y = 0: Div = +∞", _binary(1.0, 0.0) == math.inf)
    tally.require("d = 0, y = 1: Div = +∞", _binary(0.0, 1.0) == math.inf)
    for case in range(_cases(setting)):
        target = _one_hot(generator(case, PURPOSE))
        other = (1 - target) / (1 - target).sum()
        name = "a class that happens, given 0: Div = +∞"
        tally.require(name, float(KL()(other, target)) == math.inf, f"{target.shape[1]} classes")
        # Towards the limit it grows beyond anything, as −log y does.
        near = (1 - 1e-12) * other + 1e-12 * target
        tally.add("the same, given 1e-12: −log(1e-12)", float(KL()(near, target)) + math.log(1e-12))
    return {"checks": tally.checks()}


def from_logits(setting: Setting) -> Evidence:
    """See that from logits value and gradient are finite and right, however large they are."""
    tally = Tally()
    binary, several = BinaryKL("sigmoid"), KL("softmax")
    for d in (1.0, 0.0):
        for z in (*(sign * 10.0**power for power in range(6) for sign in (1, -1)), 0.0):
            value, slope = _with_slope(binary, torch.tensor([[z]], dtype=torch.float64), _row(d))
            # In another form: log(1 + e^−|z|) and the part that is linear in z.
            written = max(-z, 0.0) + math.log1p(math.exp(-abs(z))) + (1 - d) * z
            size = max(1.0, abs(written))
            named = f"d = {d:g}, z = {z:g}"
            tally.add("sigmoid: the value", (float(value) - written) / size, named)
            tally.add("sigmoid: the gradient y − d", float(slope) - (_sigmoid(z) - d), named)
    for case in range(_cases(setting)):
        draws = generator(case, PURPOSE, 1)
        target = _one_hot(draws)
        spread = 10.0 ** whole(0, 5, draws)
        logits = spread * normal(tuple(target.shape), draws)
        value, slope = _with_slope(several, logits, target)
        top = float(logits.max())
        shares = [math.exp(z - top) for z in logits[0].tolist()]
        written = top + math.log(sum(shares)) - float((logits * target).sum())
        y = torch.tensor([[one / sum(shares) for one in shares]], dtype=torch.float64)
        named = f"{target.shape[1]} classes, logits near {spread:g}"
        tally.add("softmax: the value", (float(value) - written) / max(1.0, spread), named)
        tally.add("softmax: the gradient y − d", apart(slope, y - target), named)
    return {"checks": tally.checks()}


def nothing_to_do(setting: Setting) -> Evidence:
    """Take the derivative where the answer is fully correct, by the answer and by the logit."""
    cases = []
    for d in (1.0, 0.0):
        at = _row(CERTAIN if d else -CERTAIN)
        asked = {"the output y": (BinaryKL(), _row(d)), "the logit z": (BinaryKL("sigmoid"), at)}
        for name, (divergence, given) in asked.items():
            _, slope = _with_slope(divergence, given, _row(d))
            cases.append({"by": name, "case": f"d = y = {d:g}", "derivative": float(slope)})
    target = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    classes = {
        "the output y": (KL(), target),
        "the logit z": (KL("softmax"), CERTAIN * target),
    }
    for name, (several, given) in classes.items():
        _, slope = _with_slope(several, given, target)
        largest = slope.flatten()[slope.abs().argmax()]
        cases.append(
            {"by": name, "case": "the right one of three classes", "derivative": float(largest)}
        )
    return {"cases": cases}


def all_zero() -> Rule:
    """The derivative is 0 where the answer is fully correct, with respect to everything asked."""
    return Rule(
        "Holds if the derivative is exactly 0 at each fully correct answer, with respect to the "
        "output and with respect to the logit; holds under conditions if with respect to one of "
        "them; fails if with respect to neither.",
        _all_zero,
    )


def _all_zero(evidence: Evidence) -> Ruling:
    cases = evidence.get("cases", [])
    if not cases:
        return Ruling("not run", "Nothing was checked.")
    by = {one["by"]: [c for c in cases if c["by"] == one["by"]] for one in cases}
    still = [name for name, mine in by.items() if all(c["derivative"] == 0 for c in mine)]
    told = "; ".join(
        f"with respect to {name} the derivative is "
        + ", ".join(f"{number(c['derivative'], 0)} at {c['case']}" for c in mine)
        for name, mine in by.items()
    )
    sentence = f"{told[0].upper()}{told[1:]}."
    if len(still) == len(by):
        return Ruling("holds", sentence)
    if still:
        return Ruling(
            "holds under conditions", sentence, tuple({"with respect to": name} for name in still)
        )
    return Ruling("fails as written", sentence)


def signs(setting: Setting) -> Evidence:
    """See the notes' two cases, and the sign for every answer between 0 and 1."""
    tally = Tally()
    tally.add("d = 1, y = 0.9: dDiv/dy = −1/0.9", _slope(1.0, 0.9) + 1 / 0.9)
    tally.add("d = 0, y = 0.9: dDiv/dy = 1/(1 − 0.9)", _slope(0.0, 0.9) - 1 / (1 - 0.9))
    draws = generator(0, PURPOSE, 2)
    for y in torch.rand(10 * _cases(setting), generator=draws, dtype=torch.float64).tolist():
        if 0 < y < 1:
            tally.require("d = 1: negative for every y", _slope(1.0, y) < 0, f"y = {y:.3g}")
            tally.require("d = 0: positive for every y", _slope(0.0, y) > 0, f"y = {y:.3g}")
    answers = torch.linspace(0.02, 0.98, 49, dtype=torch.float64)
    return {
        "checks": tally.checks(),
        "curves": {
            "answer": answers.tolist(),
            **{f"d = {d:g}": [_slope(d, y) for y in answers.tolist()] for d in (1.0, 0.0)},
        },
        "at": {f"d = {d:g}": _slope(d, 0.9) for d in (1.0, 0.0)},
    }


def derivative(setting: Setting) -> Evidence:
    """Compare dDiv/dy and, behind sigmoid and softmax, dDiv/dz with autograd."""
    tally = Tally()
    for case in range(_cases(setting)):
        draws = generator(case, PURPOSE, 3)
        shape = (1, whole(2, 6, draws))
        d, y = (0.01 + 0.98 * torch.rand(shape, generator=draws, dtype=torch.float64) for _ in "dy")
        z = 3 * normal(shape, draws)
        written = -d / y + (1 - d) / (1 - y)
        size = float(written.abs().max().clamp(min=1))
        _, slope = _with_slope(BinaryKL(), y, d)
        tally.add("−d/y + (1 − d)/(1 − y)", apart(slope, written) / size)
        closed = BinaryKL().derivative(y, d)
        tally.add("BinaryKL.derivative", apart(closed, written) / size)
        _, slope = _with_slope(BinaryKL("sigmoid"), z, d)
        tally.add("behind a sigmoid: y − d", apart(slope, torch.sigmoid(z) - d))
        rows = d / d.sum()
        _, slope = _with_slope(KL("softmax"), z, rows)
        tally.add("behind a softmax: y − d", apart(slope, torch.softmax(z, 1) - rows))
        # Not by the stable formula: through the link, and the divergence of what comes out.
        through = z.clone().requires_grad_()
        (chained,) = torch.autograd.grad(BinaryKL()(torch.sigmoid(through), d), through)
        tally.add("the chain rule through the sigmoid: y − d", apart(chained, torch.sigmoid(z) - d))
    return {"checks": tally.checks()}


def _with_slope(
    divergence: Callable[[Tensor, Tensor], Tensor], given: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    at = given.clone().requires_grad_()
    value = divergence(at, target)
    (slope,) = torch.autograd.grad(value, at)
    return value.detach(), slope


def _binary(d: float, y: float) -> float:
    return float(BinaryKL()(_row(y), _row(d)))


def _slope(d: float, y: float) -> float:
    return float(BinaryKL().derivative(_row(y), _row(d)))


def _row(value: float) -> Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


def _one_hot(draws: torch.Generator) -> Tensor:
    classes = whole(2, 10, draws)
    row = torch.zeros(1, classes, dtype=torch.float64)
    row[0, whole(0, classes - 1, draws)] = 1
    return row


def _sigmoid(z: float) -> float:
    """In its two forms that cannot overflow."""
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def _cases(setting: Setting) -> int:
    return setting.several(smoke=30, quick=300, full=3000)


def _curves() -> dict[str, list[float]]:
    answers = torch.linspace(0.01, 0.99, 50, dtype=torch.float64).tolist()
    return {
        "answer": answers,
        **{f"d = {d:g}": [_binary(d, y) for y in answers] for d in (1.0, 0.0)},
    }
