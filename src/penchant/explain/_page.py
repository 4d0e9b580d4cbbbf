"""An explanation as a page: one file with everything inside, in the look of a study's report."""

from penchant.explain._explanation import Explanation
from penchant.explain._text import held, numeric
from penchant.pages import render


def page(explanation: Explanation) -> str:
    """Fill the page: the answer, the worked numbers, then sections with figures, then sources.

    The same explanation gives the same text.
    """
    return render(
        "explanation.html.jinja",
        room="penchant.explain",
        explanation=explanation,
        held=held,
        numeric=numeric,
    )
