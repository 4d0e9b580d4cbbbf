"""Rules of what slides along axes: convolution, pooling, padding, resampling, unfolding."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from math import floor

import torch

from penchant.geometry._call import Call, UnknownError, dimension, numbers
from penchant.geometry._dependence import Leg, Term, Terms, masked, simplified
from penchant.geometry._legs import along, reshaped
from penchant.geometry._positions import Taps


def window_taps(
    outputs: int, inputs: int, kernel: int, stride: int, padding: int, dilation: int
) -> Taps:
    """Each output reads `kernel` inputs from index·stride − padding on."""
    reach = kernel * dilation
    return Taps(
        outputs,
        inputs,
        lambda index: range(index * stride - padding, index * stride - padding + reach, dilation),
        (1, stride),
    )


def transposed_taps(
    outputs: int, inputs: int, kernel: int, stride: int, padding: int, dilation: int
) -> Taps:
    """Each input writes `kernel` outputs from index·stride − padding on."""

    def reads(index: int) -> list[int]:
        places = (index + padding - dilation * tap for tap in range(kernel))
        return [place // stride for place in places if place % stride == 0]

    return Taps(outputs, inputs, reads, (stride, 1))


def adaptive_taps(outputs: int, inputs: int) -> Taps:
    """Output i reads from ⌊i·in/out⌋ to ⌈(i + 1)·in/out⌉."""
    if inputs % outputs == 0:
        size = inputs // outputs
        return window_taps(outputs, inputs, size, size, 0, 1)
    return Taps(
        outputs,
        inputs,
        lambda index: range(index * inputs // outputs, -(-(index + 1) * inputs // outputs)),
        endless=f"adaptive pooling of {inputs} positions to {outputs}",
    )


def channels(terms: Terms, number: int, inputs: int, outputs: int, groups: int) -> Terms:
    """Mix channels within groups."""
    if groups == 1:
        return tuple(term.dissolved([number]).with_dim(number, (Leg(outputs),)) for term in terms)
    read, made = inputs // groups, outputs // groups

    def reads(index: int) -> range:
        return range(index // made * read, (index // made + 1) * read)

    return along(terms, number, Taps(outputs, inputs, reads, (made, read)))


def convolution(call: Call) -> Terms:
    """conv1d to conv3d, and `convolution`."""
    if call.get("transposed", False):
        return transposed_convolution(call)
    call.needs_constant("weight", "bias")
    terms, inputs = call.value().terms, call.value().shape
    weight = call.value("weight").shape
    axes = len(weight) - 2
    batched = len(inputs) - axes - 1
    stride, dilation = numbers(call.get("stride", 1), axes), numbers(call.get("dilation", 1), axes)
    padding = call.get("padding", 0)
    if padding == "same":
        pads = tuple(gap * (size - 1) // 2 for gap, size in zip(dilation, weight[2:], strict=True))
    else:
        pads = (0,) * axes if padding == "valid" else numbers(padding, axes)
    terms = channels(terms, batched, inputs[batched], weight[0], call.get("groups", 1))
    for axis in range(axes):
        number = batched + 1 + axis
        taps = window_taps(
            call.shape[number],
            inputs[number],
            weight[2 + axis],
            stride[axis],
            pads[axis],
            dilation[axis],
        )
        terms = along(terms, number, taps)
    return simplified(terms)


def transposed_convolution(call: Call) -> Terms:
    """conv_transpose1d to conv_transpose3d."""
    call.needs_constant("weight", "bias")
    terms, inputs = call.value().terms, call.value().shape
    weight = call.value("weight").shape
    axes, groups = len(weight) - 2, call.get("groups", 1)
    batched = len(inputs) - axes - 1
    stride, dilation = numbers(call.get("stride", 1), axes), numbers(call.get("dilation", 1), axes)
    pads = numbers(call.get("padding", 0), axes)
    terms = channels(terms, batched, inputs[batched], weight[1] * groups, groups)
    for axis in range(axes):
        number = batched + 1 + axis
        taps = transposed_taps(
            call.shape[number],
            inputs[number],
            weight[2 + axis],
            stride[axis],
            pads[axis],
            dilation[axis],
        )
        terms = along(terms, number, taps)
    return simplified(terms)


def pooling(call: Call) -> Terms | tuple[Terms, ...]:
    """max_pool and avg_pool; values and places."""
    axes = int(call.name[call.name.index("pool") + 4])
    terms, inputs = call.value().terms, call.value().shape
    kernel = numbers(call.get("kernel_size"), axes)
    stride = numbers(call.get("stride") or kernel, axes)
    pads, gaps = numbers(call.get("padding", 0), axes), numbers(call.get("dilation", 1), axes)
    first = len(inputs) - axes
    for axis in range(axes):
        taps = window_taps(
            call.shape[first + axis],
            inputs[first + axis],
            kernel[axis],
            stride[axis],
            pads[axis],
            gaps[axis],
        )
        terms = along(terms, first + axis, taps)
    return _repeated(simplified(terms), call)


def adaptive_pooling(call: Call) -> Terms | tuple[Terms, ...]:
    """adaptive_avg_pool and adaptive_max_pool."""
    axes = int(call.name[call.name.index("pool") + 4])
    terms, inputs = call.value().terms, call.value().shape
    for number in range(len(inputs) - axes, len(inputs)):
        if call.shape[number] == 1:
            terms = tuple(term.dissolved([number]).with_dim(number, (Leg(1),)) for term in terms)
        else:
            terms = along(terms, number, adaptive_taps(call.shape[number], inputs[number]))
    return _repeated(simplified(terms), call)


def _repeated(terms: Terms, call: Call) -> Terms | tuple[Terms, ...]:
    return terms if call.count == 1 else (terms,) * call.count


def padding(call: Call) -> Terms:
    """pad, in every mode: what lies outside is zero or copied from inside."""
    pads, mode = tuple(call.get("pad", call.get("padding"))), call.get("mode", "constant")
    for word in ("reflection", "replication"):
        if call.name.startswith(word):
            mode = {"reflection": "reflect", "replication": "replicate"}[word]
    terms, inputs = call.value().terms, call.value().shape
    for place in range(len(pads) // 2):
        number = len(inputs) - 1 - place
        before, length = int(pads[2 * place]), inputs[number]
        if before or pads[2 * place + 1]:
            terms = along(terms, number, _pad_taps(call.shape[number], length, before, mode))
    return simplified(terms)


def _pad_taps(outputs: int, length: int, before: int, mode: str) -> Taps:
    def reads(index: int) -> tuple[int, ...]:
        place = index - before
        if mode == "circular":
            return (place % length,)
        if mode == "replicate":
            return (min(max(place, 0), length - 1),)
        if mode == "reflect" and not 0 <= place < length:
            return (-place if place < 0 else 2 * (length - 1) - place,)
        return (place,)

    # On an endless axis padding is nothing but a change of the origin.
    return Taps(outputs, length, reads, (1, 1), lambda index: (index - before,))


def upsampling(call: Call) -> Terms:
    """upsample_nearest, _linear, _bilinear, _trilinear, _bicubic."""
    if call.name.endswith("_aa"):
        raise UnknownError("interpolation with antialiasing")
    terms, inputs = call.value().terms, call.value().shape
    scales = call.get("scale_factors") or [None] * (len(inputs) - 2)
    for axis, scale in enumerate(scales):
        number = axis + 2
        taps = _resampling_taps(call, call.shape[number], inputs[number], scale)
        terms = along(terms, number, taps)
    return simplified(terms)


def _resampling_taps(call: Call, outputs: int, inputs: int, scale: float | None) -> Taps:
    ratio = Fraction(inputs, outputs) if scale is None else 1 / _fraction(scale)
    period = (ratio.denominator, ratio.numerator)
    if "nearest" in call.name:
        return _nearest_taps(call.name, outputs, inputs, scale, ratio)
    reach = range(-1, 3) if "cubic" in call.name else range(2)
    cubic = "cubic" in call.name
    if call.get("align_corners", False):
        steps = Fraction(inputs - 1, outputs - 1) if outputs > 1 else Fraction(0)

        def source(index: int) -> Fraction:
            return index * steps

        endless: Callable[[int], Iterable[int]] | str = "interpolation that aligns the corners"
    else:

        def source(index: int) -> Fraction:
            place = (index + Fraction(1, 2)) * ratio - Fraction(1, 2)
            return place if cubic else max(place, Fraction(0))

        def endless(index: int) -> list[int]:
            place = (index + Fraction(1, 2)) * ratio - Fraction(1, 2)
            return _between(place, reach)

    def reads(index: int) -> list[int]:
        return [min(max(place, 0), inputs - 1) for place in _between(source(index), reach)]

    return Taps(outputs, inputs, reads, period, endless)


def _between(place: Fraction, reach: range) -> list[int]:
    """Return the neighbours of a place; it alone where it is a sample."""
    if place.denominator == 1:
        return [int(place)]
    return [floor(place) + offset for offset in reach]


def _fraction(scale: float) -> Fraction:
    return Fraction(scale).limit_denominator(1000)


def _nearest_taps(
    name: str, outputs: int, inputs: int, scale: float | None, ratio: Fraction
) -> Taps:
    # torch rounds in float32, so torch is asked which samples it takes.
    mode = "nearest-exact" if "exact" in name else "nearest"
    signal = torch.arange(float(inputs))[None, None]
    size = {"size": outputs} if scale is None else {"scale_factor": scale}
    taken = torch.nn.functional.interpolate(signal, mode=mode, **size)
    places = [int(place) for place in taken.flatten().tolist()]
    shift = Fraction(1, 2) if "exact" in name else Fraction(0)
    return Taps(
        outputs,
        inputs,
        lambda index: (places[index],),
        (ratio.denominator, ratio.numerator),
        lambda index: (floor((index + shift) * ratio),),
    )


def pixel_shuffle(call: Call) -> Terms:
    """Channels become places: (C·r², H, W) to (C, H·r, W·r)."""
    *lead, deep, high, wide = call.value().shape
    factor = int(call.get("upscale_factor"))
    made = deep // factor**2
    terms = reshaped(call.value().terms, (*lead, made, factor, factor, high, wide))
    rank = len(lead)
    order = (*range(rank), rank, rank + 3, rank + 1, rank + 4, rank + 2)
    terms = tuple(
        Term(term.source, tuple(term.dims[number] for number in order), term.free) for term in terms
    )
    return reshaped(terms, (*lead, made, high * factor, wide * factor))


def pixel_unshuffle(call: Call) -> Terms:
    """Places become channels: (C, H·r, W·r) to (C·r², H, W)."""
    *lead, deep, high, wide = call.value().shape
    factor = int(call.get("downscale_factor"))
    shape = (*lead, deep, high // factor, factor, wide // factor, factor)
    terms = reshaped(call.value().terms, shape)
    rank = len(lead)
    order = (*range(rank), rank, rank + 2, rank + 4, rank + 1, rank + 3)
    terms = tuple(
        Term(term.source, tuple(term.dims[number] for number in order), term.free) for term in terms
    )
    return reshaped(terms, (*lead, deep * factor**2, high // factor, wide // factor))


def unfold(call: Call) -> Terms:
    """Tensor.unfold: windows along one dimension, their samples in a new last one."""
    inputs = call.value().shape
    number = dimension(int(call.get("dimension")), len(inputs))
    size, step = int(call.get("size")), int(call.get("step"))
    outputs = call.shape[number]
    found: list[Term] = []
    for offset in range(size):
        taps = window_taps(outputs, inputs[number], 1, step, -offset, 1)
        for term in along(call.value().terms, number, taps):
            dims = (*term.dims, (masked(size, 1 << offset),))
            found.append(Term(term.source, dims, term.free))
    return simplified(found)


def short_time_fourier(call: Call) -> Terms:
    """stft: every frame sees its window; the padding in front of it is an operation of its own."""
    if call.get("center", False):
        raise UnknownError("stft that pads by itself")
    size, step = int(call.get("n_fft")), call.get("hop_length")
    step = size // 4 if step is None else int(step)
    length = int(call.get("win_length") or size)
    number = len(call.value().shape) - 1
    frames, bins = call.shape[number + 1], call.shape[number]
    start = (size - length) // 2
    taps = window_taps(frames, call.value().shape[number], length, step, -start, 1)
    found = []
    for term in along(call.value().terms, number, taps):
        parts = ((Leg(2),),) if len(call.shape) > number + 2 else ()
        dims = (*term.dims[:number], (Leg(bins),), term.dims[number], *parts)
        found.append(Term(term.source, dims, term.free))
    return simplified(found)


def im2col(call: Call) -> Terms:
    """F.unfold: (B, C, H, W) to (B, C·kernel, places)."""
    _, _, *lengths = call.value().shape
    kernel, gaps = numbers(call.get("kernel_size"), 2), numbers(call.get("dilation", 1), 2)
    pads, steps = numbers(call.get("padding", 0), 2), numbers(call.get("stride", 1), 2)
    outputs = [
        (lengths[axis] + 2 * pads[axis] - gaps[axis] * (kernel[axis] - 1) - 1) // steps[axis] + 1
        for axis in range(2)
    ]
    found: list[Term] = []
    for high in range(kernel[0]):
        for wide in range(kernel[1]):
            terms = call.value().terms
            for axis, tap in enumerate((high, wide)):
                start = pads[axis] - gaps[axis] * tap
                taps = window_taps(outputs[axis], lengths[axis], 1, steps[axis], start, 1)
                terms = along(terms, 2 + axis, taps)
            for term in terms:
                tap_legs = (masked(kernel[0], 1 << high), masked(kernel[1], 1 << wide))
                dims = (
                    term.dims[0],
                    (*term.dims[1], *tap_legs),
                    (*term.dims[2], *term.dims[3]),
                )
                found.append(Term(term.source, dims, term.free))
    return simplified(found)


def col2im(call: Call) -> Terms:
    """F.fold: (B, C·kernel, places) to (B, C, H, W), overlaps added."""
    batch, deep, _ = call.value().shape
    kernel, gaps = numbers(call.get("kernel_size"), 2), numbers(call.get("dilation", 1), 2)
    pads, steps = numbers(call.get("padding", 0), 2), numbers(call.get("stride", 1), 2)
    lengths = numbers(call.get("output_size"), 2)
    places = [
        (lengths[axis] + 2 * pads[axis] - gaps[axis] * (kernel[axis] - 1) - 1) // steps[axis] + 1
        for axis in range(2)
    ]
    made = deep // (kernel[0] * kernel[1])
    terms = reshaped(call.value().terms, (batch, made, *kernel, *places))
    found: list[Term] = []
    for high in range(kernel[0]):
        for wide in range(kernel[1]):
            parts = terms
            for axis, tap in enumerate((high, wide)):
                # The tap's own dimension goes first, so the places' moves up.
                parts = along(parts, 2, window_taps(1, kernel[axis], 1, 1, -tap, 1))
                parts = tuple(
                    Term(one.source, (*one.dims[:2], *one.dims[3:]), one.free)
                    for one in (term.dissolved([2]) for term in parts)
                )
            for axis, tap in enumerate((high, wide)):
                start = pads[axis] - gaps[axis] * tap
                taps = transposed_taps(lengths[axis], places[axis], 1, steps[axis], start, 1)
                parts = along(parts, 2 + axis, taps)
            found.extend(parts)
    return simplified(found)


def channel_shuffle(call: Call) -> Terms:
    """Channels dealt from groups in turn."""
    deep, groups = call.value().shape[1], int(call.get("groups"))
    each = deep // groups

    def reads(index: int) -> tuple[int, ...]:
        return (index % groups * each + index // groups,)

    return along(call.value().terms, 1, Taps(deep, deep, reads, endless="channels are shuffled"))
