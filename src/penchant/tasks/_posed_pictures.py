"""Pictures of one scene with the places that they were taken from: NeRF-synthetic's folders.

A folder holds ``transforms_train.json`` (and ``_test`` and ``_val``), or one ``transforms.json``:
the angle that a picture's width spans, and for each picture its file and its pose, the 4×4 matrix
from the camera's axes (x right, y up, the view along -z) to the scene's.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool, Float
from pydantic import BaseModel, Field, ValidationError

from penchant.errors import PenchantError
from penchant.tasks._picture import MAX_PIXELS, Picture, load_picture

MAX_BYTES = 64_000_000
"""Of a file with poses: 10,000 of them take about 5 million."""

MAX_VIEWS = 10_000

FARTHEST = 1e9
"""How far out a camera may stand, in the scene's units."""

RIGID = 1e-3
"""How far a rotation may be from one: what files with few digits have."""

OFF_CENTRE = 0.005
"""Share of a picture's side by which its middle may be missed: half a pixel of 100."""

_LENSES = ("k1", "k2", "k3", "k4", "p1", "p2")


class _Frame(BaseModel):
    file_path: str = Field(min_length=1, max_length=4096)
    transform_matrix: Annotated[
        list[Annotated[list[float], Field(min_length=4, max_length=4)]],
        Field(min_length=4, max_length=4),
    ]


class _Transforms(BaseModel):
    camera_angle_x: float
    frames: list[_Frame] = Field(min_length=1, max_length=MAX_VIEWS)


@dataclass(frozen=True, eq=False)
class PosedPictures:
    """Pictures of one scene, all of one size and angle, and the poses of their cameras.

    Attributes:
        name: the folder's.
        pictures: float32 in [0, 1], read only, transparency laid over white.
        poses: from each camera's axes to the scene's, float64, read only.
        angle: that a picture's width spans, in radians.
        files: what each picture is called.
        test: which pictures are of the data's own test part; none where not given.
        notices: what was done to the files' numbers on the way in, one sentence each.

    Raises:
        PenchantError: shapes that do not fit each other, values outside [0, 1], an angle outside
            (0, π), a pose that is not rigid, or fewer than 2 views.

    Example:
        >>> scene = PosedPictures("white", np.ones((2, 4, 4, 3)), np.stack([np.eye(4)] * 2), 0.7)
        >>> scene.files
        ('view 0', 'view 1')
    """

    name: str
    pictures: Float[np.ndarray, "views height width 3"]
    poses: Float[np.ndarray, "views 4 4"]
    angle: float
    files: tuple[str, ...] = ()
    test: Bool[np.ndarray, "marked"] = field(default_factory=lambda: np.zeros(0, bool))
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Hold the numbers to what every reader counts on."""
        pictures = np.array(self.pictures, np.float32)
        poses = np.array(self.poses, np.float64)
        views = len(pictures)
        test = np.array(self.test, bool) if len(self.test) else np.zeros(views, bool)
        files = self.files or tuple(f"view {view}" for view in range(views))
        if pictures.ndim != 4 or pictures.shape[3] != 3 or min(pictures.shape) < 2:
            raise PenchantError(
                f"scene {self.name!r}: pictures of shape {pictures.shape}; views × height × width "
                "× 3 are needed, at least 2 × 2 × 2 × 3"
            )
        if poses.shape != (views, 4, 4) or test.shape != (views,) or len(files) != views:
            raise PenchantError(
                f"scene {self.name!r}: {views} pictures, poses of shape {poses.shape}, "
                f"{len(files)} names; one 4×4 pose and one name a picture are needed"
            )
        if not (pictures.min() >= 0 and pictures.max() <= 1):  # so that nan fails too
            raise PenchantError(
                f"scene {self.name!r}: values reach from {pictures.min():g} to "
                f"{pictures.max():g}; they must be finite and within [0, 1]"
            )
        check_angle(f"scene {self.name!r}", self.angle)
        for file, pose in zip(files, poses, strict=True):
            check_rigid(f"scene {self.name!r}: the pose of {file}", pose)
        for array in (pictures, poses, test):
            array.flags.writeable = False
        kept = {"pictures": pictures, "poses": poses, "test": test, "files": files}
        self.__dict__.update(kept)  # past __setattr__, which a frozen dataclass refuses

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction, since an unpickled array would be writable."""
        return PosedPictures, tuple(vars(self)[name] for name in self.__dataclass_fields__)


def check_angle(what: str, angle: float) -> None:
    """Refuse an angle that no picture spans."""
    if not 0 < angle < math.pi:  # so that nan fails too
        raise PenchantError(
            f"{what}: camera_angle_x={angle}: the angle that a picture's width spans is needed, "
            "in radians between 0 and π"
        )


def check_rigid(what: str, pose: Float[np.ndarray, "4 4"]) -> None:
    """Refuse a pose that is no rotation and a place."""
    rotation = pose[:3, :3]
    if not np.isfinite(pose).all():
        raise PenchantError(f"{what} is not rigid: it holds {pose[~np.isfinite(pose)][0]}")
    if np.abs(pose[3] - (0, 0, 0, 1)).max() > 1e-6:
        row = " ".join(f"{number:g}" for number in pose[3])
        raise PenchantError(f"{what} is not rigid: its last row is {row}, not 0 0 0 1")
    if np.abs(pose[:3, 3]).max() > FARTHEST:
        raise PenchantError(
            f"{what}: its camera stands {np.abs(pose[:3, 3]).max():.3g} away from the origin; up "
            f"to {FARTHEST:g} fits, so scale the scene before"
        )
    off = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    if off > RIGID:
        raise PenchantError(
            f"{what} is not rigid: its 3×3 part is no rotation, since the products of its columns "
            f"are off by {off:.3g}, more than {RIGID:g}"
        )
    if np.linalg.det(rotation) < 0:
        raise PenchantError(f"{what} is not rigid: it mirrors, its determinant is -1 and not 1")


def is_posed(folder: str | Path) -> bool:
    """Tell whether a folder holds posed pictures, by its ``transforms*.json``.

    Example:
        >>> is_posed("/nowhere")
        False
    """
    return Path(folder).is_dir() and any(Path(folder).glob("transforms*.json"))


def load_posed_pictures(folder: str | Path, size: int | None = None) -> PosedPictures:
    """Read a folder of posed pictures.

    Of the pictures in ``transforms_test.json`` is kept that they are of the test part, those in
    ``transforms_val.json`` are left out. Picture files may be named with their ending or, as in
    NeRF-synthetic, without ``.png``.

    Args:
        folder: that holds a ``transforms*.json``.
        size: the pictures' longer side in pixels; larger ones are reduced by area.

    Returns:
        The pictures with their poses.

    Raises:
        PenchantError: no such folder, poses that are damaged, too many or not rigid, an angle
            that no picture spans, pictures that are missing, outside the folder, of different
            sizes or more than 100 megapixels in all.
    """
    folder = Path(folder)
    frames: list[tuple[Path, _Frame, bool]] = []
    angles: dict[Path, float] = {}
    notices: list[str] = []
    files = _files(folder)
    for path in files:
        if path.stem.endswith("_val") and len(files) > 1:
            notices.append(f"{path.name} was left out: it is for choices, not for scores")
            continue
        found = _read(path, notices)
        angles[path] = found.camera_angle_x
        frames += [(path, frame, path.stem.endswith("_test")) for frame in found.frames]
    first, angle = next(iter(angles.items()))
    for path, other in angles.items():
        if abs(other - angle) > 1e-6:
            raise PenchantError(
                f"{path}: camera_angle_x={other:g}, and {first.name} has {angle:g}; one camera is "
                "needed for all pictures"
            )
    if len(frames) > MAX_VIEWS:
        raise PenchantError(f"{folder}: {len(frames):,} pictures; at most {MAX_VIEWS:,} are read")
    for path, frame, _ in frames:
        check_rigid(f"{path}: the pose of {frame.file_path}", np.array(frame.transform_matrix))
    if len(frames) < 2:
        raise PenchantError(f"{folder}: a single picture; a scene needs at least 2")
    pictures = _pictures(
        folder, [_picture_file(folder, path, frame) for path, frame, _ in frames], size, notices
    )
    return PosedPictures(
        folder.resolve().name,
        pictures,
        np.array([frame.transform_matrix for _, frame, _ in frames]),
        angle,
        tuple(frame.file_path for _, frame, _ in frames),
        np.array([test for _, _, test in frames]),
        tuple(notices),
    )


def _files(folder: Path) -> list[Path]:
    """Find the files with poses: those of the parts, or the one that there is."""
    if not folder.is_dir():
        raise PenchantError(f"{folder}: no such folder")
    found = sorted(folder.glob("transforms*.json"))
    parts = {path.stem: path for path in found}
    if "transforms_train" in parts:
        order = ("transforms_train", "transforms_test", "transforms_val")
        return [parts[name] for name in order if name in parts]
    if "transforms" in parts:
        return [parts["transforms"]]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise PenchantError(
            f"{folder}: transforms_train.json or transforms.json is needed; there is {names:.200}"
        )
    return found


def _read(path: Path, notices: list[str]) -> _Transforms:
    """Read a file of poses and check it, but for what a matrix has to be."""
    try:
        size = path.stat().st_size
        if not path.is_file():  # a pipe would be waited for
            raise PenchantError(f"{path}: not a regular file, so no poses can be read from it")
        if size > MAX_BYTES:
            raise PenchantError(f"{path} has {size:,} bytes; at most {MAX_BYTES:,} are read")
        words = json.loads(path.read_bytes())
    except OSError as error:
        raise PenchantError(f"{path}: cannot be opened ({error.strerror})") from error
    except PenchantError:
        raise
    except (ValueError, RecursionError) as error:
        raise PenchantError(f"{path}: no JSON ({error})") from error
    try:
        found = _Transforms.model_validate(words)
    except ValidationError as error:
        worst = error.errors()[0]
        place = ".".join(map(str, worst["loc"])) or "the whole"
        raise PenchantError(
            f"{path}: {place}: {worst['msg'][:1].lower()}{worst['msg'][1:]}; camera_angle_x and "
            "frames with file_path and a 4×4 transform_matrix are needed"
        ) from error
    check_angle(str(path), found.camera_angle_x)
    bent = [name for name in _LENSES if words.get(name)]
    if bent:
        raise PenchantError(
            f"{path}: {bent[0]}={words[bent[0]]!r:.20}: a lens that bends lines; undistort the "
            "pictures first"
        )
    notices += _off_centre(path, words)
    return found


def _off_centre(path: Path, words: dict[str, Any]) -> list[str]:
    """Say if the camera does not look through its pictures' middle, or sees no square pixels."""
    given = [words.get(name) for name in ("w", "h", "cx", "cy", "fl_x", "fl_y")]
    numbers = [one for one in given if isinstance(one, int | float) and one > 0]
    if len(numbers) < len(given):
        return []
    w, h, cx, cy, fl_x, fl_y = numbers
    off = max(abs(cx / w - 0.5), abs(cy / h - 0.5), abs(fl_y / fl_x - 1))
    if off <= OFF_CENTRE:
        return []
    return [
        f"{path.name}: cx, cy, fl_x and fl_y are off by up to {100 * off:.2g} % from a camera that "
        "looks through its pictures' middle, for which it is taken"
    ]


def _picture_file(folder: Path, path: Path, frame: _Frame) -> Path:
    """Return the picture's file, which must lie within the folder."""
    named = folder / frame.file_path
    try:
        file = named if named.is_file() else named.with_name(named.name + ".png")
        inside = file.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a zero byte, a loop of links
        inside = False
    if not inside:
        raise PenchantError(
            f"{path}: the picture {frame.file_path!r:.200} is not within the folder {folder}"
        )
    return file


def _pictures(
    folder: Path, files: Sequence[Path], size: int | None, notices: list[str]
) -> Float[np.ndarray, "views height width 3"]:
    missing = [file for file in files if not file.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise PenchantError(
            f"{folder}: its poses name {missing[0].relative_to(folder)!s:.200}{more}, which "
            f"{'are' if more else 'is'} not there; {len(files) - len(missing)} of {len(files)} "
            "pictures are"
        )
    first = load_picture(files[0], size)
    height, width = first.values.shape[:2]
    if len(files) * height * width > MAX_PIXELS:
        raise PenchantError(
            f"{folder}: {len(files)} pictures of {width}×{height} pixels are more than "
            f"{MAX_PIXELS // 10**6} megapixels in all; take a smaller size"
        )
    pictures = np.empty((len(files), height, width, 3), np.float32)
    said: dict[str, None] = {}
    for index, file in enumerate(files):
        picture = load_picture(file, size) if index else first
        if picture.values.shape[:2] != (height, width):
            there = "×".join(map(str, picture.values.shape[1::-1]))
            raise PenchantError(
                f"{file}: {there} pixels, and {files[0].name} has {width}×{height}; all pictures "
                "of a scene must be of one size"
            )
        pictures[index] = picture.values  # one channel becomes three
        said |= dict.fromkeys(_said(picture))
    notices += said
    return pictures


def _said(picture: Picture) -> list[str]:
    """Leave out of a picture's notices what is another number in each."""
    return [
        "pixels that are not opaque: laid over white" if "not opaque" in notice else notice
        for notice in picture.notices
    ]
