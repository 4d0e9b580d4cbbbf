"""Figures that several claims share, drawn from evidence alone."""

from collections.abc import Sequence

from penchant.claims._claim import Evidence
from penchant.claims._rules import judged
from penchant.explain import Figure
from penchant.pages import MUTED, page_style, svg
from penchant.report import Row, forest, reach
from penchant.study import Verdict

MOST_ROWS = 40
"""Comparisons that one figure shows; beyond, those that the rule reads are in the table alone."""


def intervals(
    evidence: Evidence,
    *,
    name: str,
    title: str,
    caption: str,
    margin: float | None = None,
    **facts: object,
) -> Figure | None:
    """Draw comparisons with their simultaneous intervals, one below the other, the margin shaded.

    Args:
        evidence: of a statement; its studies' comparisons are judged anew as one family.
        name: of the figure, unique on the page.
        title: what is compared.
        caption: what to see.
        margin: the difference that matters, in place of the study's own.
        facts: which comparisons, as for `comparisons`.

    Returns:
        The figure, or None where there is nothing to draw.
    """
    every = judged(evidence, margin=margin, **facts)
    found = [one for one in every if one[1].n][:MOST_ROWS]
    if not found:
        return None
    signals = {pair["signal"] for pair, _ in found}
    rows = [
        row(f"{verdict.design}, {pair['signal']}" if len(signals) > 1 else verdict.design, verdict)
        for pair, verdict in found
    ]
    first = found[0][0]
    shaded = first["margin"] if margin is None else margin
    against = _unit(first["unit"])
    return labelled_forest(
        rows, name=name, title=title, caption=caption, against=against, margin=shaded
    )


def row(name: str, verdict: Verdict) -> Row:
    """Return a judged comparison under a name, which should have at most 26 letters."""
    return Row(name, verdict.mean_difference, verdict.interval, verdict.verdict)


def labelled_forest(
    rows: Sequence[Row],
    *,
    name: str,
    title: str,
    caption: str,
    against: str,
    margin: float,
) -> Figure | None:
    """Draw rows with their intervals, the margin shaded.

    Args:
        rows: from top to bottom.
        name: of the figure, unique on the page.
        title: what is compared.
        caption: what to see.
        against: what the numbers are, with their unit.
        margin: the difference that matters; 0 where there is none.

    Returns:
        The figure, or None without rows.
    """
    if not rows:
        return None
    with page_style():
        drawn, axes, _ = forest(rows, margin, reach(rows, margin))
        axes.set_xlabel(against, color=MUTED)
        return Figure(title, svg(drawn, name, f"{title}. {caption}"), caption)


def _unit(unit: str) -> str:
    return "difference" if not unit else f"difference, {'points' if unit == '%' else unit}"
