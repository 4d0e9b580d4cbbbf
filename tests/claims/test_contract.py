"""What every claim of the notes has to come with; a new one is its claim and a line in `cases`."""

import pytest
from claims.as_if import OUTCOMES, evidence_of, judged, read_by
from claims.cases import READ, WANTED
from claims.conftest import CLAIMS, Smoke
from claims.made_up import identity

from penchant.claims import Claim, Statement

STATEMENTS = {
    f"{claim.id}/{one.name}": one for claim in CLAIMS.values() for one in claim.statements
}
OWN_RULES = {"kl-limits/nothing-to-do"}
"""Identities that are judged by a rule of their own."""
IDENTITIES = [
    name
    for name, one in STATEMENTS.items()
    if one.kind in ("exact", "derived") and name not in OWN_RULES
]


def test_all_statements_of_the_notes_are_here() -> None:
    assert len(CLAIMS) == 23


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_the_smoke_profile_is_whole(claim: Claim, smoke: Smoke) -> None:
    """Every statement has evidence and a ruling that follows from it, and the figure is drawn."""
    record = smoke[claim.id]
    assert record.complete, {name: one.reason for name, one in record.found.items()}
    assert list(record.rulings) == [one.name for one in claim.statements]
    for statement in claim.statements:
        ruling = record.rulings[statement.name]
        assert ruling.word != "not run" and ruling.sentence
        if statement.kind in ("exact", "derived"):
            assert ruling.word in ("holds", "holds under conditions"), ruling
        assert statement.rule.judge({}).word == "not run"
    assert claim.figure is not None
    evidence = {name: evidence_of(record, name) for name in record.found}
    figure = claim.figure(evidence)
    assert figure is not None and figure.title and figure.caption
    assert f'id="claim-{claim.id}-' in figure.svg and "#000000" not in figure.svg
    assert claim.figure({}) is None


@pytest.mark.parametrize("name", IDENTITIES)
def test_an_identity_fails_by_one_case(name: str) -> None:
    rule = STATEMENTS[name].rule
    assert rule.judge(identity(0.0)).word == "holds"
    assert rule.judge(identity(1e-6)).word == "fails as written"


def test_every_measured_statement_has_its_case() -> None:
    measured = {name for name, one in STATEMENTS.items() if one.kind == "measured"}
    assert set(WANTED) == measured
    assert set(READ) <= measured


@pytest.mark.parametrize("name", WANTED)
@pytest.mark.parametrize(("outcome", "ruled"), OUTCOMES)
def test_rules_on_every_kind_of_result(name: str, outcome: str, ruled: str, smoke: Smoke) -> None:
    statement, evidence = _found(name, smoke)
    found = judged(statement, evidence, WANTED[name], outcome)
    assert found.word == ruled
    if "inconclusive" in outcome:
        assert "would decide" in found.needed


@pytest.mark.parametrize("name", READ)
def test_reads_the_comparisons_that_it_speaks_of(name: str, smoke: Smoke) -> None:
    read = read_by(*_found(name, smoke))
    assert {(pair["design"], pair["baseline"]) for pair in read} == READ[name]


def _found(name: str, smoke: Smoke):  # type: ignore[no-untyped-def]
    statement: Statement = STATEMENTS[name]
    return statement, evidence_of(smoke[name.partition("/")[0]], statement.name)
