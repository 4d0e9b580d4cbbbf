"""The door for a user's own network: what comes in, and what is said of what does not."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from penchant.errors import PenchantError
from penchant.models import load_model

MINE = """
from __future__ import annotations
from dataclasses import dataclass
import torch
from torch import nn

@dataclass
class Sizes:
    width: int = 3

class Net(nn.Module):
    def __init__(self, width: int = Sizes().width):
        super().__init__()
        self.layer = nn.Linear(2, width)

    def forward(self, x):
        return self.layer(x)

class Sized(Net):
    def __init__(self, width):
        super().__init__(width)

def make():
    return Net(5)

def broken():
    raise RuntimeError("two\\nlines")

ready = Net(7)
number = 3
words = lambda: "net"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


@pytest.mark.parametrize(("name", "width"), [("Net", 3), ("make", 5), ("ready", 7)])
def test_classes_functions_and_modules_of_a_file(here: Path, name: str, width: int) -> None:
    for source in (f"mine.py:{name}", f"{here}/mine.py:{name}", f"mine:{name}"):
        network = load_model(source)
        assert isinstance(network, nn.Module)
        assert network(torch.zeros(1, 2)).shape == (1, width)
    sys.modules.pop("mine")


def test_names_within_names_and_installed_packages() -> None:
    assert isinstance(load_model("torch:nn.ReLU"), nn.ReLU)


def test_an_edited_file_is_read_anew_and_namesakes_stay_apart(here: Path) -> None:
    assert load_model("mine.py:make").layer.out_features == 5  # type: ignore[union-attr]
    (here / "mine.py").write_text(MINE.replace("Net(5)", "Net(6)"))
    assert load_model("mine.py:make").layer.out_features == 6  # type: ignore[union-attr]
    (here / "other").mkdir()
    (here / "other" / "mine.py").write_text(MINE.replace("Net(5)", "Net(8)"))
    assert load_model("other/mine.py:make").layer.out_features == 8  # type: ignore[union-attr]


def test_a_file_may_import_its_neighbours_and_the_path_is_left_as_it_was(here: Path) -> None:
    (here / "folder").mkdir()
    (here / "folder" / "a_neighbour.py").write_text("from torch.nn import Tanh")
    (here / "folder" / "net.py").write_text("from a_neighbour import Tanh as Net")
    before = list(sys.path)
    assert isinstance(load_model("folder/net.py:Net"), nn.Tanh)
    assert sys.path == before
    sys.modules.pop("a_neighbour")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("mine.py", "'mine.py' names no network: use file.py:Class or package.module:callable"),
        (":Net", "names no network"),
        ("mine.py:", "names no network"),
        ("yours.py:Net", "yours.py:Net: there is no file yours.py"),
        ("nowhere.to.be:found", "there is no module 'nowhere.to.be' that can be imported"),
        ("sub/mine:Net", "there is no module 'sub/mine'"),
        ("mine.py:Nut", "mine.py:Nut: there is no 'Nut' in it; did you mean 'Net'? known: Net, Si"),
        ("mine.py:Sized", "is called without arguments, and that does not fit: missing a required"),
        ("mine.py:broken", "mine.py:broken() fails: RuntimeError: two lines"),
        ("mine.py:number", "mine.py:number is of type int, and makes no network"),
        ("mine.py:words", "mine.py:words gives an object of type str, not a torch.nn.Module"),
        ("wrong.py:Net", "wrong.py fails: SyntaxError"),
        ("leaves.py:Net", "leaves.py fails: SystemExit: 3"),
        ("empty.py:Net", "there is no 'Net' in it; it defines nothing that makes a network"),
    ],
)
def test_what_does_not_fit_is_one_line(here: Path, source: str, expected: str) -> None:
    (here / "wrong.py").write_text("class Net(:")
    (here / "leaves.py").write_text("raise SystemExit(3)")
    (here / "empty.py").write_text("")
    before = list(sys.path)
    with pytest.raises(PenchantError) as raised:
        load_model(source)
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)
    assert sys.path == before
