"""Who performs the jobs: this process, or a pool of processes with one thread each.

An executor turns jobs and tasks into events. A pool's workers talk to the parent over a pipe
each, and wait for work there; when the parent dies, however suddenly, they leave at once. There
are no locks and no shared state.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Protocol

from penchant import processes
from penchant.errors import PenchantError
from penchant.study._jobs import Checkpointed, Event, Finished, Job, perform
from penchant.tasks import Task

if TYPE_CHECKING:
    _Connection = Connection[Any, Any]
else:
    _Connection = Connection


Begun = Callable[[Job], bytes | None]
"""Gives the state that a job is to go on from, where it has been begun."""


def _never(job: Job) -> None:
    return None


class Executor(Protocol):
    """Performs jobs; each job's events come in order, and end with its `Finished`."""

    def __call__(
        self, jobs: Sequence[Job], tasks: Sequence[Task], begun: Begun = _never
    ) -> Iterator[Event | Checkpointed]:
        """Perform jobs in any order; the caller may stop listening at any time.

        `begun` is asked for each job just before it is performed.
        """


def in_process(
    jobs: Sequence[Job], tasks: Sequence[Task], begun: Begun = _never
) -> Iterator[Event | Checkpointed]:
    """Perform jobs one after another, here."""
    for job in jobs:
        yield from perform(job, tasks[job.task], begun(job))


class Pool:
    """A pool of processes, started once and used for every batch of jobs until it is closed.

    Args:
        workers: how many.
        tasks: sent to each worker once.
    """

    def __init__(self, workers: int, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        context = processes.context()
        self.connections: list[_Connection] = []
        self.processes = []
        with processes.starting():
            for _ in range(workers):
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs, tasks), daemon=True)
                process.start()
                theirs.close()
                self.connections.append(ours)
                self.processes.append(process)

    def __call__(
        self, jobs: Sequence[Job], tasks: Sequence[Task], begun: Begun = _never
    ) -> Iterator[Event | Checkpointed]:
        """Hand jobs out one at a time and pass events on as they come."""
        assert tasks is self.tasks, "a pool serves the tasks it was made for"
        waiting = list(reversed(jobs))
        busy: list[_Connection] = []
        for connection in self.connections[: len(waiting)]:
            job = waiting.pop()
            _send(connection, job, begun(job))
            busy.append(connection)
        while busy:
            ready = wait(busy)
            for connection in [one for one in busy if one in ready]:
                event = _receive(connection)
                if isinstance(event, Finished):
                    if waiting:
                        job = waiting.pop()
                        _send(connection, job, begun(job))
                    else:
                        busy.remove(connection)
                yield event

    def close(self) -> None:
        """End the workers at once; what they had not finished is lost, and nothing else."""
        for connection in self.connections:
            connection.close()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join()


class WorkerError(RuntimeError):
    """A worker failed or died: our fault, or the machine's."""


def _send(connection: _Connection, job: Job, state: bytes | None) -> None:
    try:
        connection.send((job, state))
    except OSError as error:
        raise WorkerError("a worker process died; was it out of memory?") from error


def _receive(connection: _Connection) -> Event | Checkpointed:
    try:
        event = connection.recv()
    except (EOFError, OSError) as error:
        raise WorkerError("a worker process died; was it out of memory?") from error
    if isinstance(event, PenchantError):
        raise event
    if isinstance(event, BaseException):
        raise WorkerError(str(event)) from event
    return event  # type: ignore[no-any-return]


def _work(connection: _Connection, tasks: Sequence[Task]) -> None:
    # Ctrl-C reaches the whole group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        while True:
            job, state = connection.recv()
            try:
                for event in perform(job, tasks[job.task], state):
                    connection.send(event)
            except PenchantError as error:
                connection.send(error)
            except (BrokenPipeError, EOFError):
                raise
            except Exception as error:
                import traceback

                connection.send(WorkerError("".join(traceback.format_exception(error))))
    except (BrokenPipeError, EOFError, ConnectionResetError):
        sys.exit(0)


def _leave_with_parent() -> None:
    # A broken pipe is noticed at the next event only, which for a long run may be minutes away.
    parent = multiprocessing.parent_process()
    assert parent is not None, "only workers come here"
    wait([parent.sentinel])
    os._exit(1)
