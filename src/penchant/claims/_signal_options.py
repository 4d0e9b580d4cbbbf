"""What a signal's name says of it, such as how many pictures are for training."""

from penchant.tasks import source_and_options


def options(signal: str) -> dict[str, str]:
    """Read the options that stand behind the colon of a data set's name.

    Example:
        >>> options("fashion-mnist:samples=500,size=14"), options("digits")
        ({'samples': '500', 'size': '14'}, {})
    """
    words = source_and_options(signal)[1]
    return dict(word.split("=", 1) for word in words.split(",") if word)
