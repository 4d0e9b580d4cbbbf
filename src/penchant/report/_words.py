"""Names, units and reach as a study's reader sees them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import floor, isfinite, log10

from markupsafe import Markup

from penchant.pages import counted, plain
from penchant.report import _reading as reading
from penchant.study import Results, Verdict, amount, with_unit

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
    "chamfer": "chamfer distance",
    "nll": "loss",
    "nll_seen": "training loss",
    "ece": "calibration error",
    "r2": "R²",
    "accuracy_shifted": "accuracy under shifts",
    "accuracy_features": "linear-probe accuracy",
    "accuracy_inputs": "linear-probe accuracy on the inputs themselves",
    "gradient_decay_start": "gradient decay at the start",
    "gradient_decay_end": "gradient decay at the end",
    "identity_share": "share of the identity path",
}

_CHOICES = {
    ("skip", "none"): "plain",
    ("skip", "residual"): "residual",
    ("normalisation", "batch"): "batch norm",
    ("normalisation", "none"): "unnormalised",
    ("block", "pre"): "pre-activation",
    ("block", "post"): "post-activation",
    ("encoding", "none"): "no encoding",
    ("positions", "learned"): "learned positions",
    ("positions", "sinusoidal"): "sinusoidal positions",
    ("positions", "none"): "no positions",
}
"""What a design's choice is called in a chart."""
_SPEAK_FOR_THEMSELVES = frozenset(
    ("family", "activation", "encoding", "divergence", "sharing", "optimizer")
)
"""Fields whose values need not be told apart by the field's name."""


_DECAY = (
    "Gradient decay is the number of decades (factors of 10) between the gradient’s norm at the "
    "first layer and at the last hidden one, whichever is larger: 0 is a gradient that arrives as "
    "strong as it left."
)
VERDICT_WORDS = {False: ("better", "worse"), True: ("higher", "lower")}
"""What the first two verdicts are called, by whether neither way of the metric is better."""
_EXPLAINED = {
    "nll": "The loss is the negative log-likelihood of the right answers, averaged over samples.",
    "ece": "The calibration error says how far confidence is from the share of right answers.",
    "snr": "The signal-to-noise ratio is the sound’s energy over the error’s, in decibels: 0 dB is "
    "no better than silence.",
    "iou": "The intersection over union is the volume that is inside both shapes over that inside "
    "either: 1 is the same shape.",
    "chamfer": "The chamfer distance is how far one surface lies from the other on average, as a "
    "share of the side of the cube around the shape.",
    "r2": "R² is the share of the targets’ variance that is explained: 100 % is perfect, 0 % no "
    "better than their mean.",
    "gap_accuracy": "The accuracy gap is the accuracy on seen samples minus that on held-out ones.",
    "gap_nll": "The loss gap is the loss on held-out samples minus that on seen ones.",
    "accuracy_shifted": "Held-out pictures are moved by a few pixels.",
    "accuracy_features": "A linear probe reads classes that the network never learnt off its "
    "frozen features.",
    "gradient_decay": f"{_DECAY} It is the median of all looks at a run.",
    "gradient_decay_start": _DECAY,
    "gradient_decay_end": _DECAY,
    "identity_share": "How much of each residual block’s output its identity path carries, "
    "averaged over blocks.",
    "boundary_length_error": "The length error says by how much of the true decision boundary’s "
    "length the network’s is longer or shorter.",
    "boundary_turning_error": "A boundary’s turning is its total curvature, in full turns: 0 of "
    "straight lines, 1 of a circle or a square. Its error is the distance from the true one’s.",
    "boundary_length_excess": "By how much of the true decision boundary’s length the network’s is "
    "longer.",
    "boundary_turning_excess": "By how many full turns the network’s decision boundary bends more "
    "than the true one.",
    "effective_depth": "The mean length, in residual blocks, of the paths that carry the gradient.",
}
_AT = "It is read off each run where its {} first comes to {}, so that designs are compared there."

_LONGEST_UNBROKEN = 20
"""Letters that are never broken, as a phone has room for them."""

ABBREVIATIONS = frozenset(("psnr", "ssim", "snr", "iou", "nll", "ece"))
"""Metrics whose name in results.csv needs its words beside it."""


def metric_name(metric: str) -> str:
    """A metric in words.

    Example:
        >>> metric_name("psnr_held_out")
        'held-out PSNR'
        >>> metric_name("nll_seen"), metric_name("accuracy")
        ('training loss', 'accuracy')
        >>> metric_name("gap_accuracy@nll_seen=0.1")
        'accuracy gap at training loss 0.1'
    """
    metric, at, level = metric.partition("@")
    if at:
        watched, _, value = level.partition("=")
        return f"{metric_name(metric)} at {metric_name(watched)} {value}"
    if metric.startswith("gap_"):
        return f"{metric_name(metric.removeprefix('gap_'))} gap"
    if metric in _METRIC_WORDS:
        return _METRIC_WORDS[metric]
    for ending, words in (("_held_out", "held-out "), ("_seen", "seen ")):
        if metric.endswith(ending):
            stem = metric.removesuffix(ending)
            return words + _METRIC_WORDS.get(stem, stem.replace("_", " "))
    return metric.replace("_", " ")


def explained(metric: str) -> str:
    """What a metric measures, in a sentence; empty where its name says it.

    Example:
        >>> explained("gap_accuracy")
        'The accuracy gap is the accuracy on seen samples minus that on held-out ones.'
        >>> explained("psnr_held_out")
        ''
    """
    metric, at, level = metric.partition("@")
    if at:
        watched, _, value = level.partition("=")
        return f"{explained(metric)} {_AT.format(metric_name(watched), value)}".lstrip()
    stem = metric.removesuffix("_seen").removesuffix("_held_out")
    return _EXPLAINED.get(metric) or _EXPLAINED.get(stem, "")


def in_words(text: str, metrics: Iterable[str]) -> str:
    """A sentence of the study's with its metrics as a page calls them.

    Example:
        >>> in_words("a never reached nll_seen 0.2 nats.", ["nll_seen", "accuracy_seen"])
        'a never reached training loss 0.2 nats.'
    """
    for name in sorted(metrics, key=len, reverse=True):
        if "_" in name:
            text = text.replace(name, metric_name(name))
    return text


def said(results: Results, verdict: Verdict) -> str:
    """A verdict's sentence where a heading names its signal."""
    text = verdict.sentence.removeprefix(f"On {verdict.signal}, ")
    if text.startswith("neither "):
        text = capital(text)
    return in_words(text, reading.metric_names(results))


def label(text: str) -> Markup:
    """A design's label that breaks after a plus alone, and never at a hyphen.

    Example:
        >>> label("plain-8+relu")
        Markup('<span class="label">plain-8+<wbr>relu</span>')
    """
    parts = [Markup.escape(part) for part in re.split(r"(?<=\+)", text) if part]
    known = Markup("<wbr>").join(parts)
    if max(map(len, text.replace("+", " ").split()), default=0) > _LONGEST_UNBROKEN:
        return known
    return Markup('<span class="label">{}</span>').format(known)


def abbreviated(metric: str) -> str:
    """What a metric measures, with the abbreviation that results.csv has.

    Example:
        >>> abbreviated("nll_held_out"), abbreviated("depth")
        ('loss (nll)', 'depth')
    """
    if metric.startswith("gap_") or "@" in metric:
        return metric_name(metric)  # its name says both
    stem = metric.removesuffix("_seen").removesuffix("_held_out")
    name = metric_name(stem)
    return f"{name} ({stem})" if stem in ABBREVIATIONS and name.lower() != stem else name


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
    return amount(f"{one.margin:g}", one.unit).replace(" ", NO_BREAK, 1) if one.margin else ""


def choices(values: Mapping[str, object]) -> str:
    """A design's choices in words, for a chart; what is not given is left out.

    Example:
        >>> choices({"skip": "none", "depth": 20, "activation": "relu", "survival": None})
        'plain, depth 20, relu'
    """
    said = []
    for field, value in values.items():
        if value is None:
            continue
        lead = "" if field in _SPEAK_FOR_THEMSELVES else f"{field.replace('_', ' ')} "
        said.append(_CHOICES.get((field, str(value)), lead + plain(value)))
    return ", ".join(said)


def differences_of(results: Results) -> str:
    """What differences are taken between, in words; empty where each is between two others."""
    if not reading.several_baselines(results):
        return f"against {reading.baseline(results)}"
    mine, its = compared_choice(results)
    return " ".join(filter(None, (mine, f"against {its}" if its else "")))


def telling_fields(results: Results) -> list[str]:
    """Fields in which designs differ, the family first; without those that tell nothing more."""
    settings = {run.design: run.settings for run in reversed(results.runs)}
    kept: list[str] = []
    found: set[tuple[str, ...]] = set()
    for field in sorted(results.axes, key=lambda field: field != "family"):
        more = {tuple(str(s.get(f)) for f in (*kept, field)) for s in settings.values()}
        if len(more) > len(found) or not kept:
            kept, found = [*kept, field], more
    return kept


def row_name(results: Results, design: str) -> str:
    """A design as a row of differences calls it: what sets it apart from the other rows."""
    return ", ".join(row_choices(results, design))


def row_choices(results: Results, design: str) -> list[str]:
    """The choices that set a design apart from the other rows of differences; or its label."""
    if not reading.several_baselines(results):
        return [design]
    settings = {run.design: run.settings for run in reversed(results.runs)}
    mine, base = settings.get(design, {}), settings.get(reading.baseline_of(results, design), {})
    fields = telling_fields(results)
    if compared_choice(results)[0]:
        fields = [field for field in fields if mine.get(field) == base.get(field)]
    found = [choices({field: mine.get(field)}) for field in fields]
    return [one for one in found if one] or [design]


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    Example:
        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    return "".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"


def capital(text: str) -> str:
    """A text with a capital first letter; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def significant(value: float) -> str:
    """A number of any size, with two digits that matter.

    Example:
        >>> significant(0.0312), significant(3.2e-9), significant(float("nan"))
        ('0.031', '3.2 · 10⁻⁹', '–')
    """
    if not isfinite(value):
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.2g}" if abs(value) < 100 else f"{value:,.0f}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits} · 10{raised}"


def against(results: Results) -> str:
    """What differences are taken from: the baseline's label, or each design's own."""
    return "its baseline" if reading.several_baselines(results) else reading.baseline(results)


def compared_choice(results: Results) -> tuple[str, str]:
    """What all designs that are compared have in common, and what their baselines have.

    Returns:
        Two choices in words, such as "residual" and "plain"; empty where there are several.
    """
    mine: set[str] = set()
    its: set[str] = set()
    settings = {run.design: run.settings for run in reversed(results.runs)}
    for design in results.designs:
        base = reading.baseline_of(results, design)
        if base == design or design not in settings or base not in settings:
            continue
        fields = [f for f in results.axes if settings[design].get(f) != settings[base].get(f)]
        mine.add(choices({field: settings[design].get(field) for field in fields}))
        its.add(choices({field: settings[base].get(field) for field in fields}))
    return (mine.pop() if len(mine) == 1 else ""), (its.pop() if len(its) == 1 else "")


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
    return with_unit(f"{reading.target(results):g}", unit(results)).replace(" ", NO_BREAK, 1)


def name_of(results: Results, metric: str) -> str:
    """A metric in words, the steps to the target with their unit."""
    return target_name(results) if metric == reading.target_metric(results) else metric_name(metric)


def noun(results: Results) -> str:
    """What the study's signals are called."""
    return str(results.plan.get("noun") or ("picture" if results.reconstructions else "signal"))


def kind(results: Results) -> str:
    """What one of several signals is called beside its name."""
    return noun(results) if noun(results) in ("data set", "function", "shape") else "signal"


def constant(results: Results) -> str:
    """What a diverged run is scored as."""
    return "constant-mean prediction" if noun(results) == "picture" else "best constant answer"


def scope(results: Results) -> str:
    """How far the verdict reaches."""
    count = len(reading.signals(results))
    return f"on this {noun(results)}" if count == 1 else f"over {counted(count, noun(results))}"
