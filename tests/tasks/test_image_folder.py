import numpy as np
import pytest
from PIL import Image

from penchant.errors import PenchantError
from penchant.tasks import is_labelled, load_labelled, load_picture

RANDOM = np.random.default_rng(0)


def grey(height, width):
    return RANDOM.integers(0, 256, (height, width), dtype=np.uint8)


def colour(height, width):
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


def make(folder, pictures):
    """Write each class's arrays as 0.png, 1.png, ... in a folder of its name."""
    for name, arrays in pictures.items():
        (folder / name).mkdir(parents=True)
        for number, array in enumerate(arrays):
            Image.fromarray(array).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def animals(tmp_path):
    return make(
        tmp_path / "animals",
        {"dog": [grey(8, 8) for _ in range(5)], "cat": [grey(8, 8) for _ in range(6)]},
    )


def slow(values, size):
    """Average the middle square by painting every pixel as size × size smaller ones."""
    height, width, channels = values.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = values[top : top + side, left : left + side].astype(np.float64)
    fine = square.repeat(size, axis=0).repeat(size, axis=1)  # side·size along each side
    return fine.reshape(size, side, size, side, channels).mean(axis=(1, 3))


def test_a_round_trip(animals):
    assert is_labelled(animals) and is_labelled(str(animals))
    data = load_labelled(animals, size=8)
    assert (data.name, data.classes, data.test) == ("animals", ("cat", "dog"), 0)
    assert data.inputs.shape == (11, 8, 8, 1) and data.inputs.dtype == np.float32
    assert data.labels.tolist() == [0] * 6 + [1] * 5
    files = [animals / "cat" / f"{n}.png" for n in range(6)]
    files += [animals / "dog" / f"{n}.png" for n in range(5)]
    for sample, file in zip(data.inputs, files, strict=True):
        np.testing.assert_array_equal(sample, load_picture(file).values)
    assert data.notices == ("11 pictures were brought to 8×8 by averaging areas",)


@pytest.mark.parametrize("size", [2, 5, 7, 8, 11, 32])
def test_the_middle_square_is_averaged_by_area(tmp_path, size):
    arrays = [colour(12, 7), colour(7, 13), colour(8, 8), colour(30, 31), colour(2, 9)]
    folder = make(tmp_path / "data", {"one": arrays, "two": arrays})
    data = load_labelled(folder, size)
    assert data.inputs.shape == (10, size, size, 3)
    for sample, array in zip(data.inputs, arrays, strict=False):
        np.testing.assert_allclose(sample, slow(array / 255, size), atol=1e-6)
    small = sum(min(array.shape[:2]) < size for array in arrays)
    said = " / ".join(data.notices)
    assert "cut to the middle square, since not square: 8 of 10 pictures" in said
    assert (f"smaller than {size}×{size}: {2 * small} of 10 pictures" in said) == (small > 0)


def test_grey_among_colour_becomes_colour(animals):
    Image.fromarray(colour(8, 8)).save(animals / "cat" / "0.png")
    data = load_labelled(animals, size=8)
    assert data.inputs.shape == (11, 8, 8, 3)
    assert (data.inputs[1:] == data.inputs[1:, ..., :1]).all()
    assert "repeated in red, green and blue, since grey: 10 of 11 pictures" in data.notices


def test_the_door_for_pictures_says_what_it_did(animals):
    clear = np.dstack([grey(8, 8), np.zeros((8, 8), np.uint8)])
    Image.fromarray(clear).save(animals / "cat" / "2.png")
    Image.fromarray(clear).save(animals / "dog" / "1.png")
    data = load_labelled(animals, size=8)
    assert (data.inputs[2] == 1).all()
    assert data.notices[-1] == (
        "changed in reading: 2 of 11 pictures, the first cat/2.png (100 % of its pixels are not "
        "opaque: laid over white)"
    )


def test_exif_is_applied(animals):
    array = grey(8, 8)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.fromarray(array).save(animals / "cat" / "0.png", exif=exif)
    data = load_labelled(animals, size=8)
    np.testing.assert_allclose(data.inputs[0, ..., 0], np.rot90(array, -1) / 255, atol=1e-6)


def test_hidden_files_and_other_files_are_passed_over(animals):
    (animals / ".cache").mkdir()
    (animals / "notes.txt").write_text("mine")
    (animals / "cat" / ".thumbnail.png").write_bytes(b"no picture")
    (animals / "cat" / "notes.txt").write_text("mine")
    assert is_labelled(animals)
    assert load_labelled(animals, size=8).inputs.shape == (11, 8, 8, 1)


def test_a_broken_picture_is_one_line_that_names_it(animals):
    path = animals / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(PenchantError, match=f"^{path}: ") as caught:
        load_labelled(animals)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pictures", "size", "message"),
    [
        ({}, 8, "data: 0 subfolders; pictures to classify need at least 2"),
        ({"cat": [grey(8, 8)] * 5}, 8, "data: 1 subfolders"),
        ({"cat": [grey(8, 8)] * 5, "dog": []}, 8, "dog: a folder without a picture"),
        ({"cat": [grey(8, 8)] * 5, "dog": [grey(8, 8)] * 4}, 8, "class 'dog' has 4 samples"),
        ({"cat": [grey(8, 8)] * 5, "dog": [grey(8, 8)] * 5}, 1, "size=1"),
        ({"cat": [grey(8, 8)] * 5, "dog": [grey(8, 8)] * 5}, 10**4, "data: inputs of 3000000000"),
    ],
)
def test_what_cannot_be_classified_is_one_line(tmp_path, pictures, size, message):
    folder = make(tmp_path / "data", pictures)
    folder.mkdir(exist_ok=True)
    with pytest.raises(PenchantError, match=message) as caught:
        load_labelled(folder, size)
    assert "\n" not in str(caught.value)


def test_a_folder_of_pictures_is_no_labelled_data(animals):
    assert not is_labelled(animals / "cat")
    Image.fromarray(grey(8, 8)).save(animals / "beside.png")
    assert not is_labelled(animals)
