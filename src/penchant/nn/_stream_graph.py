"""From a network to the stages that stream it.

torch.fx writes down what `forward` does; every operation on the way is then a window, a function
of each frame alone, a meeting of branches or a mean over time, or the network is refused.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from penchant.errors import PenchantError
from penchant.nn._activation import Activation
from penchant.nn._stream_builder import Builder, Frames, Plan
from penchant.nn._stream_functions import Calls, attribute
from penchant.nn._stream_modules import add_module
from penchant.nn._stream_stages import Timing


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        # A subclass of a torch layer with a forward of its own is looked into.
        containers = nn.Sequential | nn.ModuleList
        torchs = type(m).forward.__module__.startswith("torch.nn") and not isinstance(m, containers)
        return torchs or isinstance(m, Activation)


@torch.no_grad()
def plan(model: nn.Module, channels: int | None) -> tuple[Plan, Tensor]:
    """Lay a network out as stages.

    Args:
        model: the network.
        channels: what it hears; read off its first layer when not given.

    Returns:
        The plan, and what is heard without frames, of shape (1, channels, 0).

    Raises:
        PenchantError: a layer cannot be streamed.
    """
    name = type(model).__name__
    tracer = _Tracer()
    if tracer.is_leaf_module(model, ""):
        model = nn.Sequential(model)
    try:
        graph = tracer.trace(model)
    except (fx.proxy.TraceError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise PenchantError(
            f"stream({name}): torch.fx cannot trace its forward ({reason}); one whose path does "
            "not depend on its input fits"
        ) from error
    heard = channels or _channels(model, graph)
    if heard is None:
        raise PenchantError(
            f"stream({name}): no layer says how many channels it hears; give them, for example "
            "stream(model, channels=1)"
        )
    tensors = [*model.parameters(), *model.buffers()]
    like = next((one for one in tensors if one.is_floating_point()), torch.empty(0))
    blank = like.detach().new_empty(1, heard, 0)
    return _build(model, graph, blank), blank


def _channels(model: nn.Module, graph: fx.Graph) -> int | None:
    for node in graph.nodes:
        if node.op == "call_module":
            layer = model.get_submodule(str(node.target))
            for name in ("in_channels", "num_features", "in_features"):
                if hasattr(layer, name):
                    return int(getattr(layer, name))
        if node.op == "call_function" and node.target is torch.conv1d:
            groups = node.args[6] if len(node.args) > 6 else node.kwargs.get("groups", 1)
            weight = attribute(model, node.args[1])
            return None if weight is None else int(weight.shape[1]) * int(groups)
    return None


def _build(model: nn.Module, graph: fx.Graph, blank: Tensor) -> Plan:
    builder = Builder()
    values: dict[fx.Node, Frames] = {}
    calls = Calls(builder, model, values)
    add: Callable[[fx.Node], Frames]
    for node in graph.nodes:
        builder.path, builder.kind = _name(model, node)
        if node.op == "placeholder":
            if values:
                builder.refuse("a second input; a network that hears one recording streams")
            values[node] = Frames(0, Timing(), blank)
        elif node.op == "output":
            builder.plan.result = _result(builder, values, node.args[0])
        elif node.op != "get_attr":
            add = _module_adder(builder, model, values) if node.op == "call_module" else calls.add
            try:
                values[node] = add(node)
            except (RuntimeError, IndexError, TypeError) as error:
                builder.refuse(str(error).splitlines()[0])
    return builder.plan


def _module_adder(
    builder: Builder, model: nn.Module, values: dict[fx.Node, Frames]
) -> Callable[[fx.Node], Frames]:
    def add(node: fx.Node) -> Frames:
        given = [values.get(one) for one in node.all_input_nodes]
        if len(node.args) != 1 or node.kwargs or len(given) != 1 or given[0] is None:
            builder.refuse("it takes something else than one tensor of frames")
        return add_module(builder, model.get_submodule(str(node.target)), given[0])

    return add


def _result(builder: Builder, values: dict[fx.Node, Frames], result: Any) -> Frames:
    frames = values.get(result) if isinstance(result, fx.Node) else None
    if frames is None:
        builder.refuse("the network returns something else than one tensor of frames")
    return builder.padded(frames)


def _name(model: nn.Module, node: fx.Node) -> tuple[str, str]:
    if node.op == "call_module":
        path = str(node.target)
        return path, type(model.get_submodule(path)).__name__
    inside = [path for path in node.meta.get("nn_module_stack", {}) if path]
    target = node.target
    kind = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    return inside[-1] if inside else "forward", kind
