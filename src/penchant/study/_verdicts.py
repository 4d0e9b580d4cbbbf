"""From runs to verdicts: pair by seed on one signal, average over seeds across several."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from penchant.study._question import Question
from penchant.study._results import Run, Verdict, VerdictWord
from penchant.study._sentence import UnitOfN
from penchant.study._verdict import judge

NEITHER = "Neither "


def comparisons(
    baselines: Mapping[str, str], questions: int, signals: int, *, each: bool = False
) -> int:
    """Count the comparisons of a study: all of its verdicts share one rate of error.

    Args:
        baselines: each design's baseline; a baseline is its own.
        questions: metrics that are judged, the steps to a target among them.
        signals: how many there are.
        each: whether each signal is judged by itself.

    Example:
        >>> comparisons({"relu": "relu", "sine": "relu", "tanh": "relu"}, 2, 5)
        4
        >>> comparisons({"relu": "relu", "sine": "relu", "tanh": "relu"}, 2, 5, each=True)
        20
    """
    compared = sum(label != baseline for label, baseline in baselines.items())
    return compared * questions * (signals if each else 1)


def verdicts(
    runs: Sequence[Run],
    baselines: Mapping[str, str],
    question: Question,
    m: int,
    *,
    each: bool = False,
) -> tuple[Verdict, ...]:
    """Judge each design against its baseline.

    Where a run never came to a target, the verdict says so; where neither design ever did, nothing
    is known. What is undefined in a run, as the paths through blocks of a network without blocks,
    or a score at a level that was not reached, is described and not judged.

    Args:
        runs: the finished runs of a study, every design with the same seeds and signals.
        baselines: each design's baseline, in the order of the plan; a baseline is its own.
        question: what is compared.
        m: the study's number of comparisons, which share the error that may be made.
        each: judge each signal by itself.

    Returns:
        One verdict for each design that is no baseline (and each signal), in the order of the plan.
    """
    signals = list(dict.fromkeys(run.signal for run in runs))
    groups = [(name, [run for run in runs if run.signal == name]) for name in signals]
    pairs = [(label, baseline) for label, baseline in baselines.items() if label != baseline]
    return tuple(
        _on(signal, _verdict(mine, pair, question, m), named=len(signals) > 1)
        for signal, mine in (groups if each else [("", runs)])
        for pair in pairs
    )


def _on(signal: str, verdict: Verdict, *, named: bool) -> Verdict:
    """Say what a verdict speaks of; where there is one signal, its sentence need not name it."""
    if not (signal and named):
        return replace(verdict, signal=signal)
    text = verdict.sentence.replace(NEITHER, NEITHER.lower(), 1)
    return replace(verdict, signal=signal, sentence=f"On {signal}, {text}")


def _verdict(runs: Sequence[Run], pair: tuple[str, str], question: Question, m: int) -> Verdict:
    design, baseline = pair
    values = {(run.design, run.signal, run.seed): question.value(run) for run in runs}
    found = [
        [values[design, signal, seed] - values[baseline, signal, seed] for seed in seeds]
        for signal, seeds in _seeds(runs).items()
    ]
    unit: UnitOfN = "seeds" if len(found) == 1 else "signals"
    differences = found[0] if unit == "seeds" else [fmean(row) for row in found]
    known = [difference for difference in differences if math.isfinite(difference)]
    ours = [run for run in runs if run.design in pair]
    # Of what a diverged run never came to, the flag says just that.
    diverged = 0 if question.goal else sum(run.status == "diverged" for run in ours)
    judged = judge(
        known or [0.0],
        design=design,
        baseline=baseline,
        metric=question.metric,
        margin=question.metric.margin,
        comparisons=m,
        unit_of_n=unit,
        diverged=diverged,
    )
    if len(known) < len(differences):
        return _undefined(judged, ours, question, len(known))
    return _with_missed(judged, ours, question) if question.goal else judged


def _seeds(runs: Sequence[Run]) -> dict[str, list[int]]:
    seeds: dict[str, set[int]] = {}
    for run in runs:
        seeds.setdefault(run.signal, set()).add(run.seed)
    return {signal: sorted(seeds[signal]) for signal in sorted(seeds)}


def _undefined(verdict: Verdict, runs: Sequence[Run], question: Question, known: int) -> Verdict:
    """Describe what has no number in some runs; the differences are those of the other pairs."""
    parts = []
    for label in (verdict.design, verdict.baseline):
        mine = [math.isfinite(question.value(run)) for run in runs if run.design == label]
        if not all(mine):
            parts.append(f"in {mine.count(False)} of {len(mine)} runs of {label}")
    lacking = f"{question.metric.name} is undefined"
    if question.goal:
        lacking = f"{question.goal} was not reached"
    text = (
        f"{verdict.design} against {verdict.baseline}: {lacking} {' and '.join(parts)}; "
        "descriptive only."
    )
    plain = replace(verdict, verdict="descriptive", sentence=text, needed=None)
    if known:
        return plain
    nan = math.nan
    return replace(
        plain,
        n=0,
        mean_difference=nan,
        interval=(nan, nan),
        p_sign_flip=nan,
        effect=nan,
        flag="",
        differences=(),
    )


def _with_missed(verdict: Verdict, runs: Sequence[Run], question: Question) -> Verdict:
    """Flag the runs of the two designs that never came to what is asked."""
    labels = (verdict.design, verdict.baseline)
    missed = {
        label: [question.answer(run) is None for run in runs if run.design == label]
        for label in labels
    }
    if all(map(all, missed.values())):
        text = f"{NEITHER}{labels[0]} nor {labels[1]} reached {question.goal} in any run."
        word: VerdictWord = "descriptive" if verdict.verdict == "descriptive" else "inconclusive"
        return replace(verdict, verdict=word, sentence=text, flag="", needed=None, differences=())
    parts = [
        f"{sum(mine)} of {len(mine)} runs of {label} never reached it"
        for label, mine in missed.items()
        if any(mine)
    ]
    if not parts:
        return verdict
    text = f"{' and '.join(parts)}; {question.said_otherwise}."
    return replace(verdict, flag=f"{verdict.flag} {text}".lstrip())
