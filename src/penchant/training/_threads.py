"""Holding torch to one thread, where sharing out the work costs more than it saves.

Torch's threads wait for each other at the end of every product. Where another program holds a
core that wait is a scheduler's turn, not microseconds: with two threads on two busy cores, one
step of Muon for matrices of 192 took 556 ms, with one thread 1.7 (docs/LOG.md).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread for what the calling thread does within.

    Example:
        >>> with one_thread():
        ...     torch.get_num_threads()
        1
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
