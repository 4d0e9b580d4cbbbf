"""The part of space that a scene's cameras look at, as the cube [-1, 1]³ of its networks."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from penchant.errors import PenchantError
from penchant.tasks._posed_pictures import FARTHEST
from penchant.tasks._volume_rendering import camera_rays

PARALLEL = 1e-3
"""Below this, axes are taken for parallel: the point nearest to them is anywhere."""


@dataclass(frozen=True)
class SceneCube:
    """A cube of the scene's own space, with which rays are brought into [-1, 1]³.

    Attributes:
        centre: x, y, z.
        half: half of its side.

    Example:
        >>> SceneCube((0.0, 0.0, 1.0), 2.0).place(np.array([0.0, 0.0, 3.0]))
        array([0., 0., 1.])
    """

    centre: tuple[float, float, float]
    half: float

    @classmethod
    def of(
        cls,
        poses: Float[np.ndarray, "views 4 4"],
        angle: float,
        height: int,
        width: int,
        name: str = "scene",
    ) -> "SceneCube":
        r"""Return the cube that just holds what the farthest camera sees around the centre.

        The centre c is the point nearest to all cameras' axes, with places oᵥ and directions dᵥ

        .. math:: \sum_v (I - d_v d_v^\top)\, c = \sum_v (I - d_v d_v^\top)\, o_v,

        and half a side is the longest distance to it times the tangent of half the longer angle.

        Raises:
            PenchantError: cameras that all look one way, or stand at the centre.
        """
        places, axes = poses[:, :3, 3], -poses[:, :3, 2]
        across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
        matrix = across.mean(axis=0)
        if np.linalg.eigvalsh(matrix)[0] < PARALLEL:
            raise PenchantError(
                f"{name}: the poses all look one way, so what they look at is not known; pictures "
                "from around a scene are needed"
            )
        centre = np.linalg.solve(matrix, np.einsum("vij,vj->i", across, places) / len(poses))
        distance = float(np.linalg.norm(places - centre, axis=1).max())
        half = distance * math.tan(angle / 2) * max(1.0, height / width)
        if not (1e-6 < half <= FARTHEST >= np.abs(centre).max()):  # so that nan fails too
            raise PenchantError(
                f"{name}: the cameras are at most {distance:g} away from what they look at, and "
                f"their pictures span {angle:g} radians, which makes a cube of half a side "
                f"{half:.2g} around ({', '.join(f'{one:.2g}' for one in centre)}); 1e-06 to "
                f"{FARTHEST:g} fits"
            )
        x, y, z = centre.tolist()
        return cls((x, y, z), half)

    def place(self, points: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any 3"]:
        """Bring points of the scene into the cube's units."""
        placed: Float[np.ndarray, "*any 3"] = (points - np.array(self.centre)) / self.half
        return placed

    def rays(
        self, pose: Float[np.ndarray, "4 4"], height: int, width: int, angle: float
    ) -> Float[Tensor, "pixels 6"]:
        """Return a camera's rays in the cube's units, in float32, row by row."""
        moved = np.array(pose)
        moved[:3, 3] = self.place(moved[:3, 3])
        return camera_rays(torch.from_numpy(moved), height, width, angle).float()
