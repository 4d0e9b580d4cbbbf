"""Products of matrices at the processor's own rate: by oneDNN, where torch brings it.

`torch.mm` goes to the BLAS that torch was built with, which on a processor of another maker than
its own may take a lesser path: on an AMD EPYC MKL multiplied at 110 GFLOP/s a core what oneDNN did
at 245 (docs/LOG.md). For float32 torch asks oneDNN in convolutions alone; the operation used here
is the one that its compiler emits for a linear layer. It is not a public one, so where it is
missing the BLAS does the work, with the same result but for rounding.
"""

from collections.abc import Callable
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

SMALL = 64
"""An edge of a matrix below which calling oneDNN costs more than it saves."""


def linear(
    x: Float[Tensor, "rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None,
    out: Float[Tensor, "rows outputs"],
) -> Float[Tensor, "rows outputs"]:
    """Return x Wᵀ + b, unrecorded.

    Args:
        x: a row a sample; both matrices in any memory layout.
        weight: W.
        bias: b, or None for 0.
        out: may be written, or not: what is returned counts.

    Example:
        >>> linear(torch.ones(1, 2), torch.ones(3, 2), torch.arange(3.0), torch.empty(1, 3))
        tensor([[2., 3., 4.]])
    """
    by_onednn = _onednn(x, weight)
    if by_onednn:
        return by_onednn(x, weight, bias, "none", [], "")
    if bias is None:
        return torch.mm(x, weight.t(), out=out)
    return torch.addmm(bias, x, weight.t(), out=out)


def accumulate_(
    total: Float[Tensor, "outputs inputs"],
    gradient: Float[Tensor, "rows outputs"],
    below: Float[Tensor, "rows inputs"],
) -> None:
    """Add gradientᵀ · below to a sum: what a block of samples says of a layer's weights.

    Example:
        >>> total = torch.ones(1, 2)
        >>> accumulate_(total, torch.ones(3, 1), torch.ones(3, 2))
        >>> total
        tensor([[4., 4.]])
    """
    by_onednn = _onednn(gradient.t(), below.t())
    if by_onednn:
        total.add_(by_onednn(gradient.t(), below.t(), None, "none", [], ""))
    elif below.shape[1] < gradient.shape[1]:
        # The same product the other way round: for two coordinates it is several times faster.
        total.add_(torch.mm(below.t(), gradient).t())
    else:
        total.addmm_(gradient.t(), below)


def _onednn(left: Tensor, right: Tensor) -> Callable[..., Tensor] | None:
    """Return oneDNN's product of left and rightᵀ, where there is one and it is worth its call."""
    wanted = left.dtype == torch.float32 and left.device.type == "cpu"
    return _operation() if wanted and min(*left.shape, len(right)) >= SMALL else None


@cache
def _operation() -> Callable[..., Tensor] | None:
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)
