"""What does not fit in a function that a forward calls: sums, products and joins of tensors."""

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor

from penchant.inspection._words import Shape, counted, times

ARITHMETIC = ("add", "sub", "mul", "div", "truediv")
"""Functions that Python's signs stand for."""


def conflict(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    """Say why a function refuses its tensors.

    Args:
        name: the function's name.
        args: its positional arguments.
        kwargs: its named arguments.

    Returns:
        What it gets and what would fit; "" where no rule here says that it must fail.

    Example:
        >>> import torch
        >>> conflict("add", (torch.zeros(1, 8, 4), torch.zeros(1, 8, 2)), {})
        'add gets 1×8×4 and 1×8×2, which differ along axis 2 (4 and 2): use equal sizes, or 1'
    """
    if name in ("cat", "concat", "concatenate", "stack"):
        return _joined(name, args, kwargs)
    if name in ("view", "reshape"):
        return _viewed(name, args)
    shapes = [tuple(one.shape) for one in (*args, *kwargs.values()) if isinstance(one, Tensor)]
    if len(shapes) < 2:
        return ""
    if name in ARITHMETIC or name == "where":
        return _broadcast(name, shapes)
    if name in ("matmul", "bmm", "mm"):
        return _product(name, shapes[0], shapes[1])
    if name == "linear":
        return _weighted(name, shapes[0], shapes[1], shapes[0][-1:], shapes[1][-1:], "feature")
    if name in ("conv1d", "conv2d", "conv3d"):
        groups = kwargs.get("groups", args[6] if len(args) > 6 else 1)
        return _convolved(name, shapes[0], shapes[1], groups)
    return ""


def _broadcast(name: str, shapes: list[Shape]) -> str:
    rank = max(map(len, shapes))
    full = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    axes = [axis for axis in range(rank) if len({shape[axis] for shape in full} - {1}) > 1]
    if not axes:
        return ""
    said = (
        f"{name} gets {' and '.join(map(times, shapes))}, which differ along {_where(axes, full)}"
    )
    return f"{said}: use equal sizes, or 1"


def _where(axes: list[int], shapes: list[Shape]) -> str:
    told = []
    for axis in axes:
        sizes = " and ".join(str(size) for size in dict.fromkeys(shape[axis] for shape in shapes))
        told.append(f"axis {axis} ({sizes})")
    return " and ".join(told)


def _joined(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    parts = args[0] if args else kwargs.get("tensors")
    if not isinstance(parts, list | tuple) or not all(isinstance(one, Tensor) for one in parts):
        return ""
    shapes = [tuple(one.shape) for one in parts]
    dim = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))
    ranks = {len(shape) for shape in shapes}
    told = " and ".join(map(times, shapes[:4]))
    if len(ranks) > 1 and (name == "stack" or all(len(shape) != 1 for shape in shapes)):
        return f"{name} gets {told}: all must have equally many axes"
    if len(ranks) > 1 or not ranks:
        return ""
    rank = ranks.pop()
    along = dim % rank if name != "stack" and rank and -rank <= dim < rank else None
    if name != "stack" and along is None:
        return f"{name} along axis {dim} gets {told}, which have axes 0 to {rank - 1}"
    axes = [a for a in range(rank) if a != along and len({shape[a] for shape in shapes}) > 1]
    if not axes:
        return ""
    rule = "all must be equal" if along is None else f"all but axis {along} must be equal"
    return f"{name} gets {told}, which differ along {_where(axes, shapes)}: {rule}"


def _viewed(name: str, args: Sequence[Any]) -> str:
    sizes = args[1] if len(args) == 2 and isinstance(args[1], list | tuple) else args[1:]
    if not args or not isinstance(args[0], Tensor) or not sizes:
        return ""
    if not all(isinstance(size, int) for size in sizes):
        return ""
    shape, known = tuple(args[0].shape), prod(size for size in sizes if size != -1)
    total = prod(shape)
    if known and (total % known == 0 if -1 in sizes else total == known):
        return ""
    said = f"{name}({', '.join(map(str, sizes))}) gets {times(shape)}, {total} numbers"
    return f"{said}: behind the batch there are {'·'.join(map(str, shape[1:]))} = {prod(shape[1:])}"


def _convolved(name: str, input: Shape, weight: Shape, groups: int) -> str:
    if len(weight) != int(name[4]) + 2 or len(input) not in (len(weight), len(weight) - 1):
        return ""
    channels = input[1 - len(weight)]
    return _weighted(name, input, weight, (channels,), (weight[1] * groups,), "channel")


def _weighted(
    name: str, input: Shape, weight: Shape, found: Shape, wanted: Shape, word: str
) -> str:
    """Say how many features or channels a weight is for, where its input has others."""
    if not found or not wanted or found == wanted:
        return ""
    return (
        f"{name} gets {times(input)} and a weight of {times(weight)}, which is for "
        f"{counted(wanted[0], word)}: use one for {found[0]}"
    )


def _product(name: str, one: Shape, two: Shape) -> str:
    if not one or not two:
        return ""
    inner = two[-2] if len(two) > 1 else two[0]
    if one[-1] == inner:
        return ""
    return (
        f"{name} gets {times(one)} and {times(two)}: the first's last size {one[-1]} and the "
        f"second's {'last but one' if len(two) > 1 else 'only size'} {inner} must be equal"
    )
