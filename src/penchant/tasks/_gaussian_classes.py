"""Classes whose features are Gaussian: the one case in which the true posterior is known.

The posterior is computed twice, and the two ways share nothing but the parameters: `posterior` by
Bayes' rule from densities, and the closed form of the logits, `linear_logits` or
`quadratic_logits`, behind a softmax or, for two classes, `log_odds` behind a sigmoid.
"""

from dataclasses import dataclass
from numbers import Integral

import torch
from jaxtyping import Float, Int
from torch import Tensor

from penchant.errors import PenchantError
from penchant.randomness import generator

_SUM = 1e-6
"""How far priors may sum from 1: float32's rounding; they are divided by their sum."""


@dataclass(frozen=True, eq=False)
class LinearLogits:
    r"""Logits that are linear in the features.

    .. math:: z_k(x) = w_k^\top x + b_k

    Attributes:
        weight: w, a row a class; a single row where it is one logit.
        bias: b.

    Example:
        >>> logit = LinearLogits(torch.tensor([2.0, 0.0]), torch.tensor(-1.0))
        >>> logit(torch.tensor([[1.0, 5.0]]))
        tensor([1.])
    """

    weight: Float[Tensor, "*classes features"]
    bias: Float[Tensor, "*classes"]

    def __call__(self, x: Float[Tensor, "samples features"]) -> Float[Tensor, "samples *classes"]:
        """Return the logits at x."""
        return torch.einsum("sf,...f->s...", x, self.weight) + self.bias

    def log_odds(self, of: int = 1, against: int = 0) -> "LinearLogits":
        """Return the single logit whose sigmoid is the posterior of one of two classes.

        Args:
            of: the class whose probability it gives.
            against: the other class.
        """
        return LinearLogits(
            self.weight[of] - self.weight[against], self.bias[of] - self.bias[against]
        )


@dataclass(frozen=True, eq=False)
class QuadraticLogits:
    r"""Logits that are quadratic in the features.

    .. math:: z_k(x) = x^\top A_k x + w_k^\top x + b_k

    Attributes:
        quadratic: A, a symmetric matrix a class; a single matrix where it is one logit.
        weight: w.
        bias: b.

    Example:
        >>> logit = QuadraticLogits(torch.eye(2), torch.zeros(2), torch.tensor(-1.0))
        >>> logit(torch.tensor([[1.0, 2.0]]))
        tensor([4.])
    """

    quadratic: Float[Tensor, "*classes features features"]
    weight: Float[Tensor, "*classes features"]
    bias: Float[Tensor, "*classes"]

    def __call__(self, x: Float[Tensor, "samples features"]) -> Float[Tensor, "samples *classes"]:
        """Return the logits at x."""
        curved = torch.einsum("sf,...fg,sg->s...", x, self.quadratic, x)
        return curved + torch.einsum("sf,...f->s...", x, self.weight) + self.bias

    def log_odds(self, of: int = 1, against: int = 0) -> "QuadraticLogits":
        """Return the single logit whose sigmoid is the posterior of one of two classes.

        Args:
            of: the class whose probability it gives.
            against: the other class.
        """
        return QuadraticLogits(
            self.quadratic[of] - self.quadratic[against],
            self.weight[of] - self.weight[against],
            self.bias[of] - self.bias[against],
        )


class GaussianClasses:
    r"""Classes with priors πₖ, and within each class features x ~ N(μₖ, Σₖ).

    .. math:: P(k \mid x) = \frac{\pi_k\,N(x; \mu_k, \Sigma_k)}{\sum_j \pi_j\,N(x; \mu_j, \Sigma_j)}
              = \mathrm{softmax}(z(x))_k

    and for two classes P(1 | x) = sigmoid(z₁(x) − z₀(x)). With one covariance for all, what is
    quadratic in x cancels and the logits are linear; otherwise they are quadratic.

    Args:
        means: μ, a row a class; kept in float64.
        covariances: Σ, one for all classes or one each.
        priors: π, positive, summing to 1; equal ones without.

    Raises:
        PenchantError: shapes that do not fit together, fewer than 2 classes, numbers that are not
            finite, a covariance that is not symmetric and positive definite, priors that are not
            positive or do not sum to 1.

    Example:
        >>> classes = GaussianClasses(torch.tensor([[-1.0], [1.0]]), torch.eye(1))
        >>> logit = classes.linear_logits().log_odds()
        >>> logit.weight, logit.bias
        (tensor([2.], dtype=torch.float64), tensor(0., dtype=torch.float64))
        >>> x = torch.tensor([[0.5]], dtype=torch.float64)
        >>> classes.posterior(x), torch.sigmoid(logit(x))
        (tensor([[0.2689, 0.7311]], dtype=torch.float64), tensor([0.7311], dtype=torch.float64))

    Source: Bishop, "Pattern recognition and machine learning", 2006, section 4.2; the linear case
    is Fisher's discriminant, "The use of multiple measurements in taxonomic problems", 1936.
    """

    means: Float[Tensor, "classes features"]
    covariances: Float[Tensor, "classes features features"]
    priors: Float[Tensor, "classes"]

    def __init__(
        self,
        means: Float[Tensor, "classes features"],
        covariances: Float[Tensor, "*classes features features"],
        priors: Float[Tensor, "classes"] | None = None,
    ) -> None:
        self.means = _means(means)
        self.covariances = _covariances(covariances, self.means)
        self.priors = _priors(priors, len(self.means))

    @property
    def equal_covariances(self) -> bool:
        """Whether all classes have the same covariance, to the bit."""
        return bool((self.covariances == self.covariances[0]).all())

    def sample(
        self, count: int, seed: int
    ) -> tuple[Float[Tensor, "count features"], Int[Tensor, "count"]]:
        """Draw a class from the priors and features from the class, `count` times.

        Args:
            count: how many samples.
            seed: keys the draws; the global stream is left alone.

        Returns:
            Features in float64, and the classes they were drawn from.

        Raises:
            PenchantError: no positive whole number of samples.
        """
        if not isinstance(count, Integral) or count < 1:
            raise PenchantError(
                f"GaussianClasses.sample(count={count!r}): needs a whole number from 1"
            )
        labels = torch.multinomial(
            self.priors,
            count,
            replacement=True,
            generator=generator(seed, "gaussian-classes/label"),
        )
        draws = generator(seed, "gaussian-classes/features")
        noise = torch.randn(count, self.means.shape[1], dtype=torch.float64, generator=draws)
        roots = torch.linalg.cholesky(self.covariances)
        return self.means[labels] + torch.einsum("sfg,sg->sf", roots[labels], noise), labels

    def log_densities(
        self, x: Float[Tensor, "samples features"]
    ) -> Float[Tensor, "samples classes"]:
        """Return log N(x; μₖ, Σₖ) for each class."""
        from torch.distributions import MultivariateNormal

        densities = MultivariateNormal(self.means, self.covariances, validate_args=False)
        logs: Tensor = densities.log_prob(self._points(x)[:, None])  # type: ignore[no-untyped-call]
        return logs

    def posterior(self, x: Float[Tensor, "samples features"]) -> Float[Tensor, "samples classes"]:
        """Return P(k | x) by Bayes' rule: prior times density, over the sum of these."""
        joint = self.log_densities(x) + self.priors.log()
        # Dividing before exponentiating: far from every mean all densities round to 0.
        return (joint - joint.logsumexp(dim=1, keepdim=True)).exp()

    def linear_logits(self) -> LinearLogits:
        r"""Return the logits of equal covariances.

        .. math:: w_k = \Sigma^{-1}\mu_k, \qquad
                  b_k = -\tfrac12\,\mu_k^\top\Sigma^{-1}\mu_k + \log\pi_k

        so that between two classes w = Σ⁻¹(μ₁ − μ₀) and
        b = −½μ₁ᵀΣ⁻¹μ₁ + ½μ₀ᵀΣ⁻¹μ₀ + log(π₁/π₀).

        Raises:
            PenchantError: the covariances differ, and no linear logit gives the posterior.
        """
        if not self.equal_covariances:
            raise PenchantError(
                "GaussianClasses.linear_logits(): the classes' covariances differ, so the logits "
                "are quadratic in x; take quadratic_logits()"
            )
        logits = self.quadratic_logits()
        # Less the classes' common −½ log det Σ, to which neither softmax nor log-odds answers.
        common = -0.5 * torch.logdet(self.covariances[0])
        return LinearLogits(logits.weight, logits.bias - common)

    def quadratic_logits(self) -> QuadraticLogits:
        r"""Return the logits of any covariances.

        .. math:: A_k = -\tfrac12\,\Sigma_k^{-1}, \qquad w_k = \Sigma_k^{-1}\mu_k, \qquad
                  b_k = -\tfrac12\,\mu_k^\top\Sigma_k^{-1}\mu_k
                  - \tfrac12\log\det\Sigma_k + \log\pi_k
        """
        inverses = torch.linalg.inv(self.covariances)
        inverses = (inverses + inverses.mT) / 2
        weight = torch.einsum("kfg,kg->kf", inverses, self.means)
        bias = (
            -0.5 * (self.means * weight).sum(1)
            - 0.5 * torch.logdet(self.covariances)
            + self.priors.log()
        )
        return QuadraticLogits(-0.5 * inverses, weight, bias)

    def _points(self, x: Tensor) -> Tensor:
        if x.ndim != 2 or x.shape[1] != self.means.shape[1]:
            raise PenchantError(
                f"GaussianClasses: x of shape {tuple(x.shape)}; "
                f"needs (samples, {self.means.shape[1]}), as many features as the means have"
            )
        return x.to(torch.float64)


def _means(given: Tensor) -> Tensor:
    if given.ndim != 2 or len(given) < 2 or given.shape[1] < 1:
        raise PenchantError(
            f"GaussianClasses(means of shape {tuple(given.shape)}): "
            "needs (classes, features) with at least 2 classes and 1 feature"
        )
    if not given.isfinite().all():
        raise PenchantError("GaussianClasses(means): every number must be finite")
    return given.to(torch.float64)


def _covariances(given: Tensor, means: Tensor) -> Tensor:
    classes, features = means.shape
    if tuple(given.shape) not in {(features, features), (classes, features, features)}:
        raise PenchantError(
            f"GaussianClasses(covariances of shape {tuple(given.shape)}): with means of shape "
            f"{tuple(means.shape)} needs ({features}, {features}), one for all classes, or "
            f"({classes}, {features}, {features}), one each"
        )
    matrices = given.to(torch.float64).expand(classes, features, features)
    for k, matrix in enumerate(matrices):
        # Rounding of products such as A Aᵀ, even in float32, is no asymmetry.
        if not (matrix - matrix.T).abs().max() <= 1e-6 * matrix.abs().max():
            raise PenchantError(
                f"GaussianClasses(covariances): class {k}'s is not symmetric and finite; "
                "a covariance equals its transpose"
            )
        if torch.linalg.cholesky_ex(matrix).info != 0:
            smallest = float(torch.linalg.eigvalsh(matrix)[0])
            raise PenchantError(
                f"GaussianClasses(covariances): class {k}'s is not positive definite, its smallest "
                f"eigenvalue is {smallest:.3g}; needs every eigenvalue above 0"
            )
    return (matrices + matrices.mT) / 2


def _priors(given: Tensor | None, classes: int) -> Tensor:
    if given is None:
        return torch.full((classes,), 1 / classes, dtype=torch.float64)
    if tuple(given.shape) != (classes,):
        raise PenchantError(
            f"GaussianClasses(priors of shape {tuple(given.shape)}): "
            f"needs ({classes},), one a class"
        )
    priors = given.to(torch.float64)
    total = float(priors.sum())
    if not ((priors > 0).all() and abs(total - 1) <= _SUM):  # so that nan fails too
        raise PenchantError(
            f"GaussianClasses(priors={priors.tolist()}): needs positive numbers that sum to 1, "
            f"not {total:g}"
        )
    return priors / total
