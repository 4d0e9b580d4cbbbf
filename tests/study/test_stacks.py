"""Runs of one shape as one program: their events and numbers are those of runs one by one.

Here on the processor, where every machine can hold it; an accelerator's own test is skipped without
one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from penchant.errors import PenchantError
from penchant.study import (
    AutoencoderDesign,
    CoordinateDesign,
    Finished,
    Job,
    Progress,
    Study,
    fit,
)
from penchant.study._executors import in_process
from penchant.study._jobs import ON_CPU, Checkpointed, Event, look_steps
from penchant.study._stacks import MOST, Stacks, _groups, at_once
from penchant.tasks import Picture, PictureTask

STEPS, PATH = 30, "stacks on cpu"
Tasks = tuple[PictureTask, ...]
stacks = Stacks(ON_CPU)


@pytest.fixture(scope="module")
def tasks(waves: Callable[..., Picture]) -> Tasks:
    return tuple(PictureTask(waves(phase=phase), "random:0.5") for phase in (0.0, 1.0))


def job(seed: int = 0, task: int = 0, family: type = CoordinateDesign, **fields: object) -> Job:
    words = {"activation": "gelu", "width": 8, "optimizer": "adam", **fields}
    settings = family(**words).resolved()
    return Job(task, "waves", settings.label, settings, seed, STEPS, 50, "psnr_seen", path=PATH)


def finished(events: Sequence[Event | Checkpointed]) -> dict[Job, Finished]:
    return {event.job: event for event in events if isinstance(event, Finished)}


def timeless(one: Finished) -> Finished:
    curve = tuple(replace(moment, seconds=0.0) for moment in one.run.curve)
    return replace(one, run=replace(one.run, seconds=0.0, curve=curve))


def same(one: Finished, other: Finished) -> bool:
    return repr(timeless(one)) == repr(timeless(other))


# Which go together


def test_seeds_signals_rates_and_scales_go_together_and_shapes_do_not(tasks: Tasks) -> None:
    alike = [
        *(job(seed, task, activation="sine") for seed in range(2) for task in range(2)),
        job(activation="sine", learning_rate=1e-4),
        job(activation="sine", scale=3.0),
    ]
    others = [
        job(activation="sine", width=9),
        job(activation="sine", depth=2),
        job(activation="gaussian"),
        job(activation="sine", encoding="nerf"),
        job(activation="sine", optimizer="muon"),
        replace(job(activation="sine"), steps=STEPS + 1),
        replace(job(activation="sine"), validation=True),
        job(activation="sine", divergence="l1"),
    ]
    groups = list(_groups([*alike, *others], tasks))
    assert groups == [alike, *([one] for one in others)]
    assert at_once([*alike, *others], tasks) == round(14 / 9)
    assert [len(g) for g in _groups([job(s) for s in range(MOST + 3)], tasks)] == [MOST, 3]
    encoders = [job(s, family=AutoencoderDesign, activation="relu") for s in range(3)]
    assert [len(g) for g in _groups(encoders, tasks)] == [1, 1, 1]


# Events and numbers


def test_each_job_gets_the_events_of_a_run_by_itself(tasks: Tasks) -> None:
    jobs = [job(0), job(1), job(2, task=1), job(0, learning_rate=1e-4), job(0, width=9)]
    events, alone = list(stacks(jobs, tasks)), list(in_process(jobs, tasks))
    for one in jobs:
        mine = [event for event in events if event.job == one]
        theirs = [event for event in alone if event.job == one]
        assert [type(event) for event in mine] == [type(event) for event in theirs]
        steps = [event.step for event in mine if isinstance(event, Progress)]
        assert steps == look_steps(STEPS)[:-1]
        found, wanted = mine[-1].run, theirs[-1].run
        assert (found.id, found.status, found.steps) == (wanted.id, "done", STEPS)
        assert found.seconds > 0 and found.parameters == wanted.parameters
        for moment, other in zip(found.curve, wanted.curve, strict=True):
            assert moment.metrics == pytest.approx(other.metrics, abs=1e-3)
        assert found.metrics == pytest.approx(wanted.metrics, abs=1e-3)


def test_what_cannot_be_stacked_is_done_by_itself(tasks: Tasks) -> None:
    jobs = [job(seed, **fields) for seed in range(2) for fields in ALONE]
    found, wanted = finished(list(stacks(jobs, tasks))), finished(list(in_process(jobs, tasks)))
    assert found.keys() == wanted.keys() == set(jobs)
    assert all(same(found[one], wanted[one]) for one in jobs)


ALONE: tuple[dict, ...] = (
    {"activation": "wire"},
    {"encoding": "grid", "table": 16},
    {"family": AutoencoderDesign, "activation": "relu"},
)


def test_one_that_diverges_is_counted_and_changes_no_digit_of_another(tasks: Tasks) -> None:
    good = [job(0, activation="elu"), job(1, activation="elu")]
    bad = job(2, activation="elu", learning_rate=1e30)
    beside = list(stacks([*good, bad], tasks))
    apart = finished(list(stacks([*good, job(2, activation="elu")], tasks)))
    found = finished(beside)
    assert found[bad].run.status == "diverged" and found[bad].run.steps < STEPS
    assert all(same(found[one], apart[one]) for one in good)
    alone = finished(list(in_process([bad], tasks)))[bad]
    assert found[bad].run.metrics == alone.run.metrics


def test_a_stack_goes_on_from_its_runs_states(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [job(seed, optimizer="muon") for seed in range(3)]
    whole = finished(list(stacks(jobs, tasks)))
    monkeypatch.setattr("penchant.study._jobs.BETWEEN_CHECKPOINTS", 0.0)
    events = list(stacks(jobs, tasks))
    states = [event for event in events if isinstance(event, Checkpointed)]
    assert len(states) >= 3 * 10
    middle = {event.job: event for event in states if event.step == 13}
    assert middle.keys() == set(jobs)
    again = finished(list(stacks(jobs, tasks, lambda one: middle[one].state)))
    assert all(same(again[one], whole[one]) for one in jobs)
    # Killed while states were written: one is behind, and another has none.
    early = next(event for event in states if event.job == jobs[1] and event.step == 5)
    left = {jobs[0]: middle[jobs[0]].state, jobs[1]: early.state}
    mixed = finished(list(stacks(jobs, tasks, left.get)))
    for one in jobs:
        wanted = whole[one].run.metrics
        assert mixed[one].run.metrics == pytest.approx(wanted, abs=0.1)


def test_a_caller_may_stop_listening(tasks: Tasks) -> None:
    events = stacks([job(0), job(1)], tasks)
    next(events)
    events.close()
    assert len(finished(list(stacks([job(0), job(1)], tasks)))) == 2


# In a study


def stacked(study: Study) -> Study:
    """Have a study's runs done in stacks, on the processor."""
    study._stacked = True
    return study


def test_a_study_in_stacks_finds_what_it_finds_without(tiny: Callable[..., Study]) -> None:
    words = {"vary": {"activation": ["sine", "wire"]}, "tune": 2, "probes": ["gradients"]}
    wanted = tiny(**words).run()
    found = stacked(tiny(**words)).run()
    assert [run.status for run in found.runs] == [run.status for run in wanted.runs]
    for one, other in zip(found.runs, wanted.runs, strict=True):
        assert (one.design, one.seed, one.steps) == (other.design, other.seed, other.steps)
        assert one.id != other.id
        # 12 steps leave rounding small; Muon's is bfloat16's.
        assert one.metrics == pytest.approx(other.metrics, rel=0.02, abs=0.1)


def test_an_id_says_the_path_and_the_processors_is_as_it_was(tiny: Callable[..., Study]) -> None:
    plain, other = tiny(), stacked(tiny())
    for one, stack in zip(plain.jobs, other.jobs, strict=True):
        assert one.path == "" and stack == replace(one, path=PATH)
        assert one.id("task") != stack.id("task")
    with pytest.raises(PenchantError, match="jobs=2: on cpu one process does all runs"):
        other.run(jobs=2)


def test_what_another_path_did_is_not_mixed_in(tiny: Callable[..., Study], tmp_path) -> None:
    tiny(out=tmp_path).run()
    again = stacked(tiny(out=tmp_path))
    assert again.remaining() == 4
    again.run()
    assert again.remaining() == tiny(out=tmp_path).remaining() == 0


def test_a_study_says_how_many_are_at_work_together(tiny: Callable[..., Study]) -> None:
    assert tiny().at_once(3) == 3
    assert stacked(tiny()).at_once() == 2
    assert stacked(tiny()).estimate() > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="an accelerator is here")
def test_an_accelerator_that_is_not_there_is_named_before_anything_is_done(
    tiny: Callable[..., Study], waves: Callable[..., Picture], tmp_path
) -> None:
    with pytest.raises(PenchantError, match=r"device='cuda': PyTorch .* finds no accelerator"):
        tiny(out=tmp_path / "study", device="cuda")
    assert not (tmp_path / "study").exists()
    with pytest.raises(PenchantError, match="device='gpu': cpu, or cuda"):
        fit(waves(), steps=2, device="gpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator: none is here")
def test_on_an_accelerator(tiny: Callable[..., Study], waves: Callable[..., Picture]) -> None:
    words = {"vary": {"activation": ["relu", "sine", "wire"]}, "tune": 2, "probes": ["gradients"]}
    wanted, found = tiny(**words).run(), tiny(device="cuda", **words).run()
    for one, other in zip(found.runs, wanted.runs, strict=True):
        assert one.metrics == pytest.approx(other.metrics, rel=0.05, abs=0.2)
    fitted = fit(waves(), steps=20, device="cuda")
    assert {p.device.type for p in fitted.network.parameters()} == {"cpu"}
    assert fitted.render().shape == (16, 16, 3)
