"""The figures of the claims on residual networks, drawn from their evidence alone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from penchant.claims import _residual_runs as runs
from penchant.claims._claim import Evidence
from penchant.claims._figures import labelled_forest, row
from penchant.claims._rules import Pair, judged, pairs
from penchant.claims._signal_options import options
from penchant.explain import Figure, Line, chart
from penchant.pages import (
    ACCENT,
    INK,
    MUTED,
    RULE,
    WIDTH,
    figure,
    number,
    page_style,
    svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Found = Mapping[str, Evidence]


def conv_features(found: Found) -> Figure | None:
    """Draw by how much convolutional networks are ahead, on pictures, shifted ones and features."""
    nothing: Evidence = {}
    asked = {
        "as they are": judged(found.get("pictures", nothing), metric="accuracy_held_out"),
        "shifted": judged(found.get("shifted", nothing), metric="accuracy_shifted_held_out"),
        "features": judged(found.get("features", nothing), parameters="equal"),
    }
    rows = [
        row(f"{what}{_pictures(pair)}, {_norm(pair)}", verdict)
        for what, several in asked.items()
        for pair, verdict in several
    ]
    return labelled_forest(
        rows,
        name="claim-conv-features",
        title="Convolutional against dense, at equal parameters",
        caption="Percentage points of accuracy by which the convolutional network is ahead on "
        "unseen pictures (as they are, and shifted; by the number of training pictures), and a "
        "linear probe on its features on classes that were not trained on. “norm” is with batch "
        "norm, “bare” without.",
        against="difference, points",
        margin=1.0,
    )


def _pictures(pair: Pair) -> str:
    samples = options(pair["signal"]).get("samples") if pair["signal"] else None
    return f", {int(samples):,}" if samples else ""


def _norm(pair: Pair) -> str:
    return "norm" if pair.get("normalisation") == "batch" else "bare"


def skip_form(found: Found) -> Figure | None:
    """Draw a block with the numbers of an example: the sum goes in before g."""
    if "sum" not in found:
        return None
    example = found["sum"]["example"]
    title = "A residual block: the sum goes in before g"
    with page_style():
        drawn = figure(height=184.0)
        axes = drawn.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(0, 184)
        axes.axis("off")
        level, above = 90.0, 154.0
        _arrow(axes, (34, level), (78, level))
        _box(axes, (112, level), "W·a + b")
        _arrow(axes, (146, level), (200, level))
        axes.plot(214, level, "o", markersize=20, markerfacecolor="none", markeredgecolor=INK)
        axes.text(214, level, "+", ha="center", va="center", color=INK, fontsize=14)
        _arrow(axes, (228, level), (254, level))
        _box(axes, (272, level), "g", half=18)
        _arrow(axes, (290, level), (330, level))
        axes.plot((50, 50, 214), (level, above, above), color=ACCENT, linewidth=2)
        _arrow(axes, (214, above), (214, level + 14), colour=ACCENT)
        axes.text(132, above + 8, "identity", ha="center", color=ACCENT)
        for x, name in ((22, "a"), (173, "z"), (326, "g(z + a)")):
            column = [name, *(number(value) for value in example[name])]
            for line, words in enumerate(column):
                axes.text(
                    x,
                    level - 32 - 14 * line,
                    words,
                    ha="center",
                    color=MUTED if line else INK,
                )
    caption = "One input of three units through a block with ReLU as g, computed by Residual."
    with page_style():
        return Figure(title, svg(drawn, "claim-skip-form", f"{title}. {caption}"), caption)


def _box(axes: "Axes", centre: tuple[float, float], words: str, half: float = 34.0) -> None:
    from matplotlib.patches import Rectangle

    x, y = centre
    axes.add_patch(
        Rectangle((x - half, y - 16), 2 * half, 32, facecolor="none", edgecolor=RULE, linewidth=1.2)
    )
    axes.text(x, y, words, ha="center", va="center", color=INK)


def _arrow(
    axes: "Axes", start: tuple[float, float], end: tuple[float, float], colour: str = MUTED
) -> None:
    style = {"arrowstyle": "->", "color": colour, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


def skip_gradients(found: Found) -> Figure | None:
    """Draw the gradient's norm by layer on its way back, in the deepest networks at the start."""
    drawn = [
        (name, pair)
        for name, statement in (("plain", "vanishes"), ("residual", "mended"))
        for pair in pairs(found.get(statement, {}), moment="before training")
        if pair["levels"]
    ]
    if not drawn:
        return None
    depth = max(pair["depth"] for _, pair in drawn)
    lines = [
        Line(
            f"{name}, {_norm(pair)}",
            np.arange(len(pair["levels"]), dtype=np.float64),
            np.array(pair["levels"], dtype=np.float64),
        )
        for name, pair in drawn
        if pair["depth"] == depth
    ]
    every = np.concatenate([line.y for line in lines])
    low, high = float(every.min()), float(every.max())
    title = f"The gradient on its way back through {depth} layers, before training"
    caption = (
        "Norm of the gradient at each layer's activations, as a multiple of that at the last "
        "hidden layer, a mean of logarithms over seeds: what falls to the right vanishes, what "
        "rises explodes. “norm” is with batch norm, “bare” without."
    )
    drawn_chart = chart(
        "claim-skip-gradients",
        f"{title}. {caption}",
        lines,
        against="layers back from the last hidden one",
        limits=(min(low - 0.2, -1.2), max(high + 0.2, 1.2)),
        powers=True,
    )
    return Figure(title, drawn_chart, caption)


def skip_overfitting(found: Found) -> Figure | None:
    """Draw the difference of the gaps at equal training loss, and how linear blocks are."""
    chosen = judged(found.get("gap", {}), metric=runs.GAPS)
    rows = [row(f"{_depth(pair)}{_pictures(pair)} pictures", verdict) for pair, verdict in chosen]
    return labelled_forest(
        rows,
        name="claim-skip-overfitting",
        title="Generalisation gap at equal training loss, residual against plain",
        caption="Nats by which the residual network's gap between held-out and training loss is "
        "wider than its plain twin's where both have come to the same training loss: to the left "
        "of zero it overfits less.",
        against="difference, nats",
        margin=chosen[0][0]["margin"] if chosen else 0.0,
    )


def _depth(pair: Pair) -> str:
    layers = pair.get("depth")
    return f"{layers} layers" if layers else "residual"
