"""Pilots: the same number for each design, over its own learning rate and scale.

The first pilot is the package's default, the others a scrambled Halton sequence (1960) in a box
around it on logarithmic axes; every design gets the same points of the unit cube.
"""

from collections.abc import Sequence

import numpy as np

from penchant.randomness import key
from penchant.study._design import Design

COLUMNS = ("learning_rate", "scale", "bandwidth")
"""Each number's place in the sequence, the same for every design."""


def candidates(design: Design, pilots: int) -> list[Design]:
    """List the settings that a design's pilots try.

    Args:
        design: as the user gave it, width apart.
        pilots: how many; where there is nothing to choose, none.

    Returns:
        Resolved designs, the default first.

    Example:
        >>> from penchant.study import design
        >>> one = design({"activation": "relu"})
        >>> tried = candidates(one, 3)
        >>> len(tried), tried[0] == one.resolved(), one.open_numbers()
        (3, True, ('learning_rate',))
    """
    from scipy.stats import qmc

    default, names = design.resolved(), design.open_numbers()
    if pilots == 0 or not names:
        return []
    points = qmc.Halton(len(COLUMNS), rng=np.random.default_rng(key(0, "pilots"))).random(pilots)
    tried = [default]
    for point in points[1:]:
        factors = {n: design.reach[n] ** (2 * point[COLUMNS.index(n)] - 1) for n in names}
        tried.append(
            default.replaced(**{n: float(getattr(default, n) * f) for n, f in factors.items()})
        )
    return tried


def best(scores: Sequence[float], higher_is_better: bool) -> int:
    """Return the index of the best score; the first of equals; a nan never wins.

    Example:
        >>> best([1.0, float("nan"), 3.0], higher_is_better=True)
        2
    """
    signed = np.asarray(scores) if higher_is_better else -np.asarray(scores)
    return int(np.argmax(np.where(np.isnan(signed), -np.inf, signed)))
