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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

from penchant.geometry._positions import (
    Positions,
    Relation,
    Taps,
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
