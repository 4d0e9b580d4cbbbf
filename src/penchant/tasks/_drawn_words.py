"""The words of a task whose samples are drawn: ``teacher:inputs=10,noise=0.1``."""

from collections.abc import Callable, Mapping
from typing import Any

from penchant.errors import PenchantError


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
