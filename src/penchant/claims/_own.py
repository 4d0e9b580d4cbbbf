"""Claims by their ids: the notes', and a user's own in a file."""

from collections.abc import Sequence
from pathlib import Path

from penchant.claims._claim import Claim, Section
from penchant.claims._notes import NOTES
from penchant.errors import PenchantError, nearest
from penchant.models import load_file


def find(asked: Sequence[str] = ()) -> tuple[Section, ...]:
    """Find claims.

    Args:
        asked: ids of the notes' claims, and files with a user's own (``mine.py``, or
            ``mine.py:id`` for one of several); none for all of the notes'.

    Returns:
        The sections of the notes that hold claims asked for, with these alone, then one for each
        file.

    Raises:
        PenchantError: there is no such claim, or the file has none or fails.

    Example:
        >>> [claim.id for section in find(["skip-form"]) for claim in section.claims]
        ['skip-form']
    """
    if not asked:
        return NOTES
    files = [words for words in asked if _is_file(words)]
    ids = [words for words in asked if not _is_file(words)]
    known = {claim.id for section in NOTES for claim in section.claims}
    for words in ids:
        if words not in known:
            raise PenchantError(
                f"claims {words!r}: no such claim; {nearest(words, sorted(known))}; "
                "a file of your own ends in .py"
            )
    chosen = (
        Section(section.title, tuple(claim for claim in section.claims if claim.id in ids))
        for section in NOTES
    )
    own = tuple(_own(words) for words in dict.fromkeys(files))
    return (*(section for section in chosen if section.claims), *own)


def _is_file(words: str) -> bool:
    return words.endswith(".py") or ".py:" in words


def _own(words: str) -> Section:
    place, _, name = words.partition(".py:")
    path = Path(words if words.endswith(".py") else f"{place}.py")
    module = load_file(path, words)
    claims = [one for one in vars(module).values() if isinstance(one, Claim)]
    if not claims:
        raise PenchantError(
            f"{path}: holds no claim; give it one, such as claim = penchant.claims.Claim(...)"
        )
    if name:
        chosen = [one for one in claims if one.id == name]
        if not chosen:
            ids = [one.id for one in claims]
            raise PenchantError(f"{words}: no such claim; {nearest(name, ids)}")
        claims = chosen
    _check(claims, path)
    return Section(path.stem, tuple(claims), words)


def _check(claims: Sequence[Claim], path: Path) -> None:
    """Refuse what could not be kept or told apart."""
    seen: set[str] = set()
    known = {claim.id for section in NOTES for claim in section.claims}
    for claim in claims:
        if not claim.id or not all(letter.isalnum() or letter in "-_" for letter in claim.id):
            raise PenchantError(
                f"{path}: id {claim.id!r} names a folder; use letters, digits, - and _"
            )
        if claim.id in seen or claim.id in known:
            whose = "of the notes" if claim.id in known else "of this file"
            raise PenchantError(f"{path}: id {claim.id!r} is that of another claim {whose}")
        seen.add(claim.id)
        names = [one.name for one in claim.statements]
        if not names or len(set(names)) < len(names):
            raise PenchantError(
                f"{path}: claim {claim.id!r} needs statements with a name each: {names}"
            )
