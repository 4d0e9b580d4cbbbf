"""Regions and boundaries as a page draws them."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penchant.report import report
from penchant.report._plane import MOST_POINTS, planes
from penchant.study import PlaneMap, Results, Run

SIGNAL = "plane:shape=circle"
SIDE = np.linspace(-1, 1, 65)
X, Y = np.meshgrid(SIDE, SIDE, indexing="ij")
POINTS = np.array([[0.0, 0.5], [-1.0, -1.0], [1.0, 1.0]])
LABELS = np.array([1, 0, 0])


def plane_map(design: str, values: np.ndarray) -> PlaneMap:
    return PlaneMap(SIGNAL, design, 0, values, POINTS, LABELS)


@pytest.fixture
def results() -> Results:
    metrics = {"accuracy": 91.0, "boundary_length_excess": 12.3, "boundary_turning_excess": -0.25}
    runs = tuple(
        Run(name, SIGNAL, name, 0, "done", 9, 1.0, 33, {}, metrics, (), ())
        for name in ("relu", "sine")
    )
    maps = (
        plane_map("", 0.7 - np.hypot(X, Y)),
        plane_map("relu", X - 0.5),
        plane_map("sine", -np.ones_like(X)),
    )
    designs = ("relu", "sine")
    return Results(None, {}, designs, (), "accuracy", runs, (), (), (), (), planes=maps)


def numbers(path: str) -> np.ndarray:
    return np.array([float(one) for one in re.findall(r"[\d.]+", path)]).reshape(-1, 2)


def test_boundaries_are_where_they_are(results: Results) -> None:
    (wall,) = planes(results, ["sine", "relu"])
    truth, sine, relu = wall.panels
    assert [panel.design for panel in wall.panels] == ["", "sine", "relu"]
    radii = np.hypot(*(numbers(truth.boundary) / 50 - 1).T)
    assert radii == pytest.approx(np.full(len(radii), 0.7), abs=0.005)
    assert numbers(relu.boundary)[:, 0] == pytest.approx([75, 75])  # a line needs two points
    assert sorted(numbers(relu.boundary)[:, 1]) == [0, 100]
    assert (sine.boundary, sine.region) == ("", "")


def test_regions_are_closed_along_the_border(results: Results) -> None:
    (wall,) = planes(results, ["relu"])
    corners = {tuple(one) for one in numbers(wall.panels[1].region)}
    assert {(75, 0), (75, 100), (100, 0), (100, 100)} <= corners
    assert min(x for x, _ in corners) == 75


def test_the_second_coordinate_points_upwards(results: Results) -> None:
    (wall,) = planes(results, [])
    assert wall.inside == "M50.0 25.0h0"
    assert wall.outside == "M0.0 100.0h0M100.0 0.0h0"


def test_panels_say_the_score_and_the_excess(results: Results) -> None:
    (wall,) = planes(results, ["relu"])
    assert wall.panels[1].score == "91.00"
    facts = wall.panels[1].facts.replace("\N{NO-BREAK SPACE}", " ")
    assert facts == "length +12 %, −0.2 turns"


def test_many_points_are_cut_and_said(results: Results, tmp_path: Path) -> None:
    points, labels = np.zeros((MOST_POINTS + 5, 2)), np.ones(MOST_POINTS + 5, int)
    maps = tuple(replace(one, points=points, labels=labels) for one in results.planes)
    many = replace(results, planes=maps)
    assert planes(many, [])[0].left_out == 5
    text = report(many, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "5 more points are not drawn" in text


def test_the_page_has_them_where_there_are_any(results: Results, tmp_path: Path) -> None:
    text = report(results, tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'id="boundaries"' in text and text.count("<use") == 4
    none = report(replace(results, planes=()), tmp_path / "none.html").read_text(encoding="utf-8")
    assert 'id="boundaries"' not in none
