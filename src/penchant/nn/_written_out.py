"""A stack of convolutions as the MLP that it is on one window, every repeated block written out."""

import copy
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from penchant.nn._scan_structure import Structure
from penchant.nn._stages import Stage, structure_of, unpacked


def as_linears(stages: Sequence[Stage]) -> nn.Sequential:
    """Write the stages as Flatten and Linear layers with parameters of their own."""
    structure = structure_of(stages)
    modules: list[nn.Module] = [nn.Flatten()]
    for index, stage in enumerate(stages):
        weight = written_out(stage.weight, structure, index)
        linear = cast(
            nn.Linear,
            skip_init(  # type: ignore[no-untyped-call]
                nn.Linear,
                weight.shape[1],
                weight.shape[0],
                bias=stage.bias is not None,
                device=weight.device,
                dtype=weight.dtype,
            ),
        )
        with torch.no_grad():
            linear.weight.copy_(weight)
            if stage.bias is not None:
                linear.bias.copy_(stage.bias.repeat_interleave(structure.places(index + 1)))
        modules += [linear, *unpacked(copy.deepcopy(stage.after))]
    return nn.Sequential(*modules)


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
        by place within a channel.
    """
    for axis in structure.axes:
        groups = torch.tensor(axis.groups(index))
        below = torch.arange(len(axis.places[index]))
        # places width below: 1 where a place's group has that member
        chosen = (groups[:, :, None] == below).to(weight)
        weight = torch.tensordot(weight, chosen, dims=([2], [1]))
    # filters channels (places below) of each axis in turn
    axes = len(structure.axes)
    places = [2 + 2 * axis for axis in range(axes)]
    units_below = [3 + 2 * axis for axis in range(axes)]
    ordered = weight.permute(0, *places, 1, *units_below)
    return ordered.reshape(len(weight) * structure.places(index + 1), -1)
