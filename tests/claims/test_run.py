"""Running claims: records, going on, and what cannot be run here."""

import json
from pathlib import Path

import pytest
from claims.made_up import claim, identity, measured, statement

from penchant import PenchantError
from penchant.claims import (
    Claim,
    NotRun,
    Setting,
    Statement,
    comparisons,
    exactly,
    find,
    last,
    of_study,
    records,
    run,
)

PLAN = {"vary": {"activation": ["relu", "gelu"]}, "size": 16, "steps": 5, "tune": 0, "seeds": 2}


def small(plan: dict[str, object] = PLAN) -> Claim:
    gather = of_study("built-in", name="small", smoke=plan)
    rule = comparisons("better", "GELU against ReLU.")
    return Claim("small", "Small.", [Statement("gelu", "It is.", "measured", gather, rule)])


def test_a_record_is_read_back_as_it_was(tmp_path: Path) -> None:
    asked = claim("both", statement("one", identity(0.0)), statement("two", measured("better")))
    (record,) = run([asked], tmp_path, profile="quick")
    assert record.verdict == "holds"
    assert records(tmp_path, "both") == {"quick": record}
    rows = (tmp_path / "both" / "quick.csv").read_text().splitlines()
    assert len(rows) == 1 + 1 + 6  # a head, a check, six pairs


def test_the_most_thorough_record_counts(tmp_path: Path) -> None:
    asked = claim("one", statement("one", identity(0.0)))
    for profile in ("smoke", "full", "quick"):
        list(run([asked], tmp_path, profile=profile))  # type: ignore[arg-type]
    found = last(records(tmp_path, "one"))
    assert found is not None and found.profile == "full"


def test_a_finished_claim_is_not_run_again(tmp_path: Path) -> None:
    calls = []

    def gather(setting: Setting) -> dict[str, object]:
        calls.append(setting.profile)
        return identity(0.0)

    asked = claim("one", Statement("one", "So.", "exact", gather, exactly()))
    for fresh in (False, False, True):
        list(run([asked], tmp_path, profile="smoke", fresh=fresh))
    assert calls == ["smoke", "smoke"]


def test_a_reworded_claim_is_run_again(tmp_path: Path) -> None:
    list(run([claim("one", statement("one", identity(0.0)))], tmp_path))
    (record,) = run([claim("one", statement("two", identity(1.0)))], tmp_path)
    assert record.verdict == "fails as written"


def test_kept_evidence_is_judged_by_the_rule_as_it_is_now(tmp_path: Path) -> None:
    for tolerance, word in ((1.0, "holds"), (1e-9, "fails as written")):
        rule = exactly(tolerance)
        asked = claim("one", Statement("one", "So.", "exact", lambda _: identity(0.5), rule))
        (record,) = run([asked], tmp_path)
        assert record.verdict == word
        assert records(tmp_path, "one") == {"quick": record}


def test_what_cannot_be_run_says_why(tmp_path: Path) -> None:
    def gather(_: Setting) -> dict[str, object]:
        raise NotRun("It needs the moon.")

    asked = claim("one", Statement("one", "So.", "exact", gather, exactly()))
    (record,) = run([asked], tmp_path)
    assert (record.verdict, record.rulings["one"].sentence) == ("not run", "It needs the moon.")


def test_a_study_is_kept_and_goes_on(tmp_path: Path) -> None:
    (record,) = run([small()], tmp_path, profile="smoke")
    assert record.rulings["gelu"].word == "undecided"  # two seeds are descriptive
    evidence = record.found["gelu"].evidence
    assert evidence is not None
    (study,) = evidence["studies"]
    assert study["runs"] == 4 and len(study["pairs"][0]["differences"]) == 2
    before = (tmp_path / "studies" / "small-smoke" / "study.db").stat().st_mtime_ns
    (tmp_path / "small" / "smoke.json").unlink()  # as if killed before it was written
    watched = []

    def watch(one):  # type: ignore[no-untyped-def]
        import contextlib

        watched.append(one.remaining())
        return contextlib.nullcontext()

    (again,) = run([small()], tmp_path, profile="smoke", watch=watch)
    assert watched == [0] and before
    assert again.found == record.found


def test_another_study_in_the_folder_is_an_error(tmp_path: Path) -> None:
    list(run([small()], tmp_path, profile="smoke"))
    (tmp_path / "small" / "smoke.json").unlink()
    with pytest.raises(PenchantError, match="holds another study"):
        list(run([small({**PLAN, "steps": 6})], tmp_path, profile="smoke"))
    list(run([small({**PLAN, "steps": 6})], tmp_path, profile="smoke", fresh=True))


def test_a_broken_record_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    for text in ("", "[]", '{"claim": 1}', json.dumps({"found": {}, "rulings": []})):
        (tmp_path / "one" / "quick.json").write_text(text)
        with pytest.raises(PenchantError, match="is no claim's record"):
            records(tmp_path, "one")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no claim"),
        ("1/0", "ZeroDivisionError"),
        ("from penchant.claims import Claim\nc = Claim('a/b', '', ())", "names a folder"),
        ("from penchant.claims import Claim\nc = Claim('a', '', ())", "needs statements"),
        ("from penchant.claims import Claim\nc = Claim('skip-form', '', ())", "of the notes"),
    ],
)
def test_a_file_without_a_claim_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(PenchantError, match=message):
        find([str(tmp_path / "mine.py")])


def test_what_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PenchantError, match="skip-form"):
        find(["skip-from"])
    with pytest.raises(PenchantError, match="there is no file"):
        find([str(tmp_path / "mine.py")])


STUDY = """
signals = ["built-in"]
size = 16
seeds = 2
tune = 0

[vary]
activation = ["relu", "gelu"]

[profiles.smoke]
steps = 5
"""


def test_a_study_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(STUDY)

    def gather(setting: Setting) -> dict[str, object]:
        return {"studies": [setting.study(str(tmp_path / "mine.toml"))]}

    rule = comparisons("better", "GELU against ReLU.")
    asked = claim("one", Statement("one", "So.", "measured", gather, rule))
    (record,) = run([asked], tmp_path / "out", profile="smoke")
    assert record.rulings["one"].word == "undecided"
    assert (tmp_path / "out" / "studies" / "mine-smoke" / "results.csv").is_file()
    with pytest.raises(PenchantError, match="profile 'full' is unknown"):
        list(run([asked], tmp_path / "out", profile="full"))


def test_data_that_is_not_there_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PENCHANT_DATA", raising=False)

    def gather(setting: Setting) -> dict[str, object]:
        return {"studies": [setting.study("relu-encoding", "full")]}

    asked = claim("one", Statement("one", "So.", "measured", gather, exactly()))
    (record,) = run([asked], tmp_path)
    assert record.verdict == "not run" and "PENCHANT_DATA" in record.rulings["one"].sentence
