r"""What a gradient's norm at each layer says: its decay, whether it is healthy, and where not.

Decisions:
- The norm is the length of the whole gradient at a layer's activations, ‖∂D/∂a‖, over samples,
  units and places together. Under the usual initialisations (a fixed variance of weights times
  fan-in) this is what a layer passes back by a constant factor, whatever the widths, strides and
  numbers of places on its two sides; the root mean square over units would jump wherever the width
  changes. The batch is one and the same at all layers and cancels in every ratio.
- Everything is judged by ratios, in decades, so that the loss's scale (or AMP's) does not matter.
- What arrives at a layer may go around others by a skip. So a fall counts as vanishing only where
  no layer before it gets more, and a rise as exploding only where no layer behind it gets as much.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Literal

from penchant.probes._finding import Finding
from penchant.probes._line import slope_of

VANISHING = 6.0
"""Decades over all layers: a first layer with less than a millionth of the last one's gradient."""
EXPLODING = 3.0
"""Decades over all layers."""
EXPLODING_STEPS = 1.5
"""Decades over all time steps of a recurrent layer, or all calls of one."""
JUMP = 2.5
"""Decades across one layer."""
GAIN_JUMP, SMALL_WEIGHTS = 2.0, 0.01
"""Decades across one layer whose weights are less than this share of the median layer's."""
LARGEST_USUAL = math.sqrt(2)
"""The gain that weights are held to where the median layer's is larger still: He's."""

State = Literal["reached", "detached", "unused", "frozen"]


@dataclass(frozen=True)
class LayerGradient:
    """The gradient that arrives at one layer."""

    name: str
    """The module's dotted name."""
    kind: str
    """The module's class."""
    activation: float
    """‖∂D/∂a‖ of what the layer gives out, over samples, units and places; infinite if it is not
    finite, nan if none arrives."""
    parameters: float
    """‖∂D/∂w‖ of the parameters that it holds itself; the same."""
    steps: tuple[float, ...] = ()
    """By time step, for recurrent layers (at their input) and layers called several times."""
    calls: int = 1
    """In one pass of the network."""
    state: State = "reached"
    """Whether a gradient reaches it, and if not, why."""
    gain: float = math.nan
    """√(fan-in · mean square weight) of its largest matrix: 1.4 at He's start, 0.58 at torch's;
    infinite where a weight is not finite."""


@dataclass(frozen=True)
class GradientReport:
    """How the gradient travels from the last layer to the first."""

    layers: tuple[LayerGradient, ...]
    """In the order of the forward."""
    decay: float
    """Decades that it loses a layer on its way back (regression of log₁₀‖∂D/∂a‖ on depth)."""
    interval: tuple[float, float]
    """The decay's 95 % t interval; nan below three layers."""
    span: float
    """Decades from the last to the first layer; positive where it shrinks towards the input."""
    sentence: str
    """In plain words, with the criterion."""
    findings: tuple[Finding, ...] = field(default=())
    """What is wrong, and at which layer; empty where nothing is."""

    def __str__(self) -> str:
        width = max(len("layer"), *(len(layer.name) for layer in self.layers))
        lines = [f"{'layer':<{width}}  activations  parameters"]
        for one in self.layers:
            arrives = f"{one.activation:>11.2e}  {one.parameters:>10.2e}"
            state = "" if one.state == "reached" else f"  {one.state}"
            lines.append(f"{one.name:<{width}}  {arrives}{state}")
        return "\n".join([*lines, self.sentence, *(f"- {finding}" for finding in self.findings)])


def gradient_report(layers: Sequence[LayerGradient]) -> GradientReport:
    """Judge the gradients of all layers, given in the order of the forward."""
    by_activation = [one for one in layers if one.activation == one.activation]
    measured = by_activation or [one for one in layers if one.parameters == one.parameters]
    over_time = {one.name: found for one in layers if (found := _over_time(one))}
    norms = [_norm(one, one.name in over_time, bool(by_activation)) for one in measured]
    finite = [one for one, norm in zip(measured, norms, strict=True) if 0 < norm < math.inf]
    levels = [math.log10(norm) for norm in norms if 0 < norm < math.inf]
    decay, interval = slope_of(levels)
    span = levels[-1] - levels[0] if levels else math.nan
    blocked = _blocked(measured, norms)
    findings = [
        *_not_finite(measured, norms),
        # Behind a layer that is blocked numbers are constant, and a norm divides by nothing.
        *(one for one in _depth(finite, levels) if one.layer not in {b.layer for b in blocked}),
        *blocked,
        *over_time.values(),
        *_unreached(layers),
    ]
    what = "activations" if by_activation else "parameters (the forward ran outside)"
    sentence = _sentence(findings, len(levels), what, span, decay, interval)
    return GradientReport(tuple(layers), decay, interval, span, sentence, tuple(findings))


def _norm(layer: LayerGradient, exploding: bool, by_activation: bool) -> float:
    """What counts for the way through depth; a cell that explodes over time, by its last call."""
    if not by_activation:
        return layer.parameters
    return layer.steps[-1] if exploding and layer.calls > 1 else layer.activation


def _depth(layers: Sequence[LayerGradient], levels: Sequence[float]) -> list[Finding]:
    """Find single layers that the gradient does not pass well, then what builds up over many."""
    if len(levels) < 2:
        return []
    jumps = [after - before for before, after in pairwise(levels)]
    weights = min(median([one.gain for one in layers]), LARGEST_USUAL)
    usual = median(jumps) if len(jumps) > 2 else 0.0
    findings: list[Finding] = []
    if 0 < layers[0].gain < SMALL_WEIGHTS * weights:
        findings.append(_gain(layers[0], layers[0].gain / weights))
    span, told = levels[-1] - levels[0], -1
    for i, jump in enumerate(jumps, 1):
        layer = layers[i]
        fall = levels[i] - max(levels[:i])
        rise = levels[i - 1] - max(levels[i:])
        small = jump >= GAIN_JUMP and 0 < layer.gain < SMALL_WEIGHTS * weights
        if small:
            findings.append(_gain(layer, layer.gain / weights, jump))
            told = i
        elif max(fall, rise) >= JUMP and told != i - 1:
            kind = "vanishing" if fall >= JUMP else "exploding"
            findings.append(_across(layer, kind, max(fall, rise)))
            told = i
        # Of a single layer that stands out the layers on its two sides know nothing.
        if fall >= JUMP:
            span -= max(min(levels[i:]) - max(levels[:i]), 0.0) - usual
        elif rise >= JUMP:
            span += max(min(levels[:i]) - max(levels[i:]), 0.0) + usual
    return findings + _gradual(layers, levels, span)


def _gradual(
    layers: Sequence[LayerGradient], levels: Sequence[float], span: float
) -> list[Finding]:
    """Find what builds up over many layers; `span` is without single layers' jumps."""
    first = layers[0].name
    if span >= VANISHING:
        few = sum(level < levels[-1] - VANISHING for level in levels)
        sentence = (
            f"it gets 1e-{span:.1f} of the gradient that the last layer gets (vanishing: 1e-"
            f"{VANISHING:g} or less), and {few} of {len(levels)} layers get less than a millionth"
        )
        return [Finding("vanishing", first, sentence)]
    if span <= -EXPLODING:
        sentence = (
            f"it gets 1e{-span:.1f} times the gradient that the last layer gets (exploding: "
            f"1e{EXPLODING:g} times or more)"
        )
        return [Finding("exploding", first, sentence)]
    return []


def _gain(layer: LayerGradient, share: float, jump: float | None = None) -> Finding:
    sentence = (
        f"its weights are {share:.1g} of the median layer's (healthy: above {SMALL_WEIGHTS:g})"
    )
    if jump is None:
        return Finding("gain", layer.name, f"{sentence}, so that little of the input comes through")
    falls = f", and the gradient falls by {jump:.1f} decades from it to the layer before"
    return Finding("gain", layer.name, f"{sentence}{falls} (healthy: below {GAIN_JUMP:g})")


def _across(layer: LayerGradient, kind: str, decades: float) -> Finding:
    falls = "falls" if kind == "vanishing" else "grows"
    return Finding(
        kind,
        layer.name,
        f"the gradient {falls} by {decades:.1f} decades on its way back from here to the layer "
        f"before (healthy: below {JUMP:g})",
    )


def _not_finite(layers: Sequence[LayerGradient], norms: Sequence[float]) -> list[Finding]:
    """Name the one nearest to the output, where it began."""
    wrong = [one for one, norm in zip(layers, norms, strict=True) if not math.isfinite(norm)]
    if not wrong:
        return []
    broken = [one for one in layers if one.gain == math.inf]
    if broken:
        return [Finding("not finite", one.name, "its weights are not finite") for one in broken]
    more = f", nor at {len(wrong) - 1} more layers" if len(wrong) > 1 else ""
    return [Finding("not finite", wrong[-1].name, f"the gradient is not finite here{more}")]


def _blocked(layers: Sequence[LayerGradient], norms: Sequence[float]) -> list[Finding]:
    """Find where the gradient turns to exact zeros that no path leads around.

    A branch that is closed by a zero (ReZero, a zero at the start) is none: the skip leads around.
    """
    zeros = 0
    while zeros < len(norms) and norms[zeros] == 0:
        zeros += 1
    if not zeros:
        return []
    if zeros == len(norms):
        sentence = "every layer's gradient is exactly zero"
        return [Finding("vanishing", layers[-1].name, sentence)]
    none = "1 layer before it gets none" if zeros == 1 else f"{zeros} layers before it get none"
    sentence = f"the gradient that it passes back is exactly zero: {none}"
    if layers[zeros].gain == 0:
        sentence += ", since its weights are all zero (if it is meant to start so, look a step on)"
    return [Finding("vanishing", layers[zeros].name, sentence)]


def _over_time(layer: LayerGradient) -> Finding | None:
    """Find a gradient that grows towards the first step; one that shrinks is how most forget."""
    levels = [math.log10(step) for step in layer.steps if 0 < step < math.inf]
    decay, (_, high) = slope_of(levels)
    if len(levels) < 3 or not high < 0 or levels[0] - levels[-1] < EXPLODING_STEPS:
        return None
    growth = levels[0] - levels[-1]
    return Finding(
        "exploding",
        layer.name,
        f"its gradient grows by {growth:.1f} decades back over {len(levels)} steps, {-decay:.2f} a "
        f"step (exploding: {EXPLODING_STEPS:g} or more)",
    )


def _unreached(layers: Sequence[LayerGradient]) -> list[Finding]:
    """Name each stretch of layers that no gradient reaches by its last one."""
    findings: list[Finding] = []
    stretch: list[str] = []
    for one in [*layers, None]:
        if one is not None and one.state == "frozen":
            continue
        if one is not None and one.state == "detached":
            stretch.append(one.name)
        elif stretch:
            more = (
                f", nor the {len(stretch) - 1} before it from {stretch[0]}" if stretch[1:] else ""
            )
            sentence = f"no gradient reaches it{more}: what it gives out is cut off from the loss"
            findings.append(Finding("detached", stretch[-1], sentence))
            stretch = []
        if one is not None and one.state == "unused":
            findings.append(Finding("unused", one.name, "it was not called, and gets no gradient"))
    return findings


def _sentence(
    findings: Sequence[Finding],
    count: int,
    what: str,
    span: float,
    decay: float,
    interval: tuple[float, float],
) -> str:
    word = f"{findings[0].kind} at {findings[0].layer}" if findings else "healthy"
    if count < 2:
        return f"{word}: a finite gradient arrives at {count} of the layers, too few for a decay"
    way = "shrinks" if span >= 0 else "grows"
    known = f", 95 % interval {interval[0]:.2f} to {interval[1]:.2f}" if count > 2 else ""
    return (
        f"{word}: from the last of {count} layers to the first the gradient at the {what} "
        f"{way} by {abs(span):.1f} decades (decay {decay:.2f} a layer{known}); it vanishes from "
        f"{VANISHING:g} decades on and explodes from {EXPLODING:g}, or {JUMP:g} at one layer"
    )
