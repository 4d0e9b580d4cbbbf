"""Every topic's page in a real browser: no error, nothing wider than a phone, light and dark."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import driver as driver
from browser import look, needs_browser, requests, scheme

from penchant.explain import TOPICS, Explanation
from penchant.explain._page import page

pytestmark = needs_browser


@pytest.fixture(params=TOPICS)
def written(
    request: pytest.FixtureRequest, explained: Callable[[str], Explanation], tmp_path: Path
) -> Path:
    path = tmp_path / "page.html"
    path.write_text(page(explained(request.param)), encoding="utf-8")
    return path


def test_pages_open_without_error_and_fit(driver: Any, written: Path) -> None:
    for width in (360, 390, 1600):
        look(driver, written, width)
        assert driver.get_log("browser") == []
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        assert requests(driver) == []


def test_nothing_in_a_figure_is_cut_off(driver: Any, written: Path) -> None:
    look(driver, written, 1280)
    outside = driver.execute_script(
        """
        return [...document.querySelectorAll("figure svg")].flatMap(svg => {
          const box = svg.getBoundingClientRect();
          return [...svg.querySelectorAll("text")].filter(text => {
            const own = text.getBoundingClientRect();
            return own.left < box.left - 4 || own.right > box.right + 4
                || own.top < box.top - 4 || own.bottom > box.bottom + 4;
          }).map(text => `${svg.getAttribute("aria-label")}: ${text.textContent}`);
        })"""
    )
    assert outside == []


def test_pages_follow_the_dark_scheme(driver: Any, written: Path) -> None:
    colours = {}
    look(driver, written)
    for name in ("light", "dark"):
        scheme(driver, name)
        colours[name] = driver.execute_script(
            """
            const style = element => getComputedStyle(element);
            return [style(document.body).backgroundColor, style(document.body).color,
                    style(document.querySelector("figure svg text")).fill]"""
        )
    assert all(a != b for a, b in zip(colours["light"], colours["dark"], strict=True))
