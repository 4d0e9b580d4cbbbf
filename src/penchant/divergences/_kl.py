"""The Kullback-Leibler divergence, between rows of probabilities and between single ones.

Where d = 0 the logarithm's argument is lifted by 1, so that 0·log 0 = 0 comes out without a branch
in which a derivative would be 0/0; nan in the answer still passes through.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from penchant.divergences import _checks as checks
from penchant.divergences._divergence import Divergence


class KL(Divergence):
    r"""The Kullback-Leibler divergence of a row of probabilities y from its target row d.

    .. math:: \mathrm{KL}(d \,\|\, y) = \sum_k d_k \log \frac{d_k}{y_k}, \qquad
              \frac{\partial}{\partial y_k} = -\frac{d_k}{y_k}, \qquad
              \frac{\partial}{\partial z_k} = y_k - d_k \text{ behind a softmax}

    It is exactly 0 at y = d (0·log 0 = 0) and exactly +∞ where a class that happens is given
    probability 0; behind the softmax it is finite for all finite logits. Where d = y = 1 nothing
    is to be done, and the logit's derivative is 0; the answer's is -1, since y alone could still
    grow.

    It takes what the link makes a row of probabilities: y itself behind the identity, logits
    behind the softmax. torch's ``F.kl_div(input, target)`` has the same order of arguments and
    the same direction, but wants log-probabilities first and by default averages over *elements*;
    this is ``F.kl_div(y.log(), d, reduction="batchmean")``, which for a class with d = y = 0 is
    nan. scipy's ``rel_entr(d, y)`` is each part; its ``kl_div(d, y)`` adds y - d.

    Example:
        >>> import torch
        >>> KL()(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]]))
        tensor(inf)
        >>> KL("softmax").derivative(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
        tensor([[-0.5000,  0.5000]])

    Source: Kullback & Leibler, "On information and sufficiency", 1951.
    """

    name = "kl"
    matching_link = "softmax"
    links = ("identity", "softmax")
    convex_links = ("identity", "softmax")
    noise = "categorical: a class drawn from the answered probabilities, less the target's entropy"
    factor = -1.0

    def parts(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return d·log(y/d), whose factor is -1."""
        return log_likelihood_ratio(answer, target)

    def slopes(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return -d/y."""
        return -ratio(answer, target)

    def matched_parts(
        self, logits: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return d·(log softmax(z) - log d), whose factor is -1."""
        log_target = one_for_zero(target).log_()
        return (torch.log_softmax(logits, 1) - log_target).mul_(target)

    def matched_slopes(
        self, logits: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return y - d."""
        y = torch.log_softmax(logits, 1).exp()  # softmax itself takes twice as long for 2 classes
        return y - target

    def check_shapes(self, call: str, output: Tensor, target: Tensor) -> None:
        """Refuse types and shapes that do not fit."""
        checks.batched(call, output, classes=True)
        checks.floating(
            call,
            "target",
            target,
            " of probabilities: F.one_hot(target, classes).float(), or CrossEntropy for classes",
        )
        checks.alike(call, output, target)

    def check_values(self, call: str, output: Tensor, target: Tensor) -> None:
        """Refuse rows that are not probabilities."""
        swapped = "the order is (output, target): are the two swapped?"
        checks.rows(call, "target", target, swapped)
        if self.link == "identity":
            checks.rows(call, "output", output, "logits need link='softmax'")


class BinaryKL(Divergence):
    r"""The Kullback-Leibler divergence of single probabilities y from their targets d.

    .. math:: \sum_k d_k \log \frac{d_k}{y_k} + (1 - d_k) \log \frac{1 - d_k}{1 - y_k}, \qquad
              \frac{\partial}{\partial y} = -\frac{d}{y} + \frac{1 - d}{1 - y}, \qquad
              \frac{\partial}{\partial z} = y - d \text{ behind a sigmoid}

    Exactly 0 at y = d and exactly +∞ where the certain answer is wrong; behind the sigmoid finite
    for all finite logits. For targets 0 and 1 it is the binary cross-entropy.

    Example:
        >>> import torch
        >>> one, zero = torch.tensor([1.0]), torch.tensor([0.0])
        >>> BinaryKL()(zero, one), BinaryKL().derivative(torch.tensor([0.9]), one)
        (tensor(inf), tensor([-1.1111]))
        >>> BinaryKL().derivative(one, one), BinaryKL("sigmoid").derivative(zero, one)
        (tensor([-1.]), tensor([-0.5000]))

    Source: Kullback & Leibler, "On information and sufficiency", 1951.
    """

    name = "binary_kl"
    matching_link = "sigmoid"
    links = ("identity", "sigmoid")
    convex_links = ("identity", "sigmoid")
    noise = "Bernoulli: 1 drawn with the answered probability, less the target's entropy"
    factor = -1.0

    def parts(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return d·log(y/d) + (1 - d)·log((1 - y)/(1 - d)), whose factor is -1."""
        certain = target.floor()
        log_ratio = (certain - answer).log1p() - (certain - target).log1p_()
        return log_likelihood_ratio(answer, target) + log_ratio.mul_(1 - target)

    def slopes(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return -d/y + (1 - d)/(1 - y)."""
        return signed_ratios(answer, target)

    def matched_parts(
        self, logits: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return the target's own entropy less the cross-entropy from the logits."""
        cross = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        entropy: Tensor = torch.special.entr(target) + torch.special.entr(1 - target)
        return entropy - cross

    def matched_slopes(
        self, logits: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return y - d."""
        return torch.sigmoid(logits) - target

    def check_values(self, call: str, output: Tensor, target: Tensor) -> None:
        """Refuse what is outside [0, 1]."""
        swapped = "the order is (output, target): are the two swapped?"
        checks.fractions(call, "target", target, swapped)
        if self.link == "identity":
            checks.fractions(call, "output", output, "logits need link='sigmoid'")


def log_likelihood_ratio(
    answer: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return d·log(y/d), 0 where d = 0.

    Example:
        >>> log_likelihood_ratio(torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 1.0]))
        tensor([0., -inf, 0.])
    """
    positive = one_for_zero(target)
    log_answer = (answer + (positive - target)).log()
    return (log_answer - positive.log_()).mul_(target)


def ratio(
    answer: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return d/y, 0 where d = 0.

    Example:
        >>> ratio(torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 1.0]))
        tensor([0., inf, 1.])
    """
    return target / (answer + where_zero(target))


def signed_ratios(
    answer: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return (1 - d)/(1 - y) - d/y, where 0/0 is 0: the slope of both binary divergences.

    Example:
        >>> signed_ratios(torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0.0, 1.0, 0.0, 1.0]))
        tensor([ 1., -inf, inf, -1.])
    """
    return (1 - target) / (1 - answer + target.floor()) - ratio(answer, target)


def where_zero(fraction: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return 1 where a number of [0, 1] is 0, else 0; `floor` is the same for 1.

    Example:
        >>> where_zero(torch.tensor([0.0, 1e-30, 1.0]))
        tensor([1., 0., 0.])
    """
    return one_for_zero(fraction).sub_(fraction)


def one_for_zero(fraction: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return a number of [0, 1] with 1 in place of 0, in a new tensor.

    Example:
        >>> one_for_zero(torch.tensor([0.0, 1e-30, 1.0]))
        tensor([1.0000e+00, 1.0000e-30, 1.0000e+00])
    """
    return F.threshold(fraction, 0, 1)  # one pass, where a comparison and torch.where take two
