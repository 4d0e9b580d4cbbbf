"""The small networks in which routing is shown, with numbers of their own."""

import torch
from torch import Tensor, nn

UPSTREAM = 2.0
"""What arrives at the sum above."""
LOWER = (0.5, -1.0, 2.0, 0.25)
"""Values of the notes' four lower filters."""
WEIGHTS = (1.5, -0.5, 0.25, -2.0)
PLACES = (1.0, -2.0, 0.5, 3.0)
"""What arrives at the four places of the shared filter."""
SIGNAL = (1.0, 0.5, -1.0, 2.0, -0.5)
FILTER = (0.5, -1.5)


class Sum(nn.Module):
    """Twice the sum of what goes in."""

    def forward(self, a: Tensor) -> Tensor:
        """Add up, then double."""
        return UPSTREAM * a.sum(-1)


class Weighted(nn.Module):
    """Twice the weighted sum of what goes in."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = _linear(WEIGHTS)

    def forward(self, a: Tensor) -> Tensor:
        """Weigh, add up, double."""
        return UPSTREAM * _tensor(self.filter(a))


class Product(nn.Module):
    """Two numbers multiplied."""

    def forward(self, a: Tensor) -> Tensor:
        """Multiply what goes in."""
        return UPSTREAM * a.prod(-1)


class Gate(nn.Module):
    """ReLUs, then a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.ReLU()

    def forward(self, a: Tensor) -> Tensor:
        """Cut off what is negative, then add up."""
        return UPSTREAM * _tensor(self.gate(a)).sum(-1)


class Largest(nn.Module):
    """The largest of what goes in."""

    def forward(self, a: Tensor) -> Tensor:
        """Take the largest."""
        return UPSTREAM * a.amax(-1)


class SharedFilter(nn.Module):
    """A filter of width 2 over four places, each of which counts differently above."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Conv1d(1, 1, 2, bias=False)
        self.filter.weight = nn.Parameter(torch.tensor([[FILTER]], dtype=torch.float64))

    def forward(self, a: Tensor) -> Tensor:
        """Filter, weigh the places, add up."""
        return _tensor(self.filter(a)) @ torch.tensor(PLACES, dtype=a.dtype)


class FourIntoOne(nn.Module):
    """The notes' case as convolutions: four filters of width 2 and stride 2 feed one above."""

    def __init__(self) -> None:
        super().__init__()
        self.lower = nn.Conv1d(1, 4, 2, 2, bias=False)
        self.upper = nn.Conv1d(4, 1, 2, 2, bias=False)
        numbers = torch.tensor([1.0, -0.5, 0.75, 2.0, -1.5, 0.25, 0.5, -1.0], dtype=torch.float64)
        self.lower.weight = nn.Parameter(numbers.reshape(4, 1, 2))
        self.upper.weight = nn.Parameter(numbers.flip(0).reshape(1, 4, 2))

    def forward(self, a: Tensor) -> Tensor:
        """Both layers, one after the other."""
        return _tensor(self.upper(self.lower(a)))


def row(values: tuple[float, ...]) -> Tensor:
    """A batch of one sample."""
    return torch.tensor([values], dtype=torch.float64)


def _linear(weights: tuple[float, ...]) -> nn.Linear:
    made = nn.Linear(len(weights), 1, bias=False)
    made.weight = nn.Parameter(torch.tensor([weights], dtype=torch.float64))
    return made


def _tensor(given: object) -> Tensor:
    assert isinstance(given, Tensor)
    return given
