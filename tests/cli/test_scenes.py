"""A scene on the command line: fitted, compared, and seen again."""

import json
import re
from pathlib import Path

import pytest
from cli.conftest import Command
from PIL import Image
from safetensors.numpy import load_file
from scenes import ball_scene, write_scene

TINY = ("--steps", 20, "--size", 8, "--design", "activation=relu,encoding=nerf,width=8,depth=2")


@pytest.fixture
def scene(here: Path) -> Path:
    return write_scene(here / "ball", ball_scene(views=9, size=8))


def test_fit_and_render(penchant: Command, here: Path, scene: Path) -> None:
    outcome = penchant("fit", scene, "-o", "ball.safetensors", *TINY)
    assert outcome.code == 0, outcome.err
    assert re.search(r"[\d.]+ dB seen and [\d.]+ dB held out after 20 steps", outcome.out)
    assert "for a scene of" in outcome.out
    hint = outcome.out.splitlines()[-1].removeprefix("try: penchant ").split()
    assert penchant(*hint).out == "ball-turn.gif: 36 pictures of 8×8 pixels\n"
    with Image.open("ball-turn.gif") as picture:
        assert picture.n_frames == 36
    drawn = penchant("render", "ball.safetensors", "--view", 3, "--scale", 2, "-o", "view.png")
    assert drawn.out == "view.png: 16×16 pixels\n"
    assert not any(name.startswith("network.") for name in load_file("ball.safetensors"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--view", 9, "-o", "a.png"), "view=9"),
        (("-o", "a.png"), "without a view"),
        (("--region", "1,2,3,4", "-o", "a.png"), "region"),
        (("--at", "1,2"), "3 numbers"),
        (("--at", "1,2,300"), "outside"),
    ],
)
def test_render_refuses(
    penchant: Command, here: Path, scene: Path, options: tuple[object, ...], said: str
) -> None:
    penchant("fit", scene, "-o", "ball.safetensors", *TINY[:2], "--size", 8)
    outcome = penchant("render", "ball.safetensors", *options)
    assert outcome.code == 2 and said in outcome.err and outcome.err.count("\n") == 1


def test_compare(penchant: Command, here: Path, scene: Path) -> None:
    words = ("--seeds", 2, "--steps", 10, "--size", 8, "--tune", 0, "--jobs", 1, "--out", "study")
    outcome = penchant("compare", scene, "--vary", "activation=relu,sine", *words)
    assert outcome.code == 0, outcome.err
    (verdict,) = json.loads(Path("study/verdicts.json").read_text())
    assert (verdict["metric"], verdict["design"]) == ("psnr_held_out", "sine")
    (kept, *_) = sorted(Path("study/networks").iterdir())
    assert penchant("render", kept, "--view", 0, "-o", "a.png").code == 0


def test_a_scene_and_a_picture_are_no_study(
    penchant: Command, here: Path, scene: Path, photo: Path
) -> None:
    outcome = penchant("compare", scene, photo)
    assert outcome.code == 2 and "signals of one kind" in outcome.err
