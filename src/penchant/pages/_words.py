"""Numbers as a reader sees them."""

from collections.abc import Mapping
from math import isfinite


def number(value: float, places: int = 2, *, signed: bool = False) -> str:
    """A number for reading: a true minus sign, and a dash where there is none.

    Example:
        >>> number(-1.25, 1, signed=True), number(0.04, 1, signed=True), number(float("nan"))
        ('−1.2', '0.0', '–')
    """
    if not isfinite(value):
        return "–" if value != value else "∞" if value > 0 else "−∞"
    text = f"{value:+.{places}f}" if signed else f"{value:.{places}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def quantity(value: float, places: int, unit: str, *, signed: bool = False) -> str:
    """A number with its unit, on one line.

    Example:
        >>> quantity(6.12, 1, "dB").replace(chr(160), "_")
        '6.1_dB'
    """
    return number(value, places, signed=signed) + (f"\N{NO-BREAK SPACE}{unit}" if unit else "")


def interval(low: float, high: float, places: int, *, signed: bool = False) -> str:
    """An interval in words.

    Example:
        >>> interval(-0.5, 1.25, 1, signed=True)
        '−0.5 to +1.2'
    """
    if not (isfinite(low) or isfinite(high)):
        return ""
    return f"{number(low, places, signed=signed)} to {number(high, places, signed=signed)}"


def counted(count: int, noun: str) -> str:
    """A count with its noun.

    Example:
        >>> counted(1, "seed"), counted(12, "picture")
        ('1 seed', '12 pictures')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def plain(value: object) -> str:
    """A plan's or a setting's value as a reader would write it.

    Example:
        >>> plain({"activation": ["relu", "sine"], "rate": 0.00031622})
        'activation: relu, sine; rate: 0.0003162'
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {plain(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        between = "; " if any(isinstance(item, Mapping) for item in value) else ", "
        return between.join(plain(item) for item in value)
    return str(value)


def integers(values: tuple[int, ...]) -> str:
    """Integers, shortened where they follow one another.

    Example:
        >>> integers((0, 1, 2, 3)), integers((3, 5))
        ('0 to 3', '3, 5')
    """
    if len(values) > 2 and values == tuple(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values))
