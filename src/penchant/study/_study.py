"""A study: signals, designs and seeds, planned, run, stored and read back.

The file `study.db` is the only truth; everything else in the folder is written from it at the end
and can be written again.
"""

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from penchant.errors import PenchantError
from penchant.study import _folder
from penchant.study._design import Design
from penchant.study._estimate import seconds_of
from penchant.study._executors import Executor, Pool, in_process
from penchant.study._jobs import Checkpointed, Event, Finished, Job
from penchant.study._model_file import network_from
from penchant.study._plan import PILOT_SEED, Plan, read_toml, usual_words
from penchant.study._probing import check_paths, probed_metrics
from penchant.study._profiles import default_folder
from penchant.study._question import questions, shown_metric, target_question
from penchant.study._results import Pilot, Reconstruction, Results, Run
from penchant.study._signals import Signal, listed, load_signals
from penchant.study._store import MEMORY, Store
from penchant.study._tuning import best, candidates
from penchant.study._verdicts import comparisons, verdicts
from penchant.study._warnings import grid_warnings, once, plan_warnings, run_warnings
from penchant.study._width import with_widths
from penchant.tasks import Metric, PictureTask, Task
from penchant.version import __version__

Listener = Callable[[Event], None]


class Study:
    """A controlled comparison of designs on one or several signals.

    Args:
        signals: a picture's path, a folder of them, a `Picture`, an array of values in [0, 1]
            (height × width, or with 1 or 3 channels), labelled data by name or path (see
            `load_labelled`) or as `Labelled`, any `Task`, or a list of these; ``"built-in"`` is a
            photograph that comes with scikit-image, ``"digits"`` scikit-learn's digits.
        out: the study's folder; without one, nothing is kept after the process ends.
        words: the plan, in the words of `penchant compare` (see `Plan`): vary, designs, seeds,
            steps, size, held_out, noise, augment, tune, match, baseline, metric, margin, target,
            also, probes, judge, batch, family. What is not given follows from the kind of signal.

    Raises:
        PenchantError: a word, value or signal that does not fit.

    Example:
        >>> study = Study("built-in", vary={"activation": ["relu", "sine"]}, size=24, seeds=2,
        ...               steps=20, tune=0)
        >>> results = study.run()
        >>> [(v.design, v.baseline, v.n) for v in results.verdicts]
        [('sine', 'relu', 2)]
    """

    def __init__(
        self, signals: Signal | Sequence[Signal], *, out: str | Path | None = None, **words: Any
    ) -> None:
        several = listed(signals)
        self.plan = Plan.of({**usual_words(several), **words})
        self.folder = None if out is None else Path(out)
        self.paths, self.tasks = load_signals(several, self.plan)
        self.questions = questions(self.plan, self.tasks)
        self.metric = self.questions[0].metric
        self.target = target_question(self.plan, self.metric)
        self.shown = shown_metric(self.metric, self.tasks[0])
        self.designs = self._with_widths()
        check_paths([one.metric.name for one in self.questions], self.designs[0], self.tasks[0])

    @classmethod
    def read(
        cls, path: str | Path, *, out: str | Path | None = None, profile: str | None = None
    ) -> "Study":
        """Make the study that a TOML file describes.

        Args:
            path: the file; paths in it are relative to it.
            out: the study's folder, by default the file's; for a file with profiles
                ``NAME-PROFILE`` in the current folder.
            profile: which of the file's profiles, by default the first.

        Raises:
            PenchantError: the file is no study, or has no such profile.
        """
        path = Path(path)
        plan, signals = read_toml(path, profile)
        words = plan.model_dump(exclude_unset=True)
        return cls(signals, out=default_folder(path, profile) if out is None else out, **words)

    def _with_widths(self) -> tuple[dict[str, Design], ...]:
        """For each signal its designs by label: resolved and with widths, before pilots.

        What fails in a user's own activation, or does not fit a task, fails here, before any file
        is made.
        """
        for task in self.tasks:
            for one in self.plan.labelled().values():
                one.divergence_of(task)
        return tuple(
            with_widths(
                {label: one.resolved() for label, one in self.plan.labelled().items()},
                task,
                self.plan.match,
                self.plan.baselines(),
            )
            for task in self.tasks
        )

    @cached_property
    def pilot_jobs(self) -> list[Job]:
        """The pilots: for each signal and design, its candidates in order."""
        return [
            self._job(index, label, tried, PILOT_SEED, validation=True)
            for index in range(len(self.tasks))
            for label, tried in self._candidates(index)
        ]

    def run(
        self, *, jobs: int = 1, on_event: Listener | None = None, fresh: bool = False
    ) -> Results:
        """Do what is not done yet, and return what the study found.

        The numbers do not depend on `jobs`, nor on how often the study was interrupted.

        Args:
            jobs: processes; with more than one, a script needs ``if __name__ == "__main__":``.
            on_event: called with each look at a run and each finished one.
            fresh: delete what another study left in the folder.

        Raises:
            PenchantError: the folder holds another study or cannot be written.
        """
        if jobs < 1:
            raise PenchantError(f"jobs={jobs}: at least 1 process is needed")
        with self._opened(fresh) as store, _executor(jobs, self.tasks) as executor:
            self._perform(self.pilot_jobs, store, executor, on_event)
            planned = self.run_jobs(store)
            self._perform(planned, store, executor, on_event)
            store.set_fact("finished", store.fact("finished") or _now())
            results = self._results(store)
            if self.folder is not None:
                _folder.export(self.folder, results, self._network_files(planned, store))
        return results

    def results(self) -> Results:
        """Read a finished study's results from its folder.

        Raises:
            PenchantError: there is no such study, or it is not finished.
        """
        if self.folder is None or not (self.folder / _folder.DATABASE).exists():
            raise PenchantError(f"there is no study in {self.folder}; run it first")
        with self._opened(fresh=False) as store:
            missing = self.missing(store)
            if missing:
                raise PenchantError(f"{self.folder}: {len(missing)} runs are missing; run it again")
            return self._results(store)

    def remaining(self) -> int:
        """Count the runs and pilots that are still to be done."""
        return len(self.remaining_jobs())

    def remaining_jobs(self) -> list[Job]:
        """List the runs and pilots that are still to be done."""
        if self.folder is None or not (self.folder / _folder.DATABASE).exists():
            return self.jobs
        with self._opened(fresh=False) as store:
            return self.missing(store)

    @property
    def jobs(self) -> list[Job]:
        """The whole study: its pilots, then its runs, as yet untuned."""
        return self.pilot_jobs + self._planned(self.designs)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is known before the first run of how the comparison could mislead."""
        return self._warnings(self.designs)

    def _warnings(self, signals: Sequence[Mapping[str, Design]]) -> tuple[str, ...]:
        found = [
            (task.name, warning)
            for task, designs in zip(self.tasks, signals, strict=True)
            for warning in plan_warnings(self.plan, designs, task)
        ]
        return tuple(once(found, [task.name for task in self.tasks]))

    def missing(self, store: Store) -> list[Job]:
        """List what a store lacks: pilots first; runs that wait for pilots are as yet untuned."""
        done = store.done()
        pilots = [job for job in self.pilot_jobs if self._id(job) not in done]
        if pilots:
            return pilots + self._planned(self.designs)
        return [job for job in self.run_jobs(store) if self._id(job) not in done]

    def estimate(self, *, jobs: int = 1) -> float:
        """Estimate the wall seconds of the whole study by timing a few steps of each design."""
        return seconds_of(self.jobs, self.tasks, jobs)

    def run_jobs(self, store: Store) -> list[Job]:
        """Return the study's runs, with the settings that its finished pilots chose."""
        return self._planned(self._chosen(self._pilots(store)))

    def _chosen(self, pilots: Sequence["_Pilot"]) -> list[dict[str, Design]]:
        """For each signal its designs by label, as the finished pilots chose them."""
        picked = {(p.job.task, p.job.design): p.job.settings for p in pilots if p.chosen}
        return [
            {label: picked.get((index, label), design) for label, design in designs.items()}
            for index, designs in enumerate(self.designs)
        ]

    def _planned(self, designs: Sequence[Mapping[str, Design]]) -> list[Job]:
        # Seeds outermost: an early look at an unfinished study sees whole pairs.
        return [
            self._job(index, label, design, seed)
            for index in range(len(self.tasks))
            for seed in range(self.plan.seeds)
            for label, design in designs[index].items()
        ]

    def _candidates(self, index: int) -> Iterator[tuple[str, Design]]:
        for label, design in self.plan.labelled().items():
            width = self.designs[index][label].width
            for tried in candidates(design, self.plan.tune):
                yield label, tried.replaced(width=width)

    def _job(
        self, index: int, label: str, design: Design, seed: int, *, validation: bool = False
    ) -> Job:
        task = self.tasks[index]
        return Job(
            task=index,
            signal=task.name,
            design=label,
            settings=design,
            seed=seed,
            steps=self.plan.steps,
            batch=self.plan.batch,
            metric=_pilot_metric(self.shown.name) if validation else self.shown.name,
            validation=validation,
            probes=() if validation else tuple(self.plan.probes),
        )

    def _id(self, job: Job) -> str:
        return job.id(self.tasks[job.task].fingerprint)

    def _perform(
        self, jobs: Sequence[Job], store: Store, executor: Executor, on_event: Listener | None
    ) -> None:
        done = store.done()
        left = [job for job in jobs if self._id(job) not in done]

        def begun(job: Job) -> bytes | None:
            kept = store.checkpoint(self._id(job))
            return None if kept is None else kept[1]

        for event in executor(left, self.tasks, begun):
            if isinstance(event, Checkpointed):
                store.set_checkpoint(self._id(event.job), event.step, event.state)
                continue
            if isinstance(event, Finished):
                store.add(event.run, event.network)
            if on_event is not None:
                on_event(event)

    def _pilots(self, store: Store) -> list["_Pilot"]:
        found: list[_Pilot] = []
        for _, group in groupby(self.pilot_jobs, key=lambda job: (job.task, job.design)):
            jobs = list(group)
            scores = [store.run(self._id(job)).metrics[job.metric] for job in jobs]
            winner = best(scores, self.shown.higher_is_better)
            found += [
                _Pilot(job, score, place == winner)
                for place, (job, score) in enumerate(zip(jobs, scores, strict=True))
            ]
        return found

    def _results(self, store: Store) -> Results:
        pilots = self._pilots(store)
        chosen = self._chosen(pilots)
        planned = self._planned(chosen)
        runs = tuple(self._with_levels(_named(store.run(self._id(job)), job)) for job in planned)
        baselines, target = self.plan.baselines(), self.target
        each, m = self.plan.judge == "each", self.comparisons
        return Results(
            folder=self.folder,
            plan={
                "signals": [task.name for task in self.tasks],
                "notices": [f"{t.name}: {notice}" for t in self.tasks for notice in t.notices],
                **self.plan.model_dump(),
                "noun": self.tasks[0].noun,
                "baseline": self.plan.baseline_label(),
                "comparisons": m,
                "metric": self.metric.name,
                "margin": self.metric.margin,
                "unit": self.metric.unit,
                "higher_is_better": self.metric.higher_is_better,
                "metrics": [asdict(metric) for metric in self._metrics()],
            },
            designs=tuple(baselines),
            axes=self.plan.axes(),
            metric=self.metric.name,
            runs=runs,
            pilots=tuple(p.named() for p in pilots),
            verdicts=tuple(
                verdict
                for question in self.questions
                for verdict in verdicts(runs, baselines, question, m, each=each)
            ),
            target_verdicts=verdicts(runs, baselines, target, m, each=each) if target else (),
            steps_to_target={run.id: target.answer(run) for run in runs} if target else {},
            reconstructions=tuple(self._reconstructions(planned, store)),
            warnings=(
                *self._warnings(chosen),
                *run_warnings(runs),
                *grid_warnings(runs, self.tasks, self.metric.name),
            ),
            method=self._method(store),
            baselines=baselines,
        )

    @property
    def comparisons(self) -> int:
        """How many verdicts there will be, which share one rate of error."""
        asked = len(self.questions) + (self.target is not None)
        each = self.plan.judge == "each"
        return comparisons(self.plan.baselines(), asked, len(self.tasks), each=each)

    def _with_levels(self, run: Run) -> Run:
        """Add what is read off the run's curve to its metrics."""
        read = {q.metric.name: q.value(run) for q in self.questions if q.goal}
        return replace(run, metrics={**run.metrics, **read})

    def _metrics(self) -> list[Metric]:
        """List every metric that the results hold numbers of, with the plan's margin."""
        scored = [*self.tasks[0].metrics, *probed_metrics(self.plan.probes)]
        judged = [*self.questions, *([self.target] if self.target else [])]
        return list({m.name: m for m in [*scored, *(one.metric for one in judged)]}.values())

    def _reconstructions(self, jobs: Sequence[Job], store: Store) -> Iterator[Reconstruction]:
        for index, task in enumerate(self.tasks):
            if not isinstance(task, PictureTask):
                continue
            yield Reconstruction(task.name, "", 0, task.picture.values)
            split = task.split(0)
            for job in jobs:
                if job.task == index and job.seed == 0:
                    network = network_from(store.network(self._id(job)), job.settings, task, seed=0)
                    divergence = job.settings.divergence_of(task)
                    picture = split.reconstruct(task.answering(network, divergence))
                    yield Reconstruction(task.name, job.design, 0, picture)

    def _network_files(
        self, jobs: Sequence[Job], store: Store
    ) -> Iterator[tuple[str, Design, Task, bytes]]:
        for job in jobs:
            several = f"{_folder.file_name(job.signal)}--" if len(self.tasks) > 1 else ""
            name = f"{several}{_folder.file_name(job.design)}--seed{job.seed}.safetensors"
            yield name, job.settings, self.tasks[job.task], store.network(self._id(job))

    def _method(self, store: Store) -> dict[str, str]:
        import numpy
        import scipy
        import torch

        where = f"{self.folder}/{_folder.PLAN}" if self.folder is not None else _folder.PLAN
        return {
            "command": store.fact("command") or f"penchant run {where}",
            "started": store.fact("started") or "",
            "finished": store.fact("finished") or "",
            "penchant": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        }

    @contextmanager
    def _opened(self, fresh: bool) -> Iterator[Store]:
        content = json.dumps(
            {"plan": self.plan.fingerprint(), "tasks": [t.fingerprint for t in self.tasks]}
        )
        if self.folder is not None:
            _folder.prepare(self.folder, self.plan, self.paths, fresh=fresh)
        with closing(
            Store(MEMORY if self.folder is None else self.folder / _folder.DATABASE)
        ) as store:
            there = store.fact("content")
            if there is None:
                store.set_fact("started", _now())
                store.set_fact("command", _command())
                store.set_fact("content", content)
            elif there != content:
                raise PenchantError(_folder.holds_another(self.folder, there, content))
            if self.folder is not None:
                _folder.write_plan(self.folder, self.plan, self.paths)
            yield store

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(f"<li>{escape(label)}</li>" for label in self.plan.labelled())
        return (
            f"<p>A study of {', '.join(escape(t.name) for t in self.tasks)}: "
            f"{self.plan.seeds} seeds, {self.plan.steps} steps, {self.plan.tune} pilots.</p>"
            f"<ul>{rows}</ul>"
        )


@dataclass(frozen=True)
class _Pilot:
    job: Job
    score: float
    chosen: bool

    def named(self) -> Pilot:
        settings = self.job.settings.model_dump()
        return Pilot(self.job.signal, self.job.design, settings, self.score, self.chosen)


@contextmanager
def _executor(jobs: int, tasks: Sequence[Task]) -> Iterator[Executor]:
    if jobs == 1:
        yield in_process
        return
    with closing(Pool(jobs, tasks)) as pool:
        yield pool


def _pilot_metric(name: str) -> str:
    # Pilots are judged on the validation samples, which take the held-out metrics' place.
    return name.replace("_seen", "_held_out")


def _named(run: Run, job: Job) -> Run:
    # A run's id holds what its numbers depend on; names and paths are this study's and may differ.
    return replace(run, signal=job.signal, design=job.design, settings=job.settings.model_dump())


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _command() -> str:
    import shlex

    name = Path(sys.argv[0]).name
    return shlex.join(["penchant", *sys.argv[1:]]) if name == "penchant" else ""
