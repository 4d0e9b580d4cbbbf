"""ReLU in networks: claims run, judged on evidence of each kind, papers, trends."""

import pytest
from claims.as_if import evidence_of, pairs_of
from claims.conftest import Smoke

from penchant.claims import Statement, find
from penchant.claims._activation_runs import _ends
from penchant.claims._papers import REASONS, Paper, cited, each_paper
from penchant.claims._relu_in_networks import CONVNEXT_PAPER, GELU_PAPER, VIT_PAPER

IDS = ["gelu-rise", "relu-high-dim", "relu-large"]
CLAIMS = {claim.id: claim for section in find(IDS) for claim in section.claims}


def statement_of(name: str) -> tuple[str, Statement]:
    id, _, which = name.partition("/")
    return id, next(one for one in CLAIMS[id].statements if one.name == which)


FOR_BIAS = Paper("A", 2020, "On A", "§1", "ReLU is biased.", "gelu", ("others", "bias"))
FOR_CURVATURE = Paper("B", 2021, "On B", "§2", "ReLU is straight.", "silu", ("linearity",))
SILENT = Paper("C", 2022, "On C", "§3", "We use GELU.", "gelu")


@pytest.mark.parametrize(
    ("papers", "word", "conditions"),
    [
        ((FOR_BIAS, FOR_CURVATURE), "holds", ()),
        ((FOR_BIAS, SILENT), "holds under conditions", ({"paper": "A, 2020"},)),
        ((SILENT,), "fails as written", ()),
        ((), "not run", ()),
    ],
)
@pytest.mark.parametrize("name", ["gelu-rise/origin", "gelu-rise/mention"])
def test_reasons_are_counted(
    name: str, papers: tuple[Paper, ...], word: str, conditions: tuple[dict[str, str], ...]
) -> None:
    ruling = statement_of(name)[1].rule.judge(cited(*papers))
    assert (ruling.word, ruling.conditions) == (word, conditions)
    assert all(
        paper.quote in ruling.sentence for paper in papers if word != "holds under conditions"
    )


@pytest.mark.parametrize(
    ("papers", "word"),
    [
        ((FOR_BIAS, SILENT), "holds"),
        ((FOR_CURVATURE, SILENT), "holds under conditions"),
        ((FOR_CURVATURE,), "fails as written"),
    ],
)
def test_uses_are_counted(papers: tuple[Paper, ...], word: str) -> None:
    assert statement_of("gelu-rise/prominence")[1].rule.judge(cited(*papers)).word == word


def test_a_rule_says_how_papers_are_counted() -> None:
    rule = each_paper("uses", ("gelu",), "A paper counts if it uses GELU.")
    assert rule.words.startswith("A paper counts if it uses GELU. Holds if every paper")


def test_papers_give_reasons_that_are_known() -> None:
    for paper in (GELU_PAPER, VIT_PAPER, CONVNEXT_PAPER):
        assert paper.quote and set(paper.reasons) <= set(REASONS)


def test_a_gap_is_that_of_the_runs_scores(smoke: Smoke) -> None:
    """The differences of the gaps have the mean that the designs' mean scores say."""
    evidence = evidence_of(smoke["relu-high-dim"], "overfits-less")
    (study,) = evidence["studies"]

    def gap(design: str, index: int) -> float:
        scores = study["scores"][design]
        return float(scores["r2_seen"][index] - scores["r2_held_out"][index])

    for one in pairs_of(evidence):
        index = study["signals"].index(one["signal"])
        expected = gap(one["design"], index) - gap("relu", index)
        assert sum(one["differences"]) / len(one["differences"]) == pytest.approx(
            expected, abs=1e-5
        )


def test_a_rise_is_the_difference_of_two_leads(smoke: Smoke) -> None:
    leads = pairs_of(evidence_of(smoke["relu-high-dim"], "useful"))
    few, many = (
        next(p for p in leads if p["facts"]["inputs"] == inputs and p["design"] == "sine")
        for inputs in (2, 100)
    )
    changes = pairs_of(evidence_of(smoke["relu-high-dim"], "more-inputs"))
    rise = next(p for p in changes if p["design"].startswith("sine"))
    expected = [b - a for a, b in zip(few["differences"], many["differences"], strict=True)]
    assert rise["differences"] == pytest.approx(expected, abs=1e-5)


def test_a_trend_runs_between_the_widest_ends_that_differ_in_one_thing() -> None:
    signals = [f"digits:classes={k},samples={n}" for k, n in
               ((2, 400), (5, 400), (10, 400), (10, 100), (10, 1600))]  # fmt: skip
    assert set(_ends(signals)) == {
        ("classes", signals[0], signals[2]),
        ("samples", signals[3], signals[4]),
    }
