"""The page says what the results say, whatever they are, and asks for nothing."""

import re
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest
from markup import Reader

import penchant.report as room
from penchant.errors import PenchantError
from penchant.report import html_summary, report
from penchant.report._report import LARGEST_PAGE, page
from penchant.study import Results

from .conftest import ATTACK, DESIGNS, ODD, make_results


def test_the_headline_names_the_winner(results: Results) -> None:
    heading = re.search(r"<h1>(.*?)</h1>", page(results))
    assert heading is not None
    assert heading[1] == (
        "Use finer: on this picture it reconstructs held-out pixels 6.1\N{NO-BREAK SPACE}dB better "
        "than relu."
    )


def test_every_design_and_verdict_appears_in_order_of_score(results: Results) -> None:
    text = Reader(page(results)).text
    table = text[text.index("The designs") : text.index("Best first.")]
    places = [table.index(f" {name} 2") for name in ("finer", "sine", "gaussian", "relu+nerf")]
    assert places == sorted(places)
    for verdict in results.verdicts:
        assert verdict.sentence in text
        assert verdict.verdict in table
    assert "◆ baseline" in table
    assert "≈ equivalent" in table
    assert "▲ better" in table


def test_the_method_stands_in_full(results: Results) -> None:
    text = Reader(page(results)).text
    for words in (
        "penchant run study.toml",
        "Held-out pattern random:0.5",
        "Steps a run 300",
        "Seeds 0 to 5",
        "Margin that matters 0.5 dB",
        "5 comparisons",
        "99 %",
        "torch 2.13.0",
        "✓ rate 0.001, scale 10: 21.00",
    ):
        assert words in text, words


@pytest.mark.parametrize("kind", ODD)
def test_odd_studies_make_whole_pages(kind: str) -> None:
    results = ODD[kind]()
    text = page(results)
    read = Reader(text)
    assert read.left_open == []
    assert len(read.ids) == len(set(read.ids))
    assert read.missing_alt == 0
    assert "://" not in text
    assert all(source.startswith(("data:", "#")) for source in read.sources)
    assert len(text.encode()) < LARGEST_PAGE
    assert read.tags.count("script") == 1
    missing = [name for name in results.designs if " ".join(name.split()) not in read.text]
    assert missing == []
    assert "nan" not in re.findall(r"\b\w+\b", read.text.lower())
    summary = Reader(html_summary(results))
    assert summary.left_open == []
    assert "script" not in summary.tags
    assert summary.missing_alt == 0


def test_a_label_cannot_run(tmp_path: Path) -> None:
    text = report(ODD["attack"](), tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<script>alert" not in html_summary(ODD["attack"]())
    assert ATTACK.split("$")[0] in Reader(text).text


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("few seeds", "finer scores best on this picture, ahead of relu by"),
        ("one design", "relu reaches"),
        ("several signals", "over 3 pictures"),
        ("undefined metric", "nothing is decided"),
        ("diverged", "2 of 36 runs diverged and are scored as the constant-mean prediction."),
        ("warnings", "Before you rely on this The learning rate of relu was not tuned."),
    ],
)
def test_what_limits_a_verdict_is_said(kind: str, expected: str) -> None:
    assert expected in Reader(page(ODD[kind]())).text


@pytest.mark.parametrize(
    ("levels", "noise", "expected"),
    [
        ((21.0, 21.05), 0.02, "Keep relu: on this picture no other design is better"),
        ((21.0, 18.0), 0.1, "Keep relu: on this picture every other design is worse"),
        ((21.0, 21.9), 1.5, "Undecided: on this picture no design is shown to be better"),
        ((21.0, 24.0), 0.1, "Use sine: on this picture it reconstructs held-out pixels 3.0 dB"),
    ],
)
def test_the_advice_follows_the_verdict(
    levels: tuple[float, float], noise: float, expected: str
) -> None:
    results = make_results(designs=("relu", "sine"), levels=levels, noise=noise, seeds=8)
    assert expected in page(results).replace("\N{NO-BREAK SPACE}", " ")


def test_an_untested_lead_is_called_untested(results: Results) -> None:
    assert "Its distance to sine (+1.0" in page(results)


def test_twelve_pictures_stay_below_the_limit(several: Results, tmp_path: Path) -> None:
    path = report(several, tmp_path / "report.html")
    assert path.stat().st_size < LARGEST_PAGE
    read = Reader(path.read_text(encoding="utf-8"))
    assert "over 12 pictures" in read.text
    assert read.tags.count("img") == 12 * (1 + 2 * len(DESIGNS))
    for signal in ("kodim01", "kodim12"):
        assert signal in read.text


def test_the_same_results_give_the_same_bytes(results: Results) -> None:
    first = page(results)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": True}):
        assert page(replace(results)) == first


def test_the_room_itself_is_what_one_calls(results: Results, tmp_path: Path) -> None:
    assert room(results, tmp_path / "a.html").is_file()  # type: ignore[operator]


def test_an_older_page_is_replaced_whole(results: Results, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    assert report(results, str(path)) == path
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_said(results: Results, tmp_path: Path) -> None:
    with pytest.raises(PenchantError, match="is a folder"):
        report(results, tmp_path)
    with pytest.raises(PenchantError, match=r"missing.+page\.html"):
        report(results, tmp_path / "missing" / "page.html")
    with pytest.raises(PenchantError, match="no runs"):
        report(replace(results, runs=()), tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []
