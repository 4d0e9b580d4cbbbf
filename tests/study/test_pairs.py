"""Baselines by fields: each design beside the one that differs from it in these alone."""

from collections.abc import Callable
from typing import Any

import pytest

from penchant.errors import PenchantError
from penchant.study import Plan, Results, Run, Study
from penchant.study._question import score
from penchant.study._verdicts import comparisons, verdicts
from penchant.study._warnings import plan_warnings
from penchant.study._width import parameters
from penchant.tasks import Metric

Tiny = Callable[..., Study]

UP = Metric("accuracy_held_out", "%", margin=1.0)
GRID = {"activation": ["relu", "sine"], "encoding": ["none", "nerf"], "depth": [2, 3]}


def plan(baseline: str, **words: Any) -> Plan:
    return Plan.of({"vary": GRID, "baseline": baseline, **words})


def refusal(words: dict[str, Any]) -> str:
    with pytest.raises(PenchantError) as caught:
        Plan.of(words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("baseline", "fields"),
    [
        ("encoding=none", {"encoding": "none"}),
        ("depth=2", {"depth": 2}),
        (" encoding = none , depth = 3", {"encoding": "none", "depth": 3}),
    ],
)
def test_partner_differs_in_the_fields_alone(baseline: str, fields: dict[str, Any]) -> None:
    chosen = plan(baseline)
    designs, baselines = chosen.labelled(), chosen.baselines()
    assert list(baselines) == list(designs) and len(set(baselines.values())) > 1
    for label, partner in baselines.items():
        mine = designs[label].model_dump()
        assert designs[partner].model_dump() == {**mine, **fields}
        assert (label == partner) == all(mine[name] == value for name, value in fields.items())


def test_fields_that_one_design_has_name_everyones_baseline() -> None:
    chosen = plan("activation=sine,encoding=none,depth=3")
    assert set(chosen.baselines().values()) == {chosen.baseline_label()}
    assert chosen.labelled()[chosen.baseline_label()].identity["depth"] == 3
    assert len(chosen.baselines()) == 8


def test_words_and_label_of_the_baseline() -> None:
    assert plan("encoding=none").baseline_label() == "encoding=none"
    label = next(iter(plan("encoding=none").labelled()))
    assert "=" in label and set(plan(label).baselines().values()) == {label}


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            {"designs": [{"width": 8, "depth": 2}, {"width": 8, "depth": 4}],
             "baseline": "depth=3"},
            ["baseline='depth=3' is not in the plan"],
        ),
        (
            {"vary": {"width": [7, 8], "depth": [3, 4]}, "designs": [{"width": 9, "depth": 4}],
             "baseline": "depth=3"},
            ["baseline='depth=3'", "2 designs have it", "differs from relu depth=4 width=9 in"],
        ),
        (
            {"designs": [{"width": 8}, {"width": 7}, {"width": 8, "depth": 4}],
             "baseline": "depth=3"},
            ["baseline='depth=3'", "no design differs from relu depth=3 width=7", "in depth alone"],
        ),
        ({"vary": GRID, "baseline": "deph=2"}, ["axis 'deph' is unknown", "'depth'"]),
        ({"vary": GRID, "baseline": "depth=0"}, ["baseline='depth=0'", "greater than"]),
        ({"vary": GRID, "baseline": "depth=5"}, ["baseline='depth=5' is not in the plan"]),
        ({"vary": GRID, "baseline": "depth="}, ["baseline 'depth='", "not of the form axis=value"]),
    ],
)  # fmt: skip
def test_no_partner_is_one_helpful_line(words: dict[str, Any], parts: list[str]) -> None:
    message = refusal(words)
    assert all(part in message for part in parts), message


def test_fingerprint_follows_the_pairs_not_the_spelling() -> None:
    assert plan("encoding=none").fingerprint() == plan(" encoding = none").fingerprint()
    assert plan("encoding=none").fingerprint() != plan("depth=2").fingerprint()


def runs_of(chosen: Plan, seeds: int = 6) -> list[Run]:
    """Runs whose scores are known: 10 a layer, 1 for an encoding, and a seed's own tenths."""
    return [
        Run(id=f"{label} {seed}", signal="a", design=label, seed=seed, status="done", steps=1,
            seconds=0.0, parameters=1, settings={}, bands=(), curve=(),
            metrics={UP.name: 10 * one.identity["depth"] + (one.identity["encoding"] != "none")
                     + 0.1 * seed * one.identity["depth"]})
        for label, one in chosen.labelled().items()
        for seed in range(seeds)
    ]  # fmt: skip


def test_verdicts_are_against_each_designs_own() -> None:
    chosen = plan("depth=2")
    found = verdicts(runs_of(chosen), chosen.baselines(), score(UP), 4)
    assert [(one.design, one.baseline) for one in found] == [
        (label, partner) for label, partner in chosen.baselines().items() if label != partner
    ]
    assert len(found) == 4
    for one in found:
        assert one.mean_difference == pytest.approx(10 + 0.25) and one.verdict == "better"
        assert f"better than {one.baseline} by" in one.sentence and one.signal == ""


def test_error_is_shared_among_the_pairs() -> None:
    baselines = plan("depth=2").baselines()
    assert comparisons(baselines, 1, 3) == 4
    assert comparisons(baselines, 3, 3) == 12
    assert comparisons(baselines, 3, 3, each=True) == 36


def test_results_say_who_is_compared_with_whom(tiny: Tiny) -> None:
    vary = {"activation": ["relu", "sine"], "encoding": ["none", "nerf"]}
    found: Results = tiny(vary=vary, baseline="encoding=none", also=["ssim_held_out"]).run()
    assert found.baselines == {
        "relu": "relu", "relu+nerf": "relu", "sine": "sine", "sine+nerf": "sine",
    }  # fmt: skip
    assert found.plan["baseline"] == "encoding=none" and found.plan["comparisons"] == 4
    assert [(one.metric, one.design, one.baseline) for one in found.verdicts] == [
        (metric, f"{activation}+nerf", activation)
        for metric in ("psnr_held_out", "ssim_held_out")
        for activation in ("relu", "sine")
    ]


def test_unequal_parameters_are_told_pair_by_pair(tiny: Tiny) -> None:
    """Depths differ in size by their nature; what is compared does not."""
    vary = {"activation": ["relu", "sine"], "depth": [2, 4]}
    pairs = tiny(vary=vary, baseline="activation=relu")
    assert not [warning for warning in pairs.warnings if "not equal" in warning]
    alone = tiny(vary=vary)
    (warning,) = [warning for warning in alone.warnings if "not equal" in warning]
    vary = {"encoding": ["none", "nerf"], "depth": [2, 4]}
    chosen = tiny(vary=vary, baseline="encoding=none")
    (warning,) = [warning for warning in chosen.warnings if "not equal" in warning]
    task, designs = chosen.tasks[0], chosen.designs[0]
    for label, one in designs.items():
        count = parameters(one, one.width or 0, task.shape, task.outputs)
        assert f"{count:,} ({label})" in warning
    assert warning.count(";") == 1 and plan_warnings(chosen.plan, designs, task)[0] == warning


def test_matched_parameters_follow_each_designs_own(tiny: Tiny, waves: Callable) -> None:
    study = tiny(
        waves(size=(64, 64)),
        vary={"depth": [2, 4], "encoding": ["none", "nerf"]},
        baseline="encoding=none",
        match="parameters",
    )
    task = study.tasks[0]
    sizes = {
        label: parameters(one, one.width or 0, task.shape, task.outputs)
        for label, one in study.designs[0].items()
    }
    for label, partner in study.plan.baselines().items():
        assert sizes[label] == pytest.approx(sizes[partner], rel=0.05), sizes
    assert max(sizes.values()) < 1.05 * min(sizes.values()), "baselines, too"
