"""Reconstruct what is sampled on a regular grid, of any number of dimensions: place in, value out.

Training sees values in [-1, 1] at the samples that a pattern leaves it; scores are taken in the
signal's own values. With noise, training sees noisy values and scores are still taken against the
signal itself.
"""

import hashlib
import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from penchant.divergences import Divergence, LinkName
from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks._evaluate import MANY, evaluate
from penchant.tasks._held_out import HeldOut
from penchant.tasks._scores import WHOLE, band_errors, mean_ssim, psnr
from penchant.tasks._signed import signed_answering, signed_divergence, unsigned
from penchant.tasks._task import Metric, Score, Split, Task

_VERSION = 1  # part of the fingerprint: raise it whenever the same signal would score otherwise


class GridTask(Task):
    """Reconstruct one sampled signal from the samples that a pattern lets a network see.

    Args:
        name: what reports call it.
        values: float32, on [lowest, 1].
        held_out: a pattern as `HeldOut.parse` reads it.
        noise: standard deviation of Gaussian noise on what training sees, in units of the values;
            noisy values are clipped to their range, as in a camera.
        notices: what was done to the values on the way in.

    Attributes:
        values: the signal.
        held_out: the pattern.
        noise: as given.
        nyquist: the sampling limit in cycles per unit of coordinate, a quarter of the longest
            side's samples.

    Raises:
        PenchantError: an unknown pattern, a signal too small for it, or noise outside [0, 1].
    """

    values: Float[np.ndarray, "*grid channels"]
    held_out: HeldOut
    noise: float
    nyquist: float

    part_metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("psnr", "dB", margin=0.5),
        Metric("ssim", "", margin=0.01, watched=False),
    )
    """The metrics of one part, seen or held out, which is added to their names."""
    lowest: ClassVar[float] = 0.0
    """The least value there is; the largest is 1."""

    def __init__(
        self,
        name: str,
        values: Float[np.ndarray, "*grid channels"],
        held_out: str | HeldOut,
        noise: float,
        notices: tuple[str, ...],
    ) -> None:
        if not 0 <= noise <= 1:
            raise PenchantError(
                f"noise={noise}: a standard deviation from 0 to 1 is needed, in units of the "
                f"{self.noun}'s values"
            )
        pattern = HeldOut.parse(held_out) if isinstance(held_out, str) else held_out
        shape = values.shape[:-1]
        pattern.count(shape)  # raises if the signal is too small for it
        parts = ("seen",) if pattern.pattern == "none" else ("held_out", "seen")
        shown = [replace(m, name=f"{m.name}_{part}") for m in self.part_metrics for part in parts]
        self.__dict__.update(  # past __setattr__, which refuses
            values=values,
            held_out=pattern,
            noise=float(noise),
            nyquist=max(shape) / 4,
            name=name,
            metrics=tuple(sorted(shown, key=lambda metric: metric.name)),
            inputs=len(shape),
            outputs=values.shape[-1],
            notices=notices + self._noise_notice(values, noise),
        )
        self.__dict__["fingerprint"] = self._fingerprint()

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a task is the same for every design."""
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be set")

    def _fingerprint(self) -> str:
        content = hashlib.blake2b(np.ascontiguousarray(self.values).data, digest_size=16)
        content.update(f"{self.values.shape} {self.held_out} version {_VERSION}".encode())
        if self.noise:
            content.update(f"noise {self.noise}".encode())
        content.update(self.facts.encode())
        return content.hexdigest()

    @property
    def facts(self) -> str:
        """What scores depend on beside values, pattern and noise, such as a volume's spacing."""
        return ""

    @cached_property
    @abstractmethod
    def points(self) -> Float[Tensor, "samples inputs"]:
        """Every sample's coordinates, in the order of the values."""

    @cached_property
    def raster(self) -> tuple[tuple[int, float], ...]:
        """Along each coordinate: how many samples there are, and how far apart they lie."""
        shape = self.values.shape[:-1]
        points = self.points.view(*shape, -1)
        along = {}
        for axis, samples in enumerate(shape):
            first, last = (0,) * len(shape), [0] * len(shape)
            last[axis] = samples - 1
            way = (points[tuple(last)] - points[first]).double()
            coordinate = int(way.abs().argmax())
            along[coordinate] = samples, float(way[coordinate].abs()) / max(1, samples - 1)
        return tuple(along[coordinate] for coordinate in range(len(shape)))

    def scores(
        self,
        prediction: Float[np.ndarray, "*grid channels"],
        truth: Float[np.ndarray, "*grid channels"],
        parts: Mapping[str, Bool[np.ndarray, "*grid"]],
        *,
        final: bool,
    ) -> dict[str, float]:
        """Score a reconstruction, part by part: here by PSNR, and at the end by SSIM.

        Args:
            prediction: in the signal's own values.
            truth: what was asked for; of a pilot, values with noise.
            parts: by name, the samples that each is about.
            final: also what is too slow to watch during training.

        Returns:
            Each part's metrics, by name with the part behind it.
        """
        similarity = mean_ssim(prediction, truth, parts) if final else {}
        metrics: dict[str, float] = {}
        for part, chosen in parts.items():
            metrics[f"psnr_{part}"] = psnr(prediction, truth, chosen)
            if part in similarity:
                metrics[f"ssim_{part}"] = similarity[part]
        return metrics

    def estimate(self, truth: Float[np.ndarray, "*grid channels"], error: float) -> float:
        """Return the watched seen metric at a mean squared error of the targets.

        Here PSNR; targets lie twice as far apart as values.
        """
        return -10 * math.log10(error / 4) if error > 0 else math.inf

    @staticmethod
    def to_targets(values: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """Turn values into what training sees, 2·value - 1."""
        return values * 2 - 1

    @staticmethod
    def to_values(outputs: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Turn a network's answers into values, (y + 1) / 2, without clipping.

        Args:
            outputs: of any shape.

        Returns:
            Values, in [0, 1] where the answer is in [-1, 1].
        """
        return unsigned(outputs)

    def divergence(
        self, name: str | None = None, link: LinkName | None = None, **numbers: float
    ) -> Divergence:
        """Return what training minimises, by default L2; see `Task.divergence`.

        Args:
            name: ``l2``, ``l1``, ``huber``, ``kl`` or ``cross_entropy``; the last two take a
                value in [0, 1] as the probability of a yes.
            link: ``identity`` or ``sigmoid``.
            numbers: of the divergence.
        """
        return signed_divergence(name, link, **numbers)

    def answering(self, network: nn.Module, divergence: Divergence) -> nn.Module:
        """Return the network, behind a sigmoid where its divergence is."""
        return signed_answering(network, divergence)

    def split(self, seed: int, *, validation: bool = False) -> "GridSplit":
        """Divide the samples for a seed; see `Task.split`.

        Args:
            seed: the run's seed.
            validation: keep a keyed fifth of the seen samples (at least one) from training and
                compute the held-out metrics on it, also where the pattern is ``none``.

        Returns:
            The split.
        """
        held_out = self.held_out.mask(self.values.shape[:-1], seed)
        seen = ~held_out
        if validation:
            samples = np.flatnonzero(seen)
            order = torch.randperm(len(samples), generator=generator(seed, "validation")).numpy()
            held_out = np.zeros_like(seen)
            held_out.flat[samples[order[: max(1, round(len(samples) / 5))]]] = True
            seen &= ~held_out
        shown = self._noisy(seed)
        # A pilot may know no more than training does: what it is asked about is noisy too.
        return GridSplit(self, seen, held_out, shown, shown if validation else self.values)

    def _noisy(self, seed: int) -> Float[np.ndarray, "*grid channels"]:
        if not self.noise:
            return self.values
        draws = torch.randn(self.values.shape, generator=generator(seed, "noise"))
        noisy: Float[np.ndarray, "*grid channels"]
        noisy = (self.values + self.noise * draws.numpy()).clip(self.lowest, 1)
        return noisy

    def _noise_notice(
        self, values: Float[np.ndarray, "*grid channels"], noise: float
    ) -> tuple[str, ...]:
        """Say how much of the noise is no longer Gaussian, since values end."""
        if not noise:
            return ()
        from scipy.special import ndtr

        exact = values.astype(np.float64)
        clipped = float(np.mean(ndtr((self.lowest - exact) / noise) + ndtr((exact - 1) / noise)))
        return (
            f"trained on values with Gaussian noise of standard deviation {noise:g}, of which "
            f"{100 * clipped:.1f} % are clipped at {self.lowest:g} or 1; scored without the noise",
        )

    def seen_values(self) -> int:
        """Count the numbers that training sees: seen samples times channels."""
        shape = self.values.shape[:-1]
        seen: int = int(np.prod(shape)) - self.held_out.count(shape)
        return seen * self.outputs


class GridSplit(Split):
    """One seed's seen and held-out samples of a signal; made by `GridTask.split`.

    Args:
        task: whose samples they are.
        seen: marks the training samples.
        held_out: marks the samples that the held-out metrics ask about; may be none.
        shown: the signal as training sees it, with its noise.
        truth: the signal that held-out and seen metrics ask for.

    Attributes:
        inputs: the training samples' coordinates.
        targets: their values in [-1, 1].
        training_mean: the mean of the targets, one number a channel.
    """

    training_mean: Float[Tensor, "outputs"]

    def __init__(
        self,
        task: GridTask,
        seen: Bool[np.ndarray, "*grid"],
        held_out: Bool[np.ndarray, "*grid"],
        shown: Float[np.ndarray, "*grid channels"],
        truth: Float[np.ndarray, "*grid channels"],
    ) -> None:
        marked = {"held_out": held_out, "seen": seen}
        self._parts = {part: chosen for part, chosen in marked.items() if chosen.any()}
        self._task, self._shown, self._truth = task, shown, truth
        points, chosen = task.points, shown.reshape(-1, task.outputs)
        if not seen.all():  # else nothing is copied, since the whole is large
            points, chosen = points[torch.from_numpy(seen.ravel())], shown[seen]
        self.inputs = points
        self.targets = torch.from_numpy(np.require(task.to_targets(chosen), requirements="W"))
        total = sum(part.double().sum(dim=0) for part in torch.split(self.targets, WHOLE))
        self.training_mean = torch.as_tensor(total / len(self.targets)).float()

    @property
    def seen(self) -> Int[np.ndarray, "seen"]:
        """Indices of the training samples, in the order of the values."""
        return np.flatnonzero(self._parts["seen"])

    @property
    def held_out(self) -> Int[np.ndarray, "held_out"]:
        """Indices of the samples that the held-out metrics ask about; may be empty."""
        return np.flatnonzero(self._parts.get("held_out", ()))

    def reconstruct(self, network: nn.Module) -> Float[np.ndarray, "*grid channels"]:
        """Draw the whole signal.

        Args:
            network: answers coordinates with one number a channel.

        Returns:
            Values clipped to their range; the constant answer if any answer is not finite.

        Raises:
            PenchantError: the network answers with another number of channels.
        """
        answered = self._answered(network)
        return self._constant() if answered is None else answered

    def _answered(self, network: nn.Module) -> Float[np.ndarray, "*grid channels"] | None:
        """Return the whole signal as the network has it; None if an answer is not finite."""
        points = self._task.points
        outputs = evaluate(network, points)
        if outputs.shape != (len(points), self._task.outputs):
            raise PenchantError(
                f"a network that answers {len(points)} points with shape "
                f"{tuple(outputs.shape)}; this {self._task.noun} needs "
                f"{(len(points), self._task.outputs)}: one number a channel"
            )
        pieces = torch.split(outputs, MANY)
        if not all(bool(piece.isfinite().all()) for piece in pieces):
            return None
        for piece in pieces:  # written over, since the whole is large
            piece.copy_(self._values(piece))
        return outputs.float().reshape(self._truth.shape).numpy()

    def score(self, network: nn.Module, *, final: bool = True) -> Score:
        """Score a network with one pass over the whole signal.

        Args:
            network: answers coordinates with one number a channel.
            final: also compute what is too slow to watch.

        Returns:
            The scores; those of the constant answer if any of the network's is not finite.
        """
        answered = self._answered(network)
        if answered is None:
            return self._score(self._constant(), final)
        return replace(self._score(answered, final), finite=True)

    def estimate(self, error: float) -> float | None:
        """Return the watched seen metric at an error; see `Split.estimate`."""
        return self._task.estimate(self._truth, 2 * error / self._task.outputs)

    def fitted_score(
        self, fit: Callable[..., Float[np.ndarray, "*grid channels"]], values: int
    ) -> Score:
        """Score a fit in closed form to the seen samples.

        Args:
            fit: such as `fit_grid`, called with the signal, the seen samples' indices, how many
                numbers it may have, and the least value.
            values: how many.
        """
        fitted = fit(self._shown, self.seen, values, self._task.lowest)
        return self._score(fitted, final=True)

    def constant_score(self) -> Score:
        """Score the mean of the training samples, given everywhere."""
        return self._score(self._constant(), final=True)

    def _constant(self) -> Float[np.ndarray, "*grid channels"]:
        constant = self._values(self.training_mean).numpy()
        return np.ascontiguousarray(np.broadcast_to(constant, self._truth.shape))

    def _values(self, outputs: Float[Tensor, "*samples channels"]) -> Tensor:
        return self._task.to_values(outputs).clamp(self._task.lowest, 1)

    def _score(self, prediction: Float[np.ndarray, "*grid channels"], final: bool) -> Score:
        metrics = self._task.scores(prediction, self._truth, self._parts, final=final)
        return Score(metrics, band_errors(prediction, self._truth))
