"""A study's page: the verdict first, then everything that a sceptical reader asks for."""

from pathlib import Path

import numpy as np
import pandas as pd

from penchant.errors import PenchantError
from penchant.files import write_whole
from penchant.pages import counted, integers
from penchant.report import _charts as charts
from penchant.report import _curves as curves
from penchant.report import _method as method
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.report._headline import headline
from penchant.report._page import render
from penchant.report._pictures import gallery
from penchant.report._table import t_interval, table
from penchant.report._target import target_table
from penchant.study import Results

LARGEST_PAGE = 5_000_000
"""Bytes that no page exceeds, so that it can be mailed."""
_PICTURE_BUDGETS = (3_200_000, 1_600_000, 400_000, 0)
_MOST_BAND_CHARTS = 30
_MOST_SIGNAL_ROWS = 100


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
    designs = table(results)
    pictures = gallery(results, list(designs["design"]), picture_budget)
    pilots, pilots_left_out = method.pilot_rows(results)
    verdicts = reading.verdicts_of(results)
    return render(
        "report.html.jinja",
        script="report.js",
        title=_title(results),
        headline=headline(results, designs),
        scope=words.scope(results),
        sentences=[verdicts[name] for name in designs["design"] if name in verdicts],
        target=_target(results),
        warnings=results.warnings,
        runs=len(results.runs),
        metric=results.metric,
        unit=words.unit(results),
        difference_unit=words.difference_unit(results),
        places=words.decimals(results),
        baseline=reading.baseline(results),
        margin=words.margin(results),
        higher_is_better=reading.higher_is_better(results),
        constant=words.constant(results),
        kind=words.kind(results),
        sample="seed" if len(reading.signals(results)) == 1 else words.noun(results),
        designs=designs.to_dict("records"),
        differences=charts.differences(results, designs, results.metric) if verdicts else "",
        gallery=pictures,
        learning=_learning(results, designs),
        bands=_bands(results, designs),
        signals=_signals(results, designs),
        others=_others(results, designs),
        all_verdicts=[
            (
                verdict,
                words.name_of(results, verdict.metric),
                words.difference_unit(results, verdict.metric),
                words.decimals(results, verdict.metric) + 1,
            )
            for verdict in (*results.verdicts, *results.target_verdicts)
        ],
        plan=method.plan_rows(results),
        settings=method.design_settings(results),
        pilots=pilots,
        pilots_left_out=pilots_left_out,
        seeds=integers(reading.seeds(results)),
        statistics=method.statistics(results),
        method=dict(results.method),
    )


def _title(results: Results) -> str:
    names = reading.signals(results)
    shown = names[0] if len(names) == 1 else counted(len(names), words.noun(results))
    return f"{counted(len(results.designs), 'design')} on {shown}"


def _target(results: Results) -> dict[str, object]:
    """The steps to the target, where the plan has one."""
    metric = reading.target_metric(results)
    if not metric:
        return {}
    rows = target_table(results)
    verdicts = reading.target_verdicts_of(results)
    return {
        "name": words.target_name(results),
        "goal": words.goal(results),
        "metric": words.metric_name(results.metric),
        "places": words.decimals(results, metric),
        "margin": words.margin(results, metric),
        "budget": reading.budget(results),
        "missed": int((rows["runs"] - rows["reached"]).sum()),
        "sentences": [verdicts[name] for name in rows["design"] if name in verdicts],
        "designs": rows.to_dict("records"),
        "unknown": len(verdicts) > int(rows["difference"].notna().sum()),
        "chart": charts.differences(results, rows, metric, "steps")
        if rows["difference"].notna().any()
        else "",
    }


def _learning(results: Results, designs: pd.DataFrame) -> dict[str, object]:
    metric = curves.watched_metric(results)
    if metric is None:
        return {}
    by_step, by_seconds = curves.metric_curves(results, list(designs["design"]), metric)
    if not by_step:
        return {}
    return {
        "metric": metric,
        "unit": words.unit(results, metric),
        "target": words.goal(results)
        if metric == results.metric and reading.target(results) is not None
        else "",
        "steps": charts.curves(results, by_step, metric, "curves-steps", "steps"),
        "seconds": charts.curves(
            results, by_seconds, metric, "curves-seconds", "processor seconds"
        ),
        "thin": len(by_step) - len(charts.named(by_step, reading.baseline(results))),
    }


def _bands(results: Results, designs: pd.DataFrame) -> dict[str, object]:
    found = curves.band_curves(results, list(designs["design"])[:_MOST_BAND_CHARTS])
    if not found:
        return {}
    lowest = max(min(float(curve.shares.min()) for curve in found), 1e-6)
    highest = max(1.0, max(float(curve.shares.max()) for curve in found))
    limits = float(10 ** np.floor(np.log10(lowest))), highest * 1.25
    last_step = max(float(curve.x[-1]) for curve in found)
    return {
        "count": max(curve.shares.shape[1] for curve in found),
        "charts": [
            (curve.design, charts.bands(curve, i, limits, last_step))
            for i, curve in enumerate(found)
        ],
        "ends": [(curve.design, [float(share) for share in curve.shares[-1]]) for curve in found],
        "left_out": max(0, len(designs) - _MOST_BAND_CHARTS),
    }


def _signals(results: Results, designs: pd.DataFrame) -> dict[str, object]:
    """Mean of every design on every signal; nothing for one signal, where it is the main table."""
    names = reading.signals(results)
    if len(names) == 1:
        return {}
    order = list(designs["design"])
    rows = []
    for name in names[:_MOST_SIGNAL_ROWS]:
        values = {
            design: reading.mean(
                run.metrics.get(results.metric, np.nan)
                for run in reading.runs_of(results, design)
                if run.signal == name
            )
            for design in order
        }
        known = {design: value for design, value in values.items() if np.isfinite(value)}
        choose = max if reading.higher_is_better(results) else min
        best = choose(known, key=known.__getitem__) if known else ""
        rows.append((name, [(values[design], design == best) for design in order]))
    return {"designs": order, "rows": rows, "left_out": max(0, len(names) - _MOST_SIGNAL_ROWS)}


def _others(results: Results, designs: pd.DataFrame) -> dict[str, object]:
    """Means and intervals of the metrics beside the primary one."""
    metrics = reading.other_metrics(results)
    if not metrics:
        return {}
    rows = []
    for design in designs["design"]:
        cells = []
        for metric in metrics:
            samples = reading.samples_of(results, design, metric)
            places = words.decimals(results, metric)
            cells.append((reading.mean(samples), *t_interval(samples), places))
        rows.append((design, cells))
    lower = [name for name in metrics if not reading.metric(results, name).higher_is_better]
    return {
        "heads": [(metric, words.unit(results, metric)) for metric in metrics],
        "rows": rows,
        "lower": list(dict.fromkeys(map(words.abbreviated, lower))),
    }
