"""How long a study will take, from timing a few steps of each of its designs here and now."""

import time
from collections.abc import Sequence

import torch

from penchant.study._jobs import LOOKS, ON_CPU, Job
from penchant.study._probing import Probing
from penchant.tasks import Task, evaluate
from penchant.training import one_thread

STEPS = 3
SAMPLES = 256
"""Answers that are timed, of all that the end of a run asks for."""
START = 4.0
"""Seconds in which a pool's processes load torch."""


def seconds_of(
    jobs: Sequence[Job], tasks: Sequence[Task], workers: int, device: torch.device = ON_CPU
) -> float:
    """Estimate the wall seconds that jobs will take.

    Args:
        jobs: all of them; those that share design, width and the data's size are timed once.
        tasks: their data.
        workers: processes that share them; on an accelerator, how many are trained at once, since
            a step of many small networks takes about as long there as a step of one.
        device: where networks are trained.

    Returns:
        Seconds; other work on the machine makes it an underestimate.
    """
    cost: dict[tuple[object, ...], float] = {}
    total = 0.0
    with one_thread():
        for job in jobs:
            task = tasks[job.task]
            shape = (task.seen_values(), task.shape, task.outputs)
            alike = (job.design, job.settings.width, job.probes, *shape)
            if alike not in cost:
                cost[alike] = _seconds(job, task, device)
            total += cost[alike]
    return total / workers + (START if workers > 1 and device.type == "cpu" else 0)


def _seconds(job: Job, task: Task, device: torch.device) -> float:
    split = task.split(job.seed)
    training = job.training(task, split, device)
    training.advance(1)  # the first step makes the buffers
    started = time.perf_counter()
    training.advance(STEPS)
    steps = (time.perf_counter() - started) / max(1, training.step - 1)
    started = time.perf_counter()
    split.score(task.answering(training.network, training.minimised), final=False)
    probing = Probing(job.probes, training.network, training.minimised, split, job.seed)
    probing.looked(training.step)
    looks = (time.perf_counter() - started) * LOOKS
    few = split.inputs[:SAMPLES]
    started = time.perf_counter()
    evaluate(training.network, few)
    # The end asks about every sample seen, once to see that all is finite and once to score.
    end = 2 * len(split.inputs) / len(few) * (time.perf_counter() - started)
    return steps * job.steps + looks + end
