"""Names, units and reach as a study's reader sees them."""

from math import floor, log10

from penchant.pages import counted
from penchant.report import _reading as reading
from penchant.study import Results

SYMBOLS = {
    "better": "▲",
    "worse": "▼",
    "equivalent": "≈",
    "inconclusive": "?",
    "descriptive": "○",
    "baseline": "◆",
    "": "",
}
"""One sign a verdict, so that it reads without colour."""

_METRIC_WORDS = {"psnr": "PSNR", "ssim": "SSIM", "snr": "SNR", "iou": "IoU"}


def metric_name(metric: str) -> str:
    """A metric in words.

    Example:
        >>> metric_name("psnr_held_out")
        'held-out PSNR'
        >>> metric_name("accuracy")
        'accuracy'
    """
    for ending, words in (("_held_out", "held-out "), ("_seen", "seen ")):
        if metric.endswith(ending):
            stem = metric.removesuffix(ending)
            return words + _METRIC_WORDS.get(stem, stem.replace("_", " "))
    return _METRIC_WORDS.get(metric, metric.replace("_", " "))


def unit(results: Results, metric: str | None = None) -> str:
    """The metric's unit, from the plan or its verdicts or, without any, from its name."""
    name = metric or results.metric
    if name == results.metric and "unit" in results.plan:
        return str(results.plan["unit"])
    units = [verdict.unit for verdict in results.verdicts if verdict.metric == name]
    return units[0] if units else "dB" if name.split("_")[0] in {"psnr", "snr"} else ""


def decimals(results: Results) -> int:
    """Decimals that show a tenth of the margin, so that no verdict hides in rounding."""
    known = reading.margin(results)
    return max(0, 1 - floor(log10(known))) if known else 2


def noun(results: Results) -> str:
    """What the study's signals are called."""
    return "picture" if results.reconstructions else "signal"


def scope(results: Results) -> str:
    """How far the verdict reaches."""
    count = len(reading.signals(results))
    return f"on this {noun(results)}" if count == 1 else f"over {counted(count, noun(results))}"
