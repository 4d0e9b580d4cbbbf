"""Opening a sound file: any that libsndfile knows, its header asked before there is memory."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from penchant.errors import PenchantError

MAX_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class Frames:
    """A sound file's content, as it is kept there."""

    values: Float32[np.ndarray, "frames channels"]
    rate: int
    format: str
    """libsndfile's name, such as WAV."""
    subtype: str
    """How it keeps a sample, such as PCM_16."""
    claimed: int
    """Frames that its header says; of an .mp3 that is cut short more than there are."""


def read_frames(path: Path, check: Callable[[Any], None]) -> Frames:
    """Read a sound file whole.

    Args:
        path: a .wav, or another file that libsndfile reads (flac, ogg, mp3, aiff).
        check: given the open `soundfile.SoundFile`, raises if its header asks for too much.

    Returns:
        All frames, full scale at ±1.

    Raises:
        PenchantError: a file that is missing, too large, empty, no sound file or a damaged one, or
            with samples that are not finite.
    """
    import soundfile

    try:
        size = path.stat().st_size
        if path.is_dir():
            raise PenchantError(f"{path}: is a folder; one recording is needed")
        if not path.is_file():  # a pipe would be waited for
            raise PenchantError(f"{path}: not a regular file, so no recording can be read from it")
        if size > MAX_BYTES:
            raise PenchantError(f"{path}: {size / 2**20:.0f} MiB, where recordings up to 1024 fit")
        with path.open("rb") as raw, soundfile.SoundFile(raw) as file:
            check(file)
            values = file.read(dtype="float32", always_2d=True)
            found = Frames(values, file.samplerate, file.format, file.subtype, file.frames)
    except OSError as error:
        raise PenchantError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    except PenchantError:
        raise
    except (soundfile.SoundFileError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).rpartition(">: ")[2].strip(" .") or str(error)
        raise PenchantError(f"{path}: no recording that can be read ({reason:.200})") from error
    if len(values) == 0:
        raise PenchantError(f"{path}: no samples; a recording needs some")
    if not np.isfinite(values).all():
        wrong = int((~np.isfinite(values)).any(axis=1).sum())
        raise PenchantError(f"{path}: {wrong} of {len(values)} samples are not finite numbers")
    return found
