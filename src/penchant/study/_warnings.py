"""Validity warnings: wherever a comparison could mislead, one sentence says so."""

import math
from collections.abc import Mapping, Sequence

from penchant.nn import ACTIVATIONS
from penchant.study._design import Design
from penchant.study._fully_connected import CoordinateDesign
from penchant.study._plan import Plan
from penchant.study._results import Run
from penchant.study._width import parameters
from penchant.tasks import ClassificationTask, GridTask, SoundTask, Task


def early_warnings(
    plan: Plan, designs: Sequence[Mapping[str, Design]], tasks: Sequence[Task]
) -> tuple[str, ...]:
    """Say once what can be known before the first run, on all signals.

    Args:
        plan: the study's plan.
        designs: for each task, resolved and with widths, by label.
        tasks: the study's.
    """
    found = [
        (task.name, warning)
        for task, its_designs in zip(tasks, designs, strict=True)
        for warning in plan_warnings(plan, its_designs, task)
    ]
    return tuple(once(found, [task.name for task in tasks]))


def plan_warnings(plan: Plan, designs: Mapping[str, Design], task: Task) -> list[str]:
    """Say what can be known before the first run on one signal.

    Args:
        plan: the study's plan.
        designs: resolved and with widths, by label.
        task: one of its tasks.

    Returns:
        One sentence a finding, in the order of the designs.
    """
    found = []
    counts = {
        label: parameters(design, design.width or 0, task.shape, task.outputs)
        for label, design in designs.items()
    }
    found += _unequal(counts, plan)
    # A class is one of a few words, and held-out accuracy asks whether it was learnt by heart.
    if not isinstance(task, ClassificationTask):
        found += _by_heart(counts, task.seen_values())
    for label, design in designs.items():
        if isinstance(task, GridTask) and isinstance(design, CoordinateDesign):
            found += _sampling_warnings(label, design, task)
        if isinstance(task, SoundTask) and isinstance(design, CoordinateDesign):
            found += _out_of_reach(label, design, task)
    if 0 < task.turns < plan.seeds:
        found.append(
            f"{plan.seeds} seeds hold out only {task.turns} different groups: those that share one "
            "are not independent, so the intervals are too narrow."
        )
    originals = plan.labelled()
    untuned = [label for label, design in originals.items() if design.open_numbers()]
    if plan.tune == 0 and untuned:
        found.append(
            "No pilots: learning rates and scales are the package's defaults, tuned on other "
            "data; a rate alone can move a design further than most choices do."
        )
    fixed = [label for label, design in originals.items() if design.learning_rate is not None]
    if fixed and len(fixed) < len(originals):
        found.append(
            f"The learning rate of {', '.join(fixed)} was given, not tuned like the others."
        )
    return found


def _by_heart(counts: Mapping[str, int], seen: int) -> list[str]:
    """Name the designs that have more parameters than half the seen values."""
    large = {label: count for label, count in counts.items() if count > seen / 2}
    if not large:
        return []
    least, most = min(large.values()), max(large.values())
    several = len(large) > 1
    return [
        f"{', '.join(large)} {'have' if several else 'has'} {least:,}"
        + (f" to {most:,}" if least < most else "")
        + f" parameters, more than half the {seen:,} seen values: "
        + f"{'they' if several else 'it'} can learn the samples by heart."
    ]


def _unequal(counts: Mapping[str, int], plan: Plan) -> list[str]:
    """Say where designs that are compared differ in parameters."""
    compared: dict[str, list[str]] = {}
    for label, baseline in plan.baselines().items():
        compared.setdefault(baseline, []).append(label)
    spans = []
    for labels in compared.values():
        small, large = min(labels, key=counts.__getitem__), max(labels, key=counts.__getitem__)
        if counts[large] > 1.05 * counts[small]:
            spans.append(f"{counts[small]:,} ({small}) to {counts[large]:,} ({large})")
    if not spans:
        return []
    hint = " Use match=parameters to compare at equal size." if plan.match == "width" else ""
    return [f"Parameters are not equal: {'; '.join(spans)}.{hint}"]


def _sampling_warnings(label: str, design: CoordinateDesign, task: GridTask) -> list[str]:
    found = []
    nyquist, noun = task.nyquist, task.noun
    code = design.make_encoding(task.inputs, 0)
    if code.period is not None and code.period <= 2:
        found.append(
            f"{label}: the encoding repeats after {code.period:g} units, inside the {noun}'s 2."
        )
    if code.highest_frequency is not None and code.highest_frequency > nyquist:
        found.append(
            f"{label}: the encoding reaches {code.highest_frequency:.3g} cycles per unit, above "
            f"the {noun}'s sampling limit of {nyquist:g}."
        )
    fastest = _fastest(design, task.inputs)
    if fastest is not None and fastest > nyquist:
        found.append(
            f"{label}: scale {design.scale:g} starts with up to {fastest:.3g} cycles per unit, "
            f"above the {noun}'s sampling limit of {nyquist:g}."
        )
    return found


def _fastest(design: CoordinateDesign, inputs: int) -> float | None:
    """Return the cycles per unit of a wave's fastest start, where nothing else decides it."""
    member = ACTIVATIONS.get(design.activation)
    if member is None or member.name not in ("sine", "finer") or design.encoding != "none":
        return None
    # The first layer's weights are within 1/inputs a coordinate, so a wave along the diagonal has
    # at most s/√inputs radians per unit.
    scale = design.scale
    return scale / math.sqrt(inputs) / (2 * math.pi) if isinstance(scale, float) else None


def _out_of_reach(label: str, design: CoordinateDesign, task: SoundTask) -> list[str]:
    """Name a design that starts far below what a sound consists of."""
    fastest = _fastest(design, task.inputs)
    if fastest is None:
        fastest = design.make_encoding(task.inputs, 0).highest_frequency
    half = task.half_frequency
    if fastest is None or fastest >= half / 4:
        return []
    return [
        f"{label}: starts with up to {fastest:.3g} cycles per unit, where half of this sound's "
        f"power lies above {half:.3g}; it will learn little without a larger scale, more "
        "frequencies or a finer grid."
    ]


def run_warnings(runs: Sequence[Run]) -> list[str]:
    """Say what only the runs can tell: which diverged.

    Args:
        runs: the finished runs.

    Returns:
        One sentence a design.
    """
    found = []
    for label in dict.fromkeys(run.design for run in runs):
        mine = [run for run in runs if run.design == label]
        diverged = sum(run.status == "diverged" for run in mine)
        if diverged:
            found.append(
                f"{label}: {diverged} of {len(mine)} runs diverged; each is scored as the best "
                "constant answer and counted."
            )
    return found


def once(found: Sequence[tuple[str, str]], signals: Sequence[str]) -> list[str]:
    """Say a warning once, with the signals that it holds for where these are not all.

    Args:
        found: pairs of a signal's name and a warning.
        signals: the names of all signals.

    Example:
        >>> once([("a", "Small."), ("b", "Small."), ("b", "Dark.")], ["a", "b"])
        ['Small.', 'b: Dark.']
    """
    where: dict[str, list[str]] = {}
    for signal, text in found:
        where.setdefault(text, []).append(signal)
    return [
        text if set(names) == set(signals) else f"{', '.join(dict.fromkeys(names))}: {text}"
        for text, names in where.items()
    ]
