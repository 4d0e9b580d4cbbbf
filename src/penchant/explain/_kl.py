"""KL: the divergence between two probabilities, its limits, and its derivative by the logit."""

import numpy as np

from penchant.divergences import BinaryCrossEntropy, BinaryKL
from penchant.explain._chart import Line, Point, chart
from penchant.explain._explanation import Explanation, Figure, Section, Table
from penchant.explain._worked import CASES, Worked, along, logit, worked
from penchant.pages import number

ANSWERS = np.linspace(0.002, 0.998, 499)
LOGITS = np.linspace(-8.0, 8.0, 321)
SHARE = 0.7
"""Share of ones among the targets of the chart on noise."""
NAMES = ("d = 1", "d = 0")


def kl() -> Explanation:
    """Explain KL: the worked numbers, the curves, the limits, the Bernoulli noise."""
    cases = [worked(BinaryKL, target, answer) for target, answer in CASES]
    right = worked(BinaryKL, 1.0, 1.0)
    return Explanation(
        topic="kl",
        title="KL: how far one probability is from another",
        summary=(
            "Div = d·log(d/y) + (1 − d)·log((1 − d)/(1 − y)) for a target d and an answer y, both "
            "probabilities. It is 0 where the answer is fully right and ∞ where it is fully "
            "wrong. Behind a sigmoid its derivative by the logit is y − d, the error itself."
        ),
        table=Table(
            ("case", "KL", "dDiv/dy", "in words", "dDiv/dz"),
            tuple(_row(case) for case in cases),
            "z is the logit, where y = σ(z) is a sigmoid’s answer. Fully right, at "
            f"{right.case}, KL is {number(right.value, 0)} and dDiv/dz is "
            f"{number(right.by_logit, 0)}, but dDiv/dy is {number(right.by_answer, 0)}.",
        ),
        sections=(_answers(cases), _logits(), _limits(), _noise()),
        sources=(
            "Kullback and Leibler, On information and sufficiency, 1951",
            "Bishop, Pattern Recognition and Machine Learning, sections 1.6.1 and 4.3.2, 2006",
        ),
    )


def _row(case: Worked) -> tuple[str, ...]:
    value, by_answer, by_logit = case.numbers()
    return case.case, value, by_answer, case.direction, by_logit


def _answers(cases: list[Worked]) -> Section:
    curves = [along(BinaryKL(reduction="none"), ANSWERS, target) for target in (1.0, 0.0)]
    marked = [case for case in cases if case.answer == 0.9]
    near, far = marked
    return Section(
        "Value and derivative over the answer",
        (
            "For a target of 1 only −log y is left, for a target of 0 only −log(1 − y). Nearly "
            f"right costs little: {number(near.value, 3)} at {near.case}. Nearly wrong costs much: "
            f"{number(far.value, 3)} at {far.case}. Fully wrong costs ∞.",
            f"The sign of the derivative says which way to go: {number(near.by_answer, 2)} at "
            f"{near.case}, so a larger y costs less; {number(far.by_answer, 1)} at {far.case}, so "
            "a larger y costs more.",
        ),
        (
            Figure(
                "KL over the answer y",
                chart(
                    "kl-value",
                    "Two curves: one falls from infinity at y = 0 to zero at y = 1, the other "
                    "rises from zero to infinity.",
                    [Line(n, ANSWERS, v) for n, (v, _) in zip(NAMES, curves, strict=True)],
                    [
                        Point(near.answer, near.value, number(near.value, 3), 0, (-4.0, 12.0)),
                        Point(far.answer, far.value, number(far.value, 3), 1, (-8, 6), "right"),
                    ],
                    against="answer y",
                    limits=(0.0, 5.0),
                ),
                "Both lines leave the chart: they rise to ∞.",
            ),
            Figure(
                "Its derivative by y",
                chart(
                    "kl-derivative",
                    "For target 1 the derivative rises from minus infinity to −1; for target 0 "
                    "from 1 to infinity.",
                    [Line(n, ANSWERS, s) for n, (_, s) in zip(NAMES, curves, strict=True)],
                    [
                        Point(
                            near.answer, near.by_answer, number(near.by_answer, 2), 0, (-6.0, -13.0)
                        ),
                        Point(
                            far.answer, far.by_answer, number(far.by_answer, 1), 1, (-8, 4), "right"
                        ),
                    ],
                    against="answer y",
                    limits=(-15.0, 15.0),
                ),
                "It never comes nearer to zero than 1, not even where the answer is right.",
            ),
        ),
    )


def _logits() -> Section:
    behind = BinaryKL("sigmoid", reduction="none")
    curves = [along(behind, LOGITS, target) for target in (1.0, 0.0)]
    far = [worked(BinaryKL, 1.0, answer) for answer in (0.002, 0.998)]
    wrong, right = (
        Point(
            logit(case.answer),
            case.by_logit,
            number(case.by_logit, 3),
            0,
            (4.0, 12.0 if case.answer < 0.5 else -12.0),
            "left" if case.answer < 0.5 else "right",
        )
        for case in far
    )
    return Section(
        "Over the logit it keeps pulling",
        (
            "Put a sigmoid before it, y = σ(z). Its slope y(1 − y) cancels the derivative’s "
            "denominators, and dDiv/dz = y − d is left. A confidently wrong answer is pulled with "
            "full force, a right one is left alone, and the value grows no faster than a straight "
            "line, so nothing overflows.",
        ),
        (
            Figure(
                "KL over the logit z",
                chart(
                    "kl-logit-value",
                    "Two curves, each flat on its right side and a straight slope on its wrong "
                    "side.",
                    [Line(n, LOGITS, v) for n, (v, _) in zip(NAMES, curves, strict=True)],
                    against="logit z",
                    limits=(0.0, 8.5),
                ),
                "Convex: any chord lies above the curve.",
            ),
            Figure(
                "Its derivative by z",
                chart(
                    "kl-logit-derivative",
                    "Two S-shaped curves: from −1 to 0 for target 1, from 0 to 1 for target 0.",
                    [Line(n, LOGITS, s) for n, (_, s) in zip(NAMES, curves, strict=True)],
                    [wrong, right],
                    against="logit z",
                    limits=(-1.2, 1.2),
                ),
                f"With d = 1: {number(far[0].by_logit, 3)} where y is {far[0].answer:g}, "
                f"{number(far[1].by_logit, 3)} where y is {far[1].answer:g}.",
            ),
        ),
    )


def _limits() -> Section:
    corners = [worked(BinaryKL, d, y) for d in (1.0, 0.0) for y in (1.0, 0.0)]
    right = corners[0]
    return Section(
        "At the limits",
        (
            "0·log 0 counts as 0, so every corner has an exact value: 0 where the answer is fully "
            "right, ∞ where it is fully wrong.",
            "“We don’t want to do anything when we are fully correct” is true of the logit: at "
            f"{right.case} its derivative is {number(right.by_logit, 0)}. It is not true of the "
            f"output: dDiv/dy there is −d/y = {number(right.by_answer, 0)}. The loss still "
            "falls towards y = 1; it is only that y cannot go further, and the sigmoid, which is "
            "flat there, hides it.",
        ),
        tables=(
            Table(
                ("case", "KL", "dDiv/dy", "dDiv/dz"),
                tuple((corner.case, *corner.numbers(0)) for corner in corners),
                "y = 0 and y = 1 are reached by logits of −∞ and +∞; the last column is taken "
                "where the sigmoid is 0 or 1 in floating point.",
            ),
        ),
    )


def _noise() -> Section:
    entropy = along(BinaryCrossEntropy(reduction="none"), ANSWERS, SHARE)[0]
    loss = along(BinaryKL(reduction="none"), ANSWERS, SHARE)[0]
    constant = float(np.mean(entropy - loss))
    best = float(ANSWERS[np.argmin(loss)])
    return Section(
        "The noise it stands for",
        (
            "Say a target is 1 with probability y and 0 otherwise: a Bernoulli draw. The negative "
            "logarithm of its likelihood is −d·log y − (1 − d)·log(1 − y), the cross-entropy. For "
            "targets of 0 and 1 it equals KL; for a share of ones in between it is KL plus a "
            "constant. So the answer with the least KL is the most likely one.",
        ),
        (
            Figure(
                f"Bernoulli noise and KL, where {100 * SHARE:g} % of the targets are 1",
                chart(
                    "kl-noise",
                    "Two curves of the same shape, one a constant above the other, with their "
                    f"floor at y = {SHARE}.",
                    [Line("−log likelihood", ANSWERS, entropy), Line("KL", ANSWERS, loss)],
                    [Point(best, float(loss.min()), f"y = {best:.2g}", 1, (0.0, 12.0))],
                    against="answer y",
                    limits=(0.0, 3.0),
                ),
                f"They differ by {number(constant, 3)} everywhere, the targets’ own entropy. "
                f"Both are least at y = {best:.2g}.",
            ),
        ),
    )
