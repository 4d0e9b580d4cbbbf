"""Dimensions of a tensor's dependence fused, read through taps, split and viewed anew."""

from collections.abc import Sequence
from dataclasses import replace

from penchant.geometry._dependence import (
    MOST_TERMS,
    Dimension,
    InseparableError,
    Leg,
    Term,
    Terms,
    masked,
    simplified,
)
from penchant.geometry._positions import NOTHING, Positions, Relation, Taps

_JOINT = "two axes share one dimension"


def single_leg(term: Term, number: int) -> list[Term]:
    """Write a dimension as one leg; two legs that follow axes take one term an index of one."""
    legs = term.dims[number]
    if len(legs) == 1:
        return [term]
    if not legs:
        return [term.with_dim(number, (Leg(1),))]
    return [term.with_dim(number, (leg,)).freed(extra) for leg, extra in fused(legs)]


def fused(legs: Dimension) -> list[tuple[Leg, dict[int, Positions]]]:
    fused: list[tuple[Leg, dict[int, Positions]]] = [(legs[0], {})]
    for inner in legs[1:]:
        fused = [
            (leg, {**extra, **more}) for outer, extra in fused for leg, more in _pair(outer, inner)
        ]
    return fused


def _pair(outer: Leg, inner: Leg) -> list[tuple[Leg, dict[int, Positions]]]:
    """Fuse two legs: index = outer index · inner size + inner index."""
    size = outer.size * inner.size
    if inner.size == 1 and inner.axis is None:
        return [(outer, {})] if inner.depends(0) else []
    if outer.size == 1 and outer.axis is None:
        return [(inner, {})] if outer.depends(0) else []
    if outer.relation is not None and inner.relation is not None:
        return _split_pair(outer, inner)
    if outer.relation is None and inner.relation is None:
        block = (1 << inner.size) - 1 if inner.mask is None else inner.mask
        mask = 0
        for index in range(outer.size):
            if outer.depends(index):
                mask |= block << (index * inner.size)
        return [(masked(size, mask), {})]
    if outer.relation is not None:
        taps = Taps(
            size,
            outer.size,
            lambda index: (index // inner.size,) if inner.depends(index % inner.size) else (),
            (inner.size, 1),
            None if inner.mask is None else "only a part of the dimension depends on the input",
        )
        return [(outer.through(taps), {})]
    repeated = Taps(
        size,
        inner.size,
        lambda index: (index % inner.size,) if outer.depends(index // inner.size) else (),
        endless="the axis is repeated",
    )
    return [(inner.through(repeated), {})]


def _split_pair(outer: Leg, inner: Leg) -> list[tuple[Leg, dict[int, Positions]]]:
    assert outer.relation is not None and inner.relation is not None
    assert outer.axis is not None and inner.axis is not None
    size, found = outer.size * inner.size, []
    by_outer = outer.size <= inner.size
    kept, let = (inner, outer) if by_outer else (outer, inner)
    assert kept.relation is not None and let.relation is not None and let.axis is not None
    for index, positions in enumerate(let.relation.rows):
        rows = [NOTHING] * size
        for other, row in enumerate(kept.relation.rows):
            rows[index * inner.size + other if by_outer else other * inner.size + index] = row
        leg = Leg(size, kept.axis, Relation(tuple(rows), _JOINT))
        if positions[1]:
            found.append((leg, {let.axis: positions}))
    return found


def along(terms: Terms, number: int, taps: Taps) -> Terms:
    """Read every term through taps along one dimension."""
    return tuple(
        moved
        for term in terms
        for one in single_leg(term, number)
        if not (moved := one.with_dim(number, (one.dims[number][0].through(taps),))).empty()
    )


def reshaped(terms: Terms, shape: Sequence[int]) -> Terms:
    """View the elements in another shape."""
    return simplified(done for term in terms for done in _reshape(term, tuple(shape)))


def _reshape(term: Term, shape: tuple[int, ...]) -> list[Term]:
    legs = [leg for dim in term.dims for leg in dim if leg.size != 1 or leg.axis is not None]
    free = dict(term.free)
    for leg in [leg for leg in legs if leg.size == 1]:
        assert leg.axis is not None and leg.relation is not None
        free[leg.axis] = leg.relation.rows[0]
    legs = [leg for leg in legs if leg.size != 1]
    start = Term(term.source, (), tuple(sorted(free.items())))
    done: list[tuple[Term, list[Leg]]] = [(start, legs)]
    for size in shape:
        done = [
            (replace(partial, dims=(*partial.dims, taken)).freed(extra), rest)
            for partial, remaining in done
            for taken, rest, extra in _take(remaining, size)
        ]
        if len(done) > MOST_TERMS**2:
            raise InseparableError("a view takes axes apart in no regular way")
    return [partial for partial, _ in done]


def _take(legs: list[Leg], size: int) -> list[tuple[Dimension, list[Leg], dict[int, Positions]]]:
    """Take legs of a product from the front; where a leg has to be split, it may be several."""
    if size == 1:
        return [((Leg(1),), legs, {})]
    taken: list[Leg] = []
    left = size
    for number, leg in enumerate(legs):
        if left % leg.size == 0:
            taken.append(leg)
            left //= leg.size
            if left == 1:
                return [(tuple(taken), legs[number + 1 :], {})]
        elif leg.size % left == 0:
            return [
                ((*taken, outer), [inner, *legs[number + 1 :]], {})
                for outer, inner in _split(leg, left)
            ]
        else:
            # The borders do not fit: the next two legs are fused and split anew.
            return [
                ((*taken, *got), rest, {**extra, **more})
                for both, extra in _pair(leg, legs[number + 1])
                for got, rest, more in _take([both, *legs[number + 2 :]], left)
            ]
    raise InseparableError("a view takes axes apart in no regular way")


def _split(leg: Leg, outer: int) -> list[tuple[Leg, Leg]]:
    """Split one leg into two, index = outer index · inner size + inner index."""
    inner = leg.size // outer
    if leg.relation is not None:
        rows, ideal, axis = leg.relation.rows, leg.relation, leg.axis
        if inner <= outer:
            return [
                (
                    Leg(outer, axis, ideal.through(_every(outer, leg.size, inner, offset))),
                    masked(inner, 1 << offset),
                )
                for offset in range(inner)
            ]
        return [
            (
                masked(outer, 1 << index),
                Leg(inner, axis, Relation(rows[index * inner : (index + 1) * inner], "a window")),
            )
            for index in range(outer)
        ]
    if leg.mask is None:
        return [(Leg(outer), Leg(inner))]
    patterns: dict[int, int] = {}
    for index in range(outer):
        pattern = leg.mask >> (index * inner) & ((1 << inner) - 1)
        if pattern:
            patterns[pattern] = patterns.get(pattern, 0) | 1 << index
    return [(masked(outer, rows), masked(inner, pattern)) for pattern, rows in patterns.items()]


def _every(outputs: int, inputs: int, step: int, offset: int) -> Taps:
    return Taps(outputs, inputs, lambda index: (index * step + offset,), (1, step))
