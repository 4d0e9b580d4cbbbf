"""How worker processes are started: soon, with one thread each, and never in a Ctrl-C's way.

A worker is not forked from the program, whose threads may hold locks that no fork would ever
release, but from a server that has imported what workers need and has no threads: it pays for
these imports once, beside the program's own. Where there is none (Windows), each starts anew.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, SpawnContext

NEEDED = ("penchant.study", "torch._dynamo")
"""What every worker imports; the latter at torch's first optimiser, and it takes a second."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""For every numerical library: workers share the cores among themselves."""


def context() -> ForkServerContext | SpawnContext:
    """Return what makes worker processes.

    Example:
        >>> context().get_start_method() in ("forkserver", "spawn")
        True
    """
    if not _has_server():
        return multiprocessing.get_context("spawn")
    served = multiprocessing.get_context("forkserver")
    served.set_forkserver_preload(list(NEEDED))
    return served


def prepare() -> None:
    """Start the server that workers come from, and do not wait for it: called early, it is free."""
    if _has_server():
        from multiprocessing import forkserver

        context()
        with starting():
            forkserver.ensure_running()


@contextmanager
def starting() -> Iterator[None]:
    """Hold what processes that start within inherit: one thread each, and no interrupts.

    A Ctrl-C never reaches a process that is still starting; here it is delivered at the end.
    """
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _has_server() -> bool:
    return "forkserver" in multiprocessing.get_all_start_methods()
