"""Rules of operations on elements and shapes: pointwise, views, slices, joins."""

from collections.abc import Iterable, Sequence
from typing import Any

from penchant.geometry._call import Call, UnknownError, Value, dimension
from penchant.geometry._dependence import Leg, Term, Terms, simplified
from penchant.geometry._legs import along, reshaped
from penchant.geometry._meetings import meetings
from penchant.geometry._positions import Taps


def broadcast(terms: Terms, shape: Sequence[int]) -> Terms:
    """Expand terms to a shape: missing dimensions in front, and those of size 1."""
    found = []
    for term in terms:
        have = term.shape()
        missing = len(shape) - len(have)
        grown = [number for number in range(len(have)) if have[number] != shape[missing + number]]
        if missing or grown:
            dims = list(term.dissolved(grown).dims)
            free = term.dissolved(grown).free
            for number in grown:
                dims[number] = (Leg(shape[missing + number]),)
            lead = tuple((Leg(size),) for size in shape[:missing])
            found.append(Term(term.source, (*lead, *dims), free))
        else:
            found.append(term)
    return tuple(found)


def tensors(arguments: Iterable[Any]) -> list[Value]:
    """List the tensors among arguments, those in lists too."""
    found = []
    for argument in arguments:
        if isinstance(argument, Value):
            found.append(argument)
        elif isinstance(argument, list | tuple):
            found.extend(tensors(argument))
    return found


def pointwise(call: Call) -> Terms | tuple[Terms, ...]:
    """Every element depends on its own place in each argument."""
    _warn_of_masks(call)
    parts = [broadcast(value.terms, call.shape) for value in tensors(call.arguments.values())]
    parts = [part for part in parts if part]
    if len(parts) > 1:
        call.meet(meetings(parts))
    terms = parts[0] if len(parts) == 1 else simplified(term for part in parts for term in part)
    return terms if call.count == 1 else (terms,) * call.count


def _warn_of_masks(call: Call) -> None:
    """Say where positions are masked before a softmax, since values are not followed."""
    masked = call.name == "masked_fill" and isinstance(call.get("value"), int | float)
    shut = masked and call.get("value") < -1e3
    for value in tensors(call.arguments.values()):
        content = value.content
        if content is not None and content.is_floating_point():
            shut = shut or bool((content < -1e3).any())
    if shut:
        call.note(
            f"{call.name}: numbers near −∞ are added or filled in; what a softmax then leaves out "
            "is not followed, and its axis counts as seen whole"
        )


def gated(call: Call) -> Terms:
    """glu: one half of a dimension gates the other."""
    inputs = call.value().shape
    number = dimension(int(call.get("dim", -1)), len(inputs))
    half = inputs[number] // 2
    taps = Taps(half, 2 * half, lambda at: (at, at + half), endless="halves of an axis meet")
    return simplified(along(call.value().terms, number, taps))


def real_parts(call: Call) -> Terms:
    """A complex number as two numbers in a new last dimension."""
    return tuple(
        Term(term.source, (*term.dims, (Leg(2),)), term.free) for term in call.value().terms
    )


def complex_parts(call: Call) -> Terms:
    """Two numbers of the last dimension as a complex one."""
    return without(call.value().terms, len(call.value().shape) - 1)


def same(call: Call) -> Terms | tuple[Terms, ...]:
    """What comes out depends as the argument does: copies, dropout, normalisation."""
    terms = call.value().terms
    return terms if call.count == 1 else (terms, *((),) * (call.count - 1))


def constant(call: Call) -> Terms | tuple[Terms, ...]:
    """What comes out has no number of the input in it."""
    return () if call.count == 1 else ((),) * call.count


def written(call: Call) -> Terms:
    """What was there is gone: copy_ and fill_."""
    source = call.arguments.get("src", call.arguments.get("value"))
    return broadcast(source.terms, call.shape) if isinstance(source, Value) else ()


def shaped(call: Call) -> Terms:
    """view, reshape, flatten, unflatten, squeeze, unsqueeze: the elements in another shape."""
    return reshaped(call.value().terms, call.shape)


def ordered(terms: Terms, order: Sequence[int]) -> Terms:
    """Permute dimensions."""
    return tuple(
        Term(term.source, tuple(term.dims[number] for number in order), term.free) for term in terms
    )


def permute(call: Call) -> Terms:
    """Dimensions in a given order."""
    rank = len(call.shape)
    return ordered(call.value().terms, [dimension(int(d), rank) for d in call.get("dims")])


def transpose(call: Call) -> Terms:
    """Two dimensions exchanged."""
    rank = len(call.shape)
    order = list(range(rank))
    if rank < 2:
        return call.value().terms
    if call.name in ("t", "numpy_T", "mT"):
        first, second = rank - 2, rank - 1
    else:
        names = ("dim0", "dim1") if "dim0" in call.arguments else ("axis0", "axis1")
        first, second = (dimension(int(call.arguments[name]), rank) for name in names)
    order[first], order[second] = order[second], order[first]
    return ordered(call.value().terms, order)


def movedim(call: Call) -> Terms:
    """Dimensions moved to other places."""
    rank = len(call.shape)

    def places(name: str) -> list[int]:
        value = call.arguments[name]
        entries = [value] if isinstance(value, int) else list(value)
        return [dimension(int(entry), rank) for entry in entries]

    source, target = places("source"), places("destination")
    rest = iter(number for number in range(rank) if number not in source)
    where = dict(zip(target, source, strict=True))
    order = [where[number] if number in where else next(rest) for number in range(rank)]
    return ordered(call.value().terms, order)


def expand(call: Call) -> Terms:
    """Dimensions of size 1 repeated."""
    return broadcast(call.value().terms, call.shape)


def repeat(call: Call) -> Terms:
    """The tensor tiled."""
    inputs = call.value().shape
    lead = len(call.shape) - len(inputs)
    terms = broadcast(call.value().terms, (*call.shape[:lead], *inputs))
    for number, size in enumerate(inputs):
        terms = along(terms, lead + number, tiled(call.shape[lead + number], size))
    return simplified(terms)


def tiled(outputs: int, size: int) -> Taps:
    """Read an axis over and over."""
    if outputs == size:
        return Taps(outputs, size, lambda index: (index,))
    return Taps(outputs, size, lambda index: (index % size,), endless="the axis is repeated")


def repeat_interleave(call: Call) -> Terms:
    """Each element repeated."""
    number, times = call.get("dim"), call.get("repeats")
    if number is None or not isinstance(times, int):
        raise UnknownError("repeat_interleave without a dimension and one number")
    number = dimension(int(number), len(call.shape))
    size = call.value().shape[number]
    taps = Taps(call.shape[number], size, lambda index: (index // times,), (times, 1))
    return along(call.value().terms, number, taps)


def cut(terms: Terms, number: int, size: int, start: int, step: int, outputs: int) -> Terms:
    """Read every `step`-th index from `start` on."""
    if outputs == size and start == 0 and step == 1:
        return terms
    taps = Taps(outputs, size, lambda index: (start + index * step,), (1, step))
    return along(terms, number, taps)


def slice_(call: Call) -> Terms:
    """x[start:end:step] along one dimension."""
    inputs = call.value().shape
    number = dimension(int(call.get("dim", 0)), len(inputs))
    size = inputs[number]
    if call.name == "narrow":
        start, step = int(call.get("start")), 1
    else:
        start, step = int(call.get("start", 0)), int(call.get("step", 1))
    start = min(max(start + size if start < 0 else start, 0), size)
    return simplified(cut(call.value().terms, number, size, start, step, call.shape[number]))


def slice_scatter(call: Call) -> Terms:
    """A slice, or one index, written over."""
    inputs, source = call.value().shape, call.value("src")
    number = dimension(int(call.get("dim", 0)), len(inputs))
    size = inputs[number]
    if call.name == "select_scatter":
        index = int(call.get("index"))
        start, step, count = index + size if index < 0 else index, 1, 1
        written = tuple(
            Term(term.source, (*term.dims[:number], (Leg(1),), *term.dims[number:]), term.free)
            for term in broadcast(source.terms, (*inputs[:number], *inputs[number + 1 :]))
        )
    else:
        start, step = int(call.get("start", 0)), int(call.get("step", 1))
        start = min(max(start + size if start < 0 else start, 0), size)
        end = int(call.get("end", size))
        end = min(max(end + size if end < 0 else end, 0), size)
        count = len(range(start, end, step))
        shape = (*inputs[:number], count, *inputs[number + 1 :])
        written = broadcast(source.terms, shape)
    places = range(start, start + count * step, step)
    why = "a part of the axis is written over"
    endless = why if call.value().terms and source.terms else None
    kept = Taps(
        size,
        size,
        lambda index: () if index in places else (index,),
        endless=endless or (lambda index: (index,)),
    )
    laid = Taps(
        size,
        count,
        lambda index: ((index - start) // step,) if index in places else (),
        endless=why if endless or step > 1 else (lambda index: (index - start,)),
    )
    old = along(call.value().terms, number, kept)
    return simplified((*old, *along(written, number, laid)))


def select(call: Call) -> Terms:
    """One index of a dimension."""
    inputs = call.value().shape
    number, index = dimension(int(call.get("dim")), len(inputs)), int(call.get("index"))
    index = index + inputs[number] if index < 0 else index
    return without(along(call.value().terms, number, picked(inputs[number], index)), number)


def picked(size: int, index: int) -> Taps:
    """Read one index."""
    return Taps(1, size, lambda _: (index,), endless="one position is picked")


def without(terms: Terms, number: int) -> Terms:
    """Dissolve a dimension and drop it."""
    return simplified(
        Term(one.source, (*one.dims[:number], *one.dims[number + 1 :]), one.free)
        for one in (term.dissolved([number]) for term in terms)
    )


def split(call: Call) -> tuple[Terms, ...]:
    """split, chunk, tensor_split: consecutive parts."""
    inputs = call.value().shape
    number = dimension(int(call.get("dim", 0)), len(inputs))
    sizes = call.arguments["sizes of parts"]
    parts, start = [], 0
    for size in sizes:
        parts.append(simplified(cut(call.value().terms, number, inputs[number], start, 1, size)))
        start += size
    return tuple(parts)


def unbind(call: Call) -> tuple[Terms, ...]:
    """Every index of a dimension by itself."""
    inputs = call.value().shape
    number = dimension(int(call.get("dim", 0)), len(inputs))
    return tuple(
        without(along(call.value().terms, number, picked(inputs[number], index)), number)
        for index in range(inputs[number])
    )


def cat(call: Call) -> Terms:
    """Tensors one behind another."""
    parts = [part for part in call.arguments["tensors"] if part.shape != (0,)]
    number = dimension(int(call.get("dim", 0)), len(call.shape))
    return concatenated(parts, number, call)


def stack(call: Call) -> Terms:
    """Tensors one behind another along a new dimension."""
    number = dimension(int(call.get("dim", 0)), len(call.shape))
    parts = []
    for part in call.arguments["tensors"]:
        shape = (*part.shape[:number], 1, *part.shape[number:])
        parts.append(Value(reshaped(part.terms, shape), shape))
    return concatenated(parts, number, call)


def concatenated(parts: Sequence[Value], number: int, call: Call) -> Terms:
    """Lay parts one behind another and keep them apart."""
    dependent = [part for part in parts if part.terms]
    if len(dependent) > 1 and not any(
        term.follows(number) for part in dependent for term in part.terms
    ):
        call.meet(meetings([part.terms for part in dependent]))
    found: list[Term] = []
    start, total = 0, call.shape[number]
    why = "parts are concatenated along the axis"
    for part in parts:
        size = part.shape[number]
        found.extend(along(part.terms, number, _laid(total, size, start, len(dependent), why)))
        start += size
    return simplified(found)


def _laid(total: int, size: int, start: int, dependent: int, why: str) -> Taps:
    endless = why if dependent > 1 else (lambda index: (index - start,))
    return Taps(total, size, lambda index: (index - start,), endless=endless)


def roll(call: Call) -> Terms:
    """Dimensions turned around like a wheel."""
    terms, inputs = call.value().terms, call.value().shape
    shifts, dims = call.get("shifts"), call.get("dims", [])
    shifts = [shifts] if isinstance(shifts, int) else list(shifts)
    dims = [dims] if isinstance(dims, int) else list(dims)
    if not dims:
        raise UnknownError("roll without dimensions")
    for shift, place in zip(shifts, dims, strict=True):
        number = dimension(int(place), len(inputs))
        terms = along(terms, number, _rolled(inputs[number], int(shift)))
    return simplified(terms)


def _rolled(size: int, shift: int) -> Taps:
    def reads(index: int) -> tuple[int, ...]:
        return ((index - shift) % size,)

    return Taps(size, size, reads, endless=lambda index: (index - shift,))


def flip(call: Call) -> Terms:
    """Dimensions in reverse."""
    terms, inputs = call.value().terms, call.value().shape
    for place in call.get("dims"):
        number = dimension(int(place), len(inputs))
        terms = along(terms, number, _flipped(inputs[number]))
    return terms


def _flipped(size: int) -> Taps:
    return Taps(size, size, lambda index: (size - 1 - index,), endless="the axis is reversed")


def index_select(call: Call) -> Terms:
    """Given indices of one dimension."""
    inputs = call.value().shape
    number = dimension(int(call.get("dim")), len(inputs))
    return _taken(call.value().terms, number, inputs[number], call.value("index"))


def _taken(terms: Terms, number: int, size: int, index: Value) -> Terms:
    if index.content is None or len(index.shape) != 1:
        raise UnknownError("indices that are not known before the network runs")
    places = [int(place) % size for place in index.content.tolist()]
    taps = Taps(len(places), size, lambda at: (places[at],), endless="positions are picked")
    return simplified(along(terms, number, taps))


def index(call: Call) -> Terms:
    """x[..., indices, ...] with one list of known indices."""
    given = call.arguments["indices"]
    used = [number for number, entry in enumerate(given) if entry is not None]
    if not call.value().terms and not any(entry.terms for entry in given if entry is not None):
        return ()
    if len(used) != 1:
        raise UnknownError("indexing by several tensors")
    shape = call.value().shape
    return _taken(call.value().terms, used[0], shape[used[0]], given[used[0]])


def embedding(call: Call) -> Terms:
    """Each index looked up: its numbers in a new last dimension."""
    call.needs_constant("weight")
    width = call.shape[-1]
    return tuple(
        Term(term.source, (*term.dims, (Leg(width),)), term.free)
        for term in call.value("indices").terms
    )
