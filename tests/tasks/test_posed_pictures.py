"""Folders of posed pictures: what is read, and one line for each way in which they are damaged."""

import json
import math
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scenes import ANGLE, ball_scene, poses_around, write_scene

from penchant.errors import PenchantError
from penchant.tasks import PosedPictures, is_posed, load_posed_pictures
from penchant.tasks import _posed_pictures as module
from penchant.tasks._scene_cube import SceneCube


@pytest.fixture(scope="module")
def scene() -> PosedPictures:
    return ball_scene(views=4, size=6)


def words(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "transforms_train.json").read_text())
    return found


def rewrite(folder: Path, found: dict[str, Any], name: str = "train") -> None:
    (folder / f"transforms_{name}.json").write_text(json.dumps(found))


def test_a_folder_gives_back_its_pictures_and_poses(tmp_path: Path, scene: PosedPictures) -> None:
    folder = write_scene(tmp_path / "ball", scene)
    assert is_posed(folder)
    assert not is_posed(folder / "train")
    found = load_posed_pictures(folder)
    assert (found.name, found.angle, found.files[1]) == ("ball", ANGLE, "./train/r_1")
    assert np.array_equal(found.poses, scene.poses)
    assert np.abs(found.pictures - scene.pictures).max() <= 0.5 / 255 + 1e-6
    assert not found.test.any()
    assert not found.pictures.flags.writeable
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.pictures, found.pictures)
    assert not again.poses.flags.writeable
    assert again.notices == found.notices


def test_transparency_is_laid_over_white_and_pictures_are_reduced_by_area(
    tmp_path: Path, scene: PosedPictures
) -> None:
    folder = write_scene(tmp_path, scene)
    half = np.zeros((6, 6, 4), np.uint8)
    half[:, ::2] = (255, 0, 0, 255)
    for view in range(4):
        Image.fromarray(half).save(folder / "train" / f"r_{view}.png")
    found = load_posed_pictures(folder, size=3)
    assert found.pictures.shape == (4, 3, 3, 3)
    assert found.pictures == pytest.approx(np.broadcast_to((1, 0.5, 0.5), (4, 3, 3, 3)), abs=1e-6)
    assert any("white" in notice for notice in found.notices)
    assert any("reduced" in notice for notice in found.notices)


def test_grey_pictures_and_names_with_their_ending(tmp_path: Path, scene: PosedPictures) -> None:
    folder = write_scene(tmp_path, scene)
    found = words(folder)
    for frame in found["frames"]:
        frame["file_path"] = frame["file_path"] + ".png"
        Image.new("L", (6, 6), 51).save(folder / frame["file_path"])
    rewrite(folder, found)
    assert load_posed_pictures(folder).pictures == pytest.approx(0.2)


def test_parts_and_a_single_file_of_any_name(tmp_path: Path, scene: PosedPictures) -> None:
    folder = write_scene(tmp_path, scene)
    found = words(folder)
    rewrite(folder, {**found, "frames": found["frames"][:3]})
    rewrite(folder, {**found, "frames": found["frames"][3:]}, "test")
    rewrite(folder, {**found, "frames": found["frames"][:1]}, "val")
    loaded = load_posed_pictures(folder)
    assert loaded.test.tolist() == [False, False, False, True]
    assert any("transforms_val.json" in notice for notice in loaded.notices)
    for name in ("test", "val"):
        (folder / f"transforms_{name}.json").unlink()
    (folder / "transforms_train.json").rename(folder / "transforms_all.json")
    assert len(load_posed_pictures(folder).files) == 3


def _missing(folder: Path) -> None:
    (folder / "train" / "r_1.png").unlink()
    (folder / "train" / "r_3.png").unlink()


def _other_size(folder: Path) -> None:
    Image.new("RGB", (6, 8)).save(folder / "train" / "r_2.png")


def _damaged_picture(folder: Path) -> None:
    (folder / "train" / "r_2.png").write_bytes(b"\x89PNG")


def _no_json(folder: Path) -> None:
    (folder / "transforms_train.json").write_text("{")


def _deep_json(folder: Path) -> None:
    (folder / "transforms_train.json").write_text("[" * 100_000)


def _none_at_all(folder: Path) -> None:
    (folder / "transforms_train.json").unlink()


def _two_cameras(folder: Path) -> None:
    rewrite(folder, {**words(folder), "camera_angle_x": 0.5}, "test")


def _matrix(change: Callable[[np.ndarray], None]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        found = words(folder)
        pose = np.array(found["frames"][2]["transform_matrix"])
        change(pose)
        found["frames"][2]["transform_matrix"] = pose.tolist()
        rewrite(folder, found)

    return damage


def _set(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder, {**words(folder), **changes})


def _frame(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        found = words(folder)
        found["frames"][1] |= changes
        rewrite(folder, found)

    return damage


def _scaled(pose: np.ndarray) -> None:
    pose[:3, :3] *= 1.01


def _mirrored(pose: np.ndarray) -> None:
    pose[:3, 0] *= -1


def _projective(pose: np.ndarray) -> None:
    pose[3] = (0, 0, 0.1, 1)


def _far(pose: np.ndarray) -> None:
    pose[1, 3] = 1e30


def _one(folder: Path) -> None:
    rewrite(folder, {**words(folder), "frames": words(folder)["frames"][:1]})


def _pipe(folder: Path) -> None:
    (folder / "transforms_train.json").unlink()
    os.mkfifo(folder / "transforms_train.json")


def _nan(pose: np.ndarray) -> None:
    pose[1, 3] = math.nan


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_missing, "r_1.*1 more.*not there; 2 of 4"),
        (_other_size, "r_2.png: 6×8 pixels.*6×6"),
        (_damaged_picture, "r_2.png"),
        (_no_json, "no JSON"),
        (_deep_json, "no JSON"),
        (_none_at_all, "transforms_train.json or transforms.json is needed"),
        (_two_cameras, "camera_angle_x=0.5.*one camera"),
        (_matrix(_scaled), r"r_2 is not rigid.*off by 0\.0201"),
        (_matrix(_mirrored), "r_2 is not rigid.*mirrors"),
        (_matrix(_projective), r"r_2 is not rigid: its last row is 0 0 0\.1 1"),
        (_matrix(_nan), "r_2 is not rigid: it holds nan"),
        (_set(camera_angle_x=0), "between 0 and π"),
        (_set(camera_angle_x=3.2), "between 0 and π"),
        (_set(camera_angle_x=math.nan), "between 0 and π"),
        (_set(camera_angle_x="wide"), "camera_angle_x: input should be a valid number"),
        (_set(frames=[]), "frames: "),
        (_set(frames={}), "frames: "),
        (_set(k1=0.1), "k1=0.1: a lens that bends"),
        (_frame(transform_matrix=[[1, 0, 0, 0]] * 3), "frames.1.transform_matrix: "),
        (_frame(transform_matrix=[[1, 0, 0]] * 4), "frames.1.transform_matrix.0: "),
        (_frame(file_path="../elsewhere/r_1"), "not within the folder"),
        (_frame(file_path="/etc/passwd"), "not within the folder"),
        (_frame(file_path="a\0b"), "not within the folder"),
        (_frame(file_path=3), "frames.1.file_path: "),
        (_frame(file_path="a/" * 2000), "its poses name a/a/.*, which is not there"),
        (_matrix(_far), r"r_2: its camera stands 1e\+30 away"),
        (_one, "a single picture; a scene needs at least 2"),
        (_pipe, "train.json: not a regular file"),
    ],
)
def test_what_is_damaged_is_said_in_one_line(
    tmp_path: Path, scene: PosedPictures, damage: Callable[[Path], None], said: str
) -> None:
    folder = write_scene(tmp_path / "scene", scene)
    damage(folder)
    with pytest.raises(PenchantError, match=said) as caught:
        load_posed_pictures(folder)
    assert "\n" not in str(caught.value)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, scene: PosedPictures) -> None:
    folder = write_scene(tmp_path / "scene", scene)
    (folder / "train" / "r_1.png").rename(tmp_path / "outside.png")
    (folder / "train" / "r_1.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(PenchantError, match="not within the folder"):
        load_posed_pictures(folder)


@pytest.mark.parametrize(("cx", "fl_y", "said"), [(3, 7, False), (2.9, 7, True), (3, 7.1, True)])
def test_a_camera_that_looks_past_the_middle_is_said(
    tmp_path: Path, scene: PosedPictures, cx: float, fl_y: float, said: bool
) -> None:
    folder = write_scene(tmp_path, scene, w=6, h=6, cx=cx, cy=3, fl_x=7, fl_y=fl_y)
    notices = load_posed_pictures(folder).notices
    assert any("looks through its pictures' middle" in notice for notice in notices) == said


def test_bounds(tmp_path: Path, scene: PosedPictures, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_scene(tmp_path / "scene", scene)
    with pytest.raises(PenchantError, match="no such folder"):
        load_posed_pictures(tmp_path / "nowhere")
    monkeypatch.setattr(module, "MAX_PIXELS", 4 * 36 - 1)
    with pytest.raises(PenchantError, match="take a smaller size"):
        load_posed_pictures(folder)
    assert load_posed_pictures(folder, size=5).pictures.shape == (4, 5, 5, 3)
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    with pytest.raises(PenchantError, match="at most 100 are read"):
        load_posed_pictures(folder)


@pytest.mark.unchecked
def test_pictures_of_ones_own_are_held_to_the_same() -> None:
    poses, white = poses_around(3), np.ones((3, 4, 4, 3))
    with pytest.raises(PenchantError, match="from 1 to 2"):
        PosedPictures("white", white + np.arange(3)[:, None, None, None] / 2, poses, ANGLE)
    with pytest.raises(PenchantError, match="4×4 pose"):
        PosedPictures("white", white, poses[:2], ANGLE)
    with pytest.raises(PenchantError, match="views × height"):
        PosedPictures("white", white[:1], poses[:1], ANGLE)
    with pytest.raises(PenchantError, match="view 0 is not rigid"):
        PosedPictures("white", white, 2 * poses, ANGLE)


def test_the_cube_is_around_what_cameras_look_at() -> None:
    poses = poses_around(7, distance=3.0)
    poses[:, :3, 3] += (1, -2, 5)
    cube = SceneCube.of(poses, ANGLE, 10, 20)
    assert cube.centre == pytest.approx((1, -2, 5), abs=1e-9)
    assert cube.half == pytest.approx(3 * math.tan(ANGLE / 2))
    upright = SceneCube.of(poses, ANGLE, 20, 10)
    assert upright.half == pytest.approx(2 * cube.half)
    with pytest.raises(PenchantError, match="all look one way"):
        SceneCube.of(np.stack([np.eye(4)] * 3), ANGLE, 10, 10)


def test_lego(penchant_data: Path) -> None:
    found = load_posed_pictures(penchant_data / "lego", size=20)
    assert found.pictures.shape == (90, 20, 20, 3)
    cube = SceneCube.of(found.poses, found.angle, 20, 20)
    assert cube.centre == pytest.approx((0, 0, 0), abs=1e-5)
    assert cube.half == pytest.approx(1.4512, abs=1e-4)
