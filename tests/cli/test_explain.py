"""`penchant explain`: what is printed, what is written, and what is refused."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import Command, lines_of

from penchant.explain import TOPICS

HEAVY = ("torch", "numpy", "pandas", "matplotlib", "rich", "jinja2")


def test_a_topic_is_printed_and_written(
    penchant: Command,
    here: Path,
    golden: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    outcome = penchant("explain", "kl")
    assert (outcome.code, outcome.err) == (0, "")
    golden("explain-kl.txt", outcome.out)
    assert [path.name for path in here.iterdir()] == ["explain-kl.html"]
    page = (here / "explain-kl.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")


def test_the_page_goes_where_it_is_wanted(penchant: Command, here: Path) -> None:
    outcome = penchant("explain", "l2", "-o", "mine.html")
    assert outcome.code == 0
    assert lines_of(outcome.out)[-1] == "the page: mine.html"
    assert [path.name for path in here.iterdir()] == ["mine.html"]


NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv1d(1, 2, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 1))
"""


def test_routing_in_ones_own_network(penchant: Command, here: Path) -> None:
    (here / "mine.py").write_text(NET)
    outcome = penchant("explain", "routing", "mine.py:Net", "--input", "1x4")
    assert (outcome.code, outcome.err) == (0, "")
    assert "Gradient routing in Net" in outcome.out
    assert lines_of(outcome.out)[-1] == "the page: explain-routing.html"
    page = (here / "explain-routing.html").read_text(encoding="utf-8")
    assert "0.weight[0,0,0]" in page
    assert penchant("explain", "routing", "mine.py:Net", "--input", "1x4").out == outcome.out


def test_without_a_topic_there_is_a_list(penchant: Command, here: Path) -> None:
    outcome = penchant("explain")
    assert (outcome.code, outcome.err) == (0, "")
    assert [line.split("  ")[0] for line in lines_of(outcome.out)] == list(TOPICS)
    for line, topic in zip(lines_of(outcome.out), TOPICS.values(), strict=True):
        assert line.endswith(topic.line)
        assert len(line) <= 80
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("k1",), "explain 'k1': no such topic; did you mean 'kl'? known: descent, kl"),
        (("../x",), "explain '../x': no such topic; known:"),
        (("-o", "page.html"), "explain -o page.html: which topic? known: l2, kl"),
        (("kl", "-o", "missing/page.html"), "cannot write missing/page.html"),
        (("kl", "-o", "."), "cannot write .: is a folder"),
        (("routing", "mine.py:Net"), "mine.py:Net: there is no file mine.py"),
        (("routing", "torch.nn:Identity"), "what goes into Identity? Give one sample's shape"),
        (("routing", "torch.nn:Identity", "--input", "3x"), "explain --input 3x: is no shape"),
        (("routing", "--input", "3"), "input without a network; name one, such as mine.py:Net"),
        (("kl", "mine.py:Net"), "explain 'kl': takes no network; routing does"),
    ],
)
def test_what_does_not_fit_is_one_line(
    penchant: Command, here: Path, arguments: tuple[str, ...], expected: str
) -> None:
    outcome = penchant("explain", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert len(lines_of(outcome.err)) == 1
    assert expected in outcome.err
    assert list(here.iterdir()) == []


def test_the_list_loads_nothing_heavy() -> None:
    code = (
        "import sys, penchant.cli\nsys.argv = ['penchant', 'explain']\n"
        "try: penchant.cli.main()\n"
        f"finally: print('heavy:', [m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("heavy: []\n")


def test_it_has_help(penchant: Command) -> None:
    outcome = penchant("explain", "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert "Usage: penchant explain" in outcome.out
    assert "explain-TOPIC.html" in outcome.out
    assert "  explain " in penchant().out
