"""A verdict in words: plain sentences with as many digits as the evidence deserves."""

import math
from typing import Literal

from penchant.study._results import Verdict
from penchant.tasks import Metric

FEWEST = 6
"""Pairs below which there is no verdict, only a description."""
MOST = 10_000
"""Pairs beyond which it is not worth saying how many would decide."""

UnitOfN = Literal["seeds", "signals"]


def sentence(
    verdict: Verdict, metric: Metric, margin: float, miss: float, unit_of_n: UnitOfN
) -> str:
    """Say the verdict in words.

    Numbers have the sign of the statement (better by 2, worse by 2), not that of design − baseline.
    Of a metric that is neutral, better is said as higher.
    """
    better, worse = ("higher", "lower") if metric.neutral else ("better", "worse")
    sign = 1 if metric.higher_is_better else -1
    gain = sign * verdict.mean_difference
    low, high = sorted(sign * end for end in verdict.interval)
    size, *ends = _numbers((high - low) / 2, abs(gain), abs(low), abs(high))
    if verdict.n == 1:
        evidence = counted(1, unit_of_n)
    elif low == high:
        evidence = f"the same in all {counted(verdict.n, unit_of_n)}"
    else:
        span = f"{ends[0]} {worse} to {ends[1]} {better}"
        if low > 0 or high < 0:
            span = " to ".join(ends if low > 0 else reversed(ends))
        evidence = f"{percent(miss)} interval {span}, {counted(verdict.n, unit_of_n)}"

    design, baseline = verdict.design, verdict.baseline
    difference = amount(size, verdict.unit)
    way = better if gain > 0 else worse
    if verdict.verdict in ("better", "worse"):
        return f"{design} is {way} than {baseline} by {difference} ({evidence})."
    finding = f"{difference} {way}" if gain else "no difference"
    finding += f" ({evidence})" if verdict.n == 1 else f" on average ({evidence})"
    if verdict.verdict == "equivalent":
        matters = amount(f"{margin:g}", verdict.unit)
        real = f"a real difference, smaller than matters ({matters})"
        size_of_it = real if low > 0 or high < 0 else f"within the margin of {matters}"
        return f"{design} is equivalent to {baseline}: {finding}, {size_of_it}."
    against = f"{design} against {baseline}"
    if verdict.verdict == "descriptive":
        least = counted(FEWEST, unit_of_n)
        return f"{against}: {finding}; descriptive only, as a verdict takes at least {least}."
    decision = f"it would take more than {MOST:,} {unit_of_n} to decide"
    if verdict.needed is not None:
        decision = f"about {verdict.needed:,} {unit_of_n} would decide"
    return f"{against} is inconclusive: {finding}; {decision}."


def amount(number: str, unit: str) -> str:
    """A difference with its unit; that of two percentages is in percentage points.

    Example:
        >>> amount("1", "%"), amount("0.5", "dB"), amount("1", "decades")
        ('1 percentage point', '0.5 dB', '1 decade')
    """
    return with_unit(number, "percentage points" if unit == "%" else unit)


def with_unit(number: str, unit: str) -> str:
    """A number with its unit, which is singular for 1.

    Example:
        >>> with_unit("1", "nats"), with_unit("1.0", "nats"), with_unit("1", "ms")
        ('1 nat', '1.0 nats', '1 ms')
    """
    plural = len(unit) > 3 and unit.endswith("s") and not unit.endswith("ss")  # not 1 ms, 1 loss
    return f"{number} {unit.removesuffix('s') if number == '1' and plural else unit}".rstrip()


def counted(n: int, unit_of_n: UnitOfN) -> str:
    """A number of seeds or signals, in words."""
    return f"1 {unit_of_n.removesuffix('s')}" if n == 1 else f"{n:,} {unit_of_n}"


def percent(miss: float) -> str:
    """The confidence of an interval: one decimal, or as many as keep it below 100 %."""
    decimals = max(1, -math.floor(math.log10(100 * miss)))
    return f"{round(100 * (1 - miss), decimals):.10g} %"


def _numbers(half: float, *numbers: float) -> list[str]:
    """Write sizes with the decimals that an interval's half width deserves: two of its digits.

    Up to three more are shown where a number would read as 0 and is not. Without a half width the
    largest number gets three digits.
    """
    largest = max(number for number in numbers if math.isfinite(number))
    if largest == 0:
        return ["0" for _ in numbers]
    known = math.isfinite(half) and half > 0
    decimals = max(0, 1 - _exponent(half) if known else 2 - _exponent(largest))
    for _ in range(3):
        if all(round(number, decimals) for number in numbers if number):
            break
        decimals += 1
    if decimals > 6 or largest >= 1e7:
        return [f"{number:.4g}" for number in numbers]
    return [f"{number:,.{decimals}f}" for number in numbers]


def _exponent(number: float) -> int:
    """The power of ten of a number's first digit."""
    return math.floor(math.log10(number))
