"""One layer's sliding window along every spatial axis: what comes out of it, and by which formula.

Decisions:
- Everything is kept per axis, so that one dimension, two and three are the same code.
- What torch's own layers refuse is refused: this is arithmetic about networks that must run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from penchant.errors import PenchantError

Kind = Literal["conv", "pool", "transposed"]
Padding = int | str | Sequence["int | tuple[int, int]"]


@dataclass(frozen=True)
class AxisWindow:
    """The window along one axis, checked.

    Args:
        kernel: taps of the window.
        stride: steps from one window to the next.
        before: padding in front of the first sample.
        after: padding behind the last one.
        dilation: steps from one tap to the next.
        ceil_mode: whether a last, incomplete window counts.
        kind: convolution, pooling or transposed convolution.
        output_padding: samples that a transposed convolution adds at the end.
    """

    kernel: int
    stride: int
    before: int
    after: int
    dilation: int
    ceil_mode: bool
    kind: Kind
    output_padding: int

    @property
    def extent(self) -> int:
        """How far the window reaches: dilation·(kernel − 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    def output(self, length: int) -> int:
        """Return the number of outputs on `length` samples; below 1 where nothing fits."""
        padding = self.before + self.after
        if self.kind == "transposed":
            grown = (length - 1) * self.stride + self.extent + self.output_padding
            return grown - padding if length >= 1 else 0
        room = length + padding - self.extent
        if length < 1:
            return 0
        if not self.ceil_mode:
            return room // self.stride + 1
        steps = -(-room // self.stride)
        # A window that would start in the padding behind the last sample is dropped.
        return steps if steps * self.stride >= length + self.before else steps + 1

    def formula(self, length: int) -> str:
        """Write the formula with its numbers, ⌊(5 + 2·1 − 1·(3 − 1) − 1) / 2⌋ + 1 = 3."""
        padding = f"2·{self.before}" if self.before == self.after else f"{self.before + self.after}"
        reach = f"{self.dilation}·({self.kernel} − 1)"
        answer = self.output(length)
        if self.kind == "transposed":
            terms = f"({length} − 1)·{self.stride} − {padding} + {reach}"
            return f"{terms} + {self.output_padding} + 1 = {answer}"
        terms = f"({length} + {padding} − {reach} − 1) / {self.stride}"
        if not self.ceil_mode:
            return f"⌊{terms}⌋ + 1 = {answer}"
        room = length + self.before + self.after - self.extent
        dropped = answer == -(-room // self.stride) and answer > 0
        return f"⌈{terms}⌉ + 1{' − 1 (starts in the padding)' if dropped else ''} = {answer}"

    def least_input(self) -> int:
        """Return the smallest length that gives an output."""
        if self.kind == "transposed":
            missing = self.before + self.after - self.extent - self.output_padding + 1
            return max(1, -(-missing // self.stride) + 1)
        least = max(1, self.extent - self.before - self.after)
        while self.ceil_mode and least > 1 and self.output(least - 1) >= 1:
            least -= 1
        return least


@dataclass(frozen=True)
class Window:
    """A sliding layer: its window along every spatial axis.

    Made by :func:`window`, or by :func:`window_of` from one of torch's layers.

    Example:
        >>> from penchant.geometry import window
        >>> layer = window((7, 7), stride=2, padding=3)
        >>> layer.output_shape((224, 224))
        (112, 112)
        >>> print(layer.formula((224, 224)))
        ⌊(224 + 2·3 − 1·(7 − 1) − 1) / 2⌋ + 1 = 112
    """

    axes: tuple[AxisWindow, ...]

    def output_shape(self, input: Sequence[int]) -> tuple[int, ...]:
        """Return the spatial shape that comes out.

        Args:
            input: the spatial shape that goes in, one length an axis.

        Returns:
            One length an axis.

        Raises:
            PenchantError: no window fits; the message has the formula with its numbers.
        """
        if len(input) != len(self.axes):
            raise PenchantError(
                f"output_shape(input={tuple(input)}): has {len(input)} axes, but the window has "
                f"{len(self.axes)}"
            )
        if any(not isinstance(length, int) or isinstance(length, bool) for length in input):
            raise PenchantError(f"output_shape(input={tuple(input)}): needs whole numbers")
        lengths = tuple(axis.output(length) for axis, length in zip(self.axes, input, strict=True))
        for number, (axis, length, result) in enumerate(
            zip(self.axes, input, lengths, strict=True)
        ):
            if result < 1:
                where = f" on axis {number}" if len(lengths) > 1 else ""
                what = "comes out" if axis.kind == "transposed" else "fits"
                raise PenchantError(
                    f"output_shape(input={length}): nothing {what}{where}: "
                    f"{axis.formula(length)}; needs {_remedy(axis, length)}"
                )
        return lengths

    def formula(self, input: Sequence[int]) -> str:
        """Write the formula with its numbers, once where all axes agree.

        Args:
            input: the spatial shape that goes in.

        Returns:
            One line; the axes' formulas are separated by semicolons.
        """
        lines = [axis.formula(length) for axis, length in zip(self.axes, input, strict=True)]
        return "; ".join(dict.fromkeys(lines))


def _remedy(axis: AxisWindow, length: int) -> str:
    least = axis.least_input()
    if axis.kind == "transposed":
        grown = axis.output(length) + axis.before + axis.after
        return f"an input of at least {least} or a total padding of at most {grown - 1}"
    missing = axis.extent - length
    if length < 1:
        return f"an input of at least {least}"
    half = -(-missing // 2)
    return (
        f"an input of at least {least}, a padding of at least {half} on each side, or "
        f"dilation·(kernel − 1) + 1 of at most {length + axis.before + axis.after}"
    )


def window(
    kernel: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    kind: Kind = "conv",
    output_padding: int | Sequence[int] = 0,
    axes: int | None = None,
) -> Window:
    """Describe a sliding layer; the arguments are those of :func:`output_shape`.

    Args:
        kernel: taps of the window, one number for all axes or one an axis.
        stride: steps between windows; 1 when not given, for pooling the kernel, as in torch.
        padding: a number, ``"same"``, ``"valid"``, or one entry an axis, each a number or a pair
            (before, after).
        dilation: steps between taps.
        ceil_mode: whether a last, incomplete window counts; for pooling.
        kind: ``"conv"``, ``"pool"`` or ``"transposed"``.
        output_padding: samples added at the end; for transposed convolution.
        axes: how many axes there are, where no argument says so.

    Returns:
        The layer.

    Raises:
        PenchantError: a number that torch's layers would refuse.

    Example:
        >>> window((1, 3), padding="same").output_shape((4, 9))
        (4, 9)
    """
    if kind not in ("conv", "pool", "transposed"):
        raise PenchantError(f"window(kind={kind!r}): needs 'conv', 'pool' or 'transposed'")
    if stride is None:
        stride = kernel if kind == "pool" else 1
    count = _axes(axes, kernel, stride, dilation, output_padding, padding)
    kernels = _numbers("kernel", kernel, count, 1)
    strides = _numbers("stride", stride, count, 1)
    dilations = _numbers("dilation", dilation, count, 1)
    added = _numbers("output_padding", output_padding, count, 0)
    pads = _pads(padding, kernels, strides, dilations, kind)
    parts = zip(kernels, strides, pads, dilations, added, strict=True)
    layer = Window(
        tuple(
            AxisWindow(size, step, before, after, gap, ceil_mode, kind, extra)
            for size, step, (before, after), gap, extra in parts
        )
    )
    for axis in layer.axes:
        _check(axis)
    return layer


def _axes(given: int | None, *values: object) -> int:
    sizes = [
        len(value) for value in values if isinstance(value, Sequence) and not isinstance(value, str)
    ]
    return given if given is not None else (sizes[0] if sizes else 1)


def _numbers(name: str, value: int | Sequence[int], count: int, least: int) -> tuple[int, ...]:
    entries = (value,) * count if isinstance(value, int) else tuple(value)
    if len(entries) != count:
        raise PenchantError(
            f"window({name}={value!r}): has {len(entries)} entries, but there are {count} axes"
        )
    for entry in entries:
        if not isinstance(entry, int) or isinstance(entry, bool) or entry < least:
            raise PenchantError(
                f"window({name}={value!r}): needs whole numbers of at least {least}"
            )
    return entries


def _pads(
    padding: Padding,
    kernels: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    kind: Kind,
) -> tuple[tuple[int, int], ...]:
    if padding == "valid":
        return ((0, 0),) * len(kernels)
    if padding == "same":
        if kind == "transposed" or any(step != 1 for step in strides):
            raise PenchantError(
                f"window(padding='same', stride={strides}, kind={kind!r}): 'same' needs stride 1 "
                "and no transposition; give same_padding(kernel, dilation), which is numbers"
            )
        totals = [gap * (size - 1) for size, gap in zip(kernels, dilations, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(padding, str):
        raise PenchantError(
            f"window(padding={padding!r}): needs 'same', 'valid', a number, or one entry an axis"
        )
    entries = (padding,) * len(kernels) if isinstance(padding, int) else tuple(padding)
    if len(kernels) == 1 and len(entries) == 2:
        # One axis has one entry; two numbers can only be its pair.
        entries = ((entries[0], entries[1]),)  # type: ignore[assignment]
    if len(entries) != len(kernels):
        raise PenchantError(
            f"window(padding={padding!r}): has {len(entries)} entries, but there are "
            f"{len(kernels)} axes"
        )
    pairs = tuple((entry, entry) if isinstance(entry, int) else tuple(entry) for entry in entries)
    for pair in pairs:
        if len(pair) != 2 or not all(isinstance(side, int) and side >= 0 for side in pair):
            raise PenchantError(
                f"window(padding={padding!r}): needs whole numbers of at least 0, or pairs of them"
            )
    return tuple((pair[0], pair[1]) for pair in pairs)


def _check(axis: AxisWindow) -> None:
    if axis.ceil_mode and axis.kind != "pool":
        raise PenchantError(f"window(ceil_mode=True, kind={axis.kind!r}): only pooling has it")
    if axis.output_padding and axis.kind != "transposed":
        raise PenchantError(
            f"window(output_padding={axis.output_padding}, kind={axis.kind!r}): only a transposed "
            "convolution has it"
        )
    if axis.kind == "pool" and max(axis.before, axis.after) > axis.kernel // 2:
        raise PenchantError(
            f"window(padding={(axis.before, axis.after)}, kind='pool'): needs at most half of the "
            f"kernel {axis.kernel}, that is {axis.kernel // 2}"
        )
    if axis.output_padding and axis.output_padding >= max(axis.stride, axis.dilation):
        raise PenchantError(
            f"window(output_padding={axis.output_padding}): needs less than the larger of stride "
            f"{axis.stride} and dilation {axis.dilation}"
        )
