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

NO_BREAK = "\N{NO-BREAK SPACE}"

_METRIC_WORDS = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "snr": "SNR",
    "iou": "IoU",
    "nll": "negative log-likelihood",
    "ece": "calibration error",
    "accuracy_shifted": "accuracy under shifts",
}


def metric_name(metric: str) -> str:
    """A metric in words.

    Example:
        >>> metric_name("psnr_held_out")
        'held-out PSNR'
        >>> metric_name("nll_seen"), metric_name("accuracy")
        ('seen negative log-likelihood', 'accuracy')
    """
    for ending, words in (("_held_out", "held-out "), ("_seen", "seen ")):
        if metric.endswith(ending):
            stem = metric.removesuffix(ending)
            return words + _METRIC_WORDS.get(stem, stem.replace("_", " "))
    return _METRIC_WORDS.get(metric, metric.replace("_", " "))


def abbreviated(metric: str) -> str:
    """What a metric measures, with the abbreviation that results.csv has.

    Example:
        >>> abbreviated("nll_held_out"), abbreviated("depth")
        ('negative log-likelihood (nll)', 'depth')
    """
    stem = metric.removesuffix("_seen").removesuffix("_held_out")
    name = metric_name(stem)
    return name if name.lower() == stem.replace("_", " ") else f"{name} ({stem})"


def unit(results: Results, metric: str | None = None) -> str:
    """A metric's unit; the primary one's by default."""
    return reading.metric(results, metric).unit


def difference_unit(results: Results, metric: str | None = None) -> str:
    """The unit of a metric's differences: 2 % more of 50 % could mean 51 % or 52 %."""
    own = unit(results, metric)
    return "percentage points" if own == "%" else own


def decimals(results: Results, metric: str | None = None) -> int:
    """Decimals that show a tenth of the margin, so that no verdict hides in rounding."""
    known = reading.metric(results, metric).margin
    return max(0, 1 - floor(log10(known))) if known else 2


def margin(results: Results, metric: str | None = None) -> str:
    """A metric's margin with its unit; empty where there is none."""
    one = reading.metric(results, metric)
    own = difference_unit(results, metric)
    if one.margin == 1:
        own = own.removesuffix("s")
    return f"{one.margin:g}{NO_BREAK if own else ''}{own}" if one.margin else ""


def target_name(results: Results) -> str:
    """What the second metric of a study with a target is called.

    Example:
        >>> plan = {"target": 90.0, "unit": "%"}
        >>> results = Results(None, plan, (), (), "accuracy", (), (), (), (), ())
        >>> target_name(results).replace(NO_BREAK, " ")
        'steps to 90 %'
    """
    return f"steps to {goal(results)}"


def goal(results: Results) -> str:
    """The target with its unit."""
    own = unit(results)
    return f"{reading.target(results):g}{NO_BREAK if own else ''}{own}"


def name_of(results: Results, metric: str) -> str:
    """A metric in words, the steps to the target with their unit."""
    return target_name(results) if metric == reading.target_metric(results) else metric_name(metric)


def noun(results: Results) -> str:
    """What the study's signals are called."""
    return str(results.plan.get("noun") or ("picture" if results.reconstructions else "signal"))


def kind(results: Results) -> str:
    """What one of several signals is called beside its name."""
    return "data set" if noun(results) == "data set" else "signal"


def constant(results: Results) -> str:
    """What a diverged run is scored as."""
    return "constant-mean prediction" if noun(results) == "picture" else "best constant answer"


def scope(results: Results) -> str:
    """How far the verdict reaches."""
    count = len(reading.signals(results))
    return f"on this {noun(results)}" if count == 1 else f"over {counted(count, noun(results))}"
