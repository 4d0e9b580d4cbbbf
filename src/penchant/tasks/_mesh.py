"""Closed triangle meshes from files: surfaces that tell inside from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float64, Int64

from penchant.errors import PenchantError

MESH_ENDINGS = (".obj", ".ply", ".stl", ".off")

MAX_BYTES = 500_000_000

MAX_FACES = 1_000_000

FARTHEST = 1e30
"""How far out a vertex may be, and its inverse how small a shape: files keep single precision."""

THINNEST = 1e-5
"""Share of the cube around it below which a shape is missed by the points that ask about it."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """A closed surface of triangles, whose corners go around counter-clockwise from outside.

    Every edge is passed as often in one direction as in the other, so that each point has a whole
    winding number: how often the surface goes around it.

    Attributes:
        name: the file's name without its ending.
        vertices: in the file's units, read only.
        faces: each one's corners, indices of vertices, read only.
        notices: what was done to the file's faces on the way in, one sentence each.

    Example:
        >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        >>> Mesh("corner", corners, np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])).volume
        0.16666666666666666
    """

    name: str
    vertices: Float64[np.ndarray, "vertices 3"]
    faces: Int64[np.ndarray, "faces 3"]
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Hold the surface to what every reader counts on."""
        vertices, faces = np.array(self.vertices, np.float64), np.array(self.faces, np.int64)
        place = f"Mesh {self.name!r}"
        if vertices.ndim != 2 or faces.ndim != 2 or vertices.shape[1] != 3 or faces.shape[1] != 3:
            raise PenchantError(
                f"{place}: vertices of shape {vertices.shape} and faces of shape {faces.shape}; "
                "n × 3 coordinates and m × 3 indices are needed"
            )
        if not len(faces):
            raise PenchantError(f"{place}: no faces, so there is no surface")
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise PenchantError(f"{place}: a face has corners that are not among the vertices")
        if not np.isfinite(vertices).all():
            raise PenchantError(f"{place}: vertices that are not finite (nan or inf)")
        _check_extent(place, vertices[faces].reshape(-1, 3))
        _check_closed(place, faces)
        for name, array in (("vertices", vertices), ("faces", faces)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        share = abs(self.volume) / np.ptp(vertices[faces], axis=(0, 1)).max() ** 3
        if not share > THINNEST:  # so that nan fails too
            raise PenchantError(
                f"{place}: its surface encloses no volume, or none to speak of: {share:.2g} of the "
                f"cube around it, where {THINNEST:g} is needed for points to meet it"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction, since unpickled arrays would be writable."""
        return Mesh, (self.name, self.vertices, self.faces, self.notices)

    @property
    def volume(self) -> float:
        """What the surface encloses, positive if it looks outward."""
        return float(_volumes(self.vertices, self.faces).sum())


def is_mesh(path: Path) -> bool:
    """Tell a mesh by its ending."""
    return path.suffix.lower() in MESH_ENDINGS


def load_mesh(path: str | Path) -> Mesh:
    """Read a closed mesh from .obj, .ply, .stl or .off.

    Vertices at the same place become one, faces with a corner twice are dropped, and faces that
    look the wrong way are turned.

    Args:
        path: the file.

    Returns:
        The mesh, in the file's own units and place.

    Raises:
        PenchantError: no file, no mesh, more than a million faces, vertices that are not finite,
            or a surface that is not closed.

    Example:
        >>> import tempfile
        >>> text = "v 0 0 0|v 1 0 0|v 0 1 0|v 0 0 1|f 1 3 2|f 1 2 4|f 2 3 4|f 3 1 4"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = (Path(folder) / "corner.obj").write_text(text.replace("|", chr(10)))
        ...     load_mesh(Path(folder) / "corner.obj").faces.shape
        (4, 3)
    """
    path = Path(path)
    vertices, faces = _read(path)
    if not len(faces):
        raise PenchantError(
            f"{path}: no faces were found, so there is no surface; it is damaged, or points alone"
        )
    if len(faces) > MAX_FACES:
        raise PenchantError(
            f"{path}: {len(faces):,} faces, more than {MAX_FACES:,}; simplify it before"
        )
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise PenchantError(f"{path}: damaged: a face has corners that are not in the file")
    bad = int((~np.isfinite(vertices[np.unique(faces)])).any(axis=1).sum())
    if bad:
        raise PenchantError(f"{path}: {bad:,} vertices are not finite (nan or inf)")
    _check_extent(str(path), vertices[faces].reshape(-1, 3))
    # Formats repeat vertices: STL for each face, OBJ where a texture has a seam.
    places, same = np.unique(vertices[faces].reshape(-1, 3), axis=0, return_inverse=True)
    faces = same.reshape(-1, 3)
    notices: list[str] = []
    flat = (faces == np.roll(faces, 1, axis=1)).any(axis=1)
    if flat.any():
        faces = faces[~flat]
        notices.append(f"{int(flat.sum()):,} faces that have a corner twice were dropped")
    if not len(faces):
        raise PenchantError(
            f"{path}: each of its {len(flat):,} faces has a corner twice, so there is no surface"
        )
    faces = _outward(places, faces, notices)
    try:
        return Mesh(path.stem, places, faces, tuple(notices))
    except PenchantError as error:
        raise PenchantError(str(error).replace(f"Mesh {path.stem!r}", str(path), 1)) from error


def _read(path: Path) -> tuple[Float64[np.ndarray, "vertices 3"], Int64[np.ndarray, "faces 3"]]:
    import trimesh

    try:
        if not path.is_file():
            raise PenchantError(f"{path}: no such file")
        size = path.stat().st_size
        if not 0 < size <= MAX_BYTES:
            raise PenchantError(f"{path}: {size:,} bytes; 1 to {MAX_BYTES:,} are read")
        with path.open("rb") as file:
            _check_count(path, file, size)
            # A file alone, without its folder: what it names beside itself stays unread.
            kind = path.suffix[1:].lower()
            found: Any = trimesh.load_mesh(file, file_type=kind, process=False)
        vertices = np.asarray(found.vertices, np.float64).reshape(-1, 3)
        return vertices, np.asarray(found.faces, np.int64).reshape(-1, 3)
    except PenchantError:
        raise
    except (Exception, MemoryError) as error:  # readers raise whatever they stumble over
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise PenchantError(f"{path}: damaged, cut short or no mesh ({reason})") from error


def _check_count(path: Path, file: BinaryIO, size: int) -> None:
    """Refuse a binary STL of too many faces by its header, since all are read at once."""
    start = file.read(84)
    file.seek(0)
    faces = int.from_bytes(start[80:], "little")
    if path.suffix.lower() == ".stl" and size == 84 + 50 * faces and faces > MAX_FACES:
        raise PenchantError(f"{path}: {faces:,} faces, more than {MAX_FACES:,}; simplify it before")


def _check_extent(place: str, corners: Float64[np.ndarray, "corners 3"]) -> None:
    """Refuse numbers whose products no file or formula holds."""
    farthest = np.abs(corners).max()
    if farthest > FARTHEST:
        raise PenchantError(
            f"{place}: a vertex is {farthest:.2g} away from the origin; up to {FARTHEST:g} fits, "
            "so scale it before"
        )
    extent = np.ptp(corners, axis=0).max()
    if not extent:
        raise PenchantError(
            f"{place}: all corners of its faces are in one place; far from the origin a file's "
            "digits do not tell them apart"
        )
    if extent < 1 / FARTHEST:
        raise PenchantError(
            f"{place}: {extent:.2g} long, where shapes from {1 / FARTHEST:g} fit, so scale it "
            "before"
        )


def _outward(
    vertices: Float64[np.ndarray, "vertices 3"],
    faces: Int64[np.ndarray, "faces 3"],
    notices: list[str],
) -> Int64[np.ndarray, "faces 3"]:
    """Turn faces so that neighbours agree and the surface looks outward."""
    odd, unbalanced, _ = _edges(faces)
    if unbalanced and not odd:
        import trimesh

        mesh = trimesh.Trimesh(vertices, faces, process=False)
        trimesh.repair.fix_winding(mesh)  # type: ignore[no-untyped-call]
        mended = np.asarray(mesh.faces, np.int64)
        bodies = _bodies(len(vertices), mended)
        wrong = np.bincount(bodies, weights=_volumes(vertices, mended))[bodies] < 0
        mended[wrong] = mended[wrong, ::-1]
        # What went round the other way begins elsewhere now; only the way round counts.
        turned = int((~_same_way(faces, mended)).sum())
        notices.append(f"{turned:,} of {len(faces):,} faces looked the wrong way and were turned")
        return mended
    if not odd and _volumes(vertices, faces).sum() < 0:
        notices.append("all faces looked inward and were turned")
        faces = np.ascontiguousarray(faces[:, ::-1])
    parts = np.bincount(_bodies(len(vertices), faces), weights=_volumes(vertices, faces))
    if hollows := int((parts < 0).sum()):
        notices.append(f"{hollows:,} of its parts look inward and are taken for hollows")
    return faces


def _same_way(one: Int64[np.ndarray, "faces 3"], other: Int64[np.ndarray, "faces 3"]) -> np.ndarray:
    turns = [(np.roll(one, turn, axis=1) == other).all(axis=1) for turn in range(3)]
    same: np.ndarray = np.any(turns, axis=0)
    return same


def _bodies(vertices: int, faces: Int64[np.ndarray, "faces 3"]) -> np.ndarray:
    """Number the connected parts that faces belong to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.concatenate([faces[:, :2], faces[:, 1:]])
    links = coo_array((np.ones(len(ends)), ends.T), shape=(vertices, vertices))
    parts: np.ndarray = connected_components(links, directed=False)[1]
    return np.asarray(parts[faces[:, 0]])


def _volumes(
    vertices: Float64[np.ndarray, "vertices 3"], faces: Int64[np.ndarray, "faces 3"]
) -> Float64[np.ndarray, " faces"]:
    """Return the signed volumes of the tetrahedra from the middle to each face."""
    a, b, c = np.moveaxis(vertices[faces] - vertices[faces].mean(axis=(0, 1)), 1, 0)
    volumes: Float64[np.ndarray, " faces"] = np.einsum("fi,fi->f", a, np.cross(b, c)) / 6
    return volumes


def _edges(faces: Int64[np.ndarray, "faces 3"]) -> tuple[int, int, int]:
    """Count the edges of an odd number of faces, those passed more often one way, and all."""
    ends = np.concatenate([faces, np.roll(faces, -1, axis=1)]).reshape(2, -1)
    forward = np.where(ends[0] < ends[1], 1, -1)
    key = ends.min(axis=0) * (int(faces.max()) + 1) + ends.max(axis=0)
    _, edge, count = np.unique(key, return_inverse=True, return_counts=True)
    ways = np.bincount(edge, weights=forward)
    return int((count % 2).sum()), int((ways != 0).sum()), len(count)


def _check_closed(place: str, faces: Sequence[Any] | np.ndarray) -> None:
    odd, unbalanced, edges = _edges(np.asarray(faces))
    if odd:
        raise PenchantError(
            f"{place}: not closed: {odd:,} of its {edges:,} edges are open (they belong to one "
            "face, or an odd number), so inside and outside are not told apart; fill its holes "
            "before, as with trimesh.repair.fill_holes, MeshLab's 'Close Holes' or Blender's 'Fill'"
        )
    if unbalanced:
        raise PenchantError(
            f"{place}: the faces at {unbalanced:,} of its {edges:,} edges look opposite ways and "
            "cannot all be turned to agree; recalculate its normals before"
        )
