"""The page in a real browser: no error, nothing wider than the screen, one zoom for all."""

from pathlib import Path
from typing import Any

import pytest
from browser import driver as driver
from browser import look, needs_browser, requests, scheme

from penchant.report import report
from penchant.study import Results

from .conftest import ODD
from .test_pictures import with_views

pytestmark = needs_browser


@pytest.mark.parametrize("width", [390, 1600])
@pytest.mark.parametrize(
    "kind",
    [
        *("usual", "thirty designs", "attack", "wide", "several signals"),
        *("labelled data", "several data sets"),
        *("pairs", "trend over decades", "each, no number"),
    ],
)
def test_pages_open_without_error_and_fit(
    driver: Any, results: Results, tmp_path: Path, kind: str, width: int
) -> None:
    page = report(results if kind == "usual" else ODD[kind](), tmp_path / "report.html")
    look(driver, page, width)
    driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert driver.get_log("browser") == []
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert requests(driver) == []


def _frames(driver: Any) -> list[tuple[float, ...]]:
    """Where each visible picture lies in its view, as fractions of the view."""
    return [
        tuple(round(value, 3) for value in frame)
        for frame in driver.execute_script(
            """
            return [...document.querySelectorAll(".wall:not([hidden]) .view")].map(view => {
              const outer = view.getBoundingClientRect();
              const shown = [...view.querySelectorAll("img")].find(i => i.offsetParent);
              const inner = shown.getBoundingClientRect();
              return [(inner.x - outer.x) / outer.width, (inner.y - outer.y) / outer.height,
                      inner.width / outer.width];
            })"""
        )
    ]


def test_all_pictures_zoom_and_move_together(driver: Any, results: Results, tmp_path: Path) -> None:
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
    from selenium.webdriver.common.by import By

    look(driver, report(results, tmp_path / "report.html"))
    views = driver.find_elements(By.CSS_SELECTOR, ".wall:not([hidden]) .view")
    assert len(views) == 7
    assert set(_frames(driver)) == {(0, 0, 1)}

    views[2].click()
    ActionChains(driver).scroll_from_origin(ScrollOrigin.from_element(views[2]), 0, -120).perform()
    (frame,) = set(_frames(driver))
    assert frame[2] > 1.3
    assert frame[0] == pytest.approx((1 - frame[2]) / 2, abs=0.02)

    ActionChains(driver).drag_and_drop_by_offset(views[4], 20, 0).perform()
    (moved,) = set(_frames(driver))
    assert moved[0] > frame[0]

    driver.find_element(By.CSS_SELECTOR, "[data-zoom='2']").click()
    driver.find_element(By.CSS_SELECTOR, "[data-mode='error']").click()
    (errors,) = set(_frames(driver))
    assert errors[2] == pytest.approx(2 * moved[2], abs=0.01)
    visible = driver.find_elements(By.CSS_SELECTOR, ".wall:not([hidden]) img.error")
    assert len(visible) == 6
    assert all(image.is_displayed() for image in visible)

    driver.find_element(By.CSS_SELECTOR, "[data-walls]").send_keys("0e", Keys.ARROW_LEFT)
    assert set(_frames(driver)) == {(0, 0, 1)}
    assert not any(image.is_displayed() for image in visible)
    assert driver.get_log("browser") == []


def test_a_signal_is_chosen(driver: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select

    look(driver, report(ODD["several signals"](), tmp_path / "report.html"))
    Select(driver.find_element(By.CSS_SELECTOR, "[data-signal]")).select_by_visible_text("c")
    (wall,) = driver.find_elements(By.CSS_SELECTOR, ".wall:not([hidden])")
    first = wall.find_element(By.CSS_SELECTOR, ".picture")
    assert first.get_attribute("alt").startswith("c, the original")


def test_a_slider_turns_what_is_shown(driver: Any, tmp_path: Path) -> None:
    from selenium.webdriver import Keys
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select

    made = with_views("mesh", ("0°", "90°", "180°"), ("spot", "bunny"))
    look(driver, report(made, tmp_path / "report.html"))
    slider = driver.find_element(By.CSS_SELECTOR, "[data-turn]")

    def seen() -> list[str]:
        walls = driver.find_elements(By.CSS_SELECTOR, ".wall")
        names = [wall.find_element(By.CSS_SELECTOR, ".wall-name") for wall in walls]
        return [name.text for name in names if name.is_displayed()]

    assert seen() == ["spot, 0°"]
    driver.find_element(By.CSS_SELECTOR, "[data-zoom='2']").click()
    before = set(_frames(driver))
    slider.send_keys(Keys.ARROW_RIGHT)
    assert seen() == ["spot, 90°"]
    assert slider.get_attribute("aria-valuetext") == "90°"
    assert set(_frames(driver)) == before  # the zoom stays
    Select(driver.find_element(By.CSS_SELECTOR, "[data-signal]")).select_by_visible_text("bunny")
    assert seen() == ["bunny, 90°"]
    slider.send_keys(Keys.END)
    assert seen() == ["bunny, 180°"]
    assert driver.get_log("browser") == []


def test_without_a_script_every_view_is_there(driver: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By

    made = with_views("radiance", ("view 1", "view 5"))
    path = report(made, tmp_path / "report.html")
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        look(driver, path)
        walls = driver.find_elements(By.CSS_SELECTOR, ".wall")
        assert [wall.is_displayed() for wall in walls] == [True, True]
        assert not driver.find_element(By.CSS_SELECTOR, "[data-pictures] .controls").is_displayed()
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_figures_follow_the_dark_scheme(driver: Any, results: Results, tmp_path: Path) -> None:
    colours = {}
    look(driver, report(results, tmp_path / "report.html"))
    for name in ("light", "dark"):
        scheme(driver, name)
        colours[name] = driver.execute_script(
            """
            const style = element => getComputedStyle(element);
            const band = document.querySelector("#frequencies svg [id*=line2d] path[style*=mix]");
            return [style(document.body).backgroundColor, style(document.body).color,
                    style(document.querySelector("#learning svg text")).fill, style(band).stroke]"""
        )
    assert all(a != b for a, b in zip(colours["light"], colours["dark"], strict=True))
