r"""A network's bandwidth before training, and the scale whose bandwidth is a wanted one.

Decisions:
- Bandwidth is the tangent kernel's, not the start's: what a network represents at its start is the
  head's random sum, what it can be moved to is the kernel's.
- Power is estimated by moving all weights at random, which costs two passes forward for each draw
  and needs no kernel: the answers' movement is a Gaussian process whose covariance is the kernel.
- A share of the kernel's power, not the point where it has fallen by half: an encoding's kernel has
  lines at its own frequencies, where such a point is ambiguous. And 95 %, not half of it: deeper
  layers move most at low frequencies, whatever the scale, so that half lies below about one cycle
  per unit for small scales alike (doubling a Gaussian's scale moved it by 1.4 to 1.6, 95 % by 1.8
  to 2.0).
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import nn

from penchant.errors import PenchantError
from penchant.probes._segments import (
    LENGTH,
    checked_count,
    checked_shape,
    like_weights,
    segments,
    tapered_power,
)
from penchant.probes._spectrum import Made, Spectrum, gathered, networks_of
from penchant.probes._weight_function import weight_function
from penchant.randomness import generator

FEWEST, MOST_POINTS = 256, 2**14
"""Points on a line, which are doubled until the spectrum ends well below what they can show."""
ENOUGH = 0.02
"""Share of the power that may lie in the upper half of the frequencies."""
TYPICAL, SAMPLED = 2.0, 0.09
"""A suited bandwidth over the signal's f₅₀, and at most over its samples' highest frequency."""

_Choice = TypeVar("_Choice", int, float)


def kernel_spectrum(
    network: Made,
    inputs: int | Sequence[int],
    *,
    seeds: int | None = None,
    lines: int = 8,
    draws: int = 16,
    points: int | None = None,
    seed: int = 0,
) -> Spectrum:
    r"""Return how a network's tangent kernel spreads over frequencies.

    .. math:: R(f) = v_f^* K v_f = \mathrm{E}_\xi\,|v_f^* J \xi|^2, \qquad K = J J^T,\quad
              J = \frac{\partial\,\text{network}(x_n)}{\partial w},\quad \xi \sim N(0, 1)

    with v_f the wave :math:`e^{2\pi i f x_n}` under Hann's window, its mean removed, along random
    lines through [-1, 1]^d, summed over outputs. Gradient descent on mean squared error removes a
    residual of frequency f at a rate proportional to R(f) at first: shares of R are shares of
    speed. Each random ξ moves all weights at once; the spectrum of how answers move is averaged.

    Args:
        network: any module that `torch.func.functional_call` takes, in the mode it is in; or a
            function that makes one from a seed.
        inputs: how many coordinates a point has, or a sample's shape.
        seeds: networks to make, with seeds 0, 1, ...; 8 when not given. Only with a function.
        lines: segments.
        draws: of ξ; R errs by about 1/√(lines·draws) at each frequency, and less summed over them.
        points: on a line, which shows frequencies up to a quarter of them in cycles per unit and
            folds higher ones back; by default so many that hardly any power is that high.
        seed: of segments and draws.

    Returns:
        R by frequency as shares.

    Raises:
        PenchantError: no module, nothing to train, or an answer that depends on other samples.

    Example:
        >>> from penchant.nn import CoordinateNet
        >>> slow, fast = (CoordinateNet(2, 3, encoding=code) for code in ("none", "nerf"))
        >>> kernel_spectrum(slow, 2).half < kernel_spectrum(fast, 2).half
        True

    Source: Jacot et al., "Neural tangent kernel", 2018; Tancik et al., "Fourier features", 2020.
    """
    shape = checked_shape("kernel_spectrum", inputs)
    draws = checked_count("kernel_spectrum(draws", draws)
    lines = checked_count("kernel_spectrum(lines", lines)
    if shape == (1,):
        lines, draws = 1, lines * draws
    made = networks_of(network, seeds, "kernel_spectrum")
    most = MOST_POINTS if points is None else checked_count("kernel_spectrum(points", points, 4)
    size = min(FEWEST, most) if points is None else most
    while True:
        powers = torch.stack([_power(one, shape, (lines, size), draws, seed) for one in made])
        found = gathered(powers, 1 / LENGTH, "the tangent kernel")
        upper = float(found.power[len(found.power) // 2 :].sum())
        if upper <= ENOUGH or size >= most:
            return found
        size *= 2


def _power(
    network: nn.Module, shape: tuple[int, ...], sizes: tuple[int, int], draws: int, seed: int
) -> torch.Tensor:
    asked = like_weights(network, segments(shape, *sizes, seed).flatten(0, 1))
    function = weight_function(network, asked, "kernel_spectrum")
    total = torch.zeros(sizes[1] // 2, dtype=torch.float64, device=asked.device)
    for step in range(draws):
        stream = generator(seed, "probe/kernel", step)
        direction = torch.randn(function.size, generator=stream, dtype=torch.float64)
        moved = function.pushed(asked, function.split(direction.to(asked.device)))
        total += tapered_power(moved.reshape(*sizes, -1).movedim(1, -1)).mean(0).sum(0)
    if not total.isfinite().all():
        raise PenchantError("kernel_spectrum: the network's derivatives are not finite")
    return total.cpu()


def bandwidth(
    network: Made, inputs: int | Sequence[int], *, seeds: int | None = None, seed: int = 0
) -> float:
    r"""Return the frequency below which 95 % of a network's tangent kernel lies.

    .. math:: \sum_{0 < f \le b} R(f) = 0.95 \sum_{f > 0} R(f)

    with R as in `kernel_spectrum`: b is its `most`. Twice the bandwidth means that details of half
    the size are learned as easily. For networks whose first activation reads the coordinates it is
    nearly proportional to the activation's scale (sine's ω₀, the Gaussian's s), since φ(2s·Wx) is
    φ(s·Wx) with the coordinates stretched. Below about 1 cycle per unit nothing is told apart,
    since a line through the domain is two units long.

    Args:
        network: any module that `torch.func.functional_call` takes, or what makes one from a seed.
        inputs: how many coordinates a point has, or a sample's shape.
        seeds: networks to make and average, 8 when not given. Only with a function.
        seed: of segments and draws.

    Returns:
        b, in cycles per unit of the coordinates.

    Raises:
        PenchantError: as `kernel_spectrum`.

    Example:
        >>> from penchant.nn import CoordinateNet, Sine
        >>> slow, fast = (bandwidth(CoordinateNet(2, 1, activation=Sine(s)), 2) for s in (30, 60))
        >>> 1.75 < fast / slow < 2.25
        True

    Source: see `kernel_spectrum`.
    """
    return kernel_spectrum(network, inputs, seeds=seeds, seed=seed).most


def suited_bandwidth(signal: Spectrum) -> float:
    r"""Return the bandwidth of a network that is to fill in a signal between its samples.

    .. math:: b = \min(2 f_{50},\; 0.09 f_{\max})

    for half of the signal's power below f₅₀, and the highest frequency that its samples can show. A
    network's band should hold the signal's, and training extends it; but where details come close
    to the samples' limit they cannot be filled in, and a wider band fills in noise. Both numbers
    were chosen on pilots (docs/probes.md), with half of the samples held out; it is no theorem.

    Args:
        signal: as `signal_spectrum` returns it.

    Returns:
        b, in cycles per unit, for `matching_scale`.

    Raises:
        PenchantError: the signal is constant.

    Example:
        >>> from penchant.probes import signal_spectrum
        >>> x = torch.arange(1000) / 500 - 1
        >>> signal = signal_spectrum(torch.sin(2 * torch.pi * 5 * x)[:, None])
        >>> round(suited_bandwidth(signal), 1)
        10.0
    """
    if not signal.most:
        raise PenchantError(
            f"suited_bandwidth: {signal.of} is constant; a signal that varies would fit"
        )
    return min(TYPICAL * signal.half, SAMPLED * float(signal.frequencies[-1]))


def matching_scale(
    make: Callable[[_Choice], nn.Module],
    inputs: int | Sequence[int],
    wanted: float,
    choices: Sequence[_Choice],
    *,
    seed: int = 0,
) -> _Choice:
    """Return the choice whose network's bandwidth is nearest in ratio to the wanted one.

    Args:
        make: from a choice (a scale, an encoding's bandwidth or number of frequencies) to a
            network.
        inputs: how many coordinates a point has, or a sample's shape.
        wanted: bandwidth in cycles per unit.
        choices: in the order in which bandwidth grows; about log₂ of their number are measured.
        seed: of the measurement.

    Returns:
        One of the choices; the first or last where the wanted bandwidth lies beyond them.

    Raises:
        PenchantError: no choices, a wanted bandwidth that is not above 0, or as `bandwidth`.

    Example:
        >>> from penchant.nn import CoordinateNet, Sine
        >>> scales = [5.0, 10.0, 20.0, 40.0, 80.0]
        >>> matching_scale(lambda s: CoordinateNet(2, 1, activation=Sine(s)), 2, 6.0, scales)
        40.0
    """
    if not choices:
        raise PenchantError("matching_scale(choices=[]): at least one choice would fit")
    if not 0 < wanted < float("inf"):
        raise PenchantError(f"matching_scale(wanted={wanted}): a bandwidth above 0 would fit")
    return matching_choice(lambda one: bandwidth(make(one), inputs, seed=seed), wanted, choices)


def matching_choice(
    measured: Callable[[_Choice], float], wanted: float, choices: Sequence[_Choice]
) -> _Choice:
    """Return the choice whose bandwidth is nearest in ratio to the wanted one.

    Args:
        measured: the bandwidth of a choice, above 0.
        wanted: bandwidth, in the same unit.
        choices: in the order in which bandwidth grows; about log₂ of their number are measured.

    Returns:
        One of the choices; the first or last where the wanted bandwidth lies beyond them.

    Example:
        >>> matching_choice(lambda scale: scale / 4, 3.0, [2.0, 4.0, 8.0, 16.0, 32.0])
        16.0
    """
    known: dict[int, float] = {}

    def at(index: int) -> float:
        if index not in known:
            known[index] = measured(choices[index])
        return known[index]

    low, high = 0, len(choices) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(middle) < wanted else (low, middle)
    return choices[low] if wanted**2 <= at(low) * at(high) else choices[high]
