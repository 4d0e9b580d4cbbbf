"""Reading a recording: any file that libsndfile knows, brought to one channel and one rate."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from penchant.errors import PenchantError
from penchant.tasks._sound_file import read_frames

RATE = 8000
"""Samples a second that recordings are brought to: telephone speech, as the spoken digits are."""

RATES = 4000, 192_000
"""The rates that are read, lowest and highest."""

MAX_SECONDS = 600.0
MAX_CHANNELS = 64


@dataclass(frozen=True, eq=False)
class Recording:
    """A sound of one channel.

    Attributes:
        name: the file's, without its ending.
        samples: in [-1, 1], float32.
        rate: samples a second.
        notices: what was done to it on the way in, a few words each.
    """

    name: str
    samples: Float32[np.ndarray, " time"]
    rate: int
    notices: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


def load_recording(
    path: str | Path, rate: int = RATE, *, longest: float = MAX_SECONDS
) -> Recording:
    """Read a recording.

    Channels are averaged. Another rate is brought to the one wanted by a polyphase low-pass filter
    (`scipy.signal.resample_poly`); from a lower rate the upper bands stay empty.

    Args:
        path: a .wav, or another file that libsndfile reads (flac, ogg, mp3, aiff).
        rate: samples a second of the result.
        longest: seconds that are allowed.

    Returns:
        The recording, with what was done to it.

    Raises:
        PenchantError: a file that is missing, empty, longer than allowed, of a rate outside 4 to
            192 kHz, of more than 64 channels, no sound file or a damaged one, or with samples
            that are not finite.
    """
    path = Path(path)
    frames = read_frames(
        path, lambda file: _check(path, file.samplerate, file.channels, file.frames, longest)
    )
    values, found, channels = frames.values, frames.rate, frames.values.shape[1]
    notices = [f"{channels} channels averaged"] if channels > 1 else []
    if found != rate:
        notices.append(f"resampled from {found} to {rate} Hz")
    samples = _resampled(values.mean(axis=1, dtype=np.float32), found, rate)
    return Recording(path.stem, samples, rate, tuple(notices))


def _check(path: Path, rate: int, channels: int, frames: int, longest: float) -> None:
    """Refuse what the header says is not for us, before there is memory for it."""
    lowest, highest = RATES
    if not lowest <= rate <= highest:
        raise PenchantError(f"{path}: {rate} samples a second; from {lowest} to {highest} are read")
    if channels > MAX_CHANNELS:
        raise PenchantError(f"{path}: {channels} channels; at most {MAX_CHANNELS} are read")
    if frames > longest * rate:
        raise PenchantError(
            f"{path}: {frames / rate:.6g} s long; at most {longest:g} s fit, so cut it"
        )


def _resampled(
    samples: Float32[np.ndarray, " time"], found: int, wanted: int
) -> Float32[np.ndarray, " resampled"]:
    if found == wanted:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(found, wanted)
    result: np.ndarray = resample_poly(samples, wanted // common, found // common)
    return result.astype(np.float32)


def placed(
    samples: Float32[np.ndarray, " time"], length: int, later: int = 0
) -> Float32[np.ndarray, " length"]:
    """Put a recording into the middle of a window, silence around it.

    Args:
        samples: the recording; what does not fit is cut off on either side.
        length: of the window.
        later: by how many samples the recording is shifted, below 0 to the left.

    Returns:
        The window.

    Example:
        >>> placed(np.ones(2, np.float32), 6, later=1)
        array([0., 0., 0., 1., 1., 0.], dtype=float32)
        >>> placed(np.arange(5, dtype=np.float32), 3)
        array([1., 2., 3.], dtype=float32)
    """
    window = np.zeros(length, np.float32)
    start = (length - len(samples)) // 2 + later
    first, last = max(0, start), min(length, start + len(samples))
    if first < last:
        window[first:last] = samples[first - start : last - start]
    return window
