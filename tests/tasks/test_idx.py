import gzip
import struct

import numpy as np
import pytest

from penchant.errors import PenchantError
from penchant.tasks import is_labelled, load_labelled
from penchant.tasks._idx import IDX_FILES

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (20, 3, 4), dtype=np.uint8)
LABELS = (np.arange(20) % 2).astype(np.uint8)
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = IDX_FILES


def idx(array):
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def contents(train=16):
    return {
        TRAIN_IMAGES: idx(IMAGES[:train]),
        TRAIN_LABELS: idx(LABELS[:train]),
        TEST_IMAGES: idx(IMAGES[train:]),
        TEST_LABELS: idx(LABELS[train:]),
    }


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "clothes"
    folder.mkdir()
    for name, content in contents().items():
        (folder / name).write_bytes(gzip.compress(content))
    return folder


def test_what_was_written_is_read(folder):
    assert is_labelled(folder) and is_labelled(str(folder))
    data = load_labelled(folder)
    assert (data.name, data.classes, data.test) == ("clothes", ("0", "1"), 4)
    assert data.inputs.dtype == np.uint8
    np.testing.assert_array_equal(data.inputs, IMAGES[..., None])
    np.testing.assert_array_equal(data.labels, LABELS)


HUGE = struct.pack(">4B3I", 0, 0, 8, 3, 2**31, 2**16, 2**16)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (TRAIN_IMAGES, b"", "is all but empty, where an idx file"),
        (TRAIN_IMAGES, idx(IMAGES)[:9], "begins with 00 00 08 03"),
        (TRAIN_IMAGES, b"\0\0\x09\x03" + idx(IMAGES)[4:], "begins with 00 00 09 03"),
        (
            TRAIN_IMAGES,
            idx(LABELS),
            "where an idx file of bytes with 3 axes begins with 00 00 08 03",
        ),
        (TRAIN_LABELS, idx(IMAGES), "with 1 axes begins with 00 00 08 01"),
        (TRAIN_IMAGES, b"", "is all but empty, where an idx file"),
        (TRAIN_IMAGES, idx(IMAGES)[:-1], "header says 240 bytes, the file holds 239"),
        (TRAIN_IMAGES, idx(IMAGES) + b"x", "the file holds more"),
        (TRAIN_IMAGES, HUGE, "inputs of 9223372036854775808 numbers"),
        (TRAIN_IMAGES, idx(IMAGES[:15]), "15 train images and 16 labels"),
        (TEST_LABELS, idx(LABELS[:3]), "4 t10k images and 3 labels"),
        (TEST_IMAGES, idx(IMAGES[16:, :2]), r"shape \(3, 4\) and t10k images of shape \(2, 4\)"),
        (TRAIN_LABELS, idx(np.zeros(16, np.uint8)), "class '1' has 0 samples"),
    ],
)
def test_a_wrong_content_is_one_line_that_names_the_place(folder, name, content, message):
    (folder / name).write_bytes(gzip.compress(content))
    with pytest.raises(PenchantError, match=message) as caught:
        load_labelled(folder)
    assert "clothes" in str(caught.value) and "\n" not in str(caught.value)


def test_a_damaged_file_is_one_line_that_names_it(folder):
    path = folder / TRAIN_IMAGES
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged in (whole[:-20], whole[:30], whole[:5], b"no gzip", bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(PenchantError, match=f"^{path}: ") as caught:
            load_labelled(folder)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole[:-1] + b"\x55")  # the length that gzip itself notes at the end
    with pytest.raises(PenchantError, match="cannot be read as gzip"):
        load_labelled(folder)


def test_a_small_file_that_unpacks_into_a_huge_one_is_not_unpacked(folder):
    bomb = gzip.compress(idx(IMAGES) + bytes(100_000_000), compresslevel=1)
    (folder / TRAIN_IMAGES).write_bytes(bomb)
    with pytest.raises(PenchantError, match="the file holds more"):
        load_labelled(folder)


def test_a_missing_file_is_named(folder):
    (folder / TEST_LABELS).unlink()
    assert is_labelled(folder)
    with pytest.raises(PenchantError, match=f"{TEST_LABELS}: no such file; the four idx files are"):
        load_labelled(folder)
