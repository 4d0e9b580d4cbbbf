"""From what happened in a pass to the table's rows."""

import re
from collections.abc import Iterator, Sequence

from torch import nn

from penchant.geometry import LayerField, ModelFields, ReceptiveField
from penchant.inspection._recorder import Event
from penchant.inspection._result import Field, Layer

_AGAIN = re.compile(r"@\d+")


def chosen(events: Sequence[Event], depth: int | None) -> Iterator[Event]:
    """Choose the calls that get a row: layers, and functions that a reader would miss.

    A function has a row where it has multiply-adds, takes a parameter, makes another number of
    elements, or joins branches.

    Args:
        events: calls in order.
        depth: how many names a path may have; what lies deeper is one row with what holds it.

    Yields:
        The calls, in order.
    """
    for event in events:
        if event.function:
            if event.flops or event.parameters or event.resizes or event.joins:
                yield event
        elif event.leaf or (depth is not None and event.path and _names(event.path) >= depth):
            if event.leaf and not event.path and event.inside and _own(event.module):
                yield from chosen(event.inside, depth)
            else:
                yield event
        else:
            yield from chosen(event.inside, depth)


def _own(module: nn.Module) -> bool:
    """Say whether a module's forward is its user's own."""
    return not type(module).__module__.startswith("torch.nn")


def _names(path: str) -> int:
    return path.count(".") + 1


def held(event: Event) -> list[nn.Parameter]:
    """List the parameters that a call uses, each once."""
    found: dict[int, nn.Parameter] = {id(one): one for one in event.parameters}
    if not event.function:
        found.update((id(one), one) for one in event.module.parameters())
    return list(found.values())


def layers(model: nn.Module, events: Sequence[Event], fields: "Fields") -> tuple[Layer, ...]:
    """Make the rows; a parameter is counted in the first that uses it.

    Args:
        model: the network that ran.
        events: the calls that get a row.
        fields: what is known of how far each sees.

    Returns:
        One layer an event.
    """
    first: dict[int, str] = {}
    rows = []
    for event in events:
        parameters = held(event)
        above = [one for one in parameters if id(one) in first]
        shared_with = first[id(above[0])] if above else ""
        for one in parameters:
            first.setdefault(id(one), event.path)
        shared = sum(one.numel() for one in above)
        rows.append(
            Layer(
                path=event.path,
                kind=event.kind,
                function=event.function,
                call=event.call,
                inputs=event.inputs,
                outputs=event.outputs,
                formula=event.formula,
                parameters=sum(one.numel() for one in parameters) - shared,
                shared=shared,
                shared_with=shared_with,
                multiply_adds=event.flops // 2,
                field=fields.of(event),
            )
        )
    return tuple(rows)


class Fields:
    """Receptive fields by calls instead of by the paths of an exported graph.

    Args:
        model: the network that was recorded.
        found: its receptive fields; None where they are not known.
    """

    def __init__(self, model: nn.Module, found: ModelFields | None) -> None:
        self.found = found
        self._steps: dict[tuple[int, int], list[tuple[int, LayerField]]] = {}
        self._taken: dict[tuple[int, int, str], int] = {}
        modules = dict(model.named_modules(remove_duplicate=False))
        calls: dict[int, list[str]] = {}
        for number, layer in enumerate(found.layers if found else ()):
            module = modules.get(_AGAIN.sub("", layer.path))
            if module is None:
                continue
            # A path with another "@" is another call, and so is another name for the module.
            paths = calls.setdefault(id(module), [])
            if layer.path not in paths:
                paths.append(layer.path)
            key = (id(module), paths.index(layer.path))
            self._steps.setdefault(key, []).append((number, layer))

    def of(self, event: Event) -> Field | None:
        """Return how far a call's output sees."""
        key = (id(event.module), event.call)
        if event.function:
            steps = self._steps.get(key, [])
            same = [layer for _, layer in steps if _called(layer.operation) == event.kind]
            number = self._taken.get((*key, event.kind), 0)
            self._taken[*key, event.kind] = number + 1
            if number < len(same) and (same[number].output_shape,) == event.outputs[:1]:
                return summary(same[number].field)
            return None
        inside = list(self._inside(event))
        if not inside:
            return None
        return summary(max(inside, key=lambda step: step[0])[1].field)

    def _inside(self, event: Event) -> Iterator[tuple[int, LayerField]]:
        yield from self._steps.get((id(event.module), event.call), [])
        for other in event.inside:
            if not other.function:
                yield from self._inside(other)


def _called(operation: str) -> str:
    """Return the Python name of an operation of ATen, where it has another."""
    return "interpolate" if operation.startswith("upsample") else operation


def summary(field: ReceptiveField | None) -> Field | None:
    """Keep what a table shows of a receptive field."""
    if field is None or not field.axes:
        return None
    whole = all(axis.whole for axis in field.axes)
    return Field(field.size, field.stride, whole, tuple(axis.axis for axis in field.axes))
