"""Reconstruct a shape from points that are known to be inside or outside of it.

Targets are 1 inside and -1 outside, or the distance from the surface with that sign; either way a
network says "inside" where its answer is positive, and that is what is scored.
"""

import hashlib
import math
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import nn

from penchant.divergences import Divergence, LinkName
from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks._evaluate import evaluate
from penchant.tasks._mesh import Mesh
from penchant.tasks._mesh_header import MeshHeader
from penchant.tasks._points import lattice
from penchant.tasks._shaded import turntable
from penchant.tasks._signed import signed_answering, signed_divergence
from penchant.tasks._surface import Surface, distances, on_surface, surface
from penchant.tasks._task import Metric, Score, Split, Task
from penchant.tasks._winding import Winding

_VERSION = 1  # part of the fingerprint: raise it whenever the same shape would score otherwise

MARGIN = 1.1
"""Half of the cube's side over half of the shape's longest."""

OFFSET = 0.02
"""Standard deviation of how far training points are off the surface, in the cube's units."""

REACH = 0.1
"""Distance beyond which a signed distance is cut off."""

FRESH = 65_536
"""Points that the held-out score asks about."""

WATCHED = 4096
"""Those of them, and of the training points, that are asked while a run trains."""

CHAMFER_SIDE = 64
CHAMFER_POINTS = 5000

LARGEST_SIZE = 256


class MeshTask(Task):
    r"""Reconstruct the inside of a closed mesh.

    Half of the training points are drawn on the surface and moved off it by a Gaussian, half
    uniformly in the cube [-1, 1]³ that holds the shape with a tenth to spare; both are drawn anew
    for each seed. Scores are the intersection over union of what the network calls inside,

    .. math:: \mathrm{IoU} = |\hat I \cap I| \,/\, |\hat I \cup I|,

    on fresh points uniform in the cube (held out) and on the uniform training points (seen), and
    at the end the chamfer distance: the mean distance of points on one surface from the other, of
    both ways, as a share of the cube's side; the network's surface is drawn by marching cubes at
    64³. A pilot is scored on a fifth of its training points, those near the surface included.

    Args:
        mesh: the shape.
        held_out: ``fresh``, or ``none`` for the seen score alone.
        size: training points are size³.
        target: ``occupancy``, or ``distance``, which is positive inside and cut off at a
            twentieth of the cube's side.

    Attributes:
        mesh: as given.

    Raises:
        PenchantError: another pattern or target, or a size outside 4 to 256.

    Example:
        >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        >>> mesh = Mesh("corner", corners, np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]))
        >>> task = MeshTask(mesh, size=8)
        >>> task.split(0).inputs.shape, [metric.name for metric in task.metrics]
        (torch.Size([512, 3]), ['iou_held_out', 'iou_seen', 'chamfer'])
    """

    noun = "shape"
    inputs = 3
    outputs = 1

    mesh: Mesh
    held_out: str
    size: int
    target: str

    def __init__(
        self,
        mesh: Mesh,
        held_out: str = "fresh",
        *,
        size: int = 32,
        target: Literal["occupancy", "distance"] = "occupancy",
    ) -> None:
        if held_out not in ("fresh", "none"):
            raise PenchantError(
                f"held-out {held_out!r} of {mesh.name!r}: a shape is asked about at points of its "
                "own; write 'fresh' or 'none'"
            )
        if target not in ("occupancy", "distance"):
            raise PenchantError(f"target={target!r}: a shape has an occupancy or a distance")
        if not 4 <= size <= LARGEST_SIZE:
            raise PenchantError(
                f"size={size}: a shape is seen at size³ points, and size is 4 to {LARGEST_SIZE}"
            )
        parts = ("held_out", "seen") if held_out == "fresh" else ("seen",)
        self.__dict__.update(  # past __setattr__, which refuses
            mesh=mesh,
            held_out=held_out,
            size=size,
            target=target,
            name=mesh.name,
            metrics=(
                *(Metric(f"iou_{part}", "", margin=0.005) for part in parts),
                Metric("chamfer", "", margin=0.0005, higher_is_better=False, watched=False),
            ),
            notices=mesh.notices,
        )
        self.__dict__["fingerprint"] = self._fingerprint()

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a task is the same for every design."""
        raise AttributeError(f"MeshTask is immutable: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction: the mesh and the words are all there is."""
        return _again, (self.mesh, self.held_out, self.size, self.target)

    def _fingerprint(self) -> str:
        content = hashlib.blake2b(self.mesh.vertices.tobytes(), digest_size=16)
        content.update(self.mesh.faces.tobytes())
        words = (self.mesh.faces.shape, self.held_out, self.size, self.target)
        content.update(f"{words} version {_VERSION}".encode())
        return content.hexdigest()

    @property
    def header(self) -> MeshHeader:
        """The cube's place in the mesh's own units."""
        (x, y, z), half = self._cube
        return MeshHeader(
            name=self.name,
            centre=(x, y, z),
            half=half,
            vertices=len(self.mesh.vertices),
            faces=len(self.mesh.faces),
        )

    @cached_property
    def _cube(self) -> tuple[tuple[float, ...], float]:
        low, high = self.mesh.vertices.min(axis=0), self.mesh.vertices.max(axis=0)
        return tuple(((low + high) / 2).tolist()), float((high - low).max() / 2 * MARGIN)

    @cached_property
    def placed(self) -> Mesh:
        """The mesh in the cube's coordinates."""
        centre, half = self._cube
        return Mesh(self.name, (self.mesh.vertices - centre) / half, self.mesh.faces)

    @cached_property
    def winding(self) -> Winding:
        """What tells inside from outside, in the cube's coordinates."""
        return Winding(self.placed)

    def inside(self, points: Float64[np.ndarray, "points 3"]) -> Bool[np.ndarray, " points"]:
        """Tell which points of the cube are inside."""
        return self.winding.numbers(points) > 0

    def targets(self, points: Float64[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 1"]:
        """Return what training sees at points of the cube, in [-1, 1]."""
        signs = np.where(self.inside(points), 1.0, -1.0)
        if self.target == "distance":
            whole = self.placed.vertices, self.placed.faces
            signs *= (distances(points, whole) / REACH).clip(0, 1)
        return signs[:, None].astype(np.float32)

    def divergence(
        self, name: str | None = None, link: LinkName | None = None, **numbers: float
    ) -> Divergence:
        """Return what training minimises, by default L2; see `Task.divergence`.

        Args:
            name: ``l2``, ``l1``, ``huber``, ``kl`` or ``cross_entropy``; the last two take
                an occupancy as the probability of being inside.
            link: ``identity`` or ``sigmoid``.
            numbers: of the divergence.
        """
        return signed_divergence(name, link, **numbers)

    def answering(self, network: nn.Module, divergence: Divergence) -> nn.Module:
        """Return the network, behind a sigmoid where its divergence is."""
        return signed_answering(network, divergence)

    def split(self, seed: int, *, validation: bool = False) -> "MeshSplit":
        """Draw a seed's points; see `Task.split`.

        Args:
            seed: the run's seed.
            validation: keep a keyed fifth of the training points from training and compute the
                held-out metric on them.

        Returns:
            The split.
        """
        count = self.size**3
        points = np.concatenate([self._near(seed, count // 2), _uniform(seed, count - count // 2)])
        seen, asked = np.arange(count), None
        if validation:
            order = torch.randperm(count, generator=generator(seed, "validation")).numpy()
            fifth = max(1, round(count / 5))
            asked, seen = np.sort(order[:fifth]), np.sort(order[fifth:])
        return MeshSplit(self, seed, points, seen, asked)

    def _near(self, seed: int, count: int) -> Float64[np.ndarray, "points 3"]:
        draws = generator(seed, "mesh/surface")
        points, _ = on_surface((self.placed.vertices, self.placed.faces), count, draws)
        offsets = torch.randn((count, 3), generator=draws, dtype=torch.float64).numpy()
        near: Float64[np.ndarray, "points 3"]
        near = (points + OFFSET * offsets).clip(-1, 1).astype(np.float32).astype(np.float64)
        return near

    def seen_values(self) -> int:
        """Count the points that training sees."""
        return self.size**3


class MeshSplit(Split):
    """One seed's points of a shape; made by `MeshTask.split`.

    Args:
        task: whose points they are.
        seed: of the run.
        points: all that are drawn for training, half of them near the surface, then the uniform.
        seen: indices of those that training sees.
        asked: indices of those that a pilot is asked about; otherwise fresh ones are drawn.

    Attributes:
        inputs: the training points.
        targets: what is known of them.
        seen: as given.
    """

    def __init__(
        self,
        task: MeshTask,
        seed: int,
        points: Float64[np.ndarray, "points 3"],
        seen: Int[np.ndarray, " seen"],
        asked: Int[np.ndarray, " asked"] | None,
    ) -> None:
        self.task, self.seed, self.seen = task, seed, seen
        known = task.targets(points)
        self.inputs = torch.from_numpy(points[seen]).float()
        self.targets = torch.from_numpy(known[seen])
        self.training_mean = self.targets.double().mean(dim=0).float()
        uniform = seen[seen >= len(points) // 2]
        parts = {"seen": (points[uniform], known[uniform, 0] > 0)}
        if asked is not None:
            parts["held_out"] = (points[asked], known[asked, 0] > 0)
        elif task.held_out == "fresh":
            fresh = _uniform(seed, FRESH, "mesh/fresh")
            parts["held_out"] = (fresh, task.inside(fresh))
        self._parts = {name: (torch.from_numpy(p).float(), i) for name, (p, i) in parts.items()}

    def score(self, network: nn.Module, *, final: bool = True) -> Score:
        """Score what a network calls inside.

        Args:
            network: answers points with one number, positive inside.
            final: ask about all points and draw the surface, in place of a few points.

        Returns:
            The scores; those of the constant answer if any of the network's is not finite.

        Raises:
            PenchantError: the network does not answer each point with one number.
        """
        metrics = {}
        for part, (points, truth) in self._parts.items():
            some = len(points) if final else WATCHED
            answers = evaluate(network, points[:some])
            if answers.shape != (len(points[:some]), 1):
                raise PenchantError(
                    f"a network that answers {len(points[:some])} points with shape "
                    f"{tuple(answers.shape)}; a shape needs one number a point"
                )
            if not bool(answers.isfinite().all()):
                return self.constant_score()
            metrics[f"iou_{part}"] = iou(answers[:, 0].numpy() > 0, truth[:some])
        if final:
            metrics["chamfer"] = self.chamfer(self.surface(network))
        return Score(metrics)

    def surface(self, network: nn.Module, side: int = CHAMFER_SIDE) -> Surface:
        """Draw the network's surface, in the cube's coordinates."""
        answers = evaluate(network, lattice((side,) * 3).reshape(-1, 3))
        return surface(answers.reshape(side, side, side).nan_to_num(-1).numpy())

    def views(
        self, network: nn.Module | None = None
    ) -> dict[str, Float[np.ndarray, "rows columns 1"]]:
        """Draw the network's surface from all around, or the shape's own; see `turntable`."""
        placed = self.task.placed
        return turntable(self.surface(network) if network else (placed.vertices, placed.faces))

    def chamfer(self, found: Surface) -> float:
        """Return how far a surface lies from the shape's, as a share of the cube's side.

        No surface at all counts as the cube's diagonal.
        """
        if not len(found[1]):
            return math.sqrt(3)
        placed = self.task.placed
        truth, draws = (placed.vertices, placed.faces), generator(self.seed, "mesh/chamfer")
        ways = ((truth, found), (found, truth))
        means = [distances(on_surface(a, CHAMFER_POINTS, draws)[0], b).mean() for a, b in ways]
        return float(sum(means)) / 4  # the mean of two, and of a side of 2

    def constant_score(self) -> Score:
        """Score the mean of the targets, given everywhere: all inside or, mostly, all outside."""
        answer = bool(self.training_mean > 0)
        metrics = {
            f"iou_{part}": iou(np.full(len(truth), answer), truth)
            for part, (_, truth) in self._parts.items()
        }
        whole = surface(np.full((8, 8, 8), 1.0 if answer else -1.0))
        return Score({**metrics, "chamfer": self.chamfer(whole)})


def iou(found: Bool[np.ndarray, " points"], truth: Bool[np.ndarray, " points"]) -> float:
    """Return the intersection over union; nan where neither has a point inside.

    Example:
        >>> iou(np.array([True, True, False]), np.array([True, False, False]))
        0.5
    """
    union = int((found | truth).sum())
    return int((found & truth).sum()) / union if union else math.nan


def _uniform(
    seed: int, count: int, purpose: str = "mesh/uniform"
) -> Float64[np.ndarray, "points 3"]:
    """Draw points in the cube: those that a network is asked, so in its precision."""
    points = torch.rand((count, 3), generator=generator(seed, purpose)) * 2 - 1
    return points.double().numpy()


def _again(mesh: Mesh, held_out: str, size: int, target: Any) -> MeshTask:
    return MeshTask(mesh, held_out, size=size, target=target)
