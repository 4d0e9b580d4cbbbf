import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from penchant.errors import PenchantError
from penchant.tasks import DATA_SETS, Labelled, builtin_picture, is_labelled, load_labelled

INPUTS = np.random.default_rng(0).normal(size=(12, 3))
LABELS = np.repeat([0, 1], 6)


def member(array, **claims):
    """An array as .npy content, its header changed to claim something else."""
    file = io.BytesIO()
    header = np.lib.format.header_data_from_array_1_0(array) | claims
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + array.tobytes()


def archive(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def test_digits_are_bytes_in_ten_classes():
    data = load_labelled("digits")
    assert data.inputs.dtype == np.uint8 and data.inputs.max() == 16
    assert data.classes == tuple("0123456789")
    assert np.bincount(data.labels).min() == 174


def test_breast_cancer_is_vectors_in_two_classes():
    data = load_labelled("breast-cancer")
    assert data.inputs.shape == (569, 30) and data.inputs.dtype == np.float32
    assert data.classes == ("malignant", "benign")
    assert np.bincount(data.labels).tolist() == [212, 357]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_of_arrays(tmp_path, save):
    path = tmp_path / "mine.npz"
    save(path, inputs=INPUTS, labels=LABELS, classes=np.array(["no", "yes"]), other=np.ones(3))
    assert is_labelled(path)
    data = load_labelled(path)
    assert (data.name, data.classes) == ("mine", ("no", "yes"))
    np.testing.assert_array_equal(data.inputs, INPUTS.astype(np.float32))
    np.testing.assert_array_equal(data.labels, LABELS)
    save(path, inputs=np.asfortranarray(INPUTS), labels=LABELS.astype(np.uint8))
    data = load_labelled(str(path))
    np.testing.assert_array_equal(data.inputs, INPUTS.astype(np.float32))
    assert data.classes == ("0", "1")


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "holds nothing; labelled data needs the arrays inputs and labels"),
        ({"labels": member(LABELS), "x": b""}, "holds labels, x; labelled"),
        ({"inputs": member(INPUTS), "labels": member(LABELS[:5])}, r"labels of shape \(5,\)"),
        ({"inputs": b"nothing", "labels": member(LABELS)}, "cannot be read as a .npz file"),
        ({"inputs": b"", "labels": member(LABELS)}, "cannot be read as a .npz file"),
        (
            {"inputs": member(INPUTS, shape=(12, 10**6)), "labels": member(LABELS)},
            r"inputs of shape \(12, 1000000\) needs 96000000 bytes, and the file holds 288",
        ),
        (
            {"inputs": member(INPUTS, shape=(10**12, 10**12)), "labels": member(LABELS)},
            "inputs of 1000000000000000000000000 numbers",
        ),
        (
            {"inputs": member(INPUTS, descr="<U99999999"), "labels": member(LABELS)},
            "inputs of .* numbers, where 268435456 fit",
        ),
        (
            {"inputs": member(INPUTS), "labels": member(LABELS, shape=(2**40,))},
            "inputs of 1099511627776 numbers",
        ),
        (
            {"inputs": member(INPUTS, descr="|O"), "labels": member(LABELS)},
            "inputs holds Python objects, which are not read",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(tmp_path, members, message):
    path = archive(tmp_path / "mine.npz", **members)
    with pytest.raises(PenchantError, match=message) as caught:
        load_labelled(path)
    assert "mine" in str(caught.value) and "\n" not in str(caught.value)


def test_pickles_are_not_read(tmp_path):
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("a pickle was read",)

    path = tmp_path / "trap.npz"
    np.savez(path, inputs=np.array([Trap()] * 12), labels=LABELS)
    with pytest.raises(PenchantError, match=r"trap.npz: inputs holds Python objects"):
        load_labelled(path)


def test_a_damaged_file_is_one_line(tmp_path):
    path = archive(tmp_path / "mine.npz", inputs=member(INPUTS), labels=member(LABELS))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[150] ^= 0xFF
    for damaged in (b"", b"text", whole[:100], whole[:-30], bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(PenchantError, match=f"^{path}: cannot be read as a .npz") as caught:
            load_labelled(path)
        assert "\n" not in str(caught.value)


def test_what_is_not_there(tmp_path):
    with pytest.raises(PenchantError, match=r"^digit: no such data set.*did you mean 'digits'"):
        load_labelled("digit")
    with pytest.raises(PenchantError, match=r"missing.npz: no such data set, file or folder"):
        load_labelled(tmp_path / "missing.npz")
    (tmp_path / "table.csv").write_text("1,2\n")
    with pytest.raises(PenchantError, match=r"table.csv: labelled data is a .npz file"):
        load_labelled(tmp_path / "table.csv")


def test_what_names_labelled_data(tmp_path, monkeypatch):
    for name in DATA_SETS:
        assert is_labelled(name) and is_labelled(Path(name))
    assert is_labelled("missing.npz")
    data = Labelled("data", INPUTS, LABELS)
    for other in ("photo.png", "digit", tmp_path, tmp_path / "x", "a" * 5000, "a\0b", None):
        assert not is_labelled(other)
    assert not any(map(is_labelled, (builtin_picture(16), INPUTS, data)))
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not is_labelled("")
    assert is_labelled("digits")  # the name, for a folder is ./digits
    assert not is_labelled("./digits")
