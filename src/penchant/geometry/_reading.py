"""From a tensor's dependence to its receptive field."""

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import torch
from torch import Tensor

from penchant.geometry._dependence import Leg, Term, Terms
from penchant.geometry._fields import AxisField, ReceptiveField
from penchant.geometry._legs import single_leg
from penchant.geometry._positions import (
    NOTHING,
    Periodic,
    Positions,
    Relation,
    extent,
    members,
    union,
)

WHOLE = "every output sees the whole axis"


def fields_of(
    terms: Terms, shape: tuple[int, ...], inputs: dict[str, tuple[int, ...]]
) -> tuple[ReceptiveField, ...]:
    """Read every input's field off a tensor's terms.

    Args:
        terms: what the tensor depends on.
        shape: its shape.
        inputs: name and shape of every input.

    Returns:
        One field an input that reaches the tensor, in the inputs' order.
    """
    return tuple(
        _field(name, inputs[name], mine, shape)
        for name in inputs
        if (mine := tuple(term for term in terms if term.source == name))
    )


def _field(
    name: str, input_shape: tuple[int, ...], terms: Terms, shape: tuple[int, ...]
) -> ReceptiveField:
    axes = sorted(_axes(terms[0]))
    fields = tuple(_axis_field(axis, input_shape[axis], terms) for axis in axes)
    lengths = {axis: input_shape[axis] for axis in axes}
    return ReceptiveField(name, input_shape, shape, fields, _Look(terms, lengths))


def _axes(term: Term) -> set[int]:
    bound = {leg.axis for dim in term.dims for leg in dim if leg.axis is not None}
    return bound | {axis for axis, _ in term.free}


@dataclass(frozen=True)
class _Look:
    """Gives the exact set that one element sees."""

    terms: Terms
    lengths: dict[int, int]

    def __call__(self, position: tuple[int | None, ...]) -> Tensor:
        seen = torch.zeros(list(self.lengths.values()), dtype=torch.bool)
        for term in self.terms:
            for box in _boxes(term, position):
                masks = [_mask(box[axis], length) for axis, length in self.lengths.items()]
                product = masks[0]
                for mask in masks[1:]:
                    product = product[..., None] & mask
                seen |= product
        return seen


def _mask(positions: Positions, length: int) -> Tensor:
    mask = torch.zeros(length, dtype=torch.bool)
    mask[list(members(positions))] = True
    return mask


def _boxes(term: Term, position: tuple[int | None, ...]) -> list[dict[int, Positions]]:
    """Return what an element sees through one term: none or one box."""
    box = dict(term.free)
    for dim, at in zip(term.dims, position, strict=True):
        rest = prod(leg.size for leg in dim)
        for leg in dim:
            rest //= leg.size
            index = None if at is None else at // rest % leg.size
            seen = _seen(leg, index)
            if not seen[1]:
                return []
            if leg.axis is not None:
                box[leg.axis] = seen
    return [box]


def _seen(leg: Leg, index: int | None) -> Positions:
    if leg.relation is not None:
        return leg.relation.all() if index is None else leg.relation.rows[index]
    return (0, 1) if index is None or leg.depends(index) else NOTHING


def _axis_field(axis: int, length: int, terms: Terms) -> AxisField:
    free = [dict(term.free)[axis] for term in terms if axis in dict(term.free)]
    bound = [found for term in terms for found in _bound(term, axis)]
    if len({place for place, _ in bound}) > 1 and len({number for (number, _, _), _ in bound}) == 1:
        # One dimension taken apart in two ways: it is read as it stands.
        number = bound[0][0][0]
        terms = tuple(one for term in terms for one in single_leg(term, number))
        free = [dict(term.free)[axis] for term in terms if axis in dict(term.free)]
        bound = [found for term in terms for found in _bound(term, axis)]
    if not bound:
        seen = union(free)
        whole = extent(seen) == length
        note = WHOLE if whole else "every output sees the same"
        return AxisField(axis, length, extent(seen), None, seen[0], None, note, {0: seen}, seen)
    if len({place for place, _ in bound}) > 1:
        return AxisField(
            axis, length, None, None, None, None, "outputs see it along two dimensions"
        )
    (number, _, _), relation = bound[0]
    for _, other in bound[1:]:
        relation = relation.joined(other)
    ideal = relation.ideal
    rows = dict(enumerate(relation.rows))
    if free:
        everywhere = union(free)
        rows = {index: union((row, everywhere)) for index, row in rows.items()}
        ideal = "a part of what every output sees is the same"
        if extent(everywhere) == length:
            ideal = WHOLE
    return _follows(axis, length, number, rows, ideal)


def _bound(term: Term, axis: int) -> list[tuple[tuple[int, int, int], Relation]]:
    found = []
    for number, dim in enumerate(term.dims):
        rest = prod(leg.size for leg in dim)
        for leg in dim:
            rest //= leg.size
            if leg.axis == axis and leg.relation is not None:
                found.append(((number, leg.size, rest), leg.relation))
    return found


def _follows(
    axis: int, length: int, number: int, rows: dict[int, Positions], ideal: Periodic | str
) -> AxisField:
    largest = max(extent(row) for row in rows.values())
    if isinstance(ideal, str):
        if all(extent(row) == length for row in rows.values()):
            ideal = WHOLE
        first = next((row for row in rows.values() if row[1]), NOTHING)
        if ideal.startswith("misaligned"):
            return AxisField(axis, length, None, None, None, number, ideal, rows, NOTHING)
        return AxisField(axis, length, largest, None, first[0], number, ideal, rows, first)
    sizes = {extent(row) for row in ideal.sets}
    period = len(ideal.sets)
    note = "" if period == 1 else f"moves by {ideal.step} every {period} outputs"
    if len(sizes) > 1:
        note += f", sizes {min(sizes)} to {max(sizes)}"
    stride: int | Fraction = ideal.rate
    if stride.denominator == 1:
        stride = int(stride)
    # Between the taps of a transposed convolution an output may see nothing.
    pattern = next((row for row in ideal.sets if row[1]), NOTHING)
    return AxisField(axis, length, max(sizes), stride, pattern[0], number, note, rows, pattern)
