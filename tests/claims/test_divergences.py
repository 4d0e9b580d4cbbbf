"""The claims on divergences: run, judged on made-up evidence, and on planted faults."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from claims.conftest import Smoke
from claims.made_up import pair, study
from torch import Tensor

from penchant.claims import Evidence, Setting, find
from penchant.claims import _descent_checks as descent
from penchant.claims import _kl_checks as kl_checks
from penchant.claims import _kl_over_l2 as kl_over_l2
from penchant.claims import _l2_checks as l2_checks
from penchant.divergences import KL, L2, BinaryKL

(SECTION,) = find(["l2-half", "l2-sign", "descent", "kl-limits", "kl-sign", "kl-over-l2"])
CLAIMS = {claim.id: claim for claim in SECTION.claims}
STATEMENTS = {f"{id}/{one.name}": one for id, claim in CLAIMS.items() for one in claim.statements}
IDENTITIES = [
    name
    for name, one in STATEMENTS.items()
    if one.kind != "measured" and name != "kl-limits/nothing-to-do"
]


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting("smoke", tmp_path)


def test_verdicts_of_what_is_derived(smoke: Smoke) -> None:
    verdicts = {id: smoke[id].verdict for id in CLAIMS if id != "kl-over-l2"}
    assert verdicts.pop("kl-limits") == "holds under conditions"
    assert set(verdicts.values()) == {"holds"}


@pytest.mark.parametrize(
    ("output", "logit", "expected"),
    [
        ((0.0, 0.0), (0.0, 0.0), "holds"),
        ((-1.0, 1.0), (0.0, 0.0), "holds under conditions"),
        ((-1.0, 0.0), (0.0, 1e-9), "fails as written"),
    ],
)
def test_nothing_to_do_is_judged_by_every_derivative(
    output: tuple[float, float], logit: tuple[float, float], expected: str
) -> None:
    cases = [
        {"by": by, "case": f"d = y = {d}", "derivative": value}
        for by, values in (("the output y", output), ("the logit z", logit))
        for d, value in enumerate(values)
    ]
    ruling = STATEMENTS["kl-limits/nothing-to-do"].rule.judge({"cases": cases})
    assert ruling.word == expected
    if expected == "holds under conditions":
        assert ruling.conditions == ({"with respect to": "the logit z"},)


def test_nothing_to_do_holds_for_the_logit_alone(smoke: Smoke) -> None:
    ruling = smoke["kl-limits"].rulings["nothing-to-do"]
    assert ruling.word == "holds under conditions"
    assert ruling.conditions == ({"with respect to": "the logit z"},)
    assert "−1 at d = y = 1" in ruling.sentence


MEASURED = {
    "bad-starts": ("worse", {"metric": "steps_to_90", "start_bias": 10.0}),
    "faster": ("worse", {"metric": "steps_to_80", "start_bias": 0.0}),
    "same-end": ("equivalent", {"metric": "accuracy_held_out", "start_bias": 0.0}),
    "gaussian-noise": ("worse", {"metric": "psnr_held_out"}),
}


def _pairs(words: list[str], facts: Mapping[str, Any]) -> Evidence:
    """Comparisons that a rule reads, and beside them one of another metric that it must not."""
    lower = str(facts["metric"]).startswith("steps")
    turned = {"better": "worse", "worse": "better"} if lower else {}
    axes = {key: value for key, value in facts.items() if key != "metric"}
    found = [
        pair(
            turned.get(word, word),
            metric=facts["metric"],
            higher_is_better=not lower,
            facts={**axes, "optimizer": f"o{index}"},
        )
        for index, word in enumerate(words)
    ]
    found.append(pair("better", metric="another", facts=axes))
    if "start_bias" in axes:
        found.append(pair("better", metric=facts["metric"], facts={"start_bias": 3.0}))
    return {"studies": [study(found)]}


@pytest.mark.parametrize("name", MEASURED)
def test_measured_statements(name: str) -> None:
    wanted, facts = MEASURED[name]
    rule = STATEMENTS[f"kl-over-l2/{name}"].rule
    assert rule.judge(_pairs([wanted, wanted], facts)).word == "holds"
    partly = rule.judge(_pairs([wanted, "better"], facts))
    assert partly.word == "holds under conditions"
    assert [one["optimizer"] for one in partly.conditions] == ["o0"]
    assert rule.judge(_pairs(["better", "better"], facts)).word == "fails as written"
    assert rule.judge(_pairs(["inconclusive"], facts)).word == "undecided"
    assert rule.judge(_pairs([], facts)).word == "not run"


def _shifted(right: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *given, **named: right(*given, **named) + 1e-6


@pytest.mark.parametrize(
    ("kind", "method", "gather"),
    [
        (L2, "derivative", l2_checks.half),
        (L2, "derivative", l2_checks.size),
        (L2, "parts", l2_checks.half),
        (L2, "parts", kl_over_l2.matching),
        (BinaryKL, "parts", kl_checks.right),
        (BinaryKL, "slopes", kl_checks.signs),
        (KL, "matched_parts", kl_checks.from_logits),
        (BinaryKL, "matched_parts", kl_checks.from_logits),
        (descent.GradientDescent, "step", descent.update),
        (descent.GradientDescent, "step", descent.decreases),
    ],
)
def test_a_planted_fault_is_found(
    kind: type,
    method: str,
    gather: Callable[[Setting], Evidence],
    setting: Setting,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert max(check["error"] for check in gather(setting)["checks"]) <= 1e-12
    wrong = _twice if method == "step" else _shifted
    monkeypatch.setattr(kind, method, wrong(getattr(kind, method)))
    assert max(check["error"] for check in gather(setting)["checks"]) > 1e-8


def _twice(step: Callable[..., None]) -> Callable[..., None]:
    def both(self: Any) -> None:
        step(self)
        step(self)

    return both
