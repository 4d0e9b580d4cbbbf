"""What random cases are drawn from, and how far two answers are apart."""

import math
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

_Network = TypeVar("_Network", bound=nn.Module)


def whole(low: int, high: int, draws: torch.Generator) -> int:
    """Draw a whole number, both ends included."""
    return int(torch.randint(low, high + 1, (), generator=draws))


def normal(shape: Sequence[int], draws: torch.Generator) -> Tensor:
    """Draw N(0, 1) in float64."""
    return torch.randn(*shape, generator=draws, dtype=torch.float64)


def drawn(network: _Network, draws: torch.Generator) -> _Network:
    """Draw all parameters anew, in float64, divided by the root of a unit's inputs.

    Outputs then stay near 1, and a deviation can be read as it is.
    """
    network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            inputs = math.prod(parameter.shape[1:])
            parameter.copy_(normal(parameter.shape, draws) / math.sqrt(inputs))
    return network


def apart(one: Tensor, other: Tensor) -> float:
    """Return the largest difference; infinite where the shapes differ.

    Example:
        >>> apart(torch.zeros(2), torch.ones(2)), apart(torch.zeros(2), torch.zeros(3))
        (1.0, inf)
    """
    return float((one - other).detach().abs().max()) if one.shape == other.shape else math.inf
