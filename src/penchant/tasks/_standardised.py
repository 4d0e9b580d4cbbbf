"""Bringing inputs to mean zero and deviation one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Shaped

_BLOCK = 1 << 20  # numbers that are float64 at a time


@dataclass(frozen=True, eq=False)
class Scale:
    r"""Subtracts a mean and divides by a standard deviation.

    .. math:: z = (x - \mu) / \sigma

    Attributes:
        mean: μ of each input.
        weight: 1/σ, 0 for an input that never changes.
    """

    mean: Float64[np.ndarray, "inputs"]
    weight: Float64[np.ndarray, "inputs"]

    @classmethod
    def of(cls, seen: Shaped[np.ndarray, "seen inputs"], *, together: bool) -> "Scale":
        r"""Take the mean and deviation of what is seen.

        .. math:: \mu = \mathrm{mean}\,x_\mathrm{seen}, \qquad
                  \sigma^2 = \mathrm{mean}\,(x_\mathrm{seen} - \mu)^2

        Args:
            seen: the samples.
            together: one μ and one σ over all inputs (pixels), instead of each input's own.
        """
        mean: np.ndarray = seen.mean(axis=0, dtype=np.float64)
        if together:
            mean = np.full_like(mean, mean.mean())
        square = sum(np.square(block - mean).sum(axis=0) for block in _blocks(seen)) / len(seen)
        varies = seen.min(axis=0) < seen.max(axis=0)
        if together:
            square, varies = np.full_like(square, square.mean()), np.full_like(varies, varies.any())
        return cls(mean, np.divide(1, np.sqrt(square), out=np.zeros_like(mean), where=varies))

    def __call__(
        self, rows: Shaped[np.ndarray, "samples inputs"]
    ) -> Float32[np.ndarray, "samples inputs"]:
        """Standardise samples."""
        result = np.empty(rows.shape, np.float32)
        for block, place in zip(_blocks(rows), _blocks(result), strict=True):
            place[...] = (block - self.mean) * self.weight
        return result


def standardised(
    rows: Shaped[np.ndarray, "samples inputs"],
    seen: Shaped[np.ndarray, "seen inputs"],
    *,
    together: bool,
) -> Float32[np.ndarray, "samples inputs"]:
    """Subtract the mean and divide by the standard deviation of what is seen; see `Scale`.

    Args:
        rows: all samples.
        seen: those whose mean and deviation are taken.
        together: one of each over all inputs (pixels), instead of each input's own.

    Returns:
        The rows; an input that is the same in all that is seen becomes 0 everywhere, since nothing
        can be learnt of it.

    Example:
        >>> rows = np.array([[1.0, 5.0], [3.0, 5.0], [5.0, 9.0]])
        >>> standardised(rows, rows[:2], together=False).tolist()
        [[-1.0, 0.0], [1.0, 0.0], [3.0, 0.0]]
    """
    return Scale.of(seen, together=together)(rows)


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Cut rows into blocks, as views."""
    step = max(1, _BLOCK // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
