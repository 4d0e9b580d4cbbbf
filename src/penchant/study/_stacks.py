"""Jobs on one device, those of one shape trained as one program.

An accelerator is idle between the small products of one small network; the products of many at once
keep it at work. So jobs whose networks have the same layers are put into a stack, and each gets its
looks, checkpoints and record from its own training, which the stack brings up to date for them.

What holds there of a run's numbers: data, initial draws and batches are those of a run by itself;
each product and sum is over one run's numbers alone. But an accelerator's library may sum in
another order for another number of runs, so a run agrees with itself in another stack (after a
crash, where some of a stack were finished) within rounding, and as far as training leaves rounding
small.
"""

import json
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import torch

from penchant.study import _jobs
from penchant.study._executors import Begun, _never
from penchant.study._fully_connected import FullyConnected
from penchant.study._jobs import Checkpointed, Event, Job, Underway, alone, look_steps
from penchant.tasks import Task
from penchant.training import TrainingStack, apart, one_thread

MOST = 64
"""Runs in a stack: their data and buffers are on the device together."""

AT_A_TIME = 25
"""Steps between two looks at the clock, for which the device is waited for."""

OWN = ("learning_rate", "scale", "bandwidth", "k", "start_bias")
"""Numbers of a design in which the runs of a stack may differ."""


@dataclass(frozen=True)
class Stacks:
    """Performs jobs in this process, on one device; those of one shape as one program.

    Args:
        device: where networks are trained.
    """

    device: torch.device

    def __call__(
        self, jobs: Sequence[Job], tasks: Sequence[Task], begun: Begun = _never
    ) -> Iterator[Event | Checkpointed]:
        """Perform jobs, group by group; see `Executor`."""
        for group in _groups(jobs, tasks):
            with one_thread():
                yield from self._perform(group, tasks, begun)

    def _perform(
        self, group: Sequence[Job], tasks: Sequence[Task], begun: Begun
    ) -> Iterator[Event | Checkpointed]:
        runs = []
        for job in group:
            run = Underway(job, tasks[job.task], self.device)
            if run.take_up(begun(job)):
                yield run.progress()
            if apart([run.training]) is None:
                runs.append(run)
            else:
                yield from alone(run)
        # What goes on from a checkpoint goes on with those that have come as far.
        for step in sorted({run.training.step for run in runs}):
            level = [run for run in runs if run.training.step == step]
            if len(level) > 1 and apart([run.training for run in level]) is None:
                yield from together(level)
            else:
                for run in level:
                    yield from alone(run)


def together(runs: Sequence[Underway]) -> Iterator[Event | Checkpointed]:
    """Do what is left of several jobs as one program; to be called on one thread.

    Args:
        runs: whose trainings go together (see `TrainingStack`).

    Yields:
        Each job's events, in order, the last being its `Finished`.
    """
    stack = TrainingStack([run.training for run in runs])
    sign = _jobs.Every(_jobs.BETWEEN_SIGNS)
    checkpoint = _jobs.Every(_jobs.BETWEEN_CHECKPOINTS)
    going = list(runs)
    for step in look_steps(stack.recipe.steps):
        while stack.step < step and not stack.finished:
            stack.advance(min(AT_A_TIME, step - stack.step))
            signed, kept = sign.due(), checkpoint.due()
            if signed or kept:
                stack.settle()
            if signed:
                yield from [run.progress() for run in going]
            if kept:
                for run in going:
                    yield run.checkpointed()
                checkpoint.took()
        stack.settle()
        for run in going:
            if run.training.finished:
                yield run.finished()
            elif not run.is_past(step):
                yield run.looked(step)
        going = [run for run in going if not run.training.finished]


def at_once(jobs: Sequence[Job], tasks: Sequence[Task]) -> int:
    """Say how many of some jobs are at work together, on average."""
    groups = sum(1 for _ in _groups(jobs, tasks))
    return max(1, round(len(jobs) / max(1, groups)))


def _groups(jobs: Sequence[Job], tasks: Sequence[Task]) -> Iterator[Sequence[Job]]:
    """Yield jobs that may well go into one stack, in the order of their first ones."""
    groups: dict[Hashable, list[Job]] = {}
    for job in jobs:
        groups.setdefault(_alike(job, tasks[job.task]), []).append(job)
    for group in groups.values():
        for start in range(0, len(group), MOST):
            yield group[start : start + MOST]


def _alike(job: Job, task: Task) -> Hashable:
    """Return what jobs of one stack share, as far as it is known before anything is built."""
    if not isinstance(job.settings, FullyConnected):
        return job  # in no stack
    settings = {n: v for n, v in job.settings.model_dump().items() if n not in OWN}
    data = (type(task), task.shape, task.outputs, task.seen_values())
    budget = (job.steps, job.batch, job.validation)
    return (json.dumps(settings, sort_keys=True), data, budget)
