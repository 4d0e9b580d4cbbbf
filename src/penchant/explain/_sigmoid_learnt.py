"""The measured half of `explain sigmoid`: what learners make of samples."""

import numpy as np

from penchant.explain._explanation import Figure, Section, Table
from penchant.explain._sigmoid_charts import diagram, distances
from penchant.explain._sigmoid_examples import equal_plane, unequal_plane
from penchant.explain._sigmoid_runs import FRESH, SEEDS, SIZES, SPLITS, Learnt, Mended, learn, mend
from penchant.pages import number
from penchant.tasks import calibration_error, reliability

BINS = 10
FEW_BINS = 5
"""For the tumours: an over-confident network gives few answers between 0.1 and 0.9."""


def learnt() -> tuple[Section, ...]:
    """Train, measure and describe: the posterior approached, calibration, real data."""
    line, plane = learn(equal_plane), learn(unequal_plane)
    return _growing(line, plane), _honest(plane), _mended(mend())


def _growing(line: Learnt, plane: Learnt) -> Section:
    logit = equal_plane().linear_logits().log_odds()
    exact = (*logit.weight.tolist(), float(logit.bias))
    named = [*((f"{size:,}", unit) for size, unit in zip(SIZES, line.units, strict=True))]
    named.append(("closed form", exact))
    linear, quadratic, network = (plane.distance[name].mean(axis=1) for name in plane.distance)
    equal = {name: values.mean(axis=1) for name, values in line.distance.items()}
    return Section(
        "Learnt from samples",
        (
            "Nobody tells a network the densities. It sees samples with their classes and lowers "
            "the cross-entropy, whose least value is reached by the posterior and nothing else. "
            "Three learners with two features: a logistic unit σ(w·x + b); the same given the "
            "products of features too, so that its logit is quadratic; and a network of two hidden "
            "layers of 16. The distance is the mean of |learner’s probability − true posterior| "
            f"over {FRESH:,} new samples.",
            f"Equal covariances: the unit comes nearest at every size, "
            f"{_to(equal['logistic unit'])}; the network arrives too, but later, "
            f"{_to(equal['network'])}. A bias that is right saves data.",
            f"Unequal covariances: the unit stays at {number(linear[-1], 3)} however much it sees "
            f"({_to(linear)}); the quadratic unit goes {_to(quadratic)}, the network "
            f"{_to(network)}. With few samples a wrong bias can still do as well as none: at "
            f"{SIZES[0]} the unit’s distance is {number(linear[0], 3)}, the network’s "
            f"{number(network[0], 3)}.",
        ),
        (
            _distance_figure("equal", line),
            _distance_figure("unequal", plane),
        ),
        (
            Table(
                ("samples", "w₁", "w₂", "b"),
                tuple((name, *(number(value, 3) for value in unit)) for name, unit in named),
                "What the logistic unit has learnt from classes of equal covariance (one draw of "
                "each size), and what it should.",
            ),
        ),
    )


def _small(value: float) -> str:
    return f"{value:.0e}".replace("-", "−")


def _to(values: np.ndarray) -> str:
    return f"from {number(values[0], 3)} to {number(values[-1], 3)}"


def _distance_figure(which: str, learnt: Learnt) -> Figure:
    ends = ", ".join(
        f"{name} {number(v.mean(axis=1)[-1], 3)}" for name, v in learnt.distance.items()
    )
    return Figure(
        f"Distance to the true posterior, {which} covariances",
        distances(
            f"sigmoid-distance-{which}",
            f"Distance against samples, {which} covariances; with {SIZES[-1]:,} samples: {ends}.",
            SIZES,
            learnt.distance,
            (0.0012, 0.3),
        ),
        f"Mean of {SEEDS} seeds; the bands reach over all of them. With {SIZES[-1]:,}: {ends}.",
    )


def _honest(plane: Learnt) -> Section:
    found = {
        name: reliability(probability, plane.labels, BINS)
        for name, probability in plane.probability.items()
    }
    errors = {name: one.error for name, one in found.items()}
    errors["true posterior"] = calibration_error(plane.truth, plane.labels, BINS)
    flat = np.full_like(plane.truth, float(unequal_plane().priors[1]))
    errors["always the same"] = calibration_error(flat, plane.labels, BINS)
    answers = {**plane.probability, "true posterior": plane.truth, "always the same": flat}
    return Section(
        "Honest probabilities",
        (
            "The posterior is also calibrated: of all samples that it calls 80 % likely, 80 % are "
            "of class 1. Put predictions into bins and compare what was said with what came true; "
            "the gap, averaged over samples, is the expected calibration error (ECE).",
            "Where the covariances differ, the linear logit is far from the posterior and badly "
            "calibrated too. The reverse does not hold: whoever always answers class 1’s prior is "
            "calibrated and says nothing about x. ECE alone does not tell a good classifier; the "
            "cross-entropy does.",
        ),
        (
            Figure(
                "Said and come true, unequal covariances",
                diagram(
                    "sigmoid-reliability",
                    "Share of class 1 against the probability given; ECE "
                    + ", ".join(f"{name} {number(errors[name], 3)}" for name in found)
                    + ".",
                    found,
                    "probability given to class 1",
                ),
                f"Trained on {SIZES[-1]:,} samples, asked about {FRESH:,} new ones; grey is "
                "perfect.",
            ),
        ),
        (
            Table(
                ("answer", "ECE", "distance to the posterior"),
                tuple(
                    (
                        name,
                        number(error, 3),
                        number(float(np.abs(answers[name] - plane.truth).mean()), 3),
                    )
                    for name, error in errors.items()
                ),
                f"{BINS} bins. Even the true posterior does not reach 0: {FRESH:,} labels are a "
                "matter of chance.",
            ),
        ),
    )


def _mended(found: Mended) -> Section:
    nll, error, confidence = (found.scores[name] for name in ("nll", "error", "confidence"))
    lower = {name: int((v[:, 1] < v[:, 0]).sum()) for name, v in found.scores.items()}
    accuracy = float(found.accuracy.mean())
    names = ("before", "after")
    lines = {
        name: reliability(p, found.labels, FEW_BINS)
        for name, p in zip(names, found.probability, strict=True)
    }
    sure, calm = lines.values()
    outer = float(sure.count[[0, -1]].sum() / sure.count.sum())
    trained, calibrated, tested = found.sizes
    return Section(
        "Real tumours, and a network that is too sure",
        (
            f"{sum(found.sizes)} tumours, 30 measurements each. A network of two hidden layers of "
            f"64, trained on {trained} of them until the loss is {_small(found.loss.mean())} nats, "
            f"is right about {number(100 * accuracy, 1)} % of {tested} others and "
            f"{number(100 * confidence[:, 0].mean(), 1)} % sure: its logits went on growing after "
            "every training sample was right.",
            "Temperature scaling divides all logits by one number T, found on samples that the "
            f"network was not trained on (here {calibrated}); which class is likeliest does not "
            "change. In the library: nn.Sequential(network, pn.calibrate(network(x), labels)).",
            f"Over {SPLITS} splits T is {number(found.temperature.mean(), 1)} on average. The "
            f"negative log-likelihood of the test part falls in {lower['nll']} of {SPLITS} splits, "
            f"the calibration error in {lower['error']}. It does not reach 0, and on {tested} "
            "samples it could not: if the calibrated probabilities were exactly right, it would "
            f"still measure {number(found.chance.mean(), 3)}.",
        ),
        (
            Figure(
                "Said and come true, before and after",
                diagram(
                    "sigmoid-tumours",
                    "Share of benign tumours against the probability given, before and after "
                    "temperature scaling.",
                    lines,
                    "probability of benign",
                ),
                f"All {SPLITS} test parts together. {number(100 * outer, 1)} % of the "
                "answers before lie in the two outer bins, where they are too sure: of the tumours "
                "that it called "
                f"{number(100 * float(sure.confidence[-1]), 1)} % likely benign, "
                f"{number(100 * float(sure.accuracy[-1]), 1)} % were. After: "
                f"{number(100 * float(calm.confidence[-1]), 1)} % and "
                f"{number(100 * float(calm.accuracy[-1]), 1)} %.",
            ),
        ),
        (
            Table(
                ("mean of the test parts", "before", "after"),
                tuple(
                    (name, *(number(value, 3) for value in values))
                    for name, values in (
                        ("negative log-likelihood (nats)", nll.mean(axis=0)),
                        ("expected calibration error (15 bins)", error.mean(axis=0)),
                        ("mean confidence", confidence.mean(axis=0)),
                        ("accuracy", (accuracy, accuracy)),
                    )
                ),
            ),
        ),
    )
