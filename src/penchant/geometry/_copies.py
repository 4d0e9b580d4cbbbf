"""A network's copy, what it returns, and what it raises, in forms that can be handled."""

import copy
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, is_lazy


def copied(model: nn.Module) -> nn.Module:
    """Copy a network, with what deepcopy refuses: lazy buffers, and tensors that were computed.

    Args:
        model: the network; `torch.nn.utils.weight_norm` and its like keep computed tensors.

    Returns:
        The copy.
    """
    memo: dict[int, Any] = {
        id(held): UninitializedBuffer(device=held.device, dtype=held.dtype)  # type: ignore[call-arg]
        for held in model.buffers()
        if is_lazy(held)
    }
    for module in model.modules():
        for held in vars(module).values():
            if isinstance(held, Tensor) and not held.is_leaf:
                memo[id(held)] = held.detach().clone()
    return copy.deepcopy(model, memo)


def unpacked(held: Any) -> Any:
    """Turn dataclasses, which torch does not look into, into dictionaries of their fields.

    Example:
        >>> from dataclasses import make_dataclass
        >>> Result = make_dataclass("Result", ["logits", "hidden"])
        >>> unpacked([Result(1, [2])])
        [{'logits': 1, 'hidden': [2]}]
    """
    if isinstance(held, Mapping):
        # torch knows its own kinds; a plain dictionary may hold dataclasses.
        return {key: unpacked(value) for key, value in held.items()} if type(held) is dict else held
    if is_dataclass(held) and not isinstance(held, type):
        return {field.name: unpacked(getattr(held, field.name)) for field in fields(held)}
    if type(held) in (list, tuple):
        return type(held)(unpacked(entry) for entry in held)
    return held


def in_a_line(error: BaseException) -> str:
    """Tell what a user's code raised in one line that is not too long.

    Example:
        >>> in_a_line(RuntimeError("shapes differ:\\n3 and 4"))
        'shapes differ: 3 and 4'
    """
    line = " ".join(str(error).split())
    return line if len(line) <= 200 else f"{line[:199]}…"
