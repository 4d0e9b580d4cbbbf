"""Measured in a process of its own, since what others freed moves the C library's threshold."""

import platform
import subprocess
import sys

import pytest

STEPS = """
import resource, torch
from penchant.divergences import L2
from penchant.nn import CoordinateNet
from penchant.training import Recipe, Training

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

torch.set_num_threads(1)
network = CoordinateNet(2, 3, width=256, activation="sine")
points, targets = torch.rand(8192, 2), torch.rand(8192, 3)
training = Training(network, L2(), points, targets, Recipe(20, batch=4096), seed=0)
training.advance(4)
before = faults()
training.advance(8)
print((faults() - before) / 8)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what is kept is up to glibc")
def test_steps_live_on_the_memory_that_they_have() -> None:
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True)
    # One of a step's results alone, a block of 1,024 rows, is 256 pages.
    assert float(done.stdout) < 64
