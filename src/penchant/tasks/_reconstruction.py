"""Reconstruct a picture from its samples: position in, colour out.

A sample is a pixel's centre. The longer side spans [-1, 1] and the shorter one less, so that a
unit is the same length along both. Training sees colours in [-1, 1], scores are taken in [0, 1].
With noise, training sees noisy colours and scores are still taken against the picture itself.
"""

import hashlib
import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from penchant.divergences import Divergence, LinkName
from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks._eval_mode import eval_mode
from penchant.tasks._grid import fit_grid
from penchant.tasks._held_out import HeldOut
from penchant.tasks._picture import MAX_PIXELS, Picture
from penchant.tasks._scores import band_errors, psnr, ssim_map
from penchant.tasks._signed import signed_answering, signed_divergence
from penchant.tasks._task import Metric, Score, Split, Task

_VERSION = 1  # part of the fingerprint: raise it whenever the same picture would score otherwise

_HELD_OUT, _SEEN = (
    (
        Metric(f"psnr_{part}", "dB", margin=0.5),
        Metric(f"ssim_{part}", "", margin=0.01, watched=False),
    )
    for part in ("held_out", "seen")
)


def coordinates(
    points: Float[Tensor, "*points 2"], height: int, width: int
) -> Float[Tensor, "*points 2"]:
    r"""Turn positions in pixels into what a network is given.

    .. math:: u = (2x / w - 1) \cdot w / \max(h, w), \qquad v = (2y / h - 1) \cdot h / \max(h, w)

    Args:
        points: (x, y) in pixels from the upper left corner; pixel (column j, row i) has its
            centre at (j + ½, i + ½).
        height: the picture's rows.
        width: the picture's columns.

    Returns:
        (u, v) of the same shape and precision.

    Example:
        >>> coordinates(torch.tensor([[0.0, 0.0], [4.0, 2.0]]), height=2, width=4)
        tensor([[-1.0000, -0.5000],
                [ 1.0000,  0.5000]])
    """
    side = torch.tensor([width, height], dtype=points.dtype)
    return (2 * points - side) / max(height, width)


def grid_coordinates(
    height: int,
    width: int,
    region: tuple[float, float, float, float] | None = None,
    scale: float = 1.0,
) -> Float[Tensor, "rows columns 2"]:
    """Lay a grid over a picture or a part of it, at any resolution.

    Args:
        height: the picture's rows.
        width: the picture's columns.
        region: left, top, right and bottom in the picture's pixels; the whole by default.
        scale: new pixels a pixel, along each side.

    Returns:
        The coordinates of the new pixels' centres; they fill the region exactly.

    Raises:
        PenchantError: a region that is empty or reaches outside, a scale that is not positive,
            or a grid above 100 megapixels.

    Example:
        >>> grid_coordinates(2, 2, region=(0, 0, 1, 2), scale=2).shape
        torch.Size([4, 2, 2])
    """
    left, top, right, bottom = region or (0.0, 0.0, width, height)
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise PenchantError(
            f"region={left:g},{top:g},{right:g},{bottom:g}: left, top, right, bottom must enclose "
            f"a part of the picture's {width}×{height} pixels"
        )
    if not (math.isfinite(scale) and scale > 0):
        raise PenchantError(f"scale={scale}: new pixels a pixel must be a positive number")
    columns, rows = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    if rows * columns > MAX_PIXELS:
        raise PenchantError(
            f"scale={scale}: {columns}×{rows} new pixels, more than {MAX_PIXELS // 10**6} "
            "megapixels; take a smaller scale or region"
        )
    x = left + (torch.arange(columns, dtype=torch.float64) + 0.5) * ((right - left) / columns)
    y = top + (torch.arange(rows, dtype=torch.float64) + 0.5) * ((bottom - top) / rows)
    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    return coordinates(points, height, width).float()


def pixel_coordinates(height: int, width: int) -> Float[Tensor, "pixels 2"]:
    """Return the coordinates of every pixel's centre, row by row.

    Args:
        height: rows.
        width: columns.

    Returns:
        (u, v): u along the columns, v along the rows; the longer side spans [-1, 1].

    Example:
        >>> pixel_coordinates(1, 2)
        tensor([[-0.5000,  0.0000],
                [ 0.5000,  0.0000]])
    """
    return grid_coordinates(height, width).reshape(-1, 2)


def evaluate(
    network: nn.Module, inputs: Float[Tensor, "points inputs"], block: int = 4096
) -> Float[Tensor, "points outputs"]:
    """Ask a network about many points, block by block, without gradients.

    Args:
        network: answers each point on its own; asked in `eval` mode, so that batch norm goes by
            its running statistics and dropout drops nothing, and given back as it was.
        inputs: the points, moved block by block to where the network's first parameter is.
        block: points at once, so that a layer's values stay in cache.

    Returns:
        The answers, on the device of `inputs`.

    Example:
        >>> evaluate(nn.Identity(), torch.ones(5, 2), block=2).shape
        torch.Size([5, 2])
    """
    device = next((parameter.device for parameter in network.parameters()), inputs.device)
    with torch.no_grad(), eval_mode(network):
        first = network(inputs[:block].to(device))
        outputs = torch.empty(
            (len(inputs), *first.shape[1:]), dtype=first.dtype, device=inputs.device
        )
        outputs[:block] = first
        for start in range(block, len(inputs), block):
            outputs[start : start + block] = network(inputs[start : start + block].to(device))
    return outputs


class PictureTask(Task):
    """Reconstruct one picture from the samples that a pattern lets a network see.

    Scores are the PSNR and SSIM of the samples seen in training (what a network can represent)
    and of those held out (how it fills in), and the error by frequency band of the whole
    picture. SSIM is the map of the whole picture averaged over the samples in question.

    Args:
        picture: the signal.
        held_out: a pattern as `HeldOut.parse` reads it.
        noise: standard deviation of Gaussian noise on what training sees, in units of the
            picture's [0, 1]; noisy values are clipped to it, as in a camera. Scores ask for the
            picture without the noise.

    Attributes:
        picture: the signal.
        held_out: the pattern.
        noise: as given.
        nyquist: the sampling limit in cycles per unit of coordinate, max(height, width) / 4.

    Raises:
        PenchantError: an unknown pattern, a picture too small for it, or noise outside [0, 1].

    Example:
        >>> picture = Picture("grey", np.full((4, 8, 1), 0.5, np.float32))
        >>> task = PictureTask(picture, held_out="checkerboard")
        >>> task.seen_values(), task.nyquist, [metric.name for metric in task.metrics]
        (16, 2.0, ['psnr_held_out', 'psnr_seen', 'ssim_held_out', 'ssim_seen'])
    """

    picture: Picture
    held_out: HeldOut
    noise: float
    nyquist: float
    noun = "picture"

    def __init__(
        self, picture: Picture, held_out: str | HeldOut = "none", noise: float = 0.0
    ) -> None:
        if not 0 <= noise <= 1:
            raise PenchantError(
                f"noise={noise}: a standard deviation from 0 to 1 is needed, in units of the "
                "picture's values"
            )
        pattern = HeldOut.parse(held_out) if isinstance(held_out, str) else held_out
        height, width, channels = picture.values.shape
        pattern.count(height, width)  # raises if the picture is too small for it
        shown = _SEEN if pattern.pattern == "none" else _HELD_OUT + _SEEN
        content = hashlib.blake2b(picture.values.tobytes(), digest_size=16)
        content.update(f"{picture.values.shape} {pattern} version {_VERSION}".encode())
        if noise:
            content.update(f"noise {float(noise)}".encode())
        self.__dict__.update(  # past __setattr__, which refuses
            picture=picture,
            held_out=pattern,
            noise=float(noise),
            nyquist=max(height, width) / 4,
            name=picture.name,
            metrics=tuple(sorted(shown, key=lambda metric: metric.name)),
            inputs=2,
            outputs=channels,
            fingerprint=content.hexdigest(),
            notices=picture.notices + _noise_notice(picture, noise),
        )

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a task is the same for every design."""
        raise AttributeError(f"PictureTask is immutable: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction: the picture and the pattern are all there is."""
        return PictureTask, (self.picture, self.held_out, self.noise)

    def divergence(
        self, name: str | None = None, link: LinkName | None = None, **numbers: float
    ) -> Divergence:
        """Return what training minimises, by default L2; see `Task.divergence`.

        Args:
            name: ``l2``, ``l1``, ``huber``, ``kl`` or ``cross_entropy``; the last two take a
                colour in [0, 1] as the probability of a yes.
            link: ``identity`` or ``sigmoid``.
            numbers: of the divergence.
        """
        return signed_divergence(name, link, **numbers)

    def answering(self, network: nn.Module, divergence: Divergence) -> nn.Module:
        """Return the network, behind a sigmoid where its divergence is."""
        return signed_answering(network, divergence)

    def split(self, seed: int, *, validation: bool = False) -> "PictureSplit":
        """Divide the pixels for a seed; see `Task.split`.

        Args:
            seed: the run's seed.
            validation: keep a keyed fifth of the seen samples (at least one) from training and
                compute the held-out metrics on it, also where the pattern is ``none``.

        Returns:
            The split.
        """
        height, width = self.picture.values.shape[:2]
        held_out = self.held_out.mask(height, width, seed).ravel()
        seen, asked = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        if validation:
            order = torch.randperm(len(seen), generator=generator(seed, "validation")).numpy()
            fifth = max(1, round(len(seen) / 5))
            asked, seen = np.sort(seen[order[:fifth]]), np.sort(seen[order[fifth:]])
        shown = self._noisy(seed)
        # A pilot may know no more than training does: what it is asked about is noisy too.
        return PictureSplit(seen, asked, shown, shown if validation else self.picture.values)

    def _noisy(self, seed: int) -> Float[np.ndarray, "height width channels"]:
        if not self.noise:
            return self.picture.values
        draws = torch.randn(self.picture.values.shape, generator=generator(seed, "noise"))
        noisy: Float[np.ndarray, "height width channels"]
        noisy = (self.picture.values + self.noise * draws.numpy()).clip(0, 1)
        return noisy

    def seen_values(self) -> int:
        """Count the numbers that training sees: seen pixels times channels."""
        height, width = self.picture.values.shape[:2]
        seen: int = height * width - self.held_out.count(height, width)
        return seen * self.outputs

    @staticmethod
    def to_values(outputs: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Turn a network's answers into picture values, (y + 1) / 2, without clipping.

        Args:
            outputs: of any shape; targets are 2·value - 1.

        Returns:
            Values, in [0, 1] where the answer is in [-1, 1].

        Example:
            >>> PictureTask.to_values(torch.tensor([-1.0, 0.0, 1.0]))
            tensor([0.0000, 0.5000, 1.0000])
        """
        return (outputs + 1) / 2


class PictureSplit(Split):
    """One seed's seen and held-out samples of a picture; made by `PictureTask.split`.

    Args:
        seen: indices of the training samples, row by row.
        held_out: indices of the samples that the held-out metrics ask about; may be empty.
        shown: the picture as training sees it, with its noise.
        truth: the picture that scores ask for.

    Attributes:
        inputs: the training samples' coordinates.
        targets: their colours in [-1, 1].
        training_mean: the mean of the targets, one number a channel.
        seen: as given.
        held_out: as given.
    """

    training_mean: Float[Tensor, "outputs"]

    def __init__(
        self,
        seen: Int[np.ndarray, "seen"],
        held_out: Int[np.ndarray, "held_out"],
        shown: Float[np.ndarray, "height width channels"],
        truth: Float[np.ndarray, "height width channels"],
    ) -> None:
        self.seen, self.held_out = seen, held_out
        self._truth = truth
        height, width, channels = self._truth.shape
        self._grid = pixel_coordinates(height, width)
        self.inputs = self._grid[torch.from_numpy(seen)]
        self._shown = shown
        self.targets = torch.from_numpy(shown.reshape(-1, channels)[seen] * 2 - 1)
        self.training_mean = self.targets.double().mean(dim=0).float()

    def reconstruct(self, network: nn.Module) -> Float[np.ndarray, "height width channels"]:
        """Draw the whole picture.

        Args:
            network: answers coordinates with one number a channel.

        Returns:
            Values clipped to [0, 1]; the constant answer if any answer is not finite.

        Raises:
            PenchantError: the network answers with another number of channels.
        """
        outputs = evaluate(network, self._grid)
        if outputs.shape != (len(self._grid), self._truth.shape[2]):
            raise PenchantError(
                f"a network that answers {len(self._grid)} points with shape "
                f"{tuple(outputs.shape)}; this picture needs "
                f"{(len(self._grid), self._truth.shape[2])}: one number a channel"
            )
        if not bool(outputs.isfinite().all()):
            return self._constant()
        return self._picture(outputs)

    def score(self, network: nn.Module, *, final: bool = True) -> Score:
        """Score a network with one pass over the whole picture.

        Args:
            network: answers coordinates with one number a channel.
            final: also compute SSIM.

        Returns:
            The scores; those of the constant answer if any of the network's is not finite.
        """
        return self._score(self.reconstruct(network), final)

    def grid_score(self, values: int) -> Score:
        """Score a plain bilinear grid of about as many values, fitted to the seen samples."""
        return self._score(fit_grid(self._shown, self.seen, values), final=True)

    def constant_score(self) -> Score:
        """Score the mean of the training samples, given everywhere."""
        return self._score(self._constant(), final=True)

    def _constant(self) -> Float[np.ndarray, "height width channels"]:
        return self._picture(self.training_mean.expand(len(self._grid), -1))

    def _picture(
        self, outputs: Float[Tensor, "pixels channels"]
    ) -> Float[np.ndarray, "height width channels"]:
        values = PictureTask.to_values(outputs).clamp(0, 1).float()
        return values.reshape(self._truth.shape).numpy()

    def _score(self, prediction: Float[np.ndarray, "height width channels"], final: bool) -> Score:
        height, width = self._truth.shape[:2]
        similarity = ssim_map(prediction, self._truth) if final else None
        metrics: dict[str, float] = {}
        for part, samples in (("held_out", self.held_out), ("seen", self.seen)):
            if len(samples) == 0:
                continue
            chosen: Bool[np.ndarray, "height width"] = np.zeros((height, width), bool)
            chosen.flat[samples] = True
            metrics[f"psnr_{part}"] = psnr(prediction[chosen], self._truth[chosen])
            if similarity is not None:
                metrics[f"ssim_{part}"] = float(similarity[chosen].mean())
        return Score(metrics, band_errors(prediction, self._truth))


def _noise_notice(picture: Picture, noise: float) -> tuple[str, ...]:
    """Say how much of the noise is no longer Gaussian, since values end at 0 and 1."""
    if not noise:
        return ()
    from scipy.special import ndtr

    values = picture.values.astype(np.float64)
    clipped = float(np.mean(ndtr(-values / noise) + ndtr((values - 1) / noise)))
    return (
        f"trained on values with Gaussian noise of standard deviation {noise:g}, of which "
        f"{100 * clipped:.1f} % are clipped at 0 or 1; scored without the noise",
    )
