"""Sounds for the page: waves, spectrograms and players, within a number of bytes."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image

from penchant.report._pictures import coloured, picture_score
from penchant.study import Reconstruction, Results
from penchant.tasks import loudest

COLUMNS = 600
"""Steps of a wave from left to right; each is drawn from its least to its largest sample."""

RANGE = 80
"""Decibels from a spectrogram's darkest colour to its lightest."""

WINDOW = 512
"""Frames of a spectrogram's windows, fewer where a sound is short; half of each is the next's."""

PLAYED = 3000, 192_000
"""Rates that browsers play."""

_FORMS = ((200_000, True), (90_000, True), (0, True), (0, False))
"""How sounds are shown: bytes of a player's file, and whether there are spectrograms."""


@dataclass(frozen=True)
class Hearing:
    """One sound of the page; addresses are empty where there was no room."""

    design: str
    score: str
    wave: str
    """The path of a drawing `columns` wide, from -1 (above) to 1."""
    columns: int
    wave_alt: str
    spectrogram: str = ""
    spectrogram_alt: str = ""
    audio: str = ""
    audio_alt: str = ""


@dataclass(frozen=True)
class Wall:
    """One signal's original and reconstructions, one below the other."""

    signal: str
    facts: str
    panels: tuple[Hearing, ...]


@dataclass(frozen=True)
class Sounds:
    """The sounds that a page shows, and what was left out."""

    walls: tuple[Wall, ...] = ()
    note: str = ""
    range: int = RANGE

    @property
    def players(self) -> bool:
        """Whether any can be heard."""
        return any(panel.audio for wall in self.walls for panel in wall.panels)


def sounds(results: Results, designs: Sequence[str], budget: int) -> Sounds:
    """Draw a study's sounds in at most `budget` characters of images and players.

    Where they do not all fit, players become shorter and then none, then spectrograms go, and at
    last signals.

    Args:
        results: the study.
        designs: labels in the order of display.
        budget: characters that all data addresses together may take.
    """
    by_signal: dict[str, dict[str, Reconstruction]] = {}
    for shown in results.reconstructions:
        if shown.kind == "sound":
            by_signal.setdefault(shown.signal, {})[shown.design] = shown
    names = list(by_signal)
    while names:
        for form in _FORMS:
            walls = tuple(_wall(results, by_signal[name], designs, *form) for name in names)
            spent = sum(
                len(one.wave) + len(one.spectrogram) + len(one.audio)
                for wall in walls
                for one in wall.panels
            )
            if spent <= budget:
                left_out = len(by_signal) - len(names)
                return Sounds(walls, f"{left_out} more are not shown." if left_out else "")
        names = names[: len(names) // 2]
    return Sounds(note="The sounds do not fit into this page." if by_signal else "")


def _wall(
    results: Results,
    group: dict[str, Reconstruction],
    designs: Sequence[str],
    played: int,
    spectrograms: bool,
) -> Wall:
    original = group.get("") or next(iter(group.values()))
    frames, channels = original.values.shape
    rate = original.rate
    strongest = float(_power(original.values[:, 0]).max()) if spectrograms else 0.0
    kept = min(frames, played // (2 * min(2, channels)))
    start = loudest(original.values, kept) if kept else 0
    panels = []
    for design in ("", *designs):
        if design not in group:
            continue
        values = np.asarray(group[design].values, float)
        named = f"{original.signal}, {f'as {design} reconstructs it' if design else 'the original'}"
        path, columns = wave(values[:, 0])
        heard = kept and PLAYED[0] <= rate <= PLAYED[1]
        panels.append(
            Hearing(
                design=design,
                score=picture_score(results, group[design]) if design else "",
                wave=path,
                columns=columns,
                wave_alt=f"The wave of {named}",
                spectrogram=spectrogram(values[:, 0], strongest) if spectrograms else "",
                spectrogram_alt=f"The spectrogram of {named}",
                audio=_player(values[start : start + kept, :2], rate) if heard else "",
                audio_alt=f"Play {named}",
            )
        )
    return Wall(original.signal, _facts(original, start, kept), tuple(panels))


def _facts(original: Reconstruction, start: int, kept: int) -> str:
    frames, channels = original.values.shape
    rate = original.rate
    parts = [f"{frames / rate:.3g} s, {frames:,} frames at {rate:,} Hz"]
    if channels > 1:
        parts.append(f"{channels} channels, of which the first is drawn")
    if 0 < kept < frames:
        parts.append(f"to hear from {start / rate:.2f} s to {(start + kept) / rate:.2f} s")
    return "; ".join(parts) + "."


def wave(samples: Float[np.ndarray, " frames"]) -> tuple[str, int]:
    """Outline a wave: an SVG path from -1 (above, the value 1) to 1, and how wide it is.

    Example:
        >>> wave(np.array([0.0, 0.5, -1.0]))
        ('M0 0.004V-0.004H1V-0.504H2V0.996H3V1.004H2V-0.496H1V0.004Z', 3)
    """
    columns = min(COLUMNS, len(samples))
    borders = np.linspace(0, len(samples), columns + 1).astype(int)[:-1]
    exact = np.clip(np.nan_to_num(samples), -1, 1)
    high, low = np.maximum.reduceat(exact, borders), np.minimum.reduceat(exact, borders)
    # As thick as a line where a column holds one value.
    above = [f"V{_short(-value - 0.004)}H{x + 1}" for x, value in enumerate(high)]
    below = [f"V{_short(-value + 0.004)}H{x}" for x, value in enumerate(low)]
    start = f"M0 {_short(-low[0] + 0.004)}"
    return start + "".join(above) + "".join(
        below[:0:-1]
    ) + f"{below[0].partition('H')[0]}Z", columns


def _short(value: float) -> str:
    return f"{round(float(value), 3):g}"


def _power(samples: Float[np.ndarray, " frames"]) -> Float[np.ndarray, "frequencies times"]:
    """Return the power of overlapping windows by frequency."""
    from scipy.signal import spectrogram as of_windows

    window = min(WINDOW, len(samples))
    exact = np.clip(np.nan_to_num(np.asarray(samples, float)), -1, 1)
    power: Float[np.ndarray, "frequencies times"] = of_windows(
        exact, nperseg=window, noverlap=window // 2, detrend=False, scaling="spectrum"
    )[2]
    return power


def spectrogram(samples: Float[np.ndarray, " frames"], strongest: float) -> str:
    """Draw the power over time and frequency as a data address.

    Args:
        samples: one channel.
        strongest: the power of the lightest colour.
    """
    power = np.maximum(_power(samples), 1e-30) / max(strongest, 1e-30)
    level = np.clip(1 + 10 * np.log10(power) / RANGE, 0, 1)[::-1]
    image = Image.fromarray(np.rint(255 * level).astype(np.uint8))
    size = min(COLUMNS, image.size[0]), min(128, image.size[1])
    image = image.resize(size, Image.Resampling.BOX)
    return coloured(np.asarray(image) / 255)


def _player(values: Float[np.ndarray, "frames channels"], rate: int) -> str:
    import soundfile

    stream = io.BytesIO()
    exact = np.clip(np.nan_to_num(values), -1, 1)
    soundfile.write(stream, exact, rate, format="WAV", subtype="PCM_16")
    return f"data:audio/wav;base64,{base64.b64encode(stream.getvalue()).decode()}"
