"""What classifiers make of the plane: the regions of a run's network, beside the true ones."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from penchant.tasks import PlaneTask, Split, Task, evaluate, in_plane

NODES = 129
"""Along each side of [-1, 1]²."""


@dataclass(frozen=True)
class PlaneMap:
    """The plane as a design's network divides it, and as it is."""

    signal: str
    design: str
    """The design's label; empty for the truth."""
    seed: int
    values: Float[np.ndarray, "x y"]
    """On a grid over [-1, 1]²: positive inside, 0 on the boundary."""
    points: Float[np.ndarray, "seen 2"]
    """What training saw."""
    labels: Int[np.ndarray, " seen"]
    """1 inside, 0 outside, with the noise."""


def plane_maps(
    tasks: Sequence[Task], answers: Callable[[int, Split], Iterator[tuple[str, nn.Module]]]
) -> Iterator[PlaneMap]:
    """Yield for each signal in the plane the truth, then one map a design, at the first seed.

    Args:
        tasks: the study's.
        answers: from a task's place and its first split to its designs, with their networks.
    """
    for index, task in enumerate(tasks):
        if not isinstance(task, PlaneTask):
            continue
        split = task.split(0)
        seen = split.points.numpy(), split.labels.numpy()
        yield PlaneMap(task.name, "", 0, _values(task.truth(0)), *seen)
        for design, answer in answers(index, split):
            yield PlaneMap(task.name, design, 0, _values(in_plane(answer)), *seen)


def _values(network: nn.Module) -> Float[np.ndarray, "x y"]:
    """Ask on the grid; what is not finite everywhere has no boundary."""
    side = torch.linspace(-1, 1, NODES)
    answers = evaluate(network, torch.cartesian_prod(side, side)).double()
    values = answers[:, 0] if answers.shape[1] == 1 else answers[:, 1] - answers[:, 0]
    values = values if bool(values.isfinite().all()) else -torch.ones_like(values)
    return values.reshape(NODES, NODES).numpy()
