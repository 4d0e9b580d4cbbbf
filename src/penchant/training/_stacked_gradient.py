"""Gradients of a stack of coordinate networks: the closed form of `_gradients`, batched."""

import copy

import torch
from jaxtyping import Float
from torch import Tensor

from penchant.divergences import Divergence
from penchant.nn import CoordinateStack


class StackedGradient:
    """Closed-form backpropagation through a stack, in preallocated buffers.

    The same products in the same order as `CoordinateGradient`'s, each with the runs in front.

    Args:
        stack: whose parameters' `.grad` will be filled.
        divergence: what is differentiated, a mean over samples.
        block: samples of each run taken at a time.
    """

    def __init__(self, stack: CoordinateStack, divergence: Divergence, block: int) -> None:
        self.stack, self.block = stack, block
        # Each sample's own value, since a mean over all rows would join the runs.
        self.each = copy.copy(divergence)
        self.each.reduction = "none"
        self.layers = [*stack.layers, stack.head]
        for parameter in stack.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self._buffers: dict[object, Tensor] = {}

    @torch.no_grad()
    def __call__(
        self,
        inputs: Float[Tensor, "runs samples inputs"],
        targets: Float[Tensor, "runs samples outputs"],
    ) -> Float[Tensor, "runs"]:
        """Overwrite the gradients with those of each run's mean divergence over its samples.

        Args:
            inputs: what each network is asked.
            targets: what it should answer.

        Returns:
            Each run's divergence, in float64.
        """
        for parameter in self.stack.parameters():
            assert parameter.grad is not None
            parameter.grad.zero_()
        total = inputs.new_zeros(len(inputs), dtype=torch.float64)
        samples = inputs.shape[1]
        for start in range(0, samples, self.block):
            part = slice(start, start + self.block)
            share = len(range(samples)[part]) / samples
            total += share * self._add(inputs[:, part], targets[:, part], share)
        return total

    def _add(self, inputs: Tensor, targets: Tensor, share: float) -> Tensor:
        """Add a block's share; return each run's own mean over the block."""
        runs, rows = inputs.shape[:2]
        values, slopes = [self.stack.encode(inputs)], []
        for index, activation in enumerate(self.stack.activations):
            layer = self.layers[index]
            width = layer.weight.shape[1]
            z = self._buffer("up", rows, width)
            torch.baddbmm(layer.bias, values[-1], layer.weight.mT, out=z)
            value = self._buffer(("value", index), rows, width)
            slope = self._buffer(("slope", index), rows, width)
            activation.value_and_derivative_(z, value, slope)  # type: ignore[operator]
            values.append(value)
            slopes.append(slope)
        output = self.stack.head(values[-1])
        # A divergence knows samples alone: the runs' rows are laid one below the other.
        flat, wanted = output.flatten(0, 1), targets.flatten(0, 1)
        error = self.each.derivative(flat, wanted).div_(rows).mul_(share).view_as(output)
        for index in reversed(range(len(self.layers))):
            layer = self.layers[index]
            if index < len(slopes):
                error.mul_(slopes[index])
            _accumulate(layer.weight.grad, layer.bias.grad, error, values[index])
            if index:
                lower = self._buffer(("down", index % 2), rows, layer.weight.shape[2])
                error = torch.bmm(error, layer.weight, out=lower)
        each: Tensor = self.each(flat, wanted)
        return each.view(runs, rows).double().mean(1)

    def _buffer(self, name: object, rows: int, columns: int) -> Tensor:
        """Return a buffer that is made once; for the rest of an epoch a part of it."""
        size = self.stack.runs * rows * columns
        there = self._buffers.get(name)
        if there is None or there.numel() < size:
            there = self._buffers[name] = self.stack.head.weight.new_empty(size)
        return there[:size].view(self.stack.runs, rows, columns)


def _accumulate(weight: Tensor, bias: Tensor, error: Tensor, below: Tensor) -> None:
    if below.shape[2] < error.shape[2]:
        # The same product the other way round: for two coordinates it is several times faster.
        weight.add_(torch.bmm(below.mT, error).mT)
    else:
        weight.baddbmm_(error.mT, below)
    bias.add_(error.sum(1, keepdim=True))
