"""From a network back to a mesh: marching cubes, in the original's units and place."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import nn

from penchant.errors import PenchantError
from penchant.files import write_whole
from penchant.tasks._header import Decoding, SignalHeader
from penchant.tasks._mesh import FARTHEST, MESH_ENDINGS
from penchant.tasks._points import lattice
from penchant.tasks._signed import unsigned
from penchant.tasks._surface import Surface, surface

SIDE = 128
"""Cells along the cube at scale 1."""

TEXTS = ("obj", "off")
"""Formats that keep numbers as text; all others keep them in single precision."""

Place = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]


class MeshHeader(SignalHeader):
    """A shape in a cube.

    Example:
        >>> header = MeshHeader(name="ball", centre=(5, 0, 0), half=10, vertices=4, faces=4)
        >>> header.raw[1]
        '4 vertices, 4 faces'
    """

    kind: Literal["mesh"] = "mesh"
    inputs: Literal[3] = 3
    outputs: Literal[1] = 1
    centre: tuple[Place, Place, Place]
    half: float = Field(ge=0.1 / FARTHEST, le=10 * FARTHEST)
    vertices: int = Field(ge=4, le=100_000_000)
    faces: int = Field(ge=4, le=100_000_000)

    axes = ("x", "y", "z")
    takes = ("scale",)

    @property
    def raw(self) -> tuple[int, str]:
        """Three numbers of 4 bytes for each vertex and face."""
        size = 12 * (self.vertices + self.faces)
        return size, f"{self.vertices:,} vertices, {self.faces:,} faces"

    def try_render(self, stem: str) -> list[str]:
        """Draw its surface."""
        return ["-o", f"{stem}.ply"]

    def decode(self, answer: nn.Module, wanted: Decoding) -> Surface:
        """Draw the surface on 128³ cells times the scale, along each axis.

        Raises:
            PenchantError: more than 100 million cells, or a network that calls nothing inside.
        """
        self.check(wanted)
        grid = lattice((SIDE,) * 3, scale=wanted.scale)
        if len(grid) < 4:
            raise PenchantError(f"scale={wanted.scale}: {len(grid)} cells along a side are too few")
        answers = self._values(answer, grid.reshape(-1, 3)).reshape(grid.shape[:3])
        vertices, faces = surface(answers)
        if not len(faces):
            raise PenchantError(f"{self.name}: the network calls no point inside, so no surface is")
        return vertices * self.half + np.array(self.centre), faces

    def at(self, answer: nn.Module, point: Sequence[float]) -> Float[np.ndarray, " outputs"]:
        """Return how sure the network is, 0 to 1, that x, y, z in the mesh's units is inside.

        Raises:
            PenchantError: a point outside the cube.
        """
        place = (np.array(point, np.float64) - np.array(self.centre)) / self.half
        if not np.abs(place).max() <= 1:  # so that nan fails too
            borders = ", ".join(f"{c - self.half:.4g} to {c + self.half:.4g}" for c in self.centre)
            raise PenchantError(
                f"at={','.join(f'{number:g}' for number in point)}: the point is outside the "
                f"shape's cube, {borders}"
            )
        answers = torch.from_numpy(self._values(answer, torch.from_numpy(place[None]).float()))
        values: Float[np.ndarray, " outputs"] = unsigned(answers).clamp(0, 1)[0].numpy()
        return values

    def check_file(self, out: Path) -> None:
        """Refuse a name whose ending stands for no format of meshes."""
        if out.suffix.lower() not in MESH_ENDINGS:
            raise PenchantError(
                f"-o {out}: no format of meshes is called {out.suffix or 'so'!r}; take "
                f"{', '.join(MESH_ENDINGS)}"
            )

    def write(self, decoded: Surface, out: Path, wanted: Decoding) -> str:
        """Write the surface."""
        import trimesh

        vertices, faces = decoded
        mesh = trimesh.Trimesh(vertices, faces, process=False)
        kind = out.suffix[1:].lower()
        # In text, digits after the point that are fewer than a small shape's own would flatten it.
        digits: dict[str, Any] = {"digits": max(8, 8 - math.floor(math.log10(self.half)))}
        content: Any = mesh.export(file_type=kind, **(digits if kind in TEXTS else {}))
        write_whole(out, content if isinstance(content, bytes) else content.encode())
        return f"{len(vertices):,} vertices, {len(faces):,} faces{self._lost(vertices, out)}"

    def _lost(self, vertices: Float[np.ndarray, "vertices 3"], out: Path) -> str:
        """Say if a format's digits move vertices by what shows, far from the origin."""
        step = float(np.spacing(np.float32(np.abs(vertices).max())))
        if out.suffix[1:].lower() in TEXTS or step < self.half / SIDE / 10:
            return ""
        return (
            f"; so far from the origin {out.suffix}, which keeps 7 digits, moves vertices by up to "
            f"{step:.2g}: take .obj"
        )
