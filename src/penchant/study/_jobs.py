"""One run, from its job to its finished record: the piece of a study that any worker performs.

A job is small and picklable, names everything that its numbers depend on, and is performed on one
thread with keyed randomness; so where, when and beside what it runs does not matter. Nor does
it matter whether it is done at once: it hands out its state now and then, and goes on from there.
On an accelerator all of this holds to the stated tolerance (see `_stacks`), and a job says so.
"""

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from safetensors.torch import save
from torch import nn

from penchant.nn import count_parameters
from penchant.study._design import Design
from penchant.study._probing import Probing
from penchant.study._results import Moment, Run, Status
from penchant.tasks import Score, Split, Task, is_finite
from penchant.training import Recipe, Training, from_bytes, one_thread, to_bytes

NUMERICS = 3
"""Raised whenever the same job would give other numbers."""

LOOKS = 16
"""How often a run is scored while it trains, the start and the end included."""

BETWEEN_CHECKPOINTS = 20.0
"""Processor seconds after which a run hands out its state; what is lost when it is killed."""

CHEAP = 0.4
"""Processor seconds that handing it out may take; what takes k times as long is k times as rare."""

BETWEEN_SIGNS = 2.0
"""Processor seconds after which a run says where it is, looks apart."""

ON_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Job:
    """A planned run: a design and a seed on the task of an index, under a budget."""

    task: int
    signal: str
    design: str
    settings: Design
    seed: int
    steps: int
    batch: int
    metric: str
    validation: bool = False
    probes: tuple[str, ...] = ()
    path: str = ""
    """What computes it, where that is not the processor, one run by itself: ``stacks on cuda``."""

    def id(self, fingerprint: str) -> str:
        """Hash data, design, seed, budget, the version of the numerics and the path."""
        content = {
            "task": fingerprint,
            "validation": self.validation,
            "design": self.settings.identity,
            "seed": self.seed,
            "steps": self.steps,
            "batch": self.batch,
            "numerics": NUMERICS,
            "torch": torch.__version__,
            **({"probes": self.probes} if self.probes else {}),
            # The same job's numbers on another path differ in their last digits, which training
            # makes large: an id of its own keeps a study's runs, which are compared in pairs, all
            # on one path. Not the accelerator's model, as an id does not say the processor's.
            **({"path": self.path} if self.path else {}),
        }
        text = json.dumps(content, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    def training(self, task: Task, split: Split, device: torch.device = ON_CPU) -> Training:
        """Build the network, and what will train it on a split of the job's task."""
        rate = self.settings.learning_rate
        assert rate is not None, "a job's design is resolved"
        network = task.wrapped(self.settings.build(task.shape, task.outputs, self.seed), split)
        return Training(
            network.to(device),
            self.settings.divergence_of(task),
            split.inputs.to(device),
            split.targets.to(device),
            Recipe(
                self.steps,
                self.settings.optimizer,
                rate,
                self.batch,
                self.settings.weight_decay or 0.0,
            ),
            self.seed,
            split.augment,
        )


@dataclass(frozen=True)
class Progress:
    """Where a job at work is, and what it scored when it was last looked at."""

    job: Job
    step: int
    score: float


@dataclass(frozen=True)
class Checkpointed:
    """An unfinished job's state, for `perform` to go on from."""

    job: Job
    step: int
    state: bytes


@dataclass(frozen=True)
class Finished:
    """A job's record, and its network as a safetensors file's content."""

    job: Job
    run: Run
    network: bytes


Event = Progress | Finished
"""What a study tells."""


class Underway:
    """A job at work: its network, what trains it, and what has been seen of it so far.

    Args:
        job: what to do.
        task: its data.
        device: where the network is.
    """

    def __init__(self, job: Job, task: Task, device: torch.device = ON_CPU) -> None:
        self.job = job
        self.id = job.id(task.fingerprint)
        self.split = task.split(job.seed, validation=job.validation)
        self.training = job.training(task, self.split, device)
        network, minimised = self.training.network, self.training.minimised
        self._answer = task.answering(network, minimised)
        self._probing = Probing(job.probes, network, minimised, self.split, job.seed)
        self._curve: list[Moment] = []

    def take_up(self, state: bytes | None) -> bool:
        """Go on from the state of a `Checkpointed` of this job; say whether there was one."""
        saved = None if state is None else from_bytes(state)
        if saved is None or saved["id"] != self.id:
            return False
        self.training.load_state_dict(saved["training"])
        self._curve = [Moment(**moment) for moment in saved["curve"]]
        return bool(self._curve)

    def progress(self) -> Progress:
        """Say where the job is."""
        metrics = self._curve[-1].metrics
        return Progress(self.job, self.training.step, metrics.get(self.job.metric, math.nan))

    def checkpointed(self) -> Checkpointed:
        """Hand out the job's state."""
        moments = [vars(moment) for moment in self._curve]
        state = {"id": self.id, "training": self.training.state_dict(), "curve": moments}
        return Checkpointed(self.job, self.training.step, to_bytes(state))

    def is_past(self, step: int) -> bool:
        """Say whether the look at a step has been taken, or that step is behind."""
        return bool(self._curve) and step <= self._curve[-1].step

    def looked(self, step: int) -> Progress:
        """Take the look at a step."""
        score = self.split.score(self._answer, final=False)
        self._curve.append(_moment(self.training, score, self._probing.looked(step)))
        return self.progress()

    def finished(self) -> Finished:
        """Score what training left, and make the record."""
        job, training, probing = self.job, self.training, self._probing
        status, score = final_score(
            training.network, self.split, self._answer, diverged=training.diverged
        )
        last, found = probing.ended(self._curve, diverged=status == "diverged")
        self._curve.append(_moment(training, score, last.metrics))
        run = Run(
            id=self.id,
            signal=job.signal,
            design=job.design,
            seed=job.seed,
            status=status,
            steps=training.step,
            seconds=training.seconds,
            parameters=count_parameters(training.network),
            settings=job.settings.model_dump(),
            metrics={**score.metrics, **found.metrics},
            bands=score.bands,
            curve=tuple(self._curve),
            profiles=found.profiles,
            layers=found.layers,
        )
        return Finished(job, run, save(training.network.state_dict()))


def perform(job: Job, task: Task, state: bytes | None = None) -> Iterator[Event | Checkpointed]:
    """Do a job here, on the processor, reporting on the way; the last event is `Finished`.

    Args:
        job: what to do.
        task: its data.
        state: of a `Checkpointed` of this job, to go on from with the same numbers; one that is
            damaged or of another job is passed over.

    Yields:
        Looks and states while it trains, then the record.
    """
    with one_thread():
        underway = Underway(job, task)
        if underway.take_up(state):
            yield underway.progress()
        yield from alone(underway)


def alone(underway: Underway) -> Iterator[Event | Checkpointed]:
    """Do what is left of a job by itself; to be called on one thread."""
    job, training = underway.job, underway.training
    sign, checkpoint = Every(BETWEEN_SIGNS), Every(BETWEEN_CHECKPOINTS)
    for step in look_steps(job.steps):
        if underway.is_past(step):
            continue
        while training.step < step and not training.finished:
            training.advance(1)
            if sign.due():
                yield underway.progress()
            if checkpoint.due():
                yield underway.checkpointed()
                checkpoint.took()
        if training.diverged:
            break
        if step < job.steps:
            yield underway.looked(step)
    yield underway.finished()


class Every:
    """Says when so many processor seconds of this thread have passed."""

    def __init__(self, seconds: float) -> None:
        self.seconds = self.wait = seconds
        self.last = time.thread_time()

    def due(self) -> bool:
        now = time.thread_time()
        if now - self.last < self.wait:
            return False
        self.last, self.wait = now, self.seconds
        return True

    def took(self) -> None:
        """Wait longer where what was due has cost much: 300 MB of state take seconds."""
        now = time.thread_time()
        self.wait = self.seconds * max(1.0, (now - self.last) / CHEAP)
        self.last = now


def final_score(
    network: nn.Module, split: Split, answer: nn.Module, *, diverged: bool
) -> tuple[Status, Score]:
    """Score what training left; a diverged network is scored as the best constant answer.

    Args:
        network: trained.
        split: what it was trained on.
        answer: the network, as the task has it answer.
        diverged: whether its training did.

    Returns:
        What became of it, and the score.
    """
    if not diverged:
        score = split.score(answer)
        # The last step's effect has not been seen yet, and finite parameters can answer infinity.
        if score.finite or is_finite(network, split.inputs):
            return "done", score
    return "diverged", split.constant_score()


def look_steps(steps: int) -> list[int]:
    """Choose the steps to look at: closer together at the start, where more happens.

    Example:
        >>> look_steps(300)
        [0, 1, 5, 12, 21, 33, 48, 65, 85, 108, 133, 161, 192, 225, 261, 300]
    """
    return sorted({round(steps * (look / (LOOKS - 1)) ** 2) for look in range(LOOKS)})


def _moment(training: Training, score: Score, probed: Mapping[str, float]) -> Moment:
    metrics = {**score.metrics, **probed}
    return Moment(training.step, training.seconds, metrics, score.bands)
