"""The page of claims: the notes' outline, with a verdict and its evidence at each statement.

The page is made from records alone, and judges their evidence anew: the same records give the same
text, whoever made them, and no verdict on it is older than its rule.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penchant.claims._claim import Claim, Ruling, Section, Statement, Word, verdict
from penchant.claims._notes import NOTES
from penchant.claims._record import Record, last, records
from penchant.claims._run import rulings, statements_of
from penchant.explain import Figure
from penchant.pages import counted, render

SIGNS: Mapping[Word, str] = {
    "holds": "✓",
    "holds under conditions": "◐",
    "fails as written": "✗",
    "undecided": "?",
    "not run": "–",
}


@dataclass(frozen=True)
class Judged:
    """A statement with what came out."""

    statement: Statement
    ruling: Ruling
    studies: Sequence[Mapping[str, Any]]
    checks: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Entry:
    """A claim as the page shows it."""

    claim: Claim
    asked: str
    """What is typed to run it."""
    word: Word
    own: Sequence[Judged]
    beside: Sequence[Judged]
    figure: Figure | None
    record: Record | None
    others: Sequence[tuple[str, Word, str]]
    """The other profiles in which it was run: name, verdict, date."""
    outdated: bool
    """Whether the statements have changed since."""

    @property
    def trial(self) -> bool:
        """Whether it has been run for seconds alone, on data that says little of what it asks."""
        measured = any(one.statement.kind == "measured" for one in self.own)
        return self.record is not None and self.record.profile == "smoke" and measured

    @property
    def seconds(self) -> float:
        """Processor seconds that its evidence took, studies' runs among them."""
        assert self.record is not None
        studies: dict[tuple[str, str], float] = {
            (study["study"], study["profile"]): study.get("seconds", 0.0)
            for one in (*self.own, *self.beside)
            for study in one.studies
        }
        return float(self.record.method["seconds"]) + sum(studies.values())


def page(out: str | Path, sections: Sequence[Section] = NOTES) -> str:
    """Make the page of claims.

    Args:
        out: the folder in which records are kept.
        sections: which claims, by default all of the notes'.

    Returns:
        One HTML file, with everything inside.

    Raises:
        PenchantError: a record cannot be read.
    """
    entries = {
        section.title: [_entry(claim, section, Path(out)) for claim in section.claims]
        for section in sections
    }
    words = Counter(entry.word for several in entries.values() for entry in several)
    notes = all(section in NOTES for section in sections)
    return render(
        "claims.html.jinja",
        room="penchant.claims",
        title="Lecture notes, put to the test" if notes else "Claims, put to the test",
        notes=notes,
        sections=entries,
        total=counted(sum(words.values()), "statement"),
        words=[(word, SIGNS[word], words[word]) for word in SIGNS if words[word]],
        signs=SIGNS,
        slug=_slug,
        duration=_duration,
        facts=_facts,
    )


def _entry(claim: Claim, section: Section, out: Path) -> Entry:
    found = records(out, claim.id)
    record = last(found)
    judged = {} if record is None else rulings(claim, record.found)
    shown = [
        Judged(
            one,
            judged.get(one.name, Ruling("not run", "")),
            *_evidence(record, one.name),
        )
        for one in claim.statements
    ]
    figure = None
    if record is not None and claim.figure is not None:
        known = {name: one.evidence for name, one in record.found.items() if one.evidence}
        figure = claim.figure(known) if known else None
    return Entry(
        claim=claim,
        asked=section.file or claim.id,
        word=verdict(claim.statements, judged),
        own=[one for one in shown if not one.statement.instead],
        beside=[one for one in shown if one.statement.instead],
        figure=figure,
        record=record,
        others=[
            (name, verdict(claim.statements, rulings(claim, one.found)), one.method["date"])
            for name, one in found.items()
            if one is not record
        ],
        outdated=record is not None and record.statements != statements_of(claim),
    )


def _evidence(
    record: Record | None, name: str
) -> tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]:
    """A statement's studies and its checks."""
    if record is None or name not in record.found:
        return (), ()
    evidence = record.found[name].evidence or {}
    return evidence.get("studies", ()), evidence.get("checks", ())


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def _duration(seconds: float) -> str:
    """Processor time in words.

    Example:
        >>> _duration(7.2), _duration(400), _duration(9000)
        ('7 s', '7 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _facts(condition: Mapping[str, object]) -> str:
    """A condition, which is data, as a reader takes it.

    Example:
        >>> _facts({"design": "sine", "baseline": "relu", "signal": "kodak"})
        'sine against relu (signal kodak)'
    """
    rest = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in condition.items()
        if name not in ("design", "baseline")
    ]
    pair = f"{condition['design']} against {condition['baseline']}" if "design" in condition else ""
    told = ", ".join(rest)
    return f"{pair} ({told})" if pair and told else pair or told
