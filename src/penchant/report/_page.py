"""A study's templates, filled."""

from penchant import pages
from penchant.report import _words as words


def render(template: str, *, script: str = "", **values: object) -> str:
    """Render a template of this room, with a study's words beside those of every page.

    Args:
        template: name of a file in `templates/`.
        script: name of a script in `templates/`, placed at the page's end.
        values: what the template shows.
    """
    return pages.render(
        template,
        room="penchant.report",
        script=script,
        metric_name=words.metric_name,
        capital=words.capital,
        label=words.label,
        listed=words.listed,
        significant=words.significant,
        symbols=words.SYMBOLS,
        **values,
    )
