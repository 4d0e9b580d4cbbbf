"""Reconstruct a sound from its samples: a time in, the value of each channel out."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from penchant.tasks._grid_task import GridTask
from penchant.tasks._held_out import HeldOut
from penchant.tasks._points import lattice
from penchant.tasks._scores import snr
from penchant.tasks._sound import Sound
from penchant.tasks._sound_header import SoundHeader
from penchant.tasks._task import Metric


class SoundTask(GridTask):
    """Reconstruct one sound from the samples that a pattern lets a network see.

    The whole sound spans [-1, 1] in time, and values are the samples divided by their peak, so
    that a quiet sound is learnt as a loud one is. Scores are the signal-to-noise ratios of the
    samples seen in training and of those held out, and the error by frequency band.

    Args:
        sound: the signal.
        held_out: a pattern as `HeldOut.parse` reads it.
        noise: standard deviation of Gaussian noise on what training sees, in units of the peak;
            noisy values are clipped to ±1. Scores ask for the sound without the noise.

    Attributes:
        sound: the signal.

    Raises:
        PenchantError: an unknown pattern, a sound too short for it, or noise outside [0, 1].

    Example:
        >>> sound = Sound("hum", np.sin(np.arange(8, dtype=np.float32))[:, None], 8000)
        >>> task = SoundTask(sound, held_out="checkerboard")
        >>> task.seen_values(), task.nyquist, [metric.name for metric in task.metrics]
        (4, 2.0, ['snr_held_out', 'snr_seen'])
    """

    sound: Sound
    noun = "sound"
    part_metrics = (Metric("snr", "dB", margin=0.5),)
    lowest = -1.0
    from_spectrum = True
    """A sound has hundreds of cycles per unit; the usual frequencies are those of pictures."""

    def __init__(self, sound: Sound, held_out: str | HeldOut = "none", noise: float = 0.0) -> None:
        values = sound.samples / np.float32(sound.peak)
        values.flags.writeable = False
        super().__init__(sound.name, values, held_out, noise, sound.notices)
        self.__dict__["sound"] = sound

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction: the sound and the pattern are all there is."""
        return SoundTask, (self.sound, self.held_out, self.noise)

    @cached_property
    def points(self) -> Float[Tensor, "samples 1"]:
        """Every frame's time, on [-1, 1]."""
        return lattice(self.values.shape[:1])

    @property
    def header(self) -> SoundHeader:
        """The sound's length, rate, peak, and how its file keeps it."""
        frames, channels = self.values.shape
        sound = self.sound
        return SoundHeader(
            name=self.name,
            outputs=channels,
            frames=frames,
            rate=sound.rate,
            peak=sound.peak,
            format=sound.format,
            subtype=sound.subtype,
        )

    @cached_property
    def half_frequency(self) -> float:
        """The frequency, in cycles per unit of coordinate, above which half of the power lies."""
        centred = self.values - self.values.mean(axis=0, dtype=np.float64)
        power = np.cumsum((np.abs(np.fft.rfft(centred, axis=0)) ** 2).sum(axis=1))
        return float(np.searchsorted(power, power[-1] / 2)) / 2  # the sound spans 2 units

    @staticmethod
    def to_targets(values: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """Leave values as they are: their range is that of targets."""
        return values

    @staticmethod
    def to_values(outputs: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Leave answers as they are."""
        return outputs

    def estimate(self, truth: Float[np.ndarray, "frames channels"], error: float) -> float:
        """Return the SNR at a mean squared error of the targets."""
        power = float(np.mean(np.square(truth, dtype=np.float64)))
        return 10 * math.log10(power / error) if error > 0 and power > 0 else math.inf

    def scores(
        self,
        prediction: Float[np.ndarray, "frames channels"],
        truth: Float[np.ndarray, "frames channels"],
        parts: Mapping[str, Bool[np.ndarray, " frames"]],
        *,
        final: bool,
    ) -> dict[str, float]:
        """Score a sound by its signal-to-noise ratio; see `GridTask.scores`."""
        return {
            f"snr_{part}": snr(prediction[chosen], truth[chosen]) for part, chosen in parts.items()
        }
