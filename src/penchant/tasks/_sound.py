"""Sounds from files: whatever libsndfile reads, at its own rate and with all of its channels."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from penchant.errors import PenchantError
from penchant.tasks._sound_file import read_frames
from penchant.tasks._values import read_only

MAX_FRAMES = 2**23
"""The longest sound that is reconstructed: with more, neighbours' times in single precision, on
[-1, 1], would be less than four of its steps apart, and fall together."""

MAX_SAMPLES = 100_000_000
"""The most numbers, frames times channels, that are read before an excerpt is taken."""

MAX_RATE = 10_000_000
MAX_CHANNELS = 1024


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound as numbers: what is reconstructed.

    Attributes:
        name: the file's name without its ending.
        samples: float32, read only; full scale is ±1, which files of floats may exceed.
        rate: frames a second.
        subtype: how its file keeps a sample, in libsndfile's words.
        format: of its file, likewise.
        notices: what was done on the way in, one sentence each.

    Example:
        >>> Sound("click", np.array([[0.0], [1.0], [0.0]], np.float32), 8000).seconds
        0.000375
    """

    name: str
    samples: Float32[np.ndarray, "frames channels"]
    rate: int
    subtype: str = "PCM_16"
    format: str = "WAV"
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Hold the samples to what every reader counts on."""
        samples = read_only(self.samples, np.float32)
        if samples.ndim != 2 or len(samples) < 2 or not 1 <= samples.shape[1] <= MAX_CHANNELS:
            raise PenchantError(
                f"Sound {self.name!r}: samples of shape {samples.shape}; a sound is frames × "
                f"channels, at least 2 × 1 and at most {MAX_CHANNELS} channels"
            )
        if len(samples) > MAX_FRAMES:
            raise PenchantError(f"Sound {self.name!r}: {_too_long(len(samples), self.rate)}")
        if not np.isfinite(samples).all():
            raise PenchantError(f"Sound {self.name!r}: its samples are not all finite numbers")
        if not samples.any():
            raise PenchantError(f"Sound {self.name!r}: silent, so there is nothing to reconstruct")
        if not 1 <= self.rate <= MAX_RATE:
            raise PenchantError(
                f"Sound {self.name!r}: {self.rate} samples a second; from 1 to {MAX_RATE:,} are "
                "taken"
            )
        object.__setattr__(self, "samples", samples)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction, since an unpickled array would be writable."""
        facts = (self.name, self.samples, self.rate, self.subtype, self.format, self.notices)
        return Sound, facts

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate

    @property
    def peak(self) -> float:
        """The largest absolute sample."""
        return float(np.abs(self.samples).max())


def load_sound(path: str | Path, size: int | None = None) -> Sound:
    """Read a sound from any file that libsndfile reads, at its own rate, with all its channels.

    Args:
        path: a .wav, .flac, .ogg, .mp3, .aiff or another.
        size: frames that are kept of a longer sound: those in a row that are loudest, by the sum
            of their squares, the first such; the whole by default. Nothing is resampled.

    Returns:
        The sound, with what was done to it.

    Raises:
        PenchantError: a file that is missing, empty, cut short, damaged or no sound, that is
            silent, not finite or of one sample, or longer than fits.

    Example:
        >>> import soundfile, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(Path(folder) / "a.wav", np.array([0, 0, 0.5, -0.5, 0]), 8000)
        ...     sound = load_sound(Path(folder) / "a.wav", size=2)
        >>> sound.samples.ravel().tolist(), sound.notices
        ([0.5, -0.5], ('the loudest 2 of its 5 frames, from 0.0003 s to 0.0005 s',))
    """
    path = Path(path)
    if size is not None and size < 2:
        raise PenchantError(f"size={size}: an excerpt of a sound needs at least 2 frames")
    found = read_frames(path, _door(path, size))
    values, notices = found.values, []
    if len(values) < 2:
        raise PenchantError(f"{path}: a single sample; a sound needs at least 2")
    if not values.any():
        raise PenchantError(
            f"{path}: silent (all {values.size:,} samples are 0), so there is nothing to "
            "reconstruct"
        )
    if len(values) < found.claimed:
        notices.append(
            f"its header says {found.claimed:,} frames, and {len(values):,} could be read"
        )
    peak = float(np.abs(values).max())
    if peak > 1:
        notices.append(
            f"its peak is {peak:.4g}, beyond full scale: networks see it, as any sound, divided by "
            "its peak, and files of floats get it back"
        )
    if size is not None and size < len(values):
        start = loudest(values, size)
        notices.append(
            f"the loudest {size:,} of its {len(values):,} frames, from {start / found.rate:.4f} s "
            f"to {(start + size) / found.rate:.4f} s"
        )
        values = values[start : start + size].copy()
    values.flags.writeable = False  # so that Sound need not copy
    return Sound(path.stem, values, found.rate, found.subtype, found.format, tuple(notices))


def is_sound_file(path: Path) -> bool:
    """Tell a sound to reconstruct by the ending of its name; nothing is read.

    Example:
        >>> is_sound_file(Path("speech.WAV")), is_sound_file(Path("photo.png"))
        (True, False)
    """
    return path.suffix.lower() in ENDINGS and not path.is_dir()


_BY_FORMAT = {
    "AIFF": (".aiff", ".aif", ".aifc"),
    "AU": (".au", ".snd"),
    "CAF": (".caf",),
    "FLAC": (".flac",),
    "MP3": (".mp3",),
    "OGG": (".ogg", ".oga", ".opus"),
    "RF64": (".rf64",),
    "W64": (".w64",),
    "WAV": (".wav",),
}
ENDINGS = {ending: name for name, endings in _BY_FORMAT.items() for ending in endings}
"""Files of sounds by their ending, with libsndfile's name of the format."""


def loudest(samples: Float[np.ndarray, "frames channels"], size: int) -> int:
    """Find where the loudest excerpt of so many frames starts, the first of several.

    Example:
        >>> loudest(np.array([[0.1], [0.0], [0.9], [0.2], [0.9], [0.2]]), 2)
        2
    """
    # In place: of the longest sound each array of these takes 800 MB.
    power = np.einsum("fc,fc->f", samples, samples, dtype=np.float64)
    np.cumsum(power, out=power)
    sums = power[size - 1 :].copy()
    sums[1:] -= power[:-size]
    return int(np.argmax(sums))


def _door(path: Path, size: int | None) -> Callable[[Any], None]:
    """Refuse what the header says is not for us, before there is memory for it."""

    def check(file: Any) -> None:
        frames, channels, rate = file.frames, file.channels, file.samplerate
        if not 1 <= rate <= MAX_RATE:
            raise PenchantError(f"{path}: {rate} samples a second; from 1 to {MAX_RATE:,} are read")
        if frames * channels > MAX_SAMPLES:
            raise PenchantError(
                f"{path}: its header says {frames:,} frames of {channels} channels; at most "
                f"{MAX_SAMPLES:,} numbers fit, so cut it"
            )
        kept = min(frames, size or frames)
        if kept > MAX_FRAMES:
            raise PenchantError(f"{path}: {_too_long(kept, rate)}, or take a part with size")
        # libsndfile takes what there is, and notes what there should have been.
        for claimed, there in re.findall(r": (\d+) \(should be (\d+)\)", file.extra_info):
            if int(claimed) > int(there):
                raise PenchantError(
                    f"{path}: its header says {int(claimed):,} bytes where there are "
                    f"{int(there):,}; it is damaged or cut short"
                )

    return check


def _too_long(frames: int, rate: int) -> str:
    longest = f"{MAX_FRAMES:,} frames fit ({MAX_FRAMES / max(1, rate):.0f} s at this rate)"
    return f"{frames:,} frames; at most {longest}, so cut it"
