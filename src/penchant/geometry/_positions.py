"""Sets of positions on one axis, and how every output along an axis depends on them.

Decisions:
- A set is (first, bits): a Python integer whose bit j stands for position first + j. Unions of
  sets are one machine instruction a word, and local fields stay small however long the signal.
- What is seen on the signal given (`rows`, clipped to it) and what would be seen on an endless
  one (`ideal`) are kept side by side: the first is exact at the edges, the second has the size,
  the stride and a start that may lie in the padding.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

Positions = tuple[int, int]
"""(first, bits); `NOTHING` is empty, and bits is odd otherwise."""

NOTHING: Positions = (0, 0)


LONGEST_PERIOD = 4096
"""A pattern that takes longer to repeat is not followed on an endless signal."""


def trimmed(first: int, bits: int) -> Positions:
    """Bring a set into its one form.

    Example:
        >>> trimmed(3, 0b1100)
        (5, 3)
    """
    if bits == 0:
        return NOTHING
    low = (bits & -bits).bit_length() - 1
    return first + low, bits >> low


def union(sets: Iterable[Positions]) -> Positions:
    """Return the union.

    Example:
        >>> list(members(union([(4, 1), (0, 0b101)])))
        [0, 2, 4]
    """
    first, bits = 0, 0
    for other, more in sets:
        if not more or (other == first and more == bits):
            continue
        if not bits:
            first, bits = other, more
        elif other >= first:
            bits |= more << (other - first)
        else:
            bits = more | (bits << (first - other))
            first = other
    return first, bits


def moved(positions: Positions, distance: int) -> Positions:
    """Return the set moved by a distance."""
    return (positions[0] + distance, positions[1]) if positions[1] else NOTHING


def within(inner: Positions, outer: Positions) -> bool:
    """Say whether one set lies within another."""
    if not inner[1]:
        return True
    distance = inner[0] - outer[0]
    return distance >= 0 and (inner[1] << distance) & ~outer[1] == 0


def extent(positions: Positions) -> int:
    """Return last − first + 1, 0 for the empty set."""
    return positions[1].bit_length()


def members(positions: Positions) -> Iterable[int]:
    """Go through the set in order."""
    first, bits = positions
    while bits:
        low = (bits & -bits).bit_length() - 1
        yield first + low
        bits &= bits - 1


@dataclass(frozen=True)
class Periodic:
    """Fields on an endless signal: output i + period sees what output i sees, moved by `step`."""

    sets: tuple[Positions, ...]
    step: int

    @property
    def rate(self) -> Fraction:
        """Input positions an output: the stride."""
        return Fraction(self.step, len(self.sets))

    def row(self, index: int) -> Positions:
        """Return what output `index` sees; any whole number is an output."""
        turns, phase = divmod(index, len(self.sets))
        return moved(self.sets[phase], turns * self.step)

    def centre(self) -> Fraction:
        """Return the mean, over one period, of the fields' centres, less the stride's share."""
        total = Fraction(0)
        for index, (first, bits) in enumerate(self.sets):
            total += Fraction(2 * first + bits.bit_length() - 1, 2) - index * self.rate
        return total / len(self.sets)

    def shortest(self) -> "Periodic":
        """Write it with its shortest period."""
        period = len(self.sets)
        for length in range(1, period):
            moves = Fraction(self.step * length, period)
            if period % length or moves.denominator != 1:
                continue
            if all(
                self.row(index + length) == moved(self.sets[index], int(moves))
                for index in range(period)
            ):
                return Periodic(self.sets[:length], int(moves))
        return self


@dataclass(frozen=True)
class Taps:
    """Which inputs each output along one axis reads.

    Args:
        outputs: number of outputs.
        inputs: number of inputs.
        reads: the inputs that an output reads; those outside the axis read nothing.
        period: after so many outputs (first) the reads have moved by so many inputs (second).
        endless: the reads on an endless axis, where they differ from `reads`; None where `reads`
            serves, a sentence where there is no such pattern.
    """

    outputs: int
    inputs: int
    reads: Callable[[int], Iterable[int]]
    period: tuple[int, int] = (1, 1)
    endless: Callable[[int], Iterable[int]] | str | None = None

    def active(self, mask: int) -> int:
        """Return the outputs, as bits, that read an input of the mask."""
        found = 0
        for index in range(self.outputs):
            if any(0 <= read < self.inputs and mask >> read & 1 for read in self.reads(index)):
                found |= 1 << index
        return found


class Relation:
    """What every output along an axis sees of one axis of the network's input.

    Args:
        rows: for each output the positions on the signal given.
        ideal: the same on an endless signal, or why there is no such thing.
    """

    __slots__ = ("_hash", "ideal", "rows")

    def __init__(self, rows: tuple[Positions, ...], ideal: Periodic | str) -> None:
        self.rows = rows
        self.ideal = ideal
        self._hash: int | None = None

    @classmethod
    def identity(cls, length: int) -> "Relation":
        """Each output sees its own position."""
        return cls(tuple((index, 1) for index in range(length)), Periodic(((0, 1),), 1))

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.rows, self.ideal))
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Relation) or hash(self) != hash(other):
            return False
        return self.rows == other.rows and self.ideal == other.ideal

    def through(self, taps: Taps) -> "Relation":
        """Read this relation through a layer's taps."""
        rows, last = self.rows, taps.inputs
        seen = tuple(
            union(rows[read] for read in taps.reads(index) if 0 <= read < last)
            for index in range(taps.outputs)
        )
        return Relation(seen, self._ideal_through(taps))

    def _ideal_through(self, taps: Taps) -> Periodic | str:
        if isinstance(self.ideal, str):
            return self.ideal
        if isinstance(taps.endless, str):
            return taps.endless
        reads = taps.endless or taps.reads
        period, (turn, advance) = len(self.ideal.sets), taps.period
        turns = period // gcd(period, advance)
        if turns * turn > LONGEST_PERIOD:
            return f"the pattern repeats after {turns * turn} outputs only"
        ideal = self.ideal
        sets = tuple(
            union(ideal.row(read) for read in reads(index)) for index in range(turns * turn)
        )
        return Periodic(sets, ideal.step * (turns * advance // period)).shortest()

    def cumulative(self) -> "Relation":
        """Let each output see what it and all before it saw."""
        seen, rows = NOTHING, []
        for row in self.rows:
            seen = union((seen, row))
            rows.append(seen)
        return Relation(tuple(rows), "each position sees all before it")

    def reversed(self) -> "Relation":
        """Turn the outputs around."""
        return Relation(self.rows[::-1], "the axis is reversed")

    def all(self) -> Positions:
        """Return what all outputs together see."""
        return union(self.rows)

    def joined(self, other: "Relation") -> "Relation":
        """Return the union, output by output."""
        if self is other:
            return self
        pairs = zip(self.rows, other.rows, strict=True)
        rows = tuple(one if one == two else union((one, two)) for one, two in pairs)
        return Relation(rows, join_ideals(self.ideal, other.ideal))

    def within(self, other: "Relation") -> bool:
        """Say whether it adds nothing to another, on the signal and on an endless one."""
        if isinstance(self.ideal, str):
            if self.ideal != other.ideal:
                return False
        elif (
            not isinstance(other.ideal, str) and join_ideals(self.ideal, other.ideal) != other.ideal
        ):
            return False
        return all(within(one, two) for one, two in zip(self.rows, other.rows, strict=True))


def join_ideals(one: Periodic | str, two: Periodic | str) -> Periodic | str:
    """Return the union on an endless signal, or why there is none."""
    if isinstance(one, str) or isinstance(two, str):
        return one if isinstance(one, str) else two
    if one == two:
        return one
    if one.rate != two.rate:
        low, high = sorted((one.rate, two.rate))
        return f"misaligned: paths of stride {low} and {high} meet"
    period = lcm(len(one.sets), len(two.sets))
    if period > LONGEST_PERIOD:
        return f"the pattern repeats after {period} outputs only"
    sets = tuple(union((one.row(index), two.row(index))) for index in range(period))
    return Periodic(sets, int(one.rate * period)).shortest()
