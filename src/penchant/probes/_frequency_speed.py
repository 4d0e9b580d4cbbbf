r"""How fast each frequency is learned: by the tangent kernel, and by training.

Decisions:
- The kernel's rate needs no kernel: R(f) = ‖Jᵀv‖² is a pass backward for each wave v.
- Rates are of plain gradient descent, whose speed is the kernel's. Adam is for seeing what becomes
  of them under a recipe that people use.
- Training is of a copy, on a signal of equal amplitudes added to what the network answers at its
  start, so that the residual at step 0 is the signal itself.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.probes._finding import Finding
from penchant.probes._layers import without_trace
from penchant.probes._passes import check_network, table
from penchant.probes._segments import (
    LENGTH,
    checked_count,
    checked_shape,
    like_weights,
    segments,
)
from penchant.probes._weight_function import weight_function
from penchant.randomness import generator

OCTAVES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Frequencies in cycles per unit, where none are given."""
PER_WAVE = 8
"""Points on the shortest wave, at least."""
BLIND = 1e-6
"""The rate relative to the fastest below which a frequency is not learned in practice."""


@dataclass(frozen=True)
class FrequencySpeed:
    """How fast residuals of each frequency fall at first, under gradient descent."""

    frequencies: tuple[float, ...]
    """In cycles per unit of the coordinates."""
    rates: tuple[float, ...]
    """Of each: the share of a residual's projection on itself that a step takes away, over the
    learning rate."""

    def steps(self, learning_rate: float) -> tuple[float, ...]:
        """Steps of gradient descent until half is learned, ln 2/(η·rate), if rates stay."""
        return tuple(
            math.log(2) / (learning_rate * rate) if rate else math.inf for rate in self.rates
        )

    @property
    def sentence(self) -> str:
        """The outcome in a sentence."""
        fast, slow = max(self.rates), min(self.rates)
        first = self.frequencies[self.rates.index(fast)]
        last = self.frequencies[self.rates.index(slow)]
        times = f"{fast / slow:.3g} times faster than" if slow else "and never"
        return f"{first:g} cycles per unit are learned fastest, {times} {last:g}"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Frequencies that are not learned in practice."""
        fast = max(self.rates)
        blind = [
            f"{f:g}"
            for f, rate in zip(self.frequencies, self.rates, strict=True)
            if rate <= BLIND * fast
        ]
        said = (
            f"{', '.join(blind)} cycles per unit are learned {1 / BLIND:.0e} times slower or more"
        )
        return (Finding("blind", "the network", said),) if blind else ()

    def __str__(self) -> str:
        fast = max(self.rates) or 1.0
        rows = [
            (f"{f:g}", f"{rate:.3g}", f"{rate / fast:.2g}")
            for f, rate in zip(self.frequencies, self.rates, strict=True)
        ]
        heads = ("cycles per unit", "rate", "of the fastest")
        return "\n".join(
            [table(heads, rows), self.sentence, *(f"- {one}" for one in self.findings)]
        )


def frequency_speed(
    network: nn.Module,
    inputs: int | Sequence[int],
    *,
    frequencies: Sequence[float] = OCTAVES,
    lines: int = 4,
    seed: int = 0,
) -> FrequencySpeed:
    r"""Return the rate at which gradient descent learns each frequency, at the network's weights.

    .. math:: R(f) = \frac{1}{N}\,\frac{v_f^T K v_f}{v_f^T v_f}
              = \frac{1}{N}\,\frac{|J^T v_f|^2}{|v_f|^2}, \qquad
              \frac{d}{dt}\,\frac{v_f \cdot r}{v_f \cdot v_f} = -R(f) \quad\text{for } r = v_f

    for N points along a line through [-1, 1]^d, under half the squared error summed over outputs
    and averaged over points; the mean over sine and cosine, outputs and lines. The rate is that of
    the beginning: the kernel changes as weights move, and mixes frequencies.

    Args:
        network: any module that `torch.func.functional_call` takes, in the mode it is in; nothing
            of it changes.
        inputs: how many coordinates a point has, or a sample's shape.
        frequencies: in cycles per unit, above 0.
        lines: segments through the domain; one in one dimension.
        seed: of the segments.

    Returns:
        Rates by frequency.

    Raises:
        PenchantError: no frequencies or one that is not above 0, or as `tangent_kernel`.

    Example:
        >>> from penchant.nn import CoordinateNet
        >>> speed = frequency_speed(CoordinateNet(2, 1, activation="relu"), 2)
        >>> speed.rates[1] > 10 * speed.rates[4]
        True

    Source: Basri et al., "Frequency bias in neural networks for input of non-uniform density",
    2020; Tancik et al., "Fourier features", 2020.
    """
    shape = checked_shape("frequency_speed", inputs)
    asked = _checked("frequency_speed", frequencies)
    lines = 1 if shape == (1,) else checked_count("frequency_speed(lines", lines)
    drawn = segments(shape, lines, _points(asked), seed)
    along = _along(drawn.shape[1])
    totals = [0.0] * len(asked)
    for line in drawn:
        points = like_weights(network, line)
        function = weight_function(network, points, "frequency_speed")
        for index, frequency in enumerate(asked):
            for wave in _waves(frequency, along):
                for output in range(function.outputs):
                    residual = torch.zeros(len(along), function.outputs, dtype=torch.float64)
                    residual[:, output] = wave
                    pulled = function.pulled(points, residual.to(points.device))
                    power = float(pulled.square().sum()) / float(wave.square().sum())
                    totals[index] += power / len(along) / (2 * function.outputs * lines)
    if not all(map(math.isfinite, totals)):
        raise PenchantError("frequency_speed: the network's derivatives are not finite here")
    return FrequencySpeed(asked, tuple(totals))


@dataclass(frozen=True)
class FrequencyTraining:
    """When training has learned each of several frequencies of equal amplitude."""

    frequencies: tuple[float, ...]
    """In cycles per unit of the coordinates."""
    half_learned: tuple[float, ...]
    """The step from which on half of each amplitude is learned, between steps by a straight line;
    ∞ where this does not happen."""
    learned: tuple[tuple[float, ...], ...]
    """For each step from 0 on, the share of each amplitude."""
    recipe: str
    """Optimiser, learning rate, steps."""

    @property
    def sentence(self) -> str:
        """The outcome in a sentence."""
        done = [step for step in self.half_learned if step < math.inf]
        if not done:
            return f"no frequency is half learned ({self.recipe})"
        first = self.frequencies[self.half_learned.index(min(done))]
        last = self.frequencies[self.half_learned.index(max(done))]
        return (
            f"{len(done)} of {len(self.frequencies)} frequencies are half learned, {first:g} "
            f"cycles per unit first, at step {min(done):.3g}, {last:g} last, at step "
            f"{max(done):.3g} ({self.recipe})"
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """None: a budget that is too short is no fault of the network."""
        return ()

    def __str__(self) -> str:
        rows = [
            (f"{f:g}", f"{step:.4g}" if step < math.inf else "not", f"{share:.0%}")
            for f, step, share in zip(
                self.frequencies, self.half_learned, self.learned[-1], strict=True
            )
        ]
        heads = ("cycles per unit", "half learned at step", "learned in the end")
        return "\n".join([table(heads, rows), self.sentence])


def frequency_training(
    network: nn.Module,
    inputs: int | Sequence[int],
    *,
    frequencies: Sequence[float] = OCTAVES,
    steps: int = 300,
    learning_rate: float = 1e-3,
    optimizer: Literal["adam", "gradient descent"] = "adam",
    amplitude: float = 0.1,
    seed: int = 0,
) -> FrequencyTraining:
    r"""Train a copy of a network on waves of equal amplitude, and see when each is half learned.

    .. math:: y(x_n) = f_0(x_n) + a \sum_f \sin(2\pi f x_n + \theta_f), \qquad
              \text{learned}_f = \frac{2}{N a} \sum_n (f - f_0)(x_n) \sin(2\pi f x_n + \theta_f)

    along one line of length 2 through [-1, 1]^d, with f₀ what the network answers at first and
    phases θ drawn. Frequencies should be multiples of 1/2, which are orthogonal there; all outputs
    are asked for the same signal. Full batches, under half the squared error summed over outputs
    and averaged over points.

    Args:
        network: any module with trainable parameters; it stays as it was.
        inputs: how many coordinates a point has, or a sample's shape.
        frequencies: in cycles per unit, above 0.
        steps: of the optimiser.
        learning_rate: the same at all steps.
        optimizer: "adam", or "gradient descent", whose first steps are `frequency_speed`'s.
        amplitude: a, of each wave.
        seed: of the line and the phases.

    Returns:
        For each frequency the step at which half is learned, and all shares by step.

    Raises:
        PenchantError: no frequencies, a number that does not fit, or training that is not finite.

    Example:
        >>> from penchant.nn import CoordinateNet
        >>> net = CoordinateNet(1, 1, activation="relu", width=32)
        >>> found = frequency_training(net, 1, frequencies=[0.5, 8], learning_rate=0.01)
        >>> found.half_learned[0] < found.half_learned[1]
        True

    Source: Rahaman et al., "On the spectral bias of neural networks", 2019.
    """
    check_network("frequency_training", network)
    shape = checked_shape("frequency_training", inputs)
    asked = _checked("frequency_training", frequencies)
    steps = checked_count("frequency_training(steps", steps)
    for name, value in (("learning_rate", learning_rate), ("amplitude", amplitude)):
        if not 0 < value < math.inf:
            raise PenchantError(f"frequency_training({name}={value!r}): a number above 0 would fit")
    along = _along(_points(asked))
    points = like_weights(network, segments(shape, 1, len(along), seed)[0])
    draws = generator(seed, "probe/phases")
    phases = 2 * math.pi * torch.rand(len(asked), generator=draws, dtype=torch.float64)
    waves = torch.stack(
        [(2 * math.pi * f * along + p).sin() for f, p in zip(asked, phases, strict=True)]
    )
    learned = _trained(
        copy.deepcopy(network), points, amplitude * waves, optimizer, learning_rate, steps
    )
    if not learned.isfinite().all():
        raise PenchantError(
            f"frequency_training(learning_rate={learning_rate:g}): training is not finite; a lower "
            "rate would fit"
        )
    recipe = f"{optimizer}, learning rate {learning_rate:g}, {steps} steps"
    halves = tuple(_first(shares) for shares in learned.T)
    return FrequencyTraining(asked, halves, tuple(map(tuple, learned.tolist())), recipe)


def _trained(
    network: nn.Module,
    points: Tensor,
    waves: Float[Tensor, "frequencies points"],
    optimizer: str,
    learning_rate: float,
    steps: int,
) -> Float[Tensor, "looks frequencies"]:
    parameters = [p for p in network.parameters() if p.requires_grad]
    makers = {"adam": torch.optim.Adam, "gradient descent": torch.optim.SGD}
    if optimizer not in makers or not parameters:
        raise PenchantError(
            f"frequency_training(optimizer={optimizer!r}): {' or '.join(map(repr, makers))}, and a "
            "network with something to train, would fit"
        )
    step = makers[optimizer](parameters, lr=learning_rate)
    sizes = waves.square().sum(1)
    learned = []
    with without_trace(network) as forward, torch.enable_grad():
        start = forward(points).detach().clone()
        residual = waves.sum(0).to(start).view(-1, *[1] * (start.ndim - 1))
        for _ in range(steps + 1):
            moved = forward(points) - start
            wide = moved.detach().reshape(len(points), -1).double().mean(1)
            learned.append(waves.to(wide) @ wide / sizes.to(wide))
            step.zero_grad()
            ((moved - residual).square().sum() / (2 * len(points))).backward()
            step.step()
    return torch.stack(learned).cpu()


def _first(shares: Float[Tensor, " looks"]) -> float:
    """The first step from which on a half is learned for good."""
    under = (shares < 0.5).nonzero().flatten()
    last = int(under[-1]) if len(under) else -1
    if last == len(shares) - 1:
        return math.inf
    if last < 0:
        return 0.0
    before, after = float(shares[last]), float(shares[last + 1])
    return last + (0.5 - before) / (after - before)


def _checked(caller: str, frequencies: Sequence[float]) -> tuple[float, ...]:
    found = tuple(float(one) for one in frequencies)
    if not found or not all(0 < one < math.inf for one in found):
        raise PenchantError(
            f"{caller}(frequencies={list(found)}): numbers above 0, in cycles per unit, would fit"
        )
    return found


def _points(frequencies: Sequence[float]) -> int:
    return max(64, math.ceil(PER_WAVE * LENGTH * max(frequencies)))


def _along(points: int) -> Float[Tensor, " points"]:
    return torch.arange(points, dtype=torch.float64) * (LENGTH / points) - LENGTH / 2


def _waves(
    frequency: float, along: Float[Tensor, " points"]
) -> tuple[Float[Tensor, " points"], ...]:
    angles = 2 * math.pi * frequency * along
    return angles.cos(), angles.sin()
