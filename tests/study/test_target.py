"""The steps to a target: against an obvious reference, and the verdicts that come of them."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.errors import PenchantError
from penchant.study import Moment, Results, Run, Study, judge
from penchant.study._question import score, soonest
from penchant.study._target import SHARE, steps_to, target_metric
from penchant.study._verdicts import verdicts
from penchant.tasks import Metric

UP = Metric("accuracy_held_out", "%", margin=1.0)
DOWN = Metric("nll_held_out", "nats", margin=0.05, higher_is_better=False)
BUDGET = 300

Tiny = Callable[..., Study]


def run(
    curve: list[tuple[int, float]],
    metric: Metric = UP,
    *,
    status: str = "done",
    design: str = "relu",
    seed: int = 0,
    signal: str = "digits",
) -> Run:
    moments = tuple(Moment(step, 0.0, {metric.name: value}, ()) for step, value in curve)
    return Run(
        id=f"{signal} {design} {seed}", signal=signal, design=design, seed=seed, status=status,  # type: ignore[arg-type]
        steps=curve[-1][0], seconds=0.0, parameters=1, settings={},
        metrics={metric.name: curve[-1][1]}, bands=(), curve=moments,
    )  # fmt: skip


def walked(curve: list[tuple[int, float]], better: int, target: float) -> float | None:
    """The obvious reference: walk along the straight lines between looks, in small steps."""
    known = [(step, value) for step, value in curve if not math.isnan(value)]
    if known and better * known[0][1] >= better * target:
        return known[0][0]
    for (step, value), (later, other) in itertools.pairwise(known):
        for share in np.linspace(0, 1, 1001):
            here = (1 - share) * value + share * other
            if better * here >= better * target:
                return float(step + share * (later - step))
    return None


values = st.integers(-40, 40).map(float)
curves = st.lists(st.tuples(st.integers(1, 50), values | st.just(math.nan)), min_size=1).map(
    lambda pairs: [
        (step, value)
        for step, value in zip(
            itertools.accumulate((gap for gap, _ in pairs[1:]), initial=0),
            (value for _, value in pairs),
            strict=True,
        )
    ]
)


@settings(deadline=None, max_examples=150)
@given(curves, values, st.booleans(), st.booleans())
def test_is_where_a_walk_along_the_curve_first_meets_it(
    curve: list[tuple[int, float]], target: float, up: bool, monotone: bool
) -> None:
    better = 1 if up else -1
    if monotone:
        ordered = iter(sorted((v for _, v in curve if not math.isnan(v)), reverse=not up))
        curve = [(step, value if math.isnan(value) else next(ordered)) for step, value in curve]
    metric = UP if up else DOWN
    found, expected = steps_to(run(curve, metric), metric, target), walked(curve, better, target)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        widest = max(step for step, _ in curve)
        assert found == pytest.approx(expected, abs=1.1e-3 * widest + 1e-9), "a step of the walk"


@given(curves, values)
def test_lower_is_better_mirrors_higher(curve: list[tuple[int, float]], target: float) -> None:
    mirrored = [(step, -value) for step, value in curve]
    assert steps_to(run(curve), UP, target) == steps_to(run(mirrored, DOWN), DOWN, -target)


@given(curves, values, st.integers(0, 10))
def test_harder_targets_take_no_fewer_steps(
    curve: list[tuple[int, float]], target: float, more: int
) -> None:
    soon, late = (steps_to(run(curve), UP, goal) for goal in (target, target + more))
    assert late is None or (soon is not None and soon <= late)


@pytest.mark.parametrize(
    ("curve", "target", "expected"),
    [
        ([(0, 50.0), (10, 60.0)], 50.0, 0.0),  # reached at the first look
        ([(0, 70.0), (10, 40.0)], 50.0, 0.0),
        ([(0, 50.0), (10, 60.0)], 55.0, 5.0),
        ([(0, 50.0), (10, 60.0)], 60.0, 10.0),
        ([(0, 50.0), (10, 60.0)], 60.1, None),
        ([(0, 10.0), (10, 90.0), (20, 20.0), (30, 95.0)], 50.0, 5.0),  # the first time counts
        ([(0, 10.0), (10, math.nan), (20, 30.0)], 20.0, 10.0),
        ([(0, math.nan), (10, 30.0)], 20.0, 10.0),
        ([(0, math.nan), (10, math.nan)], 20.0, None),
        ([(0, -math.inf), (10, 30.0)], 20.0, 10.0),
        ([(0, 10.0), (10, math.inf)], 20.0, 10.0),
        ([(0, 10.0), (10, 10.0)], 20.0, None),
    ],
)
def test_known_curves(
    curve: list[tuple[int, float]], target: float, expected: float | None
) -> None:
    assert steps_to(run(curve), UP, target) == expected


def test_diverged_run_reaches_nothing() -> None:
    curve = [(0, 10.0), (10, 90.0), (12, 95.0)]
    assert steps_to(run(curve), UP, 50.0) == 5.0
    assert steps_to(run(curve, status="diverged"), UP, 50.0) is None


def test_looks_without_the_metric_are_passed_over() -> None:
    other = Moment(5, 0.0, {"psnr_held_out": 99.0}, ())
    whole = run([(0, 10.0), (10, 30.0)])
    curve = (whole.curve[0], other, whole.curve[1])
    assert steps_to(Run(**{**vars(whole), "curve": curve}), UP, 20.0) == 5.0


def test_steps_are_a_metric_of_which_fewer_are_better() -> None:
    metric = target_metric(97.5, 500)
    assert (metric.name, metric.unit) == ("steps_to_97.5", "steps")
    assert metric.margin == SHARE * 500 and not metric.higher_is_better


# Verdicts


def reaching(steps: dict[str, list[float | None]], signal: str = "digits") -> list[Run]:
    """Runs that reach 50 after so many steps, one a seed."""
    return [
        run([(0, 0.0), (BUDGET, 50.0 * BUDGET / after if after else 1.0)],
            design=design, seed=seed, signal=signal)
        for design, found in steps.items()
        for seed, after in enumerate(found)
    ]  # fmt: skip


def judged(runs: list[Run], designs: tuple[str, ...]):  # type: ignore[no-untyped-def]
    question = soonest(UP, 50.0, BUDGET)
    return verdicts(runs, dict.fromkeys(designs, designs[0]), question, 2 * (len(designs) - 1))


def test_sooner_is_better() -> None:
    runs = reaching(
        {
            "relu": [100.0, 102.0, 98.0, 104.0, 96.0, 100.0],
            "sine": [52.0, 48.0, 50.0, 51.0, 49.0, 50.0],
            "tanh": [203.0, 200.0, 199.0, 198.0, 200.0, 201.0],
        }
    )
    sine, tanh = judged(runs, ("relu", "sine", "tanh"))
    assert (sine.verdict, tanh.verdict) == ("better", "worse")
    assert sine.mean_difference == pytest.approx(-50) and sine.unit == "steps"
    assert sine.metric == "steps_to_50" and sine.flag == "" == tanh.flag
    assert "better than relu by 50" in sine.sentence


def test_runs_that_never_reach_it_count_as_the_budget_and_are_flagged() -> None:
    runs = reaching({"relu": [100.0] * 5 + [None], "sine": [200.0, 201.0, 199.0, None, None, 200]})
    (verdict,) = judged(runs, ("relu", "sine"))
    assert verdict.mean_difference == pytest.approx((100 + 101 + 99 + 200 + 200 - 100) / 6)
    assert verdict.flag.endswith(
        "2 of 6 runs of sine never reached it and 1 of 6 runs of relu never reached it; these "
        "count as the whole budget."
    )
    assert ".;" not in verdict.flag and "  " not in verdict.flag


@pytest.mark.parametrize("seeds", [1, 2, 6, 10])
def test_nothing_is_known_where_neither_ever_reached_it(seeds: int) -> None:
    """Two caps are equal, which says nothing of what lies beyond them."""
    (verdict,) = judged(
        reaching({"relu": [None] * seeds, "sine": [None] * seeds}), ("relu", "sine")
    )
    assert verdict.verdict == ("descriptive" if seeds < 6 else "inconclusive")
    assert verdict.sentence == "Neither sine nor relu reached 50 % in any run."


def test_all_runs_diverged_at_once() -> None:
    """Even then there is a budget, and so a margin."""
    runs = [
        run([(0, 10.0)], status="diverged", design=design, seed=seed)
        for design in ("relu", "sine")
        for seed in range(6)
    ]
    (verdict,) = judged(runs, ("relu", "sine"))
    assert verdict.verdict == "inconclusive" and "Neither" in verdict.sentence


def test_diverged_run_counts_as_the_whole_budget() -> None:
    runs = reaching({"relu": [100.0] * 6, "sine": [100.0] * 6})
    runs[-1] = run([(0, 0.0), (7, 90.0)], status="diverged", design="sine", seed=5)
    (verdict,) = judged(runs, ("relu", "sine"))
    assert verdict.mean_difference == pytest.approx((BUDGET - 100) / 6)
    assert "1 of 6 runs of sine never reached it" in verdict.flag
    assert "diverged" not in verdict.flag, "what it is scored as says nothing of steps"


def test_signals_are_averaged_over_seeds() -> None:
    runs = [
        one
        for signal, gain in (("a", 10.0), ("b", 30.0))
        for one in reaching({"relu": [100.0, 120.0], "sine": [100 - gain, 120 - gain]}, signal)
    ]
    (verdict,) = judged(runs, ("relu", "sine"))
    assert verdict.n == 2 and verdict.mean_difference == pytest.approx(-20)


@pytest.mark.parametrize("families", [1, 2])
def test_families_share_the_error(families: int) -> None:
    draws = np.random.default_rng(0)
    scores = {label: (60 + draws.normal(size=8)).tolist() for label in ("relu", "sine", "tanh")}
    runs = [
        run([(0, 0.0), (BUDGET, score)], design=label, seed=seed)
        for label, found in scores.items()
        for seed, score in enumerate(found)
    ]
    for found in verdicts(runs, dict.fromkeys(scores, "relu"), score(UP), families * 2):
        pairs = zip(scores[found.design], scores["relu"], strict=True)
        assert found == judge(
            [mine - base for mine, base in pairs],
            design=found.design, baseline="relu", metric=UP, margin=1.0,
            comparisons=families * 2, unit_of_n="seeds",
        )  # fmt: skip
    if families == 2:
        (sine, _) = judged(runs, tuple(scores))
        steps = {(one.design, one.seed): steps_to(one, UP, 50.0) for one in runs}
        differences = [steps["sine", seed] - steps["relu", seed] for seed in range(8)]  # type: ignore[operator]
        metric = target_metric(50, BUDGET)
        assert sine == judge(
            differences, design="sine", baseline="relu", metric=metric, margin=metric.margin,
            comparisons=4, unit_of_n="seeds",
        )  # fmt: skip


# In a study


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("target")
    words: dict = {"designs": [{"activation": "relu"}, {"activation": "tanh"}], "target": 80}
    return Study("digits", seeds=2, steps=40, tune=0, out=folder, **words).run()


def test_every_run_has_its_steps(results: Results) -> None:
    frame = results.to_pandas()
    column = dict(zip(frame["run"], frame["steps_to_target"], strict=True))
    for one in results.runs:
        steps = steps_to(one, UP, 80)
        assert results.steps_to_target[one.id] == steps
        reached = max(moment.metrics["accuracy_held_out"] for moment in one.curve) >= 80
        assert (steps is not None) == reached and pd.isna(column[one.id]) == (steps is None)
        if steps is not None:
            assert 0 < steps <= 40 and column[one.id] == steps


def test_results_csv_has_the_column(results: Results) -> None:
    assert results.folder is not None
    table = pd.read_csv(Path(results.folder, "results.csv"))
    assert table.columns[-1] == "steps_to_target"
    np.testing.assert_allclose(
        table["steps_to_target"], results.to_pandas()["steps_to_target"].astype(float)
    )


def test_verdicts_of_both_kinds(results: Results) -> None:
    (verdict,), (steps,) = results.verdicts, results.target_verdicts
    alone, shared = (verdicts(results.runs, results.baselines, score(UP), m)[0] for m in (1, 2))
    assert verdict == shared != alone, "a study with a target makes twice the comparisons"
    assert (verdict.metric, steps.metric) == ("accuracy_held_out", "steps_to_80")
    assert (steps.design, steps.baseline) == ("tanh", "relu")
    found = [results.steps_to_target[one.id] for one in results.runs]
    capped = [40 if one is None else one for one in found]
    assert steps.mean_difference == pytest.approx(
        (capped[1] - capped[0] + capped[3] - capped[2]) / 2
    )


def test_without_a_target_there_is_nothing_of_it(tiny: Tiny) -> None:
    found = tiny().run()
    assert found.target_verdicts == () and found.steps_to_target == {}
    assert "steps_to_target" not in found.to_pandas().columns


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        ("digits", {"metric": "ece_seen"}),
        ("digits", {"metric": "ece_held_out"}),
        ("built-in", {"metric": "ssim_held_out"}),
        ("built-in", {"metric": "ssim_seen", "held_out": "none"}),
    ],
)
def test_metric_that_is_scored_at_the_end_has_no_target(signal: str, words: dict) -> None:
    """Every run would reach it at its last step or never, and all would look alike."""
    with pytest.raises(PenchantError) as caught:
        Study(signal, size=16, target=0.9, **words)
    message = str(caught.value)
    assert "target=0.9" in message and words["metric"] in message and "\n" not in message
    assert "accuracy_held_out" in message or "psnr_seen" in message


@pytest.mark.parametrize(("signal", "size"), [("digits", 16), ("built-in", 16)])
def test_watched_metrics_are_scored_on_the_way_and_no_others(signal: str, size: int) -> None:
    study = Study(signal, size=size, seeds=1, steps=16, tune=0, designs=[{"width": 8}])
    (one,) = study.run().runs
    for metric in study.tasks[0].metrics:
        looks = [metric.name in moment.metrics for moment in one.curve]
        assert looks[-1] and all(looks[:-1]) == any(looks[:-1]) == metric.watched, metric.name


def test_seen_quality_of_a_picture_may_be_a_target(tiny: Tiny) -> None:
    found = tiny(metric="psnr_seen", target=5.0).run()
    assert {found.steps_to_target[one.id] for one in found.runs} == {0.0}
    (verdict,) = found.target_verdicts
    assert verdict.mean_difference == 0 and verdict.metric == "steps_to_5"
