"""The same layer of many networks as one product."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class BatchedLinear(nn.Module):
    """A linear layer for each of several networks, y = x Wᵀ + b with its own W and b.

    What it is made of is not drawn yet.

    Args:
        networks: how many.
        inputs: of each.
        outputs: of each.

    Attributes:
        weight: of shape (networks, outputs, inputs).
        bias: of shape (networks, 1, outputs).

    Example:
        >>> layer = BatchedLinear.of([nn.Linear(2, 3), nn.Linear(2, 3)])
        >>> layer(torch.zeros(2, 5, 2)).shape, layer(torch.zeros(1, 5, 2), torch.tensor([1])).shape
        (torch.Size([2, 5, 3]), torch.Size([1, 5, 3]))
    """

    def __init__(self, networks: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(networks, outputs, inputs))
        self.bias = nn.Parameter(torch.empty(networks, 1, outputs))

    @classmethod
    def of(cls, layers: Sequence[nn.Linear]) -> "BatchedLinear":
        """Stack layers of one shape, type and device, with copies of their numbers."""
        batched = cls(len(layers), layers[0].in_features, layers[0].out_features)
        batched.weight = nn.Parameter(torch.stack([one.weight.detach() for one in layers]))
        batched.bias = nn.Parameter(torch.stack([one.bias.detach() for one in layers])[:, None])
        return batched

    def forward(
        self,
        x: Float[Tensor, "rows points inputs"],
        networks: Int[Tensor, " rows"] | None = None,
    ) -> Float[Tensor, "rows points outputs"]:
        """Apply to each row of points the layer of its network.

        Args:
            x: points, a row a network.
            networks: whose row each is; by default there is one for each, in order.
        """
        if networks is None:
            return torch.baddbmm(self.bias, x, self.weight.mT)
        return torch.baddbmm(self.bias[networks], x, self.weight[networks].mT)
