"""What each function call of a network's forward is along time."""

from collections.abc import Callable
from functools import reduce
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from penchant.nn._stream_builder import TIME_AXES, UNKNOWN, Builder, Frames
from penchant.nn._stream_modules import dropout, single, span_of

ELEMENTWISE = frozenset({
    "abs", "celu", "clamp", "contiguous", "cos", "elu", "erf", "exp", "expm1", "gelu",
    "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log", "log1p", "logsigmoid", "mish",
    "neg", "pow", "reciprocal", "relu", "relu6", "rsqrt", "selu", "sigmoid", "silu", "sin",
    "softplus", "softsign", "sqrt", "square", "tanh", "tanhshrink",
})  # fmt: skip
"""Functions and methods that look at one number alone."""

MEETINGS: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "truediv": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
"""Functions of two values' numbers of one place."""


class Calls:
    """The function calls of one graph; `values` are the frames that its nodes have so far."""

    def __init__(self, builder: Builder, model: nn.Module, values: dict[fx.Node, Frames]) -> None:
        self.builder = builder
        self.model = model
        self.values = values

    def add(self, node: fx.Node) -> Frames:
        """Add one call.

        Raises:
            PenchantError: it cannot be streamed; why.
        """
        name, refuse = self.builder.kind, self.builder.refuse
        if name in ("cat", "concat", "concatenate"):
            return self._concatenate(*cast(Any, node.args), **cast(Any, node.kwargs))
        inputs = [self.values.get(one) for one in node.all_input_nodes]
        frames = inputs[0] if inputs else None
        if frames is None:
            refuse(UNKNOWN)
        arguments = [self.values.get(one) if isinstance(one, fx.Node) else one for one in node.args]
        if name in MEETINGS:
            return self._meet(MEETINGS[name], arguments, dict(node.kwargs))
        special = SPECIAL.get(name)
        if special is not None:
            return special(self, frames, *node.args[1:], **node.kwargs)
        named = {key: one for key, one in node.kwargs.items() if key != "inplace"}
        constants = [*arguments[1:], *named.values()]
        if name not in ELEMENTWISE or not all(map(_constant, constants)):
            refuse(UNKNOWN)
        target: Any = getattr(Tensor, name) if node.op == "call_method" else node.target
        return self.builder.each(frames, lambda x: target(x, *arguments[1:], **named))

    def _meet(self, function: Callable[..., Tensor], arguments: list[Any], named: Any) -> Frames:
        branches = [one for one in arguments if isinstance(one, Frames)]
        if (
            named
            or len(arguments) != 2
            or not all(isinstance(one, Frames) or _constant(one) for one in arguments)
        ):
            self.builder.refuse(UNKNOWN)
        if len(branches) == 2:
            return self.builder.meet(function, branches)
        first, second = arguments
        if isinstance(first, Frames):
            return self.builder.each(first, lambda x: function(x, second))
        return self.builder.each(second, lambda x: function(torch.as_tensor(first).to(x), x))

    def _concatenate(self, tensors: Any, dim: int = 0) -> Frames:
        branches = [self.values[one] for one in tensors if one in self.values]
        if len(branches) != len(tensors):
            self.builder.refuse(UNKNOWN)
        for one in branches:
            self.builder.require_channels(one, dim)
        return self.builder.meet(lambda *parts: torch.cat(parts, dim=1), branches)

    def _convolve(
        self,
        frames: Frames,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Frames:
        model = self.model
        found = attribute(model, weight)
        if found is None or (bias is not None and attribute(model, bias) is None):
            self.builder.refuse("its weights are computed on the way; parameters stream")
        return self.builder.convolution(
            frames,
            span_of(found.shape[-1], stride, padding, dilation),
            lambda: (attribute(model, weight), attribute(model, bias)),
            groups,
        )

    def _pad(
        self, frames: Frames, pad: Any, mode: str = "constant", value: float | None = None
    ) -> Frames:
        if mode != "constant" or len(pad) != 2:
            self.builder.refuse("of all paddings a constant before and after in time streams")
        left, right = pad
        return self.builder.pad(frames, left, right, value or 0.0)

    def _slice(self, frames: Frames, index: Any) -> Frames:
        fits = "of all slices x[:, :, a:-b] streams, which crops both ends"
        *others, last = index if isinstance(index, tuple) else (index,)
        if others not in ([...], [slice(None), slice(None)]) or not isinstance(last, slice):
            self.builder.refuse(fits)
        left, right = last.start or 0, last.stop or 0
        numbers = isinstance(left, int) and isinstance(right, int)
        if not numbers or left < 0 or right > 0 or last.step not in (None, 1):
            self.builder.refuse(fits)
        same = [node for node, one in self.values.items() if one.place == frames.place]
        alone = sum(len(node.users) for node in same) == len(same)
        if left == 0 and alone and frames.padding is None:
            shorter = self.builder.unpadded(frames, -right)
            if shorter is not None:
                return shorter
        return self.builder.pad(frames, -left, right)

    def _transpose(self, frames: Frames, first: int, second: int) -> Frames:
        if {first % 3, second % 3} != {1, 2}:
            self.builder.refuse("only channels and time may change places")
        return self.builder.transpose(frames)

    def _permute(self, frames: Frames, *axes: Any) -> Frames:
        order = tuple(axes[0]) if isinstance(axes[0], tuple | list) else axes
        if tuple(axis % 3 for axis in order) != (0, 2, 1):
            self.builder.refuse("only channels and time may change places")
        return self.builder.transpose(frames)

    def _mean(self, frames: Frames, dim: Any = None, keepdim: bool = False) -> Frames:
        if frames.averaged or single(dim) not in TIME_AXES[frames.layout]:
            self.builder.refuse(f"dim={dim} is not time; a mean over time streams, as it runs")
        return self.builder.mean(frames, keepdim)

    def _flatten(self, frames: Frames, start_dim: int = 0, end_dim: int = -1) -> Frames:
        if start_dim != 1 or end_dim not in (-1, 2):
            self.builder.refuse(UNKNOWN)
        return self.builder.flatten(frames)

    def _squeeze(self, frames: Frames, dim: int | None = None) -> Frames:
        if dim not in (-1, 2):
            self.builder.refuse(UNKNOWN)
        return self.builder.flatten(frames)

    def _softmax(self, frames: Frames, dim: int | None = None, **_: Any) -> Frames:
        return self.builder.channels(frames, nn.Softmax(1), dim)

    def _log_softmax(self, frames: Frames, dim: int | None = None, **_: Any) -> Frames:
        return self.builder.channels(frames, nn.LogSoftmax(1), dim)

    def _dropout(self, frames: Frames, p: float = 0.5, training: Any = True, **_: Any) -> Frames:
        return dropout(self.builder, frames, training)

    def _size(self, frames: Frames, *_: Any, **__: Any) -> Frames:
        self.builder.refuse("a stream has no size of its own to ask for; take numbers")


SPECIAL: dict[str, Callable[..., Frames]] = {
    "conv1d": Calls._convolve,
    "pad": Calls._pad,
    "getitem": Calls._slice,
    "transpose": Calls._transpose,
    "swapaxes": Calls._transpose,
    "permute": Calls._permute,
    "mean": Calls._mean,
    "flatten": Calls._flatten,
    "squeeze": Calls._squeeze,
    "softmax": Calls._softmax,
    "log_softmax": Calls._log_softmax,
    "dropout": Calls._dropout,
    "getattr": Calls._size,
    "size": Calls._size,
}


def attribute(model: nn.Module, node: Any) -> Any:
    """Look up a parameter that a graph reads."""
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        return None
    return reduce(getattr, str(node.target).split("."), model)


def _constant(value: object) -> bool:
    return value is None or isinstance(value, int | float | str)
