"""A run's numbers depend on its job alone, and a run that fails is counted."""

import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

import pytest
import torch
from study import remembering
from torch import Tensor, nn

from penchant.divergences import L2
from penchant.study import CoordinateDesign, Finished, Job, Progress
from penchant.study._executors import Pool, in_process
from penchant.study._jobs import LOOKS, Checkpointed, Event, final_score, look_steps, perform
from penchant.tasks import Picture, PictureTask
from penchant.training import Recipe, Training

STEPS = 12


@pytest.fixture(scope="module")
def task(waves: Callable[..., Picture]) -> PictureTask:
    return PictureTask(waves(), "random:0.5")


def job(activation: str = "sine", seed: int = 0, **fields: object) -> Job:
    settings = CoordinateDesign(activation=activation, width=16, **fields).resolved()
    return Job(0, "waves", settings.label, settings, seed, STEPS, 50, "psnr_held_out")


def finished(one: Job, task: PictureTask) -> Finished:
    *looks, last = perform(one, task)
    assert all(isinstance(look, Progress) for look in looks) and isinstance(last, Finished)
    return last


def numbers(result: Finished) -> tuple[str, bytes]:
    """Everything of a result but its seconds, as text: an empty band is nan, unequal to itself."""
    curve = tuple(replace(moment, seconds=0.0) for moment in result.run.curve)
    return repr(replace(result.run, seconds=0.0, curve=curve)), result.network


# What an id depends on


@pytest.mark.parametrize(
    "change",
    [
        {"settings": CoordinateDesign(activation="sine", width=17).resolved()},
        {"settings": CoordinateDesign(activation="sine", width=16, learning_rate=0.5).resolved()},
        {"seed": 1},
        {"steps": STEPS + 1},
        {"batch": 51},
        {"validation": True},
        {"probes": ("gradients",)},
        {"path": "stacks on cuda"},
    ],
    ids=lambda change: "-".join(change),
)
def test_id_depends_on(change: dict, task: PictureTask) -> None:
    assert replace(job(), **change).id(task.fingerprint) != job().id(task.fingerprint)


def test_id_depends_on_the_data(waves: Callable[..., Picture], task: PictureTask) -> None:
    others = [PictureTask(waves(phase=1.0), "random:0.5"), PictureTask(waves(), "random:0.25")]
    ids = {job().id(one.fingerprint) for one in (task, *others)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    "change",
    [{"task": 3}, {"signal": "other"}, {"design": "another name"}, {"metric": "psnr_seen"}],
    ids=lambda change: "-".join(change),
)
def test_id_does_not_depend_on_names(change: dict, task: PictureTask) -> None:
    assert replace(job(), **change).id(task.fingerprint) == job().id(task.fingerprint)


def test_every_field_of_a_job_is_judged_above() -> None:
    judged = {"settings", "seed", "steps", "batch", "validation", "probes", "path"}
    assert set(vars(job())) == judged | {"task", "signal", "design", "metric"}


# What numbers depend on


@pytest.fixture(scope="module")
def alone(task: PictureTask) -> tuple[str, bytes]:
    torch.manual_seed(0)
    return numbers(finished(job(), task))


def test_same_after_other_runs(task: PictureTask, alone: tuple[str, bytes]) -> None:
    events = in_process([job("relu"), job("wire"), job(seed=3), job()], [task])
    *_, last = (event for event in events if isinstance(event, Finished))
    assert numbers(last) == alone


def test_same_whatever_the_global_stream(task: PictureTask, alone: tuple[str, bytes]) -> None:
    before = torch.manual_seed(123).get_state()
    assert numbers(finished(job(), task)) == alone
    assert torch.equal(torch.get_rng_state(), before), "and the stream is left alone"


def test_same_whatever_the_threads_which_are_restored(
    task: PictureTask, alone: tuple[str, bytes]
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert numbers(finished(job(), task)) == alone
        assert torch.get_num_threads() == 2
        stopped = perform(job(), task)
        next(stopped)
        stopped.close()
        assert torch.get_num_threads() == 2, "also when nobody listens to the end"
    finally:
        torch.set_num_threads(threads)


def test_same_in_a_worker(task: PictureTask, alone: tuple[str, bytes]) -> None:
    tasks: Sequence[PictureTask] = (task,)
    jobs = [job("relu"), job(), job("wire"), job(encoding="fourier", optimizer="adam")]
    here = [numbers(finished(one, task)) for one in jobs]
    assert here[1] == alone
    with closing(Pool(2, tasks)) as pool:
        there = {e.job: numbers(e) for e in pool(jobs, tasks) if isinstance(e, Finished)}
    assert [there[one] for one in jobs] == here


def test_seeds_differ(task: PictureTask, alone: tuple[str, bytes]) -> None:
    assert numbers(finished(job(seed=1), task))[1] != alone[1]


def test_batches_are_paired(task: PictureTask) -> None:
    """Two designs of one seed see the same samples in the same order."""
    split = task.split(0)
    seen = []
    for design in (CoordinateDesign(width=4), CoordinateDesign(activation="sine", width=8)):
        network = design.build((2,), 3, seed=0)
        recipe = Recipe(STEPS, "adam", 1e-3, batch=50)
        training = Training(network, L2(), split.inputs, split.targets, recipe, seed=0)
        batches = []
        for _ in range(4):
            batches.append(training._batch()[0])
            training.advance(1)
        seen.append(torch.stack(batches))
    assert torch.equal(seen[0], seen[1])


# Budget


def test_budget_is_the_same_for_every_design(task: PictureTask) -> None:
    for activation in ("relu", "sine", "wire"):
        result = finished(job(activation), task)
        assert (result.run.steps, result.run.status) == (STEPS, "done")
        assert [moment.step for moment in result.run.curve] == look_steps(STEPS)


def test_record_is_the_networks(task: PictureTask) -> None:
    from safetensors.torch import load

    result = finished(job(), task)
    network = job().settings.build((2,), 3, seed=9)
    network.load_state_dict(load(result.network))
    assert dict(task.split(0).score(network).metrics) == result.run.metrics
    assert result.run.curve[-1].metrics == result.run.metrics
    assert result.run.parameters == sum(p.numel() for p in network.parameters())
    assert result.run.settings == job().settings.model_dump()
    assert result.run.seconds > 0


@pytest.mark.parametrize("steps", [1, 2, 3, 15, 16, 300, 10_007])
def test_looks_start_and_end_with_the_run(steps: int) -> None:
    looks = look_steps(steps)
    assert looks[0] == 0 and looks[-1] == steps
    assert looks == sorted(set(looks)) and len(looks) <= LOOKS


# Divergence


def test_diverged_run_is_scored_as_the_constant(task: PictureTask) -> None:
    result = finished(job("elu", learning_rate=1e30), task)
    assert result.run.status == "diverged" and result.run.steps < STEPS
    assert result.run.metrics == dict(task.split(0).constant_score().metrics)
    assert all(math.isfinite(value) for value in result.run.metrics.values())


class Huge(nn.Module):
    """Finite parameters, infinite answers."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((outputs,), 1e38))

    def forward(self, x: Tensor) -> Tensor:
        return 10 * self.weight.expand(len(x), -1)


def test_answers_that_overflow_count_as_diverged(task: PictureTask) -> None:
    split = task.split(0)
    training = Training(Huge(3), L2(), split.inputs, split.targets, Recipe(STEPS), seed=0)
    status, score = final_score(training.network, split, training.network, diverged=False)
    assert not training.diverged, "no step was taken, so nothing was noticed"
    assert status == "diverged" and score.metrics == split.constant_score().metrics


class Counting(nn.Module):
    """Counts the points that it is asked about."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs, self.asked = outputs, 0

    def forward(self, x: Tensor) -> Tensor:
        self.asked += len(x)
        return x.new_zeros(len(x), self.outputs)


def test_the_final_score_asks_once(task: PictureTask) -> None:
    network = Counting(3)
    status, score = final_score(network, task.split(0), network, diverged=False)
    assert status == "done" and score.finite and network.asked == len(task.points)


def test_explosion_ends_a_run_early(task: PictureTask) -> None:
    one = replace(job("elu", optimizer="adam", learning_rate=1e4), steps=1000)
    result = finished(one, task)
    assert result.run.status == "diverged" and result.run.steps < 100
    assert result.run.metrics == dict(task.split(0).constant_score().metrics)


# A network that draws and remembers, and going on from a checkpoint


@pytest.fixture(scope="module")
def moved(waves: Callable[..., Picture]) -> remembering.AugmentedTask:
    return remembering.AugmentedTask(waves(), "random:0.5")


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state after every step."""
    monkeypatch.setattr("penchant.study._jobs.BETWEEN_CHECKPOINTS", 0.0)


def whole(
    one: Job, task: PictureTask, state: bytes | None = None
) -> tuple[list[Event], list[Checkpointed]]:
    events = list(perform(one, task, state))
    told = [event for event in events if not isinstance(event, Checkpointed)]
    return told, [event for event in events if isinstance(event, Checkpointed)]


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("optimizer", ["adam", "muon", "sgd", "momentum"])
def test_goes_on_from_a_checkpoint_with_the_same_numbers(
    optimizer: str, moved: remembering.AugmentedTask
) -> None:
    one, steps = remembering.job(optimizer), remembering.STEPS
    (*_, wanted), states = whole(one, moved)
    assert [state.step for state in states] == list(range(1, steps + 1))
    for state in (states[0], states[1], states[16], states[-2], states[-1]):
        torch.manual_seed(state.step)
        (first, *_, last), later = whole(one, moved, state.state)
        assert numbers(last) == numbers(wanted)
        assert first.step == state.step and [s.step for s in later] == list(
            range(state.step + 1, steps + 1)
        ), "no step is taken twice"
        before = [m for m in wanted.run.curve if m.step < state.step]
        assert [m.seconds for m in last.run.curve[: len(before)]] == [m.seconds for m in before]
        assert last.run.seconds > before[-1].seconds


@pytest.mark.usefixtures("always")
def test_what_is_no_state_of_this_job_is_passed_over(moved: remembering.AugmentedTask) -> None:
    one = remembering.job()
    (*_, wanted), states = whole(one, moved)
    _, others = whole(remembering.job(seed=1), moved)
    good = states[9].state
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    for state in (others[9].state, good[:-1], flipped, b"", b"early"):
        (first, *_, last), _ = whole(one, moved, state)
        assert first.step == 0 and numbers(last) == numbers(wanted)


def test_network_that_draws_is_the_same_in_a_worker_and_goes_on_there(
    moved: remembering.AugmentedTask,
) -> None:
    tasks = (moved,)
    jobs = [remembering.job(optimizer, seed) for optimizer in ("adam", "muon") for seed in (0, 1)]
    here = {one: numbers(finished(one, moved)) for one in jobs}
    with closing(Pool(2, tasks)) as pool:
        events = list(pool(jobs, tasks))
        assert {e.job: numbers(e) for e in events if isinstance(e, Finished)} == here
        kept = {e.job: e.state for e in events if isinstance(e, Checkpointed) and e.step == 20}
        assert set(kept) == set(jobs), "states come out of workers"
        again = list(pool(jobs, tasks, kept.get))
    assert {e.job: numbers(e) for e in again if isinstance(e, Finished)} == here
    assert min(event.step for event in again if isinstance(event, Progress)) == 20
    alone = list(in_process(jobs, tasks, kept.get))
    assert {e.job: numbers(e) for e in alone if isinstance(e, Finished)} == here
    assert min(event.step for event in alone if isinstance(event, Progress)) == 20


def test_states_are_handed_out_now_and_then(
    moved: remembering.AugmentedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr("penchant.study._jobs.time.thread_time", lambda: float(next(clock)))
    monkeypatch.setattr("penchant.study._jobs.CHEAP", math.inf)
    _, states = whole(replace(remembering.job(), steps=200), moved)
    gaps = [b.step - a.step for a, b in itertools.pairwise(states)]
    assert gaps and min(gaps) >= 5 and max(gaps) <= 20, "a second here is a look at the clock"


@pytest.mark.parametrize(("cost", "steps"), [(0.0, 20), (0.375, 20), (2.0, 100)])
def test_a_state_that_costs_much_is_handed_out_less_often(
    cost: float, steps: int, moved: remembering.AugmentedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    class Ticking(Training):
        def advance(self, steps: int) -> None:
            nonlocal now
            now += steps
            super().advance(steps)

    monkeypatch.setattr("penchant.study._jobs.Training", Ticking)
    monkeypatch.setattr("penchant.study._jobs.time.thread_time", lambda: now)
    found = []
    for event in perform(replace(remembering.job(), steps=230), moved):
        if isinstance(event, Checkpointed):
            found.append(event.step)
            now += cost  # until the listener asks for more
    assert found == [20, *range(20 + steps, 231, steps)]


def test_a_run_says_where_it_is_between_looks(
    moved: remembering.AugmentedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    (*_, wanted), _ = whole(remembering.job(), moved)
    monkeypatch.setattr("penchant.study._jobs.BETWEEN_SIGNS", 0.0)
    (*signs, last), _ = whole(remembering.job(), moved)
    assert {sign.step for sign in signs} == set(range(remembering.STEPS + 1))
    assert numbers(last) == numbers(wanted), "they are not scored"
    scores = {moment.step: moment.metrics["psnr_held_out"] for moment in wanted.run.curve[:-1]}
    seen = math.nan
    for sign in signs:
        if sign.score != seen:
            seen = scores[sign.step]
            assert sign.score == seen
    assert seen == list(scores.values())[-1]
