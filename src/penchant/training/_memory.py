"""Having the C library keep what is freed, so that a step's buffers are not new pages each time.

glibc gives memory above a threshold back to the kernel as soon as it is free, and pays for it with
a page fault every 4 KiB when it is next wanted. The threshold rises by itself, to the size of what
was freed, up to 32 MiB; whether it has risen by the time that a network trains was left to chance,
and cost a step of a network of width 256 up to an eighth (docs/LOG.md).
"""

import torch

ALMOST_MOST = 31 * 2**20
"""Bytes: glibc learns from pieces of up to 32 MiB."""


def keep_freed_memory() -> None:
    """Free a large piece that was never touched; where there is no glibc this does nothing.

    Example:
        >>> keep_freed_memory()
    """
    torch.empty(ALMOST_MOST, dtype=torch.uint8)
