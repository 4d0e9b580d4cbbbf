"""The plan of a study in words: short before it starts, whole for a dry run."""

from collections.abc import Iterator, Mapping

from penchant.cli._words import counted, duration
from penchant.nn import count_parameters
from penchant.study import Design, Job, Study, amount, differing, with_unit
from penchant.tasks import Metric, PictureTask, Task

MOST_LISTED = 20
"""Signals beyond which a dry run lists no more."""


def summary(study: Study, left: list[Job], seconds: float, jobs: int) -> str:
    """Say in a sentence what will be done and how long it will take.

    Args:
        study: the study.
        left: what is still to be done of it.
        seconds: the estimate for that.
        jobs: processes.
    """
    plan, designs = study.plan, study.designs[0]
    where = study.tasks[0].name if len(study.tasks) == 1 else counted(len(study.tasks), "signal")
    work = f"{counted(len(designs), 'design')} × {counted(plan.seeds, 'seed')} on {where}"
    if not left:
        return f"{work}: all is done already."
    pilots = sum(job.validation for job in left)
    runs = counted(len(left) - pilots, "run") + (
        f" after {counted(pilots, 'pilot')}" if pilots else ""
    )
    where_run = (
        f"with {counted(jobs, 'job')}" if study.device.type == "cpu" else f"on {study.device}"
    )
    rest = " to go" if len(left) < len(study.jobs) else ""
    return (
        f"{work}: {runs}{rest}, {counted(plan.steps, 'step')} each, about {duration(seconds)} "
        f"{where_run}."
    )


def description(study: Study) -> str:
    """Describe a plan line by line, for a dry run."""
    rows = [(name, line) for name, lines in _parts(study) for line in lines]
    text, before = [], ""
    for name, line in rows:
        text.append(f"{name if name != before else '':<10}{line}".rstrip())
        before = name
    return "\n".join(text)


def _parts(study: Study) -> Iterator[tuple[str, list[str]]]:
    plan, metric = study.plan, study.metric
    tunes = _tuned(study)
    yield "signals", _signals(study.tasks)
    yield "designs", _designs(study, tunes)
    yield "seeds", [f"0 to {plan.seeds - 1}" if plan.seeds > 1 else "0"]
    yield "budget", [f"{counted(plan.steps, 'step')} of up to {counted(plan.batch, 'sample')}"]
    yield "held out", [plan.held_out]
    if plan.noise:
        yield "noise", [f"{plan.noise:g}"]
    if plan.augment:
        yield "augment", [plan.augment]
    yield "pilots", [_pilots(plan.tune, tunes)]
    yield "match", [plan.match]
    yield "metric", [_margin(metric)]
    if plan.also:
        yield "also", [_margin(question.metric) for question in study.questions[1:]]
    if plan.target is not None:
        goal = with_unit(f"{plan.target:g}", metric.unit)
        yield "target", [f"{goal}; the steps to it get verdicts too"]
    if plan.probes:
        yield "probes", [", ".join(plan.probes)]
    if plan.judge == "each":
        yield "judge", ["each signal by itself"]
    yield "baseline", list(_baselines(study))
    yield "folder", [str(study.folder)]
    yield "warnings", list(study.warnings)


def _margin(metric: Metric) -> str:
    return f"{metric.name}, a margin of {amount(f'{metric.margin:g}', metric.unit)}"


def _baselines(study: Study) -> Iterator[str]:
    """Say what designs are compared with; where each has a partner, line by line."""
    plan = study.plan
    verdicts = counted(study.comparisons, "verdict")
    yield f"{plan.baseline_label()}, against which there are {verdicts}"
    baselines = plan.baselines()
    if len(set(baselines.values())) > 1:
        pairs = [(label, baseline) for label, baseline in baselines.items() if label != baseline]
        longest = max(len(label) for label, _ in pairs)
        for label, baseline in pairs:
            yield f"{label:<{longest}}  against {baseline}"


def _signals(tasks: tuple[Task, ...]) -> list[str]:
    lines = ["; ".join([f"{task.name}{_shape(task)}", *task.notices]) for task in tasks]
    more = len(lines) - MOST_LISTED
    return lines if more <= 0 else [*lines[:MOST_LISTED], f"and {more} more"]


def _shape(task: Task) -> str:
    if not isinstance(task, PictureTask):
        seen = counted(task.seen_values() // task.outputs, "sample")
        return f", {seen} seen, {task.inputs} inputs, {task.outputs} outputs"
    height, width, channels = task.picture.values.shape
    return f" {width}×{height}, {'grey' if channels == 1 else 'colour'}"


def _designs(study: Study, tunes: Mapping[str, list[str]]) -> list[str]:
    lines = []
    task = study.tasks[0]
    longest = max(map(len, study.designs[0]))
    for label, design in study.designs[0].items():
        network = design.build(task.shape, task.outputs, seed=0)
        tuned = f", pilots tune {' and '.join(tunes[label])}" if tunes.get(label) else ""
        lines.append(
            f"{label:<{longest}}  {design.form}, {count_parameters(network):,} parameters{tuned}"
        )
    if any(one != study.designs[0] for one in study.designs):
        lines.append(f"(widths on {task.name}; they follow each signal's size)")
    return lines


def _tuned(study: Study) -> dict[str, list[str]]:
    """Name for each design the fields in which its pilots differ."""
    tried: dict[str, list[Design]] = {}
    for job in study.pilot_jobs:
        if job.task == 0:
            tried.setdefault(job.design, []).append(job.settings)
    return {label: list(differing(designs)) for label, designs in tried.items()}


def _pilots(tune: int, tunes: Mapping[str, list[str]]) -> str:
    if not tunes:
        return "none"
    return f"{tune} a design, scored on a part of the seen samples"
