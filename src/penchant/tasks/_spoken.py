"""A folder of recordings as labelled data: log-mel frames, and who speaks."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks._labelled import Labelled, check_size
from penchant.tasks._log_mel import LogMel
from penchant.tasks._recording import RATE, Recording, load_recording, placed

SECONDS = 1.0
"""The window that every recording is put into the middle of."""

SHIFT = 0.2
"""Seconds by which the shifted copy of a recording lies earlier or later, at the most."""

TEST_TAKES = 5
"""The spoken digits' own test part: the takes 0 to 4 of each speaker and digit."""

_NAMED = re.compile(r"(?P<label>.+)_(?P<speaker>[^_]+)_(?P<take>\d{1,9})")

_BLOCK = 256  # recordings that are turned into features at a time


class Take(NamedTuple):
    """A recording's place: its file, its class, who speaks, and which try of theirs it is."""

    path: Path
    label: str
    speaker: str = ""
    number: int = 0


def load_spoken_digits() -> Labelled:
    """Read the Free Spoken Digit Dataset from the folder `fsdd` in PENCHANT_DATA.

    Returns:
        3,000 recordings of ten digits by six speakers, the takes 0 to 4 its own test part.

    Raises:
        PenchantError: the folder is not there, or holds what does not fit.

    Source: Jackson et al., "Free Spoken Digit Dataset", version 1.0.10, 2020 (CC BY-SA 4.0).
    """
    named = os.environ.get("PENCHANT_DATA")
    folder = Path(named or ".") / "fsdd" / "recordings"
    if named is None or not folder.is_dir():
        raise PenchantError(
            "spoken-digits: no folder fsdd/recordings in PENCHANT_DATA; get it from "
            "github.com/Jakobovski/free-spoken-digit-dataset, or name the folder of recordings"
        )
    return load_recordings(folder, name="spoken-digits")


def holds_recordings(folder: Path) -> bool:
    """Say whether a folder holds recordings to classify, itself or in its subfolders."""
    try:
        return any(_wavs(folder)) or any(any(_wavs(inside)) for inside in _subfolders(folder))
    except OSError:
        return False


def load_recordings(folder: Path, name: str | None = None) -> Labelled:
    """Read a folder of .wav files: ``class_speaker_take.wav``, or one subfolder a class.

    Each recording is brought to 8 kHz and one channel, put into the middle of a window of one
    second of silence (of a longer one the middle second is kept), and turned into log-mel frames
    (`LogMel`, 32 bands every 10 ms). A second copy is put up to 0.2 s earlier or later, by a draw
    of its own: what a network makes of it says whether it minds *when* a word is said.

    Args:
        folder: holds the recordings, or the subfolders.
        name: what reports call the data; by default the folder's name.

    Returns:
        Samples bands × frames. With names after the first pattern also the groups ``speakers`` and
        ``takes``, and takes 0 to 4 as the own test part where there are others.

    Raises:
        PenchantError: names that do not fit, or a recording that does not load.
    """
    takes = _takes(folder)
    mel = LogMel()
    length = round(SECONDS * RATE)
    check_size(str(folder), 2 * len(takes) * mel.bands * mel.frames(length))
    classes = tuple(sorted({take.label for take in takes}))
    recordings = [load_recording(take.path) for take in takes]
    draws = torch.rand(len(takes), generator=generator(0, "shifted recordings"))
    later = (SHIFT * RATE * (2 * draws - 1)).round().int().tolist()
    groups: dict[str, np.ndarray] = {}
    if takes[0].speaker:
        groups["speakers"] = np.array([take.speaker for take in takes])
        groups["takes"] = np.array([take.number for take in takes])
    return Labelled(
        name or folder.name,
        features(mel, [placed(one.samples, length) for one in recordings]),
        np.array([classes.index(take.label) for take in takes]),
        classes,
        test=_test(takes),
        notices=_notices(recordings, length),
        groups=groups,
        altered={
            "shifted": features(
                mel,
                [placed(r.samples, length, by) for r, by in zip(recordings, later, strict=True)],
            )
        },
        sound=True,
    )


def features(mel: LogMel, windows: Sequence[np.ndarray]) -> np.ndarray:
    """Turn windows of one length into frames, block by block; samples × bands × frames."""
    blocks = [windows[start : start + _BLOCK] for start in range(0, len(windows), _BLOCK)]
    with torch.no_grad():
        return np.concatenate([mel(torch.from_numpy(np.stack(block))).numpy() for block in blocks])


def _takes(folder: Path) -> list[Take]:
    """List the recordings, those of the own test part last."""
    try:
        files = _wavs(folder)
        inside = [(path.name, _wavs(path)) for path in _subfolders(folder)] if not files else []
    except OSError as error:
        raise PenchantError(f"{folder}: cannot be listed ({error.strerror})") from error
    if not files:
        takes = [Take(path, label) for label, paths in inside for path in paths]
        if not takes:
            raise PenchantError(f"{folder}: no .wav files, neither here nor in its subfolders")
        return takes
    takes = []
    for path in files:
        found = _NAMED.fullmatch(path.stem)
        if found is None:
            raise PenchantError(
                f"{path}: not named class_speaker_take.wav, as 7_jackson_32.wav; name the "
                "recordings so, or put those of each class into a subfolder of its name"
            )
        takes.append(Take(path, found["label"], found["speaker"], int(found["take"])))
    return sorted(takes, key=lambda take: take.number < TEST_TAKES)


def _test(takes: Sequence[Take]) -> int:
    """Count the recordings of the own test part."""
    own = sum(bool(take.speaker) and take.number < TEST_TAKES for take in takes)
    return own if own < len(takes) else 0


def _wavs(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.suffix.lower() == ".wav"]
    return sorted(path for path in found if not path.name.startswith("."))


def _subfolders(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.is_dir()]
    return sorted(path for path in found if not path.name.startswith("."))


def _notices(recordings: Sequence[Recording], length: int) -> tuple[str, ...]:
    notices = [
        f"{len(recordings)} recordings were each put into the middle of {SECONDS:g} s of silence",
        f"the shifted copies lie up to {SHIFT:g} s earlier or later",
    ]
    longer = sum(len(one.samples) > length for one in recordings)
    if longer:
        notices.append(f"longer, so that the middle was kept: {longer} of {len(recordings)}")
    changed = [one for one in recordings if one.notices]
    if changed:
        first = f"{changed[0].name} ({', '.join(changed[0].notices)})"
        notices.append(f"changed in reading: {len(changed)} of {len(recordings)}, first {first}")
    return tuple(notices)
