"""ReLU on signals: claims run, judged on evidence of each kind, and their arithmetic."""

import math
from pathlib import Path

import pytest
from claims.as_if import evidence_of, pairs_of
from claims.conftest import Smoke

from penchant.claims import Claim, find
from penchant.claims import _spectral_bias as spectral
from penchant.claims._contrasts import Contrast, contrasted
from penchant.claims._lines import lines
from penchant.claims._relu_low_dim import _captured
from penchant.study import Study
from penchant.tasks import Metric

IDS = ["relu-bias", "relu-low-dim", "gaussian-bandwidth", "relu-encoding"]
CLAIMS = {claim.id: claim for section in find(IDS) for claim in section.claims}


def test_boundaries_are_held_against_others_and_the_truth(smoke: Smoke) -> None:
    """Against another activation is the difference of both against the truth."""
    pairs = pairs_of(evidence_of(smoke["relu-bias"], "shorter"))
    errors = pairs_of(evidence_of(smoke["relu-bias"], "straight-shapes"))
    assert {pair["facts"]["shape"] for pair in (*pairs, *errors)} == {"circle", "square"}
    truth = [pair for pair in pairs if pair["facts"]["to"] == "the true boundary"]
    assert all(value >= -100 for pair in truth for value in pair["differences"])


def test_a_gain_of_gains_is_their_difference(smoke: Smoke) -> None:
    pairs = pairs_of(evidence_of(smoke["relu-encoding"], "others-gain-less"))
    own = {p["facts"]["activation"]: p["differences"] for p in pairs if p["facts"]["gain"] == "own"}
    (more,) = (p["differences"] for p in pairs if p["facts"]["gain"] == "more")
    expected = [a - b for a, b in zip(own["gaussian"], own["relu"], strict=True)]
    assert more == pytest.approx(expected, abs=1e-6)


def test_contrasts_are_those_of_the_runs(tmp_path: Path) -> None:
    study = Study(
        ["plane:shape=line,test=50", "plane:shape=circle,test=50"],
        family="dense",
        vary={"activation": ["relu", "sine"], "width": [4]},
        seeds=2,
        steps=3,
        tune=0,
        out=tmp_path,
    )
    results = study.run()
    metric = Metric("accuracy_held_out", "%", margin=1.0)
    contrast = Contrast("sine", "relu", {"sine": 1, "relu": -1}, {"kind": "wave"})
    (across,) = contrasted(results, metric, [contrast])
    verdict = results.verdicts[0]
    assert across["differences"] == pytest.approx(verdict.differences, abs=1e-6)
    assert across["unit_of_n"] == "signals" and across["facts"] == {"kind": "wave"}
    alone = Contrast("sine", "nothing", {"sine": 1})
    doubled = contrasted(results, metric, [alone], lambda run: 2 * run.metrics[metric.name])[0]
    scores = [run.metrics[metric.name] for run in results.runs if run.design == "sine"]
    assert sum(doubled["differences"]) == pytest.approx(sum(scores))  # 2 · (2 means of 2 seeds)


def test_what_is_undefined_is_described(smoke: Smoke) -> None:
    study = Study("built-in", designs=[{"width": 4}, {"width": 5}], size=8, seeds=2, steps=1,
                  tune=0)  # fmt: skip
    results = study.run()
    metric = Metric("made_up", "", margin=1.0)
    contrast = Contrast("a", "b", {results.designs[0]: 1})
    (found,) = contrasted(results, metric, [contrast], lambda run: math.nan if run.seed else 1.0)
    assert found["described"] and found["differences"] == [1.0]


def test_what_is_captured_is_at_least_nothing() -> None:
    assert _captured([0.0, 1.0]) == 50
    assert _captured([0.25, 7.0, math.nan]) == pytest.approx(37.5)


def test_a_slow_wave_has_a_low_speed(smoke: Smoke) -> None:
    """The kernel's rate falls with frequency for ReLU, and steps are within their budget."""
    found = evidence_of(smoke["relu-bias"], "low-first")
    relu = found["speeds"][spectral.KERNEL.name]["relu"]
    assert relu[0] == 0 and relu[-1] < -1
    trained = found["speeds"][spectral.TRAINING.name]["relu"]
    assert all(abs(value) <= math.log10(10) for value in trained)


def test_lines_are_named_and_relus_are_ink() -> None:
    drawn = lines(
        "claim-x", "What it shows.", ["1", "2"], {"relu": [0.0, 1.0], "sine": [1.0, 2.0]},
        against="s", of="dB",
    )  # fmt: skip
    assert drawn.startswith("<svg") and 'aria-label="What it shows."' in drawn
    assert ">relu<" in drawn and ">sine<" in drawn and "var(--ink)" in drawn


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_there_is_no_figure_without_evidence(claim: Claim) -> None:
    assert claim.figure is not None and claim.figure({}) is None
