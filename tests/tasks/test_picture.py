import os
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from penchant.errors import PenchantError
from penchant.tasks import Picture, builtin_picture, find_pictures, load_picture
from penchant.tasks._picture import _area_weights

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (6, 5), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (6, 5, 3), dtype=np.uint8)
ALPHA = RANDOM.integers(0, 256, (6, 5), dtype=np.uint8)
ALPHA[0] = 255
DEEP = RANDOM.integers(0, 65536, (6, 5), dtype=np.uint16)
FLOAT = RANDOM.random((6, 5), dtype=np.float32)


def over_white(colour, alpha):
    share = alpha[..., None] / 255
    return colour / 255 * share + (1 - share)


def save(image, path):
    image.save(path)
    return path


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *chunks, depth=8, kind=0):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def palette_image():
    image = Image.fromarray(GREY % 4)
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30])
    return image


def cmyk_image():
    inks = np.dstack([COLOUR, np.zeros_like(GREY)])  # no black
    return Image.frombytes("CMYK", (5, 6), inks.tobytes())


PALETTE = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]])[GREY % 4] / 255
NOT_OPAQUE = f"{100 * (ALPHA < 255).mean():.3g} % of its pixels are not opaque: laid over white"


MODES = {
    "grey.png": (lambda p: save(Image.fromarray(GREY), p), GREY[..., None] / 255, ()),
    "colour.png": (lambda p: save(Image.fromarray(COLOUR), p), COLOUR / 255, ()),
    "colour.bmp": (lambda p: save(Image.fromarray(COLOUR), p), COLOUR / 255, ()),
    "colour.tif": (lambda p: save(Image.fromarray(COLOUR), p), COLOUR / 255, ()),
    "bits.png": (
        lambda p: save(Image.fromarray(GREY > 127), p),
        (GREY > 127)[..., None].astype(float),
        (),
    ),
    "rgba.png": (
        lambda p: save(Image.fromarray(np.dstack([COLOUR, ALPHA])), p),
        over_white(COLOUR, ALPHA),
        (NOT_OPAQUE,),
    ),
    "opaque.png": (
        lambda p: save(Image.fromarray(np.dstack([COLOUR, np.full_like(ALPHA, 255)])), p),
        COLOUR / 255,
        (),
    ),
    "la.png": (
        lambda p: save(Image.fromarray(np.dstack([GREY, ALPHA])), p),
        over_white(GREY[..., None], ALPHA),
        (NOT_OPAQUE,),
    ),
    "palette.png": (lambda p: save(palette_image(), p), PALETTE, ()),
    "palette.gif": (lambda p: save(palette_image(), p), PALETTE, ()),
    "palette_clear.png": (
        lambda p: palette_image().save(p, transparency=2) or p,
        np.where((GREY % 4 == 2)[..., None], 1.0, PALETTE),
        (f"{100 * (GREY % 4 == 2).mean():.3g} % of its pixels are not opaque: laid over white",),
    ),
    "palette_alphas.png": (
        lambda p: palette_image().save(p, transparency=bytes([255, 51, 0, 255])) or p,
        over_white(PALETTE * 255, np.array([255, 51, 0, 255])[GREY % 4]),
        (
            f"{100 * ((GREY % 4 == 1) | (GREY % 4 == 2)).mean():.3g} % of its pixels are not "
            "opaque: laid over white",
        ),
    ),
    "colour_key.png": (
        lambda p: Image.fromarray(COLOUR).save(p, transparency=tuple(COLOUR[2, 3].tolist())) or p,
        np.where((COLOUR[2, 3] == COLOUR).all(-1, keepdims=True), 1.0, COLOUR / 255),
        ("3.33 % of its pixels are not opaque: laid over white",),
    ),
    "cmyk.tif": (
        lambda p: save(
            Image.frombytes("CMYK", (5, 6), np.dstack([COLOUR, np.zeros_like(GREY)]).tobytes()), p
        ),
        1 - COLOUR / 255,
        ("converted from CMYK to RGB without the file's colour profile",),
    ),
    "deep.png": (lambda p: save(Image.fromarray(DEEP), p), DEEP[..., None] / 65535, ()),
    "deep.tif": (lambda p: save(Image.fromarray(DEEP), p), DEEP[..., None] / 65535, ()),
    "deep_big_endian.tif": (
        lambda p: tifffile.imwrite(p, DEEP, byteorder=">") or p,
        DEEP[..., None] / 65535,
        (),
    ),
    "deep_colour.tif": (
        lambda p: tifffile.imwrite(p, COLOUR.astype(np.uint16) * 257, photometric="rgb") or p,
        COLOUR / 255,
        ("16 bits a channel were read as 8: PIL reads colour no finer",),
    ),
    "whole.tif": (
        lambda p: tifffile.imwrite(p, DEEP.astype(np.int32)) or p,
        DEEP[..., None] / 65535,
        ("32-bit whole numbers were divided by 65535, as if they had 16 bits",),
    ),
    "signed.tif": (
        lambda p: tifffile.imwrite(p, GREY.astype(np.int32) - 300) or p,
        ((GREY.astype(float) - GREY.min()) / np.ptp(GREY))[..., None],
        (
            f"whole numbers from {GREY.min() - 300.0:g} to {GREY.max() - 300.0:g} "
            "were mapped to 0 to 1",
        ),
    ),
    "float.tif": (lambda p: tifffile.imwrite(p, FLOAT) or p, FLOAT[..., None], ()),
    "wide_float.tif": (
        lambda p: tifffile.imwrite(p, GREY.astype(np.float32)) or p,
        ((GREY.astype(float) - GREY.min()) / np.ptp(GREY))[..., None],
        (f"numbers from {GREY.min():g} to {GREY.max():g} were mapped to 0 to 1",),
    ),
}


@pytest.mark.parametrize("name", MODES)
def test_every_mode_becomes_the_numbers_that_its_file_means(name, tmp_path):
    make, expected, notices = MODES[name]
    picture = load_picture(make(tmp_path / name))
    assert picture.values.dtype == np.float32
    assert picture.values.shape == expected.shape
    np.testing.assert_allclose(picture.values, expected, atol=1e-6)
    assert picture.notices == notices
    assert picture.name == Path(name).stem


def test_16_bit_colour_png_is_read_as_8_bits_and_says_so(tmp_path):
    levels = RANDOM.integers(0, 65536, (4, 3, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    path = tmp_path / "deep.png"
    path.write_bytes(png(3, 4, chunk(b"IDAT", zlib.compress(rows)), depth=16, kind=2))
    picture = load_picture(path)
    np.testing.assert_allclose(picture.values, levels / 65535, atol=1.01 / 255)
    assert picture.notices == ("16 bits a channel were read as 8: PIL reads colour no finer",)


def test_16_bit_colour_ppm_is_read_as_8_bits_and_says_so(tmp_path):
    levels = RANDOM.integers(0, 65536, (4, 3, 3)).astype(">u2")
    path = tmp_path / "deep.ppm"
    path.write_bytes(b"P6 3 4 65535\n" + levels.tobytes())
    picture = load_picture(path)
    np.testing.assert_allclose(picture.values, levels / 65535, atol=1.01 / 255)
    assert picture.notices == ("16 bits a channel were read as 8: PIL reads colour no finer",)


def test_16_bit_grey_with_a_colour_key(tmp_path):
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in DEEP)
    key = chunk(b"tRNS", struct.pack(">H", int(DEEP[1, 1])))
    path = tmp_path / "key.png"
    path.write_bytes(png(5, 6, key, chunk(b"IDAT", zlib.compress(rows)), depth=16))
    picture = load_picture(path)
    np.testing.assert_allclose(
        picture.values[..., 0], np.where(DEEP[1, 1] == DEEP, 1, DEEP / 65535), atol=1e-6
    )
    assert "3.33 % of its pixels are not opaque: laid over white" in picture.notices


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_exif_orientation_turns_as_defined(turn, ending, tmp_path):
    # What each orientation means for a stored [[1, 2, 3], [4, 5, 6]], written out by hand.
    upright = {
        1: [[1, 2, 3], [4, 5, 6]],
        2: [[3, 2, 1], [6, 5, 4]],
        3: [[6, 5, 4], [3, 2, 1]],
        4: [[4, 5, 6], [1, 2, 3]],
        5: [[1, 4], [2, 5], [3, 6]],
        6: [[4, 1], [5, 2], [6, 3]],
        7: [[6, 3], [5, 2], [4, 1]],
        8: [[3, 6], [2, 5], [1, 4]],
    }[turn]
    image = Image.fromarray(np.array([[1, 2, 3], [4, 5, 6]], np.uint8) * 40)
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / f"turned.{ending}"
    image.save(path, exif=exif)
    picture = load_picture(path)
    np.testing.assert_array_equal(np.rint(picture.values[..., 0] * 255 / 40), upright)
    assert picture.notices == (
        () if turn == 1 else (f"turned as its EXIF orientation {turn} asks",)
    )


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_jpeg_is_reduced_like_its_upright_twin(turn, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / "turned.jpg"
    Image.fromarray(RANDOM.integers(0, 256, (30, 20, 3), dtype=np.uint8)).save(path, exif=exif)
    with Image.open(path) as image:
        ImageOps.exif_transpose(image).save(tmp_path / "upright.png", exif=b"")
    turned, upright = load_picture(path, 12), load_picture(tmp_path / "upright.png", 12)
    np.testing.assert_allclose(turned.values, upright.values, atol=1e-6)
    assert turned.notices[-1] == upright.notices[-1]


def test_the_first_of_several_frames_is_taken(tmp_path):
    frames = [Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (0, 255)]
    for name in ("two.gif", "two.tif", "two.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        picture = load_picture(tmp_path / name)
        assert picture.values.max() == 0
        assert picture.notices == ("holds several frames: the first was taken",)


def slow_area_average(values, height, width):
    """Repeat every pixel until new borders fall on old ones, then average whole blocks."""
    rows, columns = values.shape[:2]
    fine = values.repeat(height, axis=0).repeat(width, axis=1)
    return fine.reshape(height, rows, width, columns, -1).mean(axis=(1, 3))


@pytest.mark.parametrize(
    ("rows", "columns", "size"),
    [(30, 20, 15), (31, 17, 12), (17, 31, 30), (9, 9, 2), (40, 3, 8), (8, 4, 4)],
)
@pytest.mark.parametrize("strip", [1, 100, 1 << 20])
def test_reduction_is_the_exact_area_average(rows, columns, size, strip, tmp_path, monkeypatch):
    monkeypatch.setattr("penchant.tasks._picture._STRIP_PIXELS", strip)
    levels = np.random.default_rng(1).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    picture = load_picture(save(Image.fromarray(levels), tmp_path / "big.png"), size)
    height, width = picture.values.shape[:2]
    assert max(height, width) == size
    scale = size / max(rows, columns)
    assert (height, width) == (max(2, round(rows * scale)), max(2, round(columns * scale)))
    np.testing.assert_allclose(
        picture.values, slow_area_average(levels / 255, height, width), atol=1e-7
    )
    assert picture.notices == (f"reduced from {columns}×{rows} to {width}×{height} by area",)


@settings(deadline=None, max_examples=50)
@given(source=st.integers(1, 60), data=st.data())
def test_area_weights_share_every_pixel_out_once(source, data):
    target = data.draw(st.integers(1, source))
    weights = _area_weights(source, target).toarray()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights.sum(axis=0), target / source)


def test_transparency_is_laid_over_white_before_averaging(tmp_path):
    levels = np.zeros((4, 4, 4), np.uint8)
    levels[:, ::2, 3] = 255  # black beside clear: half grey
    picture = load_picture(save(Image.fromarray(levels), tmp_path / "half.png"), size=2)
    np.testing.assert_allclose(picture.values, 0.5)


def test_floats_outside_the_range_are_mapped_before_averaging_alike(tmp_path):
    values = np.arange(16, dtype=np.float32).reshape(4, 4) * 10
    tifffile.imwrite(tmp_path / "wide.tif", values)
    picture = load_picture(tmp_path / "wide.tif", size=2)
    np.testing.assert_allclose(picture.values, slow_area_average(values / 150, 2, 2), atol=1e-7)


def test_nothing_is_enlarged(tmp_path):
    path = save(Image.fromarray(COLOUR), tmp_path / "small.png")
    assert load_picture(path, size=100).values.shape == (6, 5, 3)
    assert load_picture(path, size=6).notices == ()


def test_the_smallest_picture(tmp_path):
    path = save(Image.fromarray(GREY[:2, :2].copy()), tmp_path / "tiny.png")
    assert load_picture(path, 2).values.shape == (2, 2, 1)


TEXT_BOMB = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(32 << 20), 9))
PIXEL = chunk(b"IDAT", zlib.compress(b"\0\0\0" * 2))


def truncated(image, ending, compression=None):
    def write(path):
        image.save(path.with_suffix(ending), compression=compression)
        whole = path.with_suffix(ending).read_bytes()
        path.write_bytes(whole[: len(whole) * 2 // 3])

    return write


def nan_tiff(path):
    values = FLOAT.copy()
    values[2, 1] = values[4, 4] = np.nan
    values[5, 0] = np.inf
    tifffile.imwrite(path, values)


NOISE = Image.fromarray(RANDOM.integers(0, 256, (64, 64, 3), dtype=np.uint8))
BAD = {
    "missing": (lambda p: None, "no such file"),
    "folder": (lambda p: p.mkdir(), "a folder, where one file is needed"),
    "pipe": (os.mkfifo, "not a regular file"),
    "empty": (lambda p: p.touch(), "the file is empty"),
    "text": (lambda p: p.write_text("not a picture\n"), "not a picture in any format"),
    "truncated png": (truncated(NOISE, ".png"), "damaged, cut short or unsupported"),
    "truncated jpeg": (truncated(NOISE, ".jpg"), "damaged, cut short or unsupported"),
    "truncated tiff": (truncated(NOISE, ".tif"), "damaged, cut short or unsupported"),
    "truncated packed tiff": (truncated(NOISE, ".tif", "tiff_lzw"), "or one cut short"),
    "truncated bmp": (truncated(NOISE, ".bmp"), "damaged, cut short or unsupported"),
    "truncated webp": (truncated(NOISE, ".webp"), "webp|damaged|not a picture"),
    "header only": (lambda p: p.write_bytes(png(4, 4)[:20]), "damaged, cut short"),
    "no pixels": (lambda p: p.write_bytes(png(4, 4)), "damaged|not a picture"),
    "bomb": (lambda p: p.write_bytes(png(12000, 9000, PIXEL)), "12000×9000 pixels, more than 100"),
    "large bomb": (lambda p: p.write_bytes(png(30000, 30000, PIXEL)), "more than 100 megapixels"),
    "absurd": (lambda p: p.write_bytes(png(2**31 - 1, 2**31 - 1, PIXEL)), "more than 100 mega"),
    "text bomb": (lambda p: p.write_bytes(png(2, 2, TEXT_BOMB, PIXEL)), "damaged|not a picture"),
    "nan": (nan_tiff, "3 of 30 values are not finite, the first at row 2, column 1"),
    "thin": (lambda p: p.write_bytes(png(2, 1, PIXEL)), "2×1 pixels; a picture needs at least 2×2"),
    "float colour": (
        lambda p: tifffile.imwrite(p, np.zeros((4, 4, 3), np.float32), photometric="rgb"),
        "not a picture|unsupported",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_clear_line(name, tmp_path, capfd):
    make, message = BAD[name]
    path = tmp_path / "bad"
    make(path)
    with pytest.raises(PenchantError, match=message) as caught:
        load_picture(path, size=16)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # nor do PIL's C libraries say anything


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)
    (tmp_path / "bomb.png").write_bytes(png(12000, 9000, PIXEL))
    with pytest.raises(PenchantError, match="decompression bomb"):
        load_picture(tmp_path / "bomb.png")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")  # root may read all: so by hand

    path = save(Image.fromarray(GREY), tmp_path / "locked.png")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PenchantError, match=r"locked\.png: cannot be opened \(Permission denied\)"):
        load_picture(path)


def test_a_damaged_exif_block_does_not_stop_a_picture(tmp_path):
    path = tmp_path / "odd.jpg"
    Image.fromarray(COLOUR).save(path, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert load_picture(path).values.shape == (6, 5, 3)


@pytest.mark.parametrize("size", [1, 0, -5])
def test_a_size_without_room(size):
    with pytest.raises(PenchantError, match=f"size={size}: the longer side"):
        builtin_picture(size)


def test_a_folder_means_the_pictures_in_it(tmp_path):
    for name in ("b.png", "a.JPG", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    single = tmp_path / "elsewhere.xyz"
    found = find_pictures([single, tmp_path])
    assert found == [single, tmp_path / "a.JPG", tmp_path / "b.png"]
    with pytest.raises(PenchantError, match="a folder without a picture"):
        find_pictures([tmp_path / "folder.png"])


def test_a_picture_is_read_only_and_pickles_whole():
    picture = builtin_picture(16)
    copy = pickle.loads(pickle.dumps(picture))
    assert (copy.name, copy.notices) == ("astronaut", ("reduced from 512×512 to 16×16 by area",))
    np.testing.assert_array_equal(copy.values, picture.values)
    for one in (picture, copy):
        with pytest.raises(ValueError, match="read-only"):
            one.values[0, 0, 0] = 0


def test_a_picture_does_not_follow_the_array_it_was_made_of():
    values = np.full((2, 2, 1), 0.5, np.float32)
    picture = Picture("grey", values)
    values[:] = 1
    assert picture.values.max() == 0.5


@pytest.mark.parametrize(
    "values", [np.zeros((2, 2, 2)), np.zeros((1, 2, 1)), np.full((2, 2, 1), 1.5)]
)
def test_a_picture_of_other_values_is_refused(values):
    with pytest.raises(PenchantError, match="Picture 'odd': values"):
        Picture("odd", values.astype(np.float32))


@pytest.mark.slow
def test_100_megapixels_stay_within_one_and_a_half_gigabytes(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "huge.png"
    Image.new("RGB", (10000, 10000), (51, 102, 255)).save(path, compress_level=1)
    # Not getrusage, whose peak takes in that of the process which started this one.
    code = (
        "import re, sys; from pathlib import Path; from penchant.tasks import load_picture\n"
        "picture = load_picture(sys.argv[1], 128)\n"
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1]\n"
        "print(picture.values[0, 0].tolist(), peak)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    colour, kilobytes = result.stdout.rsplit(" ", 1)
    assert colour == str(np.float32([0.2, 0.4, 1.0]).tolist())
    assert int(kilobytes) < 1_500_000
