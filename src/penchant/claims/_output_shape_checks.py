"""The formula of a convolution's output against the shapes that torch's own layers give."""

from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import nn

from penchant.claims._claim import Evidence
from penchant.claims._draws import whole
from penchant.claims._setting import Setting
from penchant.claims._tally import Tally
from penchant.errors import PenchantError
from penchant.geometry import output_shape
from penchant.randomness import generator

PURPOSE = "claims output shape"
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
STAIRS = (3, 2, 1)
"""Kernel, stride and padding of the layer that is drawn."""


@dataclass(frozen=True)
class Sliding:
    """A convolution, a number an axis of each, and what goes in."""

    lengths: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def torch_says(self) -> tuple[int, ...] | None:
        """The shape that torch's own layer gives; None where it refuses."""
        layer = CONVOLUTIONS[len(self.lengths) - 1](
            1,
            1,
            self.kernel,  # type: ignore[arg-type]
            self.stride,  # type: ignore[arg-type]
            self.padding,  # type: ignore[arg-type]
            self.dilation,  # type: ignore[arg-type]
            device="meta",
        )
        try:
            return tuple(layer(torch.empty(1, 1, *self.lengths, device="meta")).shape[2:])
        except RuntimeError:
            return None

    def penchant_says(self) -> tuple[int, ...] | str:
        """The shape by `output_shape`, or the error's words."""
        try:
            return output_shape(
                self.lengths,
                self.kernel,
                stride=self.stride,
                padding=self.padding,
                dilation=self.dilation,
            )
        except PenchantError as error:
            return str(error)

    def notes_say(self) -> tuple[Fraction, ...]:
        """The notes' formula as it is written, without rounding."""
        return tuple(
            Fraction(length + 2 * padding - kernel, stride) + 1
            for length, kernel, stride, padding in zip(
                self.lengths, self.kernel, self.stride, self.padding, strict=True
            )
        )


def formula(setting: Setting) -> Evidence:
    """Compare the notes' formula, rounded down, with torch's layers."""
    tally = Tally()
    for one in _settings(setting, dilated=False):
        given = one.torch_says()
        if given is None:
            continue
        axes = f"{len(one.lengths)} axes" if len(one.lengths) > 1 else "1 axis"
        down = tuple(int(value // 1) for value in one.notes_say())
        tally.add(f"the formula and torch, {axes}", _apart(down, given), str(one))
    return {"checks": tally.checks(), "stairs": _stairs()}


def division(setting: Setting) -> Evidence:
    """Count where the quotient is a whole number, and how far below it torch's shape lies."""
    tally = Tally()
    whole_numbers = total = 0
    for one in _settings(setting, dilated=False):
        for value, size in zip(one.notes_say(), one.torch_says() or (), strict=False):
            total += 1
            whole_numbers += value.denominator == 1
            if value.denominator == 1:
                tally.require("a whole number: torch's", size == value, str(one))
            else:
                tally.require("else: below it by less than 1", 0 < value - size < 1, str(one))
    return {"checks": tally.checks(), "share_whole": round(whole_numbers / total, 4)}


def dilation(setting: Setting) -> Evidence:
    """Compare the general form with torch's layers."""
    tally = Tally()
    for one in _settings(setting, dilated=True):
        given = one.torch_says()
        if given is None:
            continue
        written = tuple(
            (length + 2 * padding - spread * (kernel - 1) - 1) // stride + 1
            for length, kernel, stride, padding, spread in zip(
                one.lengths, one.kernel, one.stride, one.padding, one.dilation, strict=True
            )
        )
        tally.add("the general form and torch", _apart(written, given), str(one))
        said = one.penchant_says()
        apart = 1 if isinstance(said, str) else _apart(said, given)
        tally.add("penchant.geometry.output_shape and torch", apart, str(one))
    return {"checks": tally.checks()}


def nothing_fits(setting: Setting) -> Evidence:
    """See that there is an error wherever torch refuses, and nowhere else."""
    tally, example = Tally(), ""
    for one in _settings(setting, dilated=True):
        given, said = one.torch_says(), one.penchant_says()
        if given is None:
            clear = isinstance(said, str) and "nothing fits" in said and "needs" in said
            tally.require("torch refuses: an error that says what would fit", clear, str(one))
            example = example or str(said)
        else:
            tally.require("torch gives a shape: no error", not isinstance(said, str), str(one))
    return {"checks": tally.checks(), "example": example}


def _settings(setting: Setting, *, dilated: bool) -> list[Sliding]:
    draws = generator(0, PURPOSE, int(dilated))
    found = []
    for _ in range(setting.several(smoke=300, quick=3000, full=20_000)):
        axes = whole(1, 3, draws)
        reach = ((1, 20), (1, 6), (1, 4), (0, 4), (1, 3 if dilated else 1))
        numbers = (tuple(whole(*ends, draws) for _ in range(axes)) for ends in reach)
        found.append(Sliding(*numbers))
    return found


def _apart(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _stairs() -> dict[str, list[float]]:
    """The output's length for every input's, of one layer: torch's, and without rounding."""
    sizes = range(1, 17)
    kernel, stride, padding = STAIRS
    layers = [Sliding((n,), (kernel,), (stride,), (padding,), (1,)) for n in sizes]
    shapes = [one.torch_says() for one in layers]
    return {
        "input": list(sizes),
        "torch": [shape[0] if shape else 0 for shape in shapes],
        "unrounded": [float(one.notes_say()[0]) for one in layers],
    }
