"""Sigmoid: what its output is the probability of, when that is exact, and what it is worth."""

import numpy as np
import torch
from torch import Tensor

from penchant.explain._chart import Line, Point, chart
from penchant.explain._explanation import Explanation, Figure, Section, Table
from penchant.explain._sigmoid_examples import (
    equal_line,
    equal_plane,
    three_classes,
    unequal_line,
    unequal_plane,
)
from penchant.explain._sigmoid_learnt import learnt
from penchant.pages import number
from penchant.tasks import GaussianClasses

PLACES = np.linspace(-6.0, 6.0, 241)
CHECKED = 5_000
"""Samples of each example on which the two ways to the posterior are compared."""


def sigmoid() -> Explanation:
    """Explain the sigmoid: the posterior of two Gaussian classes, learnt, broken and mended."""
    return Explanation(
        topic="sigmoid",
        title="Sigmoid: the probability of a class, given what was seen",
        summary=(
            "A sigmoid turns log-odds into a probability. If the features of two classes are "
            "Gaussian with the same covariance, P(class 1|x) is exactly σ(w·x + b), with w and b "
            "known in closed form; a network trained with cross-entropy comes close to it as data "
            "grows. If the covariances differ, the log-odds are quadratic and no linear logit "
            "gives the posterior."
        ),
        table=_worked(),
        sections=(_densities(), _parabola(), *learnt(), _softmax()),
        sources=(
            "Bishop, Pattern Recognition and Machine Learning, section 4.2, 2006",
            "Ng and Jordan, On discriminative vs. generative classifiers, 2001",
            "Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, 2017",
            "Street, Wolberg and Mangasarian, Nuclear feature extraction for breast tumor "
            "diagnosis, 1993 (the tumours, in scikit-learn)",
        ),
    )


def _column(*places: float) -> Tensor:
    return torch.tensor(places, dtype=torch.float64)[:, None]


def _worked() -> Table:
    classes = equal_line()
    logit = classes.linear_logits().log_odds()
    boundary = float(-logit.bias / logit.weight[0])
    x = _column(-3.0, -1.0, 0.0, boundary, 2.0, 4.0)
    densities, posterior = classes.log_densities(x).exp(), classes.posterior(x)[:, 1]
    odds = logit(x)
    columns = torch.column_stack([densities, posterior, odds, torch.sigmoid(odds)])
    rows = tuple(
        (number(place, 2), *(number(value, 4) for value in row), _tiny(row[4] - row[2]))
        for place, row in zip(x[:, 0].tolist(), columns.tolist(), strict=True)
    )
    return Table(
        (
            "x",
            "density 0",
            "density 1",
            "by Bayes",
            "w·x + b",
            "σ(w·x + b)",
            "apart",
        ),
        rows,
        "Densities of class 0 ~ N(−1, 1.5), three quarters of all, and class 1 ~ N(2, 1.5); the "
        "posterior of class 1 by Bayes’ rule, and how far the sigmoid is from it. In closed form "
        f"w = (μ₁ − μ₀)/σ² = {number(float(logit.weight[0]), 4)} and "
        f"b = (μ₀² − μ₁²)/2σ² + log(π₁/π₀) = {number(float(logit.bias), 4)}. At "
        f"x = {number(boundary, 2)} the logit is 0: both classes are equally likely.",
    )


def _tiny(difference: float) -> str:
    return f"{abs(difference):.0e}".replace("-", "−") if difference else "0"


def _densities() -> Section:
    classes = equal_line()
    x = torch.from_numpy(PLACES)[:, None]
    logs = classes.log_densities(x) + classes.priors.log()
    joint, odds = logs.exp().numpy(), (logs[:, 1] - logs[:, 0]).numpy()
    posterior = classes.posterior(x)[:, 1].numpy()
    logit = classes.linear_logits().log_odds()
    boundary = float(-logit.bias / logit.weight[0])
    return Section(
        "Two classes, and what x says about them",
        (
            "By Bayes’ rule a class’s posterior is its prior times its density, over the sum of "
            "these for both classes. Divide by the numerator: P(1|x) = 1 / (1 + exp(−z)), a "
            "sigmoid, with z = log(π₁N₁(x) / π₀N₀(x)). So the sigmoid holds for any two classes; "
            "z is the log-odds, how many times likelier class 1 is, as a logarithm.",
            "What the Gaussian adds is the form of z. Each log-density is −(x − μ)²/2σ² and a "
            "constant. With the same σ the two x² cancel, and a straight line is left: z = w·x + "
            "b. In more dimensions it is the same with w = Σ⁻¹(μ₁ − μ₀) and "
            "b = −½μ₁ᵀΣ⁻¹μ₁ + ½μ₀ᵀΣ⁻¹μ₀ + log(π₁/π₀).",
            "The priors are in b alone. If a class becomes rarer after training, only the bias "
            "is to be corrected.",
        ),
        (
            Figure(
                "Prior times density, and the posterior of class 1",
                chart(
                    "sigmoid-densities",
                    "Two bell curves, the left one three times as high, and an S-shaped curve that "
                    "crosses one half where the bells cross.",
                    [
                        Line("class 0", PLACES, joint[:, 0]),
                        Line("class 1", PLACES, joint[:, 1]),
                        Line("P(1|x)", PLACES, posterior),
                    ],
                    [Point(boundary, 0.5, f"x = {number(boundary, 2)}", 2, (-8, 6), "right")],
                    against="x",
                    limits=(0.0, 1.05),
                ),
                "The posterior is one half where the two bells cross.",
            ),
            Figure(
                "The same as logarithms, and their difference",
                chart(
                    "sigmoid-logarithms",
                    "Two parabolas of the same width, and a straight line that is zero where they "
                    "cross.",
                    [
                        Line("class 0", PLACES, logs[:, 0].numpy()),
                        Line("class 1", PLACES, logs[:, 1].numpy()),
                        Line("log-odds", PLACES, odds),
                    ],
                    [Point(boundary, 0.0, f"x = {number(boundary, 2)}", 2, (-8, 8), "right")],
                    against="x",
                    limits=(-20.0, 12.0),
                ),
                "Two parabolas of one width differ by a straight line: the logit of the sigmoid.",
            ),
        ),
    )


def _parabola() -> Section:
    x = torch.from_numpy(PLACES)[:, None]
    equal, unequal = equal_line(), unequal_line()
    curved = unequal.quadratic_logits().log_odds()
    odds = [equal.linear_logits().log_odds()(x).numpy(), curved(x).numpy()]
    posteriors = [classes.posterior(x)[:, 1].numpy() for classes in (equal, unequal)]
    apart = max(_exactness(classes) for classes in (equal, unequal, equal_plane(), unequal_plane()))
    names = ("equal", "unequal")
    a, w, b = float(curved.quadratic), float(curved.weight), float(curved.bias)
    root = (w * w - 4 * a * b) ** 0.5
    low, high = (-w - root) / (2 * a), (-w + root) / (2 * a)
    return Section(
        "Unequal covariances: a parabola",
        (
            "Give class 0 the variance 0.5 and class 1 the variance 3, and the squares no longer "
            f"cancel: z = {number(a, 3)}·x² + {number(w, 3)}·x − {number(-b, 3)}. Now class 1 is "
            f"likelier on both sides, below x = {number(low, 2)} and above {number(high, 2)}: far "
            "out, where the narrow density has died away, only the broad one can have made the "
            "sample. A straight line has one crossing, so no linear logit can say this.",
            f"On {CHECKED:,} samples of each example on this page the closed form and Bayes’ rule, "
            f"computed separately, differ by {_tiny(apart)} at most.",
        ),
        (
            Figure(
                "Log-odds",
                chart(
                    "sigmoid-odds",
                    "For equal variances a straight line, for unequal ones a parabola that is "
                    "above zero on both sides.",
                    [Line(n, PLACES, z) for n, z in zip(names, odds, strict=True)],
                    [
                        Point(low, 0.0, number(low, 2), 1, (4.0, 10.0)),
                        Point(high, 0.0, number(high, 2), 1, (-4.0, 12.0), "right"),
                    ],
                    against="x",
                    limits=(-14.0, 14.0),
                ),
                "A line for equal variances, a parabola for unequal ones.",
            ),
            Figure(
                "Posterior of class 1",
                chart(
                    "sigmoid-posteriors",
                    "For equal variances an S-shaped curve; for unequal ones a valley with class 1 "
                    "on both sides.",
                    [Line(n, PLACES, p) for n, p in zip(names, posteriors, strict=True)],
                    against="x",
                    limits=(0.0, 1.05),
                ),
                "The sigmoid of the line rises for ever; that of the parabola comes back.",
            ),
        ),
    )


def _exactness(classes: GaussianClasses) -> float:
    """The largest difference between Bayes' rule and the sigmoid of the closed form."""
    x, _ = classes.sample(CHECKED, seed=0)
    logits = classes.linear_logits() if classes.equal_covariances else classes.quadratic_logits()
    found = torch.sigmoid(logits.log_odds()(x))
    return float((found - classes.posterior(x)[:, 1]).abs().max())


def _softmax() -> Section:
    classes = three_classes()
    logits = classes.linear_logits()
    x = torch.tensor([[-1.5, 0.0], [0.0, 0.0], [0.0, 1.0], [1.5, 2.0]], dtype=torch.float64)
    posterior, found = classes.posterior(x), torch.softmax(logits(x), dim=1)
    rows = tuple(
        (
            f"({', '.join(number(value, 1) for value in point)})",
            *(number(p, 4) for p in said),
            _tiny(float((said - bayes).abs().max())),
        )
        for point, bayes, said in zip(x.tolist(), posterior, found, strict=True)
    )
    return Section(
        "Many classes: the softmax",
        (
            "With more classes the same cancelling leaves one linear logit a class, wₖ = Σ⁻¹μₖ and "
            "bₖ = −½μₖᵀΣ⁻¹μₖ + log πₖ, and the posterior is their softmax. The log-odds of any two "
            "classes are the difference of their logits, so that of two classes one sigmoid is "
            "left.",
        ),
        tables=(
            Table(
                ("x", "class 0", "class 1", "class 2", "from Bayes’ rule"),
                rows,
                "Softmax of the closed-form logits of three classes; the last column is how far "
                "they are from the posterior by Bayes’ rule.",
            ),
        ),
    )
