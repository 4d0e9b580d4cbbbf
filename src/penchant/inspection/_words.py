"""Shapes and numbers in words."""

from collections.abc import Sequence

Shape = tuple[int, ...]


def times(shape: Sequence[int]) -> str:
    """Write a shape.

    Example:
        >>> times((1, 3, 8)), times(())
        ('1×3×8', 'one number')
    """
    return "×".join(map(str, shape)) or "one number"


def counted(number: int, word: str) -> str:
    """Write how many there are.

    Example:
        >>> counted(1, "channel"), counted(3, "channel")
        ('1 channel', '3 channels')
    """
    several = "axes" if word == "axis" else f"{word}s"
    return f"{number} {word if number == 1 else several}"
