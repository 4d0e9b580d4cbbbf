"""What a study is about: pictures, arrays and tasks of one's own, as a user names them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from penchant.errors import PenchantError, nearest
from penchant.study._plan import BUILT_IN, Plan
from penchant.tasks import (
    HeldOut,
    Metric,
    Picture,
    PictureTask,
    Task,
    builtin_picture,
    find_pictures,
    load_picture,
)

Signal = str | Path | Picture | np.ndarray | Task
"""A picture's path, a folder of them, a loaded picture, an array of its values, or any task."""


def load_signals(
    signals: Signal | Sequence[Signal], plan: Plan
) -> tuple[list[str], tuple[Task, ...]]:
    """Turn signals into tasks.

    Args:
        signals: one or several.
        plan: says how large a picture is and what is held out.

    Returns:
        The signals' paths (none unless each has one), and the tasks.

    Raises:
        PenchantError: a signal that does not load, none at all, or two of one name.
    """
    paths: list[str] = []
    tasks: list[Task] = []
    pattern = HeldOut.parse(plan.held_out)
    for signal in [signals] if isinstance(signals, Signal) else signals:
        if isinstance(signal, Task):
            tasks.append(signal)
        elif isinstance(signal, Picture):
            tasks.append(PictureTask(signal, pattern))
        elif isinstance(signal, np.ndarray):
            values = np.asarray(signal[..., None] if signal.ndim == 2 else signal, np.float32)
            tasks.append(PictureTask(Picture(f"array {len(tasks) + 1}", values), pattern))
        elif str(signal) == BUILT_IN:
            paths.append(BUILT_IN)
            tasks.append(PictureTask(builtin_picture(plan.size), pattern))
        else:
            for path in find_pictures([Path(signal)]):
                paths.append(str(path))
                tasks.append(PictureTask(load_picture(path, plan.size), pattern))
    if not tasks:
        raise PenchantError("Study: no signal is given; at least one is needed")
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise PenchantError(f"two signals are called {name!r}; rename one of them")
    return (paths if len(paths) == len(tasks) else []), tuple(tasks)


def chosen_metric(plan: Plan, tasks: Sequence[Task]) -> Metric:
    """Return the metric of the verdicts, with the plan's margin."""
    known = {metric.name: metric for metric in tasks[0].metrics}
    name = plan.metric or tasks[0].metrics[0].name
    if name not in known:
        raise PenchantError(f"metric={name!r} is unknown: {nearest(name, list(known))}")
    return known[name] if plan.margin is None else replace(known[name], margin=plan.margin)
