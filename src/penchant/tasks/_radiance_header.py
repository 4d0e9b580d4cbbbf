"""From a network back to a scene's views: one of them as a picture, or a turn around the scene."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, field_validator, model_validator
from torch import nn

from penchant.errors import PenchantError
from penchant.files import write_whole
from penchant.tasks._header import Decoding, SignalHeader
from penchant.tasks._picture import MAX_PIXELS
from penchant.tasks._picture_header import PictureHeader
from penchant.tasks._posed_pictures import FARTHEST, MAX_VIEWS, check_rigid
from penchant.tasks._ray_renderer import RayRenderer
from penchant.tasks._scene_cube import SceneCube

TURN = 36
"""Pictures of a turn around the scene."""

MILLISECONDS = 80
"""That each of them stays."""

LOOKS = 16
"""Looks at where the scene has something, before it is drawn.

On lego 4 lose half a decibel of a view, since thin parts are missed, 8 a tenth and 16 nothing."""

_ANIMATED = (".gif", ".webp")

_Place = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]
_Row = tuple[_Place, _Place, _Place, _Place]


class RadianceHeader(SignalHeader):
    """A scene in a cube, with the cameras that it was seen by.

    Decoded with `view`, it is that view's picture; without, a turn around the scene at the height
    and distance of view 0, which goes into a file that moves (.gif or .webp).

    Example:
        >>> pose = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 4.0))
        >>> header = RadianceHeader(
        ...     name="white", outputs=4, height=4, width=6, angle=0.7, centre=(0, 0, 0), half=1,
        ...     degree=0, samples=8, poses=(pose,)
        ... )
        >>> answer = header.answer(nn.Linear(3, 4), None, None)
        >>> header.decode(answer, Decoding(scale=2, view=0)).shape
        (8, 12, 3)
    """

    kind: Literal["radiance"] = "radiance"
    inputs: Literal[3] = 3
    outputs: int = Field(ge=4, le=28)
    height: int = Field(ge=2, le=MAX_PIXELS)
    width: int = Field(ge=2, le=MAX_PIXELS)
    angle: float = Field(gt=0, lt=math.pi)
    centre: tuple[_Place, _Place, _Place]
    half: float = Field(gt=0, le=FARTHEST)
    degree: int = Field(ge=0, le=2)
    samples: int = Field(ge=1, le=4096)
    poses: tuple[tuple[_Row, _Row, _Row], ...] = Field(min_length=1, max_length=MAX_VIEWS)
    """Each camera's rotation and place, three rows of four."""

    axes = ("x", "y", "z")
    takes = ("scale", "view")

    @property
    def raw(self) -> tuple[int, str]:
        """The pictures' bytes."""
        size = f"{self.width}×{self.height} in 8 bits"
        return len(self.poses) * self.height * self.width * 3, f"{len(self.poses)} views, {size}"

    def try_render(self, stem: str) -> list[str]:
        """Turn around the scene."""
        return ["-o", f"{stem}-turn.gif"]

    @field_validator("poses", mode="after")
    @classmethod
    def _rigid(
        cls, poses: tuple[tuple[_Row, _Row, _Row], ...]
    ) -> tuple[tuple[_Row, _Row, _Row], ...]:
        for view, pose in enumerate(poses):
            try:
                check_rigid(f"the pose of view {view}", np.array([*pose, (0, 0, 0, 1)]))
            except PenchantError as error:
                raise ValueError(str(error)) from error
        return poses

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.outputs != RayRenderer.outputs(self.degree):
            raise ValueError(f"degree={self.degree} does not fit outputs={self.outputs}")
        return self

    def answer(
        self,
        network: nn.Module,
        divergence: str | None,
        link: Literal["identity", "sigmoid", "softmax"] | None,
    ) -> nn.Module:
        """Return what a camera sees of the network: rays in, colours out."""
        if isinstance(network, RayRenderer):
            return network
        renderer = RayRenderer(network, degree=self.degree, samples=self.samples)
        renderer.look(LOOKS)
        return renderer

    def decode(
        self, answer: nn.Module, wanted: Decoding
    ) -> Float[np.ndarray, "*pictures rows columns 3"]:
        """Draw a view, or pictures of a turn around the scene.

        Raises:
            PenchantError: a view that is not there, or more than 100 megapixels.
        """
        self.check(wanted)
        if not (math.isfinite(wanted.scale) and wanted.scale > 0):
            raise PenchantError(f"scale={wanted.scale}: new pixels a pixel, above 0, is needed")
        if wanted.view is not None and not 0 <= wanted.view < len(self.poses):
            raise PenchantError(
                f"view={wanted.view}: {self.name} was seen by {len(self.poses)} cameras, "
                f"0 to {len(self.poses) - 1}"
            )
        poses = self.turn() if wanted.view is None else self._poses()[wanted.view : wanted.view + 1]
        rows, columns = (
            max(2, round(min(side * wanted.scale, 1e12))) for side in (self.height, self.width)
        )
        if len(poses) * rows * columns > MAX_PIXELS:
            raise PenchantError(
                f"scale={wanted.scale:g}: {len(poses)} × {self.width}×{self.height} pixels times "
                f"{wanted.scale:g} along each side, more than {MAX_PIXELS // 10**6} megapixels; "
                "take a smaller scale"
            )
        drawn = np.empty((len(poses), rows, columns, 3), np.float32)
        cube = SceneCube(self.centre, self.half)
        for picture, pose in zip(drawn, poses, strict=True):
            colours = torch.from_numpy(
                self._values(answer, cube.rays(pose, rows, columns, self.angle))
            )
            picture[:] = ((colours.clamp(-1, 1) + 1) / 2).reshape(rows, columns, 3).numpy()
        return drawn if wanted.view is None else drawn[0]

    def turn(self, pictures: int = TURN) -> Float[np.ndarray, "pictures 4 4"]:
        """Return view 0's pose turned around the scene's centre, about where cameras have up."""
        first, up = self._poses()[0], self._poses()[:, :3, 1].mean(axis=0)
        length = float(np.linalg.norm(up))
        x, y, z = up / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        turned = np.tile(np.eye(4), (pictures, 1, 1))
        for pose, part in zip(turned, range(pictures), strict=True):
            turn = 2 * math.pi * part / pictures
            # Rodrigues' formula
            rotation = np.eye(3) + math.sin(turn) * cross + (1 - math.cos(turn)) * cross @ cross
            pose[:3, :3] = rotation @ first[:3, :3]
            pose[:3, 3] = self.centre + rotation @ (first[:3, 3] - self.centre)
        return turned

    def at(self, answer: nn.Module, point: Sequence[float]) -> Float[np.ndarray, " 4"]:
        """Return the density (per unit of the scene) at x, y, z, and the colour there.

        The colour is what depends on no direction of it.

        Raises:
            PenchantError: a point outside the scene's cube.
        """
        place = SceneCube(self.centre, self.half).place(np.array(point, np.float64))
        if not np.abs(place).max() <= 1:  # so that nan fails too
            borders = ", ".join(f"{c - self.half:.4g} to {c + self.half:.4g}" for c in self.centre)
            raise PenchantError(
                f"at={','.join(f'{number:g}' for number in point)}: the point is outside the "
                f"scene's cube, {borders}"
            )
        assert isinstance(answer, RayRenderer)
        with torch.no_grad():
            density, colour = answer.undirected(torch.from_numpy(place[None]).float())
        values: Float[np.ndarray, " 4"]
        values = torch.cat((density[:, None] / self.half, colour), dim=1)[0].numpy()
        return values

    def check_file(self, out: Path) -> None:
        """Refuse a name whose ending stands for no format of pictures."""
        PictureHeader(name=self.name, outputs=3, height=2, width=2).check_file(out)

    def write(
        self, decoded: Float[np.ndarray, "*pictures rows columns 3"], out: Path, wanted: Decoding
    ) -> str:
        """Write a picture, or one that moves."""
        if decoded.ndim == 3:
            rows, columns = decoded.shape[:2]
            header = PictureHeader(name=self.name, outputs=3, height=rows, width=columns)
            return header.write(decoded, out, wanted)
        if out.suffix.lower() not in _ANIMATED:
            raise PenchantError(
                f"-o {out}: without a view it is a turn around the scene, which goes into "
                f"{' or '.join(_ANIMATED)}; take one view, 0 to {len(self.poses) - 1}"
            )
        from PIL import Image

        images = [Image.fromarray(np.rint(picture * 255).astype(np.uint8)) for picture in decoded]
        encoded = io.BytesIO()
        images[0].save(
            encoded,
            format=out.suffix[1:].upper(),
            save_all=True,
            append_images=images[1:],
            duration=MILLISECONDS,
            loop=0,
        )
        write_whole(out, encoded.getvalue())
        return f"{len(images)} pictures of {decoded.shape[2]}×{decoded.shape[1]} pixels"

    def _poses(self) -> Float[np.ndarray, "views 4 4"]:
        last = ((0.0, 0.0, 0.0, 1.0),)
        return np.array([(*pose, *last) for pose in self.poses])
