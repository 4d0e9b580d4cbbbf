"""The verdict's arithmetic against scipy and slow references, and its promises by simulation."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from penchant.errors import PenchantError
from penchant.randomness import key
from penchant.study._results import Verdict
from penchant.study._verdict import decide, half_width, judge, pairs_needed, sign_flip_p
from penchant.tasks import Metric

PSNR = Metric("psnr_held_out", "dB", margin=0.5)
LOSS = Metric("loss", "", margin=0.01, higher_is_better=False)
OPPOSITE = {"better": "worse", "worse": "better"}

# Sixteenths: sums and doublings are exact, so that rounding never decides a test.
sixteenths = st.integers(-400, 400).map(lambda k: k / 16)
unhurried = settings(deadline=None)  # a busy machine is no failure
pairs = st.lists(sixteenths, min_size=6, max_size=12)


def judged(differences: list[float], **changes: object) -> Verdict:
    """Judge with defaults that a test does not care about."""
    arguments: dict = {
        "design": "sine",
        "baseline": "relu",
        "metric": PSNR,
        "margin": 0.5,
        "comparisons": 1,
        "unit_of_n": "seeds",
    }
    return judge(differences, **(arguments | changes))


def numbers(purpose: str) -> np.random.Generator:
    return np.random.default_rng(key(0, purpose))


# Identities


@unhurried
@given(pairs, st.integers(1, 8))
def test_interval_is_scipys(differences: list[float], comparisons: int) -> None:
    assume(np.ptp(differences) > 0)
    verdict = judged(differences, comparisons=comparisons)
    miss = (2 if verdict.verdict == "equivalent" else 1) * 0.05 / comparisons
    expected = scipy.stats.ttest_1samp(differences, 0).confidence_interval(1 - miss)
    assert verdict.interval == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-9)
    assert verdict.mean_difference == pytest.approx(np.mean(differences), abs=1e-12)
    assert verdict.effect == pytest.approx(np.mean(differences) / np.std(differences, ddof=1))


@unhurried
@given(pairs, st.integers(1, 8), st.sampled_from([0.0, 0.5, 5.0]))
def test_word_is_the_rule_written_slowly(
    differences: list[float], comparisons: int, margin: float
) -> None:
    assume(np.ptp(differences) > 0)
    test = scipy.stats.ttest_1samp(differences, 0)
    miss = 0.05 / comparisons
    inner, outer = test.confidence_interval(1 - 2 * miss), test.confidence_interval(1 - miss)
    if -margin <= inner.low and inner.high <= margin:
        expected = "equivalent"
    elif outer.low > 0:
        expected = "better"
    elif outer.high < 0:
        expected = "worse"
    else:
        expected = "inconclusive"
    assert judged(differences, comparisons=comparisons, margin=margin).verdict == expected


@unhurried
@given(st.lists(sixteenths, min_size=1, max_size=9))
def test_sign_flip_is_the_count_over_all_flips(differences: list[float]) -> None:
    observed = abs(sum(differences))
    flips = list(itertools.product([1, -1], repeat=len(differences)))
    as_large = sum(
        abs(sum(sign * d for sign, d in zip(signs, differences, strict=True))) >= observed
        for signs in flips
    )
    assert sign_flip_p(np.array(differences)) == as_large / len(flips)


def test_sign_flip_is_scipys() -> None:
    differences = numbers("sign-flip").normal(0.5, 1, size=11)
    expected = scipy.stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=math.inf
    )
    assert sign_flip_p(differences) == pytest.approx(expected.pvalue, rel=1e-12)


def test_sign_flip_counts_rounded_ties() -> None:
    """0.1 + 0.2 − 0.3 is not 0 in floats; the equal sums must count as equal all the same."""
    assert sign_flip_p(np.array([0.1, 0.2, -0.3, 0.1, 0.2, 0.3])) == sign_flip_p(
        np.array([1.0, 2.0, -3.0, 1.0, 2.0, 3.0])
    )


def test_sign_flip_beyond_twenty_pairs_is_estimated_closely_and_repeatably() -> None:
    """±1 differences: the sum is binomial, so p is known exactly at any n."""
    differences = np.array([1.0] * 17 + [-1.0] * 7)
    expected = scipy.stats.binomtest(17, 24).pvalue
    p = sign_flip_p(differences)
    assert p == pytest.approx(expected, abs=4 * math.sqrt(expected / 100_000))
    assert p == sign_flip_p(differences) == sign_flip_p(-differences)
    assert sign_flip_p(np.ones(24)) == pytest.approx(1 / 100_001, abs=1e-5)


@unhurried
@given(pairs, st.integers(1, 8))
def test_swapping_design_and_baseline_turns_everything(
    differences: list[float], comparisons: int
) -> None:
    one = judged(differences, comparisons=comparisons)
    other = judged([-d for d in differences], comparisons=comparisons)
    assert other.verdict == OPPOSITE.get(one.verdict, one.verdict)
    assert other.interval == (-one.interval[1], -one.interval[0])
    assert other.mean_difference == -one.mean_difference
    assert other.effect == -one.effect
    assert (other.p_sign_flip, other.needed, other.flag) == (one.p_sign_flip, one.needed, one.flag)


@unhurried
@given(pairs, st.sampled_from([0.125, 2.0, 64.0]))
def test_the_unit_does_not_matter(differences: list[float], factor: float) -> None:
    one = judged(differences, margin=0.5)
    other = judged([factor * d for d in differences], margin=factor * 0.5)
    assert (other.verdict, other.needed, other.effect) == (one.verdict, one.needed, one.effect)
    assert other.p_sign_flip == one.p_sign_flip
    assert other.interval == tuple(factor * end for end in one.interval)


@unhurried
@given(pairs)
def test_lower_is_better_turns_the_word_alone(differences: list[float]) -> None:
    higher, lower = judged(differences), judged(differences, metric=LOSS)
    assert lower.verdict == OPPOSITE.get(higher.verdict, higher.verdict)
    assert lower.interval == higher.interval
    assert lower.mean_difference == higher.mean_difference


@unhurried
@given(pairs, st.integers(1, 8))
def test_needed_is_the_first_number_that_decides(
    differences: list[float], comparisons: int
) -> None:
    verdict = judged(differences, comparisons=comparisons)
    assert verdict.needed is None or verdict.verdict == "inconclusive"
    if verdict.needed is None:
        return
    mean, deviation = verdict.mean_difference, float(np.std(differences, ddof=1))

    def decides(n: int) -> bool:
        error, miss = deviation / math.sqrt(n), 0.05 / comparisons
        outer = scipy.stats.t.interval(1 - miss, n - 1, loc=mean, scale=error)
        inner = scipy.stats.t.interval(1 - 2 * miss, n - 1, loc=mean, scale=error)
        return outer[0] > 0 or outer[1] < 0 or (inner[0] >= -0.5 and inner[1] <= 0.5)

    assert verdict.needed > len(differences)
    assert decides(verdict.needed)
    assert not decides(verdict.needed - 1)


def test_needed_gives_up() -> None:
    assert pairs_needed(0.5, 1000.0, margin=0.5, comparisons=1) is None
    assert pairs_needed(0.0, 1.0, margin=0.0, comparisons=1) is None


# What a reader is told

WAVES = [14.1, 15.0, 13.2, 14.8, 13.9, 14.6, 14.0, 14.9, 13.5, 14.4]
SMALL = [0.20, 0.25, 0.22, 0.18, 0.24, 0.21]
WIDE = [1.0, -1.5, 2.0, 0.1, -0.4, 1.4]
SENTENCES: dict[str, tuple[list[float], dict[str, object], str]] = {
    "better": (
        WAVES,
        {"comparisons": 3},
        "sine is better than relu by 14.24 dB (98.3 % interval 13.68 to 14.80, 10 seeds).",
    ),
    "worse": (
        [-d for d in WAVES],
        {"comparisons": 6, "unit_of_n": "signals"},
        "sine is worse than relu by 14.24 dB (99.2 % interval 13.60 to 14.88, 10 signals).",
    ),
    "no unit, lower is better": (
        [-0.031, -0.034, -0.029, -0.033, -0.030, -0.032],
        {"metric": LOSS, "margin": 0.01},
        "sine is better than relu by 0.0315 (95 % interval 0.0295 to 0.0335, 6 seeds).",
    ),
    "tiny": (
        [3e-9, 4e-9, 5e-9, 4e-9, 3e-9, 5e-9],
        {"metric": LOSS, "margin": 0.0},
        "sine is worse than relu by 4e-09 (95 % interval 3.061e-09 to 4.939e-09, 6 seeds).",
    ),
    "large": (
        [12000.0, 13000.0, 12500.0, 12100.0, 12900.0, 12400.0],
        {},
        "sine is better than relu by 12,483 dB (95 % interval 12,056 to 12,910, 6 seeds).",
    ),
    "equivalent": (
        [0.1, -0.1, 0.2, 0.0, -0.1, 0.1],
        {},
        "sine is equivalent to relu: 0.033 dB better on average (90 % interval 0.066 worse to "
        "0.133 better, 6 seeds), within the margin of 0.5 dB.",
    ),
    "real and small": (
        SMALL,
        {},
        "sine is equivalent to relu: 0.217 dB better on average (90 % interval 0.195 to 0.238, "
        "6 seeds), a real difference, smaller than matters (0.5 dB).",
    ),
    "inconclusive": (
        WIDE,
        {},
        "sine against relu is inconclusive: 0.4 dB better on average (95 % interval 0.9 worse to "
        "1.8 better, 6 seeds); about 37 seeds would decide.",
    ),
    "hopeless": (
        [1.0, -1.0] * 3,
        {"margin": 0.0},
        "sine against relu is inconclusive: no difference on average (95 % interval 1.1 worse to "
        "1.1 better, 6 seeds); it would take more than 10,000 seeds to decide.",
    ),
    "descriptive": (
        WAVES[:3],
        {},
        "sine against relu: 14.1 dB better on average (95 % interval 11.9 to 16.3, 3 seeds); "
        "descriptive only, as a verdict takes at least 6 seeds.",
    ),
    "one pair": (
        [-14.1],
        {},
        "sine against relu: 14.1 dB worse (1 seed); descriptive only, as a verdict takes at least "
        "6 seeds.",
    ),
    "no spread": (
        [0.1] * 6,
        {"margin": 0.01},
        "sine is better than relu by 0.100 dB (the same in all 6 seeds).",
    ),
    "no difference": (
        [0.0] * 6,
        {},
        "sine is equivalent to relu: no difference on average (the same in all 6 seeds), within "
        "the margin of 0.5 dB.",
    ),
    "neither way is better": (
        [-d for d in WAVES],
        {"metric": Metric("effective_depth", "blocks", 0.5, neutral=True)},
        "sine is lower than relu by 14.24 blocks (95 % interval 13.81 to 14.67, 10 seeds).",
    ),
    "neither way is better, inconclusive": (
        WIDE,
        {"metric": Metric("identity_share", "%", 0.5, neutral=True)},
        "sine against relu is inconclusive: 0.4 percentage points higher on average (95 % interval "
        "0.9 lower to 1.8 higher, 6 seeds); about 37 seeds would decide.",
    ),
    "a margin of one": (
        [0.0] * 6,
        {"metric": Metric("gradient_decay", "decades", 1.0), "margin": 1.0},
        "sine is equivalent to relu: no difference on average (the same in all 6 seeds), within "
        "the margin of 1 decade.",
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_sentence(case: str) -> None:
    differences, changes, sentence = SENTENCES[case]
    assert judged(differences, **changes).sentence == sentence


def test_one_pair_has_no_interval() -> None:
    verdict = judged([2.0])
    assert (verdict.verdict, verdict.n, verdict.p_sign_flip) == ("descriptive", 1, 1.0)
    assert verdict.interval == (-math.inf, math.inf)
    assert math.isnan(verdict.effect)


@pytest.mark.parametrize(
    ("value", "word", "effect"),
    [(0.1, "equivalent", math.inf), (-3.0, "worse", -math.inf), (0.0, "equivalent", 0.0)],
)
def test_no_spread(value: float, word: str, effect: float) -> None:
    verdict = judged([value] * 10)
    assert (verdict.verdict, verdict.effect) == (word, effect)
    assert verdict.interval == (value, value)
    assert "same difference" in verdict.flag


@pytest.mark.parametrize("n", range(1, 6))
def test_fewer_than_six_pairs_are_only_described(n: int) -> None:
    assert judged(WAVES[:n]).verdict == "descriptive"
    assert judged(WAVES[:n]).needed is None


def test_flag_is_silent_when_all_is_well() -> None:
    assert judged(WAVES, comparisons=5).flag == ""
    assert judged(WIDE).flag == ""


def test_flag_tells_a_disagreement() -> None:
    """One outlier widens the interval over 0, while every difference has the same sign."""
    verdict = judged([1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.0, 40.0])
    assert verdict.verdict == "inconclusive"
    assert verdict.flag == (
        "The sign-flip test disagrees: its p is 0.0078 where 0.05 is asked, while the 95 % "
        "interval includes 0."
    )


def test_no_flag_where_few_pairs_say_all_they_can() -> None:
    """2/2⁶ = 0.031 is the smallest p that 6 pairs can give, and 5 comparisons ask for 0.01."""
    verdict = judged([2.0, 2.1, 1.9, 2.0, 2.2, 1.8], comparisons=5)
    assert (verdict.verdict, verdict.p_sign_flip, verdict.flag) == ("better", 2 / 2**6, "")


@pytest.mark.parametrize(("diverged", "start"), [(1, "1 run diverged"), (3, "3 runs diverged")])
def test_flag_counts_diverged_runs(diverged: int, start: str) -> None:
    assert judged(WAVES, diverged=diverged).flag.startswith(start)


@pytest.mark.parametrize(
    ("differences", "changes", "told"),
    [
        ([], {}, "shape (0,)"),
        ([1.0, math.nan, 2.0], {}, "differences[1] = nan"),
        ([1.0, 2.0, math.inf], {}, "differences[2] = inf"),
        (WAVES, {"margin": -1.0}, "margin=-1.0"),
        (WAVES, {"margin": math.nan}, "margin=nan"),
        (WAVES, {"comparisons": 0}, "comparisons=0"),
        (WAVES, {"diverged": -1}, "diverged=-1"),
        (WAVES, {"alpha": 0.0}, "alpha=0.0"),
    ],
)
def test_bad_input(differences: list[float], changes: dict[str, object], told: str) -> None:
    with pytest.raises(PenchantError) as caught:
        judged(differences, **changes)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


# The promises, by simulation: the rule that judges is the rule that is simulated

STUDIES = 100_000
"""Simulated studies: a rate of 5 % is then known to ±0.07 % (one standard error)."""
ERROR = 3 * math.sqrt(0.05 * 0.95 / STUDIES)


def moments(differences: np.ndarray, axis: int = -1) -> tuple[np.ndarray, np.ndarray]:
    return differences.mean(axis), differences.std(axis, ddof=1)


@unhurried
@given(pairs, st.integers(1, 8))
def test_judge_uses_the_rule_that_is_simulated(differences: list[float], comparisons: int) -> None:
    mean, deviation = moments(np.array([differences, differences[::-1]]))
    assume(np.ptp(differences) > 0)
    words = decide(mean, deviation, len(differences), margin=0.5, comparisons=comparisons)
    assert words.tolist() == [judged(differences, comparisons=comparisons).verdict] * 2


# Draws with mean 0, and the range in which the coverage of a nominal 95 % interval must lie.
SHAPES: dict[str, tuple[Callable[[np.random.Generator, tuple[int, int]], np.ndarray], float, float]]
SHAPES = {
    "normal": (lambda draws, shape: draws.standard_normal(shape), 0.93, 0.97),
    "skewed (exponential)": (lambda draws, shape: draws.exponential(size=shape) - 1, 0.86, 0.97),
    "heavy-tailed (t3)": (lambda draws, shape: draws.standard_t(3, size=shape), 0.93, 0.99),
}


@pytest.mark.parametrize("n", [6, 10])
@pytest.mark.parametrize("shape", SHAPES)
def test_coverage(shape: str, n: int) -> None:
    draw, least, most = SHAPES[shape]
    mean, deviation = moments(draw(numbers(f"coverage {shape}"), (STUDIES, n)))
    coverage = np.mean(np.abs(mean) <= half_width(deviation, n, 0.05))
    print(f"coverage of the 95 % interval, {shape}, {n} seeds: {coverage:.2%}")
    assert least <= coverage <= most


@pytest.mark.parametrize("n", [6, 10])
def test_false_alarms_of_a_family(n: int) -> None:
    """5 designs that equal the baseline; they share its runs, so the comparisons correlate."""
    scores = numbers("family").standard_normal((STUDIES, 6, n))
    mean, deviation = moments(scores[:, 1:] - scores[:, :1])
    words = decide(mean, deviation, n, margin=0.0, comparisons=5)
    alarms = np.mean(np.isin(words, ["better", "worse"]).any(axis=-1))
    print(f"family of 5, {n} seeds: {alarms:.2%} false alarms")
    assert 0.02 <= alarms <= 0.05 + ERROR


@pytest.mark.parametrize("n", [6, 10])
@pytest.mark.parametrize("comparisons", [1, 5])
def test_false_equivalence_at_the_margin(comparisons: int, n: int) -> None:
    """Each design is truly better by exactly the margin; none may be called equivalent."""
    scores = numbers("equivalence").standard_normal((STUDIES, 1 + comparisons, n))
    mean, deviation = moments(scores[:, 1:] - scores[:, :1])
    margin = 10.0  # wide against the noise, where the rule errs most
    words = decide(mean + margin, deviation, n, margin=margin, comparisons=comparisons)
    errors = np.mean((words == "equivalent").any(axis=-1))
    print(f"truly at the margin, m = {comparisons}, {n} seeds: {errors:.2%} called equivalent")
    assert 0.02 <= errors <= 0.05 + ERROR
