"""Linear operations in the place of others, with the same support of the gradient.

Decisions:
- A function's name decides, as torch hands it to a mode: `mul` of two tensors that both depend on
  the input becomes their sum, a maximum a mean, an unpooling a spread over its windows.
- Numbers stay near 1. Products of activations would overflow, and gates in long recurrences
  saturate; both would make a gradient lie.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode, resolve_name

from penchant.errors import PenchantError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PASSED = _words(
    "relu relu_ relu6 gelu silu mish elu elu_ selu selu_ celu celu_ leaky_relu leaky_relu_ rrelu "
    "rrelu_ prelu hardtanh hardtanh_ hardswish hardsigmoid hardshrink softshrink tanhshrink "
    "softplus softsign logsigmoid threshold threshold_ sigmoid sigmoid_ tanh tanh_ sin sin_ cos "
    "exp exp_ log log1p sqrt rsqrt abs abs_ sign round floor ceil square erf clamp clamp_ "
    "clamp_min clamp_max clip dropout dropout_ dropout1d dropout2d dropout3d alpha_dropout "
    "feature_dropout feature_alpha_dropout batch_norm layer_norm group_norm instance_norm "
    "rms_norm local_response_norm reciprocal detach"
)
"""What gives back its first argument in the linearised copy."""

BOUNDED = _words(
    "matmul __matmul__ mm bmm baddbmm addmm einsum bilinear scaled_dot_product_attention "
    "multi_head_attention_forward lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell "
    "rnn_relu_cell"
)
"""Whose arguments are scaled to at most 1 where they depend on the input."""

MASKED = -1e4
"""What a softmax gets below this is masked."""

_PRODUCTS = _words("mul multiply mul_ __mul__ __rmul__ __imul__ div divide true_divide div_")
_PRODUCTS |= _words("__truediv__ __rtruediv__ __itruediv__")
_POWERS = _words("pow pow_ __pow__ float_power")
_CASTS = _words("float half double bfloat16")
_DOUBLE = {
    **dict.fromkeys((torch.float16, torch.bfloat16, torch.float32), torch.float64),
    torch.complex64: torch.complex128,
}

MEANS = _words("max amax min amin median logsumexp prod var std norm")
"""What becomes a mean in the linearised copy."""


class LinearOperations(TorchFunctionMode):
    """While it is on, operations are replaced by linear ones that see the same."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = (resolve_name(func) or getattr(func, "__name__", "")).rsplit(".", 1)[-1]
        if func is torch.autograd.grad or name == "backward":
            raise PenchantError(
                "receptive_field: the forward takes gradients, and those of a linearised copy say "
                "nothing of what it sees"
            )
        if name == "_set_grad_enabled":
            # A region without gradients sees what it sees.
            return None
        args = tuple(_doubled(entry) for entry in args)
        kwargs = {key: _doubled(entry) for key, entry in (kwargs or {}).items()}
        first = args[0] if args else kwargs.get("input")
        if name in _CASTS and isinstance(first, Tensor):
            return first.to(torch.float64)
        if isinstance(first, Tensor) and first.is_floating_point():
            replaced = _replaced(name, func, args, kwargs)
            if replaced is not None:
                return replaced
        if name in BOUNDED:
            args = tuple(_bounded(entry) for entry in args)
            kwargs = {key: _bounded(entry) for key, entry in kwargs.items()}
        return func(*args, **kwargs)


def _replaced(name: str, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Return a linear operation's result; None where the operation may stay."""
    first = args[0] if args else kwargs["input"]
    second = args[1] if len(args) > 1 else None
    if name in PASSED or (name in _POWERS and not isinstance(second, Tensor)):
        return first
    if "softmax" in name or name == "softmin":
        return _softmax(first, _dim(args, kwargs))
    if "max_pool" in name:
        return _mean_pool(name, func, args, kwargs)
    if "max_unpool" in name:
        return _spread_pool(name, args, kwargs)
    if name in ("maximum", "minimum"):
        return (args[0] + args[1]) / 2
    if name in _PRODUCTS and isinstance(second, Tensor) and first.requires_grad:
        return _sum_of_factors(name, first, second)
    if name in ("sort", "topk"):
        return _picked(func, args, kwargs)
    if name == "grid_sample" and second is not None and second.requires_grad:
        axes = list(range(2, first.dim()))
        return first.mean(axes, keepdim=True) + second.mean(-1).unsqueeze(1)
    if name in MEANS and not isinstance(kwargs.get("other"), Tensor):
        return _mean(func, name, args, kwargs)
    return None


def _softmax(first: Tensor, dim: int | None) -> Tensor:
    """Add to each number a mean of all; those near −∞ are masked, and neither see nor are seen."""
    masked = first.detach() < MASKED
    kept = first.masked_fill(masked, 0)
    return (kept + kept.mean(-1 if dim is None else dim, keepdim=True)).masked_fill(masked, 0)


def _doubled(entry: Any) -> Any:
    """Let a type that is asked for be the double one."""
    return _DOUBLE.get(entry, entry) if isinstance(entry, torch.dtype) else entry


def _bounded(entry: Any) -> Any:
    """Scale a tensor to at most 1, so that nothing behind it overflows or saturates."""
    if not isinstance(entry, Tensor) or not entry.requires_grad:
        return entry
    largest = entry.detach().abs().max() if entry.numel() else torch.ones(())
    return entry / largest if float(largest) > 1 else entry


def _sum_of_factors(name: str, first: Tensor, second: Tensor) -> Tensor | None:
    """Replace a product, which doubles exponents each time, where both factors depend."""
    if not second.requires_grad:
        return None
    if name in ("mul_", "div_", "__imul__", "__itruediv__"):
        return first.add_(second).div_(2)
    return (first + second) / 2


def _picked(func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Let what is picked by its rank see all that it was picked from."""
    found = func(*args, **kwargs)
    place = 2 if func.__name__ == "topk" else 1
    dim = kwargs.get("dim", args[place] if len(args) > place else -1)
    first = args[0] if args else kwargs["input"]
    return type(found)((found[0] + first.mean(dim, keepdim=True), found[1]))


def _dim(args: Any, kwargs: dict[str, Any]) -> Any:
    return kwargs["dim"] if "dim" in kwargs else (args[1] if len(args) > 1 else None)


def _mean(func: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any]) -> Any:
    dim = _dim(args, kwargs)
    if isinstance(dim, Tensor):
        return (args[0] + dim) / 2
    if name == "norm":
        dim = kwargs.get("dim", args[2] if len(args) > 2 else None)
    if dim is None:
        return args[0].mean()
    keepdim = bool(kwargs.get("keepdim", args[2] if len(args) > 2 and name != "norm" else False))
    values = args[0].mean(dim, keepdim=keepdim)
    if name in ("max", "min", "median"):
        found = func(*args, **kwargs)
        return type(found)((values, found[1]))
    return values


def _mean_pool(name: str, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Replace a maximum over windows by the windows' mean."""
    with torch._C.DisableTorchFunction():
        real = func(*args, **kwargs)
    values = real[0] if isinstance(real, tuple) else real
    signal = args[0] if args else kwargs["input"]
    axes = int(name[name.index("pool") + 4])
    if "adaptive" in name:
        pool: Any = getattr(functional, f"adaptive_avg_pool{axes}d")
        summed = pool(signal, values.shape[-axes:])
    else:
        names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        summed = _window_mean(signal, values, axes, given)
    return (summed, real[1]) if isinstance(real, tuple) else summed


def _spread_pool(name: str, args: Any, kwargs: dict[str, Any]) -> Tensor:
    """Let each value go to its whole window, in one place of which an unpooling puts it."""
    names = ("input", "indices", "kernel_size", "stride", "padding", "output_size")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    signal, axes = given["input"], int(name[name.index("pool") + 4])
    kernel = _per_axis(given["kernel_size"], 1, axes)
    stride = _per_axis(given.get("stride"), kernel, axes)
    padding = _per_axis(given.get("padding"), 0, axes)
    weight = torch.ones(1, 1, *kernel, dtype=signal.dtype)
    transposed: Any = getattr(functional, f"conv_transpose{axes}d")
    spread = transposed(signal.reshape(-1, 1, *signal.shape[-axes:]), weight, None, stride, padding)
    lengths = list(given.get("output_size") or spread.shape)[-axes:]
    missing = [length - old for length, old in zip(lengths, spread.shape[-axes:], strict=True)]
    # Negative numbers cut, as where a smaller output is asked for.
    spread = functional.pad(spread, [side for gap in reversed(missing) for side in (0, gap)])
    return torch.reshape(spread, (*signal.shape[:-axes], *lengths))


def _per_axis(value: Any, default: Any, axes: int) -> list[int]:
    entries = default if value is None or value == [] or value == () else value
    return [entries] * axes if isinstance(entries, int) else list(entries)


def _window_mean(signal: Tensor, values: Tensor, axes: int, given: dict[str, Any]) -> Tensor:
    kernel = _per_axis(given["kernel_size"], 1, axes)
    stride = _per_axis(given.get("stride"), kernel, axes)
    padding = _per_axis(given.get("padding"), 0, axes)
    dilation = _per_axis(given.get("dilation"), 1, axes)
    lead, lengths = signal.shape[:-axes], values.shape[-axes:]
    pads: list[int] = []
    for axis in reversed(range(axes)):
        reach = (lengths[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1
        behind = reach - signal.shape[len(lead) + axis] - padding[axis]
        pads += [padding[axis], max(behind, 0)]
    padded = functional.pad(signal.reshape(-1, 1, *signal.shape[-axes:]), pads)
    weight = torch.full((1, 1, *kernel), 1 / prod(kernel), dtype=signal.dtype)
    convolve: Any = (functional.conv1d, functional.conv2d, functional.conv3d)[axes - 1]
    summed: Tensor = convolve(padded, weight, stride=stride, dilation=dilation)
    cut = tuple(slice(0, length) for length in lengths)
    summed = summed[(slice(None), slice(None), *cut)]
    return torch.reshape(summed, (*lead, *lengths))
