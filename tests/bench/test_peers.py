"""Which runs a contest has, that it goes on where it was, and its table."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import standings
from contest import Found, Kept
from peers import GRID, NAMES, OURS, PEERS, Contest, Job, smoke

SCENES = ("one@256", "two@256", "big@768")


def made_up(job: Job) -> dict[str, Any]:
    """A peer comes to a target in as many seconds as it has decibels, and never to 40."""
    if not job["targets"]:
        best = PEERS[job["peer"]].learning_rate * 2
        return Found(psnr=30 - abs(job["learning_rate"] - best), steps=job["steps"]).as_dict()
    factor = 1.0 if job["peer"] == OURS else 10.0 + job["seed"]
    reached = {
        f"{target:g}": {"seconds": factor * target, "processor": 2 * factor * target, "steps": 9}
        for target in job["targets"]
        if target < 40 or job["peer"] == OURS
    }
    end = "reached" if len(reached) == len(job["targets"]) else "cap"
    return Found(reached, 38.2, end, 1200.0, 2400.0, 99).as_dict()


class Calls:
    """Counts jobs, and is killed at one of them."""

    def __init__(self, killed_at: int | None = None) -> None:
        self.jobs: list[Job] = []
        self.killed_at = killed_at

    def __call__(self, job: Job) -> dict[str, Any]:
        if len(self.jobs) == self.killed_at:
            raise KeyboardInterrupt
        self.jobs.append(job)
        return made_up(job)


def contest(path: Path, calls: Calls) -> Contest:
    return Contest(
        Kept(path), names=(OURS, "SIREN"), scenes=SCENES, perform=calls, say=lambda line: None
    )


def test_contestants_take_turns_and_every_seed_goes_once_around(tmp_path: Path) -> None:
    calls = Calls()
    contest(tmp_path / "runs.jsonl", calls).run()
    chased = [one for one in calls.jobs if one["targets"]]
    # On each of three pictures: fit, SIREN as published, SIREN at its best.
    assert [one["seed"] for one in chased] == [0] * 9 + [1] * 9 + [2] * 9
    assert [one["peer"] for one in chased[:3]] == [OURS, "SIREN", "SIREN"]
    assert [one["picture"] for one in chased[:9:3]] == list(SCENES)
    assert chased[1]["learning_rate"] == 1e-4 and chased[2]["learning_rate"] == 2e-4


def test_five_rates_are_tried_once_a_size_on_a_tenth(tmp_path: Path) -> None:
    calls = Calls()
    contest(tmp_path / "runs.jsonl", calls).run()
    tried = [one for one in calls.jobs if not one["targets"]]
    assert [one["picture"] for one in tried] == ["one@256"] * 5 + ["big@768"] * 5
    assert [one["learning_rate"] for one in tried[:5]] == [1e-4 * times for times in GRID]
    assert {(one["cap"], one["steps"]) for one in tried} == {(120.0, 1000)}


def test_repeats_chase_what_the_first_run_came_to(tmp_path: Path) -> None:
    calls = Calls()
    contest(tmp_path / "runs.jsonl", calls).run()
    repeats = [one for one in calls.jobs if one["seed"]]
    assert {tuple(one["targets"]) for one in repeats if one["peer"] == OURS} == {(30, 35, 40)}
    assert {tuple(one["targets"]) for one in repeats if one["peer"] != OURS} == {(30, 35)}


def test_a_contest_killed_at_any_run_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = Calls()
    contest(tmp_path / "whole.jsonl", whole).run()
    table = contest(tmp_path / "whole.jsonl", Calls(killed_at=0)).table()
    for at in range(0, len(whole.jobs), 5):
        path = tmp_path / f"{at}.jsonl"
        before, after = Calls(killed_at=at), Calls()
        with pytest.raises(KeyboardInterrupt):
            contest(path, before).run()
        contest(path, after).run()
        assert before.jobs + after.jobs == whole.jobs
        again = contest(path, Calls(killed_at=0))
        again.run()
        assert again.table() == table


def test_the_table_says_medians_and_what_was_not_reached(tmp_path: Path) -> None:
    held = contest(tmp_path / "runs.jsonl", Calls())
    assert "| SIREN | 0.0001, published | not run | not run | not run | – |" in held.table()
    held.run()
    lines = held.table().splitlines()
    # Seeds took 10, 11 and 12 seconds a decibel.
    siren = "330.0 (660.0) | 385.0 (770.0) | > 1200 (38.2 dB) | 11.0× |"
    assert f"| {OURS} | its own | 30.0 (60.0) | 35.0 (70.0) | 40.0 (80.0) |  |" in lines
    assert f"| SIREN | 0.0001, published | {siren}" in lines
    assert f"| SIREN | 0.0002, best of five | {siren}" in lines


def test_a_rate_at_the_edge_of_the_five_says_so(tmp_path: Path) -> None:
    def steeper(job: Job) -> dict[str, Any]:
        if job["targets"]:
            return made_up(job)
        return Found(psnr=job["learning_rate"]).as_dict()

    held = replace(contest(tmp_path / "runs.jsonl", Calls()), perform=steeper)
    held.run()
    assert "| SIREN | 0.0004, best of five, at the edge |" in held.table()


def test_standings_of_runs_that_ended_or_were_capped() -> None:
    capped = [Found(psnr=33.3).as_dict()]
    ended = [Found(psnr=36.0, end="ended", seconds=80.0).as_dict()]
    mine = [Found({"35": {"seconds": 6.0, "processor": 11.0, "steps": 1}}).as_dict()]
    assert standings.cell(capped, 35, 1200) == "> 1200 (33.3 dB)"
    assert standings.cell(ended, 40, 1200) == "ended at 80.0 (36.0 dB)"
    assert standings.cell([Found(end="diverged", seconds=2.0).as_dict()], 40, 9) == (
        "diverged at 2.0"
    )
    assert standings.times(capped, mine, 35, 1200) == "> 200×"
    assert standings.times(ended, mine, 35, 1200) == "never"
    assert standings.times(capped, capped, 35, 1200) == "–"
    # Two of three came to it: the median is the later of the two.
    two = [
        Found({"35": {"seconds": s, "processor": s, "steps": 1}}).as_dict() for s in (60.0, 90.0)
    ]
    assert standings.median([*two, *capped], 35, "seconds") == 90
    assert standings.cell([*capped, *capped, *two], 35, 1200).startswith("> 1200")
    # A first run that came to it, and two repeats that did not.
    assert standings.cell([two[0], *capped, *capped], 35, 1200) == "> 1200 (33.3 dB)"
    assert standings.times([two[0], *ended, *ended], mine, 35, 1200) == "never"


def test_all_contestants_run(tmp_path: Path) -> None:
    pytest.importorskip("siren_pytorch")
    said: list[str] = []
    held = replace(smoke(tmp_path / "smoke.jsonl"), say=said.append)
    held.run()
    assert len(said) >= len(NAMES) + 5 * len(PEERS)
    runs = [json.loads(line) for line in (tmp_path / "smoke.jsonl").read_text().splitlines()]
    assert {run["job"]["peer"] for run in runs} == set(NAMES)
    for run in runs:
        assert run["found"]["seconds"] > 0 and run["found"]["steps"] > 0
        assert run["found"]["end"] == "cap" and run["machine"]
    for peer in PEERS:
        assert f"| {peer} |" in held.table()
