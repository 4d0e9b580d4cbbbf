"""Pilots: the same number for each design, over its own learning rate and scale.

The first pilot is the package's default, the others a scrambled Halton sequence (1960) in a box
around it on logarithmic axes; every design gets the same points of the unit cube.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from penchant.randomness import key
from penchant.study._design import Design
from penchant.study._jobs import Job

COLUMNS = ("learning_rate", "scale", "bandwidth")
"""Each number's place in the sequence, the same for every design."""


def candidates(default: Design, names: Sequence[str], pilots: int) -> list[Design]:
    """List the settings that a design's pilots try.

    Args:
        default: the design with every number filled in.
        names: numbers that pilots choose; see `Design.open_numbers`.
        pilots: how many; where there is nothing to choose, none.

    Returns:
        Designs, the default first.

    Example:
        >>> from penchant.study import design
        >>> one = design({"activation": "relu"})
        >>> tried = candidates(one.resolved(), one.open_numbers(), 3)
        >>> len(tried), tried[0] == one.resolved(), one.open_numbers()
        (3, True, ('learning_rate',))
    """
    from scipy.stats import qmc

    if pilots == 0 or not names:
        return []
    points = qmc.Halton(len(COLUMNS), rng=np.random.default_rng(key(0, "pilots"))).random(pilots)
    found = [default]
    for point in points[1:]:
        factors = {n: default.reach[n] ** (2 * point[COLUMNS.index(n)] - 1) for n in names}
        found.append(
            default.replaced(**{n: float(getattr(default, n) * f) for n, f in factors.items()})
        )
    return found


def best(scores: Sequence[float], higher_is_better: bool) -> int:
    """Return the index of the best score; the first of equals; a nan never wins.

    Example:
        >>> best([1.0, float("nan"), 3.0], higher_is_better=True)
        2
    """
    signed = np.asarray(scores) if higher_is_better else -np.asarray(scores)
    return int(np.argmax(np.where(np.isnan(signed), -np.inf, signed)))


@dataclass(frozen=True)
class Tried:
    """A finished pilot, and whether its settings are the ones that its design is given."""

    job: Job
    score: float
    chosen: bool


def compared(jobs: Sequence[Job], scores: Sequence[float], higher_is_better: bool) -> list[Tried]:
    """Choose the best pilot of each design on each signal.

    Args:
        jobs: pilots; those of one signal and design stand together.
        scores: of each.
        higher_is_better: which way the scores point.
    """
    found = []
    pairs = zip(jobs, scores, strict=True)
    for _, group in groupby(pairs, key=lambda pair: (pair[0].task, pair[0].design)):
        alike = list(group)
        winner = best([score for _, score in alike], higher_is_better)
        found += [Tried(*pair, chosen=place == winner) for place, pair in enumerate(alike)]
    return found
