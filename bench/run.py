"""`make bench`: every table of docs/BENCHMARKS.md, measured here and now.

Gradients, probes, divergences, streams and scans take six minutes. With --siren (SIREN=1 for make)
the reference SIREN races `fit` to the same score on the same picture, which may take the reference
its whole cap. What is measured is printed and written to bench/out/benchmarks.md.
"""

import argparse
import os
import platform
from pathlib import Path

import divergences
import gradients
import probes
import scanning
import siren
import streaming
import torch

from penchant.study import fit

OUT = Path(__file__).parent / "out" / "benchmarks.md"


def machine() -> str:
    """Say what was measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{model}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"load {load} before the start, torch {torch.__version__}, Python "
        f"{platform.python_version()}, {platform.system()}"
    )


def race(target_db: float, cap_seconds: float, size: int) -> str:
    """Run `fit` and the reference to one score on one picture, and lay both out as Markdown."""
    picture = siren.picture(size)
    height, width, _ = picture.values.shape
    ours = fit(picture, target_db=target_db)
    theirs = siren.reach(picture, target_db, cap_seconds)
    psnr = ours.metrics["psnr_seen"]
    sign = "> " if theirs.capped else ""
    if psnr >= target_db:
        verdict = f"`fit` is {sign}{theirs.seconds / ours.seconds:.0f}× sooner."
    else:
        verdict = f"`fit` did not reach {target_db:g} dB."
    return "\n".join(
        [
            f"{picture.name} at {width}×{height}, to {target_db:g} dB on all pixels:",
            "",
            "| | seconds | steps | PSNR |",
            "|---|--:|--:|--:|",
            f"| `penchant fit` | {ours.seconds:.1f} | {ours.steps} | {psnr:.2f} dB |",
            f"| reference SIREN | {sign}{theirs.seconds:.0f} | {theirs.steps} "
            f"| {theirs.psnr:.2f} dB |",
            "",
            verdict,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--siren", action="store_true", help="race the reference SIREN too")
    parser.add_argument("--turns", type=int, default=7, help="of the gradients' table")
    parser.add_argument("--target-db", type=float, default=siren.TARGET_DB)
    parser.add_argument("--cap", type=float, default=siren.CAP_SECONDS, help="seconds")
    parser.add_argument("--size", type=int, default=siren.SIZE)
    given = parser.parse_args()
    parts = [f"Machine: {machine()}.", "## Gradients", gradients.table(given.turns)]
    if given.siren:
        parts += ["## SIREN", race(given.target_db, given.cap, given.size)]
    parts += ["## Probes", probes.table()]
    parts += ["## Streaming", streaming.table()]
    # Last, since they change how the process allocates.
    parts += ["## Divergences", divergences.table(given.turns)]
    parts += ["## Scanning", scanning.table()]
    text = "\n\n".join(parts) + "\n"
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
