"""Many verdicts in few words: how many comparisons went which way."""

from collections import Counter
from collections.abc import Sequence

from penchant.pages import counted
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.study import Results, Verdict, VerdictWord

ORDER: tuple[VerdictWord, ...] = ("better", "worse", "equivalent", "inconclusive", "descriptive")
_SAID = {"inconclusive": "undecided", "descriptive": "only described"}


def tally(verdicts: Sequence[Verdict]) -> str:
    """Count verdicts by their word.

    Example:
        >>> tally([])
        ''
    """
    found = Counter(one.verdict for one in verdicts)
    said = [f"{_SAID.get(word, word)} in {found[word]}" for word in ORDER if found[word]]
    return words.listed(said)


def share(verdicts: Sequence[Verdict]) -> str:
    """Count verdicts as shares of all: 2 are worse and 1 is undecided."""
    found = Counter(one.verdict for one in verdicts)
    said = [
        f"{found[word]} {'is' if found[word] == 1 else 'are'} {_SAID.get(word, word)}"
        for word in ORDER
        if found[word]
    ]
    return words.listed(said)


def only(verdicts: Sequence[Verdict]) -> str:
    """The word that all verdicts share; empty where they differ."""
    found = {one.verdict for one in verdicts}
    return found.pop() if len(found) == 1 else ""


def comparisons(results: Results, verdicts: Sequence[Verdict]) -> str:
    """What one verdict of several is called, counted: data sets, pairs of designs, comparisons."""
    signals = {one.signal for one in verdicts}
    designs = {(one.design, one.baseline) for one in verdicts}
    if len(designs) == 1:
        return counted(len(verdicts), words.noun(results))
    if len(signals) == 1 and reading.several_baselines(results):
        return counted(len(verdicts), "pair")
    return counted(len(verdicts), "comparison")


def grouped(results: Results) -> list[tuple[str, list[tuple[str, list[Verdict]]]]]:
    """All verdicts, by metric (the primary one first) and then by signal, where they have one."""
    order = {name: i for i, name in enumerate(reading.signals(results))}
    found = []
    for metric in reading.judged_metrics(results):
        own = [one for one in results.verdicts if one.metric == metric]
        signals = sorted(dict.fromkeys(one.signal for one in own), key=lambda s: order.get(s, -1))
        found.append(
            (metric, [(name, [one for one in own if one.signal == name]) for name in signals])
        )
    return found
