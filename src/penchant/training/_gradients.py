"""Gradients over many samples, taken in blocks that stay in the processor's cache.

Plain autograd over a whole picture allocates every intermediate anew and streams it through
memory; on a CPU it lives on page faults. Here samples pass in blocks of about a thousand, and for
a coordinate network whose activation has a closed-form derivative nothing is recorded: each
layer's value and derivative are written into buffers that were made once. The mathematics is the
same (tests/training/test_gradients.py holds both to plain autograd).
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from penchant.divergences import Divergence
from penchant.nn import CoordinateNet, PictureNet, TiledNet
from penchant.training._gradient import Gradient
from penchant.training._products import accumulate_, linear
from penchant.training._threads import one_thread
from penchant.training._tiled_gradient import TiledGradient

BLOCK = 1024
"""Samples in a block: at width 128 to 256 a layer's buffers fit a core's second-level cache."""

ON_A_DEVICE = 2**14
"""Samples in a block on an accelerator, which has no such cache and waits for its next order."""


def block_on(device: torch.device) -> int:
    """Return how many samples are best taken at a time.

    Example:
        >>> block_on(torch.device("cpu"))
        1024
    """
    return BLOCK if device.type == "cpu" else ON_A_DEVICE


class AutogradGradient(Gradient):
    """Autograd, block by block: for any network.

    A network with batch norm is given all samples at once, since they are what it normalises by;
    and one that makes a whole picture in each pass, so that it makes it once a step.
    """

    def __init__(self, network: nn.Module, divergence: Divergence, block: int) -> None:
        super().__init__(network, divergence, block)
        self.whole = any(
            isinstance(module, _BatchNorm | PictureNet) for module in network.modules()
        )

    def __call__(
        self, inputs: Float[Tensor, "samples inputs"], targets: Float[Tensor, "samples outputs"]
    ) -> float:
        """Overwrite the gradients with those of the mean divergence over the samples."""
        # Not zeroed: to add to zeros costs ResNet-20 a tenth of its step.
        for parameter in self.parameters:
            parameter.grad = None
        block = len(inputs) if self.whole else self.block
        return _add_blocks(self._add, inputs, targets, block, len(inputs))

    def _add(self, inputs: Tensor, targets: Tensor, share: float) -> float:
        divergence = self.divergence(self.network(inputs), targets)
        (share * divergence).backward()
        return float(divergence.detach())


class CoordinateGradient(Gradient):
    """Closed-form backpropagation through a coordinate network, in preallocated buffers.

    With several threads each takes its own part of the samples through the whole network, and
    they meet once, at the end. Torch's own threads share out every single product and meet some
    twenty times a block; where other programs run, each time one of them is waited for.
    """

    network: CoordinateNet

    def __init__(self, network: CoordinateNet, divergence: Divergence, block: int) -> None:
        super().__init__(network, divergence, block)
        on_cpu = network.head.weight.device.type == "cpu"
        lanes = torch.get_num_threads() if on_cpu else 1
        self.lanes = [_Lane(network, divergence, block) for _ in range(lanes)]

    def __call__(
        self, inputs: Float[Tensor, "samples inputs"], targets: Float[Tensor, "samples outputs"]
    ) -> float:
        """Overwrite the gradients with those of the mean divergence over the samples."""
        if len(self.lanes) == 1:
            total = self.lanes[0].run(inputs, targets, len(inputs))
        else:
            count = len(self.lanes)
            parts = (inputs.tensor_split(count), targets.tensor_split(count), [len(inputs)] * count)
            total = sum(self._threads.map(_Lane.run, self.lanes, *parts))
        with one_thread():
            for index, parameter in enumerate(self.parameters):
                assert parameter.grad is not None
                parameter.grad.copy_(self.lanes[0].gradients[index])
                for lane in self.lanes[1:]:
                    parameter.grad.add_(lane.gradients[index])
        return total

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        # Within a lane torch is to use one thread; the setting is each thread's own.
        return ThreadPoolExecutor(len(self.lanes), initializer=lambda: torch.set_num_threads(1))


class _Lane:
    """One thread's buffers, and the gradients of the samples that it was given."""

    def __init__(self, network: CoordinateNet, divergence: Divergence, block: int) -> None:
        self.network, self.divergence, self.block = network, divergence, block
        self.layers: list[nn.Linear] = list(network.layers)  # type: ignore[arg-type]
        self.gradients = [torch.zeros_like(p) for p in network.parameters()]
        self.learned = len(list(network.encoding.parameters()))
        """How many of the gradients, the first ones, are the encoding's."""
        like = network.head.weight
        self.values = [like.new_empty(block, layer.out_features) for layer in self.layers]
        self.slopes = [torch.empty_like(value) for value in self.values]
        # One pair serves all layers: pre-activations on the way up, gradients on the way down.
        width = max(layer.out_features for layer in self.layers)
        if self.learned:
            width = max(width, network.encoding.features)
        self.scratch = (like.new_empty(block * width), like.new_empty(block * width))

    @torch.no_grad()
    def run(self, inputs: Tensor, targets: Tensor, samples: int) -> float:
        """Take these inputs' part in the mean over all samples; return their share of it."""
        for gradient in self.gradients:
            gradient.zero_()
        return _add_blocks(self._add, inputs, targets, self.block, samples)

    def _add(self, inputs: Tensor, targets: Tensor, share: float) -> float:
        features, backward = self.network.encoding.value_and_backward(inputs)
        below = features
        for layer, activation, value, slope in zip(
            self.layers, self.network.activations, self.values, self.slopes, strict=True
        ):
            z = self._buffer(0, len(inputs), layer.out_features)
            z = linear(below, layer.weight, layer.bias, out=z)
            value, slope = value[: len(inputs)], slope[: len(inputs)]
            activation.value_and_derivative_(z, value, slope)  # type: ignore[operator]
            below = value
        head = self.network.head
        output = torch.addmm(head.bias, below, head.weight.t())
        error = self.divergence.derivative(output, targets).mul_(share)
        self._accumulate(len(self.layers), error, below)
        gradient = self._buffer(0, len(inputs), head.in_features)
        torch.mm(error, head.weight, out=gradient)
        for index in reversed(range(len(self.layers))):
            layer = self.layers[index]
            gradient.mul_(self.slopes[index][: len(inputs)])
            below = self.values[index - 1][: len(inputs)] if index else features
            self._accumulate(index, gradient, below)
            if index or self.learned:
                # The two halves of the scratch take turns: a product cannot write over its input.
                turn = (len(self.layers) - index) % 2
                lower = self._buffer(turn, len(inputs), layer.in_features)
                gradient = linear(gradient, layer.weight.t(), None, out=lower)
        if self.learned:
            backward(gradient, self.gradients[: self.learned])
        return float(self.divergence(output, targets))

    def _accumulate(self, layer: int, gradient: Tensor, below: Tensor) -> None:
        first = self.learned + 2 * layer
        weight, bias = self.gradients[first : first + 2]
        accumulate_(weight, gradient, below)
        bias.add_(gradient.sum(0))

    def _buffer(self, half: int, rows: int, columns: int) -> Tensor:
        return self.scratch[half][: rows * columns].view(rows, columns)


def _add_blocks(
    add: Callable[[Tensor, Tensor, float], float],
    inputs: Tensor,
    targets: Tensor,
    block: int,
    samples: int,
) -> float:
    """Add block after block to a mean over `samples`; `add` returns a block's own mean."""
    total = 0.0
    for start in range(0, len(inputs), block):
        part = inputs[start : start + block]
        share = len(part) / samples
        total += share * add(part, targets[start : start + block], share)
    return total


def gradient_of(
    network: nn.Module, divergence: Divergence, *, block: int | None = None
) -> Gradient:
    """Choose the fastest way to a network's gradients.

    A `CoordinateNet` of real numbers whose activations all have a closed-form derivative, and
    which learns its linear layers alone, or an encoding with a closed form beside them, is
    differentiated in closed form, on as many threads as torch has when this is called. So is a
    `TiledNet`, each tile by the mean of its own samples (see `TiledGradient`). Anything else
    (WIRE's complex layers, a user's own activation or module) by autograd, in blocks all the same
    but for batch norm.

    Args:
        network: whose parameters' `.grad` will be filled.
        divergence: what is differentiated, a mean over samples.
        block: samples taken at a time; by default what suits the network's device.

    Returns:
        A function of inputs and targets.

    Example:
        >>> from penchant.divergences import L2
        >>> network = CoordinateNet(2, 1, width=8, activation="sine")
        >>> gradient = gradient_of(network, L2())
        >>> type(gradient).__name__, gradient(torch.zeros(5, 2), torch.zeros(5, 1)) >= 0
        ('CoordinateGradient', True)
    """
    if type(network) is TiledNet and _have_closed_forms(network.activations):
        return TiledGradient(network, divergence)
    if block is None:
        place = next((parameter.device for parameter in network.parameters()), None)
        block = block_on(place or torch.device("cpu"))
    if type(network) is CoordinateNet and _in_closed_form(network):
        return CoordinateGradient(network, divergence, block)
    return AutogradGradient(network, divergence, block)


def _in_closed_form(network: CoordinateNet) -> bool:
    parameters, encoding = list(network.parameters()), network.encoding
    learned = len(list(encoding.parameters())) if encoding.closed_form else 0
    return (
        all(p.requires_grad and not p.is_complex() for p in parameters)
        and len(parameters) == learned + 2 * (len(network.layers) + 1)  # none in activations
        and _have_closed_forms(network.activations)
    )


def _have_closed_forms(activations: Iterable[nn.Module]) -> bool:
    return all(
        getattr(one, "closed_form", False) and not list(one.parameters()) for one in activations
    )
