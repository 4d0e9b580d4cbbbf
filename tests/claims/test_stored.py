"""The evidence in docs/claims: every verdict follows from it, and the page is made of it."""

from pathlib import Path

import pytest

from penchant.claims import NOTES, PROFILES, Claim, Record, page, records, rulings, verdict

STORED = Path(__file__).parents[2] / "docs" / "claims"
CLAIMS = {claim.id: claim for section in NOTES for claim in section.claims}
RECORDS = [
    pytest.param(CLAIMS[id], record, id=f"{id}-{profile}")
    for id in CLAIMS
    for profile, record in records(STORED, id).items()
]


@pytest.mark.parametrize(("claim", "record"), RECORDS)
def test_a_stored_verdict_follows_from_its_stored_results(claim: Claim, record: Record) -> None:
    assert record.statements == {one.name: one.says for one in claim.statements}
    judged = rulings(claim, record.found)
    assert judged == record.rulings
    assert verdict(claim.statements, judged) == record.verdict


def test_nothing_else_is_stored() -> None:
    kept = {path.name for path in STORED.iterdir() if path.is_dir()}
    assert kept <= set(CLAIMS)
    files = {path.name for path in STORED.glob("*/*")}
    assert files <= {f"{profile}.{kind}" for profile in PROFILES for kind in ("json", "csv")}


def test_the_stored_page_is_made_of_the_stored_results() -> None:
    there = STORED / "index.html"
    if RECORDS:
        assert there.read_text(encoding="utf-8") == page(STORED)
    else:
        assert not there.exists()
