"""When a run came to each target, what it is charged for, and what is kept of it."""

import json
import math
from pathlib import Path

import pytest
import torch
from contest import Clock, Found, Kept, chase, psnr
from torch import Tensor

PICTURE = torch.zeros(4, 4, 1)


class Time:
    """Passes when it is told to; a processor's at twice the speed, as two threads would."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def clock(self) -> Clock:
        return Clock(now=lambda: (self.seconds, 2 * self.seconds))


class Improving:
    """Gains a quarter of a decibel a step, from 0; a step takes a second, a look ten."""

    def __init__(self, time: Time, knows: bool = True, ends_after: float = math.inf) -> None:
        self.time, self.knows, self.ends_after = time, knows, ends_after
        self.steps = self.looks = 0
        self.ended = False
        time.seconds += 3

    def step(self) -> float | None:
        error = 10 ** (-self.steps / 40)  # of the forward before the step
        self.steps += 1
        self.ended = self.steps >= self.ends_after
        self.time.seconds += 1
        return error if self.knows else None

    def picture(self) -> Tensor:
        self.looks += 1
        self.time.seconds += 10
        return PICTURE + 10 ** (-self.steps / 80)


def test_psnr_is_over_all_pixels_and_holds_colours_to_the_unit_interval() -> None:
    found = torch.zeros(2, 2, 1)
    found[0, 0] = 0.2
    assert psnr(found, torch.zeros(2, 2, 1)) == pytest.approx(-10 * math.log10(0.04 / 4))
    assert psnr(torch.full((2, 2, 3), 7.0), torch.ones(2, 2, 3)) == math.inf
    assert math.isnan(psnr(torch.full((2, 2, 3), math.nan), torch.ones(2, 2, 3)))


@pytest.mark.parametrize("knows", [True, False])
def test_each_target_has_the_time_at_which_it_was_first_reached(knows: bool) -> None:
    time = Time()
    found = chase(lambda: Improving(time, knows), PICTURE, [11.9, 8.6], 100, clock=time.clock())
    # Three seconds to build, then a quarter of a decibel a second; looks are not charged.
    assert found.reached == {
        "8.6": {"seconds": 38, "processor": 76, "steps": 35},
        "11.9": {"seconds": 51, "processor": 102, "steps": 48},
    }
    assert (found.end, found.steps, found.seconds, found.processor) == ("reached", 48, 51, 102)
    assert found.psnr == pytest.approx(12)


def test_what_knows_its_error_is_looked_at_only_near_a_target() -> None:
    time, made = Time(), []

    def build() -> Improving:
        made.append(Improving(time))
        return made[0]

    chase(build, PICTURE, [9.1], 100, clock=time.clock())
    assert made[0].looks == 2  # at 9 and 9.25 dB, the first whose own errors are half a dB away


def test_looks_are_a_hundredth_of_the_time_apart() -> None:
    time = Time()

    class Stuck(Improving):
        def picture(self) -> Tensor:
            self.looks += 1
            return PICTURE + 0.5

    fit = Stuck(time, knows=False)
    chase(lambda: fit, PICTURE, [30], 1000, clock=time.clock())
    assert fit.steps == 1000
    # Once a step for a hundred seconds, then ln(10) / ln(1.01) times, rounded up to whole seconds.
    assert 97 + 150 < fit.looks < 97 + 240


def test_a_cap_ends_a_run_with_the_score_that_it_has() -> None:
    time = Time()
    found = chase(lambda: Improving(time), PICTURE, [1.1, 50], 10, clock=time.clock())
    assert (found.end, found.seconds, found.steps) == ("cap", 10, 7)
    assert list(found.reached) == ["1.1"] and found.psnr == pytest.approx(1.75)


def test_a_schedule_that_ends_and_most_steps_end_a_run() -> None:
    time = Time()
    found = chase(lambda: Improving(time, ends_after=6), PICTURE, [50], 99, clock=time.clock())
    assert (found.end, found.steps) == ("ended", 6) and found.psnr == pytest.approx(1.5)
    found = chase(lambda: Improving(time), PICTURE, [], 99, most_steps=4, clock=time.clock())
    assert (found.end, found.steps) == ("cap", 4) and found.psnr == pytest.approx(1)


@pytest.mark.parametrize("knows", [True, False])
def test_a_run_that_diverges_is_marked(knows: bool) -> None:
    time = Time()

    class Broken(Improving):
        def step(self) -> float | None:
            super().step()
            return math.nan if self.knows else None

        def picture(self) -> Tensor:
            return PICTURE + math.nan

    found = chase(lambda: Broken(time, knows), PICTURE, [5], 99, clock=time.clock())
    assert found.end == "diverged" and not found.reached
    assert json.loads(json.dumps(found.as_dict()))["psnr"] is None


def job(number: int) -> dict[str, object]:
    return {"peer": f"peer {number % 2}", "seed": number}


def test_what_is_kept_is_found_by_its_job_whatever_the_order_of_its_keys(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "deep" / "runs.jsonl")
    assert kept.find(job(0)) is None
    kept.add(job(0), Found(psnr=31.0).as_dict(), load=1.5)
    again = Kept(kept.path)
    assert again.find({"seed": 0, "peer": "peer 0"}) == Found(psnr=31.0).as_dict()
    assert again.find(job(1)) is None
    assert json.loads(kept.path.read_text())["load"] == 1.5


def test_a_line_that_was_cut_short_is_run_again_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    kept = Kept(path)
    for number in range(3):
        kept.add(job(number), Found(steps=number).as_dict())
    whole = path.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for cut in range(1, last + 1):
        path.write_bytes(whole[:-cut])
        again = Kept(path)
        assert again.find(job(1)) is not None
        if cut > 1:  # without its end of line alone it is whole
            assert again.find(job(2)) is None
        again.add(job(2), Found(steps=7).as_dict())
        read = Kept(path)
        assert [read.find(job(n))["steps"] for n in range(3)] == [0, 1, 7]  # type: ignore[index]


def test_a_forgotten_peer_is_run_again_and_its_newest_run_counts(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "runs.jsonl")
    for number in range(2):
        kept.add(job(number), Found(steps=1).as_dict())
    kept.forget(["peer 0"])
    assert kept.find(job(0)) is None and kept.find(job(1)) is not None
    kept.add(job(0), Found(steps=2).as_dict())
    found = Kept(kept.path).find(job(0))
    assert found is not None and found["steps"] == 2
