"""Reconstruct a volume from its samples: a voxel's centre in, its values out."""

from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor

from penchant.tasks._grid_task import GridTask
from penchant.tasks._held_out import HeldOut
from penchant.tasks._points import lattice
from penchant.tasks._volume import Volume
from penchant.tasks._volume_header import VolumeHeader


class VolumeTask(GridTask):
    """Reconstruct one volume from the samples that a pattern lets a network see.

    Scores are those of a picture, with the peak at the volume's own highest value: PSNR and SSIM
    of the voxels seen and of those held out. SSIM's window is a cube of voxels.

    Args:
        volume: the signal.
        held_out: a pattern as `HeldOut.parse` reads it.
        noise: standard deviation of Gaussian noise on what training sees, in units of the
            volume's [0, 1].

    Attributes:
        volume: the signal.

    Raises:
        PenchantError: an unknown pattern, a volume too small for it, or noise outside [0, 1].

    Example:
        >>> import numpy as np
        >>> volume = Volume("grey", np.full((4, 4, 8, 1), 0.5, np.float32))
        >>> task = VolumeTask(volume, held_out="checkerboard")
        >>> task.inputs, task.seen_values(), task.nyquist
        (3, 64, 2.0)
    """

    volume: Volume
    noun = "volume"

    def __init__(
        self, volume: Volume, held_out: str | HeldOut = "none", noise: float = 0.0
    ) -> None:
        self.__dict__["volume"] = volume  # first, since the spacing is part of the fingerprint
        super().__init__(volume.name, volume.values, held_out, noise, volume.notices)
        sides = [n * one for n, one in zip(volume.values.shape, volume.spacing, strict=False)]
        self.__dict__["nyquist"] = max(sides) / (4 * min(volume.spacing))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction: the volume and the pattern are all there is."""
        return VolumeTask, (self.volume, self.held_out, self.noise)

    @property
    def facts(self) -> str:
        """The spacing, which says where voxels are."""
        return f"spacing {self.volume.spacing}"

    @cached_property
    def points(self) -> Float[Tensor, "samples 3"]:
        """Every voxel's coordinates, the last axis first to move."""
        shape = self.values.shape[:3]
        return lattice(shape, spacing=self.volume.spacing).reshape(-1, 3)

    @property
    def header(self) -> VolumeHeader:
        """The volume's size, range, type and place."""
        return VolumeHeader.of(self.volume)
