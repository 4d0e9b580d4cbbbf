"""Residual networks: claims run, judged on evidence of each kind, and what is read off runs."""

import math

import pytest
from claims.as_if import evidence_of, pairs_of
from claims.conftest import Smoke

from penchant.claims import NotRun, Setting, Statement, find
from penchant.claims import _residual_runs as runs
from penchant.study import Study

IDS = ["conv-features", "skip-form", "skip-gradients", "skip-overfitting"]
CLAIMS = {claim.id: claim for section in find(IDS) for claim in section.claims}


def statement_of(name: str) -> tuple[str, Statement]:
    id, _, which = name.partition("/")
    return id, next(one for one in CLAIMS[id].statements if one.name == which)


def test_a_sum_behind_the_activation_would_be_found() -> None:
    statement = statement_of("skip-form/sum")[1]
    evidence = dict(statement.gather(Setting("smoke", folder=None)))  # type: ignore[arg-type]
    evidence["checks"][0]["error"] = 0.1
    assert statement.rule.judge(evidence).word == "fails as written"


def test_the_example_of_a_block_is_its_formula(smoke: Smoke) -> None:
    example = evidence_of(smoke["skip-form"], "sum")["example"]
    sums = [max(a + z, 0) for a, z in zip(example["a"], example["z"], strict=True)]
    assert example["g(z + a)"] == pytest.approx(sums, abs=0.011)


@pytest.mark.parametrize(
    ("norms", "lost"), [([0.01, 0.1, 1.0, 5.0], 2.0), ([8.0, 2.0, 1.0, 0.1], -math.log10(8))]
)
def test_a_loss_is_positive_where_the_norm_shrinks_towards_the_input(
    norms: list[float], lost: float
) -> None:
    levels = runs._levels(norms)
    assert levels[0] == 0
    assert -levels[-1] == pytest.approx(lost)


@pytest.mark.parametrize("norms", [[0.0, 0.0, 1.0, 2.0], [math.inf, 1.0, 1.0], [1.0, 1.0], []])
def test_a_gradient_without_a_ratio_has_no_levels(norms: list[float]) -> None:
    assert runs._levels(norms) == []


def test_the_loss_is_the_studys_decay_with_its_sign(
    smoke: Smoke, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """|loss| is the study's own metric, and growth is the loss with its sign turned."""
    results = Study(
        "digits:samples=50,test=50",
        family="resnet",
        designs=[{"skip": "none", "depth": 8, "width": 4}],
        probes=["gradients"],
        seeds=2,
        steps=2,
        tune=0,
    ).run()
    lost = runs.gradient_change("none", runs.LOST)(results)
    grown = runs.gradient_change("none", runs.GROWN)(results)
    for one, metric in zip(lost, ("gradient_decay_start", "gradient_decay_end"), strict=True):
        found = [abs(value + runs.MUCH) for value in one["differences"]]
        assert found == pytest.approx([run.metrics[metric] for run in results.runs], abs=1e-6)
        assert one["levels"][0] == 0 and len(one["levels"]) == 7
    for one, other in zip(lost, grown, strict=True):
        turned = [-value - 2 * runs.MUCH for value in other["differences"]]
        assert one["differences"] == pytest.approx(turned)


def test_blocks_are_counted_and_paths_measured_against_their_number(
    smoke: Smoke,
) -> None:
    (share,) = pairs_of(evidence_of(smoke["skip-overfitting"], "linear"))
    possible = {-50.0, 100 / 3 - 50, 200 / 3 - 50, 50.0}  # of three blocks
    assert {round(value, 4) for value in share["differences"]} <= {round(p, 4) for p in possible}
    (paths,) = pairs_of(evidence_of(smoke["skip-overfitting"], "short-paths"))
    assert all(-1.5 <= value <= 1.5 for value in paths["differences"])


def test_what_has_no_such_profile_is_not_run() -> None:
    gather = runs.read_off({}, lambda results: [])
    with pytest.raises(NotRun, match="smoke"):
        gather(Setting("smoke", folder=None))  # type: ignore[arg-type]
