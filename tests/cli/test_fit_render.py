"""`fit` and `render`: a picture into a network, and back at any resolution."""

import re
from pathlib import Path

import numpy as np
import pytest
from cli.conftest import Command
from PIL import Image
from safetensors.numpy import load_file

SMALL = ("--steps", 60, "--design", "activation=sine,width=32")


@pytest.fixture
def network(penchant: Command, here: Path, photo: Path) -> Path:
    assert penchant("fit", photo, "-o", "photo.safetensors", *SMALL).code == 0
    return here / "photo.safetensors"


def test_fit_says_what_it_made_and_how_to_use_it(
    penchant: Command, here: Path, photo: Path
) -> None:
    outcome = penchant("fit", photo, "-o", "photo.safetensors", *SMALL, "--size", 16)
    assert outcome.code == 0
    reduced, made, hint = outcome.out.splitlines()
    assert reduced == "photo: reduced from 20×16 to 16×13 by area"
    pattern = (
        r"photo\.safetensors: ([\d.]+) dB after 60 steps in [\d.]+ s; 2,307 parameters, "
        r"(\d+) kB for a picture of 624 bytes \(16×13 in 8 bits\)"
    )
    match = re.fullmatch(pattern, made)
    assert match is not None, made
    assert float(match[1]) > 15
    assert int(match[2]) == round((here / "photo.safetensors").stat().st_size / 1000)
    command = hint.removeprefix("try: penchant ").split()
    assert command == ["render", "photo.safetensors", "--scale", "4", "-o", "photo-4x.png"]
    assert penchant(*command).out == "photo-4x.png: 64×52 pixels\n"
    with Image.open("photo-4x.png") as picture:
        assert picture.size == (64, 52)


def test_fit_stops_at_the_target(penchant: Command, here: Path, photo: Path) -> None:
    outcome = penchant("fit", photo, "-o", "a.safetensors", *SMALL, "--target-db", 12)
    steps = re.search(r"after (\d+) steps", outcome.out)
    assert steps is not None and int(steps[1]) < 60


def test_fit_scores_what_it_did_not_see(penchant: Command, here: Path, photo: Path) -> None:
    outcome = penchant("fit", photo, "-o", "a.safetensors", *SMALL, "--held-out", "checkerboard")
    assert re.search(r"[\d.]+ dB seen and [\d.]+ dB held out after 60 steps", outcome.out)


def test_a_seed_fixes_the_network(penchant: Command, here: Path, photo: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        penchant("fit", photo, "-o", f"{name}.safetensors", *SMALL, "--seed", seed)
    a, b, c = (load_file(f"{name}.safetensors") for name in "abc")
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not all(np.array_equal(a[name], c[name]) for name in a)


def test_render_gives_the_picture_back(penchant: Command, network: Path, photo: Path) -> None:
    assert penchant("render", network, "-o", "same.png").out == "same.png: 20×16 pixels\n"
    with Image.open("same.png") as ours, Image.open(photo) as theirs:
        error = np.asarray(ours, float) - np.asarray(theirs, float)
    assert np.sqrt((error**2).mean()) < 40


@pytest.mark.parametrize("ending", ["jpg", "TIF", "webp", "bmp"])
def test_render_writes_the_format_of_the_ending(
    penchant: Command, network: Path, ending: str
) -> None:
    assert penchant("render", network, "-o", f"a.{ending}").code == 0
    with Image.open(f"a.{ending}") as picture:
        assert (picture.format or "")[:3] == {"jpg": "JPE"}.get(ending, ending.upper()[:3])


def test_a_region_is_a_part_of_the_whole(penchant: Command, network: Path) -> None:
    penchant("render", network, "--scale", 2, "-o", "whole.png")
    penchant("render", network, "--scale", 2, "--region", "2,3,10,9", "-o", "part.png")
    with Image.open("whole.png") as whole, Image.open("part.png") as part:
        assert part.size == (16, 12)
        cut = np.asarray(whole.crop((4, 6, 20, 18)), int)
        assert np.abs(cut - np.asarray(part, int)).max() <= 1


def test_a_point_is_a_pixel(penchant: Command, network: Path) -> None:
    penchant("render", network, "-o", "same.png")
    said = penchant("render", network, "--at", "4.5,2.5").out
    match = re.fullmatch(r"([\d., ]+) \(8 bits: ([\d, ]+)\)\n", said)
    assert match is not None, said
    eight = [int(number) for number in match[2].split(",")]
    exact = [float(number) for number in match[1].split(",")]
    assert eight == [round(number * 255) for number in exact]
    with Image.open("same.png") as picture:
        pixel = picture.getpixel((4, 2))
    assert isinstance(pixel, tuple)
    assert all(abs(a - b) <= 1 for a, b in zip(pixel, eight, strict=True))


def test_a_grey_picture_stays_grey(penchant: Command, here: Path) -> None:
    Image.new("L", (8, 6), 120).save("grey.png")
    assert penchant("fit", "grey.png", "-o", "a.safetensors", *SMALL).code == 0
    assert penchant("render", "a.safetensors", "-o", "b.png").code == 0
    with Image.open("b.png") as picture:
        assert (picture.mode, picture.size) == ("L", (8, 6))
