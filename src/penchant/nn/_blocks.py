"""Long signals in overlapping blocks: the same numbers from a bounded memory."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._stack_reader import read_stages
from penchant.nn._stages import Stage, convolve, structure_of

BLOCK_NUMBERS = 2**19
"""Values of the widest layer in a block: 2 MB of float32, which a processor's cache can hold."""
LEAST_WINDOWS = 8
"""Windows that a block spans at least, so that what two blocks both compute stays small."""


def evaluate_in_blocks(
    network: nn.Sequential, signal: Float[Tensor, "batch channels *length"]
) -> Float[Tensor, "batch outputs *places"]:
    """Evaluate a convolutional network over a signal of any length in bounded memory.

    The longest axis is cut into blocks that overlap by a window less one sample; the outputs are
    those of `network(signal)`, and no gradient is kept.

    Args:
        network: what `to_conv` or `dense_pass` gives, or any stack that `from_conv` takes.
        signal: of the network's channels, at least one window long.

    Returns:
        What the network gives.

    Raises:
        PenchantError: the network is no such stack, or the signal does not fit it.

    Example:
        >>> network = nn.Sequential(nn.Conv1d(1, 4, 64), nn.ReLU(), nn.Conv1d(4, 2, 1))
        >>> evaluate_in_blocks(network, torch.zeros(1, 1, 100_000)).shape
        torch.Size([1, 2, 99937])
    """
    stages, padding = read_stages("evaluate_in_blocks", network)
    structure = structure_of(stages)
    shape = tuple(signal.shape)
    require_room("evaluate_in_blocks", structure.channels, structure.window, shape, padding)
    require_type("evaluate_in_blocks", signal, stages[0].weight)
    with torch.no_grad():
        return evaluate_stages(stages, padded(signal, padding))


def padded(
    signal: Float[Tensor, "batch channels *length"], padding: Sequence[int]
) -> Float[Tensor, "batch channels *padded"]:
    """Put zeros on both sides of each axis."""
    if not any(padding):
        return signal
    return F.pad(signal, [pad for pad in reversed(padding) for _ in range(2)])


def evaluate_stages(
    stages: Sequence[Stage], signal: Float[Tensor, "batch channels *length"]
) -> Float[Tensor, "batch outputs *places"]:
    """Convolve in blocks where no gradient is wanted, else at once."""
    tensors = [p for stage in stages for p in (stage.weight, stage.bias, *stage.after.parameters())]
    learning = any(tensor is not None and tensor.requires_grad for tensor in [signal, *tensors])
    if torch.is_grad_enabled() and learning:
        return convolve(stages, signal)
    structure = structure_of(stages)
    lengths = signal.shape[2:]
    axis = max(range(len(lengths)), key=lambda index: lengths[index])
    window, stride = structure.window[axis], structure.stride[axis]
    places = structure.axes[axis].outputs(lengths[axis], stride, 0)
    block = _block(stages, signal, axis)
    starts = range(0, places, block)
    answers = None
    for start in starts:
        count = min(block, places - start)
        piece = signal.narrow(2 + axis, start * stride, (count - 1) * stride + window)
        answer = _convolve_quickly(stages, piece)
        if answers is None:
            shape = list(answer.shape)
            shape[2 + axis] = places
            answers = answer.new_empty(shape)
        answers.narrow(2 + axis, start, count).copy_(answer)
    assert answers is not None
    return answers


def _convolve_quickly(stages: Sequence[Stage], signal: Tensor) -> Tensor:
    # A processor convolves float32 up to three times sooner with channels beside each other, which
    # torch offers from two axes on; but not one channel with many taps (docs/BENCHMARKS.md).
    taps = math.prod(stages[0].weight.shape[2:])
    lonely = signal.shape[1] == 1 and taps > 16
    if signal.device.type != "cpu" or signal.dtype != torch.float32 or lonely:
        return convolve(stages, signal)
    if signal.dim() > 3:
        return convolve(stages, _channels_last(signal))
    lifted = [
        Stage(
            stage.weight.unsqueeze(2),
            stage.bias,
            (1, *stage.stride),
            (1, *stage.dilation),
            nn.ReLU(inplace=True) if type(stage.after) is nn.ReLU else stage.after,
        )
        for stage in stages
    ]
    return convolve(lifted, _channels_last(signal.unsqueeze(2))).squeeze(2)


def _channels_last(signal: Tensor) -> Tensor:
    # torch takes one channel for channels-first unless the strides themselves say otherwise.
    return signal.movedim(1, -1).clone(memory_format=torch.contiguous_format).movedim(-1, 1)


def _block(stages: Sequence[Stage], signal: Tensor, axis: int) -> int:
    # Outputs along the axis whose widest layer holds BLOCK_NUMBERS values.
    structure = structure_of(stages)
    lengths = signal.shape[2:]
    stride, window = structure.stride[axis], structure.window[axis]
    computed = [
        arithmetic.computed(length, arithmetic.stride, 0)
        for arithmetic, length in zip(structure.axes, lengths, strict=True)
    ]
    widest = max(
        layer.filters * math.prod(places[index] for places in computed)
        for index, layer in enumerate(structure.layers)
    )
    values = len(signal) * widest / structure.axes[axis].outputs(lengths[axis], stride, 0)
    return max(1, round(BLOCK_NUMBERS / values), math.ceil(LEAST_WINDOWS * window / stride))


def require_type(call: str, signal: Tensor, weight: Tensor) -> None:
    """Raise unless a signal has the type of the weights that it meets."""
    if signal.dtype != weight.dtype:
        raise PenchantError(
            f"{call}(signal of {signal.dtype}): the weights are {weight.dtype}; convert one of them"
        )


def require_room(
    call: str,
    channels: int,
    window: tuple[int, ...],
    shape: tuple[int, ...],
    padding: Sequence[int],
) -> None:
    """Raise unless a signal of this shape has the channels and room for a window."""
    wanted = f"(batch, {channels}, {', '.join('length' for _ in window)})"
    if len(shape) != 2 + len(window) or shape[1] != channels:
        raise PenchantError(f"{call}(signal of shape {shape}): needs {wanted}")
    for axis, (length, pad, span) in enumerate(zip(shape[2:], padding, window, strict=True)):
        if length + 2 * pad < span:
            raise PenchantError(
                f"{call}(signal of shape {shape}, padding={tuple(padding)}): axis {axis} has "
                f"{length} + 2·{pad} samples, and one window takes {span}; no window fits"
            )
