"""What a study's verdicts are about: scores, scores at a level, and the steps to a target.

All questions of a study share the error that its verdicts may make, so they are fixed before the
first run and counted together.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from penchant.errors import PenchantError, nearest
from penchant.study._level import Level, at_level, parse_level
from penchant.study._plan import Plan
from penchant.study._probing import PROBES, probe_of
from penchant.study._results import Run
from penchant.study._sentence import with_unit
from penchant.study._target import steps_to, target_metric
from penchant.tasks import Metric, Task


@dataclass(frozen=True)
class Question:
    """A metric, and what a run answers to it."""

    metric: Metric
    """Its name, unit, direction and the margin that the plan fixed."""
    answer: Callable[[Run], float | None]
    """The run's number; None where it never came to what is asked."""
    otherwise: Callable[[Run], float]
    """The number that counts then."""
    goal: str = ""
    """What a run may never come to, in words: ``90 %``."""
    said_otherwise: str = ""
    """What counts then, in words."""

    def value(self, run: Run) -> float:
        """The number that counts for a run."""
        found = self.answer(run)
        return self.otherwise(run) if found is None else found


def score(metric: Metric) -> Question:
    """Ask for a run's final score."""

    def final(run: Run) -> float:
        return run.metrics[metric.name]

    return Question(metric, final, final)


def at(level: Level, margin: float | None = None) -> Question:
    """Ask for a score where a watched one comes to a level; undefined where it never does.

    Any other value would be of another level, and compare what is not equal.
    """
    metric = level.metric if margin is None else replace(level.metric, margin=margin)
    return Question(metric, lambda run: at_level(run, level), lambda run: math.nan, str(level))


def soonest(metric: Metric, target: float, budget: int) -> Question:
    """Ask for the steps after which a metric comes to a target; otherwise the budget counts."""
    return Question(
        target_metric(target, budget),
        lambda run: steps_to(run, metric, target),
        lambda run: budget,
        with_unit(f"{target:g}", metric.unit),
        "these count as the whole budget",
    )


def questions(plan: Plan, tasks: Sequence[Task]) -> tuple[Question, ...]:
    """Return what a plan's verdicts are about, the primary metric first, the target apart.

    Raises:
        PenchantError: a metric that is unknown, not measured, asked for twice, or has no curve
            though the plan has a target.
    """
    known = {metric.name: metric for metric in tasks[0].metrics}
    primary = plan.metric or tasks[0].metrics[0].name
    if plan.target is not None:
        _check_watched(_question(primary, plan, known).metric, plan.target, known)
    asked = [_question(primary, plan, known, plan.margin)]
    for name in plan.also:
        question = _question(name, plan, known)
        if question.metric.name in [one.metric.name for one in asked]:
            raise PenchantError(f"also={name!r} is judged already; name each metric once")
        asked.append(question)
    return tuple(asked)


def target_question(plan: Plan, metric: Metric) -> Question | None:
    """Return the question of the plan's target, if it has one."""
    return None if plan.target is None else soonest(metric, plan.target, plan.steps)


def _question(
    name: str, plan: Plan, known: Mapping[str, Metric], margin: float | None = None
) -> Question:
    if "@" in name:
        return at(parse_level(name, known), margin)
    metric = known.get(name) or _probed(name, plan, known)
    return score(metric if margin is None else replace(metric, margin=margin))


def _probed(name: str, plan: Plan, known: Mapping[str, Metric]) -> Metric:
    """Find a probe's metric."""
    probe = probe_of(name)
    if probe is None:
        probed = [m.name for one in plan.probes for m in PROBES[one].metrics]
        raise PenchantError(f"metric={name!r} is unknown: {nearest(name, [*known, *probed])}")
    if probe not in plan.probes:
        raise PenchantError(f"metric={name!r} is measured by a probe; add probes={probe}")
    return next(metric for metric in PROBES[probe].metrics if metric.name == name)


def _check_watched(metric: Metric, target: float, known: Mapping[str, Metric]) -> None:
    if not metric.watched:
        watched = [one.name for one in known.values() if one.watched]
        raise PenchantError(
            f"target={target:g}: {metric.name} is scored at the end of a run alone, so the steps "
            f"to it are not known; take metric={' or '.join(watched)}"
        )


_NOT_MAXIMISED = ("gap_", "boundary_", "posterior_")


def shown_metric(metric: Metric, task: Task) -> Metric:
    """Return what is shown of runs at work, and what their pilots maximise.

    That is the primary metric where it is a score of the task. What is read off curves or measured
    by probes is not there to be maximised, a gap is smallest where nothing is learned, and no pilot
    knows the true boundary or posterior: the task's first metric stands in.

    Example:
        >>> from penchant.tasks import Picture, PictureTask
        >>> import numpy as np
        >>> task = PictureTask(Picture("grey", np.full((8, 8, 1), 0.5, np.float32)), "checkerboard")
        >>> shown_metric(Metric("identity_share", "%", 5.0), task).name
        'psnr_held_out'
    """
    scores = {one.name for one in task.metrics if not one.name.startswith(_NOT_MAXIMISED)}
    return metric if metric.name in scores else task.metrics[0]
