"""What a study's signals are called: what they share is said once, then what tells them apart."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penchant.pages import counted

_LOG_SPAN = 10.0
_OPTIONS = {
    "classes": ("classes", "{} classes"),
    "samples": ("training samples", "{} training samples"),
    "test": ("held-out samples", "{} held-out samples"),
    "size": ("pixels along a side", "{0}×{0} pixels"),
    "shift": ("pixels of shift", "shifts up to {} pixels"),
    "transfer": ("classes that are learnt", "{} classes learnt"),
    "inputs": ("input dimensions", "{} input dimensions"),
    "noise": ("noise on the targets", "noise {}"),
}
"""What an option in a signal's name counts, and a value of it in words."""


@dataclass(frozen=True)
class Axis:
    """Signals that belong together, in the order in which a chart shows them."""

    title: str
    """What the number counts; empty where the signals do not differ in one number."""
    signals: tuple[str, ...]
    values: tuple[float, ...]
    """One a signal; empty where they do not differ in one number."""
    names: tuple[str, ...]
    """What a chart calls each signal."""
    fixed: str = ""
    """What these signals have in common and others of the study have not."""

    @property
    def heading(self) -> str:
        """The title, with what is fixed."""
        return f"{self.title}, with {self.fixed}" if self.fixed else self.title

    @property
    def logarithmic(self) -> bool:
        """Whether the numbers span more than a linear axis shows."""
        return bool(self.values) and 0 < _LOG_SPAN * self.values[0] < self.values[-1]

    def name(self, signal: str) -> str:
        """A signal as the axis calls it."""
        return self.names[self.signals.index(signal)]


def plainly(value: float) -> str:
    """A signal's number: a whole one in full.

    Example:
        >>> plainly(1e6), plainly(0.05)
        ('1000000', '0.05')
    """
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"


def parsed(signal: str) -> tuple[str, dict[str, str]]:
    """A signal's name without its options, and these.

    Example:
        >>> parsed("fashion-mnist:classes=2,size=14")
        ('fashion-mnist', {'classes': '2', 'size': '14'})
        >>> parsed("pictures/a=b.png")
        ('pictures/a=b.png', {})
    """
    base, colon, text = signal.rpartition(":")
    parts = [part.strip() for part in text.split(",")]
    if not colon or not all(re.fullmatch(r"\w+=[^=]+", part) for part in parts):
        return signal, {}
    return base, {name: value for name, _, value in (part.partition("=") for part in parts)}


def spoken(signal: str) -> str:
    """A signal with its options in words.

    Example:
        >>> spoken("fashion-mnist:samples=2000,size=14")
        'fashion-mnist, 2,000 training samples, 14×14 pixels'
    """
    base, options = parsed(signal)
    return ", ".join([base, *_said(options)])


def told_apart(signals: Sequence[str]) -> tuple[str, Mapping[str, str]]:
    """What signals have in common, and a short name of each that says what they have not.

    Example:
        >>> common, short = told_apart(["toy:classes=2,size=14", "toy:classes=10,size=14"])
        >>> common, list(short.values())
        ('toy, 14×14 pixels', ['2 classes', '10 classes'])
    """
    known = {signal: parsed(signal) for signal in signals}
    bases = {base for base, _ in known.values()}
    tables = [options for _, options in known.values()]
    shared = {k: v for k, v in tables[0].items() if all(t.get(k) == v for t in tables)}
    one = len(bases) == 1
    common = ", ".join([*(bases if one else ()), *_said(shared)])
    short = {}
    for signal, (base, options) in known.items():
        own = _said({k: v for k, v in options.items() if k not in shared})
        short[signal] = ", ".join(own if one and own else [base, *own])
    return common, short


def _said(options: Mapping[str, str]) -> list[str]:
    return [_value(name, value) for name, value in options.items()]


def _value(name: str, value: str) -> str:
    text = f"{int(value):,}" if value.isdecimal() else value
    if name not in _OPTIONS:
        return f"{name.replace('_', ' ')} {text}"
    said = _OPTIONS[name][1].format(text)
    return said.removesuffix("s") if text == "1" else said


def axes_of(signals: Sequence[str]) -> list[Axis]:
    """Read the axes off the signals' names.

    Signals whose names differ in one number are one axis, and a signal may stand on several; all
    that stand on none share one without numbers.

    Example:
        >>> [axis.values for axis in axes_of(["toy:classes=2", "toy:classes=10", "toy:classes=5"])]
        [(2.0, 5.0, 10.0)]
        >>> axes_of(["digits", "wine"])[0].names
        ('digits', 'wine')
    """
    groups: dict[tuple[str, str, frozenset[tuple[str, str]]], list[str]] = {}
    for signal in signals:
        base, options = parsed(signal)
        for name, value in options.items():
            if _number(value) is not None:
                rest = frozenset((k, v) for k, v in options.items() if k != name)
                groups.setdefault((name, base, rest), []).append(signal)
    found: list[tuple[int, Axis]] = []
    told: set[str] = set()
    for (option, _, rest), group in sorted(groups.items(), key=lambda item: -len(item[1])):
        new = [signals.index(signal) for signal in group if signal not in told]
        if new and len(group) > 1:
            told |= set(group)
            found.append((min(new), _numbered(option, group, rest, signals)))
    left = tuple(signal for signal in signals if signal not in told)
    axes = [axis for _, axis in sorted(found, key=lambda one: one[0])]
    if left:
        short = told_apart(signals)[1]
        axes.append(Axis("", left, (), tuple(short[signal] for signal in left)))
    return axes


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d+(\.\d*)?(e-?\d+)?", text) else None


def _numbered(
    option: str, group: Sequence[str], rest: frozenset[tuple[str, str]], signals: Sequence[str]
) -> Axis:
    values = {signal: _number(parsed(signal)[1][option]) or 0.0 for signal in group}
    order = sorted(group, key=values.__getitem__)
    shared = set.intersection(*(set(parsed(signal)[1].items()) for signal in signals))
    own = {k: v for k, v in parsed(order[0])[1].items() if (k, v) in rest - shared}
    return Axis(
        _OPTIONS[option][0] if option in _OPTIONS else option.replace("_", " "),
        tuple(order),
        tuple(values[signal] for signal in order),
        tuple(plainly(values[signal]) for signal in order),
        ", ".join(_said(own)),
    )


def several(signals: Sequence[str], noun: str) -> str:
    """Signals counted, with what they have in common.

    Example:
        >>> several(["toy:classes=2,size=14", "toy:classes=10,size=14"], "data set")
        '2 data sets (toy, 14×14 pixels)'
    """
    if len(signals) == 1:
        return spoken(signals[0])
    common = told_apart(signals)[0]
    return counted(len(signals), noun) + (f" ({common})" if common else "")
