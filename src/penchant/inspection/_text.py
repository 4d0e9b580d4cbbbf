"""An inspection as text, as wide as there is room, and as a table for a notebook."""

from collections.abc import Sequence
from fractions import Fraction
from html import escape
from textwrap import TextWrapper

from penchant.inspection._result import Field, Inspection, Layer
from penchant.inspection._words import times

MOST_CALLS = 4
"""Calls of one module that are shown; the others are summed in one line."""

_RIGHT = frozenset({"parameters", "multiply-adds", "sees", "stride"})
_GAP = "  "
_LEAST_PATH = 14


def text(found: Inspection, width: int | None = None) -> str:
    """Lay an inspection out in lines of plain text.

    Args:
        found: what to show.
        width: columns that there are; as many as it takes when None. Where they do not suffice
            formulas are left out, then strides and types, and paths lose their middle.

    Returns:
        Lines without trailing spaces; the last one ends.
    """
    shown, hidden = _divided(found.layers)
    table = _fitting(found, shown, width)
    head, remarks = folded([_head(found)], width), folded(_remarks(found, hidden), width)
    return "\n".join(line.rstrip() for line in (*head, "", *table, *remarks)) + "\n"


def folded(lines: Sequence[str], width: int | None) -> list[str]:
    """Fold sentences to so many columns, what goes on set in by two; as they are when None.

    Example:
        >>> folded(["dead: fc1: 100% of its units"], 20)
        ['dead: fc1: 100% of', '  its units']
    """
    if width is None:
        return list(lines)
    fold = TextWrapper(max(width, 20), subsequent_indent="  ", break_on_hyphens=False)
    return [part for line in lines for part in fold.wrap(line) or [""]]


def _divided(layers: Sequence[Layer]) -> tuple[list[Layer], list[Layer]]:
    """Leave rows out where one module would fill the table."""
    shown: list[Layer] = []
    hidden: list[Layer] = []
    rows: dict[tuple[str, str], int] = {}
    for layer in layers:
        # Functions may be called for another purpose each time, but for those of one parameter.
        if layer.call or (layer.function and layer.shared and not layer.parameters):
            number = rows.get((layer.path, layer.kind), 1) + 1
            rows[layer.path, layer.kind] = number
            (shown if number <= MOST_CALLS else hidden).append(layer)
        else:
            shown.append(layer)
    return shown, hidden


def _head(found: Inspection) -> str:
    several = len(found.inputs) > 1
    given = ", ".join(
        f"{name} {times(shape)} ({dtype})" if several else f"{times(shape)} ({dtype})"
        for name, (shape, dtype) in found.inputs.items()
    )
    return f"{found.model} on {given or 'no input'}, in evaluation mode"


def _remarks(found: Inspection, hidden: Sequence[Layer]) -> list[str]:
    lines = [""]
    lines.append(
        f"{found.parameters:,} parameters"
        + (f", {found.shared:,} of them used more than once" if found.shared else "")
        + ("" if found.trainable == found.parameters else f", {found.trainable:,} trainable")
        + f"; {found.multiply_adds:,} multiply-adds ({2 * found.multiply_adds:,} flops)"
    )
    if any(layer.shared for layer in found.layers):
        lines.append("(n) parameters are shared with a layer above, and counted there")
    if any(layer.function for layer in found.layers):
        lines.append("name() is a function in the forward of the module at that path")
    if found.field:
        axes = f"ax{'i' if len(found.field.axes) == 1 else 'e'}s"
        places = " and ".join(map(str, found.field.axes))
        lines.append(
            f"sees, stride: positions along {axes} {places} of the input; all: every output sees "
            "the whole input"
        )
    if hidden:
        costs = sum(layer.multiply_adds for layer in hidden)
        lines.append(
            f"later calls of a module than its {MOST_CALLS}th are left out: {len(hidden)} "
            f"row{'s' * (len(hidden) > 1)}, {costs:,} multiply-adds"
        )
    return lines + [f"note: {note}" for note in found.notes]


def _fitting(found: Inspection, shown: Sequence[Layer], width: int | None) -> list[str]:
    """Choose the columns for which there is room."""
    columns = _columns(found, shown)
    for left_out in ((), ("formula",), ("formula", "stride"), ("formula", "stride", "type")):
        kept = {name: cells for name, cells in columns.items() if name not in left_out}
        if width is None or _width(kept) <= width:
            return _lines(kept)
        short = _width(kept) - width
        longest = max(map(len, kept["layer"]))
        # Formulas are worth less than whole paths, types and strides more.
        if left_out and longest - short >= _LEAST_PATH:
            kept["layer"] = [shortened(cell, longest - short) for cell in kept["layer"]]
            return _lines(kept)
    kept["layer"] = [shortened(cell, _LEAST_PATH) for cell in kept["layer"]]
    return _lines(kept)


def _columns(found: Inspection, shown: Sequence[Layer]) -> dict[str, list[str]]:
    columns = {
        "layer": [*map(_path, shown), "total"],
        "type": [f"{layer.kind}()" if layer.function else layer.kind for layer in shown] + [""],
        "output": [*map(_output, shown), ""],
        "formula": [*(layer.formula for layer in shown), ""],
        "parameters": [*map(_parameters, shown), f"{found.parameters:,}"],
        "multiply-adds": [
            *(f"{layer.multiply_adds:,}" if layer.multiply_adds else "" for layer in shown),
            f"{found.multiply_adds:,}",
        ],
        "sees": [*(_size(layer.field) for layer in shown), _size(found.field)],
        "stride": [*(_stride(layer.field) for layer in shown), _stride(found.field)],
    }
    always = ("layer", "parameters", "multiply-adds")
    return {name: cells for name, cells in columns.items() if any(cells) or name in always}


def _lines(columns: dict[str, list[str]]) -> list[str]:
    widths = {name: max(map(len, (name, *cells))) for name, cells in columns.items()}

    def line(cells: dict[str, str]) -> str:
        return _GAP.join(
            cell.rjust(widths[name]) if name in _RIGHT else cell.ljust(widths[name])
            for name, cell in cells.items()
        )

    count = len(columns["layer"])
    rows = [line({name: cells[i] for name, cells in columns.items()}) for i in range(count)]
    rule = "─" * len(line(dict.fromkeys(columns, "")))
    return [line({name: name for name in columns}), rule, *rows[:-1], rule, rows[-1]]


def _width(columns: dict[str, list[str]]) -> int:
    return sum(max(map(len, (name, *cells))) for name, cells in columns.items()) + len(_GAP) * (
        len(columns) - 1
    )


def shortened(path: str, width: int) -> str:
    """Take a path's middle out.

    Example:
        >>> shortened("features.stage3.block12.conv1", 16)
        'features…2.conv1'
    """
    if len(path) <= width:
        return path
    front = width // 2
    return f"{path[:front]}…{path[len(path) - (width - front - 1) :]}"


def _path(layer: Layer) -> str:
    path = layer.path or ("forward" if layer.function else "(the model)")
    # A layer that holds nothing may as well be another one.
    return f"{path}, call {layer.call + 1}" if layer.call and layer.shared else path


def _output(layer: Layer) -> str:
    more = len(layer.outputs) - 1
    return (times(layer.outputs[0]) + (f" +{more}" if more else "")) if layer.outputs else ""


def _parameters(layer: Layer) -> str:
    own = f"{layer.parameters:,}" if layer.parameters else ""
    return f"{own} ({layer.shared:,})".strip() if layer.shared else own


def _row(entries: Sequence[int | Fraction | None]) -> str:
    shown = ["?" if entry is None else str(entry) for entry in entries]
    return shown[0] if len(set(shown)) == 1 else "×".join(shown)


def _size(field: Field | None) -> str:
    if field is None:
        return ""
    return "all" if field.whole and None not in field.size else _row(field.size)


def _stride(field: Field | None) -> str:
    if field is None or all(step is None for step in field.stride):
        return ""
    return _row(field.stride)


def html(found: Inspection) -> str:
    """Make a table for a notebook."""
    columns = _columns(found, found.layers)
    names = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = [
        "".join(
            f'<td style="text-align:{"right" if name in _RIGHT else "left"}">'
            f"{escape(cells[number])}</td>"
            for name, cells in columns.items()
        )
        for number in range(len(columns["layer"]))
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    remarks = "<br>".join(map(escape, _remarks(found, ())[1:]))
    return (
        f"<p>{escape(_head(found))}</p><table><thead><tr>{names}</tr></thead>"
        f"<tbody>{body}</tbody></table><p>{remarks}</p>"
    )
