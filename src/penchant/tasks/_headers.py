"""The kinds of signals that a network's file may hold."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from penchant.errors import PenchantError, nearest
from penchant.tasks._header import SamplesHeader, SignalHeader
from penchant.tasks._mesh_header import MeshHeader
from penchant.tasks._picture_header import PictureHeader
from penchant.tasks._radiance_header import RadianceHeader
from penchant.tasks._sound_header import SoundHeader
from penchant.tasks._volume_header import VolumeHeader

HEADERS: dict[str, type[SignalHeader]] = {
    "samples": SamplesHeader,
    "picture": PictureHeader,
    "radiance": RadianceHeader,
    "volume": VolumeHeader,
    "mesh": MeshHeader,
    "sound": SoundHeader,
}
"""Every kind by its name."""


def read_header(words: Mapping[str, Any]) -> SignalHeader:
    """Make a header of what a file says.

    Raises:
        PenchantError: an unknown kind, or facts that do not fit it.

    Example:
        >>> words = {"kind": "picture", "name": "grey", "outputs": 1, "height": 4, "width": 0}
        >>> read_header(words)
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: width=0: input should be greater than or equal to 1
    """
    kind = words.get("kind")
    if not isinstance(kind, str) or kind not in HEADERS:
        raise PenchantError(f"kind={kind!r} is unknown: {nearest(str(kind), list(HEADERS))}")
    try:
        return HEADERS[kind](**words)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        said = first["msg"][:1].lower() + first["msg"][1:]
        given = f"{place}={first['input']!r:.50}: " if place else ""  # several fields have none
        raise PenchantError(f"{given}{said}") from error
