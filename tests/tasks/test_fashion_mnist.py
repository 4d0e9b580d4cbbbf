"""Fashion-MNIST as published, where PENCHANT_DATA has it; its download without a network."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from pooch.downloaders import HTTPDownloader

from penchant.errors import PenchantError
from penchant.tasks import ClassificationTask, load_labelled
from penchant.tasks._fashion_mnist import ADDRESS, CHECKSUMS, CLASSES


@pytest.fixture(scope="module")
def published(penchant_data):
    folder = penchant_data / "fashion-mnist"
    if not folder.is_dir():
        pytest.skip("no real data: PENCHANT_DATA holds no fashion-mnist")
    return folder


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """Neither PENCHANT_DATA nor anything in the user's cache."""
    monkeypatch.delenv("PENCHANT_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_the_published_files_are_what_is_loaded(published, monkeypatch):
    monkeypatch.setenv("PENCHANT_DATA", str(published.parent))
    data = load_labelled("fashion-mnist")
    assert data.name == "fashion-mnist" and data.classes == CLASSES
    assert data.inputs.shape == (70_000, 28, 28, 1) and data.inputs.dtype == np.uint8
    assert data.test == 10_000
    assert np.bincount(data.labels[:60_000]).tolist() == [6000] * 10
    assert np.bincount(data.labels[60_000:]).tolist() == [1000] * 10
    assert data.labels[:5].tolist() == [9, 0, 0, 3, 0]
    # The mean and deviation that everyone standardises these pixels with.
    seen = data.inputs[:60_000] / np.float32(255)
    assert seen.mean(dtype=np.float64) == pytest.approx(0.2860, abs=5e-5)
    task = ClassificationTask(data)
    split, other = task.split(0), task.split(1)
    assert split.inputs.shape == (60_000, 784) and len(split.held_out) == 10_000
    assert split.inputs.data_ptr() == other.inputs.data_ptr()  # no copy a seed
    assert float(split.inputs[0, 0]) == pytest.approx(-0.2860 / 0.3530, abs=1e-3)
    assert split.constant_score().metrics["accuracy_held_out"] == 10


def test_another_file_under_its_name_is_refused(published, monkeypatch, tmp_path):
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for name in CHECKSUMS:
        (folder / name).symlink_to(published / name)
    name = "t10k-labels-idx1-ubyte.gz"
    (folder / name).unlink()
    (folder / name).write_bytes((published / name).read_bytes() + b"\0")
    monkeypatch.setenv("PENCHANT_DATA", str(tmp_path))
    with pytest.raises(PenchantError, match=f"{name}: not the published file .its MD5 is not"):
        load_labelled("fashion-mnist")


def test_what_is_not_there_is_downloaded_once(published, no_data, monkeypatch):
    asked = []

    def download(self, url, output_file, pooch, check_only=False):
        asked.append(url)
        shutil.copy(published / url.rsplit("/", 1)[1], output_file)

    monkeypatch.setattr(HTTPDownloader, "__call__", download)
    monkeypatch.setenv("PENCHANT_DATA", str(no_data / "elsewhere"))  # a folder without it
    assert load_labelled("fashion-mnist").inputs.shape == (70_000, 28, 28, 1)
    assert asked == [ADDRESS + name for name in CHECKSUMS]
    assert load_labelled("fashion-mnist").test == 10_000
    assert len(asked) == 4


def test_a_download_that_is_not_the_published_file_is_refused_and_not_kept(no_data, monkeypatch):
    def download(self, url, output_file, pooch, check_only=False):
        Path(output_file).write_bytes(b"sign in to continue")

    monkeypatch.setattr(HTTPDownloader, "__call__", download)
    with pytest.raises(
        PenchantError, match=r"^fashion-mnist: train-images.* not be downloaded"
    ) as e:
        load_labelled("fashion-mnist")
    assert "\n" not in str(e.value) and "PENCHANT_DATA" in str(e.value)
    assert not [path for path in no_data.rglob("*") if path.is_file()]


def test_without_a_network_the_error_says_what_to_do(no_data, monkeypatch):
    from requests.exceptions import ConnectionError as NoConnection

    def download(self, url, output_file, pooch, check_only=False):
        raise NoConnection("name or service\nnot known")

    monkeypatch.setattr(HTTPDownloader, "__call__", download)
    with pytest.raises(PenchantError, match="put the four files into a folder fashion-mnist") as e:
        load_labelled("fashion-mnist")
    assert "\n" not in str(e.value)


def test_checksums_are_md5(published):
    for name, checksum in CHECKSUMS.items():
        content = (published / name).read_bytes()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == checksum
