"""What a study is about: pictures, labelled data and one's own tasks, as a user names them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from penchant.errors import PenchantError
from penchant.study._plan import BUILT_IN, DENSE_WORDS, Plan, is_name
from penchant.tasks import (
    Asked,
    ClassificationTask,
    HeldOut,
    Labelled,
    Picture,
    PictureTask,
    Task,
    builtin_picture,
    find_pictures,
    is_drawn,
    is_labelled,
    kind_of,
    load_drawn,
    load_labelled,
    load_task,
)

Signal = str | Path | Picture | Labelled | np.ndarray | Task
"""A picture's path, a folder of them, labelled data by name or path, what was loaded, or a task."""

OF_DRAWN = {
    "held_out": "what its option test says: so many samples, drawn apart from the seen ones",
    "size": "a word for pictures; its samples are rows of numbers",
    "noise": "an option of its own, as in teacher:noise=0.1 and plane:noise=0.1",
    "augment": "a word for labelled pictures; its samples are rows of numbers",
}
"""What a plan's words for data mean where samples are drawn, and none of them is taken."""


def listed(signals: Signal | Sequence[Signal]) -> list[Signal]:
    """Put a single signal into a list, and write paths as text.

    A `Path` never means a data set's name, but has lost the dot that tells ``./digits`` from it.
    """
    several = [signals] if isinstance(signals, Signal) else list(signals)
    return [_written(one) if isinstance(one, Path) else one for one in several]


def _written(path: Path) -> str:
    return f"./{path}" if is_name(str(path)) else str(path)


def load_signals(signals: Sequence[Signal], plan: Plan) -> tuple[list[str], tuple[Task, ...]]:
    """Turn signals into tasks.

    Args:
        signals: as `listed` makes them.
        plan: says how large a picture is, what is held out, how noisy the rest is, and how what
            training sees is augmented.

    Returns:
        The signals' paths (none unless each has one), and the tasks.

    Raises:
        PenchantError: a signal that does not load, none at all, two of one name, or signals that
            are not scored alike.
    """
    paths: list[str] = []
    tasks: list[Task] = []
    for signal in signals:
        if isinstance(signal, str | Path):
            for place in signal_places(str(signal)):
                paths.append(place)
                tasks.append(_task_at(place, plan))
        else:
            tasks.append(_task(signal, plan, f"array {len(tasks) + 1}"))
    if not tasks:
        raise PenchantError("Study: no signal is given; at least one is needed")
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise PenchantError(f"two signals are called {name!r}; rename one of them")
    for task in tasks:
        if task.metrics != tasks[0].metrics:
            raise PenchantError(
                f"{tasks[0].name} and {task.name} are not scored alike; a study is about pictures "
                "or about labelled data"
            )
    return (paths if len(paths) == len(tasks) else []), tuple(tasks)


def signal_places(signal: str) -> list[str]:
    """List the names, files or folders that each hold one signal, of a name or path.

    A folder of pictures holds several. Places are text, since a `Path` takes the dot from
    ``./digits`` and leaves a data set's name.
    """
    if is_name(signal) or is_labelled(signal) or kind_of(signal).name != "picture":
        return [signal]
    found = [str(path) for path in find_pictures([Path(signal)])]
    return [f"./{place}" if is_name(place) else place for place in found]


def _task_at(place: str, plan: Plan) -> Task:
    if is_drawn(place):
        return _task(load_drawn(place), plan, "")
    if is_labelled(place):
        return _task(load_labelled(place, plan.size), plan, "")
    if place == BUILT_IN:
        return _task(builtin_picture(plan.size), plan, "")
    task = load_task(place, Asked(plan.size, plan.held_out, plan.noise))
    _check_augment(plan, task.name, f"a {task.noun}")
    return task


def _task(signal: Picture | Labelled | np.ndarray | Task, plan: Plan, name: str) -> Task:
    if isinstance(signal, Task) and is_drawn(signal):
        _check_drawn(signal, plan)
    if plan.noise and isinstance(signal, Labelled | Task):
        kind = "labelled data" if isinstance(signal, Labelled) else "a task that is made already"
        raise PenchantError(
            f"noise={plan.noise:g}: {signal.name} is {kind}, and only pictures take it"
        )
    if not isinstance(signal, Labelled):
        kind = "a task that is made already" if isinstance(signal, Task) else "a picture"
        _check_augment(plan, getattr(signal, "name", name), kind)
    if isinstance(signal, Task):
        return signal
    if isinstance(signal, Labelled):
        return ClassificationTask(signal, plan.held_out, plan.augment)
    if isinstance(signal, np.ndarray):
        values = np.asarray(signal[..., None] if signal.ndim == 2 else signal, np.float32)
        signal = Picture(name, values)
    return PictureTask(signal, HeldOut.parse(plan.held_out), plan.noise)


def _check_augment(plan: Plan, name: str, kind: str) -> None:
    if plan.augment:
        raise PenchantError(
            f"augment={plan.augment!r}: {name} is {kind}, and only labelled pictures take it"
        )


def _check_drawn(task: Task, plan: Plan) -> None:
    """Refuse words that would say nothing."""
    usual = Plan(**DENSE_WORDS)
    for word, meaning in OF_DRAWN.items():
        value = getattr(plan, word)
        if value != getattr(usual, word):
            raise PenchantError(
                f"{word}={value!r}: {task.name} is a {task.noun} to learn; {word} is {meaning}"
            )
