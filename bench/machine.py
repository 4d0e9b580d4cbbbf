"""What was measured on, in words."""

import os
import platform
from pathlib import Path

import torch


def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()


def load() -> float | None:
    """Return how many programs wanted a core in the last minute, where the system says so."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def describe() -> str:
    """Return a line that says all of it."""
    return (
        f"{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"load {load()} before the start, torch {torch.__version__}, Python "
        f"{platform.python_version()}, {platform.system()}"
    )
