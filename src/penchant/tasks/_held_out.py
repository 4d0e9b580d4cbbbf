"""Which samples a network does not see: a declared pattern over the pixels."""

from dataclasses import dataclass

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
    """A pattern of held-out pixels.

    ===================  =========================================================
    ``none``             every pixel is seen
    ``random:fraction``  round(fraction · pixels) pixels, drawn anew for each seed
    ``checkerboard``     row + column is odd
    ``every:k``          row + column is a multiple of k (so ``every:2`` is the
                         checkerboard with the two colours swapped)
    ===================  =========================================================

    Attributes:
        pattern: the pattern's name.
        amount: the fraction, or k; 0 where the pattern has none.

    Example:
        >>> held_out = HeldOut.parse("every:2")
        >>> held_out.mask(2, 3, seed=0).astype(int)
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

    def count(self, height: int, width: int) -> int:
        """Count the held-out pixels of a picture, the same for every seed.

        Args:
            height: rows.
            width: columns.

        Returns:
            How many pixels `mask` marks.
        """
        return int(self.mask(height, width, seed=0).sum())

    def mask(self, height: int, width: int, seed: int) -> Bool[np.ndarray, "height width"]:
        """Mark the held-out pixels.

        Args:
            height: rows.
            width: columns.
            seed: the run's seed; only ``random`` asks it.

        Returns:
            True where a pixel is held out.

        Raises:
            PenchantError: the picture is too small: fewer than 2 pixels seen, or none held out.
        """
        diagonal = np.add.outer(np.arange(height), np.arange(width))
        if self.pattern == "none":
            mask = np.zeros((height, width), bool)
        elif self.pattern == "random":
            order = torch.randperm(height * width, generator=generator(seed, "held-out")).numpy()
            mask = np.zeros((height, width), bool)
            mask.flat[order[: round(self.amount * height * width)]] = True
        elif self.pattern == "checkerboard":
            mask = diagonal % 2 == 1
        else:
            mask = diagonal % self.amount == 0
        self._check(mask)
        return mask

    def _check(self, mask: Bool[np.ndarray, "height width"]) -> None:
        """Refuse a picture that the pattern leaves nothing of."""
        height, width = mask.shape
        held_out = int(mask.sum())
        seen = mask.size - held_out
        if seen < 2 or (held_out == 0 and self.pattern != "none"):
            raise PenchantError(
                f"held-out {str(self)!r} on a picture of {width}×{height} pixels: {seen} seen and "
                f"{held_out} held out; at least 2 must be seen and 1 held out, so take a larger "
                "picture or another pattern"
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
