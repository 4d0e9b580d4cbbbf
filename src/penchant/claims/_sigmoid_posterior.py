"""What the sigmoid means: the posterior of two Gaussian classes."""

from collections.abc import Mapping

import numpy as np

from penchant.claims._claim import Claim, Evidence, Statement
from penchant.claims._posterior_checks import equal, unequal
from penchant.claims._posterior_learnt import ECE, KL, logits, networks
from penchant.claims._rules import comparisons, exactly
from penchant.explain import Figure, Line, chart

_KL = "KL(posterior ‖ answer) in nats on fresh samples, which is 0 for the posterior itself"


def _figure(found: Mapping[str, Evidence]) -> Figure | None:
    if "sigmoid" not in found:
        return None
    rows = {name: np.array(row) for name, row in found["sigmoid"]["example"].items()}
    drawn = {
        "class 0": rows["class 0"],
        "class 1": rows["class 1"],
        "sigmoid(w·x + b)": rows["equal P(1|x)"],
        "unequal": rows["unequal P(1|x)"],
    }
    return Figure(
        "The probability of class 1, given x",
        chart(
            "claim-sigmoid-posterior",
            "Two Gaussian densities times their priors, and the posterior of class 1: a sigmoid "
            "where their variances are equal, a valley where they are not.",
            [Line(name, rows["x"], row) for name, row in drawn.items()],
            against="x",
            limits=(0.0, 1.02),
        ),
        "One feature. The two bumps are the classes' densities times their priors (0.75 and 0.25), "
        "of equal variance; the posterior is exactly a sigmoid. With the variances 0.5 and 3 "
        "instead it is not: far to the left the broad class is the likelier again.",
    )


SIGMOID_POSTERIOR = Claim(
    id="sigmoid-posterior",
    words="“What is the probabilistic interpretation of Sigmoid?” (a heading; the answer was a "
    "figure)",
    meaning="Of two classes whose features are Gaussian with the same covariance, the probability "
    "of class 1 given the features is the sigmoid of a linear function of them; so the sigmoid's "
    "output is a posterior probability, and its logit the log-odds. A network that is trained with "
    "cross-entropy approaches it.",
    statements=(
        Statement(
            name="sigmoid",
            says="With equal covariances Σ, P(1 | x) = sigmoid(w·x + b) and the log-odds are "
            "w·x + b, with w = Σ⁻¹(μ₁ − μ₀) and b = −½ μ₁·Σ⁻¹μ₁ + ½ μ₀·Σ⁻¹μ₀ + log(π₁/π₀): equal "
            "in float64 to Bayes' rule from the densities, for random classes of 1 to 6 features, "
            "near and far; log-odds relative to 1 + |log-odds|, what is far relative to the "
            "log-densities.",
            kind="exact",
            gather=equal,
            rule=exactly(1e-9),
        ),
        Statement(
            name="quadratic",
            says="With unequal covariances the log-odds are x·A·x + w·x + b, with "
            "A = ½(Σ₀⁻¹ − Σ₁⁻¹): equal in float64 to Bayes' rule, for random classes of 1 to 6 "
            "features; log-odds relative to 1 + |log-odds|.",
            kind="exact",
            gather=unequal,
            rule=exactly(1e-9),
        ),
        Statement(
            name="linear-suffices",
            says="With equal covariances the linear logit that is best in cross-entropy comes "
            "within 0.01 nats of the true posterior.",
            kind="measured",
            gather=logits,
            rule=comparisons(
                "equivalent",
                f"A fitted linear logit against the true posterior: {_KL}.",
                covariances="equal",
                logit="linear",
            ),
        ),
        Statement(
            name="linear-fails",
            says="With unequal covariances the linear logit that is best in cross-entropy is worse "
            "than the true posterior.",
            kind="measured",
            gather=logits,
            rule=comparisons(
                "worse",
                f"A fitted linear logit against the true posterior: {_KL}.",
                covariances="unequal",
                logit="linear",
            ),
        ),
        Statement(
            name="approaches",
            says="A network that is trained with cross-entropy is nearer to the posterior the more "
            "samples it has seen: from the fewest to the most.",
            kind="measured",
            gather=networks,
            rule=comparisons(
                "better",
                f"The same networks with the most samples against the fewest: {_KL}.",
                asks="more",
            ),
        ),
        Statement(
            name="reaches",
            says="With the most samples it comes within 0.01 nats of the posterior.",
            kind="measured",
            gather=networks,
            rule=comparisons(
                "equivalent",
                f"Networks with the most samples against the true posterior: {_KL}.",
                asks="most",
                metric=KL.name,
            ),
        ),
        Statement(
            name="calibrated",
            says="With the most samples its probabilities are as well calibrated as the posterior, "
            "within a point.",
            kind="measured",
            gather=networks,
            rule=comparisons(
                ("equivalent", "better"),
                "Networks with the most samples against the true posterior: the expected "
                "calibration error (15 bins) on the same fresh samples.",
                asks="most",
                metric=ECE.name,
            ),
        ),
        Statement(
            name="quadratic-suffices",
            says="With unequal covariances the quadratic logit that is best in cross-entropy comes "
            "within 0.01 nats of the true posterior.",
            kind="measured",
            gather=logits,
            rule=comparisons(
                "equivalent",
                f"A fitted quadratic logit against the true posterior: {_KL}.",
                covariances="unequal",
                logit="quadratic",
            ),
            instead=True,
        ),
    ),
    literature=(
        "Bishop (2006, section 4.2) derives the linear logit of Gaussian classes with one "
        "covariance, and the quadratic one of classes with their own.",
        "Guo et al. (2017): “modern neural networks, unlike those from a decade ago, are poorly "
        "calibrated”; a ResNet-110's expected calibration error on CIFAR-100 is 16.53 %, and "
        "1.26 % after one temperature.",
    ),
    figure=_figure,
)
