"""How fast each frequency is learned, by activation, and how wide a band a network has."""

import math
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from statistics import fmean
from typing import Any

from torch import nn

from penchant.claims._claim import Evidence
from penchant.claims._contrasts import pair, probed
from penchant.claims._setting import Setting
from penchant.probes import frequency_speed, frequency_training, kernel_spectrum
from penchant.study import Design, design
from penchant.tasks import Metric

FREQUENCIES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""In cycles per unit of the coordinates, an octave apart."""
LOW, HIGH = 1.0, 8.0
"""The two that are compared; below about 1 a line of two units tells frequencies hardly apart."""
OTHERS = ("gelu", "tanh", "gaussian", "sine")
SCALES = (2.0, 4.0, 8.0, 16.0, 32.0)

_TWICE = 0.3
"""Decades; a factor of two."""
KERNEL = Metric("kernel_speed", "decades", margin=_TWICE)
TRAINING = Metric("training_speed", "decades", margin=_TWICE)
BANDWIDTH = Metric("bandwidth", "octaves", margin=0.5)

_NEVER = 1e-30
"""In place of a rate of 0, which has no logarithm."""


def _design(setting: Setting, **words: Any) -> Design:
    width = setting.several(smoke=8, quick=64, full=64)
    return design({"width": width, "optimizer": "adam", **words}).resolved()


def _steps(setting: Setting) -> int:
    return setting.several(smoke=10, quick=300, full=1000)


def _speeds(network: nn.Module, setting: Setting, rate: float, seed: int) -> dict[str, list[float]]:
    """Log10 of each frequency's speed, at the start and over a training."""
    start = frequency_speed(
        network, 2, frequencies=FREQUENCIES, lines=setting.several(1, 4, 8), seed=seed
    )
    steps = _steps(setting)
    trained = frequency_training(
        network, 2, frequencies=FREQUENCIES, steps=steps, learning_rate=rate, seed=seed
    )
    # Half learned at step 0 or never is counted as at the first step or the last.
    halves = [min(max(step, 1.0), float(steps)) for step in trained.half_learned]
    return {
        KERNEL.name: [math.log10(max(rate, _NEVER)) for rate in start.rates],
        TRAINING.name: [-math.log10(step) for step in halves],
    }


@lru_cache(maxsize=1)  # for the statements that read the same
def speeds(setting: Setting) -> Evidence:
    """Measure how fast networks learn each frequency, at their start and while they train.

    Returns:
        ``speeds``, by metric and activation the mean over seeds of log10 speed relative to the
        lowest frequency's, and comparisons: of ReLU's high frequency with its low one (``which``
        is ``"itself"``), and of the same ratio of other activations with ReLU's (``"others"``).
    """
    seeds = range(setting.several(smoke=6, quick=6, full=20))
    activations = ("relu", *(OTHERS if setting.profile != "smoke" else ("gaussian",)))
    found: dict[str, dict[str, list[list[float]]]] = {KERNEL.name: {}, TRAINING.name: {}}
    for activation in activations:
        one = _design(setting, activation=activation)
        assert one.learning_rate is not None
        for seed in seeds:
            measured = _speeds(one.build((2,), 1, seed), setting, one.learning_rate, seed)
            for name, values in measured.items():
                found[name].setdefault(activation, []).append(values)
    pairs = [one for metric in (KERNEL, TRAINING) for one in _compared(metric, found[metric.name])]
    return {
        "frequencies": FREQUENCIES,
        "speeds": {name: _relative(values) for name, values in found.items()},
        "studies": [
            probed(
                setting,
                "frequency speeds",
                pairs,
                designs=activations,
                seeds=len(seeds),
                steps=_steps(setting),
            )
        ],
    }


def _compared(metric: Metric, found: Mapping[str, list[list[float]]]) -> list[dict[str, Any]]:
    low, high = FREQUENCIES.index(LOW), FREQUENCIES.index(HIGH)
    drops = {name: [row[high] - row[low] for row in rows] for name, rows in found.items()}
    itself = pair(
        metric,
        drops["relu"],
        design=f"relu at {HIGH:g} cycles per unit",
        baseline=f"at {LOW:g}",
        facts={"which": "itself"},
    )
    others = [
        pair(
            metric,
            [theirs - relus for theirs, relus in zip(drop, drops["relu"], strict=True)],
            design=name,
            baseline="relu",
            facts={"which": "others", "activation": name},
        )
        for name, drop in drops.items()
        if name != "relu"
    ]
    return [itself, *others]


def _relative(found: Mapping[str, list[list[float]]]) -> dict[str, list[float]]:
    return {
        name: [round(fmean(row[i] - row[0] for row in rows), 4) for i in range(len(FREQUENCIES))]
        for name, rows in found.items()
    }


@lru_cache(maxsize=1)
def bandwidths(setting: Setting) -> Evidence:
    """Measure the tangent kernel's bandwidth of ReLU and of Gaussians of several scales.

    Returns:
        ``bandwidths``, in cycles per unit by design the mean over seeds; comparisons in octaves of
        the Gaussian at its default scale with ReLU (``which`` is ``"relu"``), and of each scale
        with half of it (``"scale"``).
    """
    seeds = range(setting.several(smoke=6, quick=6, full=20))
    scales = SCALES if setting.profile != "smoke" else SCALES[1:4]
    designs = {"relu": _design(setting, activation="relu")}
    designs |= {
        f"gaussian s={s:g}": _design(setting, activation="gaussian", scale=s) for s in scales
    }
    designs["gaussian"] = _design(setting, activation="gaussian")
    effort: dict[str, Any] = {
        "lines": setting.several(smoke=2, quick=8, full=8),
        "draws": setting.several(smoke=4, quick=16, full=16),
        "points": 256 if setting.profile == "smoke" else None,
    }
    found = {
        label: [
            kernel_spectrum(one.build((2,), 1, seed), 2, seed=seed, **effort).most for seed in seeds
        ]
        for label, one in designs.items()
    }
    labels = [f"gaussian s={s:g}" for s in scales]
    steps = [(high, low, "scale") for low, high in pairwise(labels)]
    pairs = [
        pair(
            BANDWIDTH,
            [math.log2(a / b) for a, b in zip(found[one], found[other], strict=True)],
            design=one,
            baseline=other,
            facts={"which": which},
        )
        for one, other, which in [("gaussian", "relu", "relu"), *steps]
    ]
    return {
        "bandwidths": {label: round(fmean(values), 3) for label, values in found.items()},
        "studies": [
            probed(setting, "tangent kernel", pairs, designs=list(designs), seeds=len(seeds))
        ],
    }
