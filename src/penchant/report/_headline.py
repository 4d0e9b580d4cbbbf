"""The verdict in one plain sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import pandas as pd

from penchant.pages import counted, interval, quantity
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.report._many import beside, many
from penchant.report._target import reached_by
from penchant.study import Results, Verdict

_MOST_LOST = 4


@dataclass(frozen=True)
class Headline:
    """What to do, and what stands behind it or limits it."""

    advice: str
    detail: str


def headline(results: Results, designs: pd.DataFrame) -> Headline:
    """Say which design to use.

    Among designs that are better than the baseline, the one that scores best is advised. Where
    none is, and the plan has a target, one that is not worse and comes to it sooner. Otherwise the
    headline says why there is none: the baseline holds, or the seeds do not decide. Where there
    are several baselines, or each signal is judged by itself, it counts what was found.

    Args:
        results: a finished study.
        designs: its `table`.
    """
    if reading.judged_each(results) or reading.several_baselines(results):
        return Headline(*many(results))
    found = _one_baseline(results, designs)
    return Headline(found.advice, " ".join(filter(None, (found.detail, beside(results)))))


def _one_baseline(results: Results, designs: pd.DataFrame) -> Headline:
    verdicts = reading.verdicts_of(results)
    ranked = [name for name in designs["design"] if name in verdicts]
    base = reading.baseline(results)
    if not ranked:
        return _alone(results, designs)
    best = verdicts[ranked[0]]
    better = [verdicts[name] for name in ranked if verdicts[name].verdict == "better"]
    undecided = [verdicts[name] for name in ranked if verdicts[name].verdict == "inconclusive"]
    if best.verdict == "descriptive":
        return _descriptive(results, designs, best)
    if better:
        return Headline(
            f"Use {better[0].design}: {words.scope(results)} it "
            f"{_better_by(results, better[0])} than {base}",
            _range(results, better[0])
            + _in_time(results, better[0].design)
            + _runner_up(results, designs, better[0].design),
        )
    sooner = _sooner(results, [verdicts[name] for name in ranked])
    if sooner:
        return sooner
    if undecided:
        lead = undecided[0]
        needed = f" About {lead.needed:,} {_pairs(results)}s would decide." if lead.needed else ""
        return Headline(
            f"Undecided: {words.scope(results)} no design is shown to be better than {base}",
            f"{lead.design} differs by {_signed(results, lead.mean_difference)}, and "
            f"{counted(lead.n, _pairs(results))} do not decide. "
            f"{_range(results, lead)}{needed}{_worse(results, ranked)}"
            f"{_in_time(results, lead.design)}",
        )
    equal = [name for name in ranked if verdicts[name].verdict == "equivalent"]
    if equal:
        return Headline(
            f"Keep {base}: {words.scope(results)} no other design is better",
            f"{words.listed(equal)} {'is' if len(equal) == 1 else 'are'} equivalent to it: any "
            f"difference is smaller than the margin that matters"
            f"{_margin(results)}.{''.join(_in_time(results, name) for name in equal[:2])}",
        )
    return Headline(
        f"Keep {base}: {words.scope(results)} every other design is worse",
        f"{best.design} comes nearest. {_range(results, best)}{_in_time(results, best.design)}",
    )


def _worse(results: Results, ranked: Sequence[str]) -> str:
    """Name the designs that lost, beside those that are undecided."""
    verdicts = reading.verdicts_of(results)
    lost = [
        f"{name} ({_signed(results, verdicts[name].mean_difference)})"
        for name in ranked
        if verdicts[name].verdict == "worse"
    ]
    if len(lost) > _MOST_LOST:
        return f" {len(lost)} other designs are worse."
    return f" {words.listed(lost)} {'is' if len(lost) == 1 else 'are'} worse." if lost else ""


def _alone(results: Results, designs: pd.DataFrame) -> Headline:
    first = designs.iloc[0]
    score = quantity(first["mean"], words.decimals(results), words.unit(results))
    name = words.metric_name(results.metric)
    if len(designs) == 1:
        return Headline(
            f"{first['design']} reaches {score} {name} {words.scope(results)}",
            "The study has one design, so there is nothing to compare it with.",
        )
    return Headline(
        f"{first['design']} scores best {words.scope(results)}: {score} {name}",
        "The study holds no verdicts, so nothing is decided.",
    )


def _descriptive(results: Results, designs: pd.DataFrame, best: Verdict) -> Headline:
    first = designs.iloc[0]["design"]
    lead = f"by {_amount(results, abs(best.mean_difference))}"
    ahead = (
        f"{first} scores best {words.scope(results)}, ahead of {best.baseline} {lead}"
        if first == best.design
        else f"{first} scores best {words.scope(results)}, ahead of {best.design} {lead}"
    )
    pairs = counted(best.n, _pairs(results))
    return Headline(
        ahead,
        f"This describes {pairs} and decides nothing: a verdict needs at least 6.",
    )


def _sooner(results: Results, verdicts: Sequence[Verdict]) -> Headline | None:
    """The design that gains most in steps to the target, among those that lose nothing else."""
    in_time = reading.target_verdicts_of(results)
    found = [
        (in_time[own.design], own)
        for own in verdicts
        if own.design in in_time
        and in_time[own.design].verdict == "better"
        and own.verdict in ("equivalent", "inconclusive")
    ]
    if not found:
        return None
    # One whose score is settled comes before one whose score is not.
    steps, own = min(
        found, key=lambda pair: (pair[1].verdict != "equivalent", pair[0].mean_difference)
    )
    gain = (
        f"it reaches {_goal(results)} {_amount(results, abs(steps.mean_difference), steps.metric)} "
        f"sooner than {own.baseline}"
    )
    name = words.metric_name(results.metric)
    if own.verdict == "equivalent":
        return Headline(
            f"Use {own.design}: {words.scope(results)} {gain}",
            f"{_range(results, steps)} In {name} at the end the two are equivalent: any difference "
            f"is smaller than the margin that matters{_margin(results)}.",
        )
    needed = f" About {own.needed:,} {_pairs(results)}s would decide." if own.needed else ""
    return Headline(
        f"Undecided in {name}, but {words.scope(results)} {own.design} "
        + gain.replace("it reaches", "reaches", 1),
        f"{_range(results, steps)} In {name} at the end it differs by "
        f"{_signed(results, own.mean_difference)}, which {counted(own.n, _pairs(results))} do not "
        f"decide.{needed}",
    )


def _in_time(results: Results, design: str) -> str:
    """How soon a design comes to the target, where the plan has one."""
    verdict = reading.target_verdicts_of(results).get(design)
    if verdict is None:
        return ""
    amount = _amount(results, abs(verdict.mean_difference), verdict.metric)
    said = {
        "better": f"reaches {_goal(results)} {amount} sooner than {verdict.baseline}",
        "worse": f"reaches {_goal(results)} {amount} later than {verdict.baseline}",
        "equivalent": f"reaches {_goal(results)} as soon as {verdict.baseline}, within the margin",
    }
    undecided = f"may reach {_goal(results)} sooner or later than {verdict.baseline}: undecided"
    if not (reached_by(results, design) or reached_by(results, verdict.baseline)):
        return f" Neither reaches {_goal(results)}."
    return f" {design} {said.get(verdict.verdict, undecided)}."


def _goal(results: Results) -> str:
    return f"{words.goal(results)} {words.metric_name(results.metric)}"


def _better_by(results: Results, verdict: Verdict) -> str:
    amount = _amount(results, abs(verdict.mean_difference))
    kind, _, samples = results.metric.partition("_")
    if kind in {"psnr", "ssim", "snr"} and samples in {"held_out", "seen"}:
        voxels = "voxels" if results.plan.get("noun") == "volume" else "pixels"
        asked = "samples" if kind == "snr" else voxels
        pixels = f"reconstructs {samples.replace('_', '-')} {asked} {amount} better"
        return pixels + (" in SSIM" if kind == "ssim" else "")
    more = "more" if reading.higher_is_better(results) else "less"
    return f"has {amount} {more} {words.metric_name(results.metric)}"


def _range(results: Results, verdict: Verdict) -> str:
    low, high = verdict.interval
    if not (isfinite(low) and isfinite(high)):
        return ""
    unit = words.difference_unit(results, verdict.metric)
    between = interval(low, high, words.decimals(results, verdict.metric), signed=True)
    return (
        f"The difference lies between {between.replace(' to ', ' and ')}"
        f"{chr(160) + unit if unit else ''} "
        f"({counted(verdict.n, _pairs(results))}, simultaneous interval)."
    )


def _runner_up(results: Results, designs: pd.DataFrame, chosen: str) -> str:
    """The plan compares with the baseline alone, so a near second must not look beaten."""
    others = designs[designs["design"] != chosen]
    if others.empty or others.iloc[0]["design"] == reading.baseline(results):
        return ""
    second = others.iloc[0]
    own = float(designs.loc[designs["design"] == chosen, "mean"].iloc[0])
    gap = _signed(results, own - float(second["mean"]))
    return (
        f" Its distance to {second['design']} ({gap}) was not tested: the plan compares each "
        f"design with {reading.baseline(results)}."
    )


def _pairs(results: Results) -> str:
    return "seed" if len(reading.signals(results)) == 1 else words.noun(results)


def _amount(results: Results, value: float, metric: str | None = None) -> str:
    return quantity(value, _places(results, metric), words.difference_unit(results, metric))


def _signed(results: Results, value: float) -> str:
    return quantity(value, _places(results), words.difference_unit(results), signed=True)


def _places(results: Results, metric: str | None = None) -> int:
    """One decimal less than a table has, but for the only one."""
    usual = words.decimals(results, metric)
    return max(min(usual, 1), usual - 1)


def _margin(results: Results) -> str:
    known = words.margin(results)
    return f" ({known})" if known else ""
