"""What claims on residual networks read off the runs of their studies."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from penchant.claims._claim import Evidence
from penchant.claims._contrasts import Contrast, contrasted, pair, primary, study_with
from penchant.claims._setting import Gather, Setting, of_profile
from penchant.study import Results, Run
from penchant.tasks import Metric

Profiles = Mapping[str, Sequence[tuple[str, str]]]
"""For each of a claim's profiles the study files, and the files' own profiles."""

GRADIENTS: Profiles = {
    "smoke": [("skip-gradients", "smoke")],
    "quick": [("skip-gradients", "quick"), ("skip-gradients", "start")],
    "full": [("skip-gradients", "full"), ("skip-gradients", "start")],
}
OVERFITTING: Profiles = {
    profile: [("skip-overfitting", profile)] for profile in ("smoke", "quick", "full")
}
FEATURES: Profiles = {
    profile: [("conv-features", profile)] for profile in ("smoke", "quick", "full")
}
PICTURES: Profiles = {
    profile: [("conv-against-dense", profile)] for profile in ("smoke", "quick", "full")
}
GAPS = tuple(f"gap_nll@nll_seen={loss}" for loss in ("0.3", "0.5", "2"))
"""The gap at equal training loss: in the full, quick and smoke profile."""

LOST = Metric("gradient_lost", "decades", margin=0.0, higher_is_better=False)
"""Decades by which the gradient's norm shrinks from the last hidden layer to the first."""
GROWN = replace(LOST, name="gradient_grown")
"""Decades by which it grows on that way."""
MUCH = 1.0
"""Decades from which on a gradient counts as vanishing, a tenth of it arrives, or exploding."""

HALF = 50.0
"""Percent of a block's output that its identity path carries, and percent of a network's blocks."""
LINEAR_BLOCKS = Metric("blocks_mostly_identity", "%", margin=0.0)
PATHS = Metric("effective_depth", "blocks", margin=0.0, higher_is_better=False)

_MOMENTS = {"gradient_start": "before training", "gradient_end": "after training"}
_EQUAL = 0.05
"""Share by which numbers of parameters that count as equal may differ."""


def read_off(profiles: Profiles, pairs: Callable[[Results], list[dict[str, Any]]]) -> Gather:
    """Gather comparisons that are made of the runs of study files.

    Args:
        profiles: which files.
        pairs: makes the comparisons of a finished study.
    """

    def gather(setting: Setting) -> Evidence:
        asked = of_profile(profiles, setting)
        return {"studies": [study_with(setting, name, own, pairs) for name, own in asked]}

    return gather


def gradient_change(skip: str, metric: Metric) -> Callable[[Results], list[dict[str, Any]]]:
    """Compare what the deepest networks' gradients lose (or gain) on their way with one decade.

    Args:
        skip: ``none`` for the plain networks, ``residual`` for their twins.
        metric: `LOST` or `GROWN`.

    Returns:
        A function from a study to comparisons, which also have ``levels``: the norm at each layer,
        from the last hidden one to the first, in decades above that at the last hidden one.
    """

    def pairs(results: Results) -> list[dict[str, Any]]:
        depth = max(int(str(run.settings["depth"])) for run in results.runs)
        chosen = [
            run
            for run in results.runs
            if run.settings["depth"] == depth and run.settings["skip"] == skip
        ]
        trained = int(str(results.plan["steps"])) > 1
        return [
            _change([run for run in chosen if run.design == label], profile, metric)
            for label in dict.fromkeys(run.design for run in chosen)
            for profile in _MOMENTS
            if trained or profile == "gradient_start"
        ]

    return pairs


def _change(runs: Sequence[Run], profile: str, metric: Metric) -> dict[str, Any]:
    sign = -1 if metric is LOST else 1
    levels = [_levels(run.profiles.get(profile, ())) for run in runs]
    known = [found for found in levels if found]
    found = pair(
        metric,
        [sign * row[-1] - MUCH if row else math.nan for row in levels],
        design=f"{runs[0].design} {_MOMENTS[profile]}",
        baseline=f"a {'loss' if metric is LOST else 'growth'} of one decade",
        facts={
            "depth": runs[0].settings["depth"],
            "normalisation": runs[0].settings["normalisation"],
            "moment": _MOMENTS[profile],
        },
    )
    mean = np.mean(known, axis=0) if known else np.empty(0)
    return {**found, "levels": [round(float(level), 3) for level in mean]}


def _levels(norms: Sequence[float]) -> list[float]:
    """Return a gradient's decades by layer, from the last hidden one; none where it is 0 at an end.

    The output layer is left out, as in `gradient_decay`: what is pooled for it has another norm in
    every network alike.
    """
    hidden = np.asarray(norms[:-1][::-1], dtype=np.float64)
    if len(hidden) < 2 or not (np.isfinite(hidden).all() and (hidden > 0).all()):
        return []
    return [float(level) for level in np.log10(hidden / hidden[0])]


def linear_blocks(results: Results) -> list[dict[str, Any]]:
    """Compare the share of blocks that are mostly identity with one half, in percent."""

    def over(run: Run) -> float:
        shares = run.profiles["identity_share"]
        return 100 * sum(share > HALF for share in shares) / len(shares) - HALF

    return _residual(results, LINEAR_BLOCKS, over, "the share of mostly linear blocks", "one half")


def path_lengths(results: Results) -> list[dict[str, Any]]:
    """Compare the mean length of the paths that carry the gradient with half of the blocks."""

    def over(run: Run) -> float:
        return run.metrics["effective_depth"] - len(run.profiles["identity_share"]) / 2

    return _residual(results, PATHS, over, "the length of paths", "half of the blocks")


def _residual(
    results: Results, metric: Metric, over: Callable[[Run], float], what: str, threshold: str
) -> list[dict[str, Any]]:
    """Compare what each residual network has with a threshold that is taken off already."""
    residual = [run for run in results.runs if run.settings["skip"] == "residual"]
    wanted = [
        Contrast(f"{what} in {label}", threshold, {label: 1}, {"depth": run.settings["depth"]})
        for label, run in {run.design: run for run in residual}.items()
    ]
    value = {(run.signal, run.design, run.seed): over(run) for run in residual}
    return contrasted(
        results,
        metric,
        wanted,
        lambda run: value.get((run.signal, run.design, run.seed), math.nan),
    )


def features_against_dense(results: Results) -> list[dict[str, Any]]:
    """Compare linear probes on each network's features with those on the dense network's."""
    dense = results.baselines[results.designs[0]]
    wanted = [
        Contrast(label, dense, {label: 1, dense: -1}, facts)
        for label, facts in _convolutional(results, dense).items()
    ]
    return contrasted(results, primary(results), wanted)


def features_against_pixels(results: Results) -> list[dict[str, Any]]:
    """Compare linear probes on each convolutional network's features with those on the pixels."""
    dense = results.baselines[results.designs[0]]
    wanted = [
        Contrast(label, "the pixels themselves", {label: 1}, facts)
        for label, facts in _convolutional(results, dense).items()
    ]

    def gain(run: Run) -> float:
        scores = run.metrics
        return scores["accuracy_features_held_out"] - scores["accuracy_inputs_held_out"]

    return contrasted(results, primary(results), wanted, gain)


def _convolutional(results: Results, dense: str) -> dict[str, dict[str, object]]:
    """What tells convolutional networks apart: normalisation, and whether they are larger."""
    runs = {run.design: run for run in results.runs}
    allowed = (1 + _EQUAL) * runs[dense].parameters
    return {
        label: {
            "normalisation": run.settings["normalisation"],
            "parameters": "equal" if run.parameters <= allowed else "more",
        }
        for label, run in runs.items()
        if label != dense
    }
