"""A study: signals, designs and seeds, planned, run, stored and read back.

The file `study.db` is the only truth; everything else in the folder is written from it at the end
and can be written again.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from penchant.errors import PenchantError
from penchant.study import _folder
from penchant.study._design import Design
from penchant.study._estimate import seconds_of
from penchant.study._executors import Executor, Pool, in_process
from penchant.study._jobs import Checkpointed, Event, Finished, Job
from penchant.study._outcome import Outcome
from penchant.study._plan import PILOT_SEED, Plan, plan_words
from penchant.study._plan_file import read_toml
from penchant.study._probing import check_paths
from penchant.study._profiles import default_folder
from penchant.study._question import questions, shown_metric, target_question
from penchant.study._results import Results
from penchant.study._signals import Signal, listed, load_signals
from penchant.study._stacks import Stacks, at_once
from penchant.study._store import MEMORY, Store
from penchant.study._suited import suited
from penchant.study._tuning import Tried, candidates, compared
from penchant.study._verdicts import comparisons
from penchant.study._warnings import early_warnings
from penchant.study._width import with_widths
from penchant.training import usable_device

Listener = Callable[[Event], None]


class Study:
    """A controlled comparison of designs on one or several signals.

    Args:
        signals: a picture's path, a folder of them, a `Picture`, an array of values in [0, 1]
            (height × width, or with 1 or 3 channels), labelled data by name or path (see
            `load_labelled`) or as `Labelled`, any `Task`, or a list of these; ``"built-in"`` is a
            photograph that comes with scikit-image, ``"digits"`` scikit-learn's digits.
        out: the study's folder; without one, nothing is kept after the process ends.
        device: where networks are trained: ``cpu``, one run a process, or ``cuda``, where runs of
            one shape are trained as one program. A study's runs are all of one device: what was
            done on another is kept in the folder, and not mixed in.
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
        self,
        signals: Signal | Sequence[Signal],
        *,
        out: str | Path | None = None,
        device: str = "cpu",
        **words: Any,
    ) -> None:
        self.device = usable_device(device)
        self._stacked = self.device.type != "cpu"
        several = listed(signals)
        self.plan = Plan.of(plan_words(several, words))
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
        cls,
        path: str | Path,
        *,
        out: str | Path | None = None,
        profile: str | None = None,
        device: str = "cpu",
    ) -> "Study":
        """Make the study that a TOML file describes.

        Args:
            path: the file; paths in it are relative to it.
            out: the study's folder, by default the file's; for a file with profiles
                ``NAME-PROFILE`` in the current folder.
            profile: which of the file's profiles, by default the first.
            device: where networks are trained.

        Raises:
            PenchantError: the file is no study, or has no such profile.
        """
        path = Path(path)
        plan, signals = read_toml(path, profile)
        words = plan.model_dump(exclude_unset=True)
        folder = default_folder(path, profile) if out is None else out
        return cls(signals, out=folder, device=device, **words)

    def run(
        self, *, jobs: int = 1, on_event: Listener | None = None, fresh: bool = False
    ) -> Results:
        """Do what is not done yet, and return what the study found.

        The numbers do not depend on `jobs`, nor on how often the study was interrupted.

        Args:
            jobs: processes; with more than one, a script needs ``if __name__ == "__main__":``.
                An accelerator takes one.
            on_event: called with each look at a run and each finished one.
            fresh: delete what another study left in the folder.

        Raises:
            PenchantError: the folder holds another study or cannot be written.
        """
        if jobs < 1:
            raise PenchantError(f"jobs={jobs}: at least 1 process is needed")
        if jobs > 1 and self._stacked:
            raise PenchantError(f"jobs={jobs}: on {self.device} one process does all runs")
        with self._opened(fresh) as store, self._executor(jobs) as executor:
            self._perform(self.pilot_jobs, store, executor, on_event)
            self._perform(self.run_jobs(store), store, executor, on_event)
            store.set_fact("finished", store.fact("finished") or _now())
            outcome = self._outcome(store)
            results = outcome.results(self.folder)
            if self.folder is not None:
                _folder.export(self.folder, results, outcome.network_files())
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
            return self._outcome(store).results(self.folder)

    def remaining(self) -> int:
        """Count the runs and pilots that are still to be done."""
        return len(self.remaining_jobs())

    def remaining_jobs(self) -> list[Job]:
        """List the runs and pilots that are still to be done."""
        if self.folder is None or not (self.folder / _folder.DATABASE).exists():
            return self.jobs
        with self._opened(fresh=False) as store:
            return self.missing(store)

    def missing(self, store: Store) -> list[Job]:
        """List what a store lacks: pilots first; runs that wait for pilots are as yet untuned."""
        done = store.done()
        pilots = [job for job in self.pilot_jobs if self._id(job) not in done]
        if pilots:
            return pilots + self._planned(self.designs)
        return [job for job in self.run_jobs(store) if self._id(job) not in done]

    @property
    def jobs(self) -> list[Job]:
        """The whole study: its pilots, then its runs, as yet untuned."""
        return self.pilot_jobs + self._planned(self.designs)

    @cached_property
    def pilot_jobs(self) -> list[Job]:
        """The pilots: for each signal and design, its candidates in order."""
        return [
            self._job(index, label, tried, PILOT_SEED, validation=True)
            for index in range(len(self.tasks))
            for label, tried in self._candidates(index)
        ]

    def run_jobs(self, store: Store) -> list[Job]:
        """Return the study's runs, with the settings that its finished pilots chose."""
        return self._planned(self._chosen(self._tried(store)))

    def estimate(self, *, jobs: int = 1) -> float:
        """Estimate the wall seconds of the whole study by timing a few steps of each design."""
        return seconds_of(self.jobs, self.tasks, self.at_once(jobs), self.device)

    def at_once(self, jobs: int = 1) -> int:
        """Say how many runs are at work together: a process each, or those of a stack."""
        return at_once(self.jobs, self.tasks) if self._stacked else jobs

    @property
    def comparisons(self) -> int:
        """How many verdicts there will be, which share one rate of error."""
        asked = len(self.questions) + (self.target is not None)
        each = self.plan.judge == "each"
        return comparisons(self.plan.baselines(), asked, len(self.tasks), each=each)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is known before the first run of how the comparison could mislead."""
        return early_warnings(self.plan, self.designs, self.tasks)

    def _with_widths(self) -> tuple[dict[str, Design], ...]:
        """For each signal its designs by label: suited to it, resolved, with widths; before pilots.

        What fails in a user's own activation, or does not fit a task, fails here, before any file
        is made.
        """
        designs = self.plan.labelled()
        for task in self.tasks:
            for one in designs.values():
                one.divergence_of(task)
        return tuple(
            with_widths(
                {label: one.resolved() for label, one in suited(designs, task).items()},
                task,
                self.plan.match,
                self.plan.baselines(),
            )
            for task in self.tasks
        )

    def _candidates(self, index: int) -> Iterator[tuple[str, Design]]:
        for label, design in self.plan.labelled().items():
            default = self.designs[index][label]
            for tried in candidates(default, design.open_numbers(), self.plan.tune):
                yield label, tried

    def _planned(self, designs: Sequence[Mapping[str, Design]]) -> list[Job]:
        # Seeds outermost: an early look at an unfinished study sees whole pairs.
        return [
            self._job(index, label, design, seed)
            for index in range(len(self.tasks))
            for seed in range(self.plan.seeds)
            for label, design in designs[index].items()
        ]

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
            path=f"stacks on {self.device.type}" if self._stacked else "",
        )

    def _id(self, job: Job) -> str:
        return job.id(self.tasks[job.task].fingerprint)

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

    @contextmanager
    def _executor(self, jobs: int) -> Iterator[Executor]:
        if self._stacked:
            yield Stacks(self.device)
        elif jobs == 1:
            yield in_process
        else:
            with closing(Pool(jobs, self.tasks)) as pool:
                yield pool

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

    def _tried(self, store: Store) -> list[Tried]:
        scores = [store.run(self._id(job)).metrics[job.metric] for job in self.pilot_jobs]
        return compared(self.pilot_jobs, scores, self.shown.higher_is_better)

    def _chosen(self, pilots: Sequence[Tried]) -> list[dict[str, Design]]:
        """For each signal its designs by label, as the finished pilots chose them."""
        picked = {(p.job.task, p.job.design): p.job.settings for p in pilots if p.chosen}
        return [
            {label: picked.get((index, label), design) for label, design in designs.items()}
            for index, designs in enumerate(self.designs)
        ]

    def _outcome(self, store: Store) -> Outcome:
        tried = self._tried(store)
        chosen = self._chosen(tried)
        return Outcome(
            plan=self.plan,
            tasks=self.tasks,
            questions=self.questions,
            target=self.target,
            comparisons=self.comparisons,
            tried=tried,
            jobs=self._planned(chosen),
            warnings=early_warnings(self.plan, chosen, self.tasks),
            store=store,
        )

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(f"<li>{escape(label)}</li>" for label in self.plan.labelled())
        return (
            f"<p>A study of {', '.join(escape(t.name) for t in self.tasks)}: "
            f"{self.plan.seeds} seeds, {self.plan.steps} steps, {self.plan.tune} pilots.</p>"
            f"<ul>{rows}</ul>"
        )


def _pilot_metric(name: str) -> str:
    # Pilots are judged on the validation samples, which take the held-out metrics' place.
    return name.replace("_seen", "_held_out")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _command() -> str:
    import shlex

    name = Path(sys.argv[0]).name
    return shlex.join(["penchant", *sys.argv[1:]]) if name == "penchant" else ""
