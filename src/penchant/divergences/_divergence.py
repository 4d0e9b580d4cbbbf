"""What every divergence offers."""

from typing import Protocol

from torch import Tensor


class Divergence(Protocol):
    """A mean over samples of how far each output is from its target, and its derivative."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean over samples, a scalar."""

    def derivative(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the derivative of that mean with respect to each output."""
