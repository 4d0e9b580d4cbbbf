"""Rules on made-up results of every kind: the word follows from the numbers alone."""

import pytest
from claims.made_up import fixed, identity, measured, pair, study
from hypothesis import given
from hypothesis import strategies as st

from penchant.claims import Ruling, Statement, comparisons, exactly, verdict

BETTER = comparisons("better", "Sine against ReLU.")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["better"], "holds"),
        (["better", "better"], "holds"),
        (["worse"], "fails as written"),
        (["equivalent"], "fails as written"),
        (["worse", "inconclusive"], "fails as written"),
        (["inconclusive"], "undecided"),
        (["descriptive"], "undecided"),
        (["better", "worse"], "holds under conditions"),
        (["better", "inconclusive"], "holds under conditions"),
        ([], "not run"),
    ],
)
def test_comparisons(words: list[str], expected: str) -> None:
    assert BETTER.judge(measured(*words)).word == expected


def test_several_words_may_be_wanted() -> None:
    no_worse = comparisons(["better", "equivalent"], "Sine against ReLU.")
    assert no_worse.judge(measured("better", "equivalent")).word == "holds"
    assert no_worse.judge(measured("worse")).word == "fails as written"


def test_conditions_are_the_facts_that_differ() -> None:
    ruling = BETTER.judge(measured("better", "worse", "better"))
    assert [one["encoding"] for one in ruling.conditions] == ["e0", "e2"]
    assert all("metric" not in one for one in ruling.conditions)
    assert "2 as stated, 1 otherwise" in ruling.sentence


def test_facts_choose_the_comparisons() -> None:
    evidence = measured("better", "worse")
    assert comparisons("better", "", encoding="e0").judge(evidence).word == "holds"
    assert comparisons("better", "", encoding="e1").judge(evidence).word == "fails as written"
    assert comparisons("better", "", encoding=("e0", "e1")).judge(evidence).conditions
    assert comparisons("better", "", study="another").judge(evidence).word == "not run"


def test_all_comparisons_share_one_rate_of_error() -> None:
    close = pair("better") | {"differences": [0.4, 1.9, 0.3, 2.0, 1.1, 0.9]}
    assert BETTER.judge({"studies": [study([close])]}).word == "holds"
    spread = [study([close], name=f"study-{index}") for index in range(40)]
    assert BETTER.judge({"studies": spread}).word == "undecided"


def test_the_margin_may_be_the_claims_own() -> None:
    wide = comparisons("equivalent", "", margin=5.0)
    assert wide.judge(measured("better")).word == "holds"
    assert comparisons("equivalent", "").judge(measured("better")).word == "fails as written"


def test_what_is_undefined_in_some_pairs_decides_nothing() -> None:
    some = pair("better") | {"described": True}
    assert BETTER.judge({"studies": [study([some])]}).word == "undecided"


def test_what_is_unknown_in_all_pairs_is_left_open() -> None:
    unknown = pair("better") | {"differences": [], "described": True}
    ruling = BETTER.judge({"studies": [study([unknown])]})
    assert (ruling.word, ruling.needed) == ("undecided", "")
    ruling = BETTER.judge({"studies": [study([unknown, pair("better")])]})
    assert ruling.word == "holds under conditions"


def test_what_is_left_open_is_said() -> None:
    assert "about" in BETTER.judge(measured("inconclusive")).needed
    assert "at least 6 seeds" in BETTER.judge(measured("descriptive")).needed
    assert BETTER.judge(measured("better")).needed == ""


@given(st.floats(0, 1e3), st.floats(0, 1e3))
def test_an_identity_holds_within_its_tolerance_alone(error: float, tolerance: float) -> None:
    ruling = exactly(tolerance).judge(identity(error))
    assert ruling.word == ("holds" if error <= tolerance else "fails as written")


def test_an_identity_that_was_not_checked_does_not_hold() -> None:
    assert exactly().judge({"checks": []}).word == "not run"
    assert exactly().judge(identity(0.0, cases=0)).word == "not run"
    assert exactly().judge(identity(float("nan"))).word == "fails as written"
    assert "for 1" in exactly().judge(identity(1.0)).sentence


ORDER = ["fails as written", "undecided", "holds under conditions", "holds"]


@given(st.lists(st.sampled_from(ORDER), min_size=1, max_size=4))
def test_statements_are_joined_by_and(words: list[str]) -> None:
    statements = [
        Statement(str(index), "", "exact", dict, fixed(word)) for index, word in enumerate(words)
    ]
    rulings = {one.name: one.rule.judge({}) for one in statements}
    assert verdict(statements, rulings) == min(words, key=ORDER.index)


def test_what_stands_beside_a_claim_has_no_say() -> None:
    own = Statement("own", "", "exact", dict, fixed("holds"))
    beside = Statement("beside", "", "exact", dict, fixed("fails as written"), instead=True)
    rulings = {"own": Ruling("holds", ""), "beside": Ruling("fails as written", "")}
    assert verdict([own, beside], rulings) == "holds"


def test_what_was_not_run_leaves_a_claim_undecided() -> None:
    own = [Statement(name, "", "exact", dict, fixed("holds")) for name in "ab"]
    assert verdict(own, {"a": Ruling("holds", "")}) == "undecided"
    assert verdict(own, {}) == "not run"
    assert verdict(own, {"a": Ruling("fails as written", "")}) == "fails as written"
