"""The page of claims: made from records alone, the same text each time, and readable."""

from pathlib import Path
from typing import Any

import pytest
from browser import driver, look, needs_browser
from claims.made_up import claim, identity, measured, statement

from penchant.claims import Section, page, run
from penchant.claims._figures import intervals

__all__ = ["driver"]

CLAIMS = (
    claim("true", statement("one", identity(0.0))),
    claim("false", statement("one", measured("worse"))),
    claim("open", statement("one", measured("inconclusive"))),
    claim(
        "partly",
        statement("one", measured("better", "worse")),
        statement("other", measured("better"), instead=True),
    ),
    claim("absent", statement("one", identity(0.0, cases=0))),
)
SECTIONS = (Section("Made up", CLAIMS), Section("More", ()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("claims")
    list(run(CLAIMS, out, profile="full"))
    (out / "claims.html").write_text(page(out, SECTIONS), encoding="utf-8")
    return out


def test_the_same_records_give_the_same_page(folder: Path) -> None:
    assert page(folder, SECTIONS) == (folder / "claims.html").read_text(encoding="utf-8")


def test_every_verdict_is_on_the_page(folder: Path) -> None:
    text = page(folder, SECTIONS)
    for word in ("holds", "fails as written", "undecided", "holds under conditions", "not run"):
        assert f"</span> {word}</span> 1" in text
    for one in CLAIMS:
        assert f'<article id="{one.id}">' in text
        assert f"penchant claims run {one.id} --profile full" in text
    assert "As stated for sine against relu (encoding e0)." in text
    assert "Somebody (2020) says so." in text


def test_without_records_the_page_says_so(tmp_path: Path) -> None:
    text = page(tmp_path, SECTIONS)
    assert "</span> not run</span> 5" in text
    assert "--profile quick" in text


def test_comparisons_as_a_figure() -> None:
    drawn = intervals(measured("better", "worse"), name="claim-x", title="T", caption="C")
    assert drawn is not None and 'aria-label="T. C"' in drawn.svg
    assert intervals({}, name="claim-x", title="T", caption="C") is None


@needs_browser
@pytest.mark.parametrize("width", [380, 1200])
def test_the_page_fits_its_screen(driver: Any, folder: Path, width: int) -> None:
    look(driver, folder / "claims.html", width)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert driver.get_log("browser") == []
    links = driver.execute_script(
        "return [...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"
    )
    assert links
    for link in links:
        if link.startswith("#"):
            assert driver.execute_script("return !!document.querySelector(arguments[0])", link)
        else:
            assert (folder / link).is_file()
