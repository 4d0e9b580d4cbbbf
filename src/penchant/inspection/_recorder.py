"""What happens in one pass: which modules and functions are called, on what, at what cost.

Decisions:
- Multiply-adds are differences of one counter's total at the beginning and end of a call, so that
  a module that is called twice, or under two names, has each call's own.
- Functions are recorded as a module's forward calls them; inside torch's own functions nothing is.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from math import prod
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from penchant.errors import PenchantError
from penchant.inspection._conflict import ARITHMETIC, conflict
from penchant.inspection._formula import flattening, formula
from penchant.inspection._misfit import misfit
from penchant.inspection._words import Shape, counted, times

_NAMES = ("input", "query", "key", "value")
"""What torch's layers call the tensors that go in."""


@dataclass(eq=False)
class Event:
    """A call of a module, or of a function in a module's forward.

    Args:
        path: the module's path; for a function that of the module whose forward calls it.
        module: the module.
        kind: the module's class, or the function's name.
        function: whether it is a function.
        call: which call of the module, from 0.
        inputs: shapes of the tensors that go in.
        outputs: shapes of those that come out.
        formula: how the output's size comes about.
        flops: of all that happens in it.
        inside: the calls in it, in order.
        parameters: for a function, those that it takes.
        resizes: for a function, whether it makes another number of elements, by no view.
        joins: for a function, whether branches meet in it.
    """

    path: str
    module: nn.Module
    kind: str
    function: bool
    call: int
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...] = ()
    formula: str = ""
    flops: int = 0
    inside: list["Event"] = field(default_factory=list)
    parameters: tuple[nn.Parameter, ...] = ()
    resizes: bool = False
    joins: bool = False

    @property
    def leaf(self) -> bool:
        """Whether no module was called in it."""
        return all(event.function for event in self.inside)


@dataclass
class Trouble:
    """Where a pass ended.

    Args:
        path: the module in whose forward.
        kind: that module's class.
        function: what failed: "add gets 1×8 and 1×9, ..."; "" if that is not known.
        certain: whether it must fail on real numbers too.
    """

    path: str
    kind: str
    function: str
    certain: bool


class _NoModules(nullcontext[None]):
    parents = frozenset({"Global"})


class Recorder(TorchFunctionMode):
    """Records a pass.

    Args:
        model: a copy that may be given hooks.
        gradients: whether gradients can be taken in the pass.
    """

    def __init__(self, model: nn.Module, gradients: bool = False) -> None:
        super().__init__()
        self.model = model
        self.gradients = gradients
        self.counter = FlopCounterMode(display=False, custom_mapping=_more_flops())
        # Its own tracker of modules hooks tensors, and cannot bear gradients within a forward.
        self.counter.mod_tracker = cast(Any, _NoModules())
        self.events: list[Event] = []
        self.used: set[int] = set()
        self.notes: dict[str, None] = {}
        self.trouble: Trouble | None = None
        self._stack: list[Event] = []
        self._calls: dict[int, int] = {}
        self._flattened: dict[Shape, str] = {}

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the model, and record what happens.

        Args:
            args: its positional arguments.
            kwargs: its named arguments.

        Returns:
            What it returns.

        Raises:
            PenchantError: something does not fit into one of torch's layers.
        """
        with ExitStack() as stack:
            stack.enter_context(_hooks(self))
            stack.enter_context(_plain_kernels())
            stack.enter_context(torch.set_grad_enabled(self.gradients))
            stack.enter_context(self.counter)
            stack.enter_context(self)
            return self.model(*args, **kwargs)

    def enter(self, path: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Note that a module is called; refuse what does not fit."""
        call = self._calls.get(id(module), 0)
        self._calls[id(module)] = call + 1
        inputs = _shapes((args, kwargs))
        kind = type(module).__name__
        event = Event(path, module, kind, False, call, inputs, flops=-self._flops())
        (self._stack[-1].inside if self._stack else self.events).append(event)
        self._stack.append(event)
        with torch._C.DisableTorchFunction():
            named = [kwargs[name] for name in _NAMES if name in kwargs]
            said = misfit(module, (*args, *named), self.origin)
        if said:
            raise PenchantError(f"{path or 'the model'} is {said}{self._hint()}")
        if isinstance(module, _ConvNd) and inputs and len(inputs[0]) == len(module.kernel_size) + 1:
            self.notes[
                f"{path or kind} takes {times(inputs[0])} for one sample without a batch, of "
                f"{counted(inputs[0][0], 'channel')}"
            ] = None

    def leave(self, module: nn.Module, output: Any) -> None:
        """Note that a module has returned."""
        event = self._stack.pop()
        event.flops += self._flops()
        event.outputs = _shapes(output)
        event.kind = type(module).__name__  # a lazy one has become another
        if event.inputs and event.outputs:
            event.formula = formula(module, event.inputs[0], event.outputs[0])
            self._remember(event, event.path or event.kind)

    def origin(self, shape: Shape) -> str:
        """Say how a flattened shape came about."""
        return self._flattened.get(shape, "")

    def _hint(self) -> str:
        return "".join(f"; note: {note}" for note in self.notes)

    def _remember(self, event: Event, where: str) -> None:
        line = flattening(event.inputs[0], event.outputs[0])
        if line:
            self._flattened[event.outputs[0]] = f"{line}, flattened in {where}"

    def _flops(self) -> int:
        return int(self.counter.get_total_flops())

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.__name__ in ("__get__", "__set__"):  # a tensor's properties
            return func(*args, **kwargs)
        before = self._flops() if self._stack else 0
        name = _name(func)
        try:
            output = func(*args, **kwargs)
        except Exception:
            self._fail(name, args, kwargs)
            raise
        leaves = tree_leaves((args, kwargs))
        parameters = tuple(one for one in leaves if isinstance(one, nn.Parameter))
        self.used.update(map(id, parameters))
        if self._stack and isinstance(_first(output), Tensor):
            self._note(name, args, output, leaves, parameters, self._flops() - before)
        return output

    def _note(
        self,
        name: str,
        args: Any,
        output: Any,
        leaves: Sequence[Any],
        parameters: tuple[nn.Parameter, ...],
        flops: int,
    ) -> None:
        owner = self._stack[-1]
        event = Event(owner.path, owner.module, name, True, owner.call, _shapes(leaves))
        event.outputs, event.flops, event.parameters = _shapes(output), flops, parameters
        if event.inputs:
            most, made = max(map(prod, event.inputs)), prod(event.outputs[0])
            event.resizes = made != most and not _first(output)._is_view()
            event.joins = _joins(leaves, output)
            self._remember(event, f"{owner.path or owner.kind} by {name}")
            if name in ("view", "reshape", "flatten"):
                event.formula = flattening(event.inputs[0], event.outputs[0])
                self._watch_batch(event, args)
        owner.inside.append(event)

    def _watch_batch(self, event: Event, args: Any) -> None:
        before, after = event.inputs[0], event.outputs[0]
        if len(args) == 3 and args[1] == -1 and len(before) > 2 and before[0] != after[0]:
            self.notes[
                f"{event.path or event.module.__class__.__name__}: view(-1, {after[1]}) makes "
                f"{after[0]} rows of a batch of {before[0]}; a sample has "
                f"{'·'.join(map(str, before[1:]))} = {prod(before[1:])} numbers"
            ] = None

    def _fail(self, name: str, args: Any, kwargs: Any) -> None:
        if self._stack:
            owner = self._stack[-1]
            said = conflict(name, args, kwargs)
            shapes = _shapes((args, kwargs))
            what = said or (f"{name} gets {' and '.join(map(times, shapes))}" if shapes else name)
            self.trouble = Trouble(owner.path, type(owner.module).__name__, what, bool(said))

    def where(self) -> Trouble | None:
        """Say where the pass ended: at a function, or else in which module."""
        if self.trouble or not self._stack:
            return self.trouble
        owner = self._stack[-1]
        return Trouble(owner.path, type(owner.module).__name__, "", False)


@contextmanager
def _hooks(recorder: Recorder) -> Iterator[None]:
    handles = []
    for path, module in recorder.model.named_modules():
        if "parametrizations" in path.split("."):
            continue

        def enter(module: nn.Module, args: Any, kwargs: Any, path: str = path) -> None:
            recorder.enter(path, module, args, kwargs)

        def leave(module: nn.Module, args: Any, output: Any) -> None:
            recorder.leave(module, output)

        handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """Keep torch from fused kernels, whose multiply-adds nobody counts."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said by torch of flags that are restored
            with torch.backends.mkldnn.flags(enabled=False):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _more_flops() -> dict[Any, Callable[..., int]]:
    """Count what torch's table leaves out: products with vectors, bilinear forms, attention."""
    aten = torch.ops.aten

    def vector(matrix: Shape, *_: Any, **__: Any) -> int:
        return 2 * prod(matrix)

    def added(_: Shape, matrix: Shape, *__: Any, **___: Any) -> int:
        return 2 * prod(matrix)

    def attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
        return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]

    def trilinear(one: Shape, two: Shape, three: Shape, *expand: Any, **_: Any) -> int:
        full: list[list[int]] = []
        for shape, places in zip((one, two, three), expand, strict=False):
            sizes = list(shape)
            for place in places:
                sizes.insert(place, 1)
            full.append(sizes)
        total: int = 2 * prod(max(sizes) for sizes in zip(*full, strict=True))
        return total

    return {
        aten.mv: vector,
        aten.dot: vector,
        aten.vdot: vector,
        aten.addmv: added,
        aten._trilinear: trilinear,
        aten._scaled_dot_product_flash_attention_for_cpu: attention,
    }


def _joins(leaves: Sequence[Any], output: Any) -> bool:
    """Say whether a function makes one tensor of several of its shape, as a sum of branches."""
    if not isinstance(output, Tensor) or not output.is_floating_point():
        return False
    same = {id(one) for one in leaves if isinstance(one, Tensor) and one.shape == output.shape}
    return len(same) > 1


def _name(func: Callable[..., Any]) -> str:
    name: str = getattr(func, "__name__", type(func).__name__)
    plain = name.strip("_")
    if name.startswith("__") and plain[1:] in ARITHMETIC:  # __iadd__, __rsub__
        return plain[1:]
    return plain


def _first(output: Any) -> Any:
    if isinstance(output, Tensor):
        return output
    return next((one for one in tree_leaves(output) if isinstance(one, Tensor)), None)


def _shapes(held: Any) -> tuple[Shape, ...]:
    return tuple(tuple(one.shape) for one in tree_leaves(held) if isinstance(one, Tensor))
