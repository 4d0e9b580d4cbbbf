"""What a gradient is here: a function that fills every parameter's `.grad`."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.divergences import Divergence
from penchant.training._memory import keep_freed_memory


class Gradient(ABC):
    """A function that fills every parameter's `.grad` and returns the divergence.

    A parameter that the divergence does not depend on may be left with None.
    """

    def __init__(self, network: nn.Module, divergence: Divergence, block: int) -> None:
        keep_freed_memory()
        self.network = network
        self.divergence = divergence
        self.block = block
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)

    @abstractmethod
    def __call__(
        self, inputs: Float[Tensor, "samples inputs"], targets: Float[Tensor, "samples outputs"]
    ) -> float:
        """Overwrite the gradients with those of the mean divergence over the samples.

        Args:
            inputs: what the network is asked.
            targets: what it should answer.

        Returns:
            The divergence.
        """
