"""How far a picture network's maps and answer move when the picture moves.

Decisions:
- Pictures are rolled: what leaves at one side comes in at the other, so that no number is lost and
  a network with circular padding has error 0. An eighth of each map is left out at every side, and
  what came round besides: there a picture that was cut and rolled is not the one that moved.
- A map of stride r can follow a shift only if it is a multiple of r. Other shifts are measured
  against the nearest whole number of cells, and marked: their error is the stride's.
- The stride is read off the network's structure by `receptive_field`, not off sizes, which the
  padding changes.
- Errors are relative to what two unrelated samples differ by: 0 follows exactly, 1 not at all.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.geometry import receptive_field
from penchant.probes._finding import Finding
from penchant.probes._passes import (
    Frame,
    Pass,
    check_inputs,
    check_network,
    numbered,
    table,
    tensors,
)

_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass(frozen=True)
class MapShift:
    """How well one layer's map follows."""

    name: str
    """The module's dotted name; ``#2`` behind it for its second call."""
    kind: str
    """The module's class."""
    stride: int
    """Pixels of the input from one cell to the next."""
    errors: tuple[float, ...]
    """For each shift, 0 (follows exactly) to about 1 (unrelated); nan where nothing is left of the
    map without its borders, or where it is constant."""
    exact: tuple[bool, ...]
    """For each shift, whether it is a multiple of the stride: else no layer could follow."""


@dataclass(frozen=True)
class ShiftReport:
    """How far maps and answer move with the picture."""

    shifts: tuple[int, ...]
    """Pixels."""
    layers: tuple[MapShift, ...]
    """Modules whose output is a map N×C×H×W, in order."""
    change: tuple[float, ...]
    """For each shift, how far the answer moves: root mean square, relative to √2 of its spread
    over samples: 0 invariant, about 1 as for another picture; nan where the answer is a map."""
    flips: tuple[float, ...]
    """For each shift, the share of answers whose largest output is another one; nan where an
    answer is no row of at least 2 numbers."""
    samples: int
    """Pictures."""
    notes: tuple[str, ...]
    """Why maps could not be compared."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """None: whether an answer should move with the picture is for its user to say."""
        return ()

    @property
    def sentence(self) -> str:
        """The outcome in a sentence, for the smallest shift."""
        pixels = f"{self.shifts[0]} pixel{'s' * (self.shifts[0] != 1)}"
        parts = []
        if math.isfinite(self.change[0]):
            parts.append(f"the answer moves by {self.change[0]:.0%} of its spread over samples")
        if math.isfinite(self.flips[0]):
            parts.append(f"{self.flips[0]:.1%} of the answers flip")
        known = [one for one in self.layers if one.exact[0] and math.isfinite(one.errors[0])]
        if known:
            last = known[-1]
            parts.append(
                f"the last map that can follow ({last.name or 'the network'}) is off by "
                f"{last.errors[0]:.1%}"
            )
        return f"Under a shift by {pixels} " + (", ".join(parts) or "nothing can be compared") + "."

    def __str__(self) -> str:
        heads = ("layer", "stride", *(f"by {shift}" for shift in self.shifts))
        rows = [
            (
                layer.name or "(the network)",
                str(layer.stride),
                *(
                    _percent(error) + ("" if exact else "*")
                    for error, exact in zip(layer.errors, layer.exact, strict=True)
                ),
            )
            for layer in self.layers
        ]
        rows.append(("answer", "", *map(_percent, self.change)))
        rows.append(("answers that flip", "", *map(_percent, self.flips)))
        star = [] if all(all(one.exact) for one in self.layers) else ["* no multiple of the stride"]
        return "\n".join([table(heads, rows), *star, self.sentence, *self.notes])


def shift_response(
    network: nn.Module, inputs: Tensor, shift: int | Sequence[int] = 1
) -> ShiftReport:
    r"""Return how far feature maps and answer move when the pictures are shifted by whole pixels.

    .. math:: \text{error} = \frac{\mathrm{rms}(f(Sx) - S'f(x))}{\sqrt2\,\mathrm{sd}(f(x))},
              \qquad \text{change} = \frac{\mathrm{rms}(y(Sx) - y(x))}{\sqrt2\,\mathrm{sd}(y(x))}

    with S the shift, S' the same shift in a map's own cells, and sd the spread about each channel's
    mean (for answers y: about each output's mean over samples). Shifts go up, down, left and
    right; squares are averaged over the four. A convolution with circular padding has error 0 for
    multiples of its stride; zero padding, pooling with stride and dense layers do not.

    Args:
        network: any module that takes pictures, in the mode it is in; nothing of it changes.
        inputs: pictures N×C×H×W, at least 2.
        shift: pixels, or several shifts.

    Returns:
        Errors of maps and change of answers for each shift.

    Raises:
        PenchantError: no module, inputs that are no pictures or not finite, or a shift that is no
            whole number from 1 to below the picture's size.

    Example:
        >>> conv = nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular").double()
        >>> report = shift_response(conv, torch.randn(4, 1, 8, 8, dtype=torch.float64))
        >>> report.layers[0].stride, report.layers[0].errors[0] < 1e-12
        (1, True)

    Source: Zhang, "Making convolutional networks shift-invariant again", 2019; Azulay & Weiss,
    "Why do deep convolutional networks generalize so poorly to small image transformations?", 2019.
    """
    check_network("shift_response", network)
    pictures = check_inputs("shift_response(inputs)", inputs)
    if pictures.ndim != 4 or len(pictures) < 2 or not pictures.is_floating_point():
        raise PenchantError(
            f"shift_response(inputs): a batch of shape {tuple(pictures.shape)} and type "
            f"{pictures.dtype}; at least 2 pictures N×C×H×W of a floating type would fit"
        )
    shifts = _checked(shift, min(pictures.shape[2:]))
    strides, notes = _strides(network, pictures)
    watch = _Maps(network, strides)
    with torch.no_grad():
        answer, maps = watch.look(pictures)
        rows = [_compare(watch, pictures, answer, maps, shift, strides) for shift in shifts]
    layers = tuple(
        MapShift(
            name=name,
            kind=watch.kinds[name],
            stride=strides[name],
            errors=tuple(row.errors[name] for row in rows),
            exact=tuple(shift % strides[name] == 0 for shift in shifts),
        )
        for name in maps
    )
    return ShiftReport(
        shifts,
        layers,
        tuple(row.change for row in rows),
        tuple(row.flips for row in rows),
        len(pictures),
        notes,
    )


@dataclass(frozen=True)
class _Row:
    """What one shift does."""

    errors: dict[str, float]
    change: float
    flips: float


class _Maps(Pass):
    """Keeps the maps that modules make."""

    def __init__(self, network: nn.Module, strides: dict[str, int]) -> None:
        super().__init__(network)
        self.strides = strides
        self.kinds: dict[str, str] = {}
        self._maps: dict[str, Tensor] = {}
        self._calls: dict[str, int] = {}

    def look(self, pictures: Tensor) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Run the network; return its answer and the maps by name."""
        self._maps, self._calls = {}, {}
        found = tensors(self.run(pictures))
        answer = next((one for one in found if one.is_floating_point() and one.ndim > 1), None)
        return answer, self._maps

    def leave(self, frame: Frame, inputs: tuple[Any, ...], output: Any) -> None:
        self._calls[frame.path] = self._calls.get(frame.path, 0) + 1
        name = numbered(frame.path, self._calls[frame.path])
        if name in self.strides and isinstance(output, Tensor) and output.ndim == 4:
            self._maps[name] = output.detach().clone()  # a later layer may write into it
            self.kinds[name] = type(frame.module).__name__


def _compare(
    watch: _Maps,
    pictures: Tensor,
    answer: Tensor | None,
    maps: dict[str, Tensor],
    shift: int,
    strides: dict[str, int],
) -> _Row:
    squares: dict[str, float] = dict.fromkeys(maps, 0.0)
    moved, flipped = 0.0, 0.0
    for direction in _DIRECTIONS:
        by = (shift * direction[0], shift * direction[1])
        there, shifted = watch.look(pictures.roll(by, (2, 3)))
        for name, one in maps.items():
            squares[name] += _error(one, shifted[name], by, strides[name]) / len(_DIRECTIONS)
        moved += _moved(answer, there) / len(_DIRECTIONS)
        flipped += _flipped(answer, there) / len(_DIRECTIONS)
    errors = {name: math.sqrt(square) for name, square in squares.items()}
    return _Row(errors, math.sqrt(moved), flipped)


def _error(one: Tensor, other: Tensor, by: tuple[int, int], stride: int) -> float:
    """Mean squared difference over twice the variance, away from the borders."""
    cells = (_cells(by[0], stride), _cells(by[1], stride))
    followed = one.roll(cells, (2, 3))
    inner = []
    for length, cell in zip(one.shape[2:], cells, strict=True):
        border = math.ceil(length / 8)
        inner.append(slice(border + max(cell, 0), length - border + min(cell, 0)))
    apart = (other - followed)[:, :, inner[0], inner[1]].double()
    spread = (one - one.mean((0, 2, 3), keepdim=True)).double().square().mean()
    if apart.numel() == 0 or spread == 0:
        return math.nan
    return float(apart.square().mean() / (2 * spread))


def _cells(pixels: int, stride: int) -> int:
    return int(math.copysign((abs(pixels) + stride // 2) // stride, pixels))


def _moved(answer: Tensor | None, other: Tensor | None) -> float:
    if answer is None or other is None or answer.ndim > 3:
        return math.nan
    spread = (answer - answer.mean(0)).double().square().mean()
    if spread == 0:
        return math.nan
    return float((other - answer).double().square().mean() / (2 * spread))


def _flipped(answer: Tensor | None, other: Tensor | None) -> float:
    if answer is None or other is None or answer.ndim != 2 or answer.shape[1] < 2:
        return math.nan
    return float((answer.argmax(1) != other.argmax(1)).double().mean())


def _strides(network: nn.Module, pictures: Tensor) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the strides of the maps that have one, by name, and why there are none."""
    try:
        with torch.enable_grad():  # networks that cannot be traced are measured by gradients
            layers = receptive_field(network, pictures[:2]).layers
    except PenchantError as reason:
        return {}, (f"maps are not compared, since their strides are not known: {reason}",)
    strides = {}
    for layer in layers:
        field = layer.field
        if field is None or len(layer.output_shape) != 4:
            continue
        steps = [axis.stride for axis in field.axes if axis.follows == axis.axis]
        if len(steps) == 2 and steps[0] == steps[1] and _whole(steps[0]):
            path, _, turn = layer.path.partition("@")
            strides[numbered(path, int(turn or 0) + 1)] = int(steps[0] or 0)
    return strides, ()


def _percent(share: float) -> str:
    return f"{share:.1%}" if math.isfinite(share) else "-"


def _whole(step: int | Fraction | None) -> bool:
    return step is not None and step == int(step) and step > 0


def _checked(shift: int | Sequence[int], size: int) -> tuple[int, ...]:
    shifts = tuple(_each(shift))
    for one in shifts:
        if not isinstance(one, int) or isinstance(one, bool) or not 0 < one < size:
            raise PenchantError(
                f"shift_response(shift={shift!r}): whole numbers of pixels from 1 to {size - 1} "
                f"would fit pictures whose shorter side is {size}"
            )
    if not shifts:
        raise PenchantError("shift_response(shift=()): holds no shift; at least 1 would fit")
    return shifts


def _each(shift: object) -> Iterator[Any]:
    if isinstance(shift, list | tuple | range):
        yield from shift
    else:
        yield shift
