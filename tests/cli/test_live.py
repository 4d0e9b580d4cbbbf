"""The view of a study at work, driven by events that never happened."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from cli.conftest import lines_of

from penchant.cli._live import Bars, Lines
from penchant.cli._screen import Screen
from penchant.cli._tally import Tally
from penchant.study import CoordinateDesign, Finished, Job, Progress, Run

STEPS = 100


def _job(design: str, seed: int, *, validation: bool = False) -> Job:
    return Job(
        task=0,
        signal="cat",
        design=design,
        settings=CoordinateDesign(activation=design, width=8),
        seed=seed,
        steps=STEPS,
        batch=64,
        metric="psnr_held_out",
        validation=validation,
    )


def _finished(job: Job, score: float = 30.0, *, diverged: bool = False) -> Finished:
    run = Run(
        id=str(job.seed),
        signal=job.signal,
        design=job.design,
        seed=job.seed,
        status="diverged" if diverged else "done",
        steps=job.steps,
        seconds=1.0,
        parameters=10,
        settings={},
        metrics={job.metric: score},
        bands=(),
        curve=(),
    )
    return Finished(job, run, b"")


PILOTS = [_job(design, 1_000_000, validation=True) for design in ("relu", "sine")]
RUNS = [_job(design, seed) for seed in range(3) for design in ("relu", "sine")]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def _perform(
    listen: Callable[[Progress | Finished], None], clock: Clock, job: Job, seconds: float
) -> None:
    listen(Progress(job, 0, 10.0))
    clock.now += seconds / 2
    listen(Progress(job, STEPS // 2, 20.0))
    clock.now += seconds / 2
    listen(_finished(job))


def test_time_left_follows_each_designs_own_cost(clock: Clock) -> None:
    tally = Tally(RUNS, RUNS, estimate=50.0, workers=2)
    clock.now += 3
    assert tally.seconds_left() == 47
    _perform(tally.add, clock, RUNS[0], 4.0)
    # relu has 2 runs of 4 s left; sine is taken to cost as much, for its 3.
    assert tally.seconds_left() == pytest.approx((2 * 4 + 3 * 4) / 2)
    _perform(tally.add, clock, RUNS[1], 10.0)
    assert tally.seconds_left_for(False, "sine") == pytest.approx(2 * 10 / 2)
    tally.add(Progress(RUNS[2], 0, 10.0))
    clock.now += 2
    tally.add(Progress(RUNS[2], STEPS // 2, 10.0))
    assert tally.seconds_left() == pytest.approx((1.5 * 4 + 2 * 10) / 2)
    assert tally.count(False) == (2, 6)


def test_what_was_done_before_counts_as_done(clock: Clock) -> None:
    tally = Tally(PILOTS + RUNS, RUNS[1:], estimate=50.0, workers=1)
    assert (tally.count(True), tally.count(False)) == ((2, 2), (1, 6))
    assert tally.kept() == "3 of 8 runs and pilots"
    for job in RUNS[1:]:
        _perform(tally.add, clock, job, 1.0)
    assert tally.seconds_left() == 0
    assert tally.count(False) == (6, 6)


def test_lines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    listen = Lines(Tally(PILOTS + RUNS, PILOTS + RUNS, 50.0, 1), "dB")
    for job in PILOTS:
        _perform(listen, clock, job, 0.5)
    for job in RUNS:
        _perform(listen, clock, job, 1.0)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "pilots: 2 to do",
        "pilots: 2/2, sine: 30.00 dB; 3.0 s left in all",
        "runs: 6 to do",
        "runs: 2/6, sine with seed 0: 30.00 dB; 3.0 s left in all",
        "runs: 4/6, sine with seed 1: 30.00 dB; 1.7 s left in all",
        "runs: 6/6, sine with seed 2: 30.00 dB; 0.0 s left in all",
    ]


def test_lines_say_which_of_several_signals(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [RUNS[0], replace(RUNS[0], task=1, signal="dog")]
    listen = Lines(Tally(jobs, jobs, 50.0, 1), "dB")
    for job in jobs:
        _perform(listen, clock, job, 6.0)
    assert (
        capsys.readouterr().err.splitlines()[-1].startswith("runs: 2/2, relu with seed 0 on dog: ")
    )


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    return Screen()


def _drawn(bars: Bars) -> list[str]:
    with bars.screen.capture() as captured:
        bars.screen.print(bars.render())
    return lines_of(captured.get())


def test_bars(clock: Clock, terminal: Screen) -> None:
    bars = Bars(Tally(PILOTS + RUNS, PILOTS + RUNS, 50.0, 2), "dB", terminal)
    assert _drawn(bars) == ["starting..."]
    bars(Progress(PILOTS[0], 0, 10.0))
    bars(Progress(PILOTS[1], 0, 10.0))
    clock.now += 3
    bars(Progress(PILOTS[0], 50, 21.5))
    head, relu, sine = _drawn(bars)
    assert head.startswith("pilots 0/2, ")
    assert [word for word in relu.split() if "━" not in word] == [
        *("relu", "0/1", "step", "50", "21.50", "dB", "1.5", "s")
    ]
    assert [word for word in sine.split() if "━" not in word] == [
        *("sine", "0/1", "step", "0", "10.00", "dB", "3.0", "s")
    ]
    assert len(relu) <= 80


def test_bars_start_anew_with_the_runs(clock: Clock, terminal: Screen) -> None:
    bars = Bars(Tally(PILOTS + RUNS, PILOTS + RUNS[1:], 50.0, 1), "dB", terminal)
    for job in PILOTS:
        _perform(bars, clock, job, 1.0)
    with terminal.capture() as said:
        bars(Progress(RUNS[1], 0, float("nan")))
    assert said.get() == "2 pilots in 2.0 s\n"
    head, relu, sine = _drawn(bars)
    assert head == "runs 1/6, 5.0 s left in all"
    assert relu.split()[-3:] == ["1/3", "2.0", "s"]
    assert sine.split()[-5:] == ["0/3", "step", "0", "3.0", "s"]
    bars(_finished(RUNS[1], diverged=True))
    assert "diverged" in _drawn(bars)[2]
    for job in RUNS[2:]:
        _perform(bars, clock, job, 1.0)
    assert _drawn(bars) == ["writing results..."]


def test_a_low_terminal_shows_designs_at_work(
    clock: Clock, terminal: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINES", "6")
    screen = Screen()
    names = ("relu", "gelu", "silu", "elu", "tanh", "sine")
    jobs = [_job(name, 0) for name in names]
    bars = Bars(Tally(jobs, jobs, 50.0, 1), "dB", screen)
    _perform(bars, clock, jobs[0], 1.0)
    bars(Progress(jobs[4], 0, 10.0))
    rows = _drawn(bars)[1:]
    assert [row.split()[0] for row in rows] == ["gelu", "silu", "tanh"]
