"""The headline of a study with many comparisons: pairs of designs, or each signal by itself.

It counts verdicts and names them; what no verdict speaks of (a trend over the signals, say) is
called untested.
"""

from collections.abc import Sequence

from penchant.pages import quantity
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.report._signals import Axis, axes_of
from penchant.report._tally import ORDER, comparisons, only, share, tally
from penchant.study import Results, Verdict, VerdictWord

_OTHER = "another design"
_MOST_DESIGNS = 4
_MOST_NAMES = 6
_SAID = {"inconclusive": "undecided", "descriptive": "only described"}


def many(results: Results) -> tuple[str, str]:
    """Say what the comparisons found, and where: the advice and its detail."""
    verdicts = [one for one in results.verdicts if one.metric == results.metric]
    detail = " ".join(
        text
        for text in (
            _need(results, verdicts),
            _where(results, verdicts),
            _flags(results, verdicts),
            _untested(results),
            beside(results),
        )
        if text
    )
    return _advice(results, verdicts), detail


def _advice(results: Results, verdicts: Sequence[Verdict]) -> str:
    base = reading.baseline(results)
    mine, its = words.compared_choice(results)
    if reading.several_baselines(results):
        subject, against = mine or _OTHER, its or "its baseline"
    else:
        labels = {one.design for one in verdicts}
        subject, against = labels.pop() if len(labels) == 1 else _OTHER, base
    name = words.metric_name(results.metric)
    where = comparisons(results, verdicts)
    all_alike = {
        "better": f"Use {subject}: in each of {where} it is better than {against} in {name}",
        "worse": f"Keep {against}: in each of {where} {subject} is worse in {name}",
        "equivalent": f"No difference that matters: in each of {where} {subject} is equivalent to "
        f"{against} in {name}",
        "inconclusive": f"Undecided: {where} do not show {subject} to be better or worse than "
        f"{against} in {name}",
        "descriptive": f"Nothing is decided: {where} in {name} are only described",
    }
    word = only(verdicts)
    if word == "better" and subject == _OTHER:
        return f"Leave {against}: in each of {where} the other design is better in {name}"
    return all_alike[word] if word else _mixed(verdicts, subject, against, where, name)


def _mixed(verdicts: Sequence[Verdict], subject: str, against: str, where: str, name: str) -> str:
    """Lead with the first word that was found, and count the others behind it."""
    leads = {"better": "is better than", "worse": "is worse than", "equivalent": "is equivalent to"}
    word = next((word for word in leads if any(one.verdict == word for one in verdicts)), "")
    if not word:
        return f"Undecided: of {where}, {share(verdicts)}"
    if subject == _OTHER and word != "better":
        return (
            f"No design is shown to be better than {against} in {name}: of {where}, "
            f"{share(verdicts)}"
        )
    own = [one for one in verdicts if one.verdict == word]
    rest = [one for one in verdicts if one.verdict != word]
    return (
        f"In {len(own)} of {where} {subject} {leads[word]} {against} in {name}; it is {tally(rest)}"
    )


def _need(results: Results, verdicts: Sequence[Verdict]) -> str:
    if only(verdicts) != "descriptive":
        return ""
    by_seed = reading.judged_each(results) or len(reading.signals(results)) == 1
    return f"A verdict needs at least 6 {'seed' if by_seed else words.noun(results)}s."


def _where(results: Results, verdicts: Sequence[Verdict]) -> str:
    """Which comparisons went which way, where they differ."""
    if only(verdicts):
        return ""
    if not reading.judged_each(results):
        return _by_word([(one.verdict, words.row_choices(results, one.design)) for one in verdicts])
    axes = axes_of(reading.signals(results))
    designs = list(dict.fromkeys(one.design for one in verdicts))
    if len(designs) > _MOST_DESIGNS:
        return ""  # the tables below say it better
    said = []
    for design in designs:
        own = [one for one in verdicts if one.design == design]
        lead = f"{words.row_name(results, design)}: " if len(designs) > 1 else ""
        along = [_on(own, axis) for axis in axes] if len(axes) == 1 else [tally(own)]
        said.append(f"{lead}{'; '.join(filter(None, along))}.")
    text = " ".join(said)
    return text[:1].upper() + text[1:] if len(designs) == 1 else text


def _flags(results: Results, verdicts: Sequence[Verdict]) -> str:
    """What a reader must know of a verdict before relying on it."""
    flagged = [one for one in verdicts if one.flag]
    if len(flagged) > 1:
        return f"Read what is noted at {len(flagged)} of the verdicts."
    known = reading.metric_names(results)
    return "".join(
        f"Note on {words.row_name(results, one.design)}: {words.in_words(one.flag, known)}"
        for one in flagged
    )


def _by_word(named: Sequence[tuple[VerdictWord, Sequence[str]]]) -> str:
    """Name the pairs of each verdict; those that share their first choice stand together."""
    groups: dict[str, dict[str, list[str]]] = {}
    for word, (first, *rest) in sorted(named, key=lambda one: ORDER.index(one[0])):
        own = groups.setdefault(_SAID.get(word, word), {}).setdefault(first, [])
        own += [", ".join(rest)] if rest else []
    return " ".join(
        f"{word.capitalize()}: "
        + _shortened([f"{f} ({', '.join(rest)})" if rest else f for f, rest in firsts.items()])
        + "."
        for word, firsts in groups.items()
    )


def _on(verdicts: Sequence[Verdict], axis: Axis) -> str:
    """One design's verdicts along an axis: equivalent at 2 and 5 classes, undecided at 10."""
    groups: dict[str, list[str]] = {}
    for signal in axis.signals:
        for one in verdicts:
            if one.signal == signal:
                groups.setdefault(_SAID.get(one.verdict, one.verdict), []).append(axis.name(signal))
    at = "at" if axis.values else "on"
    said = ", ".join(f"{word} {at} {_shortened(names)}" for word, names in groups.items())
    return f"{said} {axis.heading}".rstrip() if said else ""


def _shortened(names: Sequence[str]) -> str:
    if len(names) > _MOST_NAMES:
        names = [*names[: _MOST_NAMES - 1], f"{len(names) - _MOST_NAMES + 1} more"]
    return words.listed(names)


def _untested(results: Results) -> str:
    """Verdicts on single signals do not compare the signals with each other."""
    if not reading.judged_each(results):
        return ""
    axes = axes_of(reading.signals(results))
    titles = list(dict.fromkeys(axis.title for axis in axes if axis.values))
    if not titles:
        return ""
    return f"How the differences change with the {words.listed(titles)} was not tested."


def beside(results: Results) -> str:
    """What the verdicts on further metrics say, in counts or by design."""
    said = []
    many_each = reading.judged_each(results) or reading.several_baselines(results)
    for metric in reading.judged_metrics(results):
        if metric == results.metric:
            continue
        own = [one for one in results.verdicts if one.metric == metric]
        name = words.metric_name(metric)
        if only(own) == "descriptive":
            continue
        if many_each:
            said.append(f"{words.capital(name)}: {tally(own)}.")
            continue
        groups: dict[str, list[str]] = {}
        for one in own:
            by = ""
            if one.verdict in ("better", "worse"):
                usual = words.decimals(results, metric)
                places = max(min(usual, 1), usual - 1)
                unit = words.difference_unit(results, metric)
                by = f" by {quantity(abs(one.mean_difference), places, unit)}"
            groups.setdefault(_SAID.get(one.verdict, one.verdict) + by, []).append(one.design)
        parts = [
            f"{_shortened(names)} {'is' if len(names) == 1 else 'are'} {word}"
            for word, names in groups.items()
        ]
        said.append(f"In {name}, {'; '.join(parts)}.")
    return " ".join(said)
