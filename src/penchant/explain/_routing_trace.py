"""A forward pass written down step by step: what each step made of what.

Decisions:
- Torch's own functions are recorded as they are called, so any Python control flow will do. What
  computes outside of them (numpy, an autograd.Function) is refused by name.
- A copy of the network runs, in float64 and evaluation mode: differences from autograd are then
  rounding, and dropout is no matter.
- Parameters are nodes like any other. A shared weight is one node that several steps, or one step
  at several places, have used; its gradient is summed like that of a value with several users.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from penchant.errors import PenchantError

_MOVES = (
    {"__getitem__", "flatten", "unflatten", "view", "reshape", "squeeze", "unsqueeze", "expand"}
    | {"transpose", "permute", "__get__", "contiguous", "clone", "to", "pad"}
    | {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"}
)
"""Where these leave every number in its place, their result is not drawn as a step."""


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a torch function.

    Attributes:
        operation: its name, such as ``"linear"``.
        call: does it again with other tensors in place of its operands.
        operands: each tensor that went in: a node's number, or a constant.
    """

    operation: str
    call: Callable[[Sequence[Tensor]], Tensor]
    operands: tuple[int | Tensor, ...]


@dataclass(frozen=True, eq=False)
class Node:
    """A value of the forward pass: an input, a parameter, or what a step made.

    Attributes:
        name: of the parameter, or of the module in whose forward the step was.
        value: with autograd's gradient in `grad`, once the trace is complete.
        step: what made it; none for inputs and parameters.
        parameter: it is one.
        moved: the number of the node whose numbers these are, merely in another shape.
        drawn: it depends on the input, and not on parameters alone.
    """

    name: str
    value: Tensor
    step: Step | None = None
    parameter: bool = False
    moved: int | None = None
    drawn: bool = True


@dataclass(frozen=True, eq=False)
class Trace:
    """All nodes in the order of the forward pass, and which of them is the output."""

    nodes: tuple[Node, ...]
    output: int

    def tensors(self, step: Step) -> list[Tensor]:
        """The operands of a step, detached."""
        return [
            (self.nodes[operand].value if isinstance(operand, int) else operand).detach()
            for operand in step.operands
        ]


def trace(network: nn.Module, inputs: Sequence[Tensor]) -> Trace:
    """Run a network forward, write its steps down, and run autograd backward.

    The backward pass starts with 1 at every output.

    Args:
        network: any module; a copy of it runs.
        inputs: what it is called with.

    Raises:
        PenchantError: the network fails, or it does what cannot be followed.
    """
    name = type(network).__name__
    with _told(f"{name} cannot be copied"):
        network = copy.deepcopy(network).to("cpu", torch.float64).eval()
    shapes = " and ".join(str(tuple(given.shape)) for given in inputs)
    given = [one.detach().to("cpu", _real(one)).clone() for one in inputs]
    with torch.no_grad(), _told(f"{name} fails on an input of shape {shapes}, in float64"):
        plain = network(*[one.clone() for one in given])
    if not isinstance(plain, Tensor):
        raise PenchantError(
            f"{name} returns a {type(plain).__name__}: gradients are followed from one tensor back"
        )
    recorder = _Recorder(name)
    for parameter_name, parameter in network.named_parameters():
        recorder.leaf(parameter_name, parameter.requires_grad_(), parameter=True)
    for i, one in enumerate(given):
        if one.is_floating_point():
            recorder.leaf("input" if len(given) == 1 else f"input {i}", one.requires_grad_())
    with recorder.watching(network), _told(f"{name} fails on an input of shape {shapes}"):
        output = network(*given)
    number = recorder.numbers.get(id(output))
    if number is None:
        raise PenchantError(f"{name} gives an output that no gradient comes back from")
    if not torch.equal(output, plain):
        raise PenchantError(f"{name} writes into its tensors in place; use operations that do not")
    torch.autograd.backward(output.sum())
    return Trace(tuple(recorder.nodes), number)


@dataclass(eq=False)
class _Recorder(TorchFunctionMode):
    network: str
    nodes: list[Node] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)
    """By a tensor's identity; nodes hold their tensors, so that none comes twice."""
    path: list[str] = field(default_factory=lambda: [""])

    def __post_init__(self) -> None:
        super().__init__()

    def leaf(self, name: str, value: Tensor, *, parameter: bool = False) -> None:
        self._add(Node(name, value, parameter=parameter, drawn=not parameter))

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """Record what a module calls, and in which of its parts."""

        def leave(*_: object) -> None:
            self.path.pop()

        for name, module in network.named_modules():
            module.register_forward_pre_hook(lambda *_, name=name: self.path.append(name))
            module.register_forward_hook(leave)
        with self:
            yield

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("inplace") is True:
            kwargs["inplace"] = False
        operands: list[Tensor] = []
        _tensors((args, kwargs), operands)
        if any(id(one) in self.numbers for one in operands):
            func = _out_of_place(func)
        out = func(*args, **kwargs)
        outs = out if isinstance(out, tuple | list) else (out,)
        for place, made in enumerate(outs):
            fresh = isinstance(made, Tensor) and id(made) not in self.numbers
            if fresh and made.requires_grad:
                pick = place if outs is out else None
                self._step(func, (args, kwargs), operands, made, pick)
        return out

    def _step(
        self, func: Any, given: Any, operands: list[Tensor], made: Tensor, pick: int | None
    ) -> None:
        operation = _name(func)
        if made.is_complex():
            raise PenchantError(f"{self.network} has complex values ({operation}): not drawn")
        for one in operands:
            if one.requires_grad and id(one) not in self.numbers:
                raise PenchantError(
                    f"{self.network} computes what goes into {operation} outside of torch's "
                    "functions (a custom autograd.Function, say): gradients cannot be followed"
                )
        sources = tuple(self.numbers.get(id(one), one.detach()) for one in operands)

        def call(tensors: Sequence[Tensor]) -> Tensor:
            args, kwargs = _put(given, iter(tensors))
            out = func(*args, **kwargs)
            result: Tensor = out if pick is None else out[pick]
            return result

        made.retain_grad()
        # Whole numbers are what an embedding is asked for: an input, though no gradient gets there.
        drawn = any(
            self.nodes[one].drawn if isinstance(one, int) else not one.is_floating_point()
            for one in sources
        )
        source = sources[0]
        moved = None
        if operation in _MOVES and isinstance(source, int) and drawn:
            old = self.nodes[source].value
            same = old.numel() == made.numel() and torch.equal(old.flatten(), made.flatten())
            moved = source if same else None
        step = Step(operation, call, sources)
        self._add(Node(self.path[-1], made, step, moved=moved, drawn=drawn))

    def _add(self, node: Node) -> None:
        self.numbers[id(node.value)] = len(self.nodes)
        self.nodes.append(node)


def _name(func: Any) -> str:
    name = str(getattr(func, "__name__", "step"))
    return {"__rsub__": "sub", "__rdiv__": "div"}.get(name, name)


def _out_of_place(func: Any) -> Any:
    """``add`` for ``add_``: what comes of it is the same, and the operand stays as it was."""
    name = str(getattr(func, "__name__", ""))
    if name.endswith("_") and not name.endswith("__"):
        return getattr(Tensor, name[:-1], getattr(torch, name[:-1], func))
    return func


def _tensors(given: Any, found: list[Tensor]) -> None:
    if isinstance(given, Tensor):
        found.append(given)
    elif isinstance(given, dict):
        _tensors(list(given.values()), found)
    elif isinstance(given, tuple | list):
        for one in given:
            _tensors(one, found)


def _put(given: Any, tensors: Iterator[Tensor]) -> Any:
    """The same arguments with other tensors in place, in the order of `_tensors`."""
    if isinstance(given, Tensor):
        return next(tensors)
    if isinstance(given, dict):
        return {key: _put(value, tensors) for key, value in given.items()}
    if isinstance(given, tuple | list) and not isinstance(given, torch.Size):
        return type(given)(_put(one, tensors) for one in given)
    return given


def _real(given: Tensor) -> torch.dtype:
    return torch.float64 if given.is_floating_point() else given.dtype


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn whatever a user's network raises into one line."""
    try:
        yield
    except PenchantError:
        raise
    except Exception as error:
        message = " ".join(str(error).split())
        raise PenchantError(f"{what}: {type(error).__name__}: {message}") from error
