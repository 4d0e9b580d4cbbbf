"""The squared Euclidean distance, with the half that makes its derivative clean."""

from jaxtyping import Float
from torch import Tensor, nn


class L2(nn.Module):
    r"""Half the squared distance, summed over outputs and averaged over samples.

    .. math:: \mathrm{Div}(y, d) = \frac{1}{2n} \sum_i \lVert y_i - d_i \rVert^2, \qquad
              \frac{\partial \mathrm{Div}}{\partial y_i} = \frac{y_i - d_i}{n}

    Example:
        >>> import torch
        >>> L2()(torch.tensor([[1.5]]), torch.tensor([[1.0]]))
        tensor(0.1250)
    """

    def forward(
        self, output: Float[Tensor, "samples outputs"], target: Float[Tensor, "samples outputs"]
    ) -> Float[Tensor, ""]:
        """Return the divergence.

        Args:
            output: what the network says, y.
            target: what it should say, d.

        Returns:
            A scalar.
        """
        return (output - target).square().sum() / (2 * len(output))

    def derivative(
        self, output: Float[Tensor, "samples outputs"], target: Float[Tensor, "samples outputs"]
    ) -> Float[Tensor, "samples outputs"]:
        """Return the derivative with respect to each output, (y - d) / n.

        Args:
            output: what the network says, y.
            target: what it should say, d.

        Returns:
            A tensor of the output's shape.
        """
        return (output - target) / len(output)
