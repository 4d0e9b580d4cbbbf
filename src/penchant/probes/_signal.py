r"""Signal propagation: what depth does to the size of activations and to the angle of two inputs.

Decisions:
- Activations are the layers' outputs, before the non-linearity: the theory's pre-activations.
- Whether a network is ordered or chaotic is measured, not read off where correlations end: each
  input is moved by a hundredth of its length, and how much the squared distance a unit grows in a
  layer is the theory's χ₁. At the edge correlations go to 1 as well, only slowly.
- Signals that are lost in one branch are no finding while a layer behind still has them: what
  starts at zero (a branch's last layer, LoRA) is led around.
- 1 − c is the spread of the activations' directions, summed from differences in float64, so that
  correlations near 1 keep their digits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.probes._finding import Finding
from penchant.probes._jacobian import singular_values
from penchant.probes._layers import find_layers, hooked, tensors_in, without_trace
from penchant.probes._line import slope_of
from penchant.randomness import generator

MOVED = 0.01
"""How far inputs are moved, as a share of their length."""
LARGE = 0.1
"""The squared relative difference from which on the moved are no longer near."""
FEW = 8
"""Samples that are moved."""
EDGE = (0.9, 1.1)
"""χ₁ of what counts as critical."""
BEYOND = 6.0
"""Decades of growth or shrinkage of the activations' size that are too many."""
ALIKE = 1e-6
"""The relative difference below which two inputs are lost in float32's rounding."""

Phase = Literal["ordered", "critical", "chaotic", "unknown"]


@dataclass(frozen=True)
class LayerSignal:
    """The activations of one call of a layer; the first is the input itself."""

    name: str
    """The module's dotted name; "input" for the first."""
    kind: str
    """The module's class."""
    mean: float
    """Over samples, units and places."""
    variance: float
    """About that mean."""
    correlation: float
    """The mean cosine between two inputs' activations; nan where samples are not apart."""
    difference: float
    """The mean relative difference of two inputs' activations, √(2(1 − c))."""


@dataclass(frozen=True)
class SignalReport:
    """How signals travel from the input to the last layer."""

    layers: tuple[LayerSignal, ...]
    """In the order of the forward, behind the input."""
    phase: Phase
    """Ordered: inputs grow alike; chaotic: near ones part; unknown: too few layers to tell."""
    growth: float
    """χ₁, by which the squared distance of two near inputs grows a layer; nan if unknown."""
    interval: tuple[float, float]
    """Its 95 % t interval."""
    singular_values: tuple[tuple[float, ...], ...]
    """Of ∂output/∂input for a few samples, from the largest on."""
    sentence: str
    """In plain words, with the criterion."""
    findings: tuple[Finding, ...] = field(default=())
    """What is wrong, and from which layer on."""

    def __str__(self) -> str:
        width = max(len(layer.name) for layer in self.layers)
        lines = [f"{'layer':<{width}}       mean   variance  correlation"]
        for one in self.layers:
            numbers = f"{one.mean:>9.2e}  {one.variance:>9.2e}  {one.correlation:>11.6f}"
            lines.append(f"{one.name:<{width}}  {numbers}")
        return "\n".join([*lines, self.sentence, *(f"- {finding}" for finding in self.findings)])


def signal_propagation(
    network: nn.Module,
    inputs: Shaped[Tensor, "samples *features"],
    *,
    samples: int = 3,
    seed: int = 0,
) -> SignalReport:
    r"""Follow means, variances and correlations through a network, and take its Jacobian.

    .. math:: c^l = \left\langle \frac{z^l_a \cdot z^l_b}{|z^l_a||z^l_b|} \right\rangle_{a \ne b},
              \qquad \chi_1 = \frac{|\delta z^{l+1}|^2 / n^{l+1}}{|\delta z^l|^2 / n^l}
              = \sigma_w^2 \, \mathbb{E}\,\varphi'(z)^2

    χ₁ < 1 is the ordered phase, where all inputs end in one direction; χ₁ > 1 the chaotic one,
    where the nearest of them part; between them networks can be trained deepest. The network is
    taken in the mode it is in, usually at its start, and nothing of it changes.

    Args:
        network: any module.
        inputs: at least two samples.
        samples: for how many of them the Jacobian is taken; each output is a pass backward.
        seed: of the direction in which inputs are moved.

    Returns:
        The numbers by layer, phase, singular values, a sentence, and findings that name layers.

    Raises:
        PenchantError: there are no layers, or fewer than two samples of real numbers.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(*(nn.Linear(50, 50) for _ in range(8)))
        >>> report = signal_propagation(net, torch.randn(4, 50))
        >>> report.phase, len(report.singular_values[0])
        ('ordered', 50)

    Source: Poole et al., "Exponential expressivity in deep neural networks through transient
    chaos", 2016; Schoenholz et al., "Deep information propagation", 2017; Pennington et al.,
    "Resurrecting the sigmoid in deep learning through dynamical isometry", 2017.
    """
    layers = find_layers(network, "signal_propagation")
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point() or len(inputs) < 2:
        what = (
            f"{inputs.dtype} of shape {tuple(inputs.shape)}"
            if isinstance(inputs, Tensor)
            else type(inputs).__name__
        )
        raise PenchantError(
            f"signal_propagation: inputs are {what}; a tensor of at least two samples of real "
            "numbers would fit, since they are correlated and moved"
        )
    inputs = inputs.detach()
    plain, before = _pass(network, layers, inputs)
    _, after = _pass(network, layers, _moved(inputs, seed))
    growth, interval = _growth(before, after, inputs.dtype)
    phase = _phase(growth)
    values = singular_values(network, inputs, samples)
    return SignalReport(
        tuple(plain),
        phase,
        growth,
        interval,
        tuple(tuple(row) for row in values.tolist()),
        _sentence(plain, phase, growth, values),
        tuple(_findings(plain)),
    )


_Few = list[Float[Tensor, "_ _"] | None]


def _pass(
    network: nn.Module, layers: dict[str, nn.Module], inputs: Tensor
) -> tuple[list[LayerSignal], _Few]:
    """Run once; keep numbers of all samples, and the activations of a few."""
    signals: list[LayerSignal] = []
    few: _Few = []

    def note(name: str, kind: str, tensor: Tensor) -> None:
        signal, rows = _signal(name, kind, tensor, len(inputs))
        signals.append(signal)
        few.append(None if rows is None else rows[:FEW].clone())

    def seen(name: str, module: nn.Module, output: Any) -> None:
        tensors = tensors_in(output)
        if tensors and tensors[0].numel():  # none where no sample came this way, as of experts
            note(name, type(module).__name__, tensors[0].detach())

    note("input", "Tensor", inputs)
    with torch.no_grad(), hooked(layers, seen), without_trace(network) as forward:
        forward(inputs)
    return signals, few


def _signal(
    name: str, kind: str, tensor: Tensor, samples: int
) -> tuple[LayerSignal, Float[Tensor, "samples numbers"] | None]:
    wide = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    wide = wide.double()
    mean, variance = float(wide.mean()), float(wide.var(correction=0))
    if wide.numel() % samples or not wide.ndim or len(wide) % samples:
        return LayerSignal(name, kind, mean, variance, math.nan, math.nan), None
    rows = wide.reshape(samples, -1)
    directions = rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_min(1e-300)
    apart = float((directions - directions.mean(0)).square().sum()) / (samples - 1)
    difference = math.sqrt(2 * apart)
    return LayerSignal(name, kind, mean, variance, 1 - apart, difference), rows


def _moved(inputs: Tensor, seed: int) -> Tensor:
    draws = torch.randn(inputs.shape, generator=generator(seed, "signal"), dtype=torch.float64).to(
        inputs
    )
    length = torch.linalg.vector_norm(inputs.flatten(1), dim=1)
    share = MOVED * length / torch.linalg.vector_norm(draws.flatten(1), dim=1)
    moved: Tensor = inputs + draws * share.view(-1, *[1] * (inputs.ndim - 1))
    return moved


def _growth(before: _Few, after: _Few, dtype: torch.dtype) -> tuple[float, tuple[float, float]]:
    """χ₁, over the layers from the first on where the difference is small and above rounding.

    The first still knows the inputs' own size, and the last is a read-out of few units: neither
    counts.
    """
    least = (30 * torch.finfo(dtype).eps) ** 2
    levels: list[float] = []
    for one, other in zip(before[2:-1], after[2:-1], strict=False):
        if one is None or other is None or one.shape != other.shape:
            break
        distance = float((one - other).square().mean())
        if not least < distance / max(float(one.square().mean()), 1e-300) < LARGE:
            break
        levels.append(math.log(distance))
    if len(levels) < 3:
        return math.nan, (math.nan, math.nan)
    slope, (low, high) = slope_of(levels)
    return math.exp(slope), (math.exp(low), math.exp(high))


def _phase(growth: float) -> Phase:
    if math.isnan(growth):
        return "unknown"
    if EDGE[0] <= growth <= EDGE[1]:
        return "critical"
    return "ordered" if growth < 1 else "chaotic"


def _findings(layers: Sequence[LayerSignal]) -> list[Finding]:
    """Name the layer from which on something is lost; the input sets the scale."""
    findings: list[Finding] = []
    first = _size(layers[0])
    told: set[str] = set()

    def tell(kind: str, layer: LayerSignal, sentence: str) -> None:
        if kind not in told:
            told.add(kind)
            findings.append(Finding(kind, layer.name, sentence))

    lost = _lost_from(layers)
    for place, one in enumerate(layers[1:], 1):
        size = _size(one)
        if not math.isfinite(size):
            tell("not finite", one, "its activations are not finite")
            break
        decades = math.log10(size / first) if size and first else -math.inf
        times = f"1e{decades:.1f} times the input's size" if size else "all zero"
        said = f"its activations are {times}"
        if decades >= BEYOND:
            tell("exploding", one, f"{said} (exploding: 1e{BEYOND:g} or more)")
        elif place >= lost and decades <= -BEYOND:
            tell("vanishing", one, f"{said} (vanishing: 1e-{BEYOND:g} or less)")
        if place >= lost and size and _alike(one, layers[0]):
            sentence = f"two inputs differ by {one.difference:.1e} of their length here (lost: "
            tell("collapsed", one, f"{sentence}below {ALIKE:g}, float32's rounding)")
    return findings


def _lost_from(layers: Sequence[LayerSignal]) -> int:
    """The place from which on no layer tells inputs apart."""
    place, first = len(layers), _size(layers[0])
    while place > 1:
        one = layers[place - 1]
        if _size(one) > 10**-BEYOND * first and not _alike(one, layers[0]):
            break
        place -= 1
    return place


def _alike(layer: LayerSignal, inputs: LayerSignal) -> bool:
    return layer.difference < ALIKE < inputs.difference


def _size(layer: LayerSignal) -> float:
    return math.sqrt(layer.variance + layer.mean**2)


def _sentence(
    layers: Sequence[LayerSignal],
    phase: Phase,
    growth: float,
    values: Float[Tensor, "samples values"],
) -> str:
    first, last = layers[0], layers[-1]
    move = (
        ""
        if math.isnan(growth)
        else (
            f"the squared distance of two near inputs grows {growth:.2f} times a layer (critical: "
            f"{EDGE[0]:g} to {EDGE[1]:g}); "
        )
    )
    known = "too few layers for a phase" if phase == "unknown" else phase
    count = f"{len(layers) - 1} layer{'s' * (len(layers) != 2)}"
    return (
        f"{known}: {move}over {count} activations go from size "
        f"{_size(first):.2g} to {_size(last):.2g}, the correlation of two inputs from "
        f"{first.correlation:.3g} to {last.correlation:.3g}; the Jacobian's singular values are "
        f"{float(values.min()):.2g} to {float(values.max()):.2g}, their root mean square "
        f"{float(values.square().mean().sqrt()):.2g}"
    )
