"""Reconstruct a picture from its samples: a pixel's centre in, its colour out."""

from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from penchant.nn import PictureNet
from penchant.tasks._grid_task import GridTask
from penchant.tasks._held_out import HeldOut
from penchant.tasks._picture import Picture
from penchant.tasks._picture_header import PictureHeader
from penchant.tasks._points import pixel_coordinates
from penchant.tasks._task import Split


class PictureTask(GridTask):
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

    Raises:
        PenchantError: an unknown pattern, a picture too small for it, or noise outside [0, 1].

    Example:
        >>> import numpy as np
        >>> picture = Picture("grey", np.full((4, 8, 1), 0.5, np.float32))
        >>> task = PictureTask(picture, held_out="checkerboard")
        >>> task.seen_values(), task.nyquist, [metric.name for metric in task.metrics]
        (16, 2.0, ['psnr_held_out', 'psnr_seen', 'ssim_held_out', 'ssim_seen'])
    """

    picture: Picture
    noun = "picture"

    def __init__(
        self, picture: Picture, held_out: str | HeldOut = "none", noise: float = 0.0
    ) -> None:
        super().__init__(picture.name, picture.values, held_out, noise, picture.notices)
        self.__dict__["picture"] = picture

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction: the picture and the pattern are all there is."""
        return PictureTask, (self.picture, self.held_out, self.noise)

    @cached_property
    def points(self) -> Float[Tensor, "samples 2"]:
        """Every pixel's coordinates, row by row."""
        height, width = self.values.shape[:2]
        return pixel_coordinates(height, width)

    @property
    def header(self) -> PictureHeader:
        """The picture's size."""
        height, width, channels = self.values.shape
        return PictureHeader(name=self.name, outputs=channels, height=height, width=width)

    def wrapped(self, network: nn.Module, split: Split) -> nn.Module:
        """Show a network that makes whole pictures the part that training sees."""
        if isinstance(network, PictureNet):
            height, width = self.values.shape[:2]
            network.see(split.inputs, split.targets, height, width)
        return network
