"""Gradients over many samples, taken in blocks that stay in the processor's cache.

Plain autograd over a whole picture allocates every intermediate anew and streams it through
memory; on a CPU it lives on page faults. Here samples pass in blocks of about a thousand, and for
a coordinate network whose activation has a closed-form derivative nothing is recorded: each
layer's value and derivative are written into buffers that were made once. The mathematics is the
same (tests/training/test_gradients.py holds both to plain autograd).
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.divergences import Divergence
from penchant.nn import CoordinateNet

BLOCK = 1024
"""Samples in a block: a layer's buffers then stay in a core's second-level cache."""


class Gradient(ABC):
    """A function that fills every parameter's `.grad` and returns the divergence."""

    def __init__(self, network: nn.Module, divergence: Divergence, block: int) -> None:
        self.network = network
        self.divergence = divergence
        self.block = block
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)

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
        for parameter in self.parameters:
            assert parameter.grad is not None
            parameter.grad.zero_()
        total = 0.0
        for start in range(0, len(inputs), self.block):
            block_inputs = inputs[start : start + self.block]
            share = len(block_inputs) / len(inputs)
            total += share * self.add(block_inputs, targets[start : start + self.block], share)
        return total

    @abstractmethod
    def add(self, inputs: Tensor, targets: Tensor, share: float) -> float:
        """Add `share` times a block's gradient to `.grad`; return the block's divergence."""


class AutogradGradient(Gradient):
    """Autograd, block by block: for any network."""

    def add(self, inputs: Tensor, targets: Tensor, share: float) -> float:
        """Add a block's gradient by recording and replaying it."""
        divergence = self.divergence(self.network(inputs), targets)
        (share * divergence).backward()  # type: ignore[no-untyped-call]
        return float(divergence.detach())


class CoordinateGradient(Gradient):
    """Closed-form backpropagation through a coordinate network, in preallocated buffers."""

    network: CoordinateNet

    def __init__(self, network: CoordinateNet, divergence: Divergence, block: int) -> None:
        super().__init__(network, divergence, block)
        self.layers: list[nn.Linear] = list(network.layers)  # type: ignore[arg-type]
        like = network.head.weight
        self.values = [like.new_empty(block, layer.out_features) for layer in self.layers]
        self.slopes = [torch.empty_like(value) for value in self.values]
        # One pair serves all layers: pre-activations on the way up, gradients on the way down.
        width = max(layer.out_features for layer in self.layers)
        self.scratch = (like.new_empty(block * width), like.new_empty(block * width))

    @torch.no_grad()
    def add(self, inputs: Tensor, targets: Tensor, share: float) -> float:
        """Add a block's gradient; nothing large is allocated."""
        features = self.network.encoding(inputs)
        below = features
        for layer, activation, value, slope in zip(
            self.layers, self.network.activations, self.values, self.slopes, strict=True
        ):
            z = self._buffer(0, len(inputs), layer.out_features)
            torch.addmm(layer.bias, below, layer.weight.t(), out=z)
            value, slope = value[: len(inputs)], slope[: len(inputs)]
            activation.value_and_derivative_(z, value, slope)  # type: ignore[operator]
            below = value
        head = self.network.head
        output = torch.addmm(head.bias, below, head.weight.t())
        error = self.divergence.derivative(output, targets).mul_(share)
        _accumulate(head, error, below)
        gradient = self._buffer(0, len(inputs), head.in_features)
        torch.mm(error, head.weight, out=gradient)
        for index in reversed(range(len(self.layers))):
            layer = self.layers[index]
            gradient.mul_(self.slopes[index][: len(inputs)])
            below = self.values[index - 1][: len(inputs)] if index else features
            _accumulate(layer, gradient, below)
            if index:
                # The two halves of the scratch take turns: a product cannot write over its input.
                turn = (len(self.layers) - index) % 2
                lower = self._buffer(turn, len(inputs), layer.in_features)
                gradient = torch.mm(gradient, layer.weight, out=lower)
        return float(self.divergence(output, targets))

    def _buffer(self, half: int, rows: int, columns: int) -> Tensor:
        return self.scratch[half][: rows * columns].view(rows, columns)


def _accumulate(layer: nn.Linear, gradient: Tensor, below: Tensor) -> None:
    assert layer.weight.grad is not None and layer.bias.grad is not None
    layer.weight.grad.addmm_(gradient.t(), below)
    layer.bias.grad.add_(gradient.sum(0))


def gradient_of(network: nn.Module, divergence: Divergence, *, block: int = BLOCK) -> Gradient:
    """Choose the fastest way to a network's gradients.

    A `CoordinateNet` of real numbers whose activations all have a closed-form derivative, and
    whose encoding has no parameters, is differentiated in closed form; anything else (WIRE's
    complex layers, a user's own activation or module) by autograd, in blocks all the same.

    Args:
        network: whose parameters' `.grad` will be filled.
        divergence: what is differentiated, a mean over samples.
        block: samples taken at a time.

    Returns:
        A function of inputs and targets.

    Example:
        >>> from penchant.divergences import L2
        >>> network = CoordinateNet(2, 1, width=8, activation="sine")
        >>> gradient = gradient_of(network, L2())
        >>> type(gradient).__name__, gradient(torch.zeros(5, 2), torch.zeros(5, 1)) >= 0
        ('CoordinateGradient', True)
    """
    if (
        isinstance(network, CoordinateNet)
        and all(p.requires_grad and not p.is_complex() for p in network.parameters())
        and all(getattr(a, "closed_form", False) for a in network.activations)
        and not any(True for _ in network.encoding.parameters())
    ):
        return CoordinateGradient(network, divergence, block)
    return AutogradGradient(network, divergence, block)
