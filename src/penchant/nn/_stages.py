"""A stack of convolutions with pointwise functions between them, as data.

The scanning MLP, its convolutional network and a user's window classifier all become this, so
that each is one way of reading or writing it.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from penchant.nn._scan_structure import ScanLayer, Structure

CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {
    1: nn.Conv1d,
    2: nn.Conv2d,
    3: nn.Conv3d,
}


@dataclass(frozen=True)
class Stage:
    """One convolution without padding, and the pointwise function behind it."""

    weight: Float[Tensor, "filters channels *width"]
    bias: Float[Tensor, " filters"] | None
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    after: nn.Module


def structure_of(stages: Sequence[Stage]) -> Structure:
    """Read off the structure of the scanning MLP that a stack is."""
    layers = tuple(
        ScanLayer(len(stage.weight), tuple(stage.weight.shape[2:]), stage.stride, stage.dilation)
        for stage in stages
    )
    return Structure(stages[0].weight.shape[1], layers)


def scanned_at(stages: Sequence[Stage], stride: Sequence[int]) -> list[Stage]:
    """Give the stages the strides and dilations that scan their window at another stride."""
    axes = structure_of(stages).axes
    plans = [axis.dense(step) for axis, step in zip(axes, stride, strict=True)]
    return [
        Stage(
            stage.weight,
            stage.bias,
            tuple(plan[index][0] for plan in plans),
            tuple(plan[index][1] for plan in plans),
            stage.after,
        )
        for index, stage in enumerate(stages)
    ]


def convolve(
    stages: Sequence[Stage], signal: Float[Tensor, "batch channels *length"]
) -> Float[Tensor, "batch filters *places"]:
    """Apply the stages in turn; gradients reach their weights."""
    convolution = (F.conv1d, F.conv2d, F.conv3d)[signal.dim() - 3]
    h = signal
    for stage in stages:
        h = convolution(h, stage.weight, stage.bias, stage.stride, 0, stage.dilation)
        h = stage.after(h)
    return h


def as_modules(stages: Sequence[Stage], padding: Sequence[int]) -> nn.Sequential:
    """Write the stages as plain modules with parameters of their own; the first pads."""
    modules: list[nn.Module] = []
    for index, stage in enumerate(stages):
        convolution = cast(
            nn.Conv1d,
            skip_init(  # type: ignore[no-untyped-call]
                CONVOLUTIONS[stage.weight.dim() - 2],
                stage.weight.shape[1],
                stage.weight.shape[0],
                tuple(stage.weight.shape[2:]),
                stride=stage.stride,
                dilation=stage.dilation,
                padding=tuple(padding) if index == 0 else 0,
                bias=stage.bias is not None,
                device=stage.weight.device,
                dtype=stage.weight.dtype,
            ),
        )
        with torch.no_grad():
            convolution.weight.copy_(stage.weight)
            if convolution.bias is not None and stage.bias is not None:
                convolution.bias.copy_(stage.bias)
        after = copy.deepcopy(stage.after)
        modules += [convolution, *unpacked(after)]
    return nn.Sequential(*modules)


def packed(modules: Sequence[nn.Module]) -> nn.Module:
    """Make one module of several in turn."""
    if not modules:
        return nn.Identity()
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def unpacked(module: nn.Module) -> list[nn.Module]:
    """Take `packed` back."""
    if isinstance(module, nn.Identity):
        return []
    return list(module) if isinstance(module, nn.Sequential) else [module]
