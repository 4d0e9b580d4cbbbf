"""What stands between a network and a divergence, and how a slope passes back through it."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

LinkName = Literal["identity", "sigmoid", "softmax"]
"""The names of the links: y = z; y = 1 / (1 + e⁻ᶻ); y = eᶻ / Σ eᶻ over dimension 1."""

ReductionName = Literal["mean", "sum", "none"]
"""What becomes of the samples' values: their mean, their sum, or nothing."""


def answer(link: LinkName, output: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return y, what the link makes of the network's output.

    Example:
        >>> answer("softmax", torch.tensor([[0.0, 0.0]]))
        tensor([[0.5000, 0.5000]])
    """
    if link == "sigmoid":
        return torch.sigmoid(output)
    if link == "softmax":
        return torch.softmax(output, 1)
    return output


def pull_back(
    link: LinkName, output: Float[Tensor, "*shape"], slope: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    r"""Return the derivative with respect to the output, given that with respect to y.

    .. math:: \text{sigmoid: } g_i\, y_i (1 - y_i), \qquad
              \text{softmax: } y_i \Bigl(g_i - \sum_j y_j g_j\Bigr)

    Args:
        link: which.
        output: what stands before the link.
        slope: g, the derivative with respect to what stands behind it.

    Example:
        >>> pull_back("sigmoid", torch.tensor([0.0]), torch.tensor([1.0]))
        tensor([0.2500])
    """
    if link == "sigmoid":
        # Not y·(1 - y): in float32 that is 0 from z = 17 on.
        return slope * torch.sigmoid(output) * torch.sigmoid(-output)
    if link == "softmax":
        y = torch.softmax(output, 1)
        passed = y * slope
        return passed - y * passed.sum(1, keepdim=True)
    return slope
