"""The backward pass of a user's own network: drawn, and every number of it checked."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.explain._explanation import Explanation, Figure, Section, Table
from penchant.explain._routing_backward import autograd, route
from penchant.explain._routing_drawing import drawing, short
from penchant.explain._routing_picture import Check, Picture, Shared, chosen
from penchant.explain._routing_trace import trace
from penchant.models import load_model
from penchant.pages import counted
from penchant.randomness import generator

MOST_LISTED = 16
"""Shared weights that are listed place by place."""
MOST_ARROWS = 100
"""Arrows that are listed one by one."""
SOURCES = (
    "Rumelhart, Hinton and Williams, Learning representations by back-propagating errors, 1986",
    "LeCun et al., Handwritten digit recognition with a back-propagation network, 1989",
)

Shape = Sequence[int]


def routed_network(
    network: nn.Module | str, input: Shape | Tensor | Sequence[Shape | Tensor] | None
) -> Explanation:
    """Explain the backward pass of a network.

    Args:
        network: a module, or ``file.py:Class`` or ``package.module:callable``.
        input: one sample's shape, whose numbers are then drawn from a normal distribution; or a
            tensor as the network takes it, its batch included; or several of them.

    Raises:
        PenchantError: the network cannot be loaded, run, followed or drawn.
    """
    made = _loaded(network) if isinstance(network, str) else network
    if not isinstance(made, nn.Module):
        raise PenchantError(
            f"explain routing: network is of type {type(made).__name__}; give a torch.nn.Module, "
            "or file.py:Class"
        )
    name = type(made).__name__
    given = inputs(input, name)
    traced = trace(made, given)
    numbers = chosen(traced, name)
    shown = Picture(route(traced), numbers)
    checks = [shown.check(row) for row in range(len(shown.rows))]
    sections = [_drawn(shown, name), _units(shown)]
    if shown.shared:
        sections.append(_shared(shown))
    sections += [_parameters(shown)] if any(n.parameter for n in traced.nodes) else []
    return Explanation(
        topic="routing",
        title=f"Gradient routing in {name}",
        summary=_summary(name, shown, checks),
        table=_table(shown, checks),
        sections=tuple(sections),
        sources=SOURCES,
    )


def _loaded(source: str) -> nn.Module:
    """A network whose first weights are the same each time, though they come from torch's draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return load_model(source)


def inputs(
    input: Shape | Tensor | Sequence[Shape | Tensor] | None, name: str
) -> tuple[Tensor, ...]:
    """Make what goes into the network: a batch of one of each shape."""
    if input is None:
        raise PenchantError(
            f"explain routing: what goes into {name}? Give one sample's shape, such as "
            "--input 8 or --input 3x8x8 (input=(3, 8, 8) in Python)"
        )
    several = isinstance(input, Sequence) and any(not isinstance(one, int) for one in input)
    parts = list(input) if several else [input]
    return tuple(_one(part, i) for i, part in enumerate(parts))


def _one(part: object, i: int) -> Tensor:
    if isinstance(part, Tensor):
        return part
    whole = isinstance(part, Sequence) and all(
        isinstance(n, int) and not isinstance(n, bool) for n in part
    )
    if not whole or not part or any(n < 1 for n in part):  # type: ignore[attr-defined]
        raise PenchantError(
            f"explain routing: input={part!r} is no shape; use whole numbers from 1, such as (8,)"
        )
    draws = generator(0, "explain routing", i)
    shape = torch.Size([1, *part])  # type: ignore[misc]
    if shape.numel() > 10_000_000:
        raise PenchantError(f"explain routing: input={part!r} has {shape.numel():,} numbers")
    return torch.randn(shape, generator=draws, dtype=torch.float64)


def _summary(name: str, shown: Picture, checks: list[Check]) -> str:
    kinks = sum(check.kinks for check in checks)
    left_out = (
        f" ({counted(kinks, 'number')} left out, where the slope is another on either side)"
        if kinks
        else ""
    )
    return (
        f"A backward pass through {name}, from 1 at every output: each value gets, from every step "
        "that used it, that step's slope times the gradient that arrived there, and sums what it "
        f"gets. The largest difference from autograd is {size(shown.routed.difference)}, from "
        f"central differences {size(max(check.difference for check in checks))}{left_out}."
    )


def size(difference: float) -> str:
    """A difference in one digit, and 0 where there is none.

    Example:
        >>> size(2.22e-16), size(0.0)
        ('2e−16', '0')
    """
    return "0" if difference == 0 else f"{difference:.0e}".replace("-", "−")


def _table(shown: Picture, checks: list[Check]) -> Table:
    rows = []
    for row, number, check in zip(shown.rows, shown.numbers, checks, strict=True):
        few = len(row.gradients) <= 4 and not row.block
        gradient = shown.routed.gradients[number]
        arrives = "  ".join(map(short, row.gradients)) if few else ""
        rows.append(
            (
                row.name,
                row.operation or "–",
                f"{shown.routed.trace.nodes[number].value.numel():,}",
                arrives or f"length {short(float(gradient.norm()))}",
                size(shown.routed.difference_at(number)),
                "kink" if check.kinks else size(check.difference),
            )
        )
    return Table(
        ("where", "does", "units", "upstream gradient", "off autograd", "off differences"),
        tuple(rows),
        "From the output down to the input. The last columns are the largest differences from "
        "autograd and from central differences of the whole network.",
    )


def legend(shown: Picture) -> list[str]:
    """Shared weights in words, in the order of their colours; none where they are too many."""
    if len(shown.shared) > MOST_LISTED:
        return []
    return [f"{one.name} = {short(one.value)}" for one in shown.shared]


def _drawn(shown: Picture, name: str) -> Section:
    blocks = any(row.block for row in shown.rows)
    passed = any(edge.lower[0] > edge.upper[0] + 1 for edge in shown.edges)
    words = ["In each box: the value above, the upstream gradient in colour below."]
    if blocks:
        words.append("A step of more than 8 units is one box with the lengths of both.")
    if passed:
        words.append("A line at the right goes past the steps between.")
    if shown.shared:
        words.append("Arrows of one colour are one weight.")
    if any(edge.slope == 0 for edge in shown.edges):
        words.append("A dotted arrow has slope 0: a gate that is shut.")
    return Section(
        "The backward pass",
        (
            "Arrows go the way of the gradient, from the output on top to the input. An arrow’s "
            "number is the slope of its upper end by its lower one: behind a weight, that weight.",
        ),
        (
            Figure(
                f"{name}, from the output back",
                drawing(
                    "routing-own",
                    f"{counted(len(shown.rows), 'row')} of boxes with a value and an upstream "
                    "gradient each, joined by arrows from the output down.",
                    shown.rows,
                    shown.edges,
                    legend(shown),
                ),
                " ".join(words),
            ),
        ),
    )


def _units(shown: Picture) -> Section:
    rows = []
    for row, number in zip(shown.rows, shown.numbers, strict=True):
        if row.block:
            continue
        theirs = autograd(shown.routed.trace.nodes[number]).flatten().tolist()
        for i, (value, gradient) in enumerate(zip(row.values, row.gradients, strict=True)):
            where = f"{row.name} {row.operation}".strip()
            rows.append((where, str(i), *(f"{v:.6g}" for v in (value, gradient, theirs[i]))))
    if not rows:
        return Section("Unit by unit", ("All steps are wider than 8 units.",))
    table = Table(
        ("where", "unit", "value", "gradient, routed", "by autograd"),
        tuple(tuple(cell.replace("-", "−") for cell in row) for row in rows),
    )
    return Section(
        "Unit by unit",
        (
            "Each gradient is the derivative of the sum of all outputs by this value. Below, what "
            "each arrow hands down: slope times upstream.",
        ),
        tables=(table, *_arrows(shown)),
    )


def _arrows(shown: Picture) -> tuple[Table, ...]:
    def end(at: tuple[int, int]) -> str:
        return f"{shown.rows[at[0]].name} {shown.rows[at[0]].operation}".strip() + f", {at[1]}"

    edges = [(edge, edge.slope) for edge in shown.edges if edge.slope is not None]
    if not edges:
        return ()
    rows = []
    for edge, slope in edges[:MOST_ARROWS]:
        upstream = shown.rows[edge.upper[0]].gradients[edge.upper[1]]
        numbers = (slope, upstream, slope * upstream)
        rows.append((end(edge.upper), end(edge.lower), *map(short, numbers)))
    more = len(edges) - MOST_ARROWS
    caption = f"{more:,} more are not listed." if more > 0 else ""
    return (Table(("from", "to", "slope", "upstream", "hands down"), tuple(rows), caption),)


def _shared(shown: Picture) -> Section:
    listed = shown.shared[:MOST_LISTED]
    more = len(shown.shared) - len(listed)
    return Section(
        "Shared weights",
        (
            "A weight that is used at several places gets a gradient from each of them, upstream "
            "times what it was multiplied with, and they are summed.",
        ),
        tables=(shared_table(listed, f"{more} more are not listed." if more else ""),),
    )


def shared_table(shared: Sequence[Shared], caption: str = "") -> Table:
    """Shared weights with what each of their places contributes."""
    return Table(
        ("weight", "places", "upstream · input, summed", "routed", "autograd"),
        tuple(
            (
                f"{one.name} = {short(one.value)}",
                str(len(one.places)),
                " + ".join(f"{_held(g)}·{_held(x)}" for g, x in one.places[:8])
                + (" + …" if len(one.places) > 8 else ""),
                short(one.routed),
                short(one.autograd),
            )
            for one in shared
        ),
        caption,
    )


def _held(value: float) -> str:
    return f"({short(value)})" if value < 0 else short(value)


def _parameters(shown: Picture) -> Section:
    trace = shown.routed.trace
    uses = [0] * len(trace.nodes)
    for node in trace.nodes:
        for operand in set(node.step.operands) if node.step else ():
            if isinstance(operand, int):
                uses[operand] += 1
    rows = tuple(
        (
            node.name,
            "×".join(map(str, node.value.shape)) or "1",
            str(uses[number]),
            f"{float(shown.routed.gradients[number].norm()):.6g}",
            f"{float(autograd(node).norm()):.6g}",
            size(shown.routed.difference_at(number)),
        )
        for number, node in enumerate(trace.nodes)
        if node.parameter
    )
    return Section(
        "Parameters",
        ("Lengths of the parameters’ gradients; steps says how many use the parameter.",),
        tables=(
            Table(("parameter", "shape", "steps", "routed", "autograd", "off autograd"), rows),
        ),
    )
