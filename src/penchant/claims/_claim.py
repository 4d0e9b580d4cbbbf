"""What a claim is: the notes' words, and the statements by which they are judged.

Decisions:
- A claim is data; what runs are the functions that its statements name. A statement gathers its
  evidence, plain JSON, and its rule, declared ahead, is a pure function of that evidence. So a
  verdict follows from what is stored, can be computed again from it, and cannot be typed in.
- A claim's own statements are those that the notes make. Beside them stand what seems to hold
  `instead`: judged in the same way, and without a say in the claim's verdict.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from penchant.claims._setting import Setting
    from penchant.explain import Figure

Kind = Literal["exact", "measured", "derived", "documented"]
Word = Literal["holds", "holds under conditions", "fails as written", "undecided", "not run"]
Profile = Literal["smoke", "quick", "full"]
PROFILES: tuple[Profile, ...] = ("smoke", "quick", "full")

Evidence = Mapping[str, Any]
"""What was found, as JSON: ``checks`` (see `check`), ``studies`` (see `study_evidence`), and
whatever else a statement's own rule or a figure reads."""


@dataclass(frozen=True)
class Ruling:
    """What a rule makes of the evidence."""

    word: Word
    sentence: str
    """The verdict in a neutral sentence, with its number and interval."""
    conditions: tuple[Mapping[str, object], ...] = ()
    """Where it holds, as data: what tells these comparisons from the others."""
    needed: str = ""
    """Where it is undecided: what would decide."""


@dataclass(frozen=True)
class Rule:
    """How evidence becomes a ruling, in words that a reader can check, and as a function."""

    words: str
    judge: Callable[[Evidence], Ruling]


@dataclass(frozen=True)
class Statement:
    """One precise statement, how its evidence is gathered, and the rule that judges it."""

    name: str
    """Short and unique in its claim, such as ``shifted``."""
    says: str
    """The statement, so precise that it can be false."""
    kind: Kind
    gather: "Callable[[Setting], Evidence]"
    rule: Rule
    instead: bool = False
    """Not what the notes say, but what may hold instead of it or beside it."""


@dataclass(frozen=True)
class Claim:
    """A statement in words, with the evidence and the rules that judge it.

    Example:
        >>> from penchant.claims import check, exactly
        >>> claim = Claim(
        ...     id="doubling",
        ...     words="Twice a number is the number added to itself.",
        ...     statements=(
        ...         Statement(
        ...             "all",
        ...             "2·x = x + x for the integers to 1,000.",
        ...             "exact",
        ...             lambda _: {"checks": [check("2·x = x + x", 1000, 0.0)]},
        ...             exactly(),
        ...         ),
        ...     ),
        ... )
        >>> claim.statements[0].rule.judge(claim.statements[0].gather(None)).word
        'holds'
    """

    id: str
    words: str
    """The notes' own words, in quotation marks where they are quoted."""
    statements: Sequence[Statement]
    meaning: str = ""
    """What the words are taken to mean."""
    literature: Sequence[str] = ()
    """What papers report, a sentence each, with author and year."""
    figure: "Callable[[Mapping[str, Evidence]], Figure | None] | None" = field(default=None)
    """Draws the one figure that shows it best, from the evidence by statement's name."""


@dataclass(frozen=True)
class Section:
    """A part of the notes, with its claims in their order."""

    title: str
    claims: Sequence[Claim]
    file: str = ""
    """Where a user's own are; to be typed in place of their ids."""


def verdict(statements: Sequence[Statement], rulings: Mapping[str, Ruling]) -> Word:
    """Judge a claim by its statements: they are joined by "and".

    One that fails makes the claim fail, whatever is not known of the others; else one that is
    undecided or was not run leaves it undecided; else one with conditions gives it conditions.

    Args:
        statements: the claim's.
        rulings: by a statement's name; without a ruling it was not run.

    Example:
        >>> true, open = Ruling("holds", ""), Ruling("undecided", "")
        >>> one, two = (Statement(n, "", "exact", dict, Rule("", dict)) for n in "ab")
        >>> verdict([one, two], {"a": true, "b": open}), verdict([one], {"a": true})
        ('undecided', 'holds')
    """
    own = [one for one in statements if not one.instead]
    words = [rulings[one.name].word if one.name in rulings else "not run" for one in own]
    if words and all(word == "not run" for word in words):
        return "not run"
    order: tuple[Word, ...] = ("fails as written", "undecided", "holds under conditions")
    known = ["undecided" if word == "not run" else word for word in words]
    return next((word for word in order if word in known), "holds")
