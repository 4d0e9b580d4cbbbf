"""The dense matrix of a layer whose units look at groups, its zeros visible."""

import torch
from jaxtyping import Float
from torch import Tensor

from penchant.nn._scan_structure import Structure


def written_out(
    weight: Float[Tensor, "filters channels *width"], structure: Structure, index: int
) -> Float[Tensor, "units below"]:
    """Repeat a layer's shared weight at each of its places.

    Args:
        weight: the layer's, as a convolution's.
        structure: the network's.
        index: which layer.

    Returns:
        The matrix from all units below to all of the layer's, both channel by channel and place
        by place within a channel. Differentiable.
    """
    for axis in structure.axes:
        groups = torch.tensor(axis.groups(index))
        below = torch.arange(len(axis.places[index]))
        # places width below: 1 where a place's group has that member
        chosen = (groups[:, :, None] == below).to(weight)
        weight = torch.tensordot(weight, chosen, dims=([2], [1]))
    # filters channels (places below of each axis in turn)
    axes = len(structure.axes)
    places = [2 + 2 * axis for axis in range(axes)]
    units_below = [3 + 2 * axis for axis in range(axes)]
    ordered = weight.permute(0, *places, 1, *units_below)
    return ordered.reshape(weight.shape[0] * structure.places(index + 1), -1)
