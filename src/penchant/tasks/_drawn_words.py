"""The words of a task whose samples are drawn: ``teacher:inputs=10,noise=0.1``."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar

from penchant.errors import PenchantError, nearest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Words = TypeVar("_Words", bound="DataclassInstance")


def drawn_words(source: str, example: str, types: Mapping[str, Callable[[str], Any]]) -> Any:
    """Read options.

    Args:
        source: a name, and behind a colon ``word=value``, separated by commas.
        example: an option that fits, for messages.
        types: what turns an option's text into its value; others are whole numbers.

    Returns:
        Values by word; whether there are such words is for the task to say.

    Raises:
        PenchantError: a word that is given twice, or has no value of its type.

    Example:
        >>> drawn_words("teacher:inputs=3, noise=0.5", "inputs=10", {"noise": float})
        {'inputs': 3, 'noise': 0.5}
    """
    words: dict[str, Any] = {}
    _, colon, options = source.partition(":")
    for option in options.split(",") if colon else ():
        name, _, text = (part.strip() for part in option.partition("="))
        if name in words:
            raise PenchantError(f"{source}: {name} is given twice; give it once")
        try:
            words[name] = types.get(name, int)(text)
        except ValueError:
            raise PenchantError(
                f"{source}: {option.strip()!r} is not of the form name=number, such as {example}"
            ) from None
    return words


def made_words(task: str, kind: type[_Words], words: Mapping[str, Any]) -> _Words:
    """Make a task's words, all of which have to be known.

    Raises:
        PenchantError: a word that the task does not have, or a value that does not fit.
    """
    known = [field.name for field in fields(kind)]
    for word in words:
        if word not in known:
            raise PenchantError(f"{task}: {word!r} is unknown; {nearest(word, known)}")
    return kind(**words)


def words_fingerprint(words: "DataclassInstance", version: int) -> str:
    """Return what identifies a task that its words say all of; the version is of its numbers."""
    content = f"{asdict(words)} version {version}"
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
