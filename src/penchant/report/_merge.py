"""Sentences that differ in numbers alone, said once."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

_NUMBER = re.compile(r"(?<![\w.+=-])\d[\d,]*(?:\.\d+)?(?![\w=])")


def merged(texts: Sequence[str]) -> str | None:
    """One sentence for several that differ in numbers alone; None where they differ in more.

    Example:
        >>> merged(["2 inputs, 1,000 seen.", "10 inputs, 1,000 seen.", "100 inputs, 1,000 seen."])
        '2 to 100 inputs, 1,000 seen.'
        >>> merged(["2 inputs.", "3 outputs."])
    """
    if len({_NUMBER.sub("#", text) for text in texts}) != 1:
        return None
    columns = zip(*(_NUMBER.findall(text) for text in texts), strict=True)
    ranges = iter([_range(column) for column in columns])
    return _NUMBER.sub(lambda _: next(ranges), texts[0])


def _range(numbers: Sequence[str]) -> str:
    order = sorted(set(numbers), key=lambda text: float(text.replace(",", "")))
    return order[0] if len(order) == 1 else f"{order[0]} to {order[-1]}"


def by_signal(texts: Sequence[str], short: Mapping[str, str]) -> list[tuple[str, str]]:
    """Sentences that may begin with a signal's name and a colon; each is said once.

    Args:
        texts: for example ``digits: Few samples.``.
        short: what each signal is called, by its name.

    Returns:
        Pairs of the signals that a sentence is about (empty: all of them) and the sentence; in one
        that is about several, numbers that differ are ranges.

    Example:
        >>> by_signal(["a:n=1: 5 seen.", "a:n=2: 7 seen.", "Odd."], {"a:n=1": "1", "a:n=2": "2"})
        [('', '5 to 7 seen.'), ('', 'Odd.')]
    """
    groups: dict[tuple[str, int], list[tuple[str, str]]] = {}
    count: Counter[tuple[str, str]] = Counter()
    for text in texts:
        names, said = _split(text, short)
        form = _NUMBER.sub("#", said)
        for name in names:  # two sentences about one signal stay two
            groups.setdefault((form, count[form, name]), []).append((name, said))
            count[form, name] += 1
    found = []
    for group in groups.values():
        names = list(dict.fromkeys(name for name, _ in group if name))
        one = merged([said for _, said in group])
        assert one is not None
        everywhere = not names or set(names) == set(short)
        found.append(("" if everywhere else "; ".join(short[name] for name in names), one))
    return found


def _split(text: str, short: Mapping[str, str]) -> tuple[list[str], str]:
    """The signals that a sentence begins with, one after another, and the rest."""
    names: list[str] = []
    rest = text
    while True:
        name = max((n for n in short if rest.startswith((f"{n}: ", f"{n}, "))), key=len, default="")
        if not name:
            return [""], text
        names.append(name)
        ends, rest = rest[len(name)] == ":", rest[len(name) + 2 :]
        if ends:
            return names, rest
