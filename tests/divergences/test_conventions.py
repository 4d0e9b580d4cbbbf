"""Where torch and scipy have the same thing, and where by another convention.

Each test is a line of the table in docs/divergences.md.
"""

import math

import numpy as np
import pytest
import scipy.special
import torch
from torch import Tensor
from torch.nn import functional as F

from penchant.divergences import (
    KL,
    L1,
    L2,
    BinaryCrossEntropy,
    BinaryKL,
    CrossEntropy,
    Huber,
)
from penchant.randomness import generator

N, C = 6, 4
CLOSE = {"rtol": 1e-12, "atol": 1e-14}


def numbers(purpose: str, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator(0, purpose), dtype=torch.float64)


@pytest.fixture
def logits() -> Tensor:
    return numbers("logits", N, C)


@pytest.fixture
def rows() -> Tensor:
    """Rows of probabilities, the first of them certain."""
    drawn = numbers("rows", N, C).softmax(1)
    drawn[0] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    return drawn


def test_l2_is_half_of_mse_and_sums_outputs(logits: Tensor, rows: Tensor) -> None:
    value = L2()(logits, rows)
    torch.testing.assert_close(value, F.mse_loss(logits, rows, reduction="sum") / (2 * N), **CLOSE)
    torch.testing.assert_close(value, F.mse_loss(logits, rows) * C / 2, **CLOSE)


def test_l1_sums_outputs(logits: Tensor, rows: Tensor) -> None:
    torch.testing.assert_close(L1()(logits, rows), F.l1_loss(logits, rows) * C, **CLOSE)


@pytest.mark.parametrize("delta", [0.1, 1.0, 3.0])
def test_huber_sums_outputs_and_is_delta_times_smooth_l1(
    delta: float, logits: Tensor, rows: Tensor
) -> None:
    value = Huber(delta=delta)(logits, rows)
    theirs = F.huber_loss(logits, rows, reduction="sum", delta=delta) / N
    torch.testing.assert_close(value, theirs, **CLOSE)
    theirs = F.smooth_l1_loss(logits, rows, reduction="sum", beta=delta) * delta / N
    torch.testing.assert_close(value, theirs, **CLOSE)
    each = scipy.special.huber(delta, (logits - rows).numpy())
    assert value.item() == pytest.approx(each.sum() / N, rel=1e-12)


def test_kl_takes_probabilities_or_logits_where_kl_div_takes_logarithms(
    logits: Tensor, rows: Tensor
) -> None:
    value = KL("softmax")(logits, rows)
    logarithms = F.log_softmax(logits, 1)
    theirs = F.kl_div(logarithms, rows, reduction="batchmean")
    torch.testing.assert_close(value, theirs, **CLOSE)
    torch.testing.assert_close(KL()(logits.softmax(1), rows), theirs, **CLOSE)
    # Log-probabilities are logits as well: their softmax is what they are the logarithm of.
    torch.testing.assert_close(KL("softmax")(logarithms, rows), theirs, **CLOSE)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
def test_kl_div_averages_over_elements_by_default(logits: Tensor, rows: Tensor) -> None:
    theirs = F.kl_div(F.log_softmax(logits, 1), rows)
    torch.testing.assert_close(KL("softmax")(logits, rows), theirs * C, **CLOSE)


def test_kl_is_zero_where_kl_div_is_nan() -> None:
    certain = torch.tensor([[0.0, 1.0]])
    assert F.kl_div(certain.log(), certain, reduction="batchmean").isnan()
    assert KL()(certain, certain).item() == 0


def test_kl_is_the_sum_of_scipys_rel_entr_and_scipys_kl_div_has_another_term(
    logits: Tensor, rows: Tensor
) -> None:
    y, d = logits.softmax(1), rows
    values = KL(reduction="none")(y, d)
    relative = scipy.special.rel_entr(d.numpy(), y.numpy())
    np.testing.assert_allclose(values.numpy(), relative.sum(1), rtol=1e-12)
    theirs = scipy.special.kl_div(d.numpy(), y.numpy())
    np.testing.assert_allclose(theirs, relative - d.numpy() + y.numpy(), rtol=1e-12, atol=1e-15)
    # Over whole rows the term vanishes; over single probabilities it would not.
    np.testing.assert_allclose(values.numpy(), theirs.sum(1), rtol=1e-12)
    single = BinaryKL(reduction="none")(y[:, 0], d[:, 0]).numpy()
    p, q = y[:, 0].numpy(), d[:, 0].numpy()
    pairs = scipy.special.rel_entr(q, p) + scipy.special.rel_entr(1 - q, 1 - p)
    np.testing.assert_allclose(single, pairs, rtol=1e-11)


def test_cross_entropy_exceeds_kl_by_scipys_entr(logits: Tensor, rows: Tensor) -> None:
    difference = CrossEntropy("softmax", reduction="none")(logits, rows) - KL(
        "softmax", reduction="none"
    )(logits, rows)
    entropy = scipy.special.entr(rows.numpy()).sum(1)
    np.testing.assert_allclose(difference.numpy(), entropy, rtol=1e-12, atol=1e-14)
    logarithms = scipy.special.log_softmax(logits.numpy(), axis=1)
    theirs = -(rows.numpy() * logarithms).sum(1).mean()
    assert CrossEntropy("softmax")(logits, rows).item() == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_cross_entropy_is_torchs_with_its_smoothing(
    smoothing: float, logits: Tensor, rows: Tensor
) -> None:
    member = CrossEntropy("softmax", label_smoothing=smoothing)
    for target in (rows, rows.argmax(1)):
        theirs = F.cross_entropy(logits, target, label_smoothing=smoothing)
        torch.testing.assert_close(member(logits, target), theirs, **CLOSE)
        total = CrossEntropy("softmax", label_smoothing=smoothing, reduction="sum")
        theirs = F.cross_entropy(logits, target, label_smoothing=smoothing, reduction="sum")
        torch.testing.assert_close(total(logits, target), theirs, **CLOSE)
    identity = CrossEntropy(label_smoothing=smoothing)
    torch.testing.assert_close(
        identity(logits.softmax(1), rows.argmax(1)), member(logits, rows.argmax(1)), **CLOSE
    )


def test_positions_are_summed_where_torch_averages_them() -> None:
    logits = numbers("positions", N, C, 2, 3)
    classes = logits.roll(1, 1).argmax(1)
    value = CrossEntropy("softmax")(logits, classes)
    torch.testing.assert_close(value, F.cross_entropy(logits, classes) * 2 * 3, **CLOSE)
    # For rows of probabilities torch sums them over samples and positions and divides by samples
    # and positions too.
    rows = logits.roll(1, 2).softmax(1)
    value = CrossEntropy("softmax")(logits, rows)
    torch.testing.assert_close(value, F.cross_entropy(logits, rows) * 2 * 3, **CLOSE)


def test_torch_passes_over_a_class_of_minus_100() -> None:
    logits, classes = torch.zeros(2, 3), torch.tensor([0, -100])
    assert F.cross_entropy(logits, classes).item() == pytest.approx(math.log(3))
    with pytest.raises(ValueError, match="has class -100"):
        CrossEntropy("softmax")(logits, classes)


def test_binary_cross_entropy_is_torchs_from_logits(logits: Tensor, rows: Tensor) -> None:
    theirs = F.binary_cross_entropy_with_logits(logits, rows)
    torch.testing.assert_close(BinaryCrossEntropy("sigmoid")(logits, rows), theirs * C, **CLOSE)
    theirs = F.binary_cross_entropy(logits.sigmoid(), rows)
    torch.testing.assert_close(BinaryCrossEntropy()(logits.sigmoid(), rows), theirs * C, **CLOSE)


def test_binary_cross_entropy_is_infinite_where_torch_stops_at_100() -> None:
    y, d = torch.zeros(1), torch.ones(1)
    assert F.binary_cross_entropy(y, d).item() == 100
    assert BinaryCrossEntropy()(y, d).item() == math.inf


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_binary_smoothing_is_that_of_two_classes(smoothing: float) -> None:
    logit = numbers("logit", N)
    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    binary = BinaryCrossEntropy("sigmoid", label_smoothing=smoothing)(logit, labels.double())
    pair = torch.stack([torch.zeros(N, dtype=torch.float64), logit], 1)
    theirs = F.cross_entropy(pair, labels, label_smoothing=smoothing)
    torch.testing.assert_close(binary, theirs, **CLOSE)


def test_two_classes_are_one_probability() -> None:
    logit, target = numbers("logit", N), numbers("target", N).sigmoid()
    pair = torch.stack([torch.zeros(N, dtype=torch.float64), logit], 1)
    rows = torch.stack([1 - target, target], 1)
    torch.testing.assert_close(KL("softmax")(pair, rows), BinaryKL("sigmoid")(logit, target))


@pytest.mark.parametrize(
    ("member", "distribution"),
    [
        (L2, lambda y: torch.distributions.Normal(y, 1.0)),
        (L1, lambda y: torch.distributions.Laplace(y, 1.0)),
    ],
    ids=["l2", "l1"],
)
def test_distances_are_negative_log_likelihoods_up_to_a_constant(
    member: type[L2], distribution: type[torch.distributions.Normal]
) -> None:
    d = numbers("targets", N)
    gaps = []
    for purpose in ("one", "two"):
        y = numbers(purpose, N)
        likelihood = -distribution(y).log_prob(d)
        gaps.append(likelihood - member(reduction="none")(y, d))
    torch.testing.assert_close(gaps[0], gaps[1], **CLOSE)


def test_entropies_are_negative_log_likelihoods(logits: Tensor) -> None:
    classes = logits.roll(1, 1).argmax(1)
    categorical = torch.distributions.Categorical(logits=logits)
    values = CrossEntropy("softmax", reduction="none")(logits, classes)
    torch.testing.assert_close(values, -categorical.log_prob(classes), **CLOSE)
    answers = (logits > 0).double()
    bernoulli = torch.distributions.Bernoulli(logits=logits)
    values = BinaryCrossEntropy("sigmoid", reduction="none")(logits, answers)
    torch.testing.assert_close(values, -bernoulli.log_prob(answers).sum(1), **CLOSE)
    other = torch.distributions.Categorical(logits=logits.roll(1, 0))
    expected = torch.distributions.kl_divergence(other, categorical)
    values = KL("softmax", reduction="none")(logits, other.probs)
    torch.testing.assert_close(values, expected, rtol=1e-10, atol=1e-12)
