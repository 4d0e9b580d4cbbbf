"""Copies of a network that leave it as it was: without numbers, or with its own.

Decisions:
- deepcopy's memo is filled beforehand with what its tensors become, so that ties between them
  are kept and no weight is copied that need not be.
"""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from penchant.errors import PenchantError


def without_numbers(model: nn.Module) -> nn.Module:
    """Copy a network to the meta device, on which tensors have shapes and no numbers."""
    return _copied(model, {id(tensor): _shape_of(tensor) for tensor in _tensors(model)})


def with_shared_parameters(model: nn.Module) -> nn.Module:
    """Copy a network's modules and buffers; its parameters are the very same."""
    kept: dict[int, Any] = {id(parameter): parameter for parameter in model.parameters()}
    return _copied(model, _detached(model) | kept)


def in_full(model: nn.Module) -> nn.Module:
    """Copy a network with all its numbers."""
    lazy = (one for one in (*model.parameters(), *model.buffers()) if is_lazy(one))
    kept: dict[int, Any] = {id(one): _lazy_like(one, one.device) for one in lazy}
    return _copied(model, _detached(model) | kept)


def is_any_lazy(model: nn.Module) -> bool:
    """Say whether a parameter or buffer has no shape before the network runs."""
    return any(is_lazy(one) for one in (*model.parameters(), *model.buffers()))


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()
    yield from _attributes(model)


def _attributes(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        yield from (value for value in vars(module).values() if isinstance(value, Tensor))


def _detached(model: nn.Module) -> dict[int, Any]:
    """Copy what modules have computed and kept, as weight_norm does, which deepcopy refuses."""
    return {id(one): one.detach().clone() for one in _attributes(model) if not one.is_leaf}


def _shape_of(tensor: Tensor) -> Tensor:
    if is_lazy(tensor):
        return _lazy_like(tensor, torch.device("meta"))
    held = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(held, requires_grad=tensor.requires_grad)
    return held


def _lazy_like(tensor: Tensor, device: torch.device) -> Tensor:
    kind: Any = type(tensor)
    made: Tensor = kind(tensor.requires_grad, device=device, dtype=tensor.dtype)
    return made


def _copied(model: nn.Module, memo: dict[int, Any]) -> nn.Module:
    try:
        return copy.deepcopy(model, memo).eval()
    except Exception as error:  # whatever a user's attributes raise
        message = " ".join(str(error).split())
        raise PenchantError(
            f"{type(model).__name__} cannot be copied, as inspection must: "
            f"{type(error).__name__}: {message}"
        ) from error
