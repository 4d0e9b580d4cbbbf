"""Claims run in the smoke profile, and what each of them has to come with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penchant.claims import Claim, Record, run


def records_of(claims: Sequence[Claim], folder: Path) -> dict[str, Record]:
    """Run claims in the smoke profile, by id."""
    return {record.claim: record for record in run(claims, folder, profile="smoke")}


def evidence_of(record: Record) -> dict[str, Any]:
    """A record's evidence by statement."""
    return {name: one.evidence for name, one in record.found.items() if one.evidence is not None}


def check_whole(claim: Claim, record: Record) -> None:
    """Every statement has evidence, a ruling that follows from it, and the figure is drawn."""
    assert record.complete, {name: one.reason for name, one in record.found.items()}
    assert list(record.rulings) == [one.name for one in claim.statements]
    for statement in claim.statements:
        ruling = record.rulings[statement.name]
        assert ruling.word != "not run" and ruling.sentence
        if statement.kind in ("exact", "derived"):
            assert ruling.word in ("holds", "holds under conditions"), ruling
        assert statement.rule.judge({}).word == "not run"
    assert claim.figure is not None
    figure = claim.figure(evidence_of(record))
    assert figure is not None and figure.title and figure.caption
    assert f'id="claim-{claim.id}-' in figure.svg and "#000000" not in figure.svg
    assert claim.figure({}) is None
