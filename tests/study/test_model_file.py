"""Files that are not ours, or do not hold together: one line each, and nothing large is built."""

import json
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import penchant as pn
from penchant.errors import PenchantError
from penchant.tasks import Picture


@pytest.fixture(scope="module")
def good(waves: Callable[..., Picture], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "net.safetensors"
    design = {"activation": "sine", "encoding": "fourier", "frequencies": 4, "width": 8}
    return pn.fit(waves(), design=design, steps=2).save(path)


def words_of(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    words: dict[str, Any] = json.loads(
        json.loads(content[8 : 8 + length])["__metadata__"]["penchant"]
    )
    return words


def changed(
    good: Path,
    path: Path,
    *,
    design: dict[str, Any] | None = None,
    signal: dict[str, Any] | None = None,
    tensors: dict[str, torch.Tensor | None] | None = None,
) -> Path:
    """Write the good file again with other words or tensors; None takes one away."""
    words = words_of(good)
    for name, values in (("design", design), ("signal", signal)):
        both = words[name] | (values or {})
        words[name] = {k: v for k, v in both.items() if v is not ...}
    state = {k: v for k, v in (load_file(good) | (tensors or {})).items() if v is not None}
    save_file(state, path, {"penchant": json.dumps(words)})
    return path


def refusal(path: Path, **words: Any) -> str:
    tracemalloc.start()
    try:
        with pytest.raises(PenchantError) as caught:
            pn.load(path, **words)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def test_the_good_file_is_read(good: Path) -> None:
    assert pn.load(good).design.frequencies == 4
    assert set(words_of(good)) == {"version", "design", "signal"}


# Not ours


def test_missing_and_folder(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "missing.safetensors")
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"a text, and no tensors at all" * 9, b"\xff" * 64, b"\x00" * 64]
)
def test_no_safetensors(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    message = refusal(path)
    assert "is not a safetensors file" in message or "not written by Penchant" in message


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_truncated(good: Path, tmp_path: Path, share: float) -> None:
    path = tmp_path / "net.safetensors"
    content = good.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "is not a safetensors file" in refusal(path)


def test_foreign_tensors(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    for header in (None, {"format": "pt"}):
        save_file({"weight": torch.zeros(3, 3)}, path, header)
        assert "was not written by Penchant" in refusal(path)


def test_too_large_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    with path.open("wb") as file:
        file.truncate(2_000_000_000)  # sparse: no byte is written
    assert "2,000,000,000 bytes" in refusal(path)


# Damaged headers


@pytest.mark.parametrize(
    "header",
    ["", "0.1.0", "{", "[]", "3", "null", "{}", '{"design": {}}', "[" * 100_000,
     '{"design": [], "signal": {}}',
     '{"design": [], "signal": {"kind": "picture", "name": "a", "inputs": 2, "outputs": 3}}',
     '{"design": 3, "signal": {"kind": "picture", "name": "a", "inputs": 2, "outputs": 3}}'],
)  # fmt: skip
def test_damaged_header(good: Path, tmp_path: Path, header: str) -> None:
    path = tmp_path / "net.safetensors"
    save_file(load_file(good), path, {"penchant": header})
    assert "header is damaged" in refusal(path)


@pytest.mark.parametrize(
    ("design", "part"),
    [
        ({"activation": "snie"}, "did you mean 'sine'"),
        ({"widht": 8}, "did you mean 'width'"),
        ({"width": "wide"}, "width='wide'"),
        ({"width": -8}, "width=-8"),
        ({"width": 10**9}, "width=1000000000"),
        ({"width": ...}, "the design has no width"),
        ({"scale": float("nan")}, "scale=nan"),
        ({"family": "residual"}, "family='residual'"),
        ({"activation": ["sine"]}, "activation=['sine']"),
        ({"activation": "/tmp/mine.py:Snake"}, "names a file to execute"),
    ],
)
def test_design_that_does_not_fit(good: Path, tmp_path: Path, design: dict, part: str) -> None:
    assert part in refusal(changed(good, tmp_path / "net.safetensors", design=design))


@pytest.mark.parametrize(
    "signal",
    [
        {"height": 10**9},
        {"width": -1},
        {"inputs": 10**9},
        {"outputs": "3"},
        {"outputs": 3.5},
        {"inputs": 3},
        {"inputs": None},
        {"colour": 3},
        {"kind": ...},
    ],
)
def test_signal_that_does_not_fit(good: Path, tmp_path: Path, signal: dict) -> None:
    assert "header is damaged" in refusal(
        changed(good, tmp_path / "net.safetensors", signal=signal)
    )


# More than the file holds

MANY = {"inputs": 1_000_000, "kind": "samples", "height": ..., "width": ...}


@pytest.mark.parametrize(
    ("design", "signal"),
    [
        ({"width": 4096, "depth": 64}, {}),
        ({"width": 4096, "depth": 2}, {}),
        ({"width": 4096, "depth": 1}, {**MANY, "inputs": 2, "outputs": 1_000_000}),
        ({"width": 4096, "depth": 1}, MANY),
        ({"frequencies": 4096, "width": 1, "depth": 1}, MANY),
        ({"encoding": "nerf", "frequencies": 64, "bandwidth": None, "width": 1, "depth": 1},
         MANY),
        ({"encoding": "oneblob", "bins": 4096, "frequencies": None, "bandwidth": None,
          "width": 1, "depth": 1}, MANY),
    ],
)  # fmt: skip
def test_absurd_sizes_are_refused_before_anything_is_built(
    good: Path, tmp_path: Path, design: dict, signal: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object) -> None:
        raise AssertionError("a network was built")

    monkeypatch.setattr("penchant.study._fully_connected.FullyConnected.build", build)
    path = changed(good, tmp_path / "net.safetensors", design=design, signal=signal)
    assert "values are too few" in refusal(path)


def test_absurd_picture_is_refused_when_rendered(good: Path, tmp_path: Path) -> None:
    path = changed(good, tmp_path / "net.safetensors", signal={"height": 10**6, "width": 10**6})
    loaded = pn.load(path)
    with pytest.raises(PenchantError, match="more than 100 million"):
        loaded.render()


# Tensors


@pytest.mark.parametrize(
    ("tensors", "part"),
    [
        ({"head.bias": None}, "tensor head.bias is not there"),
        ({"surplus": torch.zeros(2)}, "tensor surplus is of shape (2,)"),
        ({"head.bias": torch.zeros(4)}, "tensor head.bias is of shape (4,)"),
        ({"layers.1.weight": torch.zeros(64)}, "tensor layers.1.weight is of shape (64,)"),
    ],
)
def test_tensors_that_are_not_the_designs(
    good: Path, tmp_path: Path, tensors: dict, part: str
) -> None:
    message = refusal(changed(good, tmp_path / "net.safetensors", tensors=tensors))
    assert part in message and "by its design" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_tensors_that_are_no_numbers(good: Path, tmp_path: Path, value: float) -> None:
    tensors = {"head.bias": torch.full((3,), value)}
    path = changed(good, tmp_path / "net.safetensors", tensors=tensors)
    assert "tensor head.bias is not finite" in refusal(path)


def test_tensors_of_another_type(good: Path, tmp_path: Path) -> None:
    for dtype in (torch.bool, torch.int32, torch.complex64):
        tensors = {"head.bias": torch.zeros(3, dtype=dtype)}
        path = changed(good, tmp_path / "net.safetensors", tensors=tensors)
        assert "tensor head.bias is of type" in refusal(path)


# Activations of one's own


def test_own_activation_has_to_be_supplied(
    waves: Callable[..., Picture], mine: Path, tmp_path: Path
) -> None:
    fitted = pn.fit(waves(), design={"activation": f"{mine}:Snake", "width": 8}, steps=3)
    path = fitted.save(tmp_path / "net.safetensors")
    assert str(mine).encode() not in path.read_bytes(), "paths are this machine's"
    assert "'Snake'" in refusal(path) and "--activation file.py:Snake" in refusal(path)
    loaded = pn.load(path, activation=f"{mine}:Snake")
    assert np.array_equal(loaded.render(), fitted.render())
    with pytest.raises(PenchantError, match="there is no file"):
        pn.load(path, activation="nowhere.py:Snake")
    assert "tensor" in refusal(path, activation=f"{mine}:wiggle")


def test_nothing_in_a_file_is_executed(good: Path, tmp_path: Path) -> None:
    trap, sprung = tmp_path / "trap.py", tmp_path / "sprung"
    trap.write_text(f"open({str(sprung)!r}, 'w')\nSnake = abs\n")
    for design in ({"activation": f"{trap}:Snake"}, {"activation": f"{trap}:Snake", "own": True}):
        refusal(changed(good, tmp_path / "net.safetensors", design=design))
    assert not sprung.exists()
