import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks import GaussianClasses


def normal(seed: int, purpose: str, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, f"test/{purpose}"))


def drawn(seed: int, classes: int, features: int, *, equal: bool) -> GaussianClasses:
    """Means of size 2, eigenvalues between 0.25 and 4, priors from 0.05 up."""
    count = 1 if equal else classes
    turns = torch.linalg.qr(normal(seed, "turn", count, features, features)).Q
    sizes = 4 ** torch.tanh(normal(seed, "sizes", count, features))
    covariances = turns @ torch.diag_embed(sizes) @ turns.mT
    priors = 0.05 + torch.softmax(normal(seed, "priors", classes), dim=0)
    return GaussianClasses(
        2 * normal(seed, "means", classes, features),
        covariances[0] if equal else covariances,
        priors / priors.sum(),
    )


cases = st.tuples(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 6))


def by_hand(classes: GaussianClasses, x: Tensor) -> np.ndarray:
    """Bayes' rule sample by sample, with scipy's density."""
    from scipy.stats import multivariate_normal

    joint = np.stack(
        [
            float(prior) * multivariate_normal(mean.numpy(), covariance.numpy()).pdf(x.numpy())
            for prior, mean, covariance in zip(
                classes.priors, classes.means, classes.covariances, strict=True
            )
        ],
        axis=1,
    )
    return joint / joint.sum(axis=1, keepdims=True)


@settings(deadline=None, max_examples=60)
@given(cases)
def test_the_softmax_of_linear_logits_is_the_posterior(case: tuple[int, int, int]) -> None:
    seed, count, features = case
    classes = drawn(seed, count, features, equal=True)
    x = 3 * normal(seed, "x", 50, features)
    logits = classes.linear_logits()
    assert logits.weight.shape == (count, features)
    torch.testing.assert_close(
        torch.softmax(logits(x), dim=1), classes.posterior(x), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(
        torch.softmax(classes.quadratic_logits()(x), dim=1),
        classes.posterior(x),
        rtol=0,
        atol=1e-12,
    )


@settings(deadline=None, max_examples=60)
@given(cases)
def test_the_softmax_of_quadratic_logits_is_the_posterior(case: tuple[int, int, int]) -> None:
    seed, count, features = case
    classes = drawn(seed, count, features, equal=False)
    x = 3 * normal(seed, "x", 50, features)
    logits = classes.quadratic_logits()
    torch.testing.assert_close(
        torch.softmax(logits(x), dim=1), classes.posterior(x), rtol=0, atol=1e-12
    )
    # The logits are more than right up to a constant: they are the logarithm of prior × density.
    joint = classes.log_densities(x) + classes.priors.log()
    constant = -0.5 * features * np.log(2 * np.pi)
    torch.testing.assert_close(logits(x) + constant, joint, rtol=1e-11, atol=1e-10)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 6), st.booleans())
def test_of_two_classes_the_log_odds_are_the_logit(seed: int, features: int, equal: bool) -> None:
    classes = drawn(seed, 2, features, equal=equal)
    x = 3 * normal(seed, "x", 50, features)
    logit = (classes.linear_logits() if equal else classes.quadratic_logits()).log_odds()
    posterior = classes.posterior(x)
    assert logit(x).shape == (50,)
    torch.testing.assert_close(torch.sigmoid(logit(x)), posterior[:, 1], rtol=0, atol=1e-12)
    odds = classes.log_densities(x) + classes.priors.log()
    torch.testing.assert_close(logit(x), odds[:, 1] - odds[:, 0], rtol=1e-11, atol=1e-11)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_the_single_logit_is_the_formula(seed: int, features: int) -> None:
    classes = drawn(seed, 2, features, equal=True)
    logit = classes.linear_logits().log_odds()
    inverse = torch.linalg.inv(classes.covariances[0])
    first, second = classes.means
    torch.testing.assert_close(logit.weight, inverse @ (second - first), rtol=1e-12, atol=1e-12)
    bias = (
        -0.5 * second @ inverse @ second
        + 0.5 * first @ inverse @ first
        + torch.log(classes.priors[1] / classes.priors[0])
    )
    torch.testing.assert_close(logit.bias, bias, rtol=1e-12, atol=1e-12)
    against = classes.linear_logits().log_odds(of=0, against=1)
    assert torch.equal(against.weight, -logit.weight) and torch.equal(against.bias, -logit.bias)


@settings(deadline=None, max_examples=20)
@given(cases)
def test_the_posterior_is_bayes_rule_by_hand(case: tuple[int, int, int]) -> None:
    seed, count, features = case
    classes = drawn(seed, count, features, equal=False)
    x, _ = classes.sample(20, seed)
    np.testing.assert_allclose(classes.posterior(x).numpy(), by_hand(classes, x), atol=1e-12)


def test_equal_covariances_leave_nothing_quadratic_between_two_classes() -> None:
    classes = drawn(0, 3, 4, equal=True)
    curved, flat = classes.quadratic_logits().log_odds(), classes.linear_logits().log_odds()
    assert torch.equal(curved.quadratic, torch.zeros(4, 4, dtype=torch.float64))
    torch.testing.assert_close(curved.weight, flat.weight, rtol=0, atol=0)
    torch.testing.assert_close(curved.bias, flat.bias, rtol=1e-13, atol=1e-13)
    again = GaussianClasses(classes.means, classes.covariances, classes.priors)
    assert again.equal_covariances and not drawn(0, 3, 4, equal=False).equal_covariances


def test_far_from_every_mean_the_posterior_is_still_a_number() -> None:
    classes = drawn(1, 3, 2, equal=True)
    x = torch.tensor([[1e4, 1e4], [-1e4, 3e3]], dtype=torch.float64)
    assert (classes.log_densities(x).exp() == 0).all()
    posterior = classes.posterior(x)
    assert posterior.isfinite().all()
    torch.testing.assert_close(posterior.sum(1), torch.ones(2, dtype=torch.float64))


def test_samples_have_the_means_covariances_and_priors_they_are_drawn_from() -> None:
    classes = drawn(2, 3, 2, equal=False)
    x, labels = classes.sample(60_000, seed=0)
    assert x.shape == (60_000, 2) and x.dtype == torch.float64 and labels.shape == (60_000,)
    for k in range(3):
        own = x[labels == k]
        root = (classes.covariances[k].diagonal() / len(own)).sqrt()
        assert ((own.mean(0) - classes.means[k]).abs() < 4 * root).all()
        torch.testing.assert_close(own.T.cov(), classes.covariances[k], rtol=0.1, atol=0.05)
        share, prior = len(own) / len(x), float(classes.priors[k])
        assert abs(share - prior) < 4 * (prior * (1 - prior) / len(x)) ** 0.5


def test_samples_belong_to_their_seed_and_leave_the_global_stream_alone() -> None:
    classes = drawn(3, 2, 2, equal=True)
    state = torch.get_rng_state()
    first, again, other = classes.sample(5, 0), classes.sample(5, 0), classes.sample(5, 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_float32_and_one_dimension_are_taken() -> None:
    classes = GaussianClasses(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.5]]))
    assert classes.priors.tolist() == [0.5, 0.5]
    assert classes.posterior(torch.zeros(3, 1)).dtype == torch.float64
    matrix = normal(0, "float32", 8, 8).float()
    assert GaussianClasses(torch.zeros(2, 8), matrix @ matrix.T + torch.eye(8)).equal_covariances


@pytest.mark.parametrize("equal", [True, False])
def test_scikit_learns_discriminant_analyses_agree(equal: bool) -> None:
    from sklearn.discriminant_analysis import (
        LinearDiscriminantAnalysis,
        QuadraticDiscriminantAnalysis,
    )

    x, labels = drawn(4, 3, 3, equal=equal).sample(600, seed=0)
    if equal:
        fitted = LinearDiscriminantAnalysis(solver="lsqr").fit(x.numpy(), labels.numpy())
        covariance = torch.from_numpy(fitted.covariance_)
    else:
        fitted = QuadraticDiscriminantAnalysis(store_covariance=True).fit(x.numpy(), labels.numpy())
        covariance = torch.from_numpy(np.stack(fitted.covariance_))
    classes = GaussianClasses(
        torch.from_numpy(np.asarray(fitted.means_)), covariance, torch.from_numpy(fitted.priors_)
    )
    logits = (classes.linear_logits() if equal else classes.quadratic_logits())(x)
    theirs = fitted.predict_proba(x.numpy())
    np.testing.assert_allclose(torch.softmax(logits, 1).numpy(), theirs, atol=1e-11)
    np.testing.assert_allclose(classes.posterior(x).numpy(), theirs, atol=1e-11)


def logistic_unit(x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Maximum likelihood of a logistic unit, by Newton's method written out."""
    ones = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
    theta = torch.zeros(ones.shape[1], dtype=torch.float64)
    for _ in range(25):
        p = torch.sigmoid(ones @ theta)
        curvature = (ones * (p * (1 - p))[:, None]).T @ ones
        theta = theta - torch.linalg.solve(curvature, ones.T @ (p - labels))
    return theta[:-1], theta[-1]


def distance(unit: tuple[Tensor, Tensor], classes: GaussianClasses) -> float:
    """Mean distance between the unit's probability and the true posterior, on fresh samples."""
    x, _ = classes.sample(20_000, seed=99)
    return float((torch.sigmoid(x @ unit[0] + unit[1]) - classes.posterior(x)[:, 1]).abs().mean())


def test_a_trained_unit_finds_w_and_b_as_data_grows() -> None:
    means = torch.tensor([[-0.5, 0.3, 0.0], [0.8, 0.0, 0.4]], dtype=torch.float64)
    classes = GaussianClasses(means, drawn(5, 2, 3, equal=True).covariances[0])
    logit = classes.linear_logits().log_odds()
    errors, distances = [], []
    for count in (400, 6_400, 102_400):
        units = [logistic_unit(*classes.sample(count, seed)) for seed in range(5)]
        errors.append(
            np.mean([float((w - logit.weight).norm() + (b - logit.bias).abs()) for w, b in units])
        )
        distances.append(np.mean([distance(unit, classes) for unit in units]))
    # 16 times the data: a quarter of the error, by the square root of the count.
    assert errors[0] > 2.5 * errors[1] > 2.5 * 2.5 * errors[2]
    assert distances[2] < distances[0] / 8 and distances[2] < 0.005


def test_with_unequal_covariances_the_best_linear_logit_stays_away() -> None:
    means = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    covariances = torch.diag_embed(torch.tensor([[1.0, 1.0], [0.3, 3.0]], dtype=torch.float64))
    classes = GaussianClasses(means, covariances)
    far = [
        distance(logistic_unit(*classes.sample(count, 0)), classes) for count in (2_000, 128_000)
    ]
    assert min(far) > 0.1 and far[1] > 0.95 * far[0]
    x, _ = classes.sample(20_000, seed=99)
    exact = torch.sigmoid(classes.quadratic_logits().log_odds()(x))
    torch.testing.assert_close(exact, classes.posterior(x)[:, 1], rtol=0, atol=1e-12)


TWO = torch.zeros(2, 2)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(3), torch.eye(3)), r"means of shape \(3,\).*\(classes, features\)"),
        ((torch.zeros(1, 3), torch.eye(3)), r"means of shape \(1, 3\).*at least 2 classes"),
        ((torch.full((2, 2), torch.nan), torch.eye(2)), r"means\): every number must be finite"),
        ((TWO, torch.eye(3)), r"covariances of shape \(3, 3\).*needs \(2, 2\)"),
        ((TWO, torch.eye(2).expand(3, 2, 2)), r"covariances of shape \(3, 2, 2\).*\(2, 2, 2\)"),
        ((TWO, torch.tensor([[1.0, 0.5], [0.0, 1.0]])), r"class 0's is not symmetric"),
        ((TWO, torch.full((2, 2), torch.nan)), r"class 0's is not symmetric and finite"),
        ((TWO, torch.stack([torch.eye(2), -torch.eye(2)])), r"class 1's.*eigenvalue is -1;"),
        ((TWO, torch.ones(2, 2)), r"class 0's is not positive definite"),
        ((TWO, torch.eye(2), torch.ones(3) / 3), r"priors of shape \(3,\).*needs \(2,\)"),
        ((TWO, torch.eye(2), torch.tensor([0.5, 0.6])), r"priors=.*sum to 1, not 1\.1"),
        ((TWO, torch.eye(2), torch.tensor([0.0, 1.0])), r"priors=\[0\.0, 1\.0\].*positive"),
    ],
)
def test_parameters_that_do_not_fit_are_named(arguments: tuple[Tensor, ...], message: str) -> None:
    with pytest.raises(PenchantError, match=message) as raised:
        GaussianClasses(*arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.unchecked
def test_questions_that_do_not_fit_are_named() -> None:
    equal, unequal = drawn(0, 2, 2, equal=True), drawn(0, 2, 2, equal=False)
    with pytest.raises(PenchantError, match=r"covariances differ.*quadratic_logits\(\)"):
        unequal.linear_logits()
    with pytest.raises(PenchantError, match=r"x of shape \(5, 3\); needs \(samples, 2\)"):
        equal.posterior(torch.zeros(5, 3))
    with pytest.raises(PenchantError, match=r"sample\(count=0\): needs a whole number from 1"):
        equal.sample(0, seed=0)
