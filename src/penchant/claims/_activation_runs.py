"""What claims on activations in networks that classify or regress read off the runs of studies."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from penchant.claims._claim import Evidence
from penchant.claims._contrasts import Contrast, contrasted, pair, primary, study_with
from penchant.claims._setting import Setting
from penchant.claims._signal_options import options
from penchant.study import Results, Run
from penchant.tasks import Metric, load_drawn

GAP = Metric("gap_r2", "%", margin=1.0, higher_is_better=False)
"""R² on the noisy samples that were seen minus R² on noise-free ones that were not."""
TRENDS = {"smoke": "smoke-trend", "quick": "quick-trend", "full": "trend"}
"""Profiles of `relu-large` over classes and training pictures, by the claim's profile."""


def image_networks(setting: Setting) -> Evidence:
    """Gather each activation against ReLU in each kind of network for pictures."""
    study = setting.study("relu-large")
    return {"studies": [{**study, "pairs": [_in_network(one) for one in study["pairs"]]}]}


def _in_network(one: dict[str, Any]) -> dict[str, Any]:
    """Leave out the facts by which each kind of network differs from others anyway."""
    return {**one, "facts": {fact: one["facts"][fact] for fact in ("activation", "family")}}


def unseen(setting: Setting) -> Evidence:
    """Gather what each activation explains of unseen samples, against ReLU, by inputs."""
    study = setting.study("input-dimension")
    return {"studies": [{**study, "pairs": [_with_inputs(one) for one in study["pairs"]]}]}


def _with_inputs(one: dict[str, Any]) -> dict[str, Any]:
    task = load_drawn(one["signal"])
    facts = {"inputs": task.inputs, "samples": task.seen_values()}
    return {**one, "facts": {**one["facts"], **facts}}


def gaps(setting: Setting) -> Evidence:
    """Gather how far each activation's gap from seen to unseen samples is from ReLU's."""

    def pairs(results: Results) -> list[dict[str, Any]]:
        return [_with_inputs(one) for one in contrasted(results, GAP, _against(results), _gap)]

    return {"studies": [study_with(setting, "input-dimension", setting.profile, pairs)]}


def _gap(run: Run) -> float:
    return run.metrics["r2_seen"] - run.metrics["r2_held_out"]


def _against(results: Results) -> list[Contrast]:
    """Each design against its baseline."""
    settings = {run.design: run.settings for run in results.runs}
    return [
        Contrast(
            label,
            base,
            {label: 1, base: -1},
            {fact: settings[label][fact] for fact in ("activation", "family")},
        )
        for label, base in results.baselines.items()
        if label != base
    ]


def rising_inputs(setting: Setting) -> Evidence:
    """Gather how each activation's lead over ReLU grows from the fewest inputs to the most."""

    def pairs(results: Results) -> list[dict[str, Any]]:
        tasks = {run.signal: load_drawn(run.signal) for run in results.runs}
        found = []
        for samples in dict.fromkeys(task.seen_values() for task in tasks.values()):
            alike = [name for name, task in tasks.items() if task.seen_values() == samples]
            ends = sorted(alike, key=lambda name: tasks[name].inputs)
            said = f"{tasks[ends[0]].inputs:,} to {tasks[ends[-1]].inputs:,} inputs"
            found += _changes(results, ends[0], ends[-1], said, {"samples": samples})
        return found

    return {"studies": [study_with(setting, "input-dimension", setting.profile, pairs)]}


def rising_data(setting: Setting) -> Evidence:
    """Gather by how much each activation's lead over ReLU grows with classes, and with pictures."""

    def pairs(results: Results) -> list[dict[str, Any]]:
        signals = list(dict.fromkeys(run.signal for run in results.runs))
        return [
            one
            for axis, first, last in _ends(signals)
            for one in _changes(results, first, last, _said(axis, first, last), {"grows": axis})
        ]

    return {"studies": [study_with(setting, "relu-large", TRENDS[setting.profile], pairs)]}


def _ends(signals: list[str]) -> Iterator[tuple[str, str, str]]:
    """For each option the two signals that differ most in it, and in nothing else."""
    widest: dict[str, tuple[int, str, str]] = {}
    for one, other in combinations(signals, 2):
        mine, theirs = options(one), options(other)
        differ = [axis for axis in mine if mine[axis] != theirs.get(axis)]
        if len(differ) == 1:
            axis = differ[0]
            first, last = sorted((one, other), key=lambda name: int(options(name)[axis]))
            span = int(options(last)[axis]) - int(options(first)[axis])
            widest[axis] = max(widest.get(axis, (0, "", "")), (span, first, last))
    return ((axis, first, last) for axis, (_, first, last) in widest.items())


def _said(axis: str, first: str, last: str) -> str:
    low, high = (int(options(name)[axis]) for name in (first, last))
    return f"{low:,} to {high:,} {'pictures' if axis == 'samples' else axis}"


def _changes(
    results: Results, first: str, last: str, said: str, facts: dict[str, object]
) -> list[dict[str, Any]]:
    """Compare each design's lead over its baseline on two signals, seed by seed."""
    metric = primary(results)
    score = {(run.signal, run.design, run.seed): run.metrics[metric.name] for run in results.runs}
    seeds = sorted({run.seed for run in results.runs})

    def lead(contrast: Contrast, signal: str, seed: int) -> float:
        terms = contrast.weights.items()
        return sum(weight * score[signal, label, seed] for label, weight in terms)

    return [
        pair(
            metric,
            [lead(one, last, seed) - lead(one, first, seed) for seed in seeds],
            design=f"{one.design}, {said},",
            baseline=one.baseline,
            facts={**one.facts, **facts},
        )
        for one in _against(results)
    ]
