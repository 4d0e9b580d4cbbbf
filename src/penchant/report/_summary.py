"""A study in a notebook's cell: the verdict, the table, and small pictures."""

from penchant.report import _reading as reading
from penchant.report import _sections as sections
from penchant.report import _words as words
from penchant.report._headline import headline
from penchant.report._page import render
from penchant.report._pictures import Form, address
from penchant.report._slices import on_paper
from penchant.report._table import overall
from penchant.study import Results

_MOST_PICTURES = 8
_SIDE = 160


def html_summary(results: Results) -> str:
    """A fragment of HTML for notebooks: the verdict, the designs, the first signal's pictures.

    It takes the notebook's own colours, runs no script and asks for nothing.

    Args:
        results: a finished study.

    Returns:
        HTML, a few hundred kilobytes at most.

    Example:
        >>> from penchant.study import Run
        >>> run = Run("a1", "cat", "relu", 0, "done", 300, 1.5, 33, {}, {"psnr_seen": 21.0}, (), ())
        >>> results = Results(None, {}, ("relu",), (), "psnr_seen", (run,), (), (), (), ())
        >>> "21.00" in html_summary(results)
        True
    """
    designs = overall(results)
    drawn = [shown for one in results.reconstructions if (shown := on_paper(one)) is not None]
    first = drawn[0].signal if drawn else None
    pictures = {
        shown.design: shown.values
        for shown in drawn
        if (shown.signal, shown.view) == (first, drawn[0].view)
    }
    order = [name for name in ("", *designs["design"]) if name in pictures][:_MOST_PICTURES]
    return render(
        "summary.html.jinja",
        headline=headline(results, designs) if results.runs else None,
        designs=sections.designs(results, designs),
        verdicts=sections.verdicts(results, list(designs["design"])),
        against=words.against(results),
        several=reading.several_baselines(results),
        each=reading.judged_each(results),
        metric=results.metric,
        unit=words.unit(results),
        difference_unit=words.difference_unit(results),
        target=f"Steps to {words.goal(results)}" if reading.target_metric(results) else "",
        sentences=[sections.sentence(results, one) for one in results.target_verdicts],
        constant=words.constant(results),
        places=words.decimals(results),
        diverged=sum(run.status == "diverged" for run in results.runs),
        warnings=sections.warnings(results),
        signal=first,
        pictures=[(name, address(pictures[name], Form(_SIDE))) for name in order],
        pictures_left_out=len(pictures) - len(order),
    )
