"""Random structures for tests of scanning, and what a scanning MLP computes, place by place."""

from dataclasses import dataclass
from itertools import product

import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from penchant.nn import Gaussian, ScanningMLP

LARGEST_WINDOW = {1: 60, 2: 14, 3: 6}


@dataclass(frozen=True)
class Scan:
    """A scanning MLP in float64, a signal, and how it is scanned."""

    mlp: ScanningMLP
    signal: Tensor
    stride: tuple[int, ...]
    padding: tuple[int, ...]

    def windows(self) -> Tensor:
        """Cut all windows out: batch, places of each axis, channels, window."""
        pads = [pad for pad in reversed(self.padding) for _ in range(2)]
        views = F.pad(self.signal, pads)
        for axis, (window, step) in enumerate(zip(self.mlp.window, self.stride, strict=True)):
            views = views.unfold(2 + axis, window, step)
        return views.movedim(1, 1 + len(self.stride))

    def by_windows(self, model: torch.nn.Module) -> Tensor:
        """Evaluate window by window and put the answers where a scan has them."""
        windows = self.windows()
        places = windows.shape[: 1 + len(self.stride)]
        rows = [model(window[None])[0] for window in windows.flatten(0, len(self.stride))]
        return torch.stack(rows).reshape(*places, -1).movedim(-1, 1)


@st.composite
def scans(draw: st.DrawFn, dimensions: int) -> Scan:
    """Draw everything; windows stay small, so that the slow way takes milliseconds."""
    most = 3 if dimensions < 3 else 2
    sizes = st.tuples(*[st.integers(1, most)] * dimensions)
    layer = st.tuples(st.integers(1, 3), sizes, sizes, sizes)
    layers = draw(st.lists(layer, min_size=1, max_size=5 - dimensions))
    channels, seed = draw(st.integers(1, 3)), draw(st.integers(0, 999))
    # Slopes of about 1 at most: steeper ones would enlarge rounding from layer to layer.
    phi = draw(st.sampled_from(["relu", "tanh", "gelu", Gaussian(scale=1)]))
    mlp = ScanningMLP(channels, layers, dimensions=dimensions, activation=phi, seed=seed).double()
    while max(mlp.window) > LARGEST_WINDOW[dimensions]:
        layers = layers[:-1]
        mlp = ScanningMLP(
            channels, layers, dimensions=dimensions, activation=phi, seed=seed
        ).double()
    stride = draw(st.tuples(*[st.integers(1, 9 if dimensions == 1 else 4)] * dimensions))
    padding = draw(st.tuples(*[st.integers(0, 3)] * dimensions))
    longer = draw(st.tuples(*[st.integers(0, 12 if dimensions == 1 else 4)] * dimensions))
    length = [
        max(1, window - 2 * pad + more)
        for window, pad, more in zip(mlp.window, padding, longer, strict=True)
    ]
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in mlp.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draws, dtype=torch.float64))
    signal = torch.randn((2, channels, *length), generator=draws, dtype=torch.float64)
    return Scan(mlp, signal, stride, padding)


def answer(mlp: ScanningMLP, window: Tensor) -> Tensor:
    """Compute one window's answer as the notes draw it: unit by unit, each from its group."""
    values = {place: window[:, *place] for place in product(*map(range, window.shape[1:]))}

    def value(layer: int, place: tuple[int, ...]) -> Tensor:
        if layer == 0:
            return values[place]
        _, width, stride, dilation = mlp.structure.layers[layer - 1]

        def reads(place: tuple[int, ...], taps: tuple[int, ...]) -> tuple[int, ...]:
            axes = zip(stride, place, dilation, taps, strict=True)
            return tuple(s * p + d * tap for s, p, d, tap in axes)

        group = [value(layer - 1, reads(place, taps)) for taps in product(*map(range, width))]
        linear = mlp.layers[layer - 1]
        # A filter's weights are kept channel by channel, as a convolution's are.
        seen = torch.stack(group, dim=1).flatten()
        return mlp.activations[layer - 1](linear.weight @ seen + linear.bias)

    return value(len(mlp.layers), (0,) * (window.dim() - 1))


def close(found: Tensor, expected: Tensor) -> None:
    """Equal to 1e-12 of the largest value."""
    scale = 1 + expected.abs().max().item()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * scale)
