"""How many processes a command uses."""

import os

from penchant import processes
from penchant.errors import PenchantError


def workers(jobs: int | None) -> int:
    """Return the number asked for, or as many as this process may use cores.

    Raises:
        PenchantError: fewer than one is asked for.

    Example:
        >>> workers(3)
        3
    """
    if jobs is None:
        return _cores()
    if jobs < 1:
        raise PenchantError(f"jobs={jobs}: at least 1 process is needed")
    return jobs


def prepare(jobs: int | None) -> None:
    """Have workers' imports made beside this command's own, which are the next thing that it does.

    Example:
        >>> prepare(1)  # none are needed
    """
    if workers(jobs) > 1:
        processes.prepare()


def _cores() -> int:
    # macOS has no affinity to ask for.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
