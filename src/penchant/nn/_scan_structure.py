"""The structure of a scanning MLP: its layers, and what follows from them by formula."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from penchant.errors import PenchantError
from penchant.nn._checks import count
from penchant.nn._scan_axis import Axis

PerAxis = int | Sequence[int]
"""One whole number for all axes of a signal, or one for each."""


class ScanLayer(NamedTuple):
    """One layer: `filters` units look at each group of `width` places of the layer below.

    Groups begin every `stride` places, and a group's members lie `dilation` places apart; each of
    the three has one number an axis.
    """

    filters: int
    width: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]


class ParameterCounts(NamedTuple):
    """Weights and biases of one function in three forms.

    dense: an MLP of the same units, each looking at the whole layer below. unshared: each looking
    at its group only. shared: the same, with one set of parameters a filter.
    """

    dense: int
    unshared: int
    shared: int


class MultiplyAdds(NamedTuple):
    """Multiply-adds to scan a signal (weights applied; biases and activations are not counted).

    dense: the MLP with its zeros written out, on every window. windows: each window by its
    groups. converted: the convolutional network over the whole signal.
    """

    dense: int
    windows: int
    converted: int


class Coverage(NamedTuple):
    """Where the windows of a scan lie, one number an axis.

    outputs: how many windows. first, last: the sample at which the first and the last window
    begin; negative where it begins in the padding. unreached: samples that lie in no window, at
    the end, or between windows when the scanning stride is above the window.
    """

    outputs: tuple[int, ...]
    first: tuple[int, ...]
    last: tuple[int, ...]
    unreached: tuple[int, ...]


@dataclass(frozen=True)
class Structure:
    """Channels of the signal, and the layers above it.

    Example:
        >>> structure = Structure(1, scan_layers("demo", [(4, 2, 2), (3, 2, 2), (2, 2, 2)], 1))
        >>> structure.window, structure.parameter_counts
        ((8,), ParameterCounts(dense=260, unshared=116, shared=53))
    """

    channels: int
    layers: tuple[ScanLayer, ...]

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The arithmetic along each axis."""
        return tuple(
            Axis(
                widths=tuple(layer.width[axis] for layer in self.layers),
                strides=tuple(layer.stride[axis] for layer in self.layers),
                dilations=tuple(layer.dilation[axis] for layer in self.layers),
            )
            for axis in range(len(self.layers[0].width))
        )

    @property
    def window(self) -> tuple[int, ...]:
        """Samples that one output spans."""
        return tuple(axis.window for axis in self.axes)

    @property
    def stride(self) -> tuple[int, ...]:
        """Samples between outputs when every layer takes its own stride."""
        return tuple(axis.stride for axis in self.axes)

    @property
    def features(self) -> tuple[int, ...]:
        """Channels of the signal, then of each layer."""
        return (self.channels, *(layer.filters for layer in self.layers))

    def places(self, layer: int) -> int:
        """Count the places of a layer that one output depends on; 0 is the window itself."""
        return math.prod(len(axis.places[layer]) for axis in self.axes)

    @cached_property
    def parameter_counts(self) -> ParameterCounts:
        """Count weights and biases by formula."""
        dense = unshared = shared = 0
        for index, layer in enumerate(self.layers):
            inputs = self.features[index] * math.prod(layer.width)
            places = self.places(index + 1)
            below = self.places(index) * self.features[index]
            dense += (below + 1) * places * layer.filters
            unshared += (inputs + 1) * places * layer.filters
            shared += (inputs + 1) * layer.filters
        return ParameterCounts(dense, unshared, shared)

    def multiply_adds(
        self, length: Sequence[int], stride: Sequence[int], padding: Sequence[int]
    ) -> MultiplyAdds:
        """Count multiply-adds by formula; see the class of what comes back."""
        scans = list(zip(self.axes, length, stride, padding, strict=True))
        outputs = math.prod(axis.outputs(*given) for axis, *given in scans)
        dense = windows = converted = 0
        for index, layer in enumerate(self.layers):
            products = self.features[index] * math.prod(layer.width) * layer.filters
            units = self.places(index + 1) * layer.filters
            dense += outputs * units * self.places(index) * self.features[index]
            windows += outputs * self.places(index + 1) * products
            converted += (
                math.prod(axis.computed(*given)[index] for axis, *given in scans) * products
            )
        return MultiplyAdds(dense, windows, converted)

    def coverage(
        self, length: Sequence[int], stride: Sequence[int], padding: Sequence[int]
    ) -> Coverage:
        """Say where the windows lie."""
        scans = list(zip(self.axes, length, stride, padding, strict=True))
        outputs = tuple(axis.outputs(*given) for axis, *given in scans)
        return Coverage(
            outputs=outputs,
            first=tuple(-pad for pad in padding),
            last=tuple(
                (n - 1) * step - pad for n, step, pad in zip(outputs, stride, padding, strict=True)
            ),
            unreached=tuple(axis.unreached(*given) for axis, *given in scans),
        )


def scan_layers(call: str, given: object, dimensions: int) -> tuple[ScanLayer, ...]:
    """Read (filters, width, stride, dilation) tuples; stride and dilation are 1 when left out."""
    wanted = "(filters, width), (filters, width, stride) or (filters, width, stride, dilation)"
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise PenchantError(f"{call}(layers={given!r}): needs at least one layer, each {wanted}")
    layers = []
    for index, layer in enumerate(given):
        where = f"{call}(layers[{index}]"
        if not isinstance(layer, Sequence) or isinstance(layer, str) or not 2 <= len(layer) <= 4:
            raise PenchantError(f"{where}={layer!r}): needs {wanted}")
        filters, width, stride, dilation = [*layer, 1, 1][:4]
        layers.append(
            ScanLayer(
                count(f"{where} filters", filters),
                each_axis(f"{where} width", width, dimensions),
                each_axis(f"{where} stride", stride, dimensions),
                each_axis(f"{where} dilation", dilation, dimensions),
            )
        )
    return tuple(layers)


def each_axis(call: str, given: object, dimensions: int, least: int = 1) -> tuple[int, ...]:
    """Return one whole number an axis, from one for all or from one for each.

    Example:
        >>> each_axis("demo(width", 3, 2), each_axis("demo(width", (3, 5), 2)
        ((3, 3), (3, 5))
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        return (count(call, given, least),) * dimensions
    if len(given) != dimensions:
        raise PenchantError(
            f"{call}={tuple(given)}): has {len(given)} numbers, and the signal {dimensions} "
            f"{'axis' if dimensions == 1 else 'axes'}"
        )
    return tuple(count(call, number, least) for number in given)
