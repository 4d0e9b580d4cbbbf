"""A study's page: the verdict first, then everything that a sceptical reader asks for."""

from pathlib import Path

from penchant.errors import PenchantError
from penchant.files import write_whole
from penchant.pages import counted, integers
from penchant.report import _charts as charts
from penchant.report import _method as method
from penchant.report import _probes as probes
from penchant.report import _reading as reading
from penchant.report import _sections as sections
from penchant.report import _trend as trend
from penchant.report import _words as words
from penchant.report._headline import headline
from penchant.report._layout import layout
from penchant.report._learning import learning
from penchant.report._page import render
from penchant.report._pictures import gallery
from penchant.report._plane import planes
from penchant.report._signals import several
from penchant.report._sounds import sounds
from penchant.report._table import overall
from penchant.study import Results

LARGEST_PAGE = 5_000_000
"""Bytes that no page exceeds, so that it can be mailed."""
_PICTURE_BUDGETS = (3_200_000, 1_600_000, 400_000, 0)


def report(results: Results, path: str | Path) -> Path:
    """Write a study's page: one HTML file that needs no network and stays below 5 MB.

    The verdict stands first, then the designs with their intervals, pictures and error maps with a
    synchronised zoom, curves against steps and processor seconds, error by frequency band, and the
    method in full. The file is written aside and renamed, so a reader never meets half a page. The
    same results give the same bytes.

    Args:
        results: a finished study.
        path: the file to write; it is replaced if it exists.

    Returns:
        The file's path.

    Raises:
        PenchantError: if there is nothing to report, or `path` cannot be written.

    Example:
        >>> from penchant.study import Run
        >>> run = Run("a1", "cat", "relu", 0, "done", 300, 1.5, 33, {}, {"psnr_seen": 21.0}, (), ())
        >>> results = Results(None, {}, ("relu",), (), "psnr_seen", (run,), (), (), (), ())
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report(results, Path(folder) / "report.html").name
        'report.html'
    """
    target = Path(path)
    if not results.runs:
        raise PenchantError("report(results): results hold no runs; run the study first")
    if target.is_dir():
        raise PenchantError(
            f"report(path='{target}'): is a folder; name a file, such as report.html"
        )
    return write_whole(target, page(results).encode())


def page(results: Results) -> str:
    """A study's page as text, below `LARGEST_PAGE` bytes whatever the study holds."""
    text = ""
    for budget in _PICTURE_BUDGETS:
        text = _page(results, budget)
        if len(text.encode()) < LARGEST_PAGE:
            return text
    raise PenchantError(
        f"report(results): the page takes {len(text.encode()):,} bytes without any picture, more "
        f"than {LARGEST_PAGE:,}; report fewer designs at once ({len(results.designs)} here)"
    )


def _page(results: Results, picture_budget: int) -> str:
    designs = overall(results)
    order = list(designs["design"])
    plan = layout(results, order)
    pilots, pilots_left_out = method.pilot_rows(results)
    return render(
        "report.html.jinja",
        script="report.js",
        title=_title(results),
        headline=headline(results, designs),
        scope=words.scope(results),
        verdicts=sections.verdicts(results, order),
        target=sections.target(results),
        warnings=sections.warnings(results),
        runs=len(results.runs),
        metric=results.metric,
        unit=words.unit(results),
        difference_unit=words.difference_unit(results),
        places=words.decimals(results),
        against=words.against(results),
        whose=words.differences_of(results) or "against each design’s baseline",
        several=reading.several_baselines(results),
        each=reading.judged_each(results),
        margin=words.margin(results),
        higher_is_better=reading.higher_is_better(results),
        constant=words.constant(results),
        kind=words.kind(results),
        sample="seed" if len(reading.signals(results)) == 1 else words.noun(results),
        designs=sections.designs(results, designs),
        differences=charts.differences(results, designs, results.metric)
        if designs["difference"].notna().any()
        else "",
        gallery=gallery(results, order, picture_budget),
        sounds=sounds(results, order, picture_budget),
        planes=planes(results, order),
        trend=trend.trend(results, plan, order),
        learning=learning(results, plan, order),
        gradients=probes.gradients(results, plan),
        paths=probes.paths(results, plan),
        bands=sections.bands(results, designs),
        signals=sections.signals(results, designs),
        others=sections.others(results, designs),
        further=sections.further(results),
        all_verdicts=sections.all_verdicts(results),
        plan=method.plan_rows(results),
        settings=method.design_settings(results),
        pilots=pilots,
        pilots_left_out=pilots_left_out,
        seeds=integers(reading.seeds(results)),
        statistics=method.statistics(results),
        method=dict(results.method),
    )


def _title(results: Results) -> str:
    shown = several(reading.signals(results), words.noun(results))
    return f"{counted(len(results.designs), 'design')} on {shown}"
