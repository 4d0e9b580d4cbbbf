"""Keyed randomness: every draw belongs to a (seed, purpose, step), never to a global stream.

So a run's numbers do not depend on what was drawn before it, on its neighbours or on a restart,
and two designs of one seed get the same draws wherever they ask for the same purpose.
"""

import hashlib

import torch


def key(seed: int, purpose: str, step: int = 0) -> int:
    """Hash (seed, purpose, step) to 63 bits, the same on every machine and Python.

    Example:
        >>> key(0, "split") == key(0, "split"), key(0, "split") == key(1, "split")
        (True, False)
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(seed: int, purpose: str, step: int = 0) -> torch.Generator:
    """Make the CPU generator that belongs to (seed, purpose, step).

    Args:
        seed: the run's seed.
        purpose: what is drawn, for example ``"split"`` or ``"batch"``.
        step: counts repeated draws for one purpose.

    Returns:
        A fresh ``torch.Generator``; asking again gives the same draws.

    Example:
        >>> torch.rand(2, generator=generator(0, "demo")).shape
        torch.Size([2])
    """
    return torch.Generator().manual_seed(key(seed, purpose, step))
