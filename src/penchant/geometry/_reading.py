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
    join_ideals,
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
    bound = [found for term in terms for found in _bound(term, axis)]
    everywhere = all(_bound(term, axis) for term in terms)
    if everywhere and len({place for place, _ in bound}) == 1:
        (number, _, _), relation = bound[0]
        for _, other in bound[1:]:
            relation = relation.joined(other)
        return _follows(axis, length, number, dict(enumerate(relation.rows)), relation.ideal)
    moving = {number for (number, _, _), _ in bound}
    varying = {
        number: dict(enumerate(found))
        for number in range(len(terms[0].dims))
        if _may_vary(terms, number) and len(set(found := _rows_along(terms, axis, number))) > 1
    }
    if not varying:
        seen = union(_set_of(term, axis) for term in terms)
        note = WHOLE if extent(seen) == length else "every output sees the same"
        return AxisField(axis, length, extent(seen), None, seen[0], None, note, {0: seen}, seen)
    # Where channels differ and places do too, the field is that of all channels together.
    chosen = [number for number in varying if number in moving] or list(varying)
    if len(chosen) > 1:
        note = "what an output sees changes along several dimensions; seen(position) is exact"
        return AxisField(axis, length, None, None, None, None, note)
    (number,) = chosen
    return _follows(axis, length, number, varying[number], _ideal_along(terms, axis, number))


def _bound(term: Term, axis: int) -> list[tuple[tuple[int, int, int], Relation]]:
    """Find where an axis is followed: dimension, size and stride of the leg, and the relation."""
    found = []
    for number, dim in enumerate(term.dims):
        rest = prod(leg.size for leg in dim)
        for leg in dim:
            rest //= leg.size
            if leg.axis == axis and leg.relation is not None:
                found.append(((number, leg.size, rest), leg.relation))
    return found


def _single(terms: Terms, number: int) -> list[Term]:
    return [one for term in terms for one in single_leg(term, number)]


def _may_vary(terms: Terms, number: int) -> bool:
    """Say whether a dimension's indices can differ in what they see, without looking at each."""
    legs = [leg for term in terms for leg in term.dims[number]]
    return any(leg.mask is not None or leg.axis is not None for leg in legs)


def _set_of(term: Term, axis: int) -> Positions:
    """Return what all elements together see of an axis through one term."""
    free = dict(term.free)
    return free[axis] if axis in free else _bound(term, axis)[0][1].all()


def _rows_along(terms: Terms, axis: int, number: int) -> list[Positions]:
    """Return what each index of a dimension sees of an axis, all other dimensions together."""
    size = terms[0].shape()[number]
    rows: list[list[Positions]] = [[] for _ in range(size)]
    for term in _single(terms, number):
        leg = term.dims[number][0]
        seen = None if leg.axis == axis else _set_of(term, axis)
        for index, row in enumerate(rows):
            if leg.axis == axis and leg.relation is not None:
                row.append(leg.relation.rows[index])
            elif seen is not None and leg.depends(index):
                row.append(seen)
    return [union(row) for row in rows]


def _ideal_along(terms: Terms, axis: int, number: int) -> Periodic | str:
    ideal: Periodic | str | None = None
    for term in _single(terms, number):
        leg = term.dims[number][0]
        if leg.axis != axis or leg.relation is None:
            return "what an output sees does not move in equal steps"
        ideal = leg.relation.ideal if ideal is None else join_ideals(ideal, leg.relation.ideal)
    return ideal if ideal is not None else "nothing is seen"


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
