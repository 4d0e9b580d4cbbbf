"""What came of a study: its results and networks, read from the store once all jobs are done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import nn

from penchant.study import _folder
from penchant.study._design import Design
from penchant.study._jobs import Job
from penchant.study._model_file import network_from
from penchant.study._plan import Plan
from penchant.study._planes import plane_maps
from penchant.study._probing import probed_metrics
from penchant.study._question import Question
from penchant.study._references import reference_warnings
from penchant.study._results import Pilot, Reconstruction, Results, Run
from penchant.study._store import Store
from penchant.study._tuning import Tried
from penchant.study._verdicts import verdicts
from penchant.study._versions import versions
from penchant.study._warnings import run_warnings
from penchant.tasks import (
    GridSplit,
    GridTask,
    MeshSplit,
    MeshTask,
    Metric,
    RadianceSplit,
    RadianceTask,
    Split,
    Task,
)

_FACTS = ("kind", "rate", "spacing", "units", "affine")
"""What a reconstruction keeps of a signal's header, where it has it."""


@dataclass(frozen=True)
class Outcome:
    """A finished study: what it asked, what it did, and the store that holds the answers."""

    plan: Plan
    tasks: tuple[Task, ...]
    questions: tuple[Question, ...]
    """The primary metric's, then those of further ones."""
    target: Question | None
    comparisons: int
    """How many verdicts there are, which share one rate of error."""
    tried: Sequence[Tried]
    """The pilots."""
    jobs: Sequence[Job]
    """The runs, with the settings that pilots chose."""
    warnings: tuple[str, ...]
    """Those that do not need the runs."""
    store: Store

    def results(self, folder: Path | None) -> Results:
        """Judge the runs, and put everything together that a reader may ask for.

        Args:
            folder: the study's.
        """
        plan, metric, target = self.plan, self.questions[0].metric, self.target
        runs, baselines = tuple(self._run(job) for job in self.jobs), plan.baselines()
        m, each = self.comparisons, plan.judge == "each"
        return Results(
            folder=folder,
            plan=self._plan_in_words(),
            designs=tuple(baselines),
            axes=plan.axes(),
            metric=metric.name,
            runs=runs,
            pilots=tuple(_in_words(one) for one in self.tried),
            verdicts=tuple(
                verdict
                for question in self.questions
                for verdict in verdicts(runs, baselines, question, m, each=each)
            ),
            target_verdicts=verdicts(runs, baselines, target, m, each=each) if target else (),
            steps_to_target={run.id: target.answer(run) for run in runs} if target else {},
            reconstructions=tuple(self._reconstructions()),
            warnings=(
                *self.warnings,
                *run_warnings(runs),
                *(reference_warnings(runs, self.tasks, metric.name) if plan.references else ()),
            ),
            method=self._method(folder),
            baselines=baselines,
            planes=tuple(plane_maps(self.tasks, self._answers)),
        )

    def network_files(self) -> Iterator[tuple[str, Design, Task, bytes]]:
        """Yield each run's network: its file's name, its design, its task and its tensors."""
        for job in self.jobs:
            several = f"{_folder.file_name(job.signal)}--" if len(self.tasks) > 1 else ""
            name = f"{several}{_folder.file_name(job.design)}--seed{job.seed}.safetensors"
            yield name, job.settings, self.tasks[job.task], self._network(job)

    def _network(self, job: Job) -> bytes:
        return self.store.network(self._id(job))

    def _id(self, job: Job) -> str:
        return job.id(self.tasks[job.task].fingerprint)

    def _run(self, job: Job) -> Run:
        """Read a run, and add what is read off its curve to its metrics."""
        found = self.store.run(self._id(job))
        read = {q.metric.name: q.value(found) for q in self.questions if q.goal}
        return replace(
            found,
            # The id holds what the numbers depend on; names and paths are this study's own.
            signal=job.signal,
            design=job.design,
            settings=job.settings.model_dump(),
            metrics={**found.metrics, **read},
        )

    def _plan_in_words(self) -> dict[str, object]:
        metric = self.questions[0].metric
        return {
            "signals": [task.name for task in self.tasks],
            "notices": [f"{t.name}: {notice}" for t in self.tasks for notice in t.notices],
            **self.plan.model_dump(),
            "noun": self.tasks[0].noun,
            "baseline": self.plan.baseline_label(),
            "comparisons": self.comparisons,
            "metric": metric.name,
            "margin": metric.margin,
            "unit": metric.unit,
            "higher_is_better": metric.higher_is_better,
            "metrics": [asdict(one) for one in self._metrics()],
        }

    def _metrics(self) -> list[Metric]:
        """List every metric that the results hold numbers of, with the plan's margin."""
        scored = [*self.tasks[0].metrics, *probed_metrics(self.plan.probes)]
        judged = [*self.questions, *([self.target] if self.target else [])]
        return list({m.name: m for m in [*scored, *(one.metric for one in judged)]}.values())

    def _reconstructions(self) -> Iterator[Reconstruction]:
        for index, task in enumerate(self.tasks):
            if not isinstance(task, GridTask | MeshTask | RadianceTask):
                continue
            split, header = task.split(0), task.header
            facts = {name: getattr(header, name) for name in _FACTS if hasattr(header, name)}
            for view, values in _shown(task, split).items():
                yield Reconstruction(task.name, "", 0, values, view=view, **facts)
            for design, answer in self._answers(index, split):
                for view, values in _shown(task, split, answer).items():
                    yield Reconstruction(task.name, design, 0, values, view=view, **facts)

    def _answers(self, index: int, split: Split) -> Iterator[tuple[str, nn.Module]]:
        """Yield a signal's designs, each with what its network of the first seed answers by."""
        task = self.tasks[index]
        for job in self.jobs:
            if job.task == index and job.seed == 0:
                network = network_from(self._network(job), job.settings, task, split, seed=0)
                yield job.design, task.answering(network, job.settings.divergence_of(task))

    def _method(self, folder: Path | None) -> dict[str, str]:
        where = _folder.PLAN if folder is None else f"{folder}/{_folder.PLAN}"
        return {
            "command": self.store.fact("command") or f"penchant run {where}",
            "started": self.store.fact("started") or "",
            "finished": self.store.fact("finished") or "",
            **versions(),
        }


def _shown(
    task: Task, split: Split, answer: nn.Module | None = None
) -> Mapping[str, Float[np.ndarray, "*grid channels"]]:
    """Return what a network answers, or the signal itself: its views by name, or the whole."""
    if isinstance(split, MeshSplit | RadianceSplit):
        return split.views(answer)
    assert isinstance(task, GridTask) and isinstance(split, GridSplit)
    return {"": split.reconstruct(answer) if answer else task.values}


def _in_words(tried: Tried) -> Pilot:
    job = tried.job
    return Pilot(job.signal, job.design, job.settings.model_dump(), tried.score, tried.chosen)
