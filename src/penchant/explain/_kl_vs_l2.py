"""Why KL over L2: one gradient dies where a unit is confidently wrong, the other does not."""

from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from penchant.divergences import L2, BinaryKL, Divergence
from penchant.explain._chart import Line, Point, chart
from penchant.explain._explanation import Explanation, Figure, Section, Table
from penchant.explain._logistic_unit import INPUTS, descend, error, loss
from penchant.explain._surface import surface
from penchant.explain._worked import along, logit, worked
from penchant.pages import number

LOGITS = np.linspace(-8.0, 8.0, 321)
CASES = ((1.0, 0.0), (1.0, 0.01), (1.0, 0.5), (1.0, 0.9), (0.0, 0.9), (0.0, 0.99))
"""Target and answer: the notes' three that are probabilities, and three that continue them."""
WRONG = 0.002
"""The marked answer, where the target is 1."""
START = (-6.0, 2.0)
END = (1.5, 0.0)
"""The far end of the chord, near the bottom of both surfaces."""
REACH = ((-9.0, 6.0), (-5.0, 5.0))
STEP_SIZE, STEPS = 1.0, 40


class _Side(NamedTuple):
    """One of the two divergences, with all that is drawn of it."""

    name: str
    divergence: type[Divergence]
    path: Float[np.ndarray, "moments 2"]


def kl_vs_l2() -> Explanation:
    """Explain why KL over L2 behind a sigmoid, and where it is the other way round."""
    sides = tuple(
        _Side(name, divergence, descend(divergence, START, step_size=STEP_SIZE, steps=STEPS))
        for name, divergence in (("KL", BinaryKL), ("L2", L2))
    )
    return Explanation(
        topic="kl-vs-l2",
        title="Why KL over L2",
        summary=(
            "Behind a sigmoid, L2’s derivative by the logit is KL’s times y(1 − y). That factor is "
            "0 wherever the unit is certain, right or wrong. So a confidently wrong unit learns at "
            "once under KL and hardly at all under L2."
        ),
        table=Table(
            ("case", "logit z", "L2", "dL2/dz", "KL", "dKL/dz"),
            tuple(_row(target, answer) for target, answer in CASES),
            "At y = 0 the logit is −∞; both derivatives are taken where the sigmoid is 0 in "
            "floating point.",
        ),
        sections=(_gradients(), _surfaces(sides), _shape(), _speed(sides), _counter_case()),
        sources=(
            "Solla, Levin and Fleisher, Accelerated learning in layered neural networks, 1988",
            "Goodfellow, Bengio and Courville, Deep Learning, section 6.2.2, 2016",
        ),
    )


def _row(target: float, answer: float) -> tuple[str, ...]:
    squared, relative = worked(L2, target, answer), worked(BinaryKL, target, answer)
    at = logit(answer) if 0 < answer < 1 else -np.inf
    return (
        squared.case,
        number(at, 2),
        number(squared.value, 4),
        number(squared.by_logit, 4),
        number(relative.value, 4),
        number(relative.by_logit, 4),
    )


def _gradients() -> Section:
    slopes = {
        name: along(divergence("sigmoid", reduction="none"), LOGITS, 1.0)[1]
        for name, divergence in (("KL", BinaryKL), ("L2", L2))
    }
    z = logit(WRONG)
    relative, squared = worked(BinaryKL, 1.0, WRONG), worked(L2, 1.0, WRONG)
    ratio = relative.by_logit / squared.by_logit
    return Section(
        "Where one gradient dies",
        (
            f"Take a target of 1 and an answer of {WRONG:g}. The unit is certain, and wrong. KL’s "
            f"derivative by the logit is {number(relative.by_logit, 3)}, L2’s is "
            f"{number(squared.by_logit, 4)}: {ratio:.0f} times smaller, where the "
            "need is greatest.",
        ),
        (
            Figure(
                "Derivative by the logit, target 1",
                chart(
                    "dying",
                    "KL’s derivative is near −1 on the left and rises to 0; L2’s is near 0 on "
                    "both sides with a shallow dip between.",
                    [Line(name, LOGITS, slope) for name, slope in slopes.items()],
                    [
                        Point(z, relative.by_logit, number(relative.by_logit, 3), 0, (6.0, 11.0)),
                        Point(z, squared.by_logit, number(squared.by_logit, 4), 1, (0.0, 12.0)),
                    ],
                    against="logit z",
                    limits=(-1.1, 0.15),
                ),
                f"Dots: y = {WRONG:g}, confidently wrong.",
            ),
            Figure(
                "Its size, on a logarithmic scale",
                chart(
                    "dying-log",
                    "The size of KL’s derivative stays near 1 on the left; L2’s falls on both "
                    "sides of the middle.",
                    [Line(n, LOGITS, np.log10(np.abs(slope))) for n, slope in slopes.items()],
                    [
                        Point(z, np.log10(-relative.by_logit), "KL learns", 0, (0.0, -12.0)),
                        Point(z, np.log10(-squared.by_logit), "L2 waits", 1, (10.0, -4.0)),
                    ],
                    against="logit z",
                    limits=(-7.4, 0.4),
                    powers=True,
                ),
                "On the right, where the answer is right, both may vanish. On the left only L2 "
                "does.",
            ),
        ),
    )


def _surfaces(sides: tuple[_Side, ...]) -> Section:
    chord = np.array([START, END])
    figures = []
    for side in sides:
        before, after = (float(loss(side.divergence, side.path[[i]])[0]) for i in (0, -1))
        slope, offset = side.path[-1]
        figures.append(
            Figure(
                f"{side.name} over the two weights",
                surface(
                    f"surface-{side.name.lower()}",
                    f"The loss under {side.name} over slope and offset, with {STEPS} steps of "
                    "descent.",
                    partial(loss, side.divergence),
                    reach=REACH,
                    path=side.path,
                    chord=chord,
                ),
                f"After {STEPS} steps: w = {number(slope, 2)}, b = {number(offset, 2)}, loss "
                f"{number(after, 3)}, from {number(before, 3)}.",
            )
        )
    return Section(
        "Two surfaces, one start",
        (
            f"A unit y = σ(w·x + b) on {len(INPUTS)} points: x below 0 should give 0, x above 0 "
            "should give 1, and two in the middle lie the wrong way round. It starts confidently "
            f"wrong, at w = {number(START[0], 0)}, b = {number(START[1], 0)}, and takes {STEPS} "
            f"steps of gradient descent of size {STEP_SIZE:g}.",
            "The stronger the colour, the higher. KL is a bowl: from anywhere a slope leads to the "
            "bottom. L2 has plateaus, where the ground is high and flat and descent hardly moves.",
        ),
        tuple(figures),
    )


def _shape() -> Section:
    shares = np.linspace(0.0, 1.0, 201)
    places = np.outer(1 - shares, START) + np.outer(shares, END)
    figures = []
    for name, divergence in (("KL", BinaryKL), ("L2", L2)):
        along_it = loss(divergence, places)
        chord = np.linspace(along_it[0], along_it[-1], len(shares))
        middle = len(shares) // 2
        gap = float(along_it[middle] - chord[middle])
        beside = ((8.0, 10.0), "left") if gap > 0 else ((-8.0, -8.0), "right")
        figures.append(
            Figure(
                f"{name} along the dashed line",
                chart(
                    f"chord-{name.lower()}",
                    f"The loss under {name} along a straight way through the weights, and the "
                    "chord between its ends.",
                    [Line(name, shares, along_it), Line("chord", shares, chord)],
                    [Point(0.5, float(along_it[middle]), "midpoint", 0, *beside)],
                    against="share of the way from the start",
                    limits=(0.0, 1.12 * float(along_it.max())),
                ),
                f"The midpoint lies {number(abs(gap), 3)} {'above' if gap > 0 else 'below'} the "
                "chord.",
            )
        )
    return Section(
        "A bowl and a shelf",
        (
            "A function is convex if its chords never pass below it. Walk straight from the start "
            "to a place near the bottom, the dashed line above. KL stays below its chord. L2 stays "
            "up until the last moment, above its chord: one such place is enough to show that it "
            "is not convex.",
        ),
        tuple(figures),
    )


def _speed(sides: tuple[_Side, ...]) -> Section:
    steps = np.arange(STEPS + 1.0)
    errors = [error(side.path) for side in sides]
    return Section(
        "What it costs in steps",
        (
            "Losses under two divergences are not in one unit. The mean distance between answer "
            f"and target is. From {number(errors[0][0], 3)} at the start, KL brings it to "
            f"{number(errors[0][-1], 3)} in {STEPS} steps, L2 to {number(errors[1][-1], 3)}.",
        ),
        (
            Figure(
                "Mean distance |y − d| while descending",
                chart(
                    "speed",
                    "Under KL the distance falls within ten steps; under L2 it stays.",
                    [
                        Line(side.name, steps, values)
                        for side, values in zip(sides, errors, strict=True)
                    ],
                    against="steps",
                    limits=(0.0, 1.0),
                ),
                "Same unit, same start, same step size.",
            ),
        ),
    )


def _counter_case() -> Section:
    return Section(
        "Where L2 is the right one",
        (
            "All this is about probabilities behind a sigmoid or a softmax. Where the answer is a "
            "number and the noise in its targets is Gaussian, L2 is the negative log-likelihood, "
            "and with no link before it its derivative is the error itself and never dies. "
            "“penchant explain l2” shows that noise, “penchant explain kl” the other.",
        ),
    )
