"""A chart in a page: the page's colours, ids of its own, nothing from outside, the same bytes."""

import re

import matplotlib
from markup import Reader
from markupsafe import Markup

from penchant.pages import ACCENT, INK, MUTED, RULE, SERIES, ZONE, figure, mix, page_style, svg


def _draw(name: str = "chart", alt: str = "a line") -> Markup:
    with page_style():
        sheet = figure()
        axes = sheet.add_subplot()
        for i, colour in enumerate((INK, MUTED, RULE, ZONE, ACCENT, *SERIES, mix(0.25))):
            axes.plot([0, 1], [i, i], color=colour, marker="o")
        axes.text(0.5, 0.5, "$a < b$ & c")
        return svg(sheet, name, alt)


def test_stand_in_colours_become_the_pages() -> None:
    text = _draw()
    assert not re.search(r"#01[abc]0", text)
    names = ("ink", "muted", "rule", "zone", "accent", *(f"series-{i}" for i in range(len(SERIES))))
    for name in names:
        assert f"var(--{name})" in text, name
    assert "color-mix(in oklab, var(--high) 25%, var(--low))" in text


def test_every_id_begins_with_the_charts_name() -> None:
    read = Reader(_draw("first"))
    assert read.ids
    assert all(name.startswith("first-") for name in read.ids)
    assert set(read.sources) <= {f"#{name}" for name in read.ids}
    assert not set(read.ids) & set(Reader(_draw("second")).ids)


def test_text_stays_text_and_is_escaped() -> None:
    text = _draw(alt='"><script>')
    assert "$a &lt; b$ &amp; c" in text
    assert "<script>" not in text
    assert Reader(text).left_open == []


def test_nothing_comes_from_outside() -> None:
    assert "://" not in _draw()


def test_the_readers_own_style_changes_nothing() -> None:
    first = _draw()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": True}):
        assert _draw() == first
