"""Pilots: the same number for each design, over its own learning rate and scale.

The first pilot is the package's default, the others a scrambled Halton sequence (1960) in a box
around it on logarithmic axes; every design gets the same points of the unit cube.
"""

from collections.abc import Sequence

import numpy as np

from penchant.nn import ACTIVATIONS
from penchant.randomness import key
from penchant.study._design import Design

REACH = {"learning_rate": 4.0, "scale": 2.0, "bandwidth": 2.0}
"""How far a pilot goes from the default, as a factor either way."""


def tunable(design: Design) -> tuple[str, ...]:
    """Name the numbers that pilots choose: those that the user left open and that matter.

    A scale matters where the activation sees it as bandwidth; for the rectifiers and sigmoids
    (default scale 1) the weights do the same work.

    Example:
        >>> tunable(Design(activation="sine")), tunable(Design(learning_rate=0.1))
        (('learning_rate', 'scale'), ())
    """
    names = []
    if design.learning_rate is None:
        names.append("learning_rate")
    member = ACTIVATIONS.get(design.activation)
    if design.scale is None and member is not None and member.default_scale != 1:
        names.append("scale")
    if design.bandwidth is None and design.encoding == "fourier":
        names.append("bandwidth")
    return tuple(names)


def candidates(design: Design, pilots: int) -> list[Design]:
    """List the settings that a design's pilots try.

    Args:
        design: as the user gave it, width apart.
        pilots: how many; where there is nothing to choose, none.

    Returns:
        Resolved designs, the default first.

    Example:
        >>> one = Design(activation="relu")
        >>> tried = candidates(one, 3)
        >>> len(tried), tried[0] == one.resolved(), tunable(one)
        (3, True, ('learning_rate',))
    """
    from scipy.stats import qmc

    default, names = design.resolved(), tunable(design)
    if pilots == 0 or not names:
        return []
    points = qmc.Halton(len(REACH), rng=np.random.default_rng(key(0, "pilots"))).random(pilots)
    columns = list(REACH)
    tried = [default]
    for point in points[1:]:
        factors = {n: REACH[n] ** (2 * point[columns.index(n)] - 1) for n in names}
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
