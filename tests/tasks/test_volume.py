"""Volumes: what files say of them comes in, and goes back out."""

import gzip
import math
import os
import pickle
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from penchant.errors import PenchantError
from penchant.tasks import (
    Decoding,
    Placed,
    Volume,
    VolumeHeader,
    VolumeTask,
    kind_of,
    lattice,
    load_volume,
    psnr,
    read_header,
)
from penchant.tasks._volume_files import is_volume

DRAWS = np.random.default_rng(0)
SLANTED = np.array([[0, 0, 2.5, -90], [0, -1.5, 0.25, 7], [3, 0, 0, 11.5], [0, 0, 0, 1]])


class Memory(nn.Module):
    """Answers each voxel's centre with its value, whatever the order of points."""

    def __init__(self, task: VolumeTask) -> None:
        super().__init__()
        self.places = {tuple(p): i for i, p in enumerate(task.points.tolist())}
        self.values = torch.from_numpy(task.values.reshape(-1, task.outputs) * 2 - 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.values[[self.places[tuple(point)] for point in inputs.tolist()]]


def numbers(kind: str, shape: tuple[int, ...] = (4, 5, 6)) -> np.ndarray:
    if kind == "bool":
        return DRAWS.random(shape) > 0.5
    if np.dtype(kind).kind == "f":
        return (DRAWS.random(shape) * 5 - 2).astype(kind)
    return DRAWS.integers(0, 100, shape).astype(kind)


def there_and_back(path: Path, out: Path) -> VolumeTask:
    task = VolumeTask(load_volume(path))
    header = read_header(task.header.model_dump(mode="json"))
    header.check_file(out)
    header.write(header.decode(Memory(task), Decoding()), out, Decoding())
    return task


@pytest.mark.parametrize(
    "kind", ["bool", "uint8", "int16", "int32", "uint64", "float16", "float64"]
)
def test_an_array_comes_back_in_its_own_type(tmp_path: Path, kind: str) -> None:
    given = numbers(kind)
    np.save(tmp_path / "a.npy", given)
    there_and_back(tmp_path / "a.npy", tmp_path / "b.npy")
    back = np.load(tmp_path / "b.npy")
    assert back.dtype == given.dtype
    np.testing.assert_allclose(back.astype(float), given.astype(float), atol=1e-3)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", ["uint8", "int16", "float32"])
@pytest.mark.parametrize("shape", [(4, 5, 6), (4, 5, 6, 2)])
def test_nifti_comes_back_with_place_type_and_units(
    tmp_path: Path, kind: str, ending: str, shape: tuple[int, ...]
) -> None:
    given = nibabel.Nifti1Image(numbers(kind, shape), SLANTED)
    given.header.set_xyzt_units("micron")
    given.set_sform(SLANTED, 4)
    given.set_qform(SLANTED, 1)
    nibabel.save(given, tmp_path / f"a{ending}")
    task = there_and_back(tmp_path / f"a{ending}", tmp_path / f"b{ending}")
    assert task.name == "a"
    back = nibabel.load(tmp_path / f"b{ending}")
    np.testing.assert_allclose(back.affine, SLANTED, atol=1e-5)
    np.testing.assert_allclose(back.get_fdata(), given.get_fdata(), atol=1e-5)
    assert back.header.get_xyzt_units()[0] == "micron"
    assert back.header.get_data_dtype() == np.dtype(kind)
    assert [int(back.header[f"{form}_code"]) for form in ("qform", "sform")] == [1, 4]
    np.testing.assert_allclose(
        back.header.get_zooms()[:3], np.linalg.norm(SLANTED[:3, :3], axis=0), rtol=1e-6
    )


def test_nifti_comes_back_with_its_scaling(tmp_path: Path) -> None:
    given = nibabel.Nifti1Image(numbers("int16"), np.eye(4))
    given.header.set_slope_inter(-0.25, 3)
    nibabel.save(given, tmp_path / "a.nii")
    task = there_and_back(tmp_path / "a.nii", tmp_path / "b.nii")
    back = nibabel.load(tmp_path / "b.nii")
    assert (back.dataobj.slope, back.dataobj.inter) == (-0.25, 3)
    np.testing.assert_allclose(back.get_fdata(), nibabel.load(tmp_path / "a.nii").get_fdata())
    whole = nibabel.load(tmp_path / "a.nii").get_fdata()
    assert {task.volume.low, task.volume.high} == {whole.min(), whole.max()}


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "int32"])
@pytest.mark.parametrize("shape", [(4, 5, 6), (4, 5, 6, 3), (4, 5, 6, 2)])
def test_a_stack_of_pages_comes_back(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    given = numbers(kind, shape)
    if shape[3:] == (2,):
        stack = {"data": np.moveaxis(given, 3, 1), "metadata": {"axes": "ZCYX"}}
    else:
        stack = {"data": given, "photometric": "rgb" if shape[3:] else "minisblack"}
    tifffile.imwrite(tmp_path / "a.tif", **stack)
    task = there_and_back(tmp_path / "a.tif", tmp_path / "b.tif")
    assert task.values.shape == (*shape[:3], *(shape[3:] or (1,)))
    back = load_volume(tmp_path / "b.tif")
    assert back.dtype == kind
    np.testing.assert_allclose(back.values, task.values, atol=1e-6)


def test_imagej_stacks_keep_their_spacing(tmp_path: Path) -> None:
    facts = {"axes": "ZYX", "spacing": 2.5, "unit": "micron"}
    stack = numbers("uint16")
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(4, 2), metadata=facts)
    task = there_and_back(tmp_path / "a.tif", tmp_path / "b.tif")
    assert task.volume.placed.units == "micron"
    assert task.volume.spacing == (2.5, 0.5, 0.25)
    assert load_volume(tmp_path / "b.tif").spacing == (2.5, 0.5, 0.25)


def test_a_tiff_of_one_page_stays_a_picture(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "page.tif", numbers("uint8", (5, 6)))
    tifffile.imwrite(tmp_path / "colour.tif", numbers("uint8", (5, 6, 3)), photometric="rgb")
    tifffile.imwrite(tmp_path / "stack.tif", numbers("uint8"), photometric="minisblack")
    kinds = [kind_of(tmp_path / f"{name}.tif").name for name in ("page", "colour", "stack")]
    assert kinds == ["picture", "picture", "volume"]
    (tmp_path / "broken.tif").write_bytes(b"II*\0 and no more")
    assert not is_volume(tmp_path / "broken.tif")


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(*[st.integers(2, 9)] * 3),
    size=st.integers(2, 8),
    channels=st.sampled_from([1, 2]),
)
def test_reduction_is_the_average_of_boxes(
    tmp_path_factory: pytest.TempPathFactory, shape, size, channels
) -> None:
    path = tmp_path_factory.getbasetemp() / "box.npy"
    given = DRAWS.random((*shape, channels))
    np.save(path, given)
    volume = load_volume(path, size)
    kept = volume.values.shape[:3]
    # Every voxel cut into as many parts as there are new voxels along the axis.
    fine = given
    for axis, new in enumerate(kept):
        fine = fine.repeat(new, axis=axis)
        sides = [*fine.shape[:axis], new, shape[axis], *fine.shape[axis + 1 :]]
        fine = fine.reshape(sides).mean(axis=axis + 1)
    expected = (fine - given.min()) / (given.max() - given.min())
    np.testing.assert_allclose(volume.values, expected, atol=1e-6)
    reduced = [n * one for n, one in zip(kept, volume.spacing, strict=True)]
    assert reduced == pytest.approx(shape)


@pytest.mark.parametrize("size", [None, 3])
def test_place_follows_reduction_region_and_scale(tmp_path: Path, size: int | None) -> None:
    # A volume whose values are the world's coordinates tells where a voxel is.
    index = np.stack(np.meshgrid(*map(np.arange, (6, 6, 6)), indexing="ij"), axis=-1)
    world = index @ SLANTED[:3, :3].T + SLANTED[:3, 3]
    nibabel.save(nibabel.Nifti1Image(world, SLANTED), tmp_path / "a.nii")
    volume = load_volume(tmp_path / "a.nii", size)
    values = volume.low + volume.values * (volume.high - volume.low)
    n = len(values)
    index = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1)
    affine = volume.placed.affine
    assert affine is not None
    np.testing.assert_allclose(values, index @ affine[:3, :3].T + affine[:3, 3], atol=1e-4)

    header, wanted = VolumeTask(volume).header, Decoding(2, (1, 0, 1.5, n - 1, 2, 2.5))
    grid = lattice((n, n, n), spacing=volume.spacing)
    flat = np.concatenate([grid.numpy().reshape(-1, 3), np.ones((n**3, 1))], axis=1)
    back = np.linalg.lstsq(flat, values.reshape(-1, 3), rcond=None)[0]
    exact = nn.Linear(3, 3)  # answers the world's coordinates anywhere
    span = volume.high - volume.low
    with torch.no_grad():
        exact.weight.copy_(torch.from_numpy(back[:3].T * 2 / span))
        exact.bias.copy_(torch.from_numpy((back[3] - volume.low) * 2 / span - 1))
    decoded = header.decode(exact, wanted)
    header.write(decoded, tmp_path / "part.nii", wanted)
    part = nibabel.load(tmp_path / "part.nii")
    assert part.shape == (2 * (n - 2), 4, 2, 3)
    index = np.stack(np.meshgrid(*map(np.arange, part.shape[:3]), indexing="ij"), axis=-1)
    np.testing.assert_allclose(
        part.get_fdata(), index @ part.affine[:3, :3].T + part.affine[:3, 3], atol=1e-3
    )
    np.testing.assert_allclose(
        header.at(exact, (1.5, 0.5, 2)), affine[:3] @ (1, 0, 1.5, 1), atol=1e-4
    )


def volume(shape: tuple[int, ...] = (6, 8, 7, 1)) -> Volume:
    placed = Placed(spacing=(1.0, 1.0, 3.0), units="mm")
    return Volume("noise", DRAWS.random(shape, dtype=np.float32), placed=placed)


def test_scores_are_psnr_and_ssim_of_the_parts() -> None:
    task = VolumeTask(volume(), "random:0.5")
    split = pickle.loads(pickle.dumps(task)).split(0)
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    drawn, held_out = split.reconstruct(network), task.held_out.mask((6, 8, 7), 0)
    from skimage.metrics import structural_similarity

    _, similarity = structural_similarity(
        drawn[..., 0].astype(float), task.values[..., 0].astype(float),
        win_size=5, data_range=1.0, full=True,
    )  # fmt: skip
    expected = {
        "psnr_seen": psnr(drawn[~held_out], task.values[~held_out]),
        "psnr_held_out": psnr(drawn[held_out], task.values[held_out]),
        "ssim_seen": similarity[~held_out].mean(),
        "ssim_held_out": similarity[held_out].mean(),
    }
    assert split.score(network).metrics == pytest.approx(expected)
    assert set(split.score(network, final=False).metrics) == {"psnr_seen", "psnr_held_out"}
    assert split.score(Memory(task)).metrics["ssim_held_out"] == pytest.approx(1)


def test_spacing_shapes_coordinates_and_the_fingerprint() -> None:
    one = volume()
    task = VolumeTask(one)
    assert task.points.abs().amax(dim=0).tolist() == pytest.approx([5 / 21, 7 / 21, 18 / 21])
    assert task.nyquist == 21 / 4  # the finest axis has 1 voxel a unit of length
    same = VolumeTask(Volume("noise", one.values))
    assert same.fingerprint != task.fingerprint
    assert pickle.loads(pickle.dumps(task)).fingerprint == task.fingerprint


def save(path: Path, array: object) -> None:
    np.save(path, array, allow_pickle=True)


class Trap:
    """What must never be unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return pytest.fail, ("a file's object was made",)


def nifti(path: Path, **fields: float) -> None:
    """Write a good file but for some fields of its header."""
    image = nibabel.Nifti1Image(numbers("float32", (4, 5, 6)), np.diag([1.0, 2, 3, 1]))
    content = bytearray(image.to_bytes())
    header = nibabel.Nifti1Header(bytes(content[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    content[:348] = header.binaryblock
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def huge_array(path: Path, shape: tuple[int, ...] = (3000, 3000, 3000)) -> None:
    with path.open("wb") as file:
        kind = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, kind)


def huge_nifti(path: Path, *, packed: bool = True) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape((3000, 3000, 3000))
    header["magic"], header["vox_offset"] = b"n+1", 352
    content = header.binaryblock + bytes(4)
    path.write_bytes(gzip.compress(content) if packed else content)


def bomb(path: Path) -> None:
    """100 kB of zeros that unpack to 100 MB, and a header that claims 4 GB."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape((1000, 1000, 1000))
    header["magic"], header["vox_offset"] = b"n+1", 352
    with gzip.open(path, "wb") as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(100):
            file.write(bytes(10**6))


def cut(path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(numbers("float32", (20, 20, 20)), np.eye(4)), path)
    path.write_bytes(path.read_bytes()[:20_000])


BAD = {
    "missing.npy": (lambda path: None, "no such file"),
    "empty.npy": (lambda path: path.write_bytes(b""), "the file is empty"),
    "text.npy": (lambda path: path.write_text("hello"), "damaged, cut short or no volume"),
    "nan.npy": (lambda p: save(p, np.full((3, 3, 3), math.nan)), r"27 voxels or more are not fin"),
    "inf.npy": (lambda p: save(p, np.full((3, 3, 3), math.inf)), "not finite"),
    "flat.npy": (lambda p: save(p, np.full((3, 3, 3), 5)), "every voxel is 5, so there is nothing"),
    "complex.npy": (lambda p: save(p, np.ones((3, 3, 3), complex)), "numbers of type complex128"),
    "object.npy": (lambda p: save(p, np.full((2, 2, 2), Trap())), "numbers of type object"),
    "beyond.npy": (lambda p: huge_array(p, (10**10,) * 3), "which a file of 128 bytes cannot hold"),
    "negative.npy": (lambda p: huge_array(p, (-4, 4, -4)), "-4×4×-4 voxels"),
    "version.npy": (lambda p: p.write_bytes(b"\x93NUMPY\x09\x09" + bytes(99)), "version"),
    "span.npy": (lambda p: save(p, np.full((3, 3, 3), [-1.7e308, 0, 1.7e308])), "range"),
    "pipe.npy": (os.mkfifo, "no such file"),
    "affine.nii": (lambda p: nifti(p, srow_y=0), "all of them in one plane"),
    "nan.nii": (lambda p: nifti(p, srow_y=math.nan), "its affine holds what is not finite"),
    "far.nii": (lambda p: nifti(p, srow_y=3e38), "or beyond 1e"),
    "spacing.nii": (lambda p: nifti(p, pixdim=math.nan), "its spacing is nan, nan, nan"),
    "slope.nii": (lambda p: nifti(p, scl_slope=1e38), "1e.38 times the stored ones"),
    "offset.nii.gz": (lambda p: nifti(p, vox_offset=3e9), "claims|once unpacked"),
    "text2.npy": (lambda p: save(p, np.full((3, 3, 3), "a")), "numbers of type <U1"),
    "picture.npy": (lambda p: save(p, np.ones((3, 4))), "3×4 numbers, which are a picture"),
    "line.npy": (lambda p: save(p, np.ones(9)), "a volume has 3 axes"),
    "five.npy": (lambda p: save(p, np.ones((2, 2, 2, 2, 2))), "a volume has 3 axes"),
    "thin.npy": (lambda p: save(p, np.ones((3, 1, 4))), "3×1×4 voxels; each axis"),
    "wide.npy": (lambda p: save(p, np.ones((3, 3, 3, 65))), "65 numbers a voxel"),
    "huge.npy": (huge_array, r"claims 3000×3000×3000 numbers"),
    "huge.nii.gz": (huge_nifti, r"claims 3000×3000×3000 numbers, 108,000,000,352 bytes"),
    "huge.nii": (lambda p: huge_nifti(p, packed=False), "of 352 bytes cannot hold"),
    "bomb.nii.gz": (bomb, "which a file of|more than 1,000,000,000"),
    "cut.nii": (cut, "cannot hold"),
    "cut.nii.gz": (cut, "damaged, cut short"),
    "text.nii": (lambda path: path.write_text("hello" * 100), "damaged, cut short or no volume"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    make, message = BAD[name]
    make(tmp_path / name)
    with pytest.raises(PenchantError, match=message) as raised:
        load_volume(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_more_than_can_be_kept_is_said_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.npy"
    huge_array(path)
    os.truncate(path, path.stat().st_size + 4 * 3000**3)  # sparse: takes no room on disk
    with pytest.raises(PenchantError, match=r"3000×3000×3000 voxels of 1 channels, more than 20"):
        load_volume(path)


WORDS = VolumeTask(volume()).header.model_dump(mode="json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sides": [2, 2, 10**9]}, "sides.2=1000000000"),
        ({"outputs": 10**6}, "outputs=1000000"),
        ({"spacing": [1, 1, 0]}, "spacing.2=0"),
        ({"spacing": [1, 1, math.nan]}, "spacing.2=nan"),
        ({"affine": [[1, 2, 3, 4]]}, "affine"),
        ({"dtype": "object"}, "dtype='object' is no type"),
        ({"slope": 0.0}, "slope=0"),
        ({"low": 1.0}, "low and high"),
        ({"units": "m" * 41}, "units"),
        ({"codes": [-1, 0]}, "codes.0=-1"),
        ({"codes": [99, 0]}, "codes.0=99"),
        ({"affine": [[0, 0, 0, 0]] * 4}, "all of them in one plane"),
        ({"affine": [[1e300] * 4] * 4}, "beyond 1e"),
        ({"spacing": [1e-300, 1, 1]}, "its spacing is 1e-300"),
        ({"slope": 1e-320}, "beyond NIfTI"),
        ({"intercept": 1e308}, "beyond NIfTI"),
        ({"low": -1.7e308, "high": 1.7e308}, "too far apart"),
    ],
)
def test_a_header_from_outside_is_checked(change: dict[str, object], message: str) -> None:
    with pytest.raises(PenchantError, match=message):
        read_header({**WORDS, **change})


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Decoding(region=(0, 0, 0, 1)), "6 numbers are needed"),
        (Decoding(region=(0, 0, 0, 1, 1, 9)), "region=0 to 9"),
        (Decoding(scale=-1), "scale=-1"),
        (Decoding(scale=200), "more than 100 million"),
        (Decoding(scale=1.7e308), "more than 100 million"),
        (Decoding(view=1), "view=1"),
    ],
)
def test_parts_that_are_not_there(wanted: Decoding, message: str) -> None:
    with pytest.raises(PenchantError, match=message):
        read_header(WORDS).decode(nn.Linear(3, 1), wanted)


def test_points_outside_and_unknown_formats() -> None:
    header = read_header(WORDS)
    assert isinstance(header, VolumeHeader)
    for point in ((0, 0, 8), (-1, 0, 0), (math.nan, 0, 0)):
        with pytest.raises(PenchantError, match="outside the volume's 6×8×7 voxels"):
            header.at(nn.Linear(3, 1), point)
    with pytest.raises(PenchantError, match=r"is called '\.png'"):
        header.check_file(Path("a.png"))
