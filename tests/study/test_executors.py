"""Workers: they die loudly, err politely, and leave nobody behind."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from penchant.errors import PenchantError
from penchant.processes import starting
from penchant.study import CoordinateDesign, Finished, Job, Progress, Study, WorkerError
from penchant.study._executors import Pool, in_process
from penchant.tasks import Picture, PictureTask

Tasks = tuple[PictureTask, ...]

LONG = 50_000
"""Steps that a test does not wait for; a worker looks up after a 225th of them at first."""


@pytest.fixture(scope="module")
def tasks(waves: Callable[..., Picture]) -> Tasks:
    return (PictureTask(waves(), "random:0.5"),)


@pytest.fixture(scope="module")
def pool(tasks: Tasks) -> Iterator[Pool]:
    """Workers that no test may harm: to start them takes seconds."""
    with closing(Pool(2, tasks)) as pool:
        yield pool


def job(seed: int = 0, steps: int = 10, activation: str = "relu") -> Job:
    settings = CoordinateDesign(activation=activation, width=8, learning_rate=1e-3)
    return Job(0, "waves", "relu", settings, seed, steps, 64, "psnr_seen")


def test_every_job_is_done_once_with_its_events_in_order(pool: Pool, tasks: Tasks) -> None:
    for count in (1, 2, 7, 0):  # one pool serves several batches, also small ones
        jobs = [job(seed) for seed in range(count)]
        events = list(pool(jobs, tasks))
        done = [event.job for event in events if isinstance(event, Finished)]
        assert sorted(done, key=lambda one: one.seed) == jobs
        for one in jobs:
            mine = [event for event in events if event.job == one]
            steps = [event.step for event in mine if isinstance(event, Progress)]
            assert steps == sorted(steps) and isinstance(mine[-1], Finished)


def test_workers_have_one_thread_and_the_parent_keeps_its_own(pool: Pool, tasks: Tasks) -> None:
    environ = Path(f"/proc/{pool.processes[0].pid}/environ")
    if not environ.exists():
        pytest.skip("a process's environment is listed in /proc")
    list(pool([job()], tasks))
    assert b"OMP_NUM_THREADS=1" in environ.read_bytes().split(b"\0")


def test_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    with starting():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    assert dict(os.environ) == before


def test_worker_that_dies_at_work_is_noticed(tasks: Tasks) -> None:
    with closing(Pool(1, tasks)) as pool:
        events = pool([job(steps=LONG)], tasks)
        next(events)
        os.kill(pool.processes[0].pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match="a worker process died"):
            for _ in events:
                pass


def test_worker_that_died_waiting_is_noticed(tasks: Tasks) -> None:
    with closing(Pool(1, tasks)) as pool:
        os.kill(pool.processes[0].pid, signal.SIGKILL)
        pool.processes[0].join()
        with pytest.raises(WorkerError, match="a worker process died"):
            list(pool([job()], tasks))


def test_users_mistake_in_a_worker_stays_the_users(pool: Pool, tasks: Tasks) -> None:
    with pytest.raises(PenchantError, match="there is no file"):
        list(pool([job(activation="nowhere.py:Snake")], tasks))


def test_fault_in_a_worker_is_ours_and_tells_where(pool: Pool, tasks: Tasks) -> None:
    settings = CoordinateDesign(width=8)  # not resolved: no learning rate
    broken = Job(0, "waves", "relu", settings, 0, 5, 64, "psnr_seen")
    with pytest.raises(WorkerError, match="a job's design is resolved") as caught:
        list(pool([broken], tasks))
    assert "Traceback" in str(caught.value) and "_jobs.py" in str(caught.value)


def test_closing_ends_the_processes_even_at_work(tasks: Tasks) -> None:
    pool = Pool(1, tasks)
    events = pool([job(seed, steps=LONG) for seed in range(3)], tasks)
    next(events)
    pool.close()
    assert all(process.exitcode is not None for process in pool.processes)
    assert not {p.pid for p in pool.processes} & {
        child.pid for child in multiprocessing.active_children()
    }


def test_worker_leaves_when_its_pipe_breaks(tasks: Tasks) -> None:
    """As when the parent is killed: nobody tells the worker, its pipe is just gone."""
    pool = Pool(2, tasks)
    events = pool([job(steps=LONG)], tasks)  # one works, one waits
    next(events)
    for connection in pool.connections:
        connection.close()
    for process in pool.processes:
        process.join(60)
        assert process.exitcode == 0
    pool.close()


def test_failed_study_leaves_no_worker(waves: Callable[..., Picture]) -> None:
    before = {child.pid for child in multiprocessing.active_children()}

    class Stop(Exception):
        pass

    def stop(event: object) -> None:
        raise Stop

    with pytest.raises(Stop):
        Study(waves(), designs=[{}], seeds=2, steps=5, tune=0).run(jobs=2, on_event=stop)
    assert {child.pid for child in multiprocessing.active_children()} == before


def test_in_process_needs_nothing_to_close(tasks: Tasks) -> None:
    events = in_process([job(0), job(1)], tasks)
    next(events)
    events.close()
    assert [e.job.seed for e in in_process([job(0), job(1)], tasks) if isinstance(e, Finished)] == [
        0,
        1,
    ]
