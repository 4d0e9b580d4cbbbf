"""The sigmoid as a posterior: run, judged on evidence of each kind, and on a planted fault."""

from collections.abc import Mapping

import pytest
import torch
from claims.as_if import evidence_of, read_by
from claims.conftest import Smoke
from claims.made_up import identity

from penchant.claims import Record, find
from penchant.claims import _posterior_checks as checks
from penchant.tasks import GaussianClasses

((CLAIM,),) = (section.claims for section in find(["sigmoid-posterior"]))
STATEMENTS = {one.name: one for one in CLAIM.statements}

READ = {
    "linear-suffices": (1, {"equal"}, {"posterior_kl"}),
    "linear-fails": (1, {"unequal"}, {"posterior_kl"}),
    "approaches": (4, {"equal", "unequal"}, {"posterior_kl"}),
    "reaches": (4, {"equal", "unequal"}, {"posterior_kl"}),
    "calibrated": (4, {"equal", "unequal"}, {"posterior_ece_excess"}),
    "quadratic-suffices": (1, {"unequal"}, {"posterior_kl"}),
}


@pytest.fixture
def record(smoke: Smoke) -> Record:
    return smoke[CLAIM.id]


def test_identities_hold_and_one_case_breaks_them(record: Record) -> None:
    for name in ("sigmoid", "quadratic"):
        assert record.rulings[name].word == "holds"
        assert STATEMENTS[name].rule.judge(identity(1e-6)).word == "fails as written"


def test_a_wrong_prior_is_found(monkeypatch: pytest.MonkeyPatch, record: Record) -> None:
    """Bayes' rule without the priors is another posterior."""

    def flat(self: GaussianClasses, x: torch.Tensor) -> torch.Tensor:
        return self.log_densities(x).softmax(dim=1)

    monkeypatch.setattr(GaussianClasses, "posterior", flat)
    found = checks.equal(_Setting())
    worst = max(found["checks"], key=lambda one: one["error"])
    assert worst["error"] > 0.1 and "features" in worst["worst"]


class _Setting:
    def several(self, smoke: int, quick: int, full: int) -> int:
        return smoke


def test_the_logits_that_fit_are_the_ones_that_can(record: Record) -> None:
    words = {name: record.rulings[name].word for name in STATEMENTS if "suffices" in name}
    assert set(words.values()) == {"holds"}
    assert record.rulings["linear-fails"].word == "holds"


@pytest.mark.parametrize("name", READ)
def test_reads_the_comparisons_that_it_speaks_of(name: str, record: Record) -> None:
    read = read_by(STATEMENTS[name], evidence_of(record, name))
    kinds = {pair["facts"]["covariances"] for pair in read}
    assert (len(read), kinds, {pair["metric"] for pair in read}) == READ[name]


def test_the_example_is_one_posterior_that_is_a_sigmoid_and_one_that_is_not(record: Record) -> None:
    example: Mapping[str, list[float]] = evidence_of(record, "sigmoid")["example"]
    equal, unequal = example["equal P(1|x)"], example["unequal P(1|x)"]
    assert equal == sorted(equal) and unequal != sorted(unequal)
    assert unequal[0] > 0.9 and unequal[-1] > 0.9
    assert CLAIM.figure is not None and CLAIM.figure({}) is None
