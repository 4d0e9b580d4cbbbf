"""Which designs share a chart, and what each one's line looks like in all of them.

A few designs fit one chart. Many are drawn as small multiples: a panel for each value of the fields
that group them, with the same colours in each, so that what is compared (plain against residual)
is always the same pair of colours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from penchant.pages import DASHES, INK, SERIES
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.study import Results

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_MOST_TOGETHER = len(SERIES) + 1
"""Lines that one chart can show in colours of their own, the baseline's among them."""
_FEW = 4
"""Lines that a small chart shows well."""
_MOST_PANELS = 16
_MOST_FIELDS = 6


@dataclass(frozen=True)
class Style:
    """How a design's line is drawn, and what it is called beside its panel's title."""

    name: str
    colour: str
    dash: Any
    marker: str | None


@dataclass(frozen=True)
class Panel:
    """Designs that share a chart."""

    title: str
    """What they have in common; empty where all designs share one chart."""
    designs: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """All panels, and the style of every design that has one."""

    panels: tuple[Panel, ...]
    styles: Mapping[str, Style]

    @property
    def single(self) -> bool:
        """Whether all designs share one chart."""
        return len(self.panels) == 1


def layout(results: Results, designs: Sequence[str]) -> Layout:
    """Group designs into panels and give each its style.

    Args:
        results: the study.
        designs: labels, best first; where they share a chart, those after the palette's end get no
            style.
    """
    fields = words.telling_fields(results)[:_MOST_FIELDS]
    values = {design: _values(results, design, fields) for design in results.designs}
    compared = _compared(results, values)
    several = reading.several_baselines(results)
    if not several and len(designs) <= _MOST_TOGETHER:
        return _together(results, designs)
    wanted = set(designs)
    order = [design for design in results.designs if design in wanted]
    found = []
    free = [i for i in range(len(fields)) if not several or i not in compared]
    for size in range(0 if several else 1, len(free) + 1):
        for chosen in combinations(free, size):
            groups: dict[tuple[object, ...], list[str]] = {}
            for design in order:
                groups.setdefault(tuple(values[design][i] for i in chosen), []).append(design)
            largest = max(map(len, groups.values()), default=0)
            if largest <= _MOST_TOGETHER and len(groups) <= min(_MOST_PANELS, len(order) - 1):
                found.append((largest > _FEW, len(groups), size, chosen, groups))
    if not found:
        return _together(results, designs)
    *_, chosen, groups = min(found, key=lambda one: one[:3])
    panels = tuple(
        Panel(words.choices({fields[i]: v for i, v in zip(chosen, key, strict=True)}), tuple(group))
        for key, group in groups.items()
    )
    rest = [
        i
        for i in range(len(fields))
        if i not in chosen and len({values[design][i] for design in order}) > 1
    ]
    return Layout(panels, _styles(results, order, fields, values, rest, compared))


def _values(results: Results, design: str, fields: Sequence[str]) -> tuple[object, ...]:
    run = next(iter(reading.runs_of(results, design)), None)
    found = [run.settings.get(field) if run else None for field in fields]
    return tuple(str(v) if isinstance(v, list | dict) else v for v in found)


def _compared(results: Results, values: Mapping[str, tuple[object, ...]]) -> set[int]:
    """Places of the fields in which designs differ from their own baselines."""
    return {
        i
        for design, own in values.items()
        for i, (mine, its) in enumerate(
            zip(own, values[reading.baseline_of(results, design)], strict=True)
        )
        if mine != its
    }


def _together(results: Results, designs: Sequence[str]) -> Layout:
    """One chart: each design has a colour; the baseline is drawn in ink, without markers."""
    styles = {
        design: Style(design, INK, "solid", None)
        for design in designs
        if reading.is_baseline(results, design)
    }
    others = [design for design in designs if design not in styles]
    for i, design in enumerate(others[: len(SERIES)]):
        styles[design] = Style(design, SERIES[i], DASHES[i % len(DASHES)], _MARKERS[i])
    return Layout((Panel("", tuple(designs)),), styles)


def _styles(
    results: Results,
    designs: Sequence[str],
    fields: Sequence[str],
    values: Mapping[str, tuple[object, ...]],
    shown: Sequence[int],
    compared: set[int],
) -> dict[str, Style]:
    """Colour by what is compared, dashes by what else differs within a panel."""
    by_colour = [i for i in shown if i in compared]
    by_dash = [i for i in shown if i not in compared]
    # Where only one side of what is compared is shown, colours are free for what else differs.
    first = 0
    if not by_colour:
        by_colour, by_dash, first = by_dash, [], 1

    def key(design: str, places: Sequence[int]) -> tuple[object, ...]:
        return tuple(values[design][i] for i in places)

    bases = {key(d, by_colour) for d in results.designs if reading.is_baseline(results, d)}
    bases = bases if not first else set()
    colours = list(dict.fromkeys(key(d, by_colour) for d in designs))
    others = [one for one in colours if one not in bases]
    dashes = list(dict.fromkeys(key(d, by_dash) for d in designs))
    by_marker = len(dashes) > 1
    styles = {}
    for design in designs:
        colour, dash = key(design, by_colour), dashes.index(key(design, by_dash))
        index = None if colour in bases else (first + others.index(colour)) % len(SERIES)
        if len(dashes) == 1 and index is not None:
            dash = index
        styles[design] = Style(
            words.choices({fields[i]: values[design][i] for i in shown}) or design,
            INK if index is None else SERIES[index],
            DASHES[dash % len(DASHES)],
            None if index is None else _MARKERS[(index + by_marker * dash) % len(_MARKERS)],
        )
    return styles
