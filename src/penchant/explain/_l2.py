"""L2: half the squared error, its derivative, and what becomes of it behind a sigmoid."""

import math

import numpy as np
from jaxtyping import Float

from penchant.divergences import L2
from penchant.explain._chart import Line, Point, chart
from penchant.explain._explanation import Explanation, Figure, Section, Table
from penchant.explain._worked import CASES, Worked, along, logit, worked
from penchant.pages import number

ANSWERS = np.linspace(-0.5, 2.0, 251)
LOGITS = np.linspace(-8.0, 8.0, 321)
WRONG = 0.002
"""An answer that is confidently wrong where the target is 1."""
_MARKS: tuple[tuple[int, tuple[float, float], str], ...] = (
    (0, (8.0, -7.0), "left"),
    (0, (8.0, 6.0), "left"),
    (0, (0.0, 0.0), "left"),
    (1, (-8.0, 6.0), "right"),
)
"""The line that each case lies on, and where its words stand clear of the lines."""


def l2() -> Explanation:
    """Explain L2: the worked numbers, the curves, the dying gradient, the Gaussian noise."""
    cases = [worked(L2, target, answer) for target, answer in CASES]
    return Explanation(
        topic="l2",
        title="L2: half the squared error",
        summary=(
            "Div = ½(y − d)² for an answer y and a target d. Its derivative is the error itself, "
            "y − d: an answer above the target is pushed down, one below it up, and twice the "
            "error pushes twice as hard. The ½ is there so that no 2 is left over."
        ),
        table=Table(
            ("case", "L2", "dDiv/dy", "in words", "dDiv/dz"),
            tuple(_row(case) for case in cases),
            "z is the logit, where y = σ(z) is a sigmoid’s answer; none belongs to y = 1.5.",
        ),
        sections=(_answers(cases), _logits(), _noise()),
        sources=(
            "Gauss, Theoria motus corporum coelestium, 1809",
            "Bishop, Pattern Recognition and Machine Learning, section 1.2.5, 2006",
        ),
    )


def _row(case: Worked) -> tuple[str, ...]:
    value, by_answer, by_logit = case.numbers()
    return case.case, value, by_answer, case.direction, by_logit


def _answers(cases: list[Worked]) -> Section:
    curves = [along(L2(reduction="none"), ANSWERS, target) for target in (1.0, 0.0)]
    names = ("d = 1", "d = 0")
    values = [Line(name, ANSWERS, value) for name, (value, _) in zip(names, curves, strict=True)]
    slopes = [Line(name, ANSWERS, slope) for name, (_, slope) in zip(names, curves, strict=True)]
    high, low = cases[0], cases[1]
    return Section(
        "Value and derivative",
        (
            "The value is a parabola with its floor at the target. The derivative is a straight "
            "line through zero there. Its sign says which way the loss grows: at "
            f"{high.case} it is {number(high.by_answer, 1)}, so a larger y costs more; at "
            f"{low.case} it is {number(low.by_answer, 1)}, so a larger y costs less.",
        ),
        (
            Figure(
                "L2 over the answer y",
                chart(
                    "l2-value",
                    "Two parabolas over the answer: one with its floor at y = 1, one at y = 0.",
                    values,
                    [
                        Point(case.answer, case.value, number(case.value, 3), line, shift, align)
                        for case, (line, shift, align) in zip(cases, _MARKS, strict=True)
                        if case.value > 0.01
                    ],
                    against="answer y",
                    limits=(0.0, 1.3),
                ),
                "Dots are the cases of the table; where y is 0.9 and d is 1 the value is "
                f"{number(cases[2].value, 3)}, too near the floor to mark.",
            ),
            Figure(
                "Its derivative by y",
                chart(
                    "l2-derivative",
                    "Two straight lines of slope 1: one is zero at y = 1, the other at y = 0.",
                    slopes,
                    [
                        Point(
                            case.answer,
                            case.by_answer,
                            number(case.by_answer, 1),
                            line,
                            (8.0, -8.0),
                        )
                        for case, (line, _, _) in zip(cases, _MARKS, strict=True)
                    ],
                    against="answer y",
                    limits=(-1.5, 2.0),
                ),
                "Below zero a larger y lowers the loss, above zero it raises it.",
            ),
        ),
    )


def _logits() -> Section:
    behind = L2("sigmoid", reduction="none")
    curves = [along(behind, LOGITS, target) for target in (1.0, 0.0)]
    names = ("d = 1", "d = 0")
    z = logit(WRONG)
    at = np.array([z])
    value, slope = (curve.item() for curve in along(behind, at, 1.0))
    largest = float(LOGITS[np.argmin(curves[0][1])])
    return Section(
        "Behind a sigmoid the gradient dies twice",
        (
            "A network that answers with a probability puts a sigmoid last, y = σ(z), and learns "
            "through the logit z. The chain rule then multiplies by the sigmoid’s own slope: "
            "dDiv/dz = (y − d)·y(1 − y).",
            "That slope goes to 0 at both ends. It may where the answer is right and nothing is "
            f"left to do. Where it is wrong that is a trap: with d = 1 and y = {WRONG:g} (z = "
            f"{number(z, 1)}) the error is almost as large as it can be, and the derivative is "
            f"only {number(slope, 4)}. The pull is strongest near z = {number(largest, 1)}.",
        ),
        (
            Figure(
                "L2 over the logit z",
                chart(
                    "l2-logit-value",
                    "Two S-shaped curves, flat at both ends.",
                    [Line(n, LOGITS, v) for n, (v, _) in zip(names, curves, strict=True)],
                    [Point(z, value, "confidently wrong", 0, (-4.0, 11.0))],
                    against="logit z",
                    limits=(0.0, 0.6),
                ),
                "Flat on top: there the loss is at its highest, and hardly changes whichever way z "
                "moves.",
            ),
            Figure(
                "Its derivative by z",
                chart(
                    "l2-logit-derivative",
                    "Two bumps, one below and one above zero; both vanish at either end.",
                    [Line(n, LOGITS, s) for n, (_, s) in zip(names, curves, strict=True)],
                    [Point(z, slope, f"y = {WRONG:g}", 0, (0.0, -13.0), "center")],
                    against="logit z",
                    limits=(-0.18, 0.18),
                ),
                f"At the dot: {number(slope, 4)}, though the answer is wrong by "
                f"{number(1 - WRONG, 3)}.",
            ),
        ),
    )


def _noise() -> Section:
    targets = np.linspace(-3.0, 3.0, 241)
    likelihood = gaussian(targets)
    loss = along(L2(reduction="none"), targets, 0.0)[0]
    constant = float(np.mean(likelihood - loss))
    return Section(
        "The noise it stands for",
        (
            "Say a target is the right answer plus Gaussian noise of standard deviation 1. The "
            "negative logarithm of its likelihood is then ½(d − y)² + ½ log 2π. So the answer "
            "with the least L2 is the most likely one, and over many targets it is their mean.",
        ),
        (
            Figure(
                "Gaussian noise and L2, for the answer y = 0",
                chart(
                    "l2-noise",
                    "Two parabolas of the same shape, one a constant above the other.",
                    [
                        Line("−log likelihood", targets, likelihood),
                        Line("L2", targets, loss),
                    ],
                    against="target d",
                    limits=(0.0, 5.5),
                ),
                f"They differ by {number(constant, 3)} everywhere, which is ½ log 2π and has no "
                "derivative.",
            ),
        ),
    )


def gaussian(targets: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
    """Negative log-likelihood of targets under Gaussian noise of deviation 1 around 0.

    Example:
        >>> gaussian(np.array([0.0])).round(3)
        array([0.919])
    """
    density = np.exp(-0.5 * targets**2) / math.sqrt(2 * math.pi)
    return np.asarray(-np.log(density))
