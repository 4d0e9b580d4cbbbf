"""`penchant claims`: the list, a run, one claim, and a claim of one's own."""

import re
from pathlib import Path

from cli.conftest import Command, lines_of

from penchant.claims import NOTES

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


def example() -> str:
    """The guide's own worked example."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = (block for block in blocks if "penchant.claims" in block)
    return str(found)


def test_the_list_has_every_claim(penchant: Command, here: Path) -> None:
    outcome = penchant("claims")
    assert (outcome.code, outcome.err) == (0, "")
    for section in NOTES:
        assert section.title in outcome.out
        for claim in section.claims:
            assert any(line.startswith(f"  {claim.id} ") for line in lines_of(outcome.out))
    assert all(line == line.rstrip() for line in lines_of(outcome.out))
    assert list(here.iterdir()) == []


def test_one_claim_is_run_listed_and_shown(penchant: Command, here: Path) -> None:
    outcome = penchant("claims", "run", "skip-form", "--profile", "smoke")
    assert outcome.code == 0
    assert "1/1  skip-form  holds" in outcome.out
    assert lines_of(outcome.out)[-1] == "page    claims/claims.html"
    assert sorted(path.name for path in (here / "claims").iterdir()) == ["claims.html", "skip-form"]
    assert re.search(r"skip-form +holds +smoke", penchant("claims").out)
    shown = penchant("claims", "show", "skip-form").out
    assert "g(z + a)" in shown and "Rule: Holds if every case agrees" in shown


def test_a_claim_of_ones_own_as_the_guide_has_it(penchant: Command, here: Path) -> None:
    (here / "mine.py").write_text(example())
    outcome = penchant("claims", "run", "mine.py", "--profile", "smoke", "--out", "out")
    assert outcome.code == 0
    assert "1/1  our-digits" in outcome.out
    assert "study our-digits-smoke: 12 runs" in outcome.err
    text = (here / "out" / "claims.html").read_text(encoding="utf-8")
    assert "Net answers the same when 0.3 is added" in text
    shown = penchant("claims", "show", "mine.py:our-digits", "--out", "out").out
    assert "10 cases" in shown


def test_the_page_is_written_again(penchant: Command, here: Path) -> None:
    assert penchant("claims", "run", "skip-form", "--profile", "smoke").code == 0
    page = here / "claims" / "claims.html"
    page.unlink()
    assert penchant("claims", "page").code == 0
    assert 'id="skip-form"' in page.read_text(encoding="utf-8")


def test_bad_input_is_one_line(penchant: Command, here: Path) -> None:
    for arguments, said in (
        (("run", "skip-from"), "skip-form"),
        (("run", "mine.py"), "there is no file mine.py"),
        (("run", "--profile", "ful"), "full"),
        (("run", "skip-form", "--jobs", "0"), "at least 1 process"),
        (("show", "relu"), "no such claim"),
    ):
        outcome = penchant("claims", *arguments)
        assert outcome.code == 2, outcome
        assert said in outcome.err and len(lines_of(outcome.err)) == 1
    assert list(here.iterdir()) == []
