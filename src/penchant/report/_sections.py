"""The sections of a study's page that hold tables and bands: what the templates show."""

import numpy as np
import pandas as pd

from penchant.report import _charts as charts
from penchant.report import _curves as curves
from penchant.report import _reading as reading
from penchant.report import _words as words
from penchant.report._merge import by_signal as merged_by_signal
from penchant.report._signals import axes_of, told_apart
from penchant.report._signs import by_choices, by_signal
from penchant.report._table import overall, t_interval
from penchant.report._tally import grouped, tally
from penchant.report._target import target_table
from penchant.study import Results, Verdict

_MOST_BAND_CHARTS = 30
_MOST_SIGNAL_ROWS = 100
_MOST_SIGNS = 12
"""Verdicts on a further metric that are shown without being asked for."""


def verdicts(results: Results, order: list[str]) -> list[dict[str, object]]:
    """All verdicts, a block a metric: sentences, and a table of signs where signals are many.

    Args:
        results: the study.
        order: designs, as the page lists them.
    """
    blocks: list[dict[str, object]] = []
    place = {label: i for i, label in enumerate(order)}
    names = told_apart(reading.signals(results))[1]
    told: set[str] = set()
    for metric, groups in grouped(results):
        ranked = [(s, sorted(ones, key=lambda v: place[v.design])) for s, ones in groups]
        own = [one for _, ones in ranked for one in ones]
        if reading.judged_each(results):
            tables = by_signal(results, own, order)
        else:
            ranked, tables = [("", own)], by_choices(results, own)
        blocks.append(
            {
                "metric": metric,
                "title": words.metric_name(metric),
                "unit": words.difference_unit(results, metric),
                "margin": words.margin(results, metric),
                "places": words.decimals(results, metric),
                "lower": not reading.metric(results, metric).higher_is_better,
                "explained": "" if words.explained(metric) in told else words.explained(metric),
                "count": len(own),
                "flags": any(one.flag for one in own),
                "sentences": [
                    (names.get(signal, ""), [sentence(results, one) for one in ones])
                    for signal, ones in ranked
                ],
                "whose": words.differences_of(results) or "against each design’s baseline",
                "tally": words.capital(tally(own)),
                "tables": tables,
                "folded": bool(blocks) and len(own) > _MOST_SIGNS,
                "up": words.VERDICT_WORDS[reading.metric(results, metric).neutral],
            }
        )
        told.add(words.explained(metric))
    return blocks


def sentence(results: Results, verdict: Verdict) -> dict[str, str]:
    """A verdict as a list shows it: its word, its sentence and what a reader should know of it."""
    return {
        "verdict": verdict.verdict,
        "sentence": words.said(results, verdict),
        "flag": words.in_words(verdict.flag, reading.metric_names(results)),
    }


def warnings(results: Results) -> list[str]:
    """The study's warnings; those of several signals that differ in numbers alone are one."""
    everyone = ", ".join(results.designs)
    short = told_apart(reading.signals(results))[1]
    found = []
    for where, text in merged_by_signal(results.warnings, short):
        if len(results.designs) > 2:
            text = text.replace(everyone, "all designs")
        named = text.startswith(tuple(f"{one}: " for one in results.designs))
        said = text if named else words.capital(text)
        found.append(f"{words.capital(where)}: {text}" if where else said)
    return found


def designs(results: Results, rows: pd.DataFrame) -> list[dict[str, object]]:
    """The table's rows, with how a design's verdicts went where each signal has its own."""
    found = []
    for row in rows.to_dict("records"):
        own = [
            one
            for one in results.verdicts
            if one.design == row["design"] and one.metric == results.metric
        ]
        label = row["design"]
        said = tally(own) if reading.judged_each(results) else ""
        base = reading.baseline_of(results, label)
        counts = [run.parameters for run in reading.runs_of(results, label)] or [0]
        parameters = " to ".join(f"{one:,}" for one in dict.fromkeys((min(counts), max(counts))))
        more = {
            "baseline": base,
            "is_baseline": base == label,
            "tally": said,
            "parameters": parameters,
        }
        found.append({**{str(key): value for key, value in row.items()}, **more})
    return found


def further(results: Results) -> list[dict[str, object]]:
    """Charts of the differences in each further metric that is judged over all signals."""
    found = []
    if reading.judged_each(results):
        return []
    for i, metric in enumerate(reading.judged_metrics(results)):
        if metric == results.metric:
            continue
        rows = overall(results, metric)
        if rows["difference"].notna().any():
            found.append(
                {
                    "title": words.metric_name(metric),
                    "chart": charts.differences(results, rows, metric, f"further-{i}"),
                    "margin": words.margin(results, metric),
                    "lower": not reading.metric(results, metric).higher_is_better,
                }
            )
    return found


def all_verdicts(results: Results) -> list[tuple[Verdict, str, str, int]]:
    """Every verdict with its metric's name, the unit of its difference, and decimals."""
    return [
        (
            verdict,
            words.name_of(results, verdict.metric),
            words.difference_unit(results, verdict.metric),
            words.decimals(results, verdict.metric) + 1,
        )
        for verdict in (*results.verdicts, *results.target_verdicts)
    ]


def target(results: Results) -> dict[str, object]:
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
        "sentences": [
            sentence(results, one)
            for one in (
                [verdicts[name] for name in rows["design"] if name in verdicts]
                or results.target_verdicts
            )
        ],
        "designs": rows.to_dict("records"),
        "unknown": len(verdicts) > int(rows["difference"].notna().sum()),
        "chart": charts.differences(results, rows, metric, "steps")
        if rows["difference"].notna().any()
        else "",
    }


def bands(results: Results, designs: pd.DataFrame) -> dict[str, object]:
    """Error by frequency band of the designs that score best; empty where none was measured."""
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


def signals(results: Results, designs: pd.DataFrame) -> dict[str, object]:
    """Mean of every design on every signal; empty where another table has them."""
    names = reading.signals(results)
    if len(names) == 1 or reading.judged_each(results):
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


def others(results: Results, designs: pd.DataFrame) -> dict[str, object]:
    """Means and intervals of the metrics beside the primary one."""
    metrics = reading.other_metrics(results)
    if not metrics:
        return {}
    lower = [name for name in metrics if not reading.metric(results, name).higher_is_better]
    lower = list(dict.fromkeys(map(words.abbreviated, lower)))
    if reading.judged_each(results):
        return {
            "metrics": [_on_each(results, metric, list(designs["design"])) for metric in metrics],
            "lower": lower,
        }
    rows = []
    for design in designs["design"]:
        cells = []
        for metric in metrics:
            samples = reading.samples_of(results, design, metric)
            places = words.decimals(results, metric)
            cells.append((reading.mean(samples), *t_interval(samples), places))
        rows.append((design, cells))
    return {
        "heads": [(metric, words.unit(results, metric)) for metric in metrics],
        "rows": rows,
        "lower": lower,
    }


def _on_each(results: Results, metric: str, designs: list[str]) -> dict[str, object]:
    """A metric's means and intervals over seeds: a table an axis, a row a design."""
    places = words.decimals(results, metric)
    tables = []
    for axis in axes_of(reading.signals(results)):
        rows = []
        for design in designs:
            samples = [reading.samples_of(results, design, metric, one) for one in axis.signals]
            rows.append((design, [(reading.mean(own), *t_interval(own)) for own in samples]))
        tables.append({"title": axis.heading, "names": axis.names, "rows": rows})
    return {
        "title": words.metric_name(metric),
        "unit": words.unit(results, metric),
        "places": places,
        "tables": tables,
    }
