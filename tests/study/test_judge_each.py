"""Each signal judged by itself: as a study on it alone would, but for the shared error."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from penchant.study import Results, Run, Study
from penchant.study._folder import verdicts_json
from penchant.study._question import score, soonest
from penchant.study._verdicts import verdicts
from penchant.tasks import Metric

UP = Metric("accuracy_held_out", "%", margin=1.0)
SIGNALS = ("two classes", "ten classes")
BASELINES = {"relu": "relu", "sine": "relu", "tanh": "relu"}


def runs_of(values: Any = None) -> list[Run]:
    draws = np.random.default_rng(0)
    return [
        Run(id=f"{signal} {design} {seed}", signal=signal, design=design, seed=seed, status="done",
            steps=1, seconds=0.0, parameters=1, settings={}, bands=(), curve=(),
            metrics={UP.name: 50 + 20 * (signal == SIGNALS[0]) * (design == "sine")
                     + float(draws.normal()) if values is None else values})
        for signal in SIGNALS
        for seed in range(8)
        for design in BASELINES
    ]  # fmt: skip


def test_each_is_what_a_study_on_it_alone_would_say() -> None:
    runs = runs_of()
    found = verdicts(runs, BASELINES, score(UP), 4, each=True)
    assert [(one.signal, one.design) for one in found] == [
        (signal, design) for signal in SIGNALS for design in ("sine", "tanh")
    ]
    for signal in SIGNALS:
        alone = verdicts([r for r in runs if r.signal == signal], BASELINES, score(UP), 4)
        mine = [one for one in found if one.signal == signal]
        assert [replace(one, signal="", sentence="") for one in mine] == [
            replace(one, sentence="") for one in alone
        ]
        assert [one.sentence for one in mine] == [f"On {signal}, {one.sentence}" for one in alone]
    assert found[0].verdict == "better" and found[0].n == 8, "seeds, not signals, are pairs"
    assert found[2].verdict != "better"


def test_across_signals_is_another_question() -> None:
    across = verdicts(runs_of(), BASELINES, score(UP), 2)
    assert [one.n for one in across] == [2, 2]
    assert {one.signal for one in across} == {""}
    assert all(one.verdict == "descriptive" for one in across)


def test_what_neither_reached_reads_as_a_sentence() -> None:
    found = verdicts(runs_of(), BASELINES, soonest(UP, 90.0, 100), 4, each=True)
    assert found[0].sentence == "On two classes, neither sine nor relu reached 90 % in any run."


def test_missed_runs_are_counted_on_the_signal_alone() -> None:
    question = replace(
        score(UP),
        goal="90 %",
        said_otherwise="these count as 0",
        answer=lambda run: (
            None
            if (run.signal, run.design, run.seed) == (SIGNALS[1], "tanh", 3)
            else run.metrics[UP.name]
        ),
        otherwise=lambda run: 0.0,
    )
    flags = {(one.signal, one.design): one.flag for one in verdicts(
        runs_of(), BASELINES, question, 4, each=True)}  # fmt: skip
    told = flags.pop((SIGNALS[1], "tanh"))
    assert told.endswith("1 of 8 runs of tanh never reached it; these count as 0.")
    assert set(flags.values()) == {""}


# In a study


@pytest.fixture
def results(waves: Callable, tiny: Callable[..., Study]) -> Results:
    signals = [waves("calm"), waves("wild", phase=1.0)]
    words: dict[str, Any] = {"also": ["psnr_seen"], "target": 5.0, "judge": "each"}
    return tiny(signals, **words).run()


def test_study_counts_all_its_comparisons(results: Results, tiny: Callable[..., Study]) -> None:
    assert results.plan["comparisons"] == 6, "two signals × (two metrics + the steps to a target)"
    assert [(one.metric, one.signal) for one in results.verdicts] == [
        ("psnr_held_out", "calm"),
        ("psnr_held_out", "wild"),
        ("psnr_seen", "calm"),
        ("psnr_seen", "wild"),
    ]
    assert [one.signal for one in results.target_verdicts] == ["calm", "wild"]
    for one in results.verdicts:
        values = {
            (run.design, run.seed): run.metrics[one.metric]
            for run in results.runs
            if run.signal == one.signal
        }
        gains = [values["sine", seed] - values["relu", seed] for seed in range(2)]
        assert one.mean_difference == pytest.approx(sum(gains) / 2)
        assert f"On {one.signal}, sine against relu" in one.sentence
        assert "99.2 % interval" in one.sentence, "1 − 0.05 / 6"


def test_verdicts_json_names_the_signal(results: Results) -> None:
    assert verdicts_json(results).count('"signal": "wild"') == 3


def test_one_signal_judged_by_itself_is_named_beside_the_sentence(
    tiny: Callable[..., Study],
) -> None:
    (one,) = tiny(judge="each").run().verdicts
    (across,) = tiny().run().verdicts
    assert one.signal == "waves"
    assert replace(one, signal="") == across


# What has no number


def test_what_is_undefined_is_described_and_not_judged() -> None:
    runs = [
        replace(run, metrics={UP.name: float("nan")})
        if (run.design, run.signal) == ("tanh", SIGNALS[0]) or (run.design, run.seed) == ("sine", 0)
        else run
        for run in runs_of()
    ]
    found = {
        (one.signal, one.design): one for one in verdicts(runs, BASELINES, score(UP), 4, each=True)
    }
    assert {one.verdict for key, one in found.items() if key != (SIGNALS[1], "tanh")} == {
        "descriptive"
    }
    whole, part = found[SIGNALS[0], "tanh"], found[SIGNALS[0], "sine"]
    assert whole.n == 0 and np.isnan(whole.mean_difference) and np.isnan(whole.interval).all()
    assert whole.sentence == (
        "On two classes, tanh against relu: accuracy_held_out is undefined in 8 of 8 runs of tanh; "
        "descriptive only."
    )
    assert part.n == 7 and part.mean_difference == pytest.approx(20, abs=2)
    assert "in 1 of 8 runs of sine" in part.sentence and part.needed is None


def test_infinite_numbers_break_nothing() -> None:
    runs = [
        replace(run, metrics={UP.name: float("inf")}) if run.design == "sine" else run
        for run in runs_of()
    ]
    sine, tanh = verdicts(runs, BASELINES, score(UP), 2)
    assert sine.verdict == "descriptive" and np.isnan(sine.mean_difference)
    assert np.isfinite(tanh.mean_difference)
