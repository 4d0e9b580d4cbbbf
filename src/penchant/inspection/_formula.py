"""How a layer's output size comes about, with its numbers."""

from math import prod

from torch import nn

from penchant.geometry import Window, window_of
from penchant.inspection._words import Shape


def formula(module: nn.Module, before: Shape, after: Shape) -> str:
    """Write the formula of one of torch's layers.

    Args:
        module: the layer.
        before: the shape that goes in.
        after: the shape that comes out.

    Returns:
        One line; "" where there is nothing to say.

    Example:
        >>> formula(nn.Conv2d(3, 64, 7, stride=2, padding=3), (1, 3, 224, 224), (1, 64, 112, 112))
        '⌊(224 + 2·3 − 7) / 2⌋ + 1 = 112'
        >>> formula(nn.Flatten(), (1, 64, 7, 7), (1, 3136))
        '64·7·7 = 3136'
    """
    layer = window_of(module)
    if layer is not None:
        lengths = before[len(before) - len(layer.axes) :]
        lines = [axis_formula(layer, number, size) for number, size in enumerate(lengths)]
        return "; ".join(dict.fromkeys(lines))
    if isinstance(module, nn.Flatten):
        return flattening(before, after)
    if isinstance(module, nn.Upsample) and module.scale_factor is not None:
        return _scaled(module.scale_factor, before[2:], after[2:])
    return ""


def axis_formula(layer: Window, number: int, length: int) -> str:
    """Write a window's formula along one axis, in the fewest terms.

    Args:
        layer: the window.
        number: which of its axes.
        length: what goes in along it.

    Example:
        >>> from penchant.geometry import window
        >>> [axis_formula(window(3, dilation=step), 0, 9) for step in (1, 2)]
        ['9 − 3 + 1 = 7', '9 − 2·(3 − 1) − 1 + 1 = 5']
    """
    axis = layer.axes[number]
    if axis.before == axis.after:
        padding = f"2·{axis.before}" if axis.before else ""
    else:
        padding = f"{axis.before + axis.after}"
    answer = axis.output(length)
    if axis.kind == "transposed":
        terms = f"({length} − 1)·{axis.stride}" + (f" − {padding}" if padding else "")
        if axis.dilation == 1:
            terms += f" + {axis.kernel}"
        else:
            terms += f" + {axis.dilation}·({axis.kernel} − 1) + 1"
        return f"{terms}{f' + {axis.output_padding}' if axis.output_padding else ''} = {answer}"
    reach = f"{axis.kernel}" if axis.dilation == 1 else f"{axis.dilation}·({axis.kernel} − 1) − 1"
    terms = f"{length}{f' + {padding}' if padding else ''} − {reach}"
    if axis.stride == 1:
        return f"{terms} + 1 = {answer}"
    open, close = "⌈⌉" if axis.ceil_mode else "⌊⌋"
    room = length + axis.before + axis.after - axis.extent
    # A window that would start in the padding behind the last sample is dropped.
    dropped = axis.ceil_mode and answer == -(-room // axis.stride)
    more = "" if dropped else " + 1"
    return f"{open}({terms}) / {axis.stride}{close}{more} = {answer}"


def flattening(before: Shape, after: Shape) -> str:
    """Write which sizes of a shape are multiplied into one; "" where none are."""
    if len(after) >= len(before) or not after or prod(before) != prod(after):
        return ""
    start = 0
    while start < len(after) and before[start] == after[start]:
        start += 1
    if start == len(after):
        return ""
    end = len(before) - (len(after) - start - 1)
    joined = before[start:end]
    if prod(joined) != after[start] or before[end:] != after[start + 1 :]:
        return ""
    return f"{'·'.join(map(str, joined))} = {after[start]}"


def _scaled(factor: object, before: Shape, after: Shape) -> str:
    factors = factor if isinstance(factor, tuple) else (factor,) * len(before)
    lines = [
        f"{size}·{step:g} = {grown}"
        for size, step, grown in zip(before, factors, after, strict=True)
    ]
    return "; ".join(dict.fromkeys(lines))
