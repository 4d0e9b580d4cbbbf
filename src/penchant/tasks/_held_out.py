"""Which samples a network does not see: a declared pattern over a grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from jaxtyping import Bool

from penchant.errors import PenchantError, nearest
from penchant.randomness import generator

_PATTERNS = {
    "none": "none",
    "random": "random:0.5",
    "checkerboard": "checkerboard",
    "every": "every:4",
}
"""Each pattern with an example of how it is written."""


@dataclass(frozen=True)
class HeldOut:
    """A pattern of held-out samples.

    ===================  ===========================================================
    ``none``             every sample is seen
    ``random:fraction``  round(fraction · samples) samples, drawn anew for each seed
    ``checkerboard``     the sum of a sample's indices (row + column) is odd
    ``every:k``          it is a multiple of k (so ``every:2`` is the checkerboard
                         with the two colours swapped)
    ===================  ===========================================================

    Attributes:
        pattern: the pattern's name.
        amount: the fraction, or k; 0 where the pattern has none.

    Example:
        >>> held_out = HeldOut.parse("every:2")
        >>> held_out.mask((2, 3), seed=0).astype(int)
        array([[1, 0, 1],
               [0, 1, 0]])
        >>> str(HeldOut.parse("random:.50"))
        'random:0.5'
    """

    pattern: str = "none"
    amount: float | int = 0

    @classmethod
    def parse(cls, text: str) -> "HeldOut":
        """Read a pattern as it is written on the command line.

        Args:
            text: ``none``, ``random:0.5``, ``checkerboard`` or ``every:4``.

        Returns:
            The pattern.

        Raises:
            PenchantError: an unknown pattern, a fraction outside (0, 1), or k below 2.
        """
        pattern, colon, number = (part.strip() for part in text.partition(":"))
        if pattern not in _PATTERNS:
            raise PenchantError(
                f"held-out {text!r}: no such pattern; {nearest(pattern, tuple(_PATTERNS))}"
            )
        takes_number = ":" in _PATTERNS[pattern]
        if takes_number != bool(colon):
            raise PenchantError(
                f"held-out {text!r}: {pattern} takes {'a' if takes_number else 'no'} number; "
                f"write {_PATTERNS[pattern]!r}"
            )
        if not takes_number:
            return cls(pattern)
        return cls(pattern, _fraction(text, number) if pattern == "random" else _k(text, number))

    def __str__(self) -> str:
        """Write the pattern as `parse` reads it, always in the same words."""
        if ":" not in _PATTERNS[self.pattern]:
            return self.pattern
        return f"{self.pattern}:{self.amount}"

    def count(self, shape: Sequence[int]) -> int:
        """Count the held-out samples of a grid, the same for every seed.

        Args:
            shape: of the grid, such as rows and columns.

        Returns:
            How many samples `mask` marks.
        """
        return int(self.mask(shape, seed=0).sum())

    def mask(self, shape: Sequence[int], seed: int) -> Bool[np.ndarray, "*grid"]:
        """Mark the held-out samples.

        Args:
            shape: of the grid.
            seed: the run's seed; only ``random`` asks it.

        Returns:
            True where a sample is held out.

        Raises:
            PenchantError: the grid is too small: fewer than 2 samples seen, or none held out.
        """
        mask = np.zeros(tuple(shape), bool)
        if self.pattern == "random":
            order = torch.randperm(mask.size, generator=generator(seed, "held-out")).numpy()
            mask.flat[order[: round(self.amount * mask.size)]] = True
        elif self.pattern != "none":
            diagonal = reduce(np.add.outer, map(np.arange, shape))
            checkered = self.pattern == "checkerboard"
            mask = diagonal % 2 == 1 if checkered else diagonal % self.amount == 0
        self._check(mask)
        return mask

    def _check(self, mask: Bool[np.ndarray, "*grid"]) -> None:
        """Refuse a grid that the pattern leaves nothing of."""
        held_out = int(mask.sum())
        seen = mask.size - held_out
        if seen < 2 or (held_out == 0 and self.pattern != "none"):
            raise PenchantError(
                f"held-out {str(self)!r} of {'×'.join(map(str, mask.shape))} samples: {seen} seen "
                f"and {held_out} held out; at least 2 must be seen and 1 held out, so take a "
                "larger signal or another pattern"
            )


def _fraction(text: str, number: str) -> float:
    """Read a fraction strictly between 0 and 1."""
    try:
        fraction = float(number)
    except ValueError:
        fraction = float("nan")
    if not 0 < fraction < 1:
        raise PenchantError(
            f"held-out {text!r}: {number!r} is no fraction between 0 and 1 (both excluded), "
            "the share of pixels to hold out"
        )
    return fraction


def _k(text: str, number: str) -> int:
    """Read a whole number from 2."""
    try:
        k = int(number)
    except ValueError:
        k = 0
    if k < 2:
        raise PenchantError(
            f"held-out {text!r}: {number!r} is no whole number from 2; every k-th pixel is held "
            "out, and with 1 none would be seen"
        )
    return k
