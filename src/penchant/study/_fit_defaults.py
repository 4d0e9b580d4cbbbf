"""What `fit` does where its user does not say, by kind of signal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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


FITS = {
    "picture": Fit({"activation": "finer", "scale": 30, "learning_rate": 1.5e-3}, 192, 600, 256),
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
