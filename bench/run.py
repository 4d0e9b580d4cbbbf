"""`make bench`: every table of docs/BENCHMARKS.md that takes minutes, measured here and now.

What is measured is printed and written to bench/out/benchmarks.md. Peers on pictures take hours and
are a command of their own, `make bench-peers`.
"""

import argparse
from pathlib import Path

import divergence_cost
import gradients
import limit
import machine
import probe_cost
import scanning
import streaming
import study_cost

OUT = Path(__file__).parent / "out" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7, help="of the first tables")
    given = parser.parse_args()
    parts = [f"Machine: {machine.describe()}."]
    parts += ["## The limit", limit.table(given.turns)]
    parts += ["## Gradients", gradients.table(given.turns)]
    parts += ["## Studies", study_cost.table()]
    parts += ["## Probes", probe_cost.table()]
    parts += ["## Streaming", streaming.table()]
    # Last, since they change how the process allocates.
    parts += ["## Divergences", divergence_cost.table(given.turns)]
    parts += ["## Scanning", scanning.table()]
    text = "\n\n".join(parts) + "\n"
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
