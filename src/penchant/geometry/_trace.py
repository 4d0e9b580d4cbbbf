"""From a network to what every tensor in it depends on, by torch.export's graph.

Decisions:
- In-place operations on whole tensors are followed here; the export has none that write to views.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import nn

from penchant.geometry._call import Call, UnknownError, Value
from penchant.geometry._dependence import InseparableError, Leg, Term, Terms
from penchant.geometry._export import UntraceableError, exported
from penchant.geometry._meetings import Meeting
from penchant.geometry._positions import Relation
from penchant.geometry._rules import rule_of

SMALL = 1 << 16
"""Constants of at most so many elements are computed, since they may be indices."""


@dataclass(frozen=True)
class Step:
    """One tensor of the trace.

    Args:
        path: the module in whose forward it is made; with ``@k`` behind the name on a later call.
        kind: that module's class.
        operation: the operation's plain name.
        shape: the tensor's shape.
        terms: what it depends on.
    """

    path: str
    kind: str
    operation: str
    shape: tuple[int, ...]
    terms: Terms


@dataclass(frozen=True)
class Trace:
    """What a network's tensors depend on.

    Args:
        inputs: name and shape of every tensor that goes in.
        outputs: the tensors that come out.
        steps: every tensor on the way, in order.
        notes: what a reader should know.
    """

    inputs: dict[str, tuple[int, ...]]
    outputs: tuple[Step, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...]


def trace(
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    axes: Callable[[tuple[int, ...]], tuple[int, ...]],
    statistics: bool,
) -> Trace:
    """Trace a network and follow every tensor's dependence through it.

    Args:
        model: the network.
        args: its positional arguments.
        kwargs: its named arguments.
        axes: which axes of an input of a shape are followed.
        statistics: whether a normalisation's statistics count.

    Returns:
        The trace.

    Raises:
        UntraceableError: with the reason.
    """
    program = exported(model, args, kwargs)
    try:
        return _Interpreter(program, axes, statistics).trace()
    except UnknownError as error:
        raise UntraceableError(f"no rule for {error}") from error
    except InseparableError as error:
        raise UntraceableError(str(error)) from error


class _Interpreter:
    def __init__(
        self,
        program: torch.export.ExportedProgram,
        axes: Callable[[tuple[int, ...]], tuple[int, ...]],
        statistics: bool,
    ) -> None:
        self.program = program
        self.axes = axes
        self.statistics = statistics
        self.inputs: dict[str, tuple[int, ...]] = {}
        self.steps: list[Step] = []
        self.notes: dict[str, list[str]] = {}
        self.apart: dict[str, list[Fraction]] = {}

    def trace(self) -> Trace:
        from torch.export.graph_signature import InputKind

        signature = self.program.graph_signature
        users = {
            spec.arg.name
            for spec in signature.input_specs
            if spec.kind is InputKind.USER_INPUT and hasattr(spec.arg, "name")
        }
        known: dict[str, torch.Tensor] = {}
        stored: Mapping[str, Any] = {**self.program.state_dict, **self.program.constants}
        for spec in signature.input_specs:
            content = stored.get(spec.target) if spec.target else None
            if spec.kind is not InputKind.PARAMETER and isinstance(content, torch.Tensor):
                known[spec.arg.name] = content
        placeholders = []
        module = self.program.graph_module
        for node in module.graph.nodes:
            if node.op == "placeholder":
                placeholders.append(self._entry(node, node.name in users, known.get(node.name)))
        values = self._run(module, placeholders)
        outputs = []
        names = _output_names(self.program.call_spec.out_spec, len(signature.user_outputs))
        for name, made in zip(names, signature.user_outputs, strict=True):
            if isinstance(made, str) and isinstance(values.get(made), Value):
                value = values[made]
                outputs.append(Step(name, "", "output", value.shape, value.terms))
        notes = (*(_placed(*note) for note in self.notes.items()), *self._centres())
        return Trace(self.inputs, tuple(outputs), tuple(self.steps), notes)

    def _entry(self, node: torch.fx.Node, user: bool, content: torch.Tensor | None) -> Any:
        held = node.meta.get("val")
        if not isinstance(held, torch.Tensor):
            return held
        shape = tuple(int(size) for size in held.shape)
        if not user:
            small = content is not None and content.numel() <= SMALL
            return Value((), shape, content if small else None)
        self.inputs[node.name] = shape
        followed = self.axes(shape)
        dims = tuple(
            (Leg(size, number, Relation.identity(size)) if number in followed else Leg(size),)
            for number, size in enumerate(shape)
        )
        return Value((Term(node.name, dims),), shape)

    def _run(self, module: torch.fx.GraphModule, operands: list[Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        rest = iter(operands)

        def resolve(argument: Any) -> Any:
            if isinstance(argument, torch.fx.Node):
                return values[argument.name]
            if isinstance(argument, list | tuple):
                return [resolve(entry) for entry in argument]
            return argument

        for node in module.graph.nodes:
            if node.op == "placeholder":
                values[node.name] = next(rest)
            elif node.op == "get_attr":
                values[node.name] = self._attribute(module, str(node.target))
            elif node.op == "output":
                values["output of the graph"] = resolve(node.args[0])
            elif node.op == "call_function":
                values[node.name] = self._call(node, resolve)
                self._write(node, values)
        return values

    def _attribute(self, module: torch.fx.GraphModule, target: str) -> Any:
        found: Any = module
        for part in target.split("."):
            found = getattr(found, part)
        if isinstance(found, torch.Tensor):
            return Value((), tuple(found.shape), found if found.numel() <= SMALL else None)
        return found

    def _write(self, node: torch.fx.Node, values: dict[str, Any]) -> None:
        target = node.target
        if isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable:
            written = node.args[0] if node.args else None
            if isinstance(written, torch.fx.Node) and target._schema.arguments[0].is_write:
                values[written.name] = values[node.name]

    def _call(self, node: torch.fx.Node, resolve: Callable[[Any], Any]) -> Any:
        target = node.target
        if target is operator.getitem:
            whole, place = resolve(node.args[0]), node.args[1]
            return whole[place]
        if not isinstance(target, torch._ops.OpOverload):
            return self._higher_order(node, resolve)
        if not target._schema.returns:
            # It only checks something.
            return None
        arguments = _by_name(target, [resolve(a) for a in node.args], node.kwargs, resolve)
        tensors = _tensors(arguments)
        if not any(value.terms for value in tensors):
            return self._constant(node, arguments, tensors)
        shapes = _shapes(node.meta.get("val"))
        arguments["sizes of parts"] = _part_sizes(arguments, shapes)
        name, rule = rule_of(target)
        call = Call(
            name,
            arguments,
            shapes[0],
            len(shapes),
            self.statistics,
            self._noting(node),
            self._meeting(node),
        )
        try:
            terms = rule(call)
        except (LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
            raise UnknownError(f"this use of {name} ({type(error).__name__}: {error})") from error
        if isinstance(node.meta["val"], torch.Tensor):
            value = _checked(name, terms, shapes[0])
            self._record(node, name, value)
            return value
        parts = [_checked(name, part, shape) for part, shape in zip(terms, shapes, strict=True)]
        self._record(node, name, parts[0])
        return parts

    def _constant(
        self, node: torch.fx.Node, arguments: dict[str, Any], tensors: list[Value]
    ) -> Any:
        held = node.meta.get("val")
        if isinstance(held, torch.Tensor):
            shape = _shape(held)
            return Value((), shape, _computed(node, arguments, tensors, held))
        if isinstance(held, list | tuple):
            return [
                Value((), _shape(one)) if isinstance(one, torch.Tensor) else one for one in held
            ]
        return held

    def _higher_order(self, node: torch.fx.Node, resolve: Callable[[Any], Any]) -> Any:
        """Run a region that torch keeps as a graph of its own, as for no_grad and autocast."""
        resolved = [resolve(argument) for argument in node.args]
        graphs = [at for at, held in enumerate(resolved) if isinstance(held, torch.fx.GraphModule)]
        if len(graphs) != 1:
            raise UnknownError(getattr(node.target, "__name__", str(node.target)))
        inner = self._run(resolved[graphs[0]], resolved[graphs[0] + 1 :])
        return inner["output of the graph"]

    def _noting(self, node: torch.fx.Node) -> Callable[[str], None]:
        path, _ = _module(node)

        def note(sentence: str) -> None:
            self.notes.setdefault(sentence, []).append(path or "model")

        return note

    def _meeting(self, node: torch.fx.Node) -> Callable[[list[Meeting]], None]:
        path, _ = _module(node)

        def meet(found: list[Meeting]) -> None:
            for one in found:
                if one.strides:
                    strides = " and ".join(str(stride) for stride in one.strides)
                    sentence = f"misaligned: branches of stride {strides} meet along {one.where}"
                    self.notes.setdefault(sentence, []).append(path or "model")
                else:
                    self.apart.setdefault(one.where, []).append(one.apart)

        return meet

    def _centres(self) -> list[str]:
        return [
            f"branches whose centres are up to {max(apart)} apart meet along {where}"
            for where, apart in self.apart.items()
        ]

    def _record(self, node: torch.fx.Node, name: str, value: Value) -> None:
        path, kind = _module(node)
        self.steps.append(Step(path, kind, name, value.shape, value.terms))


def _placed(sentence: str, paths: list[str]) -> str:
    """Say where a sentence holds, once for all places."""
    places = list(dict.fromkeys(paths))
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return f"{places[0]}{more}: {sentence}"


def _checked(name: str, terms: Any, shape: tuple[int, ...]) -> Value:
    """Hold a rule's answer against the shape that torch computed."""
    if any(term.shape() != shape for term in terms):
        raise UnknownError(f"this use of {name} (its rule gives another shape)")
    return Value(terms, shape)


def _output_names(spec: Any, count: int) -> list[str]:
    """Name what a model returns: by its keys in a dictionary, by its number in a sequence."""
    from torch.utils._pytree import tree_unflatten

    def walk(held: Any, name: str) -> Iterator[str]:
        if isinstance(held, Mapping):
            for key, entry in held.items():
                yield from walk(entry, f"{name}.{key}")
        elif isinstance(held, list | tuple):
            for number, entry in enumerate(held):
                yield from walk(entry, f"{name}.{number}")
        else:
            yield name

    names = list(walk(tree_unflatten(range(count), spec), "output")) if spec else []
    return names if len(names) == count else [f"output.{number}" for number in range(count)]


def _by_name(
    target: "torch._ops.OpOverload",
    args: list[Any],
    kwargs: Mapping[str, Any],
    resolve: Callable[[Any], Any],
) -> dict[str, Any]:
    declared = target._schema.arguments
    found = {declared[at].name: value for at, value in enumerate(args)}
    found.update({name: resolve(value) for name, value in kwargs.items()})
    for argument in declared:
        if argument.name not in found and argument.has_default_value():
            found[argument.name] = argument.default_value
    return found


def _tensors(arguments: Mapping[str, Any]) -> list[Value]:
    from penchant.geometry._elements import tensors

    return tensors(arguments.values())


def _shapes(held: Any) -> list[tuple[int, ...]]:
    if isinstance(held, torch.Tensor):
        return [_shape(held)]
    if isinstance(held, list | tuple):
        return [_shape(one) for one in held]
    raise UnknownError("an operation that gives a number made from the input")


def _shape(held: torch.Tensor) -> tuple[int, ...]:
    if not all(isinstance(size, int) for size in held.shape):
        raise UnknownError("a tensor whose size depends on numbers")
    return tuple(held.shape)


def _part_sizes(arguments: Mapping[str, Any], shapes: list[tuple[int, ...]]) -> list[int]:
    number = arguments.get("dim", 0)
    rank = len(shapes[0])
    if not isinstance(number, int) or not -rank <= number < rank:
        return []
    return [shape[number] if len(shape) == rank else 0 for shape in shapes]


def _computed(
    node: torch.fx.Node, arguments: dict[str, Any], tensors: list[Value], held: torch.Tensor
) -> torch.Tensor | None:
    """Compute a small constant, since it may say which positions are picked."""
    known = all(value.content is not None for value in tensors)
    target = node.target
    if not known or held.numel() > SMALL or not isinstance(target, torch._ops.OpOverload):
        return None
    if torch.Tag.nondeterministic_seeded in target.tags:
        return None

    def plain(argument: Any) -> Any:
        if isinstance(argument, Value):
            return None if argument.content is None else argument.content.clone()
        if isinstance(argument, list | tuple):
            return [plain(entry) for entry in argument]
        return argument

    given = {name: plain(value) for name, value in arguments.items()}
    if isinstance(given.get("device"), torch.device):
        given["device"] = torch.device("cpu")
    positional = [
        given.pop(a.name) for a in target._schema.arguments if not a.kwarg_only and a.name in given
    ]
    try:
        result = target(*positional, **given)
    except (RuntimeError, TypeError, IndexError, ValueError):
        return None
    return result if isinstance(result, torch.Tensor) else None


def _module(node: torch.fx.Node) -> tuple[str, str]:
    """Return the path and the class of the module in whose forward a node was made."""
    stack = node.meta.get("nn_module_stack")
    if not stack:
        return "", ""
    key, (path, kind) = list(stack.items())[-1]
    again = key.rsplit("@", 1)[1] if "@" in key else ""
    name = kind if isinstance(kind, str) else kind.__name__
    return (f"{path}@{again}" if again else path), name.rsplit(".", 1)[-1]
