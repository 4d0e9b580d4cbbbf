"""The one exception that a user's input can raise."""


class PenchantError(ValueError):
    """The user's input does not fit.

    The message is one line: the call or file, the offending value with its shape or path, what
    would fit, and why. The command line prints it without a traceback and exits with 2.

    Example:
        >>> raise PenchantError("seeds=0: a study needs at least 1 seed")
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: seeds=0: a study needs at least 1 seed
    """


def nearest(value: str, known: list[str] | tuple[str, ...]) -> str:
    """Say which known name is meant by a misspelt one, and list all of them.

    Args:
        value: the name that was given.
        known: the names that exist.

    Returns:
        The end of an error message.

    Example:
        >>> nearest("gausian", ["relu", "gaussian"])
        "did you mean 'gaussian'? known: gaussian, relu"
    """
    import difflib

    close = difflib.get_close_matches(value, known, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}known: {', '.join(sorted(known))}"
