"""How every element of a tensor depends on the network's inputs: a union of products.

A `Term` says that an element depends on a box: on each tracked axis of one input a set of
positions, which may follow the element's index along one of the tensor's dimensions. A tensor's
dependence is a list of terms. All operations here are exact; a sliding window, a mean, a
permutation keep one term one term, adding branches joins lists, and what is contained in another
term or differs from it along one axis only is merged.

Decisions:
- A dimension is a sequence of legs (sizes whose product it is), so that flattening and
  unflattening, as windows and tokens do, lose nothing.
- A leg follows at most one input axis, or is masked: only some of its indices depend at all. So
  slices and concatenations of channels stay apart.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

from penchant.geometry._positions import (
    NOTHING,
    Periodic,
    Positions,
    Relation,
    Taps,
    join_ideals,
    union,
    within,
)

MOST_TERMS = 600
"""Above this many terms a dependence is not followed."""


class InseparableError(Exception):
    """A dependence that is no short union of products."""


@dataclass(frozen=True)
class Leg:
    """One factor of a dimension: plain, masked, or following an input axis.

    Args:
        size: number of indices.
        axis: the input axis that the index follows.
        relation: what each index sees of that axis.
        mask: as bits, the indices that depend at all; None for all of them.
    """

    size: int
    axis: int | None = None
    relation: Relation | None = None
    mask: int | None = None

    def skeleton(self) -> tuple[int, int | None]:
        """What two legs must share to be joined."""
        return self.size, self.axis

    def joined(self, other: "Leg") -> "Leg":
        """Return the union of two legs of one skeleton."""
        if self.relation is not None and other.relation is not None:
            return replace(self, relation=self.relation.joined(other.relation))
        if self.mask is None or other.mask is None:
            return replace(self, mask=None)
        return masked(self.size, self.mask | other.mask)

    def within(self, other: "Leg") -> bool:
        """Say whether it adds nothing to another leg of its skeleton."""
        if self.relation is not None and other.relation is not None:
            return self.relation is other.relation or self.relation.within(other.relation)
        if other.mask is None:
            return True
        return self.mask is not None and self.mask & ~other.mask == 0

    def through(self, taps: Taps) -> "Leg":
        """Read it through taps."""
        if self.relation is not None:
            return replace(self, size=taps.outputs, relation=self.relation.through(taps))
        everything = (1 << self.size) - 1
        return masked(taps.outputs, taps.active(everything if self.mask is None else self.mask))

    def part(self, index: int) -> "Leg":
        """Keep one index and let the others depend on nothing."""
        if self.relation is None:
            kept = self.mask is None or self.mask >> index & 1
            return masked(self.size, 1 << index if kept else 0)
        rows = [NOTHING] * self.size
        rows[index] = self.relation.rows[index]
        return replace(self, relation=Relation(tuple(rows), _JOINT))

    def depends(self, index: int) -> bool:
        """Say whether an index depends on anything."""
        if self.relation is not None:
            return self.relation.rows[index][1] != 0
        return self.mask is None or bool(self.mask >> index & 1)

    def empty(self) -> bool:
        """Say whether no index depends on anything."""
        if self.relation is not None:
            return not any(row[1] for row in self.relation.rows)
        return self.mask == 0


_JOINT = "two axes share one dimension"


def masked(size: int, mask: int) -> Leg:
    """Return a leg of which only some indices depend."""
    return Leg(size) if mask == (1 << size) - 1 else Leg(size, mask=mask)


Dimension = tuple[Leg, ...]


@dataclass(frozen=True)
class Term:
    """A box of one input, position by position.

    Args:
        source: the input's name.
        dims: the tensor's dimensions, each a sequence of legs, the slowest first.
        free: the input axes that no index follows, each with the positions that all see.
    """

    source: str
    dims: tuple[Dimension, ...]
    free: tuple[tuple[int, Positions], ...] = ()

    def shape(self) -> tuple[int, ...]:
        """Return the tensor's shape."""
        return tuple(prod(leg.size for leg in dim) for dim in self.dims)

    def empty(self) -> bool:
        """Say whether nothing depends."""
        return any(leg.empty() for dim in self.dims for leg in dim)

    def with_dim(self, number: int, legs: Dimension) -> "Term":
        """Replace one dimension."""
        return replace(self, dims=(*self.dims[:number], legs, *self.dims[number + 1 :]))

    def freed(self, more: dict[int, Positions]) -> "Term":
        """Add axes that no index follows."""
        return replace(self, free=tuple(sorted((*self.free, *more.items()))))

    def dissolved(self, numbers: Iterable[int]) -> "Term":
        """Let the dimensions go: each element sees what all indices along them saw."""
        dims, free = list(self.dims), dict(self.free)
        for number in numbers:
            for leg in dims[number]:
                if leg.relation is not None and leg.axis is not None:
                    free[leg.axis] = leg.relation.all()
            dims[number] = ()
        return Term(self.source, tuple(dims), tuple(sorted(free.items())))

    def follows(self, number: int) -> bool:
        """Say whether a dimension follows an axis of the input."""
        return any(leg.axis is not None for leg in self.dims[number])

    def factors(self) -> list[Leg | Positions]:
        """List what the box is a product of."""
        legs: list[Leg | Positions] = [leg for dim in self.dims for leg in dim]
        return legs + [positions for _, positions in self.free]

    def skeleton(self) -> tuple[object, ...]:
        """What two terms must share to be joined factor by factor."""
        dims = tuple(tuple(leg.skeleton() for leg in dim) for dim in self.dims)
        return self.source, dims, tuple(axis for axis, _ in self.free)

    def with_factors(self, factors: Sequence[Leg | Positions]) -> "Term":
        """Put other factors into the skeleton."""
        rest = iter(factors)
        dims = tuple(tuple(_leg(next(rest)) for _ in dim) for dim in self.dims)
        free = tuple((axis, _positions(next(rest))) for axis, _ in self.free)
        return Term(self.source, dims, free)


def _leg(factor: Leg | Positions) -> Leg:
    assert isinstance(factor, Leg)
    return factor


def _positions(factor: Leg | Positions) -> Positions:
    assert not isinstance(factor, Leg)
    return factor


Terms = tuple[Term, ...]


def simplified(terms: Iterable[Term]) -> Terms:
    """Drop what is empty or contained in another term, and join what differs in one factor."""
    groups: dict[tuple[object, ...], list[Term]] = {}
    for term in terms:
        if not term.empty():
            groups.setdefault(term.skeleton(), []).append(term)
    found: list[Term] = []
    for group in groups.values():
        found.extend(_simplified_group(group))
    return tuple(found)


def _simplified_group(group: list[Term]) -> list[Term]:
    if len(group) == 1:
        return group
    before = len(group) + 1
    while len(group) < before:
        before = len(group)
        for number in range(len(group[0].factors())):
            group = _joined_along(group, number)
            if len(group) == 1:
                return group
    if len(group) <= 200:
        group = _outermost(group)
    if len(group) > MOST_TERMS:
        raise InseparableError("what an element sees is no short union of boxes")
    return group


def _joined_along(group: list[Term], number: int) -> list[Term]:
    buckets: dict[tuple[object, ...], tuple[Term, list[Leg | Positions]]] = {}
    joined: set[tuple[object, ...]] = set()
    for term in group:
        factors = term.factors()
        key = (*factors[:number], *factors[number + 1 :])
        if key not in buckets:
            buckets[key] = term, factors
        else:
            buckets[key][1][number] = _join(buckets[key][1][number], factors[number])
            joined.add(key)
    return [
        term.with_factors(factors) if key in joined else term
        for key, (term, factors) in buckets.items()
    ]


def _join(one: Leg | Positions, two: Leg | Positions) -> Leg | Positions:
    if isinstance(one, Leg) and isinstance(two, Leg):
        return one if one == two else one.joined(two)
    return union((_positions(one), _positions(two)))


def _contained(one: Leg | Positions, two: Leg | Positions) -> bool:
    if isinstance(one, Leg) and isinstance(two, Leg):
        return one.within(two)
    return within(_positions(one), _positions(two))


def _outermost(group: list[Term]) -> list[Term]:
    kept: list[tuple[Term, list[Leg | Positions]]] = []
    for term in group:
        factors = term.factors()

        def inside(one: list[Leg | Positions], two: list[Leg | Positions]) -> bool:
            return all(_contained(a, b) for a, b in zip(one, two, strict=True))

        if any(inside(factors, other) for _, other in kept):
            continue
        kept = [(old, other) for old, other in kept if not inside(other, factors)]
        kept.append((term, factors))
    return [term for term, _ in kept]


@dataclass(frozen=True)
class Meeting:
    """Branches that meet without seeing the same place.

    Args:
        where: the input axis, in words.
        strides: the branches' strides, where they differ; empty otherwise.
        apart: how far apart their centres are, where the strides agree.
    """

    where: str
    strides: tuple[Fraction, ...]
    apart: Fraction


def meetings(parts: Sequence[Terms]) -> list[Meeting]:
    """Find where branches meet that do not see the same place.

    Args:
        parts: the terms of each branch, of one shape.

    Returns:
        One entry an input axis on which strides or centres differ.
    """
    seen: dict[tuple[str, int, int], set[tuple[Fraction, Fraction]]] = {}
    for part in parts:
        for place, ideal in _ideals(part).items():
            if isinstance(ideal, Periodic):
                seen.setdefault(place, set()).add((ideal.rate, ideal.centre()))
    found = []
    for (source, axis, _), pairs in seen.items():
        strides = tuple(sorted({rate for rate, _ in pairs}))
        centres = {centre for _, centre in pairs}
        where = f"axis {axis} of {source}"
        if len(strides) > 1:
            found.append(Meeting(where, strides, Fraction(0)))
        elif len(centres) > 1:
            found.append(Meeting(where, (), max(centres) - min(centres)))
    return found


def _ideals(part: Terms) -> dict[tuple[str, int, int], Periodic | str]:
    """Return the pattern along each of the tensor's dimensions."""
    ideals: dict[tuple[str, int, int], Periodic | str] = {}
    for term in part:
        for number, dim in enumerate(term.dims):
            if sum(leg.relation is not None for leg in dim) != 1:
                continue
            leg = dim[0] if len(dim) == 1 else _fused(dim)[0][0]
            if leg.axis is not None and leg.relation is not None:
                place, ideal = (term.source, leg.axis, number), leg.relation.ideal
                ideals[place] = join_ideals(ideals[place], ideal) if place in ideals else ideal
    return ideals


def single_leg(term: Term, number: int) -> list[Term]:
    """Write a dimension as one leg; two legs that follow axes take one term an index of one."""
    legs = term.dims[number]
    if len(legs) == 1:
        return [term]
    if not legs:
        return [term.with_dim(number, (Leg(1),))]
    return [term.with_dim(number, (leg,)).freed(extra) for leg, extra in _fused(legs)]


def _fused(legs: Dimension) -> list[tuple[Leg, dict[int, Positions]]]:
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


def mapped(terms: Terms, change: Callable[[Term], Term]) -> Terms:
    """Change every term and simplify."""
    return simplified(change(term) for term in terms)


def sized(sizes: Sequence[int]) -> tuple[Dimension, ...]:
    """Return plain dimensions of the given sizes."""
    return tuple((Leg(size),) for size in sizes)


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
