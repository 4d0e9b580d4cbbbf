"""`penchant inspect`: what is printed on which terminal, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import Command, lines_of

NET = """
import torch
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        features = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2))
        super().__init__(features, nn.Flatten(), nn.Linear(5408, 10))

class Wrong(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(100, 10))

    def forward(self, x):
        return self.classifier(self.features(x))

class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 3)

    def forward(self, image, scale=1.0):
        return self.a(image) + self.b(image)

class Raises(nn.Module):
    def forward(self, x):
        raise KeyError("sizes")
"""


@pytest.fixture
def mine(here: Path) -> Path:
    path = here / "mine.py"
    path.write_text(NET)
    return path


def test_a_table(
    penchant: Command,
    mine: Path,
    golden: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    wide = penchant("inspect", "mine.py:Net", "--input", "1x28x28")
    assert (wide.code, wide.err) == (0, "")
    golden("inspect.txt", wide.out)
    monkeypatch.setenv("COLUMNS", "80")
    narrow = penchant("inspect", "mine.py:Net", "--input", "1x28x28")
    assert max(map(len, narrow.out.split("\n\n")[1].splitlines())) <= 80
    assert "formula" in wide.out and "formula" not in narrow.out


def test_json(penchant: Command, mine: Path) -> None:
    outcome = penchant("inspect", "mine.py:Net", "--input", "1x28x28", "--json", "--no-fields")
    read = json.loads(outcome.out)
    assert [layer["path"] for layer in read["layers"]] == ["0.0", "0.1", "0.2", "1", "2"]
    assert read["parameters"] == 320 + 54_090
    assert read["layers"][2]["formula"] == "⌊(26 − 2) / 2⌋ + 1 = 13"
    assert read["field"] is None


def test_options(penchant: Command, mine: Path) -> None:
    grouped = penchant("inspect", "mine.py:Net", "-i", "x=1x28x28", "--depth", 1)
    assert grouped.code == 2 and "has no argument" not in grouped.out
    grouped = penchant("inspect", "mine.py:Net", "-i", "input=1x28x28", "--depth", 1)
    assert grouped.code == 0 and "Sequential  1×32×13×13" in grouped.out
    built_in = penchant("inspect", "tdnn", "--axis", 2)
    assert built_in.code == 0 and "along axis 2" in built_in.out


REFUSED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("mine.py:Wrong", "-i", "1x28x28"): (
        "classifier.1 is Linear(100, 10) but gets 5408 features: use in_features=5408",
    ),
    ("mine.py:Branches", "-i", "3x9x9"): ("mine.py:25", "self.a(image)", "9 and 7"),
    ("mine.py:Raises", "-i", "3"): ("mine.py:29", "KeyError: 'sizes'"),
    ("mine.py:Net", "-i", "3x28x28"): ("0.0 is Conv2d(1, 32)", "use in_channels=3"),
    ("mine.py:Net", "-i", "1x2x2"): ("0.0 is", "2 − 3 + 1 = 0", "padding=1"),
    ("mine.py:Net", "-i", "3x224xx"): ("3x224xx", "is no shape"),
    ("mine.py:Net", "-i", "9999999x9999999"): ("at most",),
    ("mine.py:Net",): ("what goes into Net?", "--input 3x224x224"),
    ("mine.py:Net", "-i", "3", "-i", "3"): ("2 inputs given",),
    ("mine.py:Branches", "-i", "imge=3x9x9", "-i", "scale=1"): ("did you mean 'image'",),
    ("mine.py:Nothing", "-i", "3"): ("Nothing", "known"),
    ("mine.py", "-i", "3"): ("mine.py:Class",),
    ("other.py:Net", "-i", "3"): ("no file",),
    ("resnet", "-i", "3"): ("known: coordinate, resnet-18,",),
    ("mine.py:Net", "-i", "1x28x28", "--depth", "0"): ("depth=0",),
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_refusals_are_one_line(penchant: Command, mine: Path, words: tuple[str, ...]) -> None:
    outcome = penchant("inspect", *words)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = lines_of(outcome.err)
    assert line.startswith("penchant: ")
    for word in REFUSED[words]:
        assert word in line


@pytest.mark.parametrize("content", [b"not python !", b"\x00\x01", b"\xff\xfe", b"import nothing_"])
def test_files_that_are_not_python(penchant: Command, here: Path, content: bytes) -> None:
    (here / "bad.py").write_bytes(content)
    outcome = penchant("inspect", "bad.py:Net", "-i", "3")
    assert (outcome.code, len(lines_of(outcome.err))) == (2, 1)
    assert "bad.py fails" in outcome.err


def test_probes(penchant: Command, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "mine.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Dead(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))\n"
        "        nn.init.constant_(self[0].bias, -100)\n"
        "class Picky(nn.Linear):\n"
        "    def __init__(self):\n"
        "        super().__init__(6, 2)\n"
        "    def forward(self, x):\n"
        "        if self.training:\n"
        "            raise ValueError('not for training')\n"
        "        return super().forward(x)\n"
        "class Lazy(nn.LazyLinear):\n"
        "    def __init__(self):\n"
        "        super().__init__(2)\n"
        "class Two(nn.Bilinear):\n"
        "    def __init__(self):\n"
        "        super().__init__(2, 3, 4)\n"
    )
    asked = ("inspect", "mine.py:Dead", "-i", "6", "--no-fields", "--probe")
    found = penchant(*asked)
    assert (found.code, found.err) == (0, "")
    assert "! dead: 1: " in found.out
    assert penchant(*asked).out == found.out  # the weights are drawn alike each time
    again = json.loads(penchant(*asked, "--json").out)["probes"]
    assert {"kind": "dead", "layer": "1"}.items() <= again["findings"][-1].items()
    refused = penchant("inspect", "mine.py:Two", "-i", "2", "-i", "3", "--probe")
    assert refused.code == 2
    assert len(lines_of(refused.err)) == 1
    assert "2 inputs; probes draw one" in refused.err
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, penchant(*asked).out.splitlines())) <= 60
    picky = penchant("inspect", "mine.py:Picky", "-i", "6", "--no-fields", "--probe")
    assert (picky.code, picky.err) == (0, "")
    assert "not measured: ValueError: not for training" in " ".join(picky.out.split())
    lazy = penchant("inspect", "mine.py:Lazy", "-i", "6", "--no-fields", "--probe")
    assert lazy.code == 0 and "gradients: healthy" in lazy.out
