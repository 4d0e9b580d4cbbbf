"""Rules that turn evidence into rulings: of exact statements, and of comparisons in studies."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from penchant.claims._claim import Evidence, Rule, Ruling
from penchant.pages import number
from penchant.report import told_apart
from penchant.study import FEWEST, Verdict, VerdictWord, amount, judge
from penchant.tasks import Metric

Pair = Mapping[str, Any]
"""A comparison in a study's evidence: design, baseline, metric, signal, differences, and facts."""


def check(name: str, cases: int, error: float, worst: str = "") -> dict[str, Any]:
    """Return the evidence of an identity that was checked over many cases.

    Args:
        name: the identity, in words or as a formula.
        cases: in how many it was checked.
        error: the largest deviation among them, in the scale that the rule's tolerance is in.
        worst: the case in which it was largest.
    """
    return {"name": name, "cases": cases, "error": float(error), "worst": worst}


def exactly(tolerance: float = 0.0) -> Rule:
    """An identity: it holds if no case of any check deviates by more than the tolerance.

    Example:
        >>> exactly().judge({"checks": [check("1 + 1 = 2", 1, 0.0)]}).sentence
        '1 case, no deviation.'
    """
    within = "without any deviation" if tolerance == 0 else f"to within {tolerance:g}"
    return Rule(
        f"Holds if every case agrees {within}, and fails if one does not.",
        lambda evidence: _exactly(evidence, tolerance),
    )


def _exactly(evidence: Evidence, tolerance: float) -> Ruling:
    checks = evidence.get("checks", [])
    cases = sum(one["cases"] for one in checks)
    if not cases:
        return Ruling("not run", "Nothing was checked.")
    broken = [one for one in checks if not one["error"] <= tolerance]
    if broken:
        first = max(broken, key=lambda one: one["error"])
        where = f", for {first['worst']}" if first["worst"] else ""
        return Ruling(
            "fails as written",
            f"{first['name']} deviates by up to {first['error']:.2g}{where}; "
            f"{tolerance:g} is allowed.",
        )
    largest = max(one["error"] for one in checks)
    how = "no deviation" if largest == 0 else f"largest deviation {largest:.1g}"
    return Ruling("holds", f"{_counted(cases, 'case')}, {how}.")


def comparisons(
    wanted: VerdictWord | Sequence[VerdictWord],
    saying: str,
    *,
    margin: float | None = None,
    **facts: object,
) -> Rule:
    """A statement about comparisons in studies: it holds if each of them comes out as wanted.

    All comparisons that the rule reads share one rate of error of 5 % (Bonferroni), over however
    many studies they are spread. An interval decides each of them by the rule of a study's
    verdicts; then the statement holds if all came out as wanted, fails if some came out otherwise
    and none as wanted, holds under conditions if some did and some did not, and is undecided if
    none was decided.

    Args:
        wanted: a verdict's word, or several any of which will do.
        saying: what is compared with what, in words.
        margin: the difference that matters, in place of the study's own.
        facts: which of the evidence's comparisons count: a value, or several, for any fact that a
            comparison has, such as ``metric="psnr_held_out"`` or ``encoding=("nerf", "grid")``.

    Returns:
        The rule.
    """
    words = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    said = " or ".join(words)
    differ = "the study's margin" if margin is None else f"a margin of {margin:g}"
    return Rule(
        f"{saying} Each comparison is judged by a simultaneous paired-t interval (Bonferroni over "
        f"all comparisons read here, α = 0.05, {differ}). Holds if every one is {said}; holds "
        "under conditions if some are and some are not; fails if none is and at least one is "
        "decided otherwise; else undecided.",
        lambda evidence: rule_on(judged(evidence, margin=margin, **facts), words),
    )


def pairs(evidence: Evidence, **facts: object) -> list[Pair]:
    """List the comparisons of the evidence's studies that have the given facts."""
    found: list[Pair] = []
    for study in evidence.get("studies", []):
        for pair in study["pairs"]:
            whole = {"study": study["study"], "profile": study["profile"], **pair["facts"], **pair}
            if all(_is(whole.get(fact), value) for fact, value in facts.items()):
                found.append(whole)
    return found


def _is(value: object, wanted: object) -> bool:
    several = wanted if isinstance(wanted, tuple | list | set | frozenset) else (wanted,)
    return value in several


def judged(
    evidence: Evidence, *, margin: float | None = None, **facts: object
) -> list[tuple[Pair, Verdict]]:
    """Judge anew the comparisons that have the given facts, as one family."""
    chosen = pairs(evidence, **facts)
    return [(pair, verdict_of(pair, len(chosen), margin=margin)) for pair in chosen]


def verdict_of(pair: Pair, comparisons: int, *, margin: float | None = None) -> Verdict:
    """Judge one comparison from its paired differences, in a family of so many."""
    if not pair["differences"]:
        return _unknown(pair)
    allowed = pair["margin"] if margin is None else margin
    metric = Metric(pair["metric"], pair["unit"], allowed, pair["higher_is_better"])
    found = judge(
        pair["differences"],
        design=pair["design"],
        baseline=pair["baseline"],
        metric=metric,
        margin=allowed,
        comparisons=comparisons,
        unit_of_n=pair["unit_of_n"],
    )
    if pair["described"]:  # what is defined in some pairs alone would be judged on a choice of them
        return replace(found, verdict="descriptive", needed=None)
    return found


def _unknown(pair: Pair) -> Verdict:
    """Describe a comparison of which nothing is known, such as two that never came to a target."""
    nan = math.nan
    return Verdict(
        design=pair["design"],
        baseline=pair["baseline"],
        metric=pair["metric"],
        unit=pair["unit"],
        n=0,
        mean_difference=nan,
        interval=(nan, nan),
        p_sign_flip=nan,
        effect=nan,
        verdict="descriptive",
        sentence=f"{pair['design']} against {pair['baseline']}: {pair['metric']} is undefined.",
    )


def rule_on(found: Sequence[tuple[Pair, Verdict]], wanted: Sequence[str]) -> Ruling:
    """Turn the verdicts on several comparisons into the ruling on "each is as wanted"."""
    if not found:
        return Ruling("not run", "There is no such comparison in the evidence.")
    open_words = {"inconclusive", "descriptive"}
    supports = [one for one in found if one[1].verdict in wanted]
    against = [one for one in found if one[1].verdict not in {*wanted, *open_words}]
    left = [one for one in found if one[1].verdict in open_words]
    conditions = tuple(_condition(pair, found) for pair, _ in supports)
    sentence = _sentence({"as stated": supports, "otherwise": against, "undecided": left})
    if len(supports) == len(found):
        return Ruling("holds", sentence)
    if supports:
        return Ruling("holds under conditions", sentence, conditions, _needed(left))
    if against:
        return Ruling("fails as written", sentence, needed=_needed(left))
    return Ruling("undecided", sentence, needed=_needed(left))


def _condition(pair: Pair, found: Sequence[tuple[Pair, Verdict]]) -> dict[str, object]:
    """What tells one comparison from the others, as data."""
    names = ("study", "profile", "signal", "metric", *pair["facts"])
    differ = [name for name in names if len({str(_fact(other, name)) for other, _ in found}) > 1]
    return {
        "design": pair["design"],
        "baseline": pair["baseline"],
        **{name: _fact(pair, name) for name in differ},
    }


def _fact(pair: Pair, name: str) -> object:
    return pair.get(name, pair["facts"].get(name))


def _sentence(groups: Mapping[str, Sequence[tuple[Pair, Verdict]]]) -> str:
    """Count what came out as stated, otherwise and neither; tell the largest differences.

    Better and worse would mislead here, since a statement may be about what is worse.
    """
    found = [one for group in groups.values() for one in group]
    if len(found) == 1:
        return found[0][1].sentence
    spread = ", ".join(f"{len(group)} {name}" for name, group in groups.items() if group)
    counted = f"Of {len(found)} comparisons {spread}"
    short = told_apart([pair["signal"] for pair, _ in found])[1]
    largest = {
        name: _told(*max(mine, key=_size), short)
        for name, group in groups.items()
        if (mine := [one for one in group if one[1].n])
    }
    if not largest:
        return f"{counted}; nothing is known of any."
    if len(largest) == 1:
        return f"{counted}; the largest difference: {next(iter(largest.values()))}."
    # What is undecided is told of where there is nothing else: the figure has the rest.
    each = "; ".join(f"{name}, {told}" for name, told in list(largest.items())[:2])
    return f"{counted}. The largest difference of each: {each}."


def _size(one: tuple[Pair, Verdict]) -> float:
    """A difference in margins, so that those of other metrics can be set beside it."""
    pair, verdict = one
    return abs(verdict.mean_difference) / (pair["margin"] or 1.0)


def _told(pair: Pair, verdict: Verdict, signals: Mapping[str, str]) -> str:
    half = (verdict.interval[1] - verdict.interval[0]) / 2
    # Two of the half width's digits are known.
    places = min(6, max(0, 1 - math.floor(math.log10(half)))) if 0 < half < math.inf else 2
    low, mean, high = (
        number(value, places, signed=True)
        for value in (verdict.interval[0], verdict.mean_difference, verdict.interval[1])
    )
    where = f" ({signals[pair['signal']]})" if len(signals) > 1 else ""
    who = f"{verdict.design} against {verdict.baseline}{where}"
    return f"{who} {amount(mean, verdict.unit)} ({low} to {high})"


def _needed(left: Iterable[tuple[Pair, Verdict]]) -> str:
    known = [(verdict.needed, pair) for pair, verdict in left if verdict.needed]
    if known:
        most, pair = max(known, key=lambda one: one[0])
        said = f"about {most:,} {pair['unit_of_n']} would decide"
        return said if len(known) == 1 else f"{said} all that is left open"
    few = [pair for pair, verdict in left if 0 < verdict.n < FEWEST]
    return f"at least 6 {few[0]['unit_of_n']} are needed" if few else ""


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
