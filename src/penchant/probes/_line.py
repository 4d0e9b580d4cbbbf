"""A straight line through numbers in their order, with the interval of its slope."""

import math
from collections.abc import Sequence


def slope_of(levels: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Least squares on the place 0, 1, ..., and the slope's 95 % t interval.

    Args:
        levels: the numbers, in order.

    Returns:
        The slope (nan below two numbers) and its interval (nan below three).

    Example:
        >>> slope_of([1.0, 3.0, 5.0])
        (2.0, (2.0, 2.0))
    """
    n = len(levels)
    if n < 2:
        return math.nan, (math.nan, math.nan)
    middle, mean = (n - 1) / 2, sum(levels) / n
    spread = n * (n * n - 1) / 12
    slope = sum((i - middle) * level for i, level in enumerate(levels)) / spread
    if n == 2:
        return slope, (math.nan, math.nan)
    from scipy.special import stdtrit

    rest = sum((level - mean - slope * (i - middle)) ** 2 for i, level in enumerate(levels))
    half = float(stdtrit(n - 2, 0.975)) * math.sqrt(rest / (n - 2) / spread)
    return slope, (slope - half, slope + half)
