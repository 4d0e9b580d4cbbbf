"""Cross-entropy: the negative log-likelihood of classes, with or without label smoothing."""

from numbers import Real

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional as F

from penchant.divergences import _checks as checks
from penchant.divergences._divergence import Divergence
from penchant.divergences._kl import ratio, signed_ratios, where_zero
from penchant.divergences._links import LinkName, ReductionName
from penchant.errors import PenchantError


class CrossEntropy(Divergence):
    r"""The negative log-likelihood of a class, or of a row of probabilities.

    .. math:: -\sum_k d_k \log y_k, \qquad \frac{\partial}{\partial y_k} = -\frac{d_k}{y_k}, \qquad
              \frac{\partial}{\partial z_k} = y_k - d_k \text{ behind a softmax}

    Targets are integer classes c of shape (samples, ...), d = e_c, or rows of probabilities of the
    output's shape. It exceeds `KL` by the entropy of d, which is 0 for classes. With label
    smoothing ε over C classes, d becomes (1 - ε)·d + ε/C, as in torch.

    From logits it is torch's ``F.cross_entropy``; for outputs (samples, classes, ...) with further
    positions, torch's mean is over samples and positions, here a sample's positions are summed.

    Args:
        link: see `Divergence`.
        label_smoothing: ε, in [0, 1).
        reduction: see `Divergence`.
        validate: see `Divergence`.

    Example:
        >>> import torch
        >>> logits, classes = torch.tensor([[0.0, 0.0]]), torch.tensor([1])
        >>> CrossEntropy("softmax")(logits, classes)
        tensor(0.6931)
        >>> CrossEntropy("softmax").derivative(logits, classes)
        tensor([[ 0.5000, -0.5000]])

    Source: Good, "Rational decisions", 1952; label smoothing: Szegedy et al., "Rethinking the
    Inception architecture for computer vision", 2016.
    """

    name = "cross_entropy"
    matching_link = "softmax"
    links = ("identity", "softmax")
    convex_links = ("identity", "softmax")
    noise = "categorical: a class drawn from the answered probabilities"
    factor = -1.0
    numbers = ("label_smoothing",)

    def __init__(
        self,
        link: LinkName = "identity",
        *,
        label_smoothing: float = 0.0,
        reduction: ReductionName = "mean",
        validate: bool = True,
    ) -> None:
        super().__init__(link, reduction=reduction, validate=validate)
        self.label_smoothing = smoothing("CrossEntropy", label_smoothing)

    def parts(
        self, answer: Float[Tensor, "samples *outputs"], target: Shaped[Tensor, "samples *targets"]
    ) -> Float[Tensor, "samples *parts"]:
        """Return d·log y, whose factor is -1; for classes only that of the class."""
        if self._by_class(target):
            return answer.gather(1, target.long()[:, None]).log()
        d = self._rows(answer, target)
        return (answer + where_zero(d)).log().mul_(d)

    def slopes(
        self, answer: Float[Tensor, "samples *outputs"], target: Shaped[Tensor, "samples *targets"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return -d/y."""
        if self._by_class(target):
            index = target.long()[:, None]
            # Zeros that take no memory: five times as fast as a tensor of them and its copy.
            zeros = answer.new_zeros(()).expand_as(answer)
            return zeros.scatter(1, index, -1 / answer.gather(1, index))
        return -ratio(answer, self._rows(answer, target))

    def matched_parts(
        self, logits: Float[Tensor, "samples *outputs"], target: Shaped[Tensor, "samples *targets"]
    ) -> Float[Tensor, "samples *parts"]:
        """Return d·log softmax(z), whose factor is -1: for classes by torch's own kernel."""
        if self._by_class(target):
            return -F.cross_entropy(logits, target.long(), reduction="none")
        log_answer = torch.log_softmax(logits, 1)
        if target.is_floating_point():
            return log_answer.mul(self._rows(logits, target))
        # torch's own smoothing fails under torch.vmap where only the targets are batched.
        hit = log_answer.gather(1, target.long()[:, None]).squeeze(1)
        spread = self.label_smoothing / logits.shape[1]
        return (1 - self.label_smoothing) * hit + spread * log_answer.sum(1)

    def matched_slopes(
        self, logits: Float[Tensor, "samples *outputs"], target: Shaped[Tensor, "samples *targets"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return y - d."""
        y = torch.log_softmax(logits, 1).exp()  # softmax itself takes twice as long for 2 classes
        if self._by_class(target):
            index = target.long()[:, None]
            return y.scatter_add(1, index, y.new_full((), -1).expand(index.shape))
        return y - self._rows(logits, target)

    def check_shapes(self, call: str, output: Tensor, target: Tensor) -> None:
        """Refuse types and shapes that do not fit either kind of target."""
        checks.batched(call, output, classes=True)
        rows, classes = output.shape, output.shape[:1] + output.shape[2:]
        whole = not (
            target.is_floating_point() or target.is_complex() or target.dtype == torch.bool
        )
        if target.shape == (classes if whole else rows) and (whole or target.is_floating_point()):
            return
        hint = ""
        if whole and target.shape == rows:
            hint = "; rows of probabilities are of a floating type: target.float()"
        if not whole and target.shape == classes:
            hint = "; classes are integers: target.long()"
        raise PenchantError(
            f"{call}: {checks.typed('target', target)} does not fit "
            f"{checks.shaped('output', output)}; needs integer classes of shape {tuple(classes)} "
            f"or rows of probabilities of shape {tuple(rows)}{hint}"
        )

    def check_values(self, call: str, output: Tensor, target: Tensor) -> None:
        """Refuse classes out of range and rows that are not probabilities."""
        if target.is_floating_point():
            checks.rows(
                call, "target", target, "the order is (output, target): are the two swapped?"
            )
        else:
            checks.classes(call, target, output.shape[1])
        if self.link == "identity":
            checks.rows(call, "output", output, "logits need link='softmax'")

    def _by_class(self, target: Tensor) -> bool:
        return self.label_smoothing == 0 and not target.is_floating_point()

    def _rows(self, like: Tensor, target: Tensor) -> Tensor:
        if not target.is_floating_point():
            # F.one_hot reads its largest class, which torch.vmap cannot.
            zeros = like.new_zeros(()).expand_as(like)
            target = zeros.scatter(1, target.long()[:, None], 1)
        return smoothed(target, self.label_smoothing, like.shape[1])


class BinaryCrossEntropy(Divergence):
    r"""The negative log-likelihood of yes or no, for each output by itself.

    .. math:: -\sum_k d_k \log y_k + (1 - d_k) \log (1 - y_k), \qquad
              \frac{\partial}{\partial y} = -\frac{d}{y} + \frac{1 - d}{1 - y}, \qquad
              \frac{\partial}{\partial z} = y - d \text{ behind a sigmoid}

    Targets are numbers in [0, 1] of the output's shape. With label smoothing ε, d becomes
    (1 - ε)·d + ε/2, which is the convention of `CrossEntropy` with two classes; torch has none.

    From logits it is torch's ``F.binary_cross_entropy_with_logits``. From probabilities it is
    exactly +∞ where the certain answer is wrong; torch's ``F.binary_cross_entropy`` stops at 100.

    Args:
        link: see `Divergence`.
        label_smoothing: ε, in [0, 1).
        reduction: see `Divergence`.
        validate: see `Divergence`.

    Example:
        >>> import torch
        >>> BinaryCrossEntropy().derivative(torch.tensor([0.9]), torch.tensor([0.0]))
        tensor([10.0000])
        >>> BinaryCrossEntropy("sigmoid")(torch.tensor([-100.0]), torch.tensor([1.0]))
        tensor(100.)

    Source: Good, "Rational decisions", 1952.
    """

    name = "binary_cross_entropy"
    matching_link = "sigmoid"
    links = ("identity", "sigmoid")
    convex_links = ("identity", "sigmoid")
    noise = "Bernoulli: 1 drawn with the answered probability"
    numbers = ("label_smoothing",)

    def __init__(
        self,
        link: LinkName = "identity",
        *,
        label_smoothing: float = 0.0,
        reduction: ReductionName = "mean",
        validate: bool = True,
    ) -> None:
        super().__init__(link, reduction=reduction, validate=validate)
        self.label_smoothing = smoothing("BinaryCrossEntropy", label_smoothing)

    def parts(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return -d·log y - (1 - d)·log(1 - y)."""
        d = smoothed(target, self.label_smoothing, 2)
        positive = (answer + where_zero(d)).log().mul_(-d)
        return positive + (d.floor() - answer).log1p().mul_(d - 1)

    def slopes(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return -d/y + (1 - d)/(1 - y)."""
        d = smoothed(target, self.label_smoothing, 2)
        return signed_ratios(answer, d)

    def matched_parts(
        self, logits: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return torch's own, for each output."""
        d = smoothed(target, self.label_smoothing, 2)
        return F.binary_cross_entropy_with_logits(logits, d, reduction="none")

    def matched_slopes(
        self, logits: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return y - d."""
        return torch.sigmoid(logits) - smoothed(target, self.label_smoothing, 2)

    def check_values(self, call: str, output: Tensor, target: Tensor) -> None:
        """Refuse what is outside [0, 1]."""
        swapped = "the order is (output, target): are the two swapped?"
        checks.fractions(call, "target", target, swapped)
        if self.link == "identity":
            checks.fractions(call, "output", output, "logits need link='sigmoid'")


def smoothing(call: str, value: object) -> float:
    """Return ε, or say that it does not fit.

    Example:
        >>> smoothing("CrossEntropy", 0.1)
        0.1
    """
    if not isinstance(value, Real) or not 0 <= float(value) < 1:
        raise PenchantError(
            f"{call}(label_smoothing={value!r}): needs a number from 0 up to, not with, 1"
        )
    return float(value)


def smoothed(
    target: Float[Tensor, "*shape"], epsilon: float, classes: int
) -> Float[Tensor, "*shape"]:
    """Return (1 - ε)·d + ε/C.

    Example:
        >>> smoothed(torch.tensor([0.0, 1.0]), 0.1, 2)
        tensor([0.0500, 0.9500])
    """
    return target if epsilon == 0 else target * (1 - epsilon) + epsilon / classes
