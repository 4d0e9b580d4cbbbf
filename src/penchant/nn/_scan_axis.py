"""The arithmetic of scanning along one axis: window, places, grids, edges. Whole numbers only.

Decisions:
- A layer's groups are told by width, stride and dilation in units of the layer below, as a
  convolution's are. In samples, neighbours within a group of layer l lie `spacing` apart.
- Only places that the window's one output depends on count. A stride above its width leaves
  values that nothing reads, and those are no part of the network.
"""

import math
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Axis:
    """Widths, strides and dilations of all layers along one axis, the lowest layer first.

    Example:
        >>> axis = Axis(widths=(2, 2, 2), strides=(2, 2, 2), dilations=(1, 1, 1))
        >>> axis.window, axis.stride, axis.places
        (8, 8, ((0, 1, 2, 3, 4, 5, 6, 7), (0, 1, 2, 3), (0, 1), (0,)))
        >>> axis.dense(1)
        ((1, 1), (1, 2), (1, 4))
    """

    widths: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]

    @cached_property
    def stride(self) -> int:
        """Samples between two outputs when every layer takes its own stride."""
        return math.prod(self.strides)

    @cached_property
    def spacings(self) -> tuple[int, ...]:
        """Samples between neighbours in a group of each layer; 0 where a group is one value."""
        jump, found = 1, []
        for width, stride, dilation in zip(self.widths, self.strides, self.dilations, strict=True):
            found.append(dilation * jump if width > 1 else 0)
            jump *= stride
        return tuple(found)

    @cached_property
    def window(self) -> int:
        """Samples from the first that one output reads to the last."""
        pairs = zip(self.widths, self.spacings, strict=True)
        return 1 + sum((width - 1) * spacing for width, spacing in pairs)

    @cached_property
    def places(self) -> tuple[tuple[int, ...], ...]:
        """Places of each layer that one output depends on, behind all samples of the window."""
        found: list[tuple[int, ...]] = [(0,)]
        for layer in reversed(range(len(self.widths))):
            below = {index for group in self._groups(layer, found[0]) for index in group}
            found.insert(0, tuple(sorted(below)))
        return (tuple(range(self.window)), *found[1:])

    def groups(self, layer: int) -> list[list[int]]:
        """List what each place of a layer reads, as positions in `places` of the layer below."""
        position = {place: index for index, place in enumerate(self.places[layer])}
        reads = self._groups(layer, self.places[layer + 1])
        return [[position[index] for index in group] for group in reads]

    def _groups(self, layer: int, places: tuple[int, ...]) -> list[list[int]]:
        offsets = [tap * self.dilations[layer] for tap in range(self.widths[layer])]
        return [[place * self.strides[layer] + offset for offset in offsets] for place in places]

    def dense(self, stride: int) -> tuple[tuple[int, int], ...]:
        """Give each layer the stride and dilation that compute every value once (à trous).

        A layer's values are wanted on a grid: for the last one, every `stride` samples. The layer
        below is then wanted on the coarsest grid that holds all groups of those, whose step is
        the greatest common divisor of the grid above and the spacing within a group.
        """
        if stride == self.stride:
            return tuple(zip(self.strides, self.dilations, strict=True))
        grid = stride
        found: list[tuple[int, int]] = []
        for layer in reversed(range(len(self.widths))):
            spacing = self.spacings[layer]
            below = math.gcd(grid, spacing) if layer else 1
            found.insert(0, (grid // below, spacing // below or 1))
            grid = below
        return tuple(found)

    def outputs(self, length: int, stride: int, padding: int) -> int:
        """Count the windows of a signal: ⌊(length + 2·padding − window) / stride⌋ + 1."""
        return max(0, (length + 2 * padding - self.window) // stride + 1)

    def computed(self, length: int, stride: int, padding: int) -> tuple[int, ...]:
        """Count the places that each layer of the dense pass computes."""
        length += 2 * padding
        found: list[int] = []
        for width, (step, dilation) in zip(self.widths, self.dense(stride), strict=True):
            length = (length - dilation * (width - 1) - 1) // step + 1
            found.append(length)
        return tuple(found)

    def unreached(self, length: int, stride: int, padding: int) -> int:
        """Count the signal's samples that lie in no window."""
        last = (self.outputs(length, stride, padding) - 1) * stride - padding
        if stride <= self.window:
            return length - (min(length, last + self.window) - max(0, -padding))
        starts = range(-padding, last + 1, stride)
        reached = (min(length, at + self.window) - max(0, at) for at in starts)
        return length - sum(max(0, samples) for samples in reached)
