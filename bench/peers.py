"""Peers, same work, one run: time to 30, 35 and 40 dB on pictures, each from the same pixels.

`penchant fit`, called as its user would, once for each target, since it is told when to stop; and
references written from their papers (references/), trained by plain autograd until the last target
or the cap. Each peer runs at its published learning rate and at its best of five, a quarter to four
times the published one, tuned for a tenth of its published steps or of the cap, whichever ends
first, on the first picture of the size. Runs follow one another in fresh processes, all peers on
all pictures for the first seed, then for the second; a repeat chases the targets that the first run
came to. The table has medians over the seeds; a target that was not reached stands as "> cap", or
with the score at which the peer's schedule ended.

Each run is a line in bench/out/peers.jsonl, written when it is over: a benchmark that was killed
goes on where it was. What is in the file is not run again; --again NAME forgets a peer.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import standings
import torch
from contest import Clock, Fit, Found, Kept, chase, psnr
from machine import load as load_average
from machine import processor
from references import block_gaussians, finer, miner, siren, siren_pytorch_package, wire
from torch import Tensor

from penchant.study import fit
from penchant.tasks import Picture, builtin_picture, load_picture

OUT = Path(__file__).parent / "out"
TARGETS = (30.0, 35.0, 40.0)
CAP = 1200.0
SEEDS = 3
SCENES = ("kodim03@256", "kodim04@256", "kodim08@256", "kodim03@768")
GRID = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Of the published learning rate."""
TENTH = 0.1
OURS = "penchant fit"


@dataclass(frozen=True)
class Peer:
    """A reference with the numbers that it was published with."""

    name: str
    begin: Callable[[Tensor, float], Fit]
    learning_rate: float
    steps: int


PEERS = {
    peer.name: peer
    for peer in (
        Peer("SIREN", siren.fit, siren.LEARNING_RATE, siren.STEPS),
        Peer(
            "siren-pytorch",
            siren_pytorch_package.fit,
            siren_pytorch_package.LEARNING_RATE,
            siren_pytorch_package.STEPS,
        ),
        Peer("WIRE", wire.fit, wire.LEARNING_RATE, wire.STEPS),
        Peer("FINER", finer.fit, finer.LEARNING_RATE, finer.STEPS),
        Peer("MINER", miner.fit, miner.LEARNING_RATE, miner.STEPS),
        Peer(
            "block Gaussians",
            block_gaussians.fit,
            block_gaussians.LEARNING_RATE,
            block_gaussians.STEPS,
        ),
    )
}
NAMES = (OURS, *PEERS)

Job = dict[str, Any]
"""What a run is: peer, rate, picture, seed, targets, cap, threads; a key of the file."""


class _CapReached(Exception):
    """Ends a `fit` from within."""


def load(scene: str) -> Picture:
    """Load NAME@SIZE from $PENCHANT_DATA/kodak; "astronaut" is the built-in photograph."""
    name, _, size = scene.partition("@")
    if name == "astronaut":
        return builtin_picture(int(size))
    return load_picture(Path(os.environ["PENCHANT_DATA"]) / "kodak" / f"{name}.png", int(size))


def ours(
    picture: Picture, targets: Sequence[float], cap: float, seed: int, most_steps: int | None
) -> Found:
    """Call `fit` once for each target; a look within it is at its own cost."""
    pixels, found = torch.tensor(picture.values), Found()
    for target in sorted(targets):
        clock, began, steps = Clock(), time.perf_counter(), 0

        def stop_at_cap(step: int, _: float, began: float = began) -> None:
            nonlocal steps
            steps = step
            if time.perf_counter() - began >= cap or (most_steps and step >= most_steps):
                raise _CapReached

        try:
            with clock:
                fitted = fit(picture, target_db=target, seed=seed, on_step=stop_at_cap)
        except _CapReached:
            found.end = "cap"
        else:
            found.psnr = psnr(torch.tensor(fitted.render()), pixels)
            steps = fitted.steps
            found.end = "reached" if found.psnr >= target else "ended"
        found.seconds, found.processor, found.steps = clock.wall, clock.processor, steps
        if found.end != "reached":
            break
        found.reached[f"{target:g}"] = {
            "seconds": round(clock.wall, 4),
            "processor": round(clock.processor, 4),
            "steps": steps,
        }
    return found


def warm() -> None:
    """Have torch load what it loads at an optimiser's first step: a second that is nobody's."""
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    torch.optim.Adam([weight]).step()


def perform(job: Job) -> Found:
    """Do one run, in this process."""
    torch.set_num_threads(job["threads"])
    warm()
    torch.manual_seed(job["seed"])
    picture = load(job["picture"])
    if job["peer"] == OURS:
        return ours(picture, job["targets"], job["cap"], job["seed"], job.get("steps"))
    peer, pixels = PEERS[job["peer"]], torch.tensor(picture.values)
    return chase(
        lambda: peer.begin(pixels, job["learning_rate"]),
        pixels,
        job["targets"],
        job["cap"],
        most_steps=job.get("steps"),
    )


def perform_apart(job: Job) -> dict[str, Any]:
    """Do one run in a process of its own, as a user's would be."""
    command = [sys.executable, __file__, "--job", json.dumps(job)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode < 0:  # killed, most likely for its memory: that is a result
        return Found(end="killed").as_dict()
    done.check_returncode()
    return json.loads(done.stdout.splitlines()[-1])


@dataclass(frozen=True)
class Contest:
    """What is to be run, and the file that keeps it."""

    kept: Kept
    names: Sequence[str] = NAMES
    scenes: Sequence[str] = SCENES
    targets: Sequence[float] = TARGETS
    seeds: int = SEEDS
    cap: float = CAP
    threads: int = 1
    tune: bool = True
    most_steps: int | None = None
    """Where given, an end before the cap, for a look at whether all of it runs."""
    perform: Callable[[Job], dict[str, Any]] = perform_apart
    say: Callable[[str], None] = print

    def run(self) -> None:
        """Run all that is not kept yet."""
        for seed in range(self.seeds):
            for scene in self.scenes:
                for name in self.names:
                    for job in self.trials(name, scene) if self.tune else ():
                        self.do(job)
                    for rate in self.rates(name, scene):
                        job = self.job(name, scene, seed, rate)
                        if job["targets"]:
                            self.do(job)

    def do(self, job: Job) -> None:
        """Do a run and write it down, unless it is kept."""
        if self.kept.find(job) is None:
            facts = {"load": load_average(), "machine": processor(), "torch": torch.__version__}
            found = self.perform(job)
            self.kept.add(job, found, **facts)
            self.say(standings.line(job, found))

    def job(self, name: str, scene: str, seed: int, rate: float | None) -> Job:
        """Say what a run is; a repeat chases what the first run came to."""
        job = {
            "peer": name,
            "learning_rate": rate,
            "picture": scene,
            "cap": self.cap,
            "threads": self.threads,
            **({} if self.most_steps is None else {"steps": self.most_steps}),
        }
        targets = list(self.targets)
        if seed:
            first = self.kept.find({**job, "seed": 0, "targets": targets})
            targets = [one for one in targets if first and f"{one:g}" in first["reached"]]
        return {**job, "seed": seed, "targets": targets}

    def trials(self, name: str, scene: str) -> list[Job]:
        """Say which runs tune a peer's learning rate: on the first picture of this size."""
        if name == OURS:
            return []
        size = scene.partition("@")[2]
        first = next(one for one in self.scenes if one.partition("@")[2] == size)
        peer = PEERS[name]
        return [
            {
                "peer": name,
                "learning_rate": peer.learning_rate * times,
                "picture": first,
                "cap": self.cap * TENTH,
                "steps": self.most_steps or max(1, round(peer.steps * TENTH)),
                "threads": self.threads,
                "seed": 0,
                "targets": [],
            }
            for times in GRID
        ]

    def rates(self, name: str, scene: str) -> list[float | None]:
        """List the published learning rate, and the best of five where it is known and another."""
        if name == OURS:
            return [None]
        published, scores = PEERS[name].learning_rate, {}
        for job in self.trials(name, scene):
            found = self.kept.find(job)
            if found is not None and found["psnr"] is not None:
                scores[job["learning_rate"]] = found["psnr"]
        best = max(scores, key=lambda rate: scores[rate], default=published)
        return [published] if best == published or not self.tune else [published, best]

    def runs(self, name: str, scene: str, rate: float | None) -> list[standings.Run]:
        """List what is kept of the runs, the first seed's first."""
        jobs = [self.job(name, scene, seed, rate) for seed in range(self.seeds)]
        return [found for job in jobs if (found := self.kept.find(job)) is not None]

    def table(self) -> str:
        """Lay what is kept out as Markdown, a table a picture."""
        middle = sorted(self.targets)[len(self.targets) // 2]
        heads = "".join(f" {target:g} dB |" for target in self.targets)
        parts = []
        for scene in self.scenes:
            mine = self.runs(OURS, scene, None)
            lines = [
                f"{scene}, seconds (processor seconds), medians of up to {self.seeds} runs, "
                f"{self.threads} threads:",
                "",
                f"| | learning rate |{heads} of `fit`'s time to {middle:g} dB |",
                "|---|---|" + "--:|" * (len(self.targets) + 1),
            ]
            for name in self.names:
                for rate in self.rates(name, scene):
                    found = self.runs(name, scene, rate)
                    cells = [
                        name,
                        _rate(name, rate),
                        *(standings.cell(found, target, self.cap) for target in self.targets),
                        "" if name == OURS else standings.times(found, mine, middle, self.cap),
                    ]
                    lines.append(f"| {' | '.join(cells)} |")
            parts.append("\n".join(lines))
        return "\n\n".join(parts)


def _rate(name: str, rate: float | None) -> str:
    if rate is None:
        return "its own"
    published = PEERS[name].learning_rate
    edge = rate in (published * GRID[0], published * GRID[-1])
    words = "published" if rate == published else "best of five" + ", at the edge" * edge
    return f"{rate:g}, {words}"


def smoke(out: Path) -> Contest:
    """Make a contest of seconds: 32 pixels, low targets, everything in this process."""
    return Contest(
        Kept(out),
        scenes=("astronaut@32",),
        targets=(3.0, 20.0),
        seeds=1,
        cap=60.0,
        most_steps=2,
        perform=lambda job: perform(job).as_dict(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", nargs="+", default=NAMES, choices=NAMES, metavar="NAME")
    parser.add_argument("--pictures", nargs="+", default=SCENES, metavar="NAME@SIZE")
    parser.add_argument("--targets", nargs="+", type=float, default=TARGETS, metavar="DB")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--cap", type=float, default=CAP, help="seconds a run")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--published", action="store_true", help="tune nothing")
    parser.add_argument("--again", nargs="+", default=(), choices=NAMES, metavar="NAME")
    parser.add_argument("--table", action="store_true", help="run nothing, show what is kept")
    parser.add_argument("--smoke", action="store_true", help="seconds, to see that all of it runs")
    parser.add_argument("--out", type=Path, default=OUT / "peers.jsonl")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        print(json.dumps(perform(json.loads(given.job)).as_dict()))
        return
    if given.smoke:
        contest = smoke(OUT / "smoke.jsonl")
    else:
        contest = Contest(
            Kept(given.out),
            given.peers,
            given.pictures,
            given.targets,
            given.seeds,
            given.cap,
            given.threads,
            tune=not given.published,
        )
    contest.kept.forget(NAMES if given.smoke else given.again)
    if not given.table:
        contest.run()
    text = contest.table()
    (OUT / "peers.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
