"""What every topic keeps to; a new one is one entry in the table of topics."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest
from markup import Reader
from markupsafe import Markup

import penchant as pn
import penchant.explain as room
from penchant.errors import PenchantError
from penchant.explain import TOPICS, Explanation, Figure, Section, Table, explain, text

Explained = Callable[[str], Explanation]
TRAINED = {"sigmoid", "descent"}
"""Topics that train networks, and so take seconds."""
ATTACK = '"><script>alert(1)</script>'


@pytest.fixture(params=TOPICS)
def topic(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _page(shown: Explanation, folder: Path) -> str:
    from penchant.explain._page import page

    path = folder / "page.html"
    path.write_text(page(shown), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def test_a_topic_says_what_there_is_to_say(explained: Explained, topic: str) -> None:
    shown = explained(topic)
    assert shown.topic == topic
    assert shown.title
    assert 40 < len(shown.summary) < 500
    assert shown.sources
    assert sum(len(section.figures) for section in shown.sections) >= 3
    tables = [shown.table, *(table for section in shown.sections for table in section.tables)]
    for table in tables:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.columns)}
    for section in shown.sections:
        assert section.heading
        assert section.paragraphs
        assert all(figure.title and figure.caption for figure in section.figures)
    words = [text(shown), *(line for section in shown.sections for line in section.paragraphs)]
    assert not re.search(r"\bnan\b|None|\{|\}|`", " ".join(words))


def test_its_page_needs_nothing_else(explained: Explained, topic: str, tmp_path: Path) -> None:
    shown = explained(topic)
    page = _page(shown, tmp_path)
    read = Reader(page)
    assert read.left_open == []
    assert len(read.ids) == len(set(read.ids))
    assert "://" not in page
    assert all(source.startswith(("data:", "#")) for source in read.sources)
    assert {source[1:] for source in read.sources if source[0] == "#"} <= set(read.ids)
    assert "script" not in read.tags
    assert not re.search(r"#01[abc]0", page)
    assert len(page) < 2_000_000
    assert read.text.count(shown.title) >= 2
    figures = [figure for section in shown.sections for figure in section.figures]
    assert read.tags.count("svg") == len(figures)
    for words in (shown.topic, *(figure.title for figure in figures), *shown.sources):
        assert " ".join(words.split()) in read.text


def test_the_table_stands_before_the_sections(
    explained: Explained, topic: str, tmp_path: Path
) -> None:
    shown = explained(topic)
    plain = " ".join(Reader(_page(shown, tmp_path)).text.split())
    cell, heading = shown.table.rows[0][0], shown.sections[0].heading
    assert -1 < plain.index(" ".join(cell.split())) < plain.index(f"{heading} ", 200)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in TRAINED)) for name in TOPICS]
)
def test_a_topic_comes_out_the_same_twice(name: str, explained: Explained) -> None:
    first = explained(name)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": True}):
        assert explain(name) == first


def test_a_topic_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    shown = explain("kl", path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]
    assert shown.topic == "kl"


def test_an_explanation_shows_itself(explained: Explained) -> None:
    shown = explained("kl")
    assert str(shown) == repr(shown) == text(shown).rstrip("\n")
    frame = shown._repr_html_()  # type: ignore[attr-defined]
    read = Reader(frame)
    assert read.tags == ["iframe"]
    assert "sandbox" in frame
    assert frame.count('"') == 6  # the page inside is quoted


def test_the_room_itself_is_what_one_calls(explained: Explained) -> None:
    assert room("kl") == explained("kl")  # type: ignore[operator]
    assert pn.explain("kl") == explained("kl")


def test_nothing_that_is_said_can_run(tmp_path: Path) -> None:
    table = Table((ATTACK,), ((ATTACK,),), ATTACK)
    figure = Figure(ATTACK, Markup("<svg></svg>"), ATTACK)
    section = Section(ATTACK, (ATTACK,), (figure,), (table,))
    page = _page(Explanation(ATTACK, ATTACK, ATTACK, table, (section,), (ATTACK,)), tmp_path)
    assert "<script" not in page
    assert Reader(page).text.count(ATTACK) == 15


def test_a_topic_may_have_no_sections_or_sources(explained: Explained, tmp_path: Path) -> None:
    read = Reader(_page(replace(explained("kl"), sections=(), sources=()), tmp_path))
    assert read.left_open == []
    assert "svg" not in read.tags


def test_an_unknown_topic_is_told_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(PenchantError, match=r"'kl-vs-12': no such topic; did you mean 'kl-vs-l2'"):
        explain("kl-vs-12", tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(PenchantError, match=r"is a folder; name a file, such as kl\.html"):
        explain("kl", tmp_path)
    with pytest.raises(PenchantError, match=r"missing"):
        explain("kl", tmp_path / "missing" / "kl.html")
