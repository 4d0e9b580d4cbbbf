"""Reconstruct a scene from pictures of it: a point's density and colour, judged by its views.

Training sees the rays of the views that are not held out, and their colours in [-1, 1]; scores
are taken in [0, 1]. A network answers points of the cube [-1, 1]³, whatever its activation and
encoding; `RayRenderer` stands between.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks._evaluate import evaluate
from penchant.tasks._held_out import HeldOut
from penchant.tasks._posed_pictures import PosedPictures
from penchant.tasks._radiance_header import RadianceHeader
from penchant.tasks._ray_renderer import SAMPLES, RayRenderer
from penchant.tasks._scene_cube import SceneCube
from penchant.tasks._scores import decibels
from penchant.tasks._task import Metric, Score, Split, Task

_VERSION = 1  # part of the fingerprint: raise it whenever the same scene would score otherwise

WATCHED = 4096
"""Rays of a part that are scored while a run trains."""

SEEN_VIEWS = 12
"""Views that were seen that the final score is about, at most."""

SHOWN_VIEWS = 3
"""Views that a report shows, at most."""

SHOWN_SIDE = 100
"""Pixels along their longer side, at most: each is a ray, and a view takes about a second."""

BLOCK = 1024
"""Rays asked for at once: about 10,000 points that are not empty."""


class RadianceTask(Task):
    """Reconstruct the density and colours of a scene from posed pictures of it.

    Scores are PSNRs over all pixels of the views held out, which ask how a network fills in what
    was not seen, and of views seen, a keyed choice of at most 12. While a run trains they are
    taken on 4,096 keyed rays of each. PSNR is of the mean squared error of all pixels, which is
    at most the mean of the views' own PSNRs that papers report.

    Args:
        scene: the pictures with their poses.
        held_out: a pattern over the views as `HeldOut.parse` reads it, or ``test`` for the data's
            own test part; by default that, or where there is none ``every:8``.
        degree: of the spherical harmonics by which a colour depends on the view direction, 0 to
            2; 0 is the same colour from everywhere.
        samples: bins along a ray.

    Attributes:
        scene: as given.
        held_out: the pattern, as text.
        cube: the part of space that networks are asked about.
        nyquist: the sampling limit in cycles per unit of coordinate, at the scene's centre.

    Raises:
        PenchantError: a pattern that is unknown or leaves fewer than 2 views to see or none to
            hold out, cameras that do not look at one scene, or a number that does not fit.

    Example:
        >>> eye, turned = np.eye(4), np.diag([-1.0, 1, -1, 1])
        >>> eye[2, 3], turned[2, 3] = 4, -4
        >>> side = np.array([[0.0, 0, 1, 4], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]])
        >>> poses = np.stack([eye, turned, side])
        >>> scene = PosedPictures("white", np.ones((3, 4, 4, 3)), poses, angle=0.7)
        >>> task = RadianceTask(scene)
        >>> task.inputs, task.outputs, task.held_out, task.split(0).inputs.shape
        (3, 13, 'every:8', torch.Size([32, 6]))
    """

    noun = "scene"
    inputs = 3

    scene: PosedPictures
    held_out: str
    cube: SceneCube
    degree: int
    samples: int
    nyquist: float

    def __init__(
        self,
        scene: PosedPictures,
        held_out: str | None = None,
        *,
        degree: int = 1,
        samples: int = SAMPLES,
    ) -> None:
        height, width = scene.pictures.shape[1:3]
        pattern = (held_out or ("test" if scene.test.any() else "every:8")).strip()
        renderer = RayRenderer(nn.Identity(), degree=degree, samples=samples)  # checks the numbers
        parts = ("seen",) if pattern == "none" else ("held_out", "seen")
        self.__dict__.update(  # past __setattr__, which refuses
            scene=scene,
            held_out="test" if pattern == "test" else str(HeldOut.parse(pattern)),
            degree=renderer.degree,
            samples=renderer.samples,
            cube=SceneCube.of(scene.poses, scene.angle, height, width, f"scene {scene.name!r}"),
            nyquist=max(height, width) / 4,
            name=scene.name,
            outputs=RayRenderer.outputs(degree),
            metrics=tuple(Metric(f"psnr_{part}", "dB", margin=0.5) for part in parts),
            notices=scene.notices,
        )
        self._mask(0)  # raises if there are too few views
        self.__dict__["fingerprint"] = self._fingerprint()

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a task is the same for every design."""
        raise AttributeError(f"RadianceTask is immutable: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction: the scene and the words are all there is."""
        return _again, (self.scene, self.held_out, self.degree, self.samples)

    def _fingerprint(self) -> str:
        scene = self.scene
        content = hashlib.blake2b(scene.pictures.tobytes(), digest_size=16)
        content.update(scene.poses.tobytes() + scene.test.tobytes())
        words = (scene.pictures.shape, scene.angle, self.held_out, self.degree, self.samples)
        content.update(f"{words} version {_VERSION}".encode())
        return content.hexdigest()

    @property
    def header(self) -> RadianceHeader:
        """What a network's file says of the scene: its cube, and the views' cameras."""
        height, width = self.scene.pictures.shape[1:3]
        return RadianceHeader(
            name=self.name,
            outputs=self.outputs,
            height=height,
            width=width,
            angle=self.scene.angle,
            centre=self.cube.centre,
            half=self.cube.half,
            degree=self.degree,
            samples=self.samples,
            poses=self.scene.poses[:, :3].tolist(),
        )

    def unwrapped(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Leave out what the renderer remembers of where the scene has something."""
        inner = "network."
        return {n.removeprefix(inner): one for n, one in state.items() if n.startswith(inner)}

    def wrapped(self, network: nn.Module, split: Split) -> nn.Module:
        """Return what a camera sees of the network; see `Task.wrapped`."""
        assert isinstance(split, RadianceSplit)
        return RayRenderer(network, degree=self.degree, samples=self.samples, seed=split.seed)

    def split(self, seed: int, *, validation: bool = False) -> "RadianceSplit":
        """Divide the views for a seed; see `Task.split`.

        Args:
            seed: the run's seed.
            validation: keep a keyed fifth of the seen views (at least one) from training and
                compute the held-out metrics on them, also where the pattern is ``none``.

        Returns:
            The split.
        """
        held_out = self._mask(seed)
        seen, asked = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        if validation:
            order = torch.randperm(len(seen), generator=generator(seed, "validation")).numpy()
            fifth = max(1, round(len(seen) / 5))
            asked, seen = np.sort(seen[order[:fifth]]), np.sort(seen[order[fifth:]])
        return RadianceSplit(self, seed, seen, asked)

    def _mask(self, seed: int) -> Bool[np.ndarray, "views"]:
        """Mark the views that are held out."""
        test: Bool[np.ndarray, views] = self.scene.test
        if self.held_out != "test":
            return HeldOut.parse(self.held_out).mask((len(test),), seed)
        if not test.any() or (~test).sum() < 2:
            raise PenchantError(
                f"held-out 'test' of {self.name!r}: {int((~test).sum())} views to see and "
                f"{int(test.sum())} of a test part (transforms_test.json); at least 2 and 1 are "
                "needed, or another pattern such as every:8"
            )
        return test

    def seen_values(self) -> int:
        """Count the numbers that training sees: seen pixels times 3."""
        return int((~self._mask(0)).sum()) * int(self.scene.pictures[0].size)


class RadianceSplit(Split):
    """One seed's seen and held-out views of a scene; made by `RadianceTask.split`.

    Args:
        task: whose views they are.
        seed: of the run.
        seen: indices of the views that training sees.
        held_out: indices of those that the held-out metric asks about; may be empty.

    Attributes:
        inputs: the rays of the seen views, places and unit directions in the cube's units.
        targets: their colours in [-1, 1].
        seed: as given.
        seen: as given.
        held_out: as given.
    """

    def __init__(
        self,
        task: RadianceTask,
        seed: int,
        seen: Int[np.ndarray, "seen"],
        held_out: Int[np.ndarray, "held_out"],
    ) -> None:
        self.task, self.seed, self.seen, self.held_out = task, seed, seen, held_out
        self.inputs = torch.cat([self._rays(view) for view in seen])
        self.targets = torch.cat([self._colours(view) for view in seen])
        self.training_mean = self.targets.double().mean(dim=0).float()

    def reconstruct_view(
        self, network: nn.Module, view: int
    ) -> Float[np.ndarray, "height width 3"]:
        """Draw one view.

        Args:
            network: answers rays with colours in [-1, 1].
            view: its index, from 0.

        Returns:
            Values clipped to [0, 1].
        """
        outputs = evaluate(network, self._rays(view), BLOCK).clamp(-1, 1).float()
        shape = self.task.scene.pictures[view].shape
        values: Float[np.ndarray, "height width 3"] = ((outputs + 1) / 2).reshape(shape).numpy()
        return values

    def views(
        self, network: nn.Module | None = None
    ) -> dict[str, Float[np.ndarray, "height width 3"]]:
        """Draw a few held-out views, or the pictures themselves, at every k-th pixel.

        Args:
            network: answers rays with colours in [-1, 1]; what is not finite is the mean colour.

        Returns:
            Values in [0, 1] by what a report calls the view; seen ones where none is held out.
        """
        part, chosen = self._parts()[0], self.held_out if len(self.held_out) else self.seen
        places = np.linspace(0, len(chosen) - 1, min(SHOWN_VIEWS, len(chosen)) + 2)[1:-1]
        height, width = self.task.scene.pictures.shape[1:3]
        step = math.ceil(max(height, width) / SHOWN_SIDE)
        pixels = torch.arange(height * width).view(height, width)[::step, ::step]
        more = f", 1 pixel in {step}×{step}" if step > 1 else ""
        drawn = {}
        for view in np.unique(chosen[np.rint(places).astype(int)]):
            colours = self._colours(view)[pixels.flatten()]
            if network:
                answers = evaluate(network, self._rays(view)[pixels.flatten()], BLOCK).float()
                colours = torch.where(answers.isfinite(), answers, self.training_mean).clamp(-1, 1)
            name = f"view {view}, {part.replace('_', ' ')}{more}"
            drawn[name] = ((colours + 1) / 2).view(*pixels.shape, 3).numpy()
        return drawn

    def estimate(self, error: float) -> float | None:
        """Return the seen PSNR at an error of colours, which targets have twice as far apart."""
        return -10 * math.log10(error / 6) if error > 0 else math.inf

    def score(self, network: nn.Module, *, final: bool = True) -> Score:
        """Score what a network's cameras see.

        Args:
            network: answers rays with colours in [-1, 1].
            final: ask about whole views in place of a few rays.

        Returns:
            The scores; those of the constant answer if any of the network's is not finite.

        Raises:
            PenchantError: the network does not answer each ray with three numbers.
        """
        metrics = {}
        for part in self._parts():
            errors = []
            for rays, truth in self._views(part) if final else [self._few[part]]:
                outputs = evaluate(network, rays, BLOCK)
                if outputs.shape != truth.shape:
                    raise PenchantError(
                        f"a network that answers {len(rays)} rays with shape "
                        f"{tuple(outputs.shape)}; {tuple(truth.shape)} is needed: a colour each"
                    )
                if not bool(outputs.isfinite().all()):
                    return self.constant_score()
                errors.append(_error(outputs, truth))
            metrics[f"psnr_{part}"] = _decibels(errors)
        return Score(metrics)

    def constant_score(self) -> Score:
        """Score the mean colour of the training rays, given everywhere."""
        metrics = {}
        for part in self._parts():
            truths = (self._colours(view) for view in self._chosen(part))
            errors = [_error(self.training_mean.expand_as(truth), truth) for truth in truths]
            metrics[f"psnr_{part}"] = _decibels(errors)
        return Score(metrics)

    def _parts(self) -> tuple[str, ...]:
        return ("held_out", "seen") if len(self.held_out) else ("seen",)

    def _chosen(self, part: str) -> Int[np.ndarray, "chosen"]:
        """Choose the views that the final score asks about: all that are held out."""
        if part == "held_out":
            return self.held_out
        draws = generator(self.seed, "seen views")
        order = torch.randperm(len(self.seen), generator=draws)[:SEEN_VIEWS].numpy()
        return np.sort(self.seen[order])

    def _views(
        self, part: str
    ) -> Iterator[tuple[Float[Tensor, "rays 6"], Float[Tensor, "rays 3"]]]:
        return ((self._rays(view), self._colours(view)) for view in self._chosen(part))

    @cached_property
    def _few(self) -> dict[str, tuple[Float[Tensor, "rays 6"], Float[Tensor, "rays 3"]]]:
        """Of each part's views a few rays, and their colours."""
        few = {}
        for part in self._parts():
            views = self.held_out if part == "held_out" else self.seen
            pixels = len(self._colours(views[0]))
            draws = generator(self.seed, f"watched/{part}")
            drawn = torch.randint(len(views) * pixels, (WATCHED,), generator=draws).numpy()
            rays, colours = [], []
            for place in np.unique(drawn // pixels):
                chosen = torch.from_numpy(drawn[drawn // pixels == place] % pixels)
                rays.append(self._rays(views[place])[chosen])
                colours.append(self._colours(views[place])[chosen])
            few[part] = torch.cat(rays), torch.cat(colours)
        return few

    def _rays(self, view: int) -> Float[Tensor, "pixels 6"]:
        scene = self.task.scene
        height, width = scene.pictures.shape[1:3]
        return self.task.cube.rays(scene.poses[view], height, width, scene.angle)

    def _colours(self, view: int) -> Float[Tensor, "pixels 3"]:
        """Return the picture as training has its targets, in [-1, 1]."""
        return torch.from_numpy(self.task.scene.pictures[view].reshape(-1, 3) * 2 - 1)


def _error(outputs: Float[Tensor, "rays 3"], truth: Float[Tensor, "rays 3"]) -> float:
    """Return the mean squared error of what can be shown, of colours in [0, 1]."""
    error = (outputs.clamp(-1, 1).double() - truth).square().mean()
    return float(error) / 4


def _decibels(errors: Sequence[float]) -> float:
    """Return the PSNR of parts of equal size, together."""
    return decibels(sum(errors) / len(errors))


def _again(scene: PosedPictures, held_out: str, degree: int, samples: int) -> RadianceTask:
    return RadianceTask(scene, held_out, degree=degree, samples=samples)
