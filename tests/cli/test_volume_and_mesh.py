"""Volumes and meshes from the command line: fitted, given back, refused."""

import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
import trimesh
from cli.conftest import Command

from penchant.tasks import load_mesh, load_volume

SMALL = ("--steps", 20, "--design", "activation=sine,width=16", "--size", 8)


@pytest.fixture
def brain(here: Path) -> Path:
    x, y, z = np.mgrid[-1:1:10j, -1:1:8j, -1:1:6j]
    values = (1000 * np.exp(-(x**2) - y**2 - z**2)).astype(np.int16)
    image = nibabel.Nifti1Image(values, np.diag([2.0, 2, 3, 1]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, here / "brain.nii.gz")
    return here / "brain.nii.gz"


@pytest.fixture
def ball(here: Path) -> Path:
    trimesh.creation.icosphere(subdivisions=2, radius=50).export(here / "ball.obj")
    return here / "ball.obj"


def test_a_volume_goes_in_and_comes_back(penchant: Command, here: Path, brain: Path) -> None:
    outcome = penchant("fit", brain, "-o", "brain.safetensors", *SMALL)
    reduced, made, hint = outcome.out.splitlines()
    assert reduced == "brain: reduced from 10×8×6 to 8×6×5 by averaging"
    assert "for a volume of 480 bytes (8×6×5 int16)" in made
    assert penchant(*hint.removeprefix("try: penchant ").split()).code == 0
    outcome = penchant("render", "brain.safetensors", "-o", "back.nii.gz", "--scale", 1.25)
    assert outcome.out == "back.nii.gz: 10×8×6 voxels, int16\n"
    back = nibabel.load(here / "back.nii.gz")
    assert back.get_data_dtype() == np.int16
    assert back.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(back.affine, np.diag([2, 2, 3, 1]), atol=0.1)
    assert load_volume("back.nii.gz").placed.codes == load_volume(brain).placed.codes
    assert 0 <= float(penchant("render", "brain.safetensors", "--at", "4,3,2.5").out) <= 1000


def test_a_mesh_goes_in_and_comes_back(penchant: Command, here: Path, ball: Path) -> None:
    words = ("--steps", 100, "--size", 16, "--design", "width=32")
    outcome = penchant("fit", ball, "-o", "ball.safetensors", *words)
    made, hint = outcome.out.splitlines()
    assert "IoU 0.9" in made
    assert "for a shape of 6 kB (162 vertices, 320 faces)" in made
    assert hint == "try: penchant render ball.safetensors -o ball.ply"
    assert penchant("render", "ball.safetensors", "-o", "back.ply", "--scale", 0.25).code == 0
    back = load_mesh("back.ply")
    assert back.volume == pytest.approx(load_mesh(ball).volume, rel=0.1)
    assert np.abs(back.vertices).max() == pytest.approx(50, rel=0.1)
    assert float(penchant("render", "ball.safetensors", "--at", "0,0,0").out) > 0.8


@pytest.mark.parametrize("name", ["brain", "ball"])
def test_a_study_of_one(
    penchant: Command, here: Path, name: str, request: pytest.FixtureRequest
) -> None:
    words = ("--seeds", 1, "--steps", 2, "--tune", 0, "--size", 6, "--jobs", 1, "--out", "study")
    signal = request.getfixturevalue(name)
    outcome = penchant("compare", signal, "--vary", "activation=relu,sine", *words)
    assert outcome.code == 0, outcome.err
    assert ("held-out IoU" in outcome.out) == (name == "ball")
    assert name in (here / "study" / "report.html").read_text()


def refused(outcome: object, message: str) -> None:
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert len(outcome.err.splitlines()) == 1
    assert message in outcome.err


@pytest.mark.parametrize("command", [("compare",), ("fit", "-o", "x.safetensors")])
def test_bad_files(penchant: Command, here: Path, brain: Path, ball: Path, command) -> None:
    whole = trimesh.load_mesh(ball)
    trimesh.Trimesh(whole.vertices, whole.faces[1:]).export("open.ply")
    np.save("nan.npy", np.full((4, 4, 4), np.nan))
    np.save("flat.npy", np.ones((4, 4)))
    os.mkfifo("pipe.tif")
    (here / "cut.nii.gz").write_bytes(brain.read_bytes()[:200])
    for name, message in (
        ("open.ply", "not closed: 3 of its 480 edges are open"),
        ("nan.npy", "64 voxels or more are not finite"),
        ("flat.npy", "4×4 numbers, which are a picture"),
        ("cut.nii.gz", "damaged, cut short"),
        ("pipe.tif", "not a regular file"),
        ("none.nii", "no such file"),
        ("none.stl", "no such file"),
    ):
        refused(penchant(command[0], name, *command[1:]), message)


def test_words_that_mean_nothing_here(penchant: Command, brain: Path, ball: Path) -> None:
    refused(penchant("compare", brain, ball), "a study is about signals of one kind")
    refused(penchant("compare", ball, "--held-out", "checkerboard"), "write 'fresh' or 'none'")
    refused(penchant("compare", ball, "--noise", "0.1"), "whose inside takes none")
    words = ("-o", "x.safetensors", *SMALL)
    refused(penchant("fit", ball, *words, "--target-db", 9), "iou_seen is not in decibels")
    refused(penchant("fit", ball, *words[:-1], 0), "size=0: a shape is seen at size³ points")
    assert penchant("fit", ball, *words).code == 0
    refused(penchant("render", "x.safetensors", "-o", "a.nii"), "take .obj, .ply, .stl, .off")
    refused(penchant("render", "x.safetensors", "-o", "a.ply", "--region", "0,1"), "takes scale")
    refused(penchant("render", "x.safetensors", "--at", "1,2"), "x, y, z")
