"""From a network back to a sound, in any format that libsndfile writes."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import nn

from penchant.errors import PenchantError
from penchant.files import write_whole
from penchant.tasks._header import Decoding, SignalHeader
from penchant.tasks._points import lattice
from penchant.tasks._sound import ENDINGS, MAX_CHANNELS, MAX_FRAMES, MAX_RATE

BYTES = {"PCM_S8": 1, "PCM_U8": 1, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
"""That a sample takes, by subtype; all others are counted as 16 bits."""

UNBOUNDED = ("FLOAT", "DOUBLE", "VORBIS")
"""Subtypes that hold samples beyond full scale."""

BLOCK = 2**16
"""Frames that are handed to libsndfile at once: its Vorbis needs room on the stack for each."""

VORBIS_RATE = 200_000
"""The highest rate of Ogg Vorbis, whose encoder crashes at some that are higher."""


class SoundHeader(SignalHeader):
    """A sound of so many frames, with its rate, its peak and the form that its file had.

    Example:
        >>> header = SoundHeader(name="hum", outputs=2, frames=4, rate=8000, peak=0.5)
        >>> header.decode(nn.Linear(1, 2), Decoding(scale=2)).shape
        (8, 2)
    """

    kind: Literal["sound"] = "sound"
    inputs: Literal[1] = 1
    outputs: int = Field(ge=1, le=MAX_CHANNELS)
    frames: int = Field(ge=2, le=MAX_FRAMES)
    rate: int = Field(ge=1, le=MAX_RATE)
    peak: float = Field(gt=0, lt=1e39, allow_inf_nan=False)
    format: str = Field("WAV", max_length=20, pattern=r"^[A-Z0-9_]+$")
    subtype: str = Field("PCM_16", max_length=20, pattern=r"^[A-Z0-9_]+$")

    axes = ("seconds",)

    @property
    def raw(self) -> tuple[int, str]:
        """As many bytes a sample as its file has, without compression."""
        bits = BYTES.get(self.subtype, 2)
        return self.frames * self.outputs * bits, f"{self._length()} in {8 * bits} bits"

    def try_render(self, stem: str) -> list[str]:
        """Play it at twice the rate of samples."""
        return ["--scale", "2", "-o", f"{stem}-2x.wav"]

    def decode(self, answer: nn.Module, wanted: Decoding) -> Float[np.ndarray, "frames channels"]:
        """Sample the sound, or the part from one second to another.

        Raises:
            PenchantError: a part outside the sound, or more than 100 million frames.
        """
        self.check(wanted)
        if 0 < wanted.scale * self.rate < 0.5:
            raise PenchantError(
                f"scale={wanted.scale:g}: {wanted.scale * self.rate:g} samples a second; a file "
                f"of sounds has at least 1, so take a scale from {1 / self.rate:g}"
            )
        region = None
        if wanted.region is not None:
            start, end = wanted.region
            if not 0 <= start < end <= self.seconds * (1 + 1e-9):
                raise PenchantError(
                    f"region={start:g},{end:g}: start and end must enclose a part of the sound's "
                    f"{self.seconds:g} s"
                )
            region = [(start * self.rate, min(end * self.rate, float(self.frames)))]
        return self._samples(answer, lattice((self.frames,), region=region, scale=wanted.scale))

    def at(self, answer: nn.Module, point: Sequence[float]) -> Float[np.ndarray, " outputs"]:
        """Return the samples at a time in seconds; the first frame's is half a frame.

        Raises:
            PenchantError: a time outside the sound.
        """
        (time,) = point
        if not 0 <= time <= self.seconds:  # so that nan fails too
            raise PenchantError(f"at={time:g}: the sound lasts from 0 to {self.seconds:g} s")
        place = torch.tensor([[2 * time / self.seconds - 1]], dtype=torch.float32)
        samples: Float[np.ndarray, " outputs"] = self._samples(answer, place)[0]
        return samples

    def check_file(self, out: Path) -> None:
        """Refuse a name whose ending stands for no format of sounds."""
        self._form(out)

    def write(
        self, decoded: Float[np.ndarray, "frames channels"], out: Path, wanted: Decoding
    ) -> str:
        """Write a sound in the subtype that its file had, where the format knows it."""
        format_name, subtype = self._form(out)
        rate = max(1, round(self.rate * wanted.scale))
        said = ""
        if self.peak > 1 and subtype not in UNBOUNDED:
            decoded = decoded / np.float32(self.peak)
            said = f", divided by its peak of {self.peak:.4g}, since {subtype} ends at 1"
        write_whole(out, _encoded(decoded, rate, format_name, subtype, out))
        frames, channels = decoded.shape
        return (
            f"{frames / rate:.4g} s, {frames:,} frames of {_counted(channels)} at {rate:,} Hz, "
            f"{subtype}{said}"
        )

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.frames / self.rate

    def _samples(
        self, answer: nn.Module, points: Float[torch.Tensor, "frames 1"]
    ) -> Float[np.ndarray, "frames channels"]:
        samples: Float[np.ndarray, "frames channels"]
        samples = self._values(answer, points).clip(-1, 1) * np.float32(self.peak)
        return samples

    def _length(self) -> str:
        return f"{self.seconds:.4g} s of {_counted(self.outputs)} at {self.rate:,} Hz"

    def _form(self, out: Path) -> tuple[str, str]:
        """Choose format and subtype: the ending's, and the sound's own as far as they fit."""
        import soundfile

        ending = out.suffix.lower()
        name = ENDINGS.get(ending)
        if name is None:
            raise PenchantError(
                f"-o {out}: no sound format is called {out.suffix or 'so, without an ending'!r}; "
                "take .wav, .flac, .ogg, .mp3 or .aiff"
            )
        if name == "WAV" and self.format == "WAVEX":
            name = self.format
        usual = "OPUS" if ending == ".opus" else str(soundfile.default_subtype(name))
        finest = ("PCM_24",) if self.subtype in ("PCM_32", "FLOAT", "DOUBLE") else ()
        # The form of a file comes from outside, and libsndfile raises at a name that it lacks.
        known = soundfile.available_subtypes(name)
        fits = [one for one in (self.subtype, *finest) if one in known and ending != ".opus"]
        return name, (fits or [usual])[0]


def _encoded(
    samples: Float[np.ndarray, "frames channels"], rate: int, name: str, subtype: str, out: Path
) -> bytes:
    import soundfile

    encoded = io.BytesIO()
    try:
        if subtype == "VORBIS" and rate > VORBIS_RATE:
            raise ValueError(f"{rate} samples a second are too many")
        with soundfile.SoundFile(
            encoded, "w", rate, samples.shape[1], subtype=subtype, format=name
        ) as file:
            for start in range(0, len(samples), BLOCK):
                file.write(samples[start : start + BLOCK])
    except (soundfile.SoundFileError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).rpartition(">: ")[2].strip(" .") or f"not {rate} samples a second"
        raise PenchantError(f"-o {out}: {name} cannot hold this sound ({reason:.200})") from error
    return encoded.getvalue()


def _counted(channels: int) -> str:
    return f"{channels} channel{'' if channels == 1 else 's'}"
