"""The family as functions: the same numbers, for code that keeps no modules."""

from jaxtyping import Float, Shaped
from torch import Tensor

from penchant.divergences._cross_entropy import BinaryCrossEntropy, CrossEntropy
from penchant.divergences._distances import L1, L2, Huber
from penchant.divergences._kl import KL, BinaryKL
from penchant.divergences._links import LinkName, ReductionName


def l2(
    output: Float[Tensor, "samples *outputs"],
    target: Float[Tensor, "samples *outputs"],
    *,
    link: LinkName = "identity",
    reduction: ReductionName = "mean",
    validate: bool = True,
) -> Float[Tensor, "*samples"]:
    """Return half the squared distance; see `L2`.

    Example:
        >>> import torch
        >>> l2(torch.tensor([[1.5]]), torch.tensor([[1.0]]))
        tensor(0.1250)
    """
    return L2(link, reduction=reduction, validate=validate).forward(output, target)


def l1(
    output: Float[Tensor, "samples *outputs"],
    target: Float[Tensor, "samples *outputs"],
    *,
    link: LinkName = "identity",
    reduction: ReductionName = "mean",
    validate: bool = True,
) -> Float[Tensor, "*samples"]:
    """Return the absolute distance; see `L1`.

    Example:
        >>> import torch
        >>> l1(torch.tensor([[1.5]]), torch.tensor([[1.0]]))
        tensor(0.5000)
    """
    return L1(link, reduction=reduction, validate=validate).forward(output, target)


def huber(
    output: Float[Tensor, "samples *outputs"],
    target: Float[Tensor, "samples *outputs"],
    *,
    delta: float = 1.0,
    link: LinkName = "identity",
    reduction: ReductionName = "mean",
    validate: bool = True,
) -> Float[Tensor, "*samples"]:
    """Return L2 up to an error of delta, and a straight line beyond; see `Huber`.

    Example:
        >>> import torch
        >>> huber(torch.tensor([[4.0]]), torch.tensor([[1.0]]), delta=2)
        tensor(4.)
    """
    member = Huber(link, delta=delta, reduction=reduction, validate=validate)
    return member.forward(output, target)


def kl(
    output: Float[Tensor, "samples classes *positions"],
    target: Float[Tensor, "samples classes *positions"],
    *,
    link: LinkName = "identity",
    reduction: ReductionName = "mean",
    validate: bool = True,
) -> Float[Tensor, "*samples"]:
    """Return the Kullback-Leibler divergence of rows of probabilities; see `KL`.

    Example:
        >>> import torch
        >>> kl(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]), link="softmax")
        tensor(0.6931)
    """
    return KL(link, reduction=reduction, validate=validate).forward(output, target)


def binary_kl(
    output: Float[Tensor, "samples *outputs"],
    target: Float[Tensor, "samples *outputs"],
    *,
    link: LinkName = "identity",
    reduction: ReductionName = "mean",
    validate: bool = True,
) -> Float[Tensor, "*samples"]:
    """Return the Kullback-Leibler divergence of single probabilities; see `BinaryKL`.

    Example:
        >>> import torch
        >>> binary_kl(torch.tensor([0.0]), torch.tensor([1.0]))
        tensor(inf)
    """
    return BinaryKL(link, reduction=reduction, validate=validate).forward(output, target)


def cross_entropy(
    output: Float[Tensor, "samples classes *positions"],
    target: Shaped[Tensor, "samples *targets"],
    *,
    label_smoothing: float = 0.0,
    link: LinkName = "identity",
    reduction: ReductionName = "mean",
    validate: bool = True,
) -> Float[Tensor, "*samples"]:
    """Return the negative log-likelihood of classes or rows of probabilities; see `CrossEntropy`.

    Example:
        >>> import torch
        >>> cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]), link="softmax")
        tensor(0.6931)
    """
    member = CrossEntropy(
        link, label_smoothing=label_smoothing, reduction=reduction, validate=validate
    )
    return member.forward(output, target)


def binary_cross_entropy(
    output: Float[Tensor, "samples *outputs"],
    target: Float[Tensor, "samples *outputs"],
    *,
    label_smoothing: float = 0.0,
    link: LinkName = "identity",
    reduction: ReductionName = "mean",
    validate: bool = True,
) -> Float[Tensor, "*samples"]:
    """Return the negative log-likelihood of yes or no; see `BinaryCrossEntropy`.

    Example:
        >>> import torch
        >>> binary_cross_entropy(torch.tensor([0.0]), torch.tensor([1.0]), link="sigmoid")
        tensor(0.6931)
    """
    member = BinaryCrossEntropy(
        link, label_smoothing=label_smoothing, reduction=reduction, validate=validate
    )
    return member.forward(output, target)
