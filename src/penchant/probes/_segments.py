"""Straight lines through the domain [-1, 1]^d, and power by frequency along them."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.randomness import generator

LENGTH = 2.0
"""Of a segment, in units of the coordinates: the domain's side."""


def segments(
    shape: tuple[int, ...], lines: int, points: int, seed: int
) -> Float[Tensor, "lines points *shape"]:
    """Draw segments of length 2 that lie within the domain, with points evenly along each.

    The direction is uniform on the sphere and the middle uniform where the segment fits. In one
    dimension there is one: [-1, 1). The end itself is left out, so that points over length make a
    period of the discrete Fourier transform.

    Example:
        >>> segments((1,), 1, 4, seed=0).flatten().tolist()
        [-1.0, -0.5, 0.0, 0.5]
    """
    size = math.prod(shape)
    draws = generator(seed, "probe/segments")
    directions = torch.randn(lines, size, generator=draws, dtype=torch.float64)
    directions /= torch.linalg.vector_norm(directions, dim=1, keepdim=True)
    places = torch.rand(lines, size, generator=draws, dtype=torch.float64) * 2 - 1
    if size == 1:
        directions = torch.ones_like(directions)
    middles = places * (1 - directions.abs())
    along = torch.arange(points, dtype=torch.float64) * (LENGTH / points) - LENGTH / 2
    drawn: Tensor = middles[:, None] + along[:, None] * directions[:, None]
    return drawn.reshape(lines, points, *shape)


def tapered_power(
    values: Float[Tensor, "*lines points"],
) -> Float[Tensor, "*lines frequencies"]:
    r"""Power by frequency, 0 left out, of numbers evenly along a line.

    .. math:: P_k = \frac{2\,|\sum_n w_n (g_n - \bar g)\,e^{-2\pi i k n/N}|^2}{N \sum_n w_n^2},
              \qquad \bar g = \frac{\sum w_n g_n}{\sum w_n}

    with Hann's window w, which keeps a jump from one end to the other from looking like high
    frequencies; a pure wave shows at three neighbouring k. White noise of variance σ² has Σ P = σ².

    Example:
        >>> wave = torch.sin(2 * torch.pi * 5 * torch.arange(64, dtype=torch.float64) / 64)
        >>> power = tapered_power(wave)
        >>> int(power.argmax()) + 1, len(power)
        (5, 32)
    """
    n = values.shape[-1]
    window = torch.hann_window(n, periodic=True, dtype=torch.float64, device=values.device)
    wide = values.double()
    mean = (wide * window).sum(-1, keepdim=True) / window.sum()
    power: Tensor = torch.fft.rfft((wide - mean) * window).abs().square()[..., 1:]
    power *= 2 / (n * window.square().sum())
    if n % 2 == 0:  # the highest frequency has no partner
        power[..., -1] /= 2
    return power


def frequency_below(
    frequencies: Float[Tensor, " frequencies"], power: Float[Tensor, " frequencies"], share: float
) -> float:
    """The frequency below which a share of the power lies, between neighbours by a straight line.

    Each entry's power is taken to lie evenly over the step that ends half a step above it. Where
    there is no power it is 0.

    Example:
        >>> frequency_below(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 1.0, 0.0]), 0.5)
        2.0
    """
    total = float(power.sum())
    if not total:
        return 0.0
    step = float(frequencies[1] - frequencies[0]) if len(frequencies) > 1 else 0.0
    below = torch.cat([power.new_zeros(1, dtype=torch.float64), power.double().cumsum(0) / total])
    index = int(torch.searchsorted(below, share).clamp(1, len(power)))
    within = (share - float(below[index - 1])) / float(below[index] - below[index - 1])
    return float(frequencies[index - 1]) + (within - 0.5) * step


def checked_shape(call: str, inputs: object) -> tuple[int, ...]:
    """Return the shape of one sample, from a number of coordinates or a shape.

    Example:
        >>> checked_shape("spectrum", 2), checked_shape("spectrum", (1, 8, 8))
        ((2,), (1, 8, 8))
    """
    shape: tuple[Any, ...] = tuple(inputs) if isinstance(inputs, Sequence) else (inputs,)
    if not shape or not all(_whole(one) and one >= 1 for one in shape):
        raise PenchantError(
            f"{call}(inputs={inputs!r}): the number of coordinates, or a sample's shape, would fit"
        )
    return tuple(int(one) for one in shape)


def checked_count(call: str, value: Any, least: int = 1) -> int:
    """Return a whole number of at least `least`, or say which call was given what else."""
    if not _whole(value) or value < least:
        raise PenchantError(f"{call}={value!r}): needs a whole number of at least {least}")
    return int(value)


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def like_weights(network: nn.Module, points: Tensor) -> Tensor:
    """Put points where the network's weights are, in their real type."""
    for weight in network.parameters():
        real = weight.dtype.to_real() if weight.is_complex() else weight.dtype
        return points.to(weight.device, real if real.is_floating_point else torch.float32)
    return points.to(torch.get_default_dtype())
