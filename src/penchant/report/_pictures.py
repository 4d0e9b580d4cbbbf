"""Pictures and error maps for the page, coded to a number of bytes that they may not exceed."""

import base64
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from PIL import Image

from penchant.pages import number, quantity
from penchant.report import _words as words
from penchant.report._slices import on_paper
from penchant.study import Reconstruction, Results
from penchant.tasks import psnr

ERROR_COLOURS = "magma"
_ERROR_LEVELS = 64


@dataclass(frozen=True)
class Form:
    """How pictures are coded: at most `side` pixels, as WebP of a quality or without loss."""

    side: int
    quality: int | None = None


@dataclass(frozen=True)
class Words:
    """What a gallery calls what it shows."""

    title: str = "Pictures"
    drawn: str = ""
    """What is to be seen, in a sentence."""
    turn: str = "View"
    """What the slider between views is called."""
    sampled: bool = True
    """Whether pixels are the signal's own, to be seen as such when enlarged."""


_WORDS = {
    "volume": Words(
        "Slices", "The three middle slices, each across one axis, in their proportions."
    ),
    "mesh": Words("Surfaces", "Each surface is seen from all around.", "Turn", sampled=False),
    "radiance": Words("Views", "Each camera’s picture stands beside what a network answers."),
}
"""Those of signals that are no pictures."""

_FORMS = (
    Form(1024),
    Form(1024, 90),
    Form(512, 85),
    Form(384, 80),
    Form(256, 80),
    Form(192, 75),
    Form(128, 70),
    Form(96, 70),
)


@dataclass(frozen=True)
class Panel:
    """One picture of the gallery, as data addresses; the original has no error."""

    design: str
    picture: str
    picture_alt: str
    score: str
    error: str = ""
    error_alt: str = ""
    error_mean: str = ""


@dataclass(frozen=True)
class Wall:
    """One signal's original and reconstructions, side by side, or one view of them."""

    signal: str
    view: str
    size: tuple[int, int]
    """Width and height in pixels, before any reduction."""
    panels: tuple[Panel, ...]

    @property
    def aspect(self) -> float:
        """Width over height of a panel; a very wide or tall picture is shown with borders."""
        return min(max(self.size[0] / self.size[1], 0.5), 12.0)

    @property
    def small(self) -> bool:
        """Whether pixels are larger than the screen's at first sight."""
        return max(self.size) <= 300


@dataclass(frozen=True)
class Gallery:
    """The pictures that a page shows, the scale of their errors, and what was left out."""

    walls: tuple[Wall, ...]
    error_limit: float
    note: str
    words: Words = Words()

    @property
    def signals(self) -> list[str]:
        """The signals that walls are of."""
        return list(dict.fromkeys(wall.signal for wall in self.walls))

    @property
    def most_views(self) -> int:
        """How many walls a signal has, at most."""
        return max(Counter(wall.signal for wall in self.walls).values(), default=0)

    @property
    def error_gradient(self) -> str:
        """The error maps' colours as CSS stops, for the colour bar."""
        return ", ".join(
            "#{:02x}{:02x}{:02x}".format(*colour)
            for colour in error_palette()[:: _ERROR_LEVELS // 9]
        )


def gallery(results: Results, designs: Sequence[str], budget: int) -> Gallery:
    """Code a study's pictures into at most `budget` characters.

    Lossless where that fits; otherwise lossy and smaller, and at last fewer signals.

    Args:
        results: the study.
        designs: labels in the order of display.
        budget: characters that all data addresses together may take.
    """
    by_wall: dict[tuple[str, str], dict[str, Reconstruction]] = {}
    drawn = [shown for one in results.reconstructions if (shown := on_paper(one)) is not None]
    for shown in drawn:
        by_wall.setdefault((shown.signal, shown.view), {})[shown.design] = shown
    groups = list(by_wall.values())
    limit = error_limit(drawn)
    while groups:
        for form in _FORMS:
            walls = _walls(results, groups, designs, form, limit, budget)
            if walls is not None:
                note = _note(walls, form, len(by_wall))
                return Gallery(walls, limit, note, _WORDS.get(drawn[0].kind, Words()))
        groups = groups[: len(groups) // 2]
    note = "The pictures do not fit into this page and were left out." if by_wall else ""
    return Gallery((), limit, note)


def _walls(
    results: Results,
    groups: Sequence[dict[str, Reconstruction]],
    designs: Sequence[str],
    form: Form,
    limit: float,
    budget: int,
) -> tuple[Wall, ...] | None:
    """Code every wall in one form, or None as soon as the budget is spent."""
    walls, spent = [], 0
    for group in groups:
        panels = []
        for design in ("", *designs):
            if design not in group:
                continue
            panel = _panel(results, group[design], group.get(""), form, limit)
            spent += len(panel.picture) + len(panel.error)
            if spent > budget:
                return None
            panels.append(panel)
        if panels:
            any_shown = next(iter(group.values()))
            height, width = any_shown.values.shape[:2]
            walls.append(Wall(any_shown.signal, any_shown.view, (width, height), tuple(panels)))
    return tuple(walls)


def _panel(
    results: Results,
    shown: Reconstruction,
    original: Reconstruction | None,
    form: Form,
    limit: float,
) -> Panel:
    picture = address(shown.values, form)
    named = f"{shown.signal}, {shown.view}" if shown.view else shown.signal
    if not shown.design:
        size = _size(shown)
        return Panel("", picture, f"{named}, the original: {size}", size)
    score = picture_score(results, shown)
    if original is not None and shown.kind == "radiance":
        score += f"; this view {psnr(_shown(shown.values), original.values):.1f} dB"
    alt = f"{named} as {shown.design} reconstructs it{f', {score}' if score else ''}"
    if original is None or original.values.shape[:2] != shown.values.shape[:2]:
        return Panel(shown.design, picture, alt, score)
    difference = errors(shown.values, original.values)
    average = number(float(difference.mean()), 4)
    return Panel(
        shown.design,
        picture,
        alt,
        score,
        _error_address(difference, form, limit),
        f"Error of {shown.design} on {named}: {average} on average, {difference.max():.3f} at most",
        average,
    )


def _size(shown: Reconstruction) -> str:
    """What the original's caption says of its size."""
    height, width = shown.values.shape[:2]
    if shown.kind == "mesh":
        return "the closed surface itself"
    if shown.kind != "volume":
        return f"{width} × {height} pixels"
    seen = "axial, coronal, sagittal; " if shown.affine else ""
    return f"{seen}a voxel is {voxel(shown)}"


def voxel(shown: Reconstruction) -> str:
    """A volume's voxel, such as 1 × 1 × 2.5 mm."""
    lengths = " × ".join(f"{one:.3g}" for one in shown.spacing or (1, 1, 1))
    return lengths if shown.units == "unknown" else f"{lengths} {shown.units}"


def picture_score(results: Results, shown: Reconstruction) -> str:
    for run in results.runs:
        if (run.signal, run.design, run.seed) == (shown.signal, shown.design, shown.seed):
            value = run.metrics.get(results.metric, np.nan)
            score = quantity(value, words.decimals(results), words.unit(results))
            return score + (", diverged" if run.status == "diverged" else "")
    return ""


def errors(
    picture: Float[np.ndarray, "height width channels"],
    original: Float[np.ndarray, "height width channels"],
) -> Float[np.ndarray, "height width"]:
    """Absolute error, averaged over channels; a value that is no number counts as 1."""
    difference = np.abs(_shown(picture) - _shown(original)).mean(axis=2)
    return np.where(np.isfinite(np.asarray(picture, float)).all(axis=2), difference, 1.0)


def error_limit(pictures: Sequence[Reconstruction]) -> float:
    """The error at the top of the colour scale: a round number.

    It holds all but 1 in 50 pixels of a median design, so that one design that failed does not
    darken all others; larger errors share the last colour.
    """
    originals = {(one.signal, one.view): one.values for one in pictures if not one.design}
    pairs = [
        (shown.values, originals[shown.signal, shown.view])
        for shown in pictures
        if shown.design and (shown.signal, shown.view) in originals
    ]
    high = [
        float(np.quantile(errors(values, original), 0.98))
        for values, original in pairs
        if values.shape[:2] == original.shape[:2]
    ]
    wanted = max(float(np.median(high)), 1e-4) if high else 1.0
    power = 10.0 ** np.floor(np.log10(wanted))
    steps = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    return float(min(1.0, next(step * power for step in steps if step * power >= wanted)))


def address(picture: Float[np.ndarray, "height width channels"], form: Form) -> str:
    """A picture as a data address."""
    values = np.rint(255 * _shown(picture)).astype(np.uint8)
    image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values[..., :3])
    image = image.resize(_reduced(image.size, form.side), Image.Resampling.BOX)
    if form.quality is None:
        return _data(image, "png")
    return _data(image.convert("RGB"), "webp", quality=form.quality, method=4)


def _error_address(difference: Float[np.ndarray, "height width"], form: Form, limit: float) -> str:
    image = Image.fromarray(difference.astype(np.float32))
    image = image.resize(_reduced(image.size, form.side), Image.Resampling.BOX)
    return coloured(np.clip(np.asarray(image) / limit, 0, 1))


def coloured(level: Float[np.ndarray, "height width"]) -> str:
    """Draw levels from 0 to 1 in the error palette's colours, as a data address."""
    whole = np.rint(level * (_ERROR_LEVELS - 1)).astype(np.uint8)
    coded = Image.fromarray(whole).convert("P")
    coded.putpalette([value for colour in error_palette() for value in colour])
    return _data(coded, "png")


def error_palette() -> list[tuple[int, int, int]]:
    """Colours from no error to the limit; their lightness alone tells the order."""
    import matplotlib

    colours = matplotlib.colormaps[ERROR_COLOURS](np.linspace(0, 1, _ERROR_LEVELS), bytes=True)
    return [(int(red), int(green), int(blue)) for red, green, blue, _ in colours]


def _data(image: Image.Image, kind: Literal["png", "webp"], **options: int) -> str:
    stream = io.BytesIO()
    image.save(stream, kind.upper(), **options)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"


def _shown(
    picture: Float[np.ndarray, "height width channels"],
) -> Float[np.ndarray, "height width channels"]:
    return np.asarray(np.clip(np.nan_to_num(np.asarray(picture, float)), 0, 1))


def _reduced(size: tuple[int, int], side: int) -> tuple[int, int]:
    factor = min(1.0, side / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _note(walls: Sequence[Wall], form: Form, total: int) -> str:
    """What was given up to keep the page small; empty when nothing was."""
    changes = []
    if any(max(wall.size) > form.side for wall in walls):
        changes.append(f"reduced to at most {form.side} pixels a side")
    if form.quality is not None:
        changes.append(f"compressed with loss (WebP, quality {form.quality})")
    if len(walls) < total:
        several = "views" if walls[0].view else "signals"
        changes.append(f"limited to {len(walls)} of {total} {several}")
    if not changes:
        return ""
    return (
        f"To keep this page small, its pictures are {', '.join(changes)}. Scores are computed on "
        "the full pictures."
    )
