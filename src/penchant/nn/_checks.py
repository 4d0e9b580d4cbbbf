"""The two checks that every number given to a module of this room passes."""

import math
from numbers import Integral, Real

from penchant.errors import PenchantError


def positive(call: str, value: object) -> float:
    """Return a finite number above 0, or say which call was given what else.

    Args:
        call: the call and its argument, for example ``"Sine(scale"``.
        value: what was given.

    Returns:
        The number as a float.

    Example:
        >>> positive("Sine(scale", 30)
        30.0
    """
    if not isinstance(value, Real) or not math.isfinite(value) or value <= 0:
        raise PenchantError(f"{call}={value!r}): needs a finite number above 0")
    return float(value)


def count(call: str, value: object, least: int = 1) -> int:
    """Return a whole number of at least `least`, or say which call was given what else.

    Args:
        call: the call and its argument, for example ``"NeRF(frequencies"``.
        value: what was given.
        least: the smallest number that fits.

    Returns:
        The number as an int.

    Example:
        >>> count("NeRF(frequencies", 6)
        6
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise PenchantError(f"{call}={value!r}): needs a whole number of at least {least}")
    return int(value)
