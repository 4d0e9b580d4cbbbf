"""What of a backward pass is drawn: units and blocks, the arrows between them, shared weights."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from penchant.errors import PenchantError
from penchant.explain._routing_backward import (
    Routed,
    autograd,
    slope,
    slopes,
    weights_of_edges,
)
from penchant.explain._routing_drawing import MOST_UNITS, Edge, Row
from penchant.explain._routing_trace import Node, Trace

MOST_BOXES = 60
"""Beyond, a drawing would not be read."""


@dataclass(frozen=True)
class Shared:
    """One number of a weight that several edges have.

    Attributes:
        name: the parameter's, with the place in it.
        value: the weight.
        places: the upstream gradient and the input of each edge.
        autograd: autograd's gradient of this number.
        moved: its slope by central differences; none at a kink.
    """

    name: str
    value: float
    places: tuple[tuple[float, float], ...]
    autograd: float
    moved: float | None

    @property
    def routed(self) -> float:
        """The sum over the places of upstream times input."""
        return sum(upstream * at for upstream, at in self.places)


@dataclass(frozen=True)
class Check:
    """The same numbers as central differences have them."""

    difference: float
    """The largest, of those that could be compared."""
    kinks: int
    """Numbers whose slope is another to the left than to the right."""


@dataclass(frozen=True, eq=False)
class Picture:
    """The rows of a backward pass, the output first, by the numbers of their nodes."""

    routed: Routed
    numbers: tuple[int, ...]

    def node(self, row: int) -> Node:
        """The node of a row."""
        return self.routed.trace.nodes[self.numbers[row]]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """What is in the boxes."""
        return tuple(self._row(number) for number in self.numbers)

    def _row(self, number: int) -> Row:
        node, gradient = self.routed.trace.nodes[number], self.routed.gradients[number]
        value = node.value.detach()
        operation = node.step.operation if node.step else ""
        block = value.numel() > MOST_UNITS
        values, gradients = ((float(t.norm()),) if block else _floats(t) for t in (value, gradient))
        units = value.numel() if block else 0
        name = (node.name, operation) if node.name else (operation, "")
        return Row(*name, values, gradients, units)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All arrows; those of a shared weight know which."""
        index = {entry: i for i, (entry, _) in enumerate(self._shared_edges)}
        found = []
        for upper, lower, table, entries in self._tables:
            if table is None:
                found.append(Edge((upper, 0), (lower, 0)))
                continue
            of = self._weight_of(upper)
            for o, i in (entries > 0).nonzero().tolist():
                weight = None if of is None else index.get((of, int(entries[o, i])))
                found.append(Edge((upper, o), (lower, i), float(table[o, i]), weight))
        return tuple(found)

    @cached_property
    def shared(self) -> tuple[Shared, ...]:
        """The shared weights whose edges are drawn, in the order of their colours."""
        return tuple(self._shared(entry, edges) for entry, edges in self._shared_edges)

    @cached_property
    def _tables(self) -> list[tuple[int, int, Tensor | None, Tensor]]:
        """For each pair of joined rows: slopes, and which edges there are, by the weight's number.

        Edges without a weight are marked 1.
        """
        rows = {number: row for row, number in enumerate(self.numbers)}
        joined: dict[tuple[int, int], tuple[Tensor | None, Tensor]] = {}
        for row, number in enumerate(self.numbers):
            step = self.routed.trace.nodes[number].step
            for place, operand in enumerate(step.operands if step else ()):
                home = _home(self.routed, operand) if isinstance(operand, int) else None
                if home not in rows or step is None:
                    continue
                pair = (row, rows[home])
                if self.rows[row].block or self.rows[pair[1]].block:
                    joined[pair] = (None, torch.zeros(0))
                    continue
                table = slopes(self.routed.trace, step, place)
                entries = weights_of_edges(self.routed.trace, step) if place == 0 else None
                entries = _answering(table) if entries is None else entries
                before, marked = joined.get(pair, (None, entries))
                joined[pair] = (table if before is None else before + table, marked.max(entries))
        return [(*pair, *found) for pair, found in joined.items()]

    @cached_property
    def _shared_edges(self) -> list[tuple[tuple[int, int], list[tuple[int, int, int, int]]]]:
        users: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
        for upper, lower, table, entries in self._tables:
            weight = self._weight_of(upper)
            if weight is None or table is None:
                continue
            for o, i in (entries > 0).nonzero().tolist():
                users.setdefault((weight, int(entries[o, i])), []).append((upper, o, lower, i))
        return [(entry, edges) for entry, edges in sorted(users.items()) if len(edges) > 1]

    def _weight_of(self, row: int) -> int | None:
        step = self.node(row).step
        if step is None or weights_of_edges(self.routed.trace, step) is None:
            return None
        operand = step.operands[1]
        return operand if isinstance(operand, int) else None

    def _shared(self, entry: tuple[int, int], edges: list[tuple[int, int, int, int]]) -> Shared:
        number, k = entry
        node = self.routed.trace.nodes[number]
        at = torch.unravel_index(torch.tensor(k - 1), node.value.shape)
        direction = torch.zeros_like(node.value, requires_grad=False)
        direction[at] = 1
        places = tuple(
            (self.rows[upper].gradients[o], self.rows[lower].values[i])
            for upper, o, lower, i in edges
        )
        return Shared(
            f"{node.name}[{','.join(str(int(a)) for a in at)}]",
            float(node.value.detach()[at]),
            places,
            float(autograd(node)[at]),
            slope(self.routed, number, direction),
        )

    def check(self, row: int) -> Check:
        """Compare every number that a row shows with central differences."""
        number, gradient = self.numbers[row], self.routed.gradients[self.numbers[row]]
        if self.rows[row].block:
            length = float(gradient.norm())
            directions = [gradient / length] if length else []
        else:
            units = torch.eye(gradient.numel(), dtype=torch.float64)
            directions = [unit.reshape(gradient.shape) for unit in units]
        moved = [slope(self.routed, number, direction) for direction in directions]
        shown = self.rows[row].gradients
        gaps = [abs(a - b) for a, b in zip(shown, moved, strict=False) if b is not None]
        return Check(max(gaps, default=0.0), moved.count(None))


def chosen(trace: Trace, name: str) -> tuple[int, ...]:
    """Choose what is drawn: steps on the way from the inputs to the output, none twice.

    Args:
        trace: the forward pass.
        name: of the network, for the error.

    Returns:
        The numbers of their nodes, the output first.

    Raises:
        PenchantError: there are too many boxes.
    """
    nodes = trace.nodes
    reached = {trace.output}
    for number in range(len(nodes) - 1, -1, -1):
        step = nodes[number].step
        if number in reached and step is not None:
            reached |= {operand for operand in step.operands if isinstance(operand, int)}
    drawn = [n for n in reached if nodes[n].drawn and nodes[n].moved is None]
    sizes = [nodes[n].value.numel() for n in drawn]
    boxes = sum(1 if size > MOST_UNITS else size for size in sizes)
    if boxes > MOST_BOXES:
        raise PenchantError(
            f"explain routing: {name} has {len(drawn)} steps with {boxes} units or blocks to draw; "
            f"at most {MOST_BOXES} can be read: take a part of it, or a smaller input"
        )
    return tuple(sorted(drawn, reverse=True))


def _home(routed: Routed, number: int) -> int:
    """The node that has the same numbers and is drawn."""
    moved = routed.trace.nodes[number].moved
    return number if moved is None else _home(routed, moved)


def _answering(table: Tensor) -> Tensor:
    """Which edges there are: those with a slope, and gates that are closed."""
    outputs, operands = table.shape
    if outputs == 1 and operands <= MOST_UNITS:
        return torch.ones_like(table)
    if outputs == operands and not (table - table.diag().diag()).any():
        return torch.eye(outputs, dtype=table.dtype)
    return (table != 0).to(table.dtype)


def _floats(tensor: Tensor) -> tuple[float, ...]:
    return tuple(float(value) for value in tensor.flatten())
