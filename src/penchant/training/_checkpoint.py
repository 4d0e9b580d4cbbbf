"""Nested state as bytes and back: safetensors for the tensors, JSON for what holds them.

Nothing in such bytes is executed. They begin with a hash of the rest, so that what was cut short,
altered or written by another version of this file is seen before any of it is believed.
"""

import hashlib
import json
import struct
from typing import Any

from torch import Tensor

VERSION = b"penchant state 1"
"""Goes into the hash; to be changed whenever the layout of a state is."""


def to_bytes(state: Any) -> bytes:
    """Write a state down.

    Args:
        state: dictionaries, lists and tuples of tensors, numbers, texts, booleans and None.

    Returns:
        The content of a checkpoint.

    Example:
        >>> from_bytes(to_bytes({"step": 3, 0: (0.1, None)}))
        {'step': 3, 0: (0.1, None)}
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    words = json.dumps(_packed(state, tensors)).encode()
    parts = (struct.pack("<Q", len(words)), words, save(tensors))
    del tensors  # a state may take a good part of the memory; no more copies than need be
    return b"".join((_hash(*parts), *parts))


def from_bytes(content: bytes) -> Any:
    """Read what `to_bytes` has written.

    Args:
        content: any bytes.

    Returns:
        The state, equal to the bit; None for bytes that are damaged or not a state's.
    """
    from safetensors.torch import load

    size = len(_hash())
    if len(content) <= size or _hash(memoryview(content)[size:]) != content[:size]:
        return None
    (length,) = struct.unpack_from("<Q", content, size)
    begin = size + struct.calcsize("<Q")
    return _unpacked(json.loads(content[begin : begin + length]), load(content[begin + length :]))


def _hash(*parts: bytes | memoryview) -> bytes:
    found = hashlib.blake2b(digest_size=16, person=VERSION)
    for part in parts:
        found.update(part)
    return found.digest()


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Turn a state into what JSON knows, and put its tensors aside by number."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        # A copy, since safetensors takes no two tensors that share their memory.
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        # In pairs, since JSON's keys are texts and an optimiser's are numbers.
        return {"dict": [[key, _packed(one, tensors)] for key, one in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_packed(one, tensors) for one in value]}
    assert value is None or isinstance(value, bool | int | float | str), type(value)
    return value


def _unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "tensor":
        return tensors[held]
    if kind == "dict":
        return {key: _unpacked(one, tensors) for key, one in held}
    items = [_unpacked(one, tensors) for one in held]
    return tuple(items) if kind == "tuple" else items
