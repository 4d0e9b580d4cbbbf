"""Rules of operations in which whole dimensions meet: sums, products, attention, recurrence."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from penchant.geometry._call import Call, UnknownError, Value, dimension
from penchant.geometry._dependence import Leg, Term, Terms, masked, simplified
from penchant.geometry._elements import broadcast, pointwise, without
from penchant.geometry._legs import along, single_leg
from penchant.geometry._positions import Taps


def whole(terms: Terms, numbers: Sequence[int], sizes: Sequence[int]) -> Terms:
    """Let every index along some dimensions see what all of them saw."""
    found = []
    for term in terms:
        one = term.dissolved(numbers)
        for number, size in zip(numbers, sizes, strict=True):
            one = one.with_dim(number, (Leg(size),))
        found.append(one)
    return simplified(found)


def _dims(call: Call, rank: int, name: str = "dim") -> list[int]:
    given = call.arguments.get(name)
    if given is None or given == []:
        return list(range(rank))
    entries = [given] if isinstance(given, int) else list(given)
    return sorted(dimension(int(entry), rank) for entry in entries)


def reduction(call: Call) -> Terms | tuple[Terms, ...]:
    """sum, mean, max, var, norm and their like, over some dimensions or all."""
    inputs = call.value().shape
    other = call.arguments.get("other")
    if isinstance(other, Value):
        return pointwise(call)
    numbers = _dims(call, len(inputs))
    terms = whole(call.value().terms, numbers, [1] * len(numbers))
    if len(call.shape) != len(inputs):
        for number in reversed(numbers):
            terms = without(terms, number)
    return terms if call.count == 1 else (terms,) * call.count


def softmax(call: Call) -> Terms | tuple[Terms, ...]:
    """Every index along dimensions sees all of them: softmax, sort, Fourier transforms."""
    inputs = call.value().shape
    given = call.arguments.get("dim", -1)
    if given is None and call.name.startswith("fft"):
        numbers = list(range(len(inputs)))
    else:
        entries = [-1 if given is None else given] if not isinstance(given, list) else given
        numbers = [dimension(int(entry), len(inputs)) for entry in entries]
    terms = whole(call.value().terms, numbers, [call.shape[number] for number in numbers])
    return terms if call.count == 1 else (terms,) * call.count


def gather(call: Call) -> Terms:
    """Indices taken as the data say: any of them may be."""
    number = dimension(int(call.get("dim")), len(call.shape))
    if len(call.shape) == 0 or any(
        size != old and at != number
        for at, (size, old) in enumerate(zip(call.shape, call.value().shape, strict=True))
    ):
        raise UnknownError("gather of a part of another dimension")
    call.note("gather: which positions are taken is known only when it runs; counted as all")
    terms = whole(call.value().terms, [number], [call.shape[number]])
    return simplified((*terms, *call.value("index").terms))


def affine_grid(call: Call) -> Terms:
    """Places to sample at: each depends on the whole transformation."""
    sizes = call.shape[1:]
    theta = whole(call.value("theta").terms, [1, 2], [1, 1])
    return tuple(
        Term(term.source, (term.dims[0], *((Leg(size),) for size in sizes)), term.free)
        for term in theta
    )


def grid_sample(call: Call) -> Terms:
    """Samples at places that the input decides: any position may be taken."""
    grid, rank = call.value("grid"), len(call.shape)
    if not grid.terms:
        raise UnknownError("grid_sampler at places that do not depend on the input")
    call.note("grid_sample: where it samples is known only when it runs; counted as everywhere")
    terms = whole(call.value().terms, range(2, rank), call.shape[2:])
    places = without(whole(grid.terms, [rank - 1], [1]), rank - 1)
    channels = (Leg(call.shape[1]),)
    return simplified(
        (*terms, *(Term(t.source, (t.dims[0], channels, *t.dims[1:]), t.free) for t in places))
    )


def cumulative(call: Call) -> Terms | tuple[Terms, ...]:
    """cumsum and its like: each index sees those up to it."""
    inputs = call.value().shape
    terms = prefixes(call.value().terms, dimension(int(call.get("dim")), len(inputs)))
    return terms if call.count == 1 else (terms,) * call.count


def prefixes(terms: Terms, number: int, backwards: bool = False) -> Terms:
    """Let each index along a dimension see what it and all before it saw."""
    found = []
    for term in terms:
        for one in single_leg(term, number):
            leg = one.dims[number][0]
            if leg.relation is not None:
                relation = leg.relation.reversed() if backwards else leg.relation
                relation = relation.cumulative()
                leg = replace(leg, relation=relation.reversed() if backwards else relation)
            elif leg.mask is not None:
                bits = leg.mask
                if backwards:
                    leg = masked(leg.size, (1 << bits.bit_length()) - 1)
                else:
                    low = (bits & -bits).bit_length() - 1
                    leg = masked(leg.size, ((1 << leg.size) - 1) >> low << low)
            found.append(one.with_dim(number, (leg,)))
    return simplified(found)


def normalisation(call: Call) -> Terms | tuple[Terms, ...]:
    """Batch, layer, group and instance normalisation; RMS normalisation.

    The statistics are left out unless they are asked for, as published receptive fields do; the
    note says where that leaves something out.
    """
    terms, inputs = call.value().terms, call.value().shape
    numbers = _statistics(call, len(inputs))
    if numbers and any(term.follows(number) for term in terms for number in numbers):
        if call.statistics:
            terms = simplified((*terms, *whole(terms, numbers, [inputs[n] for n in numbers])))
        else:
            call.note(
                f"{call.name}: its statistics see whole axes, which is left out "
                "(statistics=True counts it)"
            )
    return terms if call.count == 1 else (terms, *(((),) * (call.count - 1)))


def _statistics(call: Call, rank: int) -> list[int]:
    """Return the dimensions over which a normalisation takes its statistics."""
    if "layer_norm" in call.name or "rms_norm" in call.name:
        return list(range(rank - len(call.get("normalized_shape")), rank))
    if "group_norm" in call.name:
        return list(range(1, rank))
    if "instance_norm" in call.name:
        return list(range(2, rank)) if call.get("use_input_stats", True) else []
    trains = call.get("training", call.get("train", False))
    frozen = "no_training" in call.name
    return [0, *range(2, rank)] if trains and not frozen else []


def linear(call: Call) -> Terms:
    """x·Wᵀ + b over the last dimension."""
    call.needs_constant("weight", "bias")
    inputs = call.value("input").shape
    if len(call.shape) != len(inputs):
        raise UnknownError("linear with a vector as its weight")
    return whole(call.value("input").terms, [len(inputs) - 1], [call.shape[-1]])


def matmul(call: Call) -> Terms:
    """Matrix products, with batches: mm, bmm, matmul, addmm, baddbmm."""
    first, second = _operands(call)
    found: list[Term] = []
    for value, last in ((first, True), (second, False)):
        rank = len(value.shape)
        inner = rank - 1 if last or rank == 1 else rank - 2
        terms = without(value.terms, inner)
        if rank == 1:
            found.extend(_spread(terms, call.shape))
            continue
        # Put the other operand's own dimension where it stands in the product.
        vector = len((second if last else first).shape) == 1
        place = rank - 1 if last else rank - 2
        for term in terms:
            if not vector:
                size = call.shape[-1] if last else call.shape[-2]
                dims = (*term.dims[:place], (Leg(size),), *term.dims[place:])
                term = Term(term.source, dims, term.free)
            found.extend(broadcast((term,), call.shape))
    if call.name in ("addmm", "baddbmm", "addbmm", "addmv"):
        found.extend(broadcast(call.value().terms, call.shape))
    return simplified(found)


def _operands(call: Call) -> tuple[Value, Value]:
    pairs = (("mat1", "mat2"), ("batch1", "batch2"), ("self", "mat2"), ("self", "other"))
    for one, two in (*pairs, ("self", "vec"), ("self", "tensor"), ("mat", "vec")):
        if one in call.arguments and two in call.arguments:
            return call.value(one), call.value(two)
    raise UnknownError(call.name)


def _spread(terms: Terms, shape: tuple[int, ...]) -> Terms:
    return tuple(
        Term(term.source, tuple((Leg(size),) for size in shape), term.free) for term in terms
    )


def bilinear(call: Call) -> Terms:
    """x₁ᵀWx₂ over the last dimensions."""
    call.needs_constant("weight", "bias")
    last = len(call.shape) - 1
    return simplified(
        term
        for name in ("input1", "input2")
        for term in whole(call.value(name).terms, [last], [call.shape[-1]])
    )


def cell(call: Call) -> Terms | tuple[Terms, ...]:
    """One step of a recurrent layer: the new state sees the input and the old state."""
    states = call.get("hx")
    parts = [call.value("input"), *([states] if isinstance(states, Value) else states)]
    last = len(call.shape) - 1
    terms = simplified(
        term for part in parts for term in whole(part.terms, [last], [call.shape[-1]])
    )
    return terms if call.count == 1 else (terms,) * call.count


def einsum(call: Call) -> Terms:
    """A product of tensors written with one letter a dimension."""
    equation = str(call.get("equation")).replace(" ", "")
    values: list[Value] = list(call.arguments["tensors"])
    if "->" not in equation or "." in equation:
        raise UnknownError(f"einsum of {equation!r}")
    lefts, right = equation.split("->")
    sizes = dict(zip(right, call.shape, strict=True))
    found: list[Term] = []
    for letters, value in zip(lefts.split(","), values, strict=True):
        if len(set(letters)) != len(letters):
            raise UnknownError(f"einsum of {equation!r}, which takes a diagonal")
        gone = [at for at, letter in enumerate(letters) if letter not in sizes]
        for term in value.terms:
            one = term.dissolved(gone)
            dims = tuple(
                one.dims[letters.index(letter)] if letter in letters else (Leg(size),)
                for letter, size in sizes.items()
            )
            found.extend(broadcast((Term(one.source, dims, one.free),), call.shape))
    return simplified(found)


def attention(call: Call) -> Terms:
    """softmax(QKᵀ)V: every query sees all keys and values, if causal those up to it."""
    query, key, value = (call.value(name) for name in ("query", "key", "value"))
    mask = call.arguments.get("attn_mask")
    allowed = _allowed(mask) if isinstance(mask, Value) else None
    if isinstance(mask, Value) and allowed is None:
        call.note(
            "attention: its mask's numbers are not looked into; each query counts as seeing "
            "every key"
        )
    rank, width = len(call.shape), call.shape[-1]
    queries = query.shape[-2]
    if query.shape[:-2] != key.shape[:-2]:
        raise UnknownError("attention whose queries and keys differ in heads")
    found = list(whole(query.terms, [rank - 1], [width]))
    for operand, numbers in ((key, [rank - 1]), (value, [])):
        terms = whole(operand.terms, numbers, [width] * len(numbers))
        if call.get("is_causal", False) and operand.shape[-2] == queries:
            found.extend(prefixes(terms, rank - 2))
        elif allowed is not None:
            reads = Taps(queries, key.shape[-2], allowed.__getitem__, endless="a mask picks keys")
            found.extend(along(terms, rank - 2, reads))
        else:
            found.extend(whole(terms, [rank - 2], [queries]))
    if isinstance(mask, Value):
        found.extend(
            whole(broadcast(mask.terms, (*call.shape[:-1], key.shape[-2])), [rank - 1], [width])
        )
    return simplified(found)


def _allowed(mask: Value) -> list[list[int]] | None:
    """Return the keys that each query may see, where the mask is known and one for all heads."""
    content = mask.content
    if content is None or content.dim() < 2:
        return None
    if content.numel() != content.shape[-2] * content.shape[-1]:
        return None
    plane = content.reshape(content.shape[-2:])
    kept = plane if plane.dtype == torch.bool else plane > -torch.inf
    return [row.nonzero().flatten().tolist() for row in kept]


def recurrent(call: Call) -> tuple[Terms, ...]:
    """lstm, gru, rnn: each step sees itself and all before it, in both directions all."""
    states = call.get("hx")
    states = [states] if isinstance(states, Value) else list(states)
    if any(state.terms for state in states) or "batch_sizes" in call.arguments:
        raise UnknownError(f"{call.name} with packed sequences or a state from the input")
    terms, rank = call.value("input").terms, len(call.value("input").shape)
    time = 1 if call.get("batch_first", False) and rank == 3 else 0
    both, layers = bool(call.get("bidirectional")), int(call.get("num_layers"))
    steps, width = call.value("input").shape[time], call.shape[-1]
    mixed = whole(terms, [rank - 1], [width])
    last = without(whole(mixed, [time], [1]), time)
    if not both:
        out = prefixes(mixed, time)
    elif layers == 1:
        half = width // 2
        ahead = (1 << half) - 1
        out = simplified(
            term.with_dim(rank - 1, (masked(width, bits),))
            for bits, backwards in ((ahead, False), (ahead << half, True))
            for term in prefixes(mixed, time, backwards)
        )
    else:
        out = whole(mixed, [time], [steps])
    kept = tuple(
        Term(term.source, ((Leg(layers * (1 + both)),), *term.dims), term.free) for term in last
    )
    count = call.count
    state = tuple(term.with_dim(len(term.dims) - 1, (Leg(width // (1 + both)),)) for term in kept)
    return (out, *((state,) * (count - 1)))
