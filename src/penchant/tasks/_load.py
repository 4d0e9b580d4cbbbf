"""Signals to reconstruct, by what the file is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from penchant.errors import PenchantError
from penchant.tasks._mesh import is_mesh, load_mesh
from penchant.tasks._mesh_task import MeshTask
from penchant.tasks._picture import load_picture
from penchant.tasks._picture_task import PictureTask
from penchant.tasks._posed_pictures import is_posed, load_posed_pictures
from penchant.tasks._radiance_task import RadianceTask
from penchant.tasks._sound import is_sound_file, load_sound
from penchant.tasks._sound_task import SoundTask
from penchant.tasks._task import Task
from penchant.tasks._volume import load_volume
from penchant.tasks._volume_files import is_volume
from penchant.tasks._volume_task import VolumeTask


@dataclass(frozen=True)
class Asked:
    """What is wanted of a signal beside the file."""

    size: int | None = None
    """Samples along the longest side; None takes all."""
    held_out: str | None = None
    """A pattern; by default the kind's own: none, but every eighth view of a scene."""
    noise: float = 0.0


@dataclass(frozen=True)
class Kind:
    """A kind of signal: how its files are known, and what makes a task of one."""

    name: str
    matches: Callable[[Path], bool]
    load: Callable[[Path, Asked], Task]


def _picture(path: Path, asked: Asked) -> Task:
    return PictureTask(load_picture(path, asked.size), asked.held_out or "none", asked.noise)


def _volume(path: Path, asked: Asked) -> Task:
    return VolumeTask(load_volume(path, asked.size), asked.held_out or "none", asked.noise)


def _mesh(path: Path, asked: Asked) -> Task:
    if asked.noise:
        raise PenchantError(f"noise={asked.noise}: {path} is a shape, whose inside takes none")
    return MeshTask(
        load_mesh(path), asked.held_out or "fresh", size=64 if asked.size is None else asked.size
    )


def _radiance(path: Path, asked: Asked) -> Task:
    if asked.noise:
        raise PenchantError(f"noise={asked.noise}: {path} is a scene, whose views take none")
    return RadianceTask(load_posed_pictures(path, asked.size), asked.held_out)


def _sound(path: Path, asked: Asked) -> Task:
    return SoundTask(load_sound(path, asked.size), asked.held_out or "none", asked.noise)


KINDS = (
    Kind("radiance", is_posed, _radiance),
    Kind("volume", is_volume, _volume),
    Kind("mesh", is_mesh, _mesh),
    Kind("sound", is_sound_file, _sound),
    Kind("picture", lambda path: True, _picture),
)
"""Every kind, in the order in which they are tried: what is nothing else is a picture for PIL."""


def kind_of(path: str | Path) -> Kind:
    """Tell what a file or folder is, by its name and what lies in it.

    Example:
        >>> kind_of("photo.png").name
        'picture'
    """
    return next(kind for kind in KINDS if kind.matches(Path(path)))


def load_task(path: str | Path, asked: Asked) -> Task:
    """Make the task of reconstructing a file's signal.

    Args:
        path: the file, or the folder of a scene.
        asked: how large, what is held out, how noisy.

    Raises:
        PenchantError: the file is missing, damaged, or does not fit what is asked.
    """
    return kind_of(path).load(Path(path), asked)
