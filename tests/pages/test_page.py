"""A page holds all that it needs, and lets nothing else in."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from penchant.pages import render


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with a page of its own."""
    templates = tmp_path / "a_room_with_a_page" / "templates"
    templates.mkdir(parents=True)
    (templates.parent / "__init__.py").touch()
    (templates / "page.html.jinja").write_text(
        '{% extends "base.html.jinja" %}{% block title %}{{ name }}{% endblock %}'
        '{% block main %}<p>{{ name }}, {{ value|number(1) }}, {{ 2|counted("seed") }}</p>'
        "{% endblock %}"
    )
    (templates / "page.js").write_text("document.title = 'ran'")
    monkeypatch.syspath_prepend(tmp_path)
    return "a_room_with_a_page"


def test_a_rooms_template_extends_the_common_page(room: str) -> None:
    text = render("page.html.jinja", room=room, name="<b>", value=-1.25)
    assert text.startswith("<!doctype html>")
    assert "<p>&lt;b&gt;, −1.2, 2 seeds</p>" in text
    assert "<title>&lt;b&gt;</title>" in text
    assert "--series-0" in text
    assert "<script" not in text


def test_only_its_own_script_may_run(room: str) -> None:
    text = render("page.html.jinja", room=room, script="page.js", name="", value=0.0)
    code = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert code is not None
    assert policy is not None
    digest = base64.b64encode(hashlib.sha256(code[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'")


def test_what_is_missing_is_an_error(room: str) -> None:
    with pytest.raises(UndefinedError):
        render("page.html.jinja", room=room, name="")
    with pytest.raises(TemplateNotFound):
        render("absent.html.jinja", room=room)
