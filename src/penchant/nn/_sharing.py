"""Finding the shared blocks of a window classifier's Linear layers, where they are equal."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from penchant.nn._stages import Stage


def with_sharing(stages: Sequence[Stage]) -> list[Stage]:
    """Read each layer's units as filters at places wherever its matrix says so exactly.

    Args:
        stages: of a classifier of one axis: a layer over the whole window, then layers of width 1.

    Returns:
        The same function of a window, in layers as narrow as their zeros and equal blocks allow.
    """
    found: list[Stage] = []
    channels, below = stages[0].weight.shape[1:]
    for index, stage in enumerate(stages):
        matrix = stage.weight.reshape(len(stage.weight), channels, below)
        # The last layer's units are the answer; softmax looks at all units together.
        pointwise = not any(
            isinstance(m, nn.Softmax | nn.LogSoftmax) for m in stage.after.modules()
        )
        whole = Stage(matrix, stage.bias, (1,), (1,), stage.after)
        most = len(matrix) if pointwise and index < len(stages) - 1 else 1
        found.append(_shared(matrix, stage, most) or whole)
        channels = len(found[-1].weight)
        below = len(matrix) // channels
    return found


def _shared(matrix: Tensor, stage: Stage, most: int) -> Stage | None:
    # The layer with as many places as its matrix allows, up to `most`.
    units = len(matrix)
    for places in range(most, 0, -1):
        if units % places == 0:
            blocks = matrix.reshape(units // places, places, *matrix.shape[1:])
            biases = None if stage.bias is None else stage.bias.reshape(-1, places)
            if biases is not None and not torch.equal(biases, biases[:, :1].expand_as(biases)):
                continue
            structure = _groups(blocks)
            if structure is not None:
                stride, dilation, weight = structure
                bias = None if biases is None else biases[:, 0]
                return Stage(weight, bias, (stride,), (dilation,), stage.after)
    return None


def _groups(blocks: Tensor) -> tuple[int, int, Tensor] | None:
    # Stride, dilation and the one weight of blocks (filters, places, channels, below), if any.
    places, below = blocks.shape[1], blocks.shape[3]
    taps = blocks[:, 0].any(dim=0).any(dim=0).nonzero().flatten().tolist()
    if not taps or taps[0] != 0:
        return None
    span = taps[-1] + 1
    stride = (below - span) // max(1, places - 1) or 1
    if (places - 1) * stride + span != below:
        return None
    first = blocks[:, 0, :, :span]
    repeated = torch.zeros_like(blocks)
    for place in range(places):
        repeated[:, place, :, place * stride : place * stride + span] = first
    if not torch.equal(repeated, blocks):
        return None
    dilation = math.gcd(*taps) or 1
    return stride, dilation, first[:, :, ::dilation]
