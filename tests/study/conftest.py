"""Signals and studies small enough that a test takes a fraction of a second."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from penchant.study import Study
from penchant.tasks import Picture

SNAKE = """
import torch

class Snake(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        return x + torch.sin(self.a * x) ** 2 / self.a

def wiggle(x):
    return x + torch.sin(3 * x) / 3
"""


@pytest.fixture(scope="session")
def waves() -> Callable[..., Picture]:
    """Make a picture of a few smooth waves, another for each phase."""

    def make(
        name: str = "waves", size: tuple[int, int] = (16, 16), channels: int = 3, phase: float = 0.0
    ) -> Picture:
        y, x = np.mgrid[: size[0], : size[1]] / 16
        shades = [
            0.5 + 0.4 * np.sin(9 * x + 5 * (c + 1) * y + c + phase) * np.cos(4 * x - y)
            for c in range(channels)
        ]
        return Picture(name, np.stack(shades, -1).astype(np.float32))

    return make


@pytest.fixture
def photo(tmp_path: Path, waves: Callable[..., Picture]) -> Path:
    """The picture as a PNG file."""
    path = tmp_path / "waves.png"
    Image.fromarray((waves().values * 255).round().astype(np.uint8)).save(path)
    return path


@pytest.fixture
def tiny(waves: Callable[..., Picture]) -> Callable[..., Study]:
    """Make a study of two designs and two seeds, with what a test changes."""

    def make(signals: object = None, **words: object) -> Study:
        defaults: dict = {"seeds": 2, "steps": 12, "tune": 0}
        if "vary" not in words and "designs" not in words:
            defaults["vary"] = {"activation": ["relu", "sine"]}
        return Study(waves() if signals is None else signals, **(defaults | words))

    return make


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A file with two activations of one's own: the module class Snake, the function wiggle."""
    path = tmp_path / "mine.py"
    path.write_text(SNAKE)
    return path
