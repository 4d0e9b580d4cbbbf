"""One forward pass, watched: which module is at work, and which functions its forward calls.

Decisions:
- Modules are seen by hooks that are taken off again, functions by a function mode. Inside torch's
  own functions the mode is off, so `nn.ReLU` and the `F.relu` in it are one call.
- The network is left as it was: buffers are copies for the time of the pass, no parameter gets a
  gradient, torch's random stream is put back, and the mode (training or not) is the user's.
- A call is named by the innermost module whose forward makes it. Names go along the way in which
  modules are called, so that one module used in two places has two names.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from penchant.errors import PenchantError


@dataclass(eq=False)
class Frame:
    """A module at work.

    Args:
        path: its dotted name.
        module: the module.
        turn: which call of it in its caller's forward, from 1.
        turns: how often each function or module was called in this forward so far.
    """

    path: str
    module: nn.Module
    turn: int
    turns: Counter[object] = field(default_factory=Counter)


class Pass(TorchFunctionMode):
    """A forward pass whose calls a subclass sees, and may answer itself.

    Args:
        network: the network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.frames: list[Frame] = []
        self._names: dict[int, list[str]] = {}
        for name, module in network.named_modules(remove_duplicate=False):
            self._names.setdefault(id(module), []).append(name)

    def run(self, inputs: Tensor) -> Any:
        """Run the network on inputs and return what it answers."""
        buffers = {name: buffer.clone() for name, buffer in self.network.named_buffers()}
        with ExitStack() as stack:
            stack.enter_context(kept_stream(self.network))
            stack.enter_context(slow_attention())
            stack.enter_context(self._hooks())
            stack.enter_context(self)
            return functional_call(self.network, buffers, (inputs,))

    def enter(self, frame: Frame, inputs: tuple[Any, ...]) -> None:
        """A module is called."""

    def leave(self, frame: Frame, inputs: tuple[Any, ...], output: Any) -> None:
        """A module has answered."""

    def function(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """A function is called; what is returned here is its answer."""
        return func(*args, **kwargs)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if not self.frames or name == "__set__":
            return func(*args, **(kwargs or {}))
        if name == "__iter__":  # the tensors in it would come into the world unseen
            return iter(self.function("unbind", torch.unbind, args, {}))
        return self.function(name.removeprefix("special_"), func, args, kwargs or {})

    @contextmanager
    def _hooks(self) -> Iterator[None]:
        handles = []
        for module in {id(one): one for one in self.network.modules()}.values():
            handles.append(module.register_forward_pre_hook(self._enter))
            handles.append(module.register_forward_hook(self._leave))
        try:
            yield
        finally:
            self.frames.clear()
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        turn = 1
        if self.frames:
            self.frames[-1].turns[id(module)] += 1
            turn = self.frames[-1].turns[id(module)]
        frame = Frame(self._name(module), module, turn)
        self.frames.append(frame)
        with torch._C.DisableTorchFunction():  # what is computed to look is no call of the network
            self.enter(frame, inputs)

    def _leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        while self.frames:  # a forward that failed and was caught has left its frame behind
            frame = self.frames.pop()
            if frame.module is module:
                with torch._C.DisableTorchFunction():
                    self.leave(frame, inputs, output)
                return

    def _name(self, module: nn.Module) -> str:
        names = self._names[id(module)]
        above = f"{self.frames[-1].path}." if self.frames and self.frames[-1].path else ""
        return next((name for name in names if name.startswith(above)), names[0])


def numbered(name: str, turn: int) -> str:
    """Name a call: the second is ``name#2``.

    Example:
        >>> numbered("body.relu", 1), numbered("body.relu", 2)
        ('body.relu', 'body.relu#2')
    """
    return name if turn == 1 else f"{name}#{turn}"


def distinct(names: Iterable[str]) -> list[str]:
    """Number names that come more than once.

    Example:
        >>> distinct(["layer.0", "layer.0", "layer.1"])
        ['layer.0', 'layer.0#2', 'layer.1']
    """
    turns: Counter[str] = Counter()
    found = []
    for name in names:
        turns[name] += 1
        found.append(numbered(name, turns[name]))
    return found


def tensors(held: Any) -> list[Tensor]:
    """Return the tensors in a nest of tuples, lists and mappings, in order."""
    return [one for one in tree_leaves(held) if isinstance(one, Tensor)]


@contextmanager
def kept_stream(network: nn.Module) -> Iterator[None]:
    """Put torch's random stream back where it was."""
    devices = {p.device for p in network.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=sorted(d.index for d in devices)):
        yield


@contextmanager
def slow_attention() -> Iterator[None]:
    """Keep torch from its fused transformer layer, in which no call can be seen."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def check_network(call: str, network: object) -> None:
    """Refuse what is no network that can run.

    Args:
        call: the user's call, for the message.
        network: what was given.

    Raises:
        PenchantError: not a module, or one of TorchScript, or one whose layers have no size yet.
    """
    if not isinstance(network, nn.Module):
        raise PenchantError(
            f"{call}: the network is a {type(network).__name__}; a torch.nn.Module would fit"
        )
    for path, module in network.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise PenchantError(
                f"{call}: {path or 'the network'} is a {type(module).__name__}, which cannot be "
                "looked into; give the torch.nn.Module that it was made from"
            )
    for name, parameter in network.named_parameters():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise PenchantError(
                f"{call}: parameter {name!r} has no shape yet; run the network once on a batch"
            )


def check_inputs(call: str, inputs: object) -> Tensor:
    """Refuse what is no batch.

    Args:
        call: the user's call and argument, for the message.
        inputs: what was given.

    Returns:
        The batch.

    Raises:
        PenchantError: not a tensor, without samples, or not finite.
    """
    if not isinstance(inputs, Tensor):
        raise PenchantError(
            f"{call}: a batch is a {type(inputs).__name__}; a tensor of samples would fit"
        )
    if inputs.ndim == 0 or inputs.numel() == 0:
        raise PenchantError(
            f"{call}: a batch has shape {tuple(inputs.shape)}; at least 1 sample would fit"
        )
    wrong = int((~inputs.isfinite()).sum())
    if wrong:
        raise PenchantError(
            f"{call}: {wrong:,} of {inputs.numel():,} numbers in a batch of shape "
            f"{tuple(inputs.shape)} are nan or infinite; finite ones would fit"
        )
    return inputs


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Set rows of text under heads: the first column to the left, the others to the right.

    Example:
        >>> print(table(("layer", "dead"), [("hidden.0", "0%"), ("out", "100%")]))
        layer     dead
        hidden.0    0%
        out       100%
    """
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
