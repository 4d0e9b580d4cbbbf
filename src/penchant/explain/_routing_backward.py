"""The backward pass by hand: each value gets, from every step that used it, slope times upstream.

A step's slopes (how much each of its outputs answers to each of its operands) are read off its
weights where it is linear, by asking for its answer to 1 in one place and 0 elsewhere; elsewhere
they are torch's for this step alone. What the whole network makes of them is checked twice: against
autograd's backward pass, and against central differences of the whole network.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from penchant.explain._routing_trace import Node, Step, Trace

WEIGHTED = frozenset({"linear", "conv1d", "conv2d", "conv3d"})
"""Their second operand is a weight; each edge has one number of it."""
_LINEAR = WEIGHTED | {"add", "sub", "mul", "matmul", "sum", "mean", "cat", "flatten", "reshape"}
"""Linear, up to a constant, in each operand while the others stand still."""
LARGEST_TABLE = 4_096
"""Slopes of one operand that are written out; beyond, torch goes back through the step at once."""
MOVE = 1e-6
"""By how much central differences move a value, relative to its size where that is above 1."""


@dataclass(frozen=True, eq=False)
class Routed:
    """A trace with the gradient that was routed to each node, beside autograd's in the nodes."""

    trace: Trace
    gradients: tuple[Tensor, ...]
    """One a node, in its shape; zeros where nothing arrives."""

    @cached_property
    def difference(self) -> float:
        """The largest difference of any number of any node from autograd's."""
        return max(self.difference_at(i) for i in range(len(self.gradients)))

    def difference_at(self, number: int) -> float:
        """The largest difference of any number of one node from autograd's."""
        theirs = autograd(self.trace.nodes[number])
        return float((self.gradients[number] - theirs).abs().max())


def autograd(node: Node) -> Tensor:
    """Autograd's gradient at a node."""
    given = node.value.grad
    return torch.zeros_like(node.value) if given is None else given


def route(trace: Trace) -> Routed:
    """Go back through the steps, one by one, from 1 at every output."""
    gradients = [torch.zeros_like(node.value, requires_grad=False) for node in trace.nodes]
    gradients[trace.output] += 1
    for number in range(len(trace.nodes) - 1, -1, -1):
        step = trace.nodes[number].step
        if step is None or not gradients[number].any():
            continue
        for place, operand in enumerate(step.operands):
            if isinstance(operand, int):
                gradients[operand] += _back(trace, step, place, gradients[number])
    return Routed(trace, tuple(gradients))


def _back(trace: Trace, step: Step, place: int, upstream: Tensor) -> Tensor:
    """What one step hands back to one operand."""
    tensors = trace.tensors(step)
    if upstream.numel() * tensors[place].numel() <= LARGEST_TABLE:
        table = slopes(trace, step, place)
        return (upstream.flatten() @ table).reshape(tensors[place].shape)
    at = tensors[place].requires_grad_()
    (back,) = torch.autograd.grad(step.call(tensors), at, upstream, allow_unused=True)
    return torch.zeros_like(at) if back is None else back


def slopes(trace: Trace, step: Step, place: int) -> Float[Tensor, "outputs operands"]:
    """How much each output of a step answers to each number of one of its operands."""
    tensors = trace.tensors(step)
    if step.operation in _LINEAR:
        return _answers(step, tensors, place)

    def alone(at: Tensor) -> Tensor:
        return step.call([*tensors[:place], at, *tensors[place + 1 :]])

    at = tensors[place]
    table: Tensor = torch.autograd.functional.jacobian(alone, at)  # type: ignore[no-untyped-call]
    return table.reshape(-1, at.numel())


def _answers(step: Step, tensors: list[Tensor], place: int) -> Float[Tensor, "outputs operands"]:
    """The answer to 1 at each number of an operand, and 0 at all others."""

    def answer(at: Tensor) -> Tensor:
        return step.call([*tensors[:place], at, *tensors[place + 1 :]]).flatten()

    shape = tensors[place].shape
    rest = answer(torch.zeros(shape, dtype=torch.float64))
    columns = []
    for i in range(shape.numel()):
        unit = torch.zeros(shape.numel(), dtype=torch.float64)
        unit[i] = 1
        columns.append(answer(unit.reshape(shape)) - rest)
    return torch.stack(columns, dim=1)


def weights_of_edges(trace: Trace, step: Step) -> Float[Tensor, "outputs operands"] | None:
    """Which number of a layer's weight each edge has, counted from 1; 0 where there is no edge.

    None where the step has no weight, or is too large.
    """
    if step.operation not in WEIGHTED or not isinstance(step.operands[1], int):
        return None
    at, weight, *bias = trace.tensors(step)
    counted = torch.arange(1.0, weight.numel() + 1, dtype=torch.float64).reshape(weight.shape)
    return _answers(step, [at, counted, *(torch.zeros_like(b) for b in bias)], 0)


def slope(routed: Routed, number: int, direction: Tensor) -> float | None:
    """The output's slope along a direction at one node, by central differences.

    None where the slope to the left is another than to the right: a kink, such as a ReLU's at 0.
    """
    trace = routed.trace
    at = trace.nodes[number].value.detach()
    move = MOVE * max(1.0, float(at.abs().max()))
    below, here, above = (
        _output(trace, number, at + sign * move * direction) for sign in (-1, 0, 1)
    )
    left, right = (here - below) / move, (above - here) / move
    middle = (above - below) / (2 * move)
    return None if abs(right - left) > 1e-3 * max(1.0, abs(middle)) else middle


def _output(trace: Trace, number: int, value: Tensor) -> float:
    """The sum of all outputs with another value at one node."""
    values = {number: value}
    for i in range(number + 1, trace.output + 1):
        step = trace.nodes[i].step
        if step is None or not any(isinstance(o, int) and o in values for o in step.operands):
            continue
        old = trace.tensors(step)
        new = [
            values.get(operand, old[place]) if isinstance(operand, int) else old[place]
            for place, operand in enumerate(step.operands)
        ]
        values[i] = step.call(new).detach()
    found = values.get(trace.output, trace.nodes[trace.output].value.detach())
    return float(found.sum())
