"""Judged comparisons under names of our own choosing, one below the other."""

from collections.abc import Sequence

from penchant.explain import Figure
from penchant.pages import MUTED, page_style, svg
from penchant.report import Row, forest, reach
from penchant.study import Verdict


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
