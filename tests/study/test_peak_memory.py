"""How much memory `fit` takes, in a process of its own: the kernel's own count of it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FIT = """
import sys
import torch
import penchant as pn
from penchant.tasks import _scores

def peak():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

def main(*pictures, whole=None):
    torch.set_num_threads(1)
    if whole is not None:
        _scores.WHOLE, _scores._STRIP = whole, whole // 8
    for path in pictures:
        pn.fit(path, size=100_000, steps=1).save(path + ".safetensors")
        print(peak())
"""


def made(folder: Path, width: int, height: int) -> str:
    """Write a picture with something in it; not compressed, since that would take longest."""
    x, y = np.arange(width)[None, :, None], np.arange(height)[:, None, None]
    values = (x * np.array([1, 2, 3]) // 8 + y * np.array([3, 1, 2]) // 8).astype(np.uint8)
    path = folder / f"{width}.ppm"
    path.write_bytes(b"P6 %d %d 255\n" % (width, height) + values.tobytes())
    return str(path)


def peaks(call: str) -> list[int]:
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc/self/status: the kernel does not say how much memory a process took")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", f"{FIT}\n{call}"], capture_output=True, text=True, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    return [int(line) for line in ran.stdout.split()]


def test_bytes_a_pixel(tmp_path: Path) -> None:
    """In strips, since a small picture is scored whole."""
    small, large = made(tmp_path, 256, 256), made(tmp_path, 1536, 1024)
    before, after = peaks(f"main({small!r}, {large!r}, whole=2**16)")
    assert (after - before) / (1536 * 1024 - 256 * 256) < 110


@pytest.mark.slow
def test_24_megapixels_take_less_than_2_gb(tmp_path: Path) -> None:
    (peak,) = peaks(f"main({made(tmp_path, 6000, 4000)!r})")
    assert peak < 2e9
