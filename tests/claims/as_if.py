"""A claim's own comparisons with made-up differences, so that its rules see every result."""

from collections.abc import Mapping, Sequence
from typing import Any

from claims.made_up import DIFFERENCES

from penchant.claims import Record, Ruling, Statement

OUTCOMES = (
    ("wanted wanted", "holds"),
    ("wanted other", "holds under conditions"),
    ("wanted inconclusive", "holds under conditions"),
    ("other other", "fails as written"),
    ("other inconclusive", "fails as written"),
    ("inconclusive inconclusive", "undecided"),
    ("descriptive descriptive", "undecided"),
)
"""Two comparisons' verdicts, and what the ruling on "each is as wanted" then is."""


def evidence_of(record: Record, name: str) -> Mapping[str, Any]:
    """What a statement's run has found."""
    found = record.found[name].evidence
    assert found is not None, record.found[name].reason
    return found


def pairs_of(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All comparisons in the evidence."""
    return [pair for study in evidence["studies"] for pair in study["pairs"]]


def read_by(statement: Statement, evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The comparisons that a statement's rule reads."""
    each = pairs_of(evidence)
    return [pair for pair in each if statement.rule.judge(_of(evidence, [pair])).word != "not run"]


def judged(
    statement: Statement, evidence: Mapping[str, Any], wanted: Sequence[str], outcome: str
) -> Ruling:
    """Judge two comparisons that a statement reads, if they came out so.

    Args:
        statement: whose rule.
        evidence: of a run, with one comparison at least that the rule reads.
        wanted: verdicts that the statement is to ask for.
        outcome: two of ``wanted``, ``other`` and verdicts' words.
    """
    other = next(word for word in ("worse", "better") if word not in wanted)
    meant = {"wanted": wanted[0], "other": other}
    pair, words = read_by(statement, evidence)[0], outcome.split()
    return statement.rule.judge(
        _of(evidence, [_as_if(pair, meant.get(word, word)) for word in words])
    )


def _of(evidence: Mapping[str, Any], pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"studies": [{**evidence["studies"][0], "pairs": list(pairs)}]}


def _as_if(pair: Mapping[str, Any], word: str) -> dict[str, Any]:
    sign = 1 if pair["higher_is_better"] else -1
    margin = pair["margin"] or 0.5  # where a threshold is compared with, none is allowed
    differences = [2 * sign * margin * value for value in DIFFERENCES[word]]
    return {**pair, "differences": differences, "described": word == "descriptive"}
