"""Which modules count as layers, how they are watched, and how a network is run without a trace.

A layer is a module that holds a weight of two or more axes itself: linear and convolutional ones,
embeddings, recurrent ones, attention, and anyone's own. What only scales or shifts (norms), bends
(activations) or arranges (blocks) is not; its effect shows at the layers around it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.parametrize import is_parametrized

from penchant.errors import PenchantError

_HOLDERS = (nn.ParameterList, nn.ParameterDict)


def find_layers(network: nn.Module, caller: str) -> dict[str, nn.Module]:
    """Find the layers of a network.

    Args:
        network: any module.
        caller: who asks, for the error's beginning.

    Returns:
        Dotted names and modules, in the order of `named_modules`.

    Raises:
        PenchantError: there are none, they have no shape yet, or the network is scripted.
    """
    if not isinstance(network, nn.Module):
        raise PenchantError(f"{caller}({type(network).__name__}): a torch.nn.Module would fit")
    if isinstance(network, torch.jit.ScriptModule):
        raise PenchantError(
            f"{caller}: {type(network).__name__} is scripted, so that nothing sees its layers run; "
            "give it the module that was scripted"
        )
    found: dict[str, nn.Module] = {}
    within: list[str] = []
    for path, module in network.named_modules():
        if isinstance(module, _HOLDERS) or any(path.startswith(scripted) for scripted in within):
            continue
        if isinstance(module, torch.jit.ScriptModule):  # runs as one
            within.append(f"{path}.")
        if "parametrizations" not in path.split("."):
            own = own_parameters(module)
            unshaped = [name for name, p in own.items() if isinstance(p, UninitializedParameter)]
            if unshaped:
                raise PenchantError(
                    f"{caller}: {plain_name(path)}.{unshaped[0]} has no shape yet; run the network "
                    "once first"
                )
            if any(p.ndim > 1 for p in own.values()):
                found[plain_name(path) or type(module).__name__] = module
    if not found:
        raise PenchantError(
            f"{caller}: {type(network).__name__} has no layer: a module with a weight of two or "
            "more axes"
        )
    return found


def own_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Name the parameters that a module holds itself, under a parametrization or in a list too."""
    if isinstance(module, torch.jit.ScriptModule):
        return dict(module.named_parameters())
    own = dict(module.named_parameters(recurse=False))
    for name, child in module.named_children():
        if isinstance(child, _HOLDERS) or (name == "parametrizations" and is_parametrized(module)):
            own |= {f"{name}.{inner}": p for inner, p in child.named_parameters()}
    return own


def plain_name(path: str) -> str:
    """Leave out what torch.compile puts into a dotted name."""
    return ".".join(part for part in path.split(".") if part != "_orig_mod")


def tensors_in(held: Any) -> list[Tensor]:
    """List the tensors of real or complex numbers in an output of any structure, each once."""
    if isinstance(held, Tensor):
        return [held] if held.is_floating_point() or held.is_complex() else []
    if isinstance(held, dict):  # transformers' ModelOutput is one, and torch's trees stop at it
        held = tuple(held.values())
    elif is_dataclass(held):
        held = tuple(vars(held).values())
    if not isinstance(held, tuple | list):
        return []
    return list({id(one): one for inner in held for one in tensors_in(inner)}.values())


@contextmanager
def eagerly() -> Iterator[None]:
    """Have compiled networks run as plain Python, since compiled code calls no hook."""
    import sys

    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and importing it takes seconds
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


@contextmanager
def hooked(
    layers: dict[str, nn.Module], seen: Callable[[str, nn.Module, Any], None]
) -> Iterator[None]:
    """Call `seen(name, module, output)` behind each layer, and take the hooks off again."""
    handles = []
    try:
        for name, layer in layers.items():

            def hook(module: nn.Module, _: Any, output: Any, name: str = name) -> None:
                seen(name, module, output)

            handles.append(layer.register_forward_hook(hook))
        with eagerly():
            yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def without_trace(network: nn.Module) -> Iterator[Callable[[Any], Any]]:
    """Give a forward that writes into copies of the buffers and draws from a forked stream.

    Each `with` starts from the same place in the stream, so that two passes meet the same dropout.
    """
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    devices = {p.device for p in network.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)):
        yield lambda inputs: functional_call(network, buffers, (inputs,))
