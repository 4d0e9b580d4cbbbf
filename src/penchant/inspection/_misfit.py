"""What does not fit into one of torch's layers, and the number that would.

Decisions:
- Asked before the layer runs, since on the meta device some layers take what they would refuse.
- Each check is what torch itself refuses, no more; layers with a forward of their own are theirs.
"""

from collections.abc import Callable, Sequence
from math import gcd, prod
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.modules.pooling import _AvgPoolNd, _MaxPoolNd

from penchant.errors import PenchantError
from penchant.geometry import AxisWindow, window_of
from penchant.inspection._formula import axis_formula
from penchant.inspection._words import Shape, counted, times

Origin = Callable[[Shape], str]


def misfit(module: nn.Module, args: tuple[Any, ...], origin: Origin) -> str:
    """Say what does not fit.

    Args:
        module: the layer.
        args: its positional arguments.
        origin: says how a flattened shape came about, "" where it did not.

    Returns:
        "Linear(100, 10) but gets 5408 features: use in_features=5408"; "" where all fits, or
        nothing is known of such layers.

    Example:
        >>> misfit(nn.Linear(100, 10), (torch.zeros(1, 5408),), lambda shape: "")
        'Linear(100, 10) but gets 5408 features: use in_features=5408'
    """
    if not args or not isinstance(args[0], Tensor):
        return ""
    for kind, check in _CHECKS:
        if isinstance(module, kind) and type(module).forward is _forward_of(module, kind):
            return check(cast(Any, module), args, origin)
    return ""


def _forward_of(module: nn.Module, kind: type[nn.Module]) -> object:
    """Return torch's own forward of the nearest class that torch defines."""
    for base in type(module).__mro__:
        if base.__module__.startswith("torch.nn.modules") and issubclass(base, kind):
            return base.forward
    return None


def _linear(layer: nn.Linear, args: tuple[Any, ...], origin: Origin) -> str:
    shape = tuple(args[0].shape)
    if not shape or shape[-1] == layer.in_features:
        return ""
    said = f"Linear({layer.in_features}, {layer.out_features}) but gets "
    said += counted(shape[-1], "feature")
    whole = prod(shape[1:])
    if whole == layer.in_features and len(shape) > 2:
        return (
            f"{said}, the last axis of {times(shape)}: flatten its input first, "
            f"{'·'.join(map(str, shape[1:]))} = {whole}"
        )
    if len(shape) > 3:
        return (
            f"{said}, the last axis of {times(shape)}: flatten its input first and use "
            f"in_features={whole}, or use in_features={shape[-1]}"
        )
    came = origin(shape)
    return f"{said}: use in_features={shape[-1]}{f' ({came})' if came else ''}"


def _conv(layer: _ConvNd, args: tuple[Any, ...], origin: Origin) -> str:
    shape, axes = tuple(args[0].shape), len(layer.kernel_size)
    name = f"{_torch_name(layer)}({layer.in_channels}, {layer.out_channels}"
    name += f", groups={layer.groups})" if layer.groups > 1 else ")"
    said = _wrong_rank(name, shape, axes)
    if said:
        return said
    channels = shape[-axes - 1]
    if channels != layer.in_channels:
        if len(shape) == axes + 1:
            return (
                f"{name} but gets {times(shape)}: it needs {axes + 2} axes (batch, "
                f"{layer.in_channels} channels, {axes} of positions)"
            )
        said = f"{name} but gets {counted(channels, 'channel')} ({times(shape)}): "
        if channels % layer.groups:
            fit = gcd(channels, layer.out_channels)
            return (
                f"{said}use in_channels={channels}, which groups={layer.groups} does not divide, "
                f"with groups={fit}" + (" or 1" if fit > 1 else "")
            )
        turned = ""
        if len(shape) == axes + 2 and shape[-1] == layer.in_channels:
            first = times((shape[-1], *shape[1:-1]))
            turned = f", or put the channels before the positions, {first}"
        return f"{said}use in_channels={channels}{turned}"
    return _too_small(name, layer, shape)


def _pool(layer: nn.Module, args: tuple[Any, ...], origin: Origin) -> str:
    shape = tuple(args[0].shape)
    name = f"{_torch_name(layer)}({layer.kernel_size})"
    try:
        return _wrong_rank(name, shape, int(_torch_name(layer)[-2])) or _too_small(
            name, layer, shape
        )
    except PenchantError as error:
        return f"{name}: {error}"


def _torch_name(module: nn.Module) -> str:
    """Return the name of the nearest class that torch defines."""
    # A parametrised layer's own class is made by torch.nn.utils.
    bases = (b for b in type(module).__mro__ if b.__module__.startswith("torch.nn.modules"))
    names = (base.__name__ for base in bases)
    return next(names).removeprefix("Lazy")


def _wrong_rank(name: str, shape: Shape, axes: int) -> str:
    if len(shape) in (axes + 1, axes + 2):
        return ""
    more = ", the first of which may be a batch too many" if len(shape) == axes + 3 else ""
    return (
        f"{name} but gets {times(shape)}, {counted(len(shape), 'axis')}"
        f"{more}: it needs {axes + 2}, batch, channels and {axes} of positions"
    )


def _too_small(name: str, layer: nn.Module, shape: Shape) -> str:
    described = window_of(layer)
    if described is None:
        return ""
    lengths = shape[len(shape) - len(described.axes) :]
    pairs = list(enumerate(zip(described.axes, lengths, strict=True)))
    failing = [number for number, (axis, length) in pairs if not _gives(layer, axis, length)]
    if not failing:
        return ""
    axes, places = described.axes, range(len(lengths))
    said = f"{name} but gets {times(shape)}, and "
    said += "; ".join(dict.fromkeys(axis_formula(described, at, lengths[at]) for at in failing))
    if axes[0].kind == "transposed":
        least = [axes[at].least_input() if at in failing else lengths[at] for at in places]
        return f"{said}: use less padding or an input of at least {_least(least, failing)}"
    padded = _keeps_padding(layer)
    if not padded and any(axis.before for axis in axes):
        said += (
            ", which torch refuses where an input is smaller than the kernel without its padding"
        )
    options = _remedies(axes, lengths, failing, padded)
    told = " or ".join(filter(None, (", ".join(options[:-1]), options[-1])))
    return f"{said}: use {told}"


def _remedies(
    axes: Sequence[AxisWindow], lengths: Shape, failing: Sequence[int], padded: bool
) -> list[str]:
    """List paddings, inputs and kernels with which a window fits along every axis."""
    places, pool, alike = range(len(axes)), axes[0].kind == "pool", len(set(axes)) == 1
    pads, kernels, least = [], [], []
    for at in places:
        axis, length = axes[at], lengths[at]
        short = axis.extent - length if at in failing else 0
        pads.append(max(axis.before, -(-short // 2)))
        kernels.append(min(axis.kernel, length + padded * (axis.before + axis.after)))
        needed = axis.least_input() if padded else axis.kernel
        least.append(needed if at in failing else length)
    if alike:
        # One number is written for all axes, and so must serve them all.
        pads, kernels = [max(pads)] * len(axes), [min(kernels)] * len(axes)
    options = [f"an input of at least {_least(least, failing)}"]
    if padded and not (pool and any(pads[at] > axes[at].kernel // 2 for at in places)):
        options.insert(0, f"padding={_one_or_each(pads)}")
    wide = pool and any(2 * axes[at].before > kernels[at] for at in places)
    if not wide and all(axis.dilation == 1 for axis in axes):
        options.append(f"kernel_size={_one_or_each(kernels)}")
    return options


def _keeps_padding(layer: nn.Module) -> bool:
    """Say whether padding helps a layer over a short input; not torch's AvgPool3d."""
    return not isinstance(layer, nn.AvgPool3d)


def _gives(layer: nn.Module, axis: AxisWindow, length: int) -> bool:
    """Say whether torch gives something along an axis."""
    if axis.kind == "transposed":
        # Of an empty output torch's transposed convolutions in 2 and 3 dimensions give some.
        return axis.output(length) >= (1 if isinstance(layer, nn.ConvTranspose1d) else 0)
    return axis.output(length) >= 1 and (_keeps_padding(layer) or length >= axis.kernel)


def _least(lengths: Sequence[int], failing: Sequence[int]) -> str:
    """Write the lengths that are needed, once where those that are too short need the same."""
    short = {lengths[at] for at in failing}
    return str(short.pop()) if len(short) == 1 else times(lengths)


def _one_or_each(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else f"({', '.join(map(str, numbers))})"


def _batch_norm(layer: _BatchNorm, args: tuple[Any, ...], origin: Origin) -> str:
    shape, name = tuple(args[0].shape), f"{_torch_name(layer)}({layer.num_features})"
    ranks = {"BatchNorm1d": (2, 3), "BatchNorm2d": (4,), "BatchNorm3d": (5,)}
    fitting = ranks.get(_torch_name(layer), (len(shape),))
    if len(shape) not in fitting:
        number = {2: "1", 3: "1", 4: "2", 5: "3"}.get(len(shape))
        hint = f": use BatchNorm{number}d" if number and number != name[9] else ""
        needs = " or ".join(map(str, fitting))
        return f"{name} but gets {times(shape)}, and needs {needs} axes{hint}"
    if len(shape) < 2 or (layer.weight is None and layer.running_mean is None):
        return ""
    return _features(name, "num_features", shape, layer.num_features, "channel")


def _instance_norm(layer: _InstanceNorm, args: tuple[Any, ...], origin: Origin) -> str:
    shape, name = tuple(args[0].shape), f"{_torch_name(layer)}({layer.num_features})"
    if len(shape) != int(_torch_name(layer)[-2]) + 2 or layer.weight is None:
        return ""
    return _features(name, "num_features", shape, layer.num_features, "channel")


def _group_norm(layer: nn.GroupNorm, args: tuple[Any, ...], origin: Origin) -> str:
    shape, name = tuple(args[0].shape), f"GroupNorm({layer.num_groups}, {layer.num_channels})"
    if len(shape) < 2 or layer.weight is None:
        return ""
    said = _features(name, "num_channels", shape, layer.num_channels, "channel")
    if said and shape[1] % layer.num_groups:
        said += f" with num_groups={gcd(shape[1], layer.num_groups)}"
        said += f", since {layer.num_groups} does not divide it"
    return said


def _features(name: str, argument: str, shape: Shape, wanted: int, word: str) -> str:
    if shape[1] == wanted:
        return ""
    return f"{name} but gets {counted(shape[1], word)} ({times(shape)}): use {argument}={shape[1]}"


def _layer_norm(layer: nn.LayerNorm, args: tuple[Any, ...], origin: Origin) -> str:
    shape, wanted = tuple(args[0].shape), tuple(layer.normalized_shape)
    ends = shape[max(len(shape) - len(wanted), 0) :]
    if ends == wanted:
        return ""
    plain = wanted[0] if len(wanted) == 1 else wanted
    fitting = ends[0] if len(ends) == 1 else ends
    return (
        f"{_torch_name(layer)}({plain}) but gets {times(shape)}, whose last "
        f"{'axis is' if len(ends) == 1 else 'axes are'} {times(ends)}: "
        f"use normalized_shape={fitting}"
    )


def _embedding(layer: nn.Embedding, args: tuple[Any, ...], origin: Origin) -> str:
    if args[0].dtype in (torch.int32, torch.int64):
        return ""
    dtype = str(args[0].dtype).removeprefix("torch.")
    return (
        f"{_torch_name(layer)}({layer.num_embeddings}, {layer.embedding_dim}) but gets {dtype}: "
        f"it needs whole numbers from 0 to {layer.num_embeddings - 1}, such as --input int:16"
    )


def _recurrent(layer: nn.RNNBase, args: tuple[Any, ...], origin: Origin) -> str:
    shape, name = tuple(args[0].shape), f"{layer.mode.split('_')[0]}"
    name += f"({layer.input_size}, {layer.hidden_size})"
    if len(shape) not in (2, 3):
        return f"{name} but gets {times(shape)}: it needs 3 axes (or 2 without a batch)"
    if shape[-1] == layer.input_size:
        return ""
    hint = ""
    if len(shape) == 3 and shape[1] == layer.input_size:
        hint = ", or transpose the last two axes"
    return (
        f"{name} but gets {counted(shape[-1], 'feature')} ({times(shape)}): "
        f"use input_size={shape[-1]}{hint}"
    )


def _cell(layer: nn.RNNCellBase, args: tuple[Any, ...], origin: Origin) -> str:
    shape = tuple(args[0].shape)
    if not shape or shape[-1] == layer.input_size:
        return ""
    return (
        f"{_torch_name(layer)}({layer.input_size}, {layer.hidden_size}) but gets "
        f"{counted(shape[-1], 'feature')} ({times(shape)}): use input_size={shape[-1]}"
    )


def _attention(layer: nn.MultiheadAttention, args: tuple[Any, ...], origin: Origin) -> str:
    sizes = (layer.embed_dim, layer.kdim, layer.vdim)
    for tensor, word, argument, wanted in zip(
        args, ("query", "key", "value"), ("embed_dim", "kdim", "vdim"), sizes, strict=False
    ):
        shape = tuple(tensor.shape)
        if shape and shape[-1] != wanted:
            hint = ""
            if argument == "embed_dim" and shape[-1] % layer.num_heads:
                heads = gcd(shape[-1], layer.num_heads)
                hint = f" with num_heads={heads}, since {layer.num_heads} does not divide it"
            return (
                f"MultiheadAttention({layer.embed_dim}, {layer.num_heads}) but gets a {word} of "
                f"{counted(shape[-1], 'feature')} ({times(shape)}): "
                f"use {argument}={shape[-1]}{hint}"
            )
    return ""


def _prelu(layer: nn.PReLU, args: tuple[Any, ...], origin: Origin) -> str:
    shape, wanted = tuple(args[0].shape), layer.num_parameters
    channels = shape[1] if len(shape) > 1 else 1
    if wanted in (1, channels):
        return ""
    said = f"PReLU({wanted}) but gets {counted(channels, 'channel')} ({times(shape)})"
    return f"{said}: use num_parameters={channels} or 1"


def _pixel_shuffle(layer: nn.PixelShuffle, args: tuple[Any, ...], origin: Origin) -> str:
    shape, step = tuple(args[0].shape), layer.upscale_factor
    square = step * step
    if len(shape) < 3 or shape[-3] % square == 0:
        return ""
    below = shape[-3] // square * square
    fitting = f"{below} or {below + square}" if below else f"{square}"
    return (
        f"PixelShuffle({step}) but gets {counted(shape[-3], 'channel')} ({times(shape)}), which "
        f"{step}·{step} = {square} does not divide: use {fitting} channels"
    )


def _pixel_unshuffle(layer: nn.PixelUnshuffle, args: tuple[Any, ...], origin: Origin) -> str:
    shape, step = tuple(args[0].shape), layer.downscale_factor
    lengths = shape[-2:]
    if len(shape) < 3 or not any(length % step for length in lengths):
        return ""
    fitting = times([-(-length // step) * step for length in lengths])
    return (
        f"PixelUnshuffle({step}) but gets {times(shape)}, whose last axes {step} does not divide: "
        f"pad them to {fitting}"
    )


_CHECKS: tuple[tuple[type[nn.Module], Callable[[Any, tuple[Any, ...], Origin], str]], ...] = (
    (nn.Linear, _linear),
    (_ConvNd, _conv),
    (_MaxPoolNd, _pool),
    (_AvgPoolNd, _pool),
    (_InstanceNorm, _instance_norm),
    (_BatchNorm, _batch_norm),
    (nn.GroupNorm, _group_norm),
    (nn.LayerNorm, _layer_norm),
    (nn.RMSNorm, _layer_norm),
    (nn.Embedding, _embedding),
    (nn.EmbeddingBag, _embedding),
    (nn.RNNBase, _recurrent),
    (nn.RNNCellBase, _cell),
    (nn.MultiheadAttention, _attention),
    (nn.PReLU, _prelu),
    (nn.PixelShuffle, _pixel_shuffle),
    (nn.PixelUnshuffle, _pixel_unshuffle),
)
