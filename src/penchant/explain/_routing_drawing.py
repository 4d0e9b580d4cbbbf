"""A network as rows of boxes, the output on top, and the arrows of its backward pass.

Drawn by hand as SVG, since labels need the page's paper behind them and arrows the page's colours;
it is 360 pixels wide, for a phone, and scaled up on wider screens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from penchant.pages import SERIES, WIDTH, number

MOST_UNITS = 8
"""A wider row is drawn as one block."""
COLOURS = len(SERIES)
"""Weights that have a colour of their own; more are told apart by their dashes."""
_NAMES = 58.0
"""Room at the left for the rows' names."""
_BOX, _LANE, _LETTER = 32.0, 12.0, 5.4
_DASHES = ("", "5 2", "1.5 2", "6 2 1.5 2")


@dataclass(frozen=True)
class Row:
    """One step's units, or a wide step as a block: then its lengths in place of its numbers."""

    name: str
    operation: str
    values: tuple[float, ...]
    gradients: tuple[float, ...]
    block: int = 0
    """How many units the block has; 0 where units are drawn."""


@dataclass(frozen=True)
class Edge:
    """An arrow of the backward pass, from (row, unit) to (row, unit) further down.

    `slope` is how much the upper answers to the lower; none for the arrow between blocks. `weight`
    says which shared weight it is, and so its colour.
    """

    upper: tuple[int, int]
    lower: tuple[int, int]
    slope: float | None = None
    weight: int | None = None


def short(value: float) -> str:
    """A number that fits into a box.

    Example:
        >>> [short(v) for v in (0.5, -1.25, 123.4, 0.0001, 0.0)]
        ['0.5', '−1.25', '123', '1e−4', '0']
    """
    if value == 0:
        return "0"
    if 0.005 <= abs(value) < 100:
        return number(value, 2).rstrip("0").rstrip(".")
    if 100 <= abs(value) < 10_000:
        return number(value, 0)
    return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")


def drawing(
    name: str, alt: str, rows: Sequence[Row], edges: Sequence[Edge], legend: Sequence[str] = ()
) -> Markup:
    """Draw rows, the output first, and the arrows between them.

    Args:
        name: unique on the page.
        alt: what is drawn, for those who do not see it.
        rows: from the output down to the inputs.
        edges: from upper rows to lower ones.
        legend: the shared weights' names, in the order of their colours.
    """
    tops = _tops(rows, edges)
    lanes = sorted({(e.upper[0], e.lower[0]) for e in edges if e.lower[0] > e.upper[0] + 1})
    right = WIDTH - _LANE * min(len(lanes), 3) - (4 if lanes else 0)
    places = [_places(row, right) for row in rows]
    near = [edge for edge in edges if edge.lower[0] == edge.upper[0] + 1]
    parts = [_arrow(edge, places, tops) for edge in near]
    parts += [_lane(upper, lower, i, tops, right, places) for i, (upper, lower) in enumerate(lanes)]
    for i in range(len(rows) - 1):
        parts += _labels([e for e in near if e.upper[0] == i], places, tops)
    for i, row in enumerate(rows):
        parts += _row(row, places[i], tops[i])
    bottom = tops[-1] + _BOX + 4
    parts += [_entry(i, words, bottom) for i, words in enumerate(legend)]
    height = bottom + (6 + 16 * ((len(legend) + 1) // 2) if legend else 0)
    opening = Markup('<svg viewBox="0 0 {:g} {:g}" role="img" aria-label="{}" id="{}">')
    return opening.format(WIDTH, height, alt, name) + Markup("\n").join(parts) + Markup("</svg>")


def _tops(rows: Sequence[Row], edges: Sequence[Edge]) -> list[float]:
    tops, top = [], 2.0
    for i in range(len(rows)):
        tops.append(top)
        fan = [e for e in edges if e.upper[0] == i and e.lower[0] == i + 1]
        plain = rows[i].block or all(e.slope is None for e in fan)
        one_to_one = len({e.upper for e in fan}) == len({e.lower for e in fan}) == len(fan)
        top += _BOX + (22.0 if plain else 34.0 if one_to_one else 70.0)
    return tops


def _places(row: Row, right: float) -> list[tuple[float, float]]:
    """The middle and the width of each box of a row."""
    room = right - _NAMES
    if row.block:
        return [(_NAMES + room / 2, min(room, 200.0))]
    pitch = min(room / len(row.values), 62.0)
    start = _NAMES + (room - pitch * len(row.values)) / 2
    return [(start + pitch * (i + 0.5), min(pitch - 3, 44.0)) for i in range(len(row.values))]


def _row(row: Row, places: Sequence[tuple[float, float]], top: float) -> list[Markup]:
    parts = [
        _words(0, top + 13, row.name, fill="var(--ink)", size=9.5, anchor="start", most=10),
        _words(0, top + 26, row.operation, fill="var(--muted)", size=9, anchor="start", most=11),
    ]
    for i, (x, width) in enumerate(places):
        parts.append(
            Markup(
                '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:g}" rx="5" '
                'style="fill: var(--raised); stroke: var(--muted); stroke-width: 0.7"/>'
            ).format(x - width / 2, top, width, _BOX)
        )
        value, gradient = short(row.values[i]), short(row.gradients[i])
        if row.block:
            value, gradient = f"{row.block:,} units, length {value}", f"length {gradient}"
        parts.append(_words(x, top + 13, value, fill="var(--ink)"))
        parts.append(_words(x, top + 26, gradient, fill="var(--accent)", weight=650))
    return parts


def _words(
    x: float,
    y: float,
    words: str,
    *,
    fill: str,
    size: float = 10,
    anchor: str = "middle",
    weight: int = 400,
    most: int = 99,
) -> Markup:
    if len(words) > most:
        words = "…" + words[1 - most :]
    return Markup(
        '<text x="{:.1f}" y="{:.1f}" style="font-size: {:g}px; text-anchor: {}; fill: {}; '
        'font-weight: {}">{}</text>'
    ).format(x, y, size, anchor, fill, weight, words)


def _style(edge: Edge) -> tuple[str, str]:
    """Colour and dashes."""
    if edge.slope == 0:
        return "var(--muted)", "1 3"
    if edge.weight is None:
        return "var(--muted)", ""
    return _colour(edge.weight)


def _colour(weight: int) -> tuple[str, str]:
    return f"var(--series-{weight % COLOURS})", _DASHES[weight // COLOURS % len(_DASHES)]


def _ends(
    edge: Edge, places: Sequence[Sequence[tuple[float, float]]], tops: Sequence[float]
) -> tuple[float, float, float, float]:
    if edge.slope is None:
        x1, x2 = (
            (places[row][0][0] + places[row][-1][0]) / 2 for row in (edge.upper[0], edge.lower[0])
        )
    else:
        x1, x2 = (places[row][unit][0] for row, unit in (edge.upper, edge.lower))
    return x1, tops[edge.upper[0]] + _BOX, x2, tops[edge.lower[0]] - 1.5


def _arrow(
    edge: Edge, places: Sequence[Sequence[tuple[float, float]]], tops: Sequence[float]
) -> Markup:
    x1, y1, x2, y2 = _ends(edge, places, tops)
    colour, dashes = _style(edge)
    return _line(f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}", colour, dashes) + _head(
        x2, y2, x2 - x1, y2 - y1, colour
    )


def _line(path: str, colour: str, dashes: str) -> Markup:
    return Markup(
        '<path d="{}" style="fill: none; stroke: {}; stroke-width: 1.3; stroke-dasharray: {}"/>'
    ).format(path, colour, dashes or "none")


def _head(x: float, y: float, across: float, down: float, colour: str) -> Markup:
    length = (across**2 + down**2) ** 0.5
    u, v = across / length, down / length
    left, right = ((x - 6 * u + side * 2.6 * v, y - 6 * v - side * 2.6 * u) for side in (-1, 1))
    return Markup(
        '<path d="M{:.1f} {:.1f}L{:.1f} {:.1f}L{:.1f} {:.1f}Z" style="fill: {}"/>'
    ).format(x, y, *left, *right, colour)


def _lane(
    upper: int,
    lower: int,
    lane: int,
    tops: Sequence[float],
    right: float,
    places: Sequence[Sequence[tuple[float, float]]],
) -> Markup:
    """One arrow for all edges that pass by the rows between."""
    x = right + 4 + _LANE * (lane % 3)
    start, end = (places[row][-1][0] + places[row][-1][1] / 2 for row in (upper, lower))
    y1, y2 = tops[upper] + _BOX / 2, tops[lower] + _BOX / 2
    path = f"M{start:.1f} {y1:.1f}H{x - 4:.1f}Q{x:.1f} {y1:.1f} {x:.1f} {y1 + 4:.1f}"
    path += f"V{y2 - 4:.1f}Q{x:.1f} {y2:.1f} {x - 4:.1f} {y2:.1f}H{end + 1.5:.1f}"
    return _line(path, "var(--muted)", "") + _head(end + 1.5, y2, -1, 0, "var(--muted)")


def _labels(
    edges: Sequence[Edge],
    places: Sequence[Sequence[tuple[float, float]]],
    tops: Sequence[float],
) -> list[Markup]:
    """Slopes beside their arrows; none at all where they would not stand apart."""
    taken: list[tuple[float, float, float]] = []
    parts = []
    for edge in edges:
        if edge.slope is None or edge.weight is not None:
            continue
        words = "×" + short(edge.slope)
        x1, y1, x2, y2 = _ends(edge, places, tops)
        half = len(words) * _LETTER / 2 + 1
        for share in (0.68, 0.5, 0.82, 0.36, 0.24):
            x, y = x1 + share * (x2 - x1), y1 + share * (y2 - y1) + 3
            if all(abs(x - a) > half + b or abs(y - c) > 10 for a, b, c in taken):
                taken.append((x, half, y))
                parts += [_paper(x, y, half), _words(x, y, words, fill="var(--ink)", size=9)]
                break
        else:
            return []
    return parts


def _paper(x: float, y: float, half: float) -> Markup:
    """A piece of the page, so that no arrow runs through a label."""
    return Markup(
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="10" style="fill: var(--paper)"/>'
    ).format(x - half, y - 8, 2 * half)


def _entry(i: int, words: str, top: float) -> Markup:
    x, y = (WIDTH / 2) * (i % 2), top + 16 + 16 * (i // 2)
    colour, dashes = _colour(i)
    mark = _line(f"M{x:.1f} {y - 3.5:.1f}h18", colour, dashes)
    return mark + _words(x + 23, y, words, fill="var(--ink)", size=9.5, anchor="start", most=30)
