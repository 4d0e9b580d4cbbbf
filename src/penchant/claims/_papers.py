"""Evidence that is cited: what papers say, word for word, and rules that count it.

What a passage says is read by a person and stands in the evidence beside the passage itself, so
that a reader can read it otherwise; how it is counted is the rule's.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from penchant.claims._claim import Evidence, Rule, Ruling


@dataclass(frozen=True)
class Paper:
    """A passage, and what it says of a choice.

    Args:
        authors: as one cites them.
        year: of publication.
        title: of the paper.
        where: the passage's section.
        quote: the passage, word for word.
        uses: the activation at the non-linearities of the network that it describes.
        reasons: which it gives for that choice over ReLU, in the words of `REASONS`.
        gains: what it reports for GELU over ReLU, in points, by setting.
    """

    authors: str
    year: int
    title: str
    where: str
    quote: str
    uses: str = ""
    reasons: Sequence[str] = ()
    gains: dict[str, float] = field(default_factory=dict)

    @property
    def evidence(self) -> dict[str, Any]:
        """The paper as JSON."""
        return {**asdict(self), "reasons": list(self.reasons)}


REASONS = {
    "bias": "a bias of ReLU's, or of networks with it",
    "linearity": "that ReLU is linear on each side and lacks curvature",
    "weighting": "that it weights inputs by value instead of gating them by sign",
    "regularisation": "that it is the expectation of a random gate",
    "others": "that others use it",
}
"""What papers give as reasons for GELU over ReLU."""


def cited(*papers: Paper) -> dict[str, Any]:
    """Return papers as evidence."""
    return {"papers": [paper.evidence for paper in papers]}


def each_paper(fact: str, wanted: Sequence[str], saying: str) -> Rule:
    """A statement about papers: it holds if each of them says one of the wanted words.

    Args:
        fact: ``uses`` or ``reasons``.
        wanted: words any of which will do.
        saying: what counts, in words.

    Example:
        >>> rule = each_paper("uses", ["gelu"], "A paper counts if its network uses GELU.")
        >>> paper = Paper("A & B", 2020, "On C", "§1", "We use GELU.", uses="gelu")
        >>> rule.judge(cited(paper)).sentence
        '1 of 1 paper: A & B (2020, §1), “We use GELU.”'
    """
    return Rule(
        f"{saying} Holds if every paper cited counts, holds under conditions if some do, and fails "
        "if none does.",
        lambda evidence: _counted(evidence, fact, frozenset(wanted)),
    )


def _counted(evidence: Evidence, fact: str, wanted: frozenset[str]) -> Ruling:
    papers = evidence.get("papers", [])
    if not papers:
        return Ruling("not run", "No paper is cited.")
    counting = [paper for paper in papers if _said(paper[fact]) & wanted]
    passages = "; ".join(
        f"{paper['authors']} ({paper['year']}, {paper['where']}), “{paper['quote']}”"
        for paper in counting or papers
    )
    noun = "paper" if len(papers) == 1 else "papers"
    sentence = f"{len(counting) or 'None'} of {len(papers)} {noun}: {passages}"
    if len(counting) == len(papers):
        return Ruling("holds", sentence)
    if not counting:
        return Ruling("fails as written", sentence)
    conditions = tuple({"paper": f"{one['authors']}, {one['year']}"} for one in counting)
    return Ruling("holds under conditions", sentence, conditions)


def _said(words: str | Sequence[str]) -> frozenset[str]:
    return frozenset([words] if isinstance(words, str) else words)
