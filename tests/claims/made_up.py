"""Made-up evidence, so that rules, records and pages are tested on results of every kind."""

from collections.abc import Sequence
from typing import Any

from penchant.claims import Claim, Rule, Ruling, Statement, comparisons, exactly

DIFFERENCES = {
    "better": [2.0, 2.1, 1.9, 2.2, 1.8, 2.0],
    "worse": [-2.0, -2.1, -1.9, -2.2, -1.8, -2.0],
    "equivalent": [0.01, -0.01, 0.02, -0.02, 0.01, -0.01],
    "inconclusive": [3.0, -3.0, 2.0, -1.0, 4.0, -2.0],
    "descriptive": [2.0, 2.1],
}
"""Six pairs (two of the last) that come out as named, with a margin of half a unit."""


def pair(word: str, **facts: object) -> dict[str, Any]:
    """A comparison that comes out as the word says."""
    return {
        "design": "sine",
        "baseline": "relu",
        "metric": "psnr_held_out",
        "unit": "dB",
        "margin": 0.5,
        "higher_is_better": True,
        "signal": "",
        "unit_of_n": "seeds",
        "differences": DIFFERENCES[word],
        "described": word == "descriptive",
        "flag": "",
        "facts": {},
        **facts,
    }


def study(pairs: Sequence[dict[str, Any]], name: str = "made-up") -> dict[str, Any]:
    """A study's evidence that holds these comparisons."""
    return {
        "study": name,
        "profile": "full",
        "command": "penchant run made-up.toml",
        "finished": "2026-11-23",
        "machine": "a machine",
        "steps": 300,
        "seeds": 6,
        "signals": ["astronaut"],
        "noun": "picture",
        "metric": "psnr_held_out",
        "unit": "dB",
        "runs": 12,
        "seconds": 60.0,
        "pairs": list(pairs),
        "scores": {"relu": {"psnr_held_out": [20.0]}, "sine": {"psnr_held_out": [22.0]}},
        "warnings": ["Widths differ."],
    }


def measured(*words: str) -> dict[str, Any]:
    """Evidence with a comparison that comes out so for each word."""
    named = [pair(word, facts={"encoding": f"e{index}"}) for index, word in enumerate(words)]
    return {"studies": [study(named)]}


def identity(error: float, cases: int = 10) -> dict[str, Any]:
    """Evidence of one identity."""
    return {"checks": [{"name": "1 + 1 = 2", "cases": cases, "error": error, "worst": "1"}]}


def statement(name: str, evidence: dict[str, Any], *, instead: bool = False) -> Statement:
    """A statement that finds this evidence."""
    exact = "checks" in evidence
    rule = exactly(1e-9) if exact else comparisons("better", "Sine against ReLU.")
    kind = "exact" if exact else "measured"
    says = f"What {name} says is so."
    return Statement(name, says, kind, lambda _: evidence, rule, instead)


def claim(id: str, *statements: Statement) -> Claim:
    """A claim of these statements."""
    return Claim(id, f"“{id} is so.”", statements, literature=("Somebody (2020) says so.",))


def fixed(word: str) -> Rule:
    """A rule that looks at nothing."""
    return Rule("None.", lambda _: Ruling(word, "A sentence."))  # type: ignore[arg-type]
