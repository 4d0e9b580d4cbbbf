"""Meshes: closed surfaces in, inside and outside told exactly, surfaces out."""

import math
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from torch import nn

from penchant.errors import PenchantError
from penchant.tasks import Decoding, Mesh, MeshHeader, MeshTask, kind_of, load_mesh, read_header
from penchant.tasks._mesh_task import iou
from penchant.tasks._surface import distances, on_surface, surface
from penchant.tasks._winding import Winding

DRAWS = np.random.default_rng(0)


def mesh_of(made: trimesh.Trimesh, name: str = "made") -> Mesh:
    return Mesh(name, np.asarray(made.vertices, np.float64), np.asarray(made.faces, np.int64))


def cube() -> Mesh:
    return mesh_of(trimesh.creation.box(extents=(2, 2, 2)), "cube")


def ball(subdivisions: int = 3) -> Mesh:
    return mesh_of(trimesh.creation.icosphere(subdivisions=subdivisions), "ball")


def ring() -> Mesh:
    return mesh_of(trimesh.creation.torus(1.0, 0.4, major_sections=24, minor_sections=12), "ring")


def solid_angles(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """Winding numbers by the sum of solid angles (Jacobson et al. 2013, equation 5)."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]][None] - points[:, None] for i in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=2) for side in (a, b, c))
    over = np.einsum("pfi,pfi->pf", a, np.cross(b, c))
    under = la * lb * lc + (a * b).sum(2) * lc + (b * c).sum(2) * la + (c * a).sum(2) * lb
    return 2 * np.arctan2(over, under).sum(axis=1) / (4 * math.pi)


@pytest.mark.parametrize("mesh", [cube(), ball(2), ring()], ids=lambda mesh: mesh.name)
def test_winding_numbers_are_sums_of_solid_angles(mesh: Mesh) -> None:
    points = DRAWS.uniform(-1.6, 1.6, (800, 3))
    found = Winding(mesh).numbers(points)
    np.testing.assert_allclose(found, solid_angles(mesh, points), atol=1e-6)
    assert 0 < (found == 1).sum() < 800


def test_bodies_in_bodies_count_twice_and_hollows_not_at_all() -> None:
    out, within = ball(2), ball(2)
    for factor, number in ((1, 2), (-1, 0)):
        small = within.faces[:, ::factor] + len(out.vertices)
        both = Mesh(
            "two", np.concatenate([out.vertices, within.vertices / 2]),
            np.concatenate([out.faces, small]),
        )  # fmt: skip
        points = np.array([[0, 0, 0.1], [0, 0, 0.8], [0, 0, 1.2]])
        assert Winding(both).numbers(points).tolist() == [number, 1, 0]


def test_a_cube_is_where_all_coordinates_are_within_one() -> None:
    points = DRAWS.uniform(-1.3, 1.3, (20_000, 3))
    expected = np.abs(points).max(axis=1) < 1
    np.testing.assert_array_equal(Winding(cube()).numbers(points), expected)


def test_rays_along_edges_and_through_corners_count_once() -> None:
    # Points below the cube's corners, edges and diagonals, all on a lattice that its vertices
    # are on; none on the surface itself.
    x, y, z = (side.ravel() for side in np.meshgrid([-1, -0.5, 0, 0.5, 1], [-1, 0, 1], [0.3, 1.7]))
    points = np.stack([x, y, z], axis=1)
    within = (np.abs(points) < 1).all(axis=1)
    found = Winding(cube()).numbers(points)
    assert found[within].tolist() == [1] * int(within.sum())
    assert found[points[:, 2] > 1].tolist() == [0] * int((points[:, 2] > 1).sum())
    assert set(found.tolist()) == {0, 1}
    turned = trimesh.creation.icosphere(subdivisions=2)
    below = np.asarray(turned.vertices) * [1, 1, 0]
    inside = np.linalg.norm(below, axis=1) < 0.95
    assert set(Winding(mesh_of(turned)).numbers(below[inside]).tolist()) == {1}


def test_distances_from_a_cube_and_a_ball() -> None:
    points = DRAWS.uniform(-1.5, 1.5, (3000, 3))
    beyond = np.abs(points) - 1
    outside = np.linalg.norm(beyond.clip(0), axis=1)
    expected = np.where((beyond < 0).all(axis=1), -beyond.max(axis=1), outside)
    one = cube()
    np.testing.assert_allclose(distances(points, (one.vertices, one.faces)), expected, atol=1e-12)
    round_one = ball(4)
    found = distances(points, (round_one.vertices, round_one.faces))
    np.testing.assert_allclose(found, np.abs(np.linalg.norm(points, axis=1) - 1), atol=2e-3)


def test_points_on_a_surface_are_uniform_on_it() -> None:
    one = cube()
    points, face = on_surface((one.vertices, one.faces), 60_000, torch.Generator().manual_seed(0))
    assert np.abs(np.abs(points).max(axis=1) - 1).max() < 1e-12
    assert np.abs(np.bincount(face, minlength=12) - 5000).max() < 300
    assert np.abs(points.mean(axis=0)).max() < 0.02
    assert np.abs((points**2).mean(axis=0) - (1 + 2 / 3) / 3).max() < 0.02


@pytest.mark.parametrize("side", [8, 33])
def test_marching_cubes_draw_a_ball_of_the_right_size_closed_and_outward(side: int) -> None:
    axis = (np.arange(side) + 0.5) * 2 / side - 1
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    found = surface(0.7 - np.sqrt((x - 0.1) ** 2 + y**2 + z**2))
    mesh = Mesh("found", *found)  # refuses what is not closed
    assert mesh.volume == pytest.approx(4 / 3 * math.pi * 0.7**3, rel=0.08 if side == 8 else 0.01)
    middle = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    np.testing.assert_allclose(middle, [0.1, 0, 0], atol=0.03)
    full = Mesh("full", *surface(np.ones((side,) * 3)))  # closed at the cube's borders
    assert full.volume == pytest.approx(8, rel=0.1)


class Ball(nn.Module):
    """Answers points of the cube as a ball that fills it but for the margin."""

    def __init__(self, radius: float = 1 / 1.1) -> None:
        super().__init__()
        self.radius = radius

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return (self.radius - points.norm(dim=1, keepdim=True)).clamp(-1, 1)


@pytest.mark.parametrize("ending", [".obj", ".ply", ".stl", ".off"])
def test_a_shape_comes_back_in_its_own_place_and_units(tmp_path: Path, ending: str) -> None:
    made = trimesh.creation.icosphere(subdivisions=3, radius=30)
    made.apply_translation((100, -20, 5))
    made.export(tmp_path / f"a{ending}")
    assert kind_of(tmp_path / f"a{ending}").name == "mesh"
    mesh = load_mesh(tmp_path / f"a{ending}")
    assert (len(mesh.vertices), len(mesh.faces), mesh.notices) == (642, 1280, ())
    header = read_header(MeshTask(mesh).header.model_dump(mode="json"))
    assert isinstance(header, MeshHeader)
    out, wanted = tmp_path / f"b{ending}", Decoding(scale=0.25)
    header.check_file(out)
    said = header.write(header.decode(Ball(), wanted), out, wanted)
    back = load_mesh(out)
    assert said == f"{len(back.vertices):,} vertices, {len(back.faces):,} faces"
    np.testing.assert_allclose(back.vertices.min(axis=0), [70, -50, -25], atol=0.5)
    np.testing.assert_allclose(back.vertices.max(axis=0), [130, 10, 35], atol=0.5)
    assert back.volume == pytest.approx(4 / 3 * math.pi * 30**3, rel=0.02)
    assert header.at(Ball(), (100, -20, 5))[0] > 0.9
    assert header.at(Ball(), (130, -20, 5))[0] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("ending", [".obj", ".off", ".ply", ".stl"])
@pytest.mark.parametrize("length", [1e-25, 1e25])
def test_a_shape_of_any_length_comes_back(tmp_path: Path, ending: str, length: float) -> None:
    one = cube()
    header = MeshTask(Mesh("cube", one.vertices * length, one.faces)).header
    header.write(header.decode(Ball(), Decoding(scale=0.1)), tmp_path / f"b{ending}", Decoding())
    back = load_mesh(tmp_path / f"b{ending}")
    assert np.abs(back.vertices).max() == pytest.approx(length, rel=0.02)


def test_digits_that_a_format_loses_far_from_the_origin_are_said(tmp_path: Path) -> None:
    one = cube()
    header = MeshTask(Mesh("cube", one.vertices + 4e6, one.faces)).header
    drawn = header.decode(Ball(), Decoding(scale=0.1))
    assert "moves vertices by up to 0.25: take .obj" in header.write(
        drawn, tmp_path / "b.ply", Decoding()
    )
    assert "moves" not in header.write(drawn, tmp_path / "b.obj", Decoding())
    back = load_mesh(tmp_path / "b.obj")
    np.testing.assert_allclose(np.ptp(back.vertices, axis=0), 2, atol=0.05)


def test_a_part_that_looks_inward_is_said_to_be_a_hollow(tmp_path: Path) -> None:
    one = cube()
    vertices = np.concatenate([one.vertices, one.vertices / 2 + 5])
    faces = np.concatenate([one.faces, one.faces[:, ::-1] + len(one.vertices)])
    mesh = load_mesh(written(tmp_path / "two.ply", vertices, faces))
    assert mesh.notices == ("1 of its parts look inward and are taken for hollows",)


def test_a_perfect_answer_scores_perfectly_and_a_larger_one_by_its_volume() -> None:
    task = MeshTask(ball(4), size=16)
    split = pickle.loads(pickle.dumps(task)).split(0)
    score = split.score(Ball()).metrics
    assert set(score) == {metric.name for metric in task.metrics}
    assert score["iou_held_out"] > 0.99
    assert score["iou_seen"] > 0.99
    assert score["chamfer"] < 1e-3
    wide = split.score(Ball(0.99 / 1.1 + 0.09)).metrics
    assert wide["iou_held_out"] == pytest.approx((1 / 1.1) ** 3 / 0.99**3, abs=0.02)
    assert wide["chamfer"] == pytest.approx((0.99 - 1 / 1.1) / 2, abs=1e-3)
    assert split.score(Ball(), final=False).metrics.keys() == {"iou_held_out", "iou_seen"}
    nothing = split.score(Ball(-2.0)).metrics
    assert nothing == {"iou_held_out": 0.0, "iou_seen": 0.0, "chamfer": math.sqrt(3)}
    assert split.score(Broken()).metrics == split.constant_score().metrics == nothing


class Broken(nn.Module):
    """Answers with what is no number."""

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return torch.full((len(points), 1), math.nan)


def test_a_split_is_the_same_whenever_it_is_made_and_fresh_points_are_its_own() -> None:
    task = MeshTask(ball(2), size=8)
    one, two, other = task.split(3), task.split(3), task.split(4)
    assert torch.equal(one.inputs, two.inputs)
    assert not torch.equal(one.inputs, other.inputs)
    assert one.inputs.shape == (512, 3)
    assert one.inputs.abs().max() <= 1
    expected = np.where(task.inside(one.inputs.double().numpy()), 1, -1)
    np.testing.assert_array_equal(one.targets[:, 0], expected)
    near = one.inputs[:256].norm(dim=1) - 1 / 1.1
    assert near.abs().mean() < 0.03 < (one.inputs[256:].norm(dim=1) - 1 / 1.1).abs().mean()
    pilot = task.split(3, validation=True)
    assert len(pilot.inputs) == 512 - round(512 / 5)
    rows = {tuple(row) for row in one.inputs.tolist()}
    assert {tuple(row) for row in pilot.inputs.tolist()} < rows
    asked = pilot._parts["held_out"][0]
    assert {tuple(row) for row in asked.tolist()} == rows - {
        tuple(row) for row in pilot.inputs.tolist()
    }


def test_signed_distances_are_cut_off_and_have_the_sign_of_inside() -> None:
    task = MeshTask(cube(), size=8, target="distance")
    points = DRAWS.uniform(-1, 1, (500, 3))
    beyond = np.abs(points) - 1 / 1.1
    outside = np.linalg.norm(beyond.clip(0), axis=1)
    signed = np.where((beyond < 0).all(axis=1), -beyond.max(axis=1), -outside)
    np.testing.assert_allclose(task.targets(points)[:, 0], (signed / 0.1).clip(-1, 1), atol=1e-5)
    assert task.fingerprint != MeshTask(cube(), size=8).fingerprint


def test_divergences_between_probabilities_fit_an_occupancy() -> None:
    task = MeshTask(ball(2), size=8)
    assert task.divergence("kl").link == "sigmoid"
    assert task.divergence().link == "identity"
    assert isinstance(task.answering(Ball(), task.divergence("cross_entropy")), nn.Sequential)


@pytest.mark.parametrize(
    "words", [{"held_out": "checkerboard"}, {"size": 3}, {"size": 300}, {"target": "colour"}]
)
def test_words_that_do_not_fit(words: dict[str, object]) -> None:
    with pytest.raises(PenchantError, match=str(next(iter(words.values())))):
        MeshTask(cube(), **words)


def test_without_fresh_points_only_seen_ones_are_scored() -> None:
    task = MeshTask(cube(), "none", size=8)
    assert [metric.name for metric in task.metrics] == ["iou_seen", "chamfer"]
    assert "iou_held_out" not in task.split(0).score(Ball()).metrics


def test_iou() -> None:
    one, two = DRAWS.random((2, 50)) > 0.5
    a, b = set(np.flatnonzero(one)), set(np.flatnonzero(two))
    assert iou(one, two) == len(a & b) / len(a | b)
    assert math.isnan(iou(np.zeros(3, bool), np.zeros(3, bool)))


def written(path: Path, vertices: object, faces: object) -> Path:
    made = trimesh.Trimesh(np.asarray(vertices), np.asarray(faces), process=False)
    made.export(path)
    return path


def test_faces_that_look_the_wrong_way_are_turned_and_that_is_said(tmp_path: Path) -> None:
    one = ball(2)
    inward = load_mesh(written(tmp_path / "in.ply", one.vertices, one.faces[:, ::-1]))
    assert inward.notices == ("all faces looked inward and were turned",)
    assert inward.volume == pytest.approx(one.volume)
    mixed = one.faces.copy()
    mixed[:7] = mixed[:7, ::-1]
    mended = load_mesh(written(tmp_path / "mixed.ply", one.vertices, mixed))
    assert mended.notices == ("7 of 320 faces looked the wrong way and were turned",)
    assert mended.volume == pytest.approx(one.volume)


def test_faces_with_a_corner_twice_are_dropped_and_that_is_said(tmp_path: Path) -> None:
    one = cube()
    faces = np.concatenate([one.faces, [[0, 0, 1], [2, 3, 3]]])
    mesh = load_mesh(written(tmp_path / "a.ply", one.vertices, faces))
    assert mesh.notices == ("2 faces that have a corner twice were dropped",)
    assert len(mesh.faces) == 12


def nan_vertex(path: Path) -> None:
    one = cube()
    vertices = one.vertices.copy()
    vertices[0, 1] = math.nan
    written(path, vertices, one.faces)


def huge_ply(path: Path) -> None:
    axes = "".join(f"property float {axis}\n" for axis in "xyz")
    path.write_text(
        "ply\nformat binary_little_endian 1.0\nelement vertex 8000000000\n" + axes +
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    )  # fmt: skip


def scaled(path: Path, power: str) -> None:
    one = cube()
    corners = [" ".join(f"{x:g}{power}" for x in corner) for corner in one.vertices]
    faces = [" ".join(str(index + 1) for index in face) for face in one.faces]
    path.write_text("\n".join([f"v {one}" for one in corners] + [f"f {one}" for one in faces]))


def many_faces(path: Path) -> None:
    path.write_bytes(bytes(80) + struct.pack("<I", 2_000_000))
    os.truncate(path, 84 + 50 * 2_000_000)  # sparse: takes no room on disk


BAD = {
    "missing.obj": (lambda path: None, "no such file"),
    "empty.obj": (lambda path: path.write_bytes(b""), "0 bytes"),
    "text.ply": (lambda path: path.write_text("hello"), "damaged, cut short or no mesh"),
    "text.stl": (lambda path: path.write_text("hello"), "damaged|no faces"),
    "text.off": (lambda path: path.write_text("hello"), "damaged, cut short or no mesh"),
    "huge.ply": (huge_ply, "damaged, cut short or no mesh"),
    "huge.stl": (
        lambda path: path.write_bytes(bytes(80) + struct.pack("<I", 4_000_000_000) + bytes(50)),
        "no faces",
    ),
    "huge.off": (lambda path: path.write_text("OFF\n9999999999 9999999999 0\n0 0 0\n"), "damaged"),
    "points.obj": (lambda path: path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n"), "no faces|damaged"),
    "nan.ply": (nan_vertex, "1 vertices are not finite"),
    "open.ply": (
        lambda p: written(p, cube().vertices, cube().faces[:-1]),
        "open.ply: not closed: 3 of its 18 edges are open",
    ),
    "moebius.ply": (
        lambda p: written(p, *moebius()),
        "cannot all be turned to agree|are open",
    ),
    "flat.ply": (
        lambda p: written(p, [[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 1]]),
        "flat.ply: its surface encloses no volume",
    ),
    "sheet.ply": (
        lambda p: written(p, cube().vertices * (1, 1, 1e-6), cube().faces),
        "none to speak of: 1e-06",
    ),
    "far.obj": (lambda p: scaled(p, "e150"), r"1e\+150 away from the origin; up to 1e\+30 fits"),
    "small.obj": (lambda p: scaled(p, "e-150"), "2e-150 long"),
    "many.stl": (many_faces, "2,000,000 faces, more than 1,000,000"),
    "digits.obj": (
        lambda p: written(p, cube().vertices + 1e20, cube().faces),
        "all corners of its faces are in one place",
    ),
    "twice.ply": (
        lambda p: written(p, cube().vertices, [[0, 0, 1], [2, 3, 3]]),
        "each of its 2 faces has a corner twice",
    ),
    "pipe.obj": (os.mkfifo, "no such file"),
    "index.obj": (lambda p: p.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n"), "damaged"),
}  # fmt: skip


def moebius() -> tuple[np.ndarray, np.ndarray]:
    """The projective plane of six corners: closed, but with one side."""
    around = [(1, 2, 4), (2, 3, 5), (3, 4, 1), (4, 5, 2), (5, 1, 3)]
    return DRAWS.random((6, 3)), np.array([*((0, i, i % 5 + 1) for i in range(1, 6)), *around])


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    make, message = BAD[name]
    make(tmp_path / name)
    with pytest.raises(PenchantError, match=message) as raised:
        load_mesh(tmp_path / name)
    assert "\n" not in str(raised.value)


WORDS = MeshTask(cube()).header.model_dump(mode="json")


@pytest.mark.parametrize(
    "change",
    [
        {"half": 0},
        {"half": math.inf},
        {"half": 1e100},
        {"centre": [0, 0, 1e100]},
        {"centre": [0, 0, math.nan]},
        {"outputs": 2},
        {"faces": 10**12},
    ],
)
def test_a_header_from_outside_is_checked(change: dict[str, object]) -> None:
    with pytest.raises(PenchantError, match=next(iter(change))):
        read_header({**WORDS, **change})


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Decoding(scale=0), "scale=0"),
        (Decoding(scale=0.01), "too few"),
        (Decoding(scale=10), "more than 100 million"),
        (Decoding(view=1), "view=1"),
        (Decoding(region=(0, 1)), "region"),
    ],
)
def test_surfaces_that_cannot_be_drawn(wanted: Decoding, message: str) -> None:
    with pytest.raises(PenchantError, match=message):
        read_header(WORDS).decode(Ball(), wanted)


def test_points_outside_nothing_inside_and_unknown_formats() -> None:
    header = read_header(WORDS)
    with pytest.raises(PenchantError, match=r"outside the shape's cube, -1\.1 to 1\.1"):
        header.at(Ball(), (0, 0, 1.2))
    with pytest.raises(PenchantError, match="calls no point inside"):
        header.decode(Ball(-1.0), Decoding(scale=0.1))
    with pytest.raises(PenchantError, match=r"'\.png'"):
        header.check_file(Path("a.png"))
