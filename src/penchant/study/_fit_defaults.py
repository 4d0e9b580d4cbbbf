"""What `fit` does where its user does not say, by kind of signal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from penchant.nn import ACTIVATIONS
from penchant.study._tiled import TiledDesign
from penchant.tasks import Task
from penchant.training import Recipe


@dataclass(frozen=True)
class Fit:
    """What `fit` does where its user does not say."""

    design: Mapping[str, object]
    """Fields of the design where its activation is left open."""
    width: int
    steps: int
    size: int | None
    """Samples along the longest side; None takes all."""
    batch: int = Recipe.batch
    """Samples a step."""
    suited: Callable[[Task], Mapping[str, object]] = lambda task: {}
    """More fields, by what the signal is; where neither activation nor encoding is chosen."""


def _grid_of(task: Task) -> dict[str, object]:
    """Give a sound a grid of fewer numbers than training sees: three quarters of them."""
    nodes = max(2, round(0.74 * task.seen_values() / task.outputs))
    grid = {"levels": 1, "coarsest": 2, "finest": nodes, "table": nodes}
    return {"encoding": "grid", "per_level": min(64, task.outputs), "depth": 2, **grid}


ALL = 2**31
"""A batch of all samples, however many."""

FITS = {
    "picture": Fit({"family": "tiled"}, width=12, steps=300, size=1024, batch=ALL),
    "sound": Fit(
        {"activation": "relu", "optimizer": "adam"},
        width=16,
        steps=800,
        size=None,
        batch=32768,
        suited=_grid_of,
    ),
    "radiance": Fit(
        {
            "activation": "gelu",
            "encoding": "nerf",
            "optimizer": "adam",
            "learning_rate": 1e-2,
        },
        width=64,
        steps=3000,
        size=100,
        batch=1024,
    ),
    "volume": Fit(
        {"activation": "finer", "scale": 30, "learning_rate": 1.5e-3}, 192, steps=1000, size=64
    ),
    "mesh": Fit({"activation": "finer", "scale": 10, "learning_rate": 1e-3}, 128, 1000, size=64),
}
"""By kind of signal: chosen for what a network can represent (seen samples), where a study's
defaults fill in well."""

ALONE = {
    "picture": Fit({"activation": "finer", "scale": 30, "learning_rate": 1.5e-3}, 192, 600, 256),
}
"""The same for one network that answers for the whole signal, where that differs."""


def usual_fit(kind: str, words: Mapping[str, object], held_out: str | None = None) -> Fit:
    """Return what `fit` does where its user does not say.

    A picture is cut into tiles, unless samples are held out (a tile has too few others to fill them
    in by) or the user's words are about one network: a family, a width, an encoding, an activation
    that tiles do not take.

    Args:
        kind: of signal.
        words: what the user says of the design.
        held_out: a pattern.

    Example:
        >>> usual_fit("picture", {}).design["family"], usual_fit("picture", {"width": 64}).size
        ('tiled', 256)
    """
    if kind not in ALONE or words.get("family") == "tiled" or "tile" in words:
        return FITS[kind]
    tiled = held_out in (None, "none") and _fit_tiles(words)
    return FITS[kind] if tiled else ALONE[kind]


def _fit_tiles(words: Mapping[str, object]) -> bool:
    member = ACTIVATIONS.get(str(words.get("activation", "sine")))
    known = TiledDesign.model_fields.keys() - {"family", "width"}
    return words.keys() <= known and member is not None and not member.is_complex
