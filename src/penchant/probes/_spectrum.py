r"""The spectrum of what a network represents, and of a signal, by one and the same rule.

Decisions:
- Power is taken along straight lines: so one definition serves any number of dimensions, and a
  frequency is in cycles per unit of the coordinates, as encodings have it.
- The mean along a line is removed: no frequency is learned more easily than a constant, and it says
  nothing of bandwidth.
- Each network's power is scaled to sum 1 before several are averaged, since a spectrum is about
  shape, and the output's size is the head's.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.probes._finding import Finding
from penchant.probes._layers import tensors_in, without_trace
from penchant.probes._passes import check_network, table
from penchant.probes._segments import (
    LENGTH,
    checked_count,
    checked_shape,
    frequency_below,
    like_weights,
    segments,
    tapered_power,
)

HALF, MOST = 0.5, 0.95
"""Shares of the power whose frequencies a report names."""
FOLDED = 0.02
"""Share of the power in the upper half of the frequencies from which on points are too few."""
Made = nn.Module | Callable[[int], nn.Module]
"""A network, or what makes one from a seed."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Power by frequency along lines."""

    frequencies: Float[Tensor, " frequencies"]
    """In cycles per unit of the coordinates, evenly spaced, without 0."""
    power: Float[Tensor, " frequencies"]
    """Of each, as a share: they sum to 1, or are 0 for what is constant."""
    half: float
    """The frequency below which half of the power lies."""
    most: float
    """The frequency below which 95 % of it lies."""
    halves: tuple[float, ...]
    """`half` of each network or axis alone: the spread over initialisations."""
    of: str
    """What it is the spectrum of."""

    @property
    def sentence(self) -> str:
        """The outcome in a sentence."""
        if not self.most:
            return f"{self.of} is constant along lines: it has no spectrum"
        spread = ""
        if len(self.halves) > 1:
            spread = f" ({min(self.halves):.3g} to {max(self.halves):.3g} over {len(self.halves)})"
        return (
            f"half of the power of {self.of} lies below {self.half:.3g} cycles per unit{spread}, "
            f"95% below {self.most:.3g}"
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Points too far apart for what they should show."""
        upper = float(self.power[len(self.power) // 2 :].sum())
        if upper <= FOLDED:
            return ()
        highest = float(self.frequencies[-1])
        return (
            Finding(
                "undersampled",
                self.of,
                f"{upper:.0%} of its power lies in the upper half of the frequencies up to "
                f"{highest:.3g} (undersampled: above {FOLDED:.0%}); there may be more beyond",
            ),
        )

    def __str__(self) -> str:
        edges = [0.0, *(2.0**k for k in range(math.ceil(math.log2(float(self.frequencies[-1])))))]
        rows = []
        for low, high in zip(edges, [*edges[1:], math.inf], strict=True):
            within = (self.frequencies > low) & (self.frequencies <= high)
            upper = f"{min(high, float(self.frequencies[-1])):g}"
            rows.append((f"{low:g} to {upper}", f"{float(self.power[within].sum()):.1%}"))
        found = (f"- {finding}" for finding in self.findings)
        return "\n".join([table(("cycles per unit", "power"), rows), self.sentence, *found])


def spectrum(
    network: Made,
    inputs: int | Sequence[int],
    *,
    seeds: int | None = None,
    lines: int = 32,
    points: int = 1024,
    seed: int = 0,
) -> Spectrum:
    r"""Return the spectrum of what a network answers along random lines through [-1, 1]^d.

    .. math:: P(f) \propto \left\langle \Big| \sum_n w_n\,(g_n - \bar g)\,e^{-2\pi i f x_n}
              \Big|^2 \right\rangle_{\text{lines, outputs}}, \qquad
              g_n = \text{network}(m + x_n u),\ x_n \in [-1, 1)

    with Hann's window w, a direction u of length 1 and a middle m such that the segment fits into
    the domain. Frequencies are k/2 cycles per unit of the coordinates up to points/4, and a pure
    wave shows within half a cycle per unit on each side. The network is taken in the mode it is in,
    and nothing of it changes.

    Args:
        network: any module; or a function that makes one from a seed, to average over starts.
        inputs: how many coordinates a point has, or a sample's shape.
        seeds: networks to make, with seeds 0, 1, ...; 8 when not given. Only with a function.
        lines: segments, the same for all networks.
        points: on each.
        seed: of the segments.

    Returns:
        Power by frequency, and the frequencies below which half and 95 % of it lie.

    Raises:
        PenchantError: no module, a count or shape that does not fit, or an answer that is no
            finite tensor with a row for each point.

    Example:
        >>> class Wave(nn.Module):
        ...     def forward(self, x):
        ...         return torch.sin(2 * torch.pi * 6 * x)
        >>> found = spectrum(Wave(), 1)
        >>> round(found.half, 2), found.most < 7
        (6.0, True)

    Source: Rahaman et al., "On the spectral bias of neural networks", 2019; Harris, "On the use of
    windows for harmonic analysis with the discrete Fourier transform", 1978.
    """
    shape = checked_shape("spectrum", inputs)
    lines = 1 if math.prod(shape) == 1 else checked_count("spectrum(lines", lines)
    drawn = segments(shape, lines, checked_count("spectrum(points", points, 8), seed)
    powers = []
    for one in networks_of(network, seeds, "spectrum"):
        values = _answers(one, drawn.flatten(0, 1)).reshape(lines, points, -1)
        powers.append(tapered_power(values.movedim(1, -1)).mean(0).sum(0))
    step = 1 / LENGTH
    several = "the networks" if len(powers) > 1 else "the network"
    return gathered(torch.stack(powers), step, several)


def signal_spectrum(
    values: Float[Tensor, "*grid channels"] | Float[np.ndarray, "*grid channels"],
    *,
    spacing: float | None = None,
    seen: Bool[Tensor, "*grid"] | Bool[np.ndarray, "*grid"] | None = None,
) -> Spectrum:
    """Return the spectrum of a signal on a regular grid, as `spectrum` has it for a network.

    Every line along every axis counts; axes are averaged. Samples that are not seen are given the
    value of the nearest one that is.

    Args:
        values: a sample a node, channels last.
        spacing: units of the coordinates from one node to the next; 2 over the longest axis'
            nodes when not given, for a signal that spans [-1, 1] along it.
        seen: which samples may be looked at; all when not given.

    Returns:
        Power by frequency, up to 1/(2·spacing); `halves` has an entry an axis.

    Raises:
        PenchantError: fewer than 4 nodes along every axis, values that are not finite, a spacing
            that is not above 0, or a mask of another shape or without a sample seen.

    Example:
        >>> x = torch.arange(200) / 100 - 1
        >>> wave = torch.sin(2 * torch.pi * 5 * x)[:, None]
        >>> round(signal_spectrum(wave).half, 1)
        5.0
    """
    array = np.asarray(values, np.float64)
    if array.ndim < 2 or max(array.shape[:-1]) < 4 or not np.isfinite(array).all():
        raise PenchantError(
            f"signal_spectrum(values of shape {array.shape}): finite samples on a grid with "
            "channels last, at least 4 along an axis, would fit"
        )
    if spacing is None:
        spacing = LENGTH / max(array.shape[:-1])
    if not (math.isfinite(spacing) and spacing > 0):
        raise PenchantError(f"signal_spectrum(spacing={spacing}): a number above 0 would fit")
    filled = torch.from_numpy(array if seen is None else _filled(array, np.asarray(seen)))
    longest = max(filled.shape[:-1])
    step = 1 / (longest * spacing)
    grid = step * torch.arange(longest // 2 + 1, dtype=torch.float64)
    powers = []
    for axis, length in enumerate(filled.shape[:-1]):
        if length >= 4:
            along = tapered_power(filled.movedim(axis, -1)).reshape(-1, length // 2).mean(0)
            powers.append(_on_grid(along, 1 / (length * spacing), grid))
    return gathered(torch.stack(powers), step, "the signal")


def networks_of(network: Made, seeds: int | None, caller: str) -> list[nn.Module]:
    """List the networks that are asked: the one that was given, or those that a function makes."""
    if isinstance(network, nn.Module) or not callable(network):
        if seeds is not None:
            raise PenchantError(
                f"{caller}(seeds={seeds!r}): one network was given; a function that makes one from "
                "a seed would fit, as in lambda seed: CoordinateNet(2, 3, seed=seed)"
            )
        check_network(caller, network)
        return [network]
    made = [network(one) for one in range(checked_count(f"{caller}(seeds", seeds or 8))]
    for one in made:
        check_network(caller, one)
    return made


def gathered(powers: Float[Tensor, "several frequencies"], step: float, of: str) -> Spectrum:
    """Average several powers, each as shares, into a report."""
    frequencies = step * torch.arange(1, powers.shape[1] + 1, dtype=torch.float64)
    totals = powers.sum(1, keepdim=True)
    shares = torch.where(totals > 1e-30, powers / totals.clamp_min(1e-300), 0.0)
    moving = shares[totals[:, 0] > 1e-30]
    power = moving.mean(0) if len(moving) else shares[0]
    return Spectrum(
        frequencies,
        power,
        frequency_below(frequencies, power, HALF),
        frequency_below(frequencies, power, MOST),
        tuple(frequency_below(frequencies, one, HALF) for one in shares),
        of,
    )


def _answers(network: nn.Module, points: Tensor) -> Float[Tensor, "points outputs"]:
    asked = like_weights(network, points)
    with torch.no_grad(), without_trace(network) as forward:
        found = tensors_in(forward(asked))
    if not found or not found[0].ndim or len(found[0]) != len(points):
        raise PenchantError(
            f"spectrum: {type(network).__name__} has no answer with a row for each of "
            f"{len(points)} points"
        )
    answer = torch.view_as_real(found[0]) if found[0].is_complex() else found[0]
    if not answer.isfinite().all():
        raise PenchantError(f"spectrum: {type(network).__name__}'s answers are not all finite")
    return answer.reshape(len(points), -1)


def _filled(array: np.ndarray, seen: np.ndarray) -> np.ndarray:
    from scipy.ndimage import distance_transform_edt

    if seen.shape != array.shape[:-1] or not seen.any():
        raise PenchantError(
            f"signal_spectrum(seen of shape {seen.shape}): a mask of shape {array.shape[:-1]} with "
            "at least one sample seen would fit"
        )
    if seen.all():
        return array
    nearest = distance_transform_edt(~seen, return_distances=False, return_indices=True)
    return np.asarray(array[tuple(nearest)])


def _on_grid(
    power: Float[Tensor, " own"], step: float, grid: Float[Tensor, " edges"]
) -> Float[Tensor, " frequencies"]:
    """Put an axis' power onto the longest axis' frequencies; none is lost."""
    edges = step * (np.arange(len(power) + 1) + 0.5)
    below = np.concatenate([[0.0], power.cumsum(0).numpy()])
    upper = grid[1:].numpy() + 0.5 * float(grid[1])
    upper[-1] = max(upper[-1], edges[-1])
    return torch.from_numpy(np.diff(np.interp(upper, edges, below), prepend=0.0))
