"""The rule that turns paired differences into a verdict.

Decisions: one rule, simultaneous paired-t intervals, decides; the sign-flip test, which needs no
normal distribution, stands beside it and can only raise a flag. No bootstrap: below 20 pairs its
intervals are too narrow. `decide` holds the whole rule as arithmetic on means and standard
deviations, over arrays, so that simulations prove the same lines that judge a study.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from scipy.special import stdtrit

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.study._results import Verdict, VerdictWord
from penchant.study._sentence import FEWEST, MOST, UnitOfN, counted, percent, sentence
from penchant.tasks import Metric

EXACT = 20
"""Pairs up to which all sign flips are counted."""
FLIPS = 100_000
"""Random sign flips beyond that."""


def half_width(
    deviation: Float[np.ndarray, "*#batch"] | float,
    n: Int[np.ndarray, "*#batch"] | int,
    miss: float,
) -> Float[np.ndarray, "*batch"]:
    """Half the width of the paired-t interval for a mean: t(1 − miss/2; n − 1) · sd / √n.

    Args:
        deviation: standard deviation of the differences (with n − 1); infinite where n is 1.
        n: number of pairs.
        miss: the probability with which the interval may miss; 0.05 for a 95 % interval.

    Returns:
        The half width, in the unit of the deviation.

    Example:
        >>> round(float(half_width(1.0, 10, 0.05)), 4)
        0.7154

    Source: Student, "The probable error of a mean" (1908).
    """
    quantile = stdtrit(np.maximum(np.asarray(n) - 1, 1), 1 - miss / 2)
    return np.asarray(quantile * deviation / np.sqrt(n))


def decide(
    gain: Float[np.ndarray, "*#batch"] | float,
    deviation: Float[np.ndarray, "*#batch"] | float,
    n: Int[np.ndarray, "*#batch"] | int,
    *,
    margin: float,
    comparisons: int,
    alpha: float = 0.05,
) -> Shaped[np.ndarray, "*batch"]:
    """The rule: the verdict's word for each mean gain.

    Fewer than 6 pairs are *descriptive*. The design is *equivalent* to the baseline if the
    1 − 2α/m interval lies within ±margin (two one-sided tests), else *better* or *worse* if the
    1 − α/m interval excludes 0, else *inconclusive*.

    Args:
        gain: mean difference, positive where the design is better.
        deviation: standard deviation of the differences.
        n: number of pairs.
        margin: the smallest difference that matters.
        comparisons: m, the family's number of comparisons (Bonferroni).
        alpha: α, the family's rate of false alarms.

    Returns:
        Words, one for each gain.

    Example:
        >>> decide(np.array([2.0, 0.1, 0.6]), 0.5, 10, margin=0.5, comparisons=1).tolist()
        ['better', 'equivalent', 'better']

    Source: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach
    for assessing the equivalence of average bioavailability" (1987).
    """
    miss = alpha / comparisons
    outer = half_width(deviation, n, miss)
    inner = half_width(deviation, n, 2 * miss)
    return np.select(
        [
            np.asarray(n) < FEWEST,
            np.abs(gain) + inner <= margin,
            gain > outer,
            -gain > outer,
        ],
        ["descriptive", "equivalent", "better", "worse"],
        "inconclusive",
    )


def pairs_needed(
    gain: float, deviation: float, *, margin: float, comparisons: int, alpha: float = 0.05
) -> int | None:
    """About how many pairs would decide: the smallest n, were mean and deviation to stay.

    Returns:
        The number in all (not in addition), or None beyond 10,000.

    Example:
        >>> pairs_needed(1.0, 2.0, margin=0.5, comparisons=1)
        18
    """
    n = np.arange(FEWEST, MOST + 1)
    words = decide(gain, deviation, n, margin=margin, comparisons=comparisons, alpha=alpha)
    enough = n[words != "inconclusive"]
    return int(enough[0]) if enough.size else None


def sign_flip_p(differences: Float[np.ndarray, " n"]) -> float:
    """Two-sided p of the sign-flip test: how often flipped signs give as large a mean.

    If design and baseline were exchangeable, each difference would have either sign with equal
    probability. Up to 20 pairs all 2ⁿ flips are counted and p is exact; beyond, p is estimated
    from 100,000 keyed random flips as (1 + as large) / (1 + flips), the same on every call.

    Args:
        differences: one a pair.

    Returns:
        p, at least 2/2ⁿ where exact.

    Example:
        >>> sign_flip_p(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
        0.03125

    Source: Fisher, "The design of experiments" (1935), §21; for random flips Phipson & Smyth,
    "Permutation p-values should never be zero" (2010).
    """
    # Equal sums that were added in another order differ by rounding; they count as equal.
    reach = abs(differences.sum()) - 1e-12 * np.abs(differences).sum()
    if differences.size > EXACT:
        return (1 + _as_large_at_random(differences, reach)) / (1 + FLIPS)
    # Flipping every sign leaves |sum| as it is, so the first difference may keep its own.
    sums = differences[:1]
    for difference in differences[1:]:
        sums = np.concatenate([sums + difference, sums - difference])
    return float(np.mean(np.abs(sums) >= reach))


def _as_large_at_random(differences: Float[np.ndarray, " n"], reach: float) -> int:
    """Count the random flips whose sum reaches as far; in batches, to bound the memory."""
    draws = generator(0, "sign-flip", differences.size)
    batch = 1_000
    count = 0
    for _ in range(FLIPS // batch):
        heads = torch.randint(2, (batch, differences.size), generator=draws, dtype=torch.int8)
        sums = (2.0 * heads.numpy() - 1.0) @ differences
        count += int(np.count_nonzero(np.abs(sums) >= reach))
    return count


def judge(
    differences: Sequence[float],
    *,
    design: str,
    baseline: str,
    metric: Metric,
    margin: float,
    comparisons: int,
    unit_of_n: UnitOfN,
    diverged: int = 0,
    alpha: float = 0.05,
) -> Verdict:
    """Judge a design against the baseline from their paired differences on one metric.

    The word comes from `decide`, with the sign of the differences turned where lower is better.
    With n differences of mean d̄ and standard deviation s, the interval is d̄ ± t·s/√n, at
    1 − 2α/m where it showed equivalence and at 1 − α/m otherwise; the effect is d̄/s, infinite
    without spread, 0 if d̄ is 0, and nan for one pair, whose interval is infinite.

    The flag is set where the sign-flip test at α/m and the 1 − α/m interval disagree on whether
    there is a difference, where all differences are equal and where runs diverged. With few
    pairs p cannot fall to α/m (its smallest value is 2/2ⁿ); all pairs on one side is then no
    disagreement with an interval that excludes 0.

    Args:
        differences: design − baseline, one a pair, in the metric's unit.
        design: the design's label.
        baseline: the baseline's label.
        metric: what was scored; its direction says what is better.
        margin: the smallest difference that matters, in the metric's unit.
        comparisons: m, how many designs are compared with the baseline.
        unit_of_n: what a pair is: a seed of one signal, or a signal.
        diverged: runs among these that diverged.
        alpha: the family's rate of false alarms.

    Returns:
        The verdict, with its sentence.

    Raises:
        PenchantError: no differences, one that is not finite, or an impossible margin,
            number of comparisons, number of diverged runs or alpha.

    Example:
        >>> gains = [14.1, 15.0, 13.2, 14.8, 13.9, 14.6]
        >>> psnr = Metric("psnr_held_out", "dB", margin=0.5)
        >>> judge(gains, design="sine", baseline="relu", metric=psnr, margin=0.5,
        ...       comparisons=1, unit_of_n="seeds").sentence
        'sine is better than relu by 14.27 dB (95 % interval 13.57 to 14.97, 6 seeds).'

    Source: Student (1908), Schuirmann (1987), Fisher (1935); the effect is Cohen's d for pairs,
    "Statistical power analysis for the behavioral sciences" (1988).
    """
    values = np.asarray(differences, dtype=np.float64)
    _check(values, margin=margin, comparisons=comparisons, diverged=diverged, alpha=alpha)
    n = values.size
    mean, deviation = _moments(values)
    gain = mean if metric.higher_is_better else -mean
    word = cast(
        VerdictWord,
        str(decide(gain, deviation, n, margin=margin, comparisons=comparisons, alpha=alpha)),
    )
    needed = None
    if word == "inconclusive":
        needed = pairs_needed(gain, deviation, margin=margin, comparisons=comparisons, alpha=alpha)
    miss = (2 if word == "equivalent" else 1) * alpha / comparisons
    half = float(half_width(deviation, n, miss))
    p = sign_flip_p(values)
    verdict = Verdict(
        design=design,
        baseline=baseline,
        metric=metric.name,
        unit=metric.unit,
        n=n,
        mean_difference=mean,
        interval=(mean - half, mean + half),
        p_sign_flip=p,
        effect=_effect(mean, deviation),
        verdict=word,
        sentence="",
        flag=_flag(values, p, alpha / comparisons, diverged, unit_of_n),
        needed=needed,
        differences=tuple(values.tolist()),
    )
    return replace(verdict, sentence=sentence(verdict, metric, margin, miss, unit_of_n))


def _check(
    values: Float[np.ndarray, "..."],
    *,
    margin: float,
    comparisons: int,
    diverged: int,
    alpha: float,
) -> None:
    """Refuse what no verdict can be made from."""
    if values.ndim != 1 or values.size == 0:
        raise PenchantError(
            f"judge(differences of shape {values.shape}): needs shape (n,) with n at least 1, "
            "one difference a pair"
        )
    if not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values))[0])
        raise PenchantError(
            f"judge(differences[{first}] = {values[first]} of shape {values.shape}): needs finite "
            "numbers, as no mean exists otherwise; score a diverged run as the constant answer"
        )
    if not (math.isfinite(margin) and margin >= 0):
        raise PenchantError(f"judge(margin={margin}): needs a finite number of at least 0")
    if comparisons < 1:
        raise PenchantError(
            f"judge(comparisons={comparisons}): needs at least 1, the comparison itself"
        )
    if diverged < 0:
        raise PenchantError(f"judge(diverged={diverged}): needs a count of at least 0")
    if not 0 < alpha < 0.5:
        raise PenchantError(f"judge(alpha={alpha}): needs a rate between 0 and 0.5")


def _moments(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Mean and standard deviation; exact where all values are equal, infinite spread for one."""
    if values.size == 1:
        return float(values[0]), math.inf
    if np.ptp(values) == 0:  # else rounding would invent a spread
        return float(values[0]), 0.0
    return float(values.mean()), float(values.std(ddof=1))


def _effect(mean: float, deviation: float) -> float:
    """Cohen's d for pairs."""
    if math.isinf(deviation):
        return math.nan
    if mean == 0:
        return 0.0
    return mean / deviation if deviation > 0 else math.copysign(math.inf, mean)


def _flag(
    values: Float[np.ndarray, " n"], p: float, miss: float, diverged: int, unit_of_n: UnitOfN
) -> str:
    """Say what a reader should know before trusting the verdict."""
    remarks = []
    if values.size >= FEWEST:
        remarks.append(_disagreement(values, p, miss, unit_of_n))
    if values.size > 1 and np.ptp(values) == 0:
        remarks.append(
            f"All {counted(values.size, unit_of_n)} gave the same difference, so nothing is known "
            "of its spread."
        )
    if diverged:
        runs = "1 run diverged and is" if diverged == 1 else f"{diverged:,} runs diverged and are"
        remarks.append(f"{runs} scored as the constant answer.")
    return " ".join(remark for remark in remarks if remark)


def _disagreement(
    values: Float[np.ndarray, " n"], p: float, miss: float, unit_of_n: UnitOfN
) -> str:
    """Compare the sign-flip test at α/m with the 1 − α/m interval."""
    mean, deviation = _moments(values)
    excludes_zero = abs(mean) > half_width(deviation, values.size, miss)
    # A difference of 0 has no sign to flip, so it does not help to reach a small p.
    smallest = 2.0 ** (1 - np.count_nonzero(values)) if values.any() else 1.0
    if values.size > EXACT:
        smallest = max(smallest, 1 / (1 + FLIPS))
    # With few pairs even p = smallest, every pair on one side, may lie above what is asked; that
    # is all the test can say, and no disagreement.
    if excludes_zero == (p <= (max(miss, smallest) if excludes_zero else miss)):
        return ""
    side = "excludes" if excludes_zero else "includes"
    return (
        f"The sign-flip test disagrees: its p is {p:.2g} where {miss:.2g} is asked, while the "
        f"{percent(miss)} interval {side} 0."
    )
