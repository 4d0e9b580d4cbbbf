"""From a network to the stages that stream it: what each operation is along time.

torch.fx writes down what `forward` does; every operation on the way is then a window, a function
of each frame alone, a meeting of branches or a mean over time, or the network is refused.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from penchant.errors import PenchantError
from penchant.nn._activation import Activation
from penchant.nn._stream_stages import (
    Each,
    HoldBack,
    Join,
    Operation,
    Pointwise,
    RunningMean,
    Span,
    Stage,
    Timing,
    Window,
)

ELEMENTWISE_MODULES = (
    Activation, nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU,
    nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardshrink,
    nn.Tanhshrink, nn.Threshold, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.LogSigmoid,
)  # fmt: skip
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.RReLU)
ELEMENTWISE_FUNCTIONS = frozenset(
    "abs cos celu clamp contiguous elu erf exp expm1 gelu hardsigmoid hardswish hardtanh "
    "leaky_relu log log1p logsigmoid mish mul_ add_ neg pow reciprocal relu relu6 relu_ rsqrt selu "
    "sigmoid silu sin sinc softplus softsign sqrt square tanh tanhshrink".split()
)
MEETINGS: dict[str, Callable[..., Tensor]] = {
    "add": torch.add, "iadd": torch.add, "sub": torch.sub, "isub": torch.sub, "mul": torch.mul,
    "imul": torch.mul, "truediv": torch.div, "div": torch.div, "maximum": torch.maximum,
    "minimum": torch.minimum,
}  # fmt: skip
WHOLE = "it looks at the whole recording, of which a stream has heard only a part"
UNKNOWN = "stream does not know what it does along time"


@dataclass(frozen=True)
class Frames:
    """A value on the way: where it comes from, and how the network itself lays it out.

    A layout is "time" for (batch, channels, time), "channels" for (batch, time, channels) and
    "mean" for (batch, channels) after a mean over time. Stages always see the first of them.
    """

    place: int
    timing: Timing
    blank: Tensor
    layout: str = "time"
    averaged: bool = False
    padding: Span | None = None


@dataclass
class Plan:
    """The stages in order, each with the places of its inputs; place 0 is what is heard."""

    stages: list[Stage] = field(default_factory=list)
    sources: list[tuple[int, ...]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    result: Frames = field(init=False)

    def add(self, path: str, stage: Stage, *sources: Frames) -> Frames:
        """Put a stage behind its inputs; return its frames."""
        self.stages.append(stage)
        self.sources.append(tuple(source.place for source in sources))
        self.paths.append(path)
        return replace(
            sources[0],
            place=len(self.stages),
            timing=stage.timing,
            blank=stage.blank,
            padding=None,
        )


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, nn.Sequential | nn.ModuleList):
            return False
        own_forward = type(m).forward.__module__.startswith("torch.nn")
        return isinstance(m, Activation) or own_forward


def plan(model: nn.Module, channels: int | None) -> tuple[Plan, Tensor]:
    """Lay a network out as stages.

    Args:
        model: the network.
        channels: what it hears; read off its first layer when not given.

    Returns:
        The plan, and the input without frames, of shape (1, channels, 0).

    Raises:
        PenchantError: a layer cannot be streamed.
    """
    tracer = _Tracer()
    if tracer.is_leaf_module(model, ""):
        model = nn.Sequential(model)
    try:
        graph = tracer.trace(model)
    except (fx.proxy.TraceError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise PenchantError(
            f"stream({type(model).__name__}): its forward cannot be traced ({reason}); a forward "
            "whose path does not depend on its input can"
        ) from error
    heard = _input_channels(model, graph) if channels is None else channels
    tensors = [*model.parameters(), *model.buffers()]
    floating = [one for one in tensors if one.is_floating_point()]
    blank = floating[0].new_empty(1, heard, 0) if floating else torch.empty(1, heard, 0)
    return _Builder(model, graph, blank.detach()).build(), blank.detach()


def _input_channels(model: nn.Module, graph: fx.Graph) -> int:
    for node in graph.nodes:
        if node.op == "call_module":
            layer = model.get_submodule(node.target)
            for name in ("in_channels", "num_features", "in_features"):
                if hasattr(layer, name):
                    return int(getattr(layer, name))
        if node.op == "call_function" and node.target is torch.conv1d:
            return int(_attribute(model, node.args[1]).shape[1]) * int(_groups(node))
    raise PenchantError(
        f"stream({type(model).__name__}): no layer says how many channels it hears; say "
        "channels=, for example stream(model, channels=1)"
    )


def _groups(node: fx.Node) -> Any:
    return node.args[6] if len(node.args) > 6 else node.kwargs.get("groups", 1)


def _attribute(model: nn.Module, node: Any) -> Any:
    if not isinstance(node, fx.Node):
        return node
    return operator.attrgetter(str(node.target))(model) if node.op == "get_attr" else None


class _Builder:
    def __init__(self, model: nn.Module, graph: fx.Graph, blank: Tensor) -> None:
        self.model = model
        self.graph = graph
        self.plan = Plan()
        self.values: dict[fx.Node, Frames] = {}
        self.blank = blank
        self.path = ""
        self.kind = ""

    def build(self) -> Plan:
        for node in self.graph.nodes:
            self.node = node
            self._name(node)
            if node.op == "placeholder":
                if self.values:
                    self.refuse("it takes a second input; a stream takes one")
                self.values[node] = Frames(0, Timing(), self.blank)
            elif node.op == "call_module":
                self.values[node] = self._checked(self._module, node)
            elif node.op in ("call_function", "call_method"):
                self.values[node] = self._checked(self._function, node)
            elif node.op == "output":
                result = node.args[0]
                if not isinstance(result, fx.Node) or result not in self.values:
                    self.refuse("it returns something else than one tensor of frames")
                frames = self.settled(self.values[result])
                self.plan.result = frames
        return self.plan

    def _name(self, node: fx.Node) -> None:
        if node.op == "call_module":
            self.path = str(node.target)
            self.kind = type(self.model.get_submodule(self.path)).__name__
        else:
            stack = node.meta.get("nn_module_stack") or {"": None}
            self.path = f"{next(reversed(stack))}.{node.name}".lstrip(".")
            target = node.target
            self.kind = target if isinstance(target, str) else getattr(target, "__name__", "")

    def refuse(self, why: str) -> NoReturn:
        raise PenchantError(f"stream: {self.path} ({self.kind}): {why}")

    def _checked(self, build: Callable[[fx.Node], Frames], node: fx.Node) -> Frames:
        try:
            return build(node)
        except (RuntimeError, IndexError) as error:
            self.refuse(str(error).splitlines()[0])

    # What the operations are made of.

    def settled(self, frames: Frames) -> Frames:
        """Pad where padding is asked for and no window has taken it up."""
        span = frames.padding
        if span is None:
            return frames
        frames = replace(frames, padding=None)
        if span.left or span.right > 0:
            taken = replace(span, right=max(0, span.right))
            stage = Window(_every, taken, frames.timing, frames.blank, frames.blank)
            frames = self.plan.add(self.path, stage, frames)
        if span.right < 0:
            stage = HoldBack(-span.right, frames.timing, frames.blank)
            frames = self.plan.add(self.path, stage, frames)
        return frames

    def each(self, frames: Frames, function: Pointwise) -> Frames:
        """Add a function of each frame alone."""
        frames = self.settled(frames)
        with torch.no_grad():
            blank = function(frames.blank.new_zeros(1, frames.blank.shape[1], 1))
        if blank.shape[-1] != 1 or blank.ndim != 3:
            self.refuse(UNKNOWN)
        return self.plan.add(self.path, Each(function, frames.timing, blank[..., :0]), frames)

    def across(self, frames: Frames, function: Pointwise) -> Frames:
        """Add a function of the last axis, where that is channels."""
        return self.each(frames, lambda x: function(x.transpose(1, 2)).transpose(1, 2))

    def window(self, frames: Frames, span: Span, operation: Operation) -> Frames:
        """Add a window operation, with the padding before it where one value serves for both."""
        if frames.layout != "time" or frames.averaged:
            self.refuse(
                "it needs (batch, channels, time); behind a mean over time or a transpose, "
                "only layers that look at one frame stream"
            )
        before = frames.padding
        padded = span.left or span.right
        if (
            before is not None
            and min(before.left, before.right) >= 0
            and (not padded or before.value == span.value)
        ):
            frames = replace(frames, padding=None)
            left, right = span.left + before.left, span.right + before.right
            span = replace(span, left=left, right=right, value=before.value)
        frames = self.settled(frames)
        with torch.no_grad():
            taps = frames.blank.new_zeros(1, frames.blank.shape[1], span.kernel)
            blank = operation(taps, 1, 1)[..., :0]
        stage = Window(operation, span, frames.timing, frames.blank, blank)
        return self.plan.add(self.path, stage, frames)

    def convolve(
        self, frames: Frames, span: Span, weights: Callable[[], Any], groups: int
    ) -> Frames:
        """Add a convolution; its weights are looked up at each step."""

        def operation(x: Tensor, stride: int, dilation: int) -> Tensor:
            weight, bias = weights()
            return F.conv1d(x, weight, bias, stride, 0, dilation, groups)

        return self.window(frames, span, operation)

    def mean(self, frames: Frames, keep: bool) -> Frames:
        """Add the mean over time, as it runs."""
        frames = self.settled(frames)
        stage = RunningMean(frames.timing, frames.blank)
        frames = self.plan.add(self.path, stage, frames)
        return replace(frames, averaged=True, layout=frames.layout if keep else "mean")

    def meet(self, function: Callable[..., Tensor], branches: Sequence[Frames]) -> Frames:
        """Add a function of several branches."""
        branches = [self.settled(one) for one in branches]
        first = branches[0]
        for one in branches[1:]:
            if one.layout != first.layout or one.averaged != first.averaged:
                self.refuse("its branches are laid out differently")
            if one.timing.stride != first.timing.stride:
                self.refuse(
                    f"its branches have a frame every {first.timing.stride} and every "
                    f"{one.timing.stride} samples; equal strides fit"
                )
            lengths = list(zip(first.timing.lengths, one.timing.lengths, strict=True))
            if all(a != b for a, b in lengths):
                self.refuse(
                    f"its branches differ in length by {abs(lengths[0][0] - lengths[0][1])} "
                    "frames; pad or crop one of them"
                )
        with torch.no_grad():
            stage = Join(function, [b.timing for b in branches], [b.blank for b in branches])
        return self.plan.add(self.path, stage, *branches)

    # What the layers are.

    def _module(self, node: fx.Node) -> Frames:
        layer = self.model.get_submodule(str(node.target))
        if len(node.args) != 1 or node.kwargs or node.args[0] not in self.values:
            self.refuse("it takes more than one tensor of frames")
        frames = self.values[node.args[0]]
        if isinstance(layer, ELEMENTWISE_MODULES):
            return self.each(frames, layer)
        if isinstance(layer, DROPOUTS):
            if layer.training:
                self.refuse("it draws at random in training; call model.eval() first")
            return self.each(frames, layer) if isinstance(layer, nn.RReLU) else frames
        if isinstance(layer, nn.Conv1d):
            return self._convolution(layer, frames)
        if isinstance(layer, nn.MaxPool1d | nn.AvgPool1d):
            return self._pooling(layer, frames)
        if isinstance(layer, nn.ConstantPad1d):
            return self._padded(frames, layer.padding, layer.value)
        if isinstance(layer, nn.BatchNorm1d):
            return self._batch_norm(layer, frames)
        if isinstance(layer, nn.AdaptiveAvgPool1d):
            if layer.output_size not in (1, (1,)):
                self.refuse(f"{WHOLE}; a size of 1 streams as a running mean")
            return self.mean(self._in_time(frames), keep=True)
        if isinstance(layer, nn.Linear | nn.LayerNorm | nn.RMSNorm):
            return self._last_axis(layer, frames)
        if isinstance(layer, nn.Flatten):
            return self._flattened(frames, layer.start_dim, layer.end_dim)
        if isinstance(layer, nn.Softmax | nn.LogSoftmax | nn.Softmin):
            return self._soft(type(layer)(1), layer.dim, frames)
        if isinstance(layer, nn.GLU):
            return self._soft(nn.GLU(1), layer.dim, frames)
        if isinstance(layer, nn.PReLU) and (frames.layout != "channels"):
            return self.each(frames, layer)
        return self._refused(layer)

    def _refused(self, layer: nn.Module) -> NoReturn:
        if isinstance(layer, nn.RNNBase):
            back = layer.bidirectional
            self.refuse(WHOLE if back else "recurrent layers are not streamed here")
        if isinstance(layer, nn.InstanceNorm1d | nn.GroupNorm):
            self.refuse(f"it normalises over time: {WHOLE}; BatchNorm1d streams")
        if isinstance(layer, nn.AdaptiveMaxPool1d | nn.MultiheadAttention):
            self.refuse(WHOLE)
        if isinstance(layer, nn.ReflectionPad1d | nn.CircularPad1d | nn.ReplicationPad1d):
            self.refuse("it pads with what is heard elsewhere; zeros or a constant stream")
        self.refuse(UNKNOWN)

    def _in_time(self, frames: Frames) -> Frames:
        if frames.layout != "time" or frames.averaged:
            self.refuse("it needs (batch, channels, time)")
        return frames

    def _convolution(self, layer: nn.Conv1d, frames: Frames) -> Frames:
        if layer.padding_mode != "zeros" and layer.padding not in ("valid", (0,)):
            self.refuse(f"padding_mode={layer.padding_mode!r} is not streamed; zeros are")
        kernel, dilation = layer.kernel_size[0], layer.dilation[0]
        span = _span(kernel, layer.stride[0], layer.padding, dilation)
        return self.convolve(frames, span, lambda: (layer.weight, layer.bias), layer.groups)

    def _pooling(self, layer: nn.MaxPool1d | nn.AvgPool1d, frames: Frames) -> Frames:
        if layer.ceil_mode:
            self.refuse("ceil_mode=True is not streamed; False is")
        kernel, stride, padding = (
            _one(size) for size in (layer.kernel_size, layer.stride, layer.padding)
        )
        if isinstance(layer, nn.MaxPool1d):
            if layer.return_indices:
                self.refuse("return_indices=True is not streamed; False is")
            span = _span(kernel, stride, padding, _one(layer.dilation), float("-inf"))
            return self.window(frames, span, lambda x, s, d: F.max_pool1d(x, kernel, s, 0, d))
        if padding and not layer.count_include_pad:
            self.refuse("count_include_pad=False is not streamed with padding; True is")
        span = _span(kernel, stride, padding, 1)
        return self.window(frames, span, lambda x, s, _: F.avg_pool1d(x, kernel, s))

    def _padded(self, frames: Frames, sides: Any, value: float) -> Frames:
        left, right = sides
        frames = self.settled(self._in_time(frames))
        return replace(frames, padding=Span(left=left, right=right, value=value))

    def _batch_norm(self, layer: nn.BatchNorm1d, frames: Frames) -> Frames:
        if layer.training or layer.running_mean is None:
            self.refuse("it normalises by the batch at hand; call model.eval() first")
        if frames.layout == "channels":
            self.refuse("it would take time for channels")
        return self.each(frames, layer)

    def _last_axis(self, layer: nn.Linear | nn.LayerNorm | nn.RMSNorm, frames: Frames) -> Frames:
        if frames.layout == "time":
            hint = (
                "Conv1d(in, out, 1) streams"
                if isinstance(layer, nn.Linear)
                else ("between two transposes it looks at channels, and streams")
            )
            self.refuse(f"its last axis is time: {WHOLE}; {hint}")
        if not isinstance(layer, nn.Linear) and len(layer.normalized_shape) > 1:
            self.refuse(f"it normalises over time: {WHOLE}")
        return self.across(frames, layer)

    def _flattened(self, frames: Frames, start: int, end: int) -> Frames:
        if frames.layout != "time" or not frames.averaged or start != 1 or end not in (-1, 2):
            self.refuse(f"it makes time and channels one axis: {WHOLE}")
        return replace(self.settled(frames), layout="mean")

    def _soft(self, layer: nn.Module, axis: int | None, frames: Frames) -> Frames:
        fits = {"time": (1, -2), "channels": (2, -1), "mean": (1, -1)}[frames.layout]
        if axis not in fits:
            self.refuse(f"dim={axis} is not channels, which are dim={fits[0]} here")
        return self.each(frames, layer)

    # What the functions are.

    def _function(self, node: fx.Node) -> Frames:
        name = self.kind
        if name == "getattr":
            self.refuse("a forward that asks for sizes is not streamed")
        inputs = [one for one in node.all_input_nodes if one in self.values]
        if name in ("cat", "concat", "concatenate"):
            return self._concatenated(node)
        if name in MEETINGS and len(inputs) == 2 and len(node.args) == 2 and not node.kwargs:
            return self.meet(MEETINGS[name], [self.values[one] for one in node.args])
        if len(inputs) != 1 or inputs[0] is not (node.args or (None,))[0]:
            return self._constant_first(node, inputs)
        frames = self.values[inputs[0]]
        rest, named = node.args[1:], dict(node.kwargs)
        special = getattr(self, f"_call_{name}", None)
        if special is not None:
            return special(frames, *rest, **named)
        return self._elementwise(node, frames)

    def _elementwise(self, node: fx.Node, frames: Frames) -> Frames:
        rest, named = node.args[1:], dict(node.kwargs)
        scalars = all(isinstance(one, int | float | bool | str | None) for one in rest)
        if not scalars or self.kind not in ELEMENTWISE_FUNCTIONS | MEETINGS.keys():
            self.refuse(UNKNOWN)
        named.pop("inplace", None)
        if node.op == "call_method":
            method = self.kind.rstrip("_")
            return self.each(frames, lambda x: getattr(x, method)(*rest, **named))
        target: Any = MEETINGS.get(self.kind, node.target)
        return self.each(frames, lambda x: target(x, *rest, **named))

    def _constant_first(self, node: fx.Node, inputs: list[fx.Node]) -> Frames:
        simple = len(node.args) == 2 and isinstance(node.args[0], int | float)
        if len(inputs) != 1 or self.kind not in MEETINGS or not simple:
            self.refuse(UNKNOWN)
        target: Any = node.target
        constant = node.args[0]
        return self.each(self.values[inputs[0]], lambda x: target(constant, x))

    def _concatenated(self, node: fx.Node) -> Frames:
        parts: Any = node.args[0]
        axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        branches = [self.values[one] for one in parts]
        fits = {"time": (1, -2), "channels": (2, -1), "mean": (1, -1)}[branches[0].layout]
        if axis not in fits:
            self.refuse(f"dim={axis} is not channels, which are dim={fits[0]} here")
        return self.meet(lambda *parts: torch.cat(parts, dim=1), branches)

    def _call_conv1d(
        self,
        frames: Frames,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Frames:
        found = _attribute(self.model, weight)
        if found is None:
            self.refuse("its weights are computed on the way; a parameter's stream")
        span = _span(int(found.shape[-1]), _one(stride), padding, _one(dilation))
        model = self.model
        weights = lambda: (_attribute(model, weight), _attribute(model, bias))  # noqa: E731
        return self.convolve(frames, span, weights, groups)

    def _call_pad(
        self, frames: Frames, pad: Any, mode: str = "constant", value: float | None = None
    ) -> Frames:
        if mode != "constant" or len(pad) != 2:
            self.refuse(f"mode={mode!r} of {len(pad)} sides is not streamed; a constant in time is")
        return self._padded(frames, pad, value or 0.0)

    def _call_getitem(self, frames: Frames, index: Any) -> Frames:
        *others, last = index if isinstance(index, tuple) else (index,)
        everything = others in ([...], [slice(None), slice(None)])
        if not everything or not isinstance(last, slice) or last.step not in (None, 1):
            self.refuse("of all slices only x[:, :, a:-b] streams")
        left, right = last.start or 0, last.stop or 0
        if left < 0 or right > 0 or isinstance(left, fx.Node) or isinstance(right, fx.Node):
            self.refuse("it counts from the recording's other end: only x[:, :, a:-b] streams")
        stage = self.plan.stages[frames.place - 1] if frames.place else None
        owed = stage.span.right if isinstance(stage, Window) and stage.span.stride == 1 else 0
        alone = sum(len(n.users) for n, v in self.values.items() if v.place == frames.place) == 1
        if left == 0 and right < 0 <= owed + right and alone and frames.padding is None:
            assert isinstance(stage, Window)
            kept = replace(stage.span, right=owed + right)
            shorter = Window(stage.operation, kept, stage.sources[0], stage.taken, stage.blank)
            self.plan.stages[frames.place - 1] = shorter
            return replace(frames, timing=shorter.timing)
        return self._padded(frames, (-left, right), 0.0)

    def _call_transpose(self, frames: Frames, a: int, b: int) -> Frames:
        if {a % 3, b % 3} != {1, 2} or frames.layout == "mean":
            self.refuse("only channels and time may change places")
        frames = self.settled(frames)
        return replace(frames, layout="channels" if frames.layout == "time" else "time")

    _call_swapaxes = _call_transpose

    def _call_permute(self, frames: Frames, *axes: Any) -> Frames:
        order = tuple(axes[0]) if isinstance(axes[0], tuple | list) else axes
        if order != (0, 2, 1):
            self.refuse("only channels and time may change places")
        return self._call_transpose(frames, 1, 2)

    def _call_mean(self, frames: Frames, dim: Any = None, keepdim: bool = False) -> Frames:
        time = {"time": (-1, 2), "channels": (1, -2)}.get(frames.layout, ())
        if frames.averaged or _one(dim) not in time:
            self.refuse(f"dim={dim} is not time: only a mean over time streams, as it runs")
        return self.mean(frames, keepdim)

    def _call_flatten(self, frames: Frames, start_dim: int = 0, end_dim: int = -1) -> Frames:
        return self._flattened(frames, start_dim, end_dim)

    def _call_squeeze(self, frames: Frames, dim: int | None = None) -> Frames:
        if frames.layout != "time" or not frames.averaged or dim not in (-1, 2):
            self.refuse(UNKNOWN)
        return replace(self.settled(frames), layout="mean")

    def _call_softmax(self, frames: Frames, dim: int | None = None, **other: Any) -> Frames:
        return self._soft(nn.Softmax(1), dim, frames)

    def _call_log_softmax(self, frames: Frames, dim: int | None = None, **other: Any) -> Frames:
        return self._soft(nn.LogSoftmax(1), dim, frames)

    def _call_dropout(
        self, frames: Frames, p: float = 0.5, training: Any = True, **o: Any
    ) -> Frames:
        if training:
            self.refuse("it draws at random in training; call model.eval() first")
        return frames


def _every(x: Tensor, stride: int, dilation: int) -> Tensor:
    return x


def _one(size: Any) -> Any:
    return size[0] if isinstance(size, tuple | list) and len(size) == 1 else size


def _span(kernel: int, stride: int, padding: Any, dilation: int, value: float = 0.0) -> Span:
    reach = dilation * (kernel - 1)
    if padding == "same":
        left, right = reach // 2, reach - reach // 2
    else:
        left = right = 0 if padding == "valid" else _one(padding)
    return Span(kernel, stride, dilation, left, right, value)
