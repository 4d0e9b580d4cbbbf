"""The posterior of two Gaussian classes by Bayes' rule, and as the sigmoid of a logit."""

import torch
from jaxtyping import Float
from torch import Tensor

from penchant.claims._claim import Evidence
from penchant.claims._setting import Setting
from penchant.claims._tally import Tally
from penchant.randomness import generator
from penchant.tasks import GaussianClasses

POINTS = 20
"""Places at which each pair of classes is asked, spread wider than the classes."""
FAR = 100.0
"""How many times further out the limits are asked."""
_CORNERS = {"equal priors": 0.5, "a rare class": 1e-6}

_LINE = ((-1.0, 2.0), (0.75, 0.25))
"""Means and priors of the drawn example, one feature."""
_SPREADS = {"equal": (1.5, 1.5), "unequal": (0.5, 3.0)}


def _covariance(features: int, draws: torch.Generator) -> Float[Tensor, "features features"]:
    root = torch.randn(features, features, generator=draws, dtype=torch.float64)
    return root @ root.T / features + 0.3 * torch.eye(features, dtype=torch.float64)


def _draw(case: int, *, equal: bool) -> tuple[GaussianClasses, Tensor, str]:
    """A pair of classes, places to ask about, and the pair in words."""
    draws = generator(case, "sigmoid-posterior")
    features = case % 6 + 1
    means = 2 * torch.randn(2, features, generator=draws, dtype=torch.float64)
    covariances = torch.stack([_covariance(features, draws) for _ in range(2)])
    corner = list(_CORNERS)[case // 6 % 3] if case // 6 % 3 < len(_CORNERS) else "random priors"
    share = _CORNERS.get(corner, float(torch.rand((), generator=draws)) * 0.98 + 0.01)
    priors = torch.tensor([1 - share, share], dtype=torch.float64)
    places = 4 * torch.randn(POINTS, features, generator=draws, dtype=torch.float64)
    classes = GaussianClasses(means, covariances[0] if equal else covariances, priors)
    return classes, places, f"case {case} with {features} features and {corner}"


def equal(setting: Setting) -> Evidence:
    """Check the linear logit of equal covariances, w and b written out, against Bayes' rule."""
    tally = Tally()
    for case in range(setting.several(smoke=60, quick=600, full=6000)):
        classes, places, words = _draw(case, equal=True)
        (mean_0, mean_1), sigma = classes.means, classes.covariances[0]
        w = torch.linalg.solve(sigma, mean_1 - mean_0)
        b = (
            -0.5 * mean_1 @ torch.linalg.solve(sigma, mean_1)
            + 0.5 * mean_0 @ torch.linalg.solve(sigma, mean_0)
            + torch.log(classes.priors[1] / classes.priors[0])
        )
        logit = places @ w + b
        tally.add("P(1|x) = sigmoid(w·x + b)", _gap(classes, places, logit), words)
        tally.add("log-odds = w·x + b", _odds_gap(classes, places, logit), words)
        far = FAR * places
        tally.add("far from both means, to 0 or 1", _far_gap(classes, far, far @ w + b), words)
        on = places - (logit / (w @ w))[:, None] * w
        tally.add("½ where w·x + b = 0", _far_gap(classes, on, torch.zeros_like(logit)), words)
        both = classes.linear_logits()(places)
        two = both.softmax(1)[:, 1] - torch.sigmoid(both[:, 1] - both[:, 0])
        tally.add("a softmax of two is the sigmoid of the difference", _size(two), words)
    return {"checks": tally.checks(), "example": _example()}


def unequal(setting: Setting) -> Evidence:
    """Check the quadratic logit of unequal covariances against Bayes' rule."""
    tally = Tally()
    for case in range(setting.several(smoke=60, quick=600, full=6000)):
        classes, places, words = _draw(case, equal=False)
        (mean_0, mean_1), (inverse_0, inverse_1) = classes.means, classes.covariances.inverse()
        odds = classes.priors[1] / classes.priors[0]
        spread = torch.logdet(classes.covariances[0]) - torch.logdet(classes.covariances[1])
        logit = (
            0.5 * _square(places - mean_0, inverse_0)
            - 0.5 * _square(places - mean_1, inverse_1)
            + 0.5 * spread
            + torch.log(odds)
        )
        tally.add("P(1|x) = sigmoid(x·A·x + w·x + b)", _gap(classes, places, logit), words)
        tally.add("log-odds = x·A·x + w·x + b", _odds_gap(classes, places, logit), words)
        step = torch.ones(places.shape[1], dtype=torch.float64)
        bent = sum(
            weight * _log_odds(classes, places + times * step)
            for weight, times in ((1, -1), (-2, 0), (1, 1))
        )
        wanted = step @ (inverse_0 - inverse_1) @ step
        scale = 1 + _log_odds(classes, places).abs() + wanted.abs()
        tally.add(
            "the log-odds' second difference is 2·u·A·u everywhere",
            _size((bent - wanted) / scale),
            words,
        )
    return {"checks": tally.checks()}


def _square(x: Tensor, matrix: Tensor) -> Float[Tensor, " points"]:
    return torch.einsum("pf,fg,pg->p", x, matrix, x)


def _log_odds(classes: GaussianClasses, places: Tensor) -> Float[Tensor, " points"]:
    joint = classes.log_densities(places) + classes.priors.log()
    return joint[:, 1] - joint[:, 0]


def _gap(classes: GaussianClasses, places: Tensor, logit: Tensor) -> float:
    return _size(classes.posterior(places)[:, 1] - torch.sigmoid(logit))


def _far_gap(classes: GaussianClasses, places: Tensor, logit: Tensor) -> float:
    """Relative to the log-densities, two of which are subtracted and rounded before they are."""
    size = 1 + classes.log_densities(places).abs().amax(dim=1)
    return _size((classes.posterior(places)[:, 1] - torch.sigmoid(logit)) / size)


def _odds_gap(classes: GaussianClasses, places: Tensor, logit: Tensor) -> float:
    return _size((_log_odds(classes, places) - logit) / (1 + logit.abs()))


def _size(deviations: Tensor) -> float:
    return float(deviations.abs().max())


def _example() -> dict[str, list[float]]:
    """One feature: the classes' densities times priors, and the posterior, for a figure."""
    means, priors = (torch.tensor(numbers, dtype=torch.float64) for numbers in _LINE)
    x = torch.linspace(-6, 6, 121, dtype=torch.float64)[:, None]
    found = {"x": x[:, 0]}
    for name, spreads in _SPREADS.items():
        covariances = torch.tensor(spreads, dtype=torch.float64)[:, None, None]
        classes = GaussianClasses(means[:, None], covariances, priors)
        found[f"{name} P(1|x)"] = classes.posterior(x)[:, 1]
        if name == "equal":
            joint = classes.log_densities(x).exp() * priors
            found |= {"class 0": joint[:, 0], "class 1": joint[:, 1]}
    return {name: [round(value, 5) for value in row.tolist()] for name, row in found.items()}
