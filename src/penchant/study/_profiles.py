"""Profiles of a study's file: the same question asked in minutes or in hours.

A table ``[profiles.NAME]`` holds the words of the plan in which the profile differs.
"""

import tomllib
from pathlib import Path
from typing import Any

from penchant.errors import PenchantError, nearest


def profiled(words: dict[str, Any], profile: str | None, path: Path) -> dict[str, Any]:
    """Return the words of a file as one of its profiles has them.

    Args:
        words: the file's content.
        profile: the profile's name; by default the first that the file has.
        path: the file, for messages.

    Returns:
        The words that stand outside profiles, replaced by the profile's own where it has them.

    Raises:
        PenchantError: the file has no such profile, or its profiles are no tables.

    Example:
        >>> words = {"steps": 9, "profiles": {"quick": {"seeds": 2}, "full": {"steps": 90}}}
        >>> profiled(words, None, Path("study.toml"))
        {'steps': 9, 'seeds': 2}
        >>> profiled(words, "full", Path("study.toml"))
        {'steps': 90}
    """
    rest = {name: value for name, value in words.items() if name != "profiles"}
    profiles = words.get("profiles", {})
    if not (isinstance(profiles, dict) and all(isinstance(one, dict) for one in profiles.values())):
        raise PenchantError(f"{path}: profiles must be tables, such as [profiles.quick]")
    if profile is None:
        return {**rest, **next(iter(profiles.values()), {})}
    if profile not in profiles:
        known = nearest(profile, list(profiles)) if profiles else "the file has none"
        raise PenchantError(f"{path}: profile {profile!r} is unknown: {known}")
    return {**rest, **profiles[profile]}


def default_folder(path: Path, profile: str | None) -> Path:
    """Name the folder of a study that is read from a file.

    Args:
        path: the file, which `profiled` has accepted.
        profile: the profile's name, or None for the first.

    Returns:
        The file's own folder; of a file with profiles, which leaves several studies behind,
        ``NAME-PROFILE`` in the current one.
    """
    profiles = tomllib.loads(path.read_text(encoding="utf-8")).get("profiles", {})
    if not profiles:
        return path.parent
    return Path(f"{path.stem}-{profile or next(iter(profiles))}")
