"""Bad input: one clear line, exit 2, and nothing left behind."""

import gzip
import json
import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from cli.conftest import TINY, Command, Outcome, draw
from PIL import Image
from safetensors.numpy import save_file


def _said(outcome: Outcome, *words: str) -> None:
    assert outcome.code == 2, outcome
    assert outcome.err.startswith("penchant: ")
    assert outcome.err.count("\n") == 1
    for word in words:
        assert word in outcome.err, outcome.err


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


def _bomb(path: Path) -> None:
    header = struct.pack(">II5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(header))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
    )


def _truncated(path: Path) -> None:
    draw(path)
    path.write_bytes(path.read_bytes()[:-200])


def _nan(path: Path) -> None:
    values = np.full((16, 16), 0.5, np.float32)
    values[3, 4] = np.nan
    Image.fromarray(values).save(path)


PICTURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing.png": (lambda path: None, "no such file"),
    "folder": (lambda path: path.mkdir(), "folder"),
    "empty.png": (lambda path: path.write_bytes(b""), "empty"),
    "truncated.png": (_truncated, "cut short"),
    "text.png": (lambda path: path.write_text("not a picture at all"), "not a picture"),
    "bomb.png": (_bomb, "bomb"),
    "nan.tif": (_nan, "nan.tif"),
    "one.png": (lambda path: Image.new("L", (1, 1)).save(path), "1×1"),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("command", ["compare", "fit"])
def test_pictures(penchant: Command, here: Path, command: str, name: str) -> None:
    make, word = PICTURES[name]
    make(here / name)
    before = _contents(here)
    rest = TINY if command == "compare" else ("-o", "out.safetensors")
    _said(penchant(command, name, *rest), name, word)
    assert _contents(here) == before


def test_a_picture_too_small_for_its_pattern(penchant: Command, here: Path) -> None:
    Image.new("L", (2, 2), 99).save("tiny.png")
    before = _contents(here)
    _said(penchant("compare", "tiny.png", *TINY, "--held-out", "random:0.01"), "2×2")
    assert _contents(here) == before


def _classes(folder: Path, **counts: int) -> None:
    """Draw so many pictures of each class, no two of one size."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            shade = np.full((8 + number, 9 + 2 * number), 20 * number, np.uint8)
            Image.fromarray(shade).save(folder / name / f"{number}.png")


def _arrays(path: Path, labels: list[float], **more: object) -> None:
    inputs = np.random.default_rng(0).normal(size=(len(labels), 3))
    np.savez(path, inputs=inputs, labels=np.array(labels), **more)  # type: ignore[arg-type]


HALVES = [0, 1] * 8


IDX = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def _idx(folder: Path, **changed: bytes) -> None:
    """Write the four files of MNIST's pattern, some of them with another content."""
    folder.mkdir()
    images = np.zeros((20, 4, 4), np.uint8)
    labels = (np.arange(20) % 2).astype(np.uint8)
    arrays = (images[:12], labels[:12], images[12:], labels[12:])
    for name, array in zip(IDX, arrays, strict=True):
        head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        content = gzip.compress(head + array.tobytes())
        (folder / f"{name}-ubyte.gz").write_bytes(changed.get(name[:-5], content))


def _idx_with(**changed: bytes) -> Callable[[Path], object]:
    files = {name.replace("_", "-"): content for name, content in changed.items()}
    return lambda path: _idx(path, **files)


def _header(*shape: int, kind: int = 8) -> bytes:
    return struct.pack(f">4B{len(shape)}I", 0, 0, kind, len(shape), *shape)


DATA: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "a class with one picture": (lambda p: _classes(p, cat=6, dog=1), ("'dog' has 1 sample;", "5")),
    "an empty class": (lambda p: (_classes(p, cat=6), (p / "dog").mkdir()), ("dog", "without a")),
    "an empty folder": (lambda p: p.mkdir(), ("without a picture",)),
    "one class": (lambda p: _classes(p, cat=6), ("1 subfolders", "at least 2")),
    "a broken picture": (
        lambda p: (_classes(p, cat=6, dog=6), (p / "dog" / "3.png").write_bytes(b"\x89PNG")),
        ("dog/3.png",),
    ),
    "labels beyond the classes.npz": (
        lambda p: _arrays(p, [*HALVES, 7], classes=np.array(["a", "b"])),
        ("label 7 with 2 classes", "from 0 to 1"),
    ),
    "labels below 0.npz": (lambda p: _arrays(p, [*HALVES, -1]), ("labels from -1 to 1",)),
    "labels between.npz": (lambda p: _arrays(p, [*HALVES, 0.5]), ("0.5", "whole numbers from 0")),
    "labels far beyond.npz": (lambda p: _arrays(p, [*HALVES, 1e18]), ("labels from 0", "1e+18")),
    "labels with a gap.npz": (
        lambda p: _arrays(p, [2 * y for y in HALVES]),
        ("'1' has 0 samples",),
    ),
    "text in place of gzip": (_idx_with(train_images=b"hello"), ("train-images", "gzip")),
    "gzip cut short": (
        _idx_with(t10k_images=gzip.compress(_header(8, 4, 4) + bytes(128))[:20]),
        ("t10k-images", "cut short"),
    ),
    "gzip with a wrong checksum": (
        _idx_with(train_labels=gzip.compress(_header(12) + bytes(12))[:-8] + bytes(8)),
        ("train-labels", "gzip"),
    ),
    "a wrong magic number": (
        _idx_with(train_images=gzip.compress(_header(12, 4, 4, kind=13) + bytes(192))),
        ("train-images", "begins with 00 00 0d 03"),
    ),
    "fewer bytes than promised": (
        _idx_with(train_images=gzip.compress(_header(12, 4, 4) + bytes(191))),
        ("train-images", "header says 192 bytes, the file holds 191"),
    ),
    "more labels than images": (
        _idx_with(t10k_labels=gzip.compress(_header(9) + bytes(9))),
        ("8 t10k images and 9 labels",),
    ),
    "a label of no class": (
        _idx_with(t10k_labels=gzip.compress(_header(8) + bytes([0, 1] * 3 + [0, 250]))),
        ("labels from 0 to 250",),
    ),
}


@pytest.mark.parametrize("case", DATA)
def test_data(penchant: Command, here: Path, case: str) -> None:
    make, words = DATA[case]
    make(here / case)
    before = _contents(here)
    _said(penchant("compare", case, *TINY), case.removesuffix(".npz"), *words)
    assert _contents(here) == before


def test_pictures_of_different_sizes_are_brought_to_one(penchant: Command, here: Path) -> None:
    _classes(here / "animals", cat=6, dog=6)
    said = penchant("compare", "animals", *TINY, "--dry-run")
    assert said.code == 0
    assert "12 pictures were brought to 16×16 by averaging areas" in said.out
    assert "cut to the middle square, since not square: 12 of 12 pictures" in said.out
    assert "enlarged, since smaller than 16×16" in said.out


OPTIONS: dict[str, tuple[str, ...]] = {
    "digits:sampels=5": ("'sampels'", "did you mean 'samples'?"),
    "digits:samples=9999": ("samples=9999", "1 to 1797 fit"),
    "digits:classes=1": ("classes=1", "2 to 10 fit"),
    "digits:size=9": ("size=9", "8×8", "2 to 8 fit"),
    "digits:shift=8": ("shift=8", "1 to 7 fit"),
    "breast-cancer:shift=1": ("shift=1", "vectors"),
    "animals:clases=2": ("animals", "did you mean 'classes'?"),
    "digit:samples=5": ("digit",),
}


@pytest.mark.parametrize("source", OPTIONS)
def test_options(penchant: Command, here: Path, source: str) -> None:
    _classes(here / "animals", cat=6, dog=6)
    before = _contents(here)
    _said(penchant("compare", source, *TINY), *OPTIONS[source])
    assert _contents(here) == before


WORDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("--vary", "activaton=relu,sine"): ("'activaton'", "did you mean 'activation'?"),
    ("--vary", "activation=relu,gausian"): ("'gausian'", "did you mean 'gaussian'?"),
    ("--vary", "encoding=none,furier"): ("'furier'", "did you mean 'fourier'?"),
    ("--vary", "activation=relu,none.py:Snake"): ("none.py",),
    ("--vary", "activation"): ("axis=value",),
    ("--vary", "activation=relu,relu"): ("2 times",),
    ("--vary", "width=0,8"): ("width",),
    ("--design", "activation"): ("axis=value",),
    ("--design", "activation=sine,scale=nan"): ("scale",),
    ("--seeds", "0"): ("seeds=0",),
    ("--seeds", "many"): ("--seeds", "integer"),
    ("--steps", "-5"): ("steps=-5",),
    ("--steps", "0"): ("steps=0",),
    ("--size", "1"): ("size=1",),
    ("--tune", "-1"): ("tune=-1",),
    ("--batch", "0"): ("batch=0",),
    ("--match", "widht"): ("match='widht'", "width"),
    ("--held-out", "randon:0.5"): ("randon", "did you mean 'random'?"),
    ("--held-out", "random:1.5"): ("1.5",),
    ("--baseline", "relux"): ("'relux'", "did you mean 'relu'?"),
    ("--metric", "psnr_heldout"): ("did you mean 'psnr_held_out'?",),
    ("--margin", "0"): ("margin=0",),
    ("--jobs", "0"): ("jobs=0",),
    ("--device", "gpu"): ("device='gpu'", "cpu, or cuda"),
    ("--sede", "3"): ("--sede", "--seeds"),
    ("--seeds",): ("--seeds", "requires an argument"),
}


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_words(penchant: Command, here: Path, photo: Path, words: tuple[str, ...]) -> None:
    _said(penchant("compare", photo, "--size", 16, *words), *WORDS[words])
    assert _contents(here) == {}


@pytest.mark.skipif(torch.cuda.is_available(), reason="an accelerator is here")
def test_an_accelerator_that_is_not_there(penchant: Command, here: Path, photo: Path) -> None:
    for command in (("compare", photo), ("fit", photo, "-o", "a.safetensors")):
        _said(penchant(*command, "--device", "cuda"), "device='cuda'", "no accelerator")
    assert _contents(here) == {}


def test_an_unknown_command(penchant: Command) -> None:
    _said(penchant("compar", "photo.png"), "compar")


def test_a_folder_with_another_study(penchant: Command, here: Path, photo: Path) -> None:
    two = ("--vary", "activation=relu,sine", "--out", "study")
    assert penchant("compare", photo, *two, *TINY).code == 0
    before = _contents(here)
    changed = ("--size", "16", "--steps", "11", "--seeds", "2", "--tune", "0")
    _said(penchant("compare", photo, *two, *changed), "another study", "steps", "--fresh")
    _said(penchant("compare", photo, *two, *changed, "--dry-run"), "another study")
    assert _contents(here) == before


def test_a_folder_with_somebodys_report(penchant: Command, here: Path, photo: Path) -> None:
    Path("study").mkdir()
    Path("study/report.html").write_text("mine")
    before = _contents(here)
    _said(penchant("compare", photo, *TINY, "--out", "study"), "report.html", "--fresh")
    assert _contents(here) == before


def test_a_file_in_place_of_a_folder(penchant: Command, here: Path, photo: Path) -> None:
    Path("study").write_text("mine")
    _said(penchant("compare", photo, *TINY, "--out", "study"), "study")
    _said(penchant("compare", photo, *TINY, "--out", "study/deeper"), "study")
    assert Path("study").read_text() == "mine"


@pytest.mark.parametrize("out", ["/proc/study", "/sys/study"])
def test_a_folder_that_cannot_be_made(penchant: Command, here: Path, photo: Path, out: str) -> None:
    if not Path(out).parent.is_dir():
        pytest.skip(f"this machine has no {Path(out).parent}")
    _said(penchant("compare", photo, *TINY, "--out", out), f"cannot write {out}")
    _said(penchant("fit", photo, "-o", f"{out}.safetensors"), f"cannot write {out}")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A small file system in memory, with the mount's options."""
    places: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"mount{len(places)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if os.geteuid() != 0 or shutil.which("mount") is None:
            pytest.skip("only root can mount a file system")
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount a file system here: {done.stderr.strip()}")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(penchant: Command, photo: Path, mounted: Callable[[str], Path]) -> None:
    disk = mounted("size=64k")
    (disk / "filler").write_bytes(b"x" * 60_000)
    before = _contents(disk)
    _said(penchant("compare", photo, *TINY, "--out", disk / "study"), "no space left")
    _said(penchant("fit", photo, "-o", disk / "a.safetensors"), "no space left")
    assert _contents(disk) == before


@pytest.mark.parametrize("room", ["100k", "140k", "200k"])
def test_a_disk_that_fills_up(
    penchant: Command, here: Path, photo: Path, mounted: Callable[[str], Path], room: str
) -> None:
    disk = mounted(f"size={room}")
    folder = disk / "study"
    command = ("compare", photo, "--vary", "activation=relu,sine", *TINY, "--out", folder)
    filled = penchant(*command)
    assert filled.code == 2
    last = filled.err.splitlines()[-1]
    assert last.startswith("penchant: cannot ") and ("full" in last or "no space" in last)
    assert not [path for path in folder.rglob(".*") if path.is_file()]
    assert not (folder / "report.html").exists()
    # What is there is whole: with more room the same command goes on.
    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
    assert penchant(*command).code == 0
    assert (folder / "report.html").read_text().rstrip().endswith("</html>")


def test_a_read_only_folder(penchant: Command, photo: Path, mounted: Callable[[str], Path]) -> None:
    folder = mounted("ro")
    _said(penchant("compare", photo, *TINY, "--out", folder), "read-only")
    _said(penchant("compare", photo, *TINY, "--out", folder / "study"), "read-only")
    _said(penchant("fit", photo, "-o", folder / "a.safetensors"), "read-only")


def test_a_folder_that_only_others_may_write(penchant: Command, here: Path, photo: Path) -> None:
    Path("theirs").mkdir(mode=0o555)
    if os.access("theirs", os.W_OK):
        pytest.skip("root may write anywhere")
    _said(penchant("compare", photo, *TINY, "--out", "theirs"), "permission denied")


PLANS: dict[str, tuple[str, str]] = {
    "not TOML": ("signals = [", "not TOML"),
    "no signals": ("seeds = 3", "signals"),
    "an unknown word": ('signals = ["built-in"]\nseds = 3', "did you mean 'seeds'?"),
    "a missing picture": ('signals = ["gone.png"]', "gone.png"),
    "a wrong kind": ('signals = ["built-in"]\nseeds = "many"', "seeds='many'"),
    "an unknown value": ('signals = ["built-in"]\n[vary]\nactivation = ["relo"]', "'relo'"),
}


@pytest.mark.parametrize("case", PLANS)
def test_plans(penchant: Command, here: Path, case: str) -> None:
    text, word = PLANS[case]
    Path("study.toml").write_text(text)
    _said(penchant("run", "study.toml"), word)
    assert list(_contents(here)) == ["study.toml"]


def test_a_missing_plan(penchant: Command, here: Path) -> None:
    _said(penchant("run", "study.toml"), "cannot read study.toml")


FITS: dict[tuple[str, ...], str] = {
    ("-o", "missing/a.safetensors"): "missing/a.safetensors",
    ("-o", "a.png"): ".safetensors",
    ("-o", "a.safetensors", "--steps", "-5"): "steps",
    ("-o", "a.safetensors", "--size", "0"): "size=0",
    ("-o", "a.safetensors", "--design", "activation=sin"): "did you mean",
    ("-o", "a.safetensors", "--design", "widht=3"): "did you mean 'width'?",
    ("-o", "a.safetensors", "--target-db", "-3"): "target_db",
    ("-o", "a.safetensors", "--target-db", "nan"): "target_db",
    ("-o", "a.safetensors", "--held-out", "rand"): "rand",
    (): "--out",
}


@pytest.mark.parametrize("words", FITS, ids=" ".join)
def test_fits(penchant: Command, here: Path, photo: Path, words: tuple[str, ...]) -> None:
    _said(penchant("fit", photo, *words), FITS[words])
    assert _contents(here) == {}


@pytest.fixture
def network(penchant: Command, here: Path, photo: Path) -> Path:
    path = here / "network.safetensors"
    done = penchant("fit", photo, "-o", path, "--steps", 2, "--design", "activation=sine,width=8")
    assert done.code == 0
    return path


def _other_tensors(path: Path) -> None:
    """Keep the header, whose design asks for layers of 8, with other tensors."""
    length = struct.unpack("<Q", path.read_bytes()[:8])[0]
    header = json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]
    save_file({"weight": np.zeros((20, 20), np.float32)}, path, header)


NETWORKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "cannot read"),
    "text": (lambda path: path.write_text("hello"), "not a safetensors file"),
    "empty": (lambda path: path.write_bytes(b""), "not a safetensors file"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-40]), "not a safetensors"),
    "not ours": (lambda path: save_file({"a": np.zeros(3)}, path), "not written by Penchant"),
    "other tensors": (_other_tensors, "tensor"),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_networks(penchant: Command, here: Path, network: Path, case: str) -> None:
    change, word = NETWORKS[case]
    change(network)
    before = _contents(here)
    _said(penchant("render", network, "-o", "big.png"), network.name, word)
    _said(penchant("render", network, "--at", "1,1"), network.name, word)
    assert _contents(here) == before


RENDERS: dict[tuple[str, ...], str] = {
    (): "-o FILE",
    ("-o", "a.png", "--at", "1,1"): "not both",
    ("-o", "a.xyz"): "'.xyz'",
    ("-o", "a"): "ending",
    ("-o", "missing/a.png"): "missing/a.png",
    ("-o", "a.png", "--scale", "0"): "scale=0",
    ("-o", "a.png", "--scale", "nan"): "scale=nan",
    ("-o", "a.png", "--scale", "100000"): "more than 100 million",
    ("-o", "a.png", "--region", "1,2,3"): "4 numbers",
    ("-o", "a.png", "--region", "1,1,1,1"): "region",
    ("-o", "a.png", "--region", "nan,1,1,1"): "region",
    ("--at", "1"): "2 numbers",
    ("--at", "x,y"): "numbers with commas",
    ("--at", "1000,1"): "outside",
    ("--at", "nan,1"): "outside",
}


@pytest.mark.parametrize("words", RENDERS, ids=" ".join)
def test_renders(penchant: Command, here: Path, network: Path, words: tuple[str, ...]) -> None:
    _said(penchant("render", network, *words), RENDERS[words])
    assert list(_contents(here)) == [network.name]
