"""Decision boundaries' length and turning, against others' and against the truth."""

from collections.abc import Callable
from typing import Any

from penchant.claims._claim import Evidence
from penchant.claims._contrasts import Contrast, contrasted, study_with
from penchant.claims._setting import Setting
from penchant.study import Results
from penchant.tasks import Metric

STRAIGHT = ("line", "stripes", "square", "zigzag")
ROUND = ("circle", "wave")
BENDING = ("circle", "square", "wave", "zigzag")
"""Shapes whose border turns, so that a boundary can turn less."""

LENGTH = Metric("boundary_length", "%", margin=5.0, higher_is_better=False)
TURNING = Metric("boundary_turning", "turns", margin=0.25, higher_is_better=False)
TRUTH = "the true boundary"


def excess(metric: Metric) -> Callable[[Setting], Evidence]:
    """Gather by how much ReLU's boundary exceeds others' and the truth's, shape by shape.

    Args:
        metric: `LENGTH` (in percent of the true one) or `TURNING` (in full turns).
    """

    def contrasts(results: Results) -> list[dict[str, Any]]:
        others = [label for label in results.designs if label != "relu"]
        wanted = [
            *(Contrast("relu", other, {"relu": 1, other: -1}, {"to": other}) for other in others),
            Contrast("relu", TRUTH, {"relu": 1}, {"to": TRUTH}),
        ]
        return contrasted(results, metric, wanted, lambda run: run.metrics[f"{metric.name}_excess"])

    def gather(setting: Setting) -> Evidence:
        return _with_shapes(study_with(setting, "relu-bias", setting.profile, contrasts))

    return gather


def errors(setting: Setting) -> Evidence:
    """Gather how far boundaries are from the true one, as the study judges it."""
    return _with_shapes(setting.study("relu-bias"))


def _with_shapes(study: dict[str, Any]) -> Evidence:
    """Add the shape to each comparison's facts."""
    pairs = [
        {**one, "facts": {**one["facts"], "shape": _shape(one["signal"])}} for one in study["pairs"]
    ]
    return {"studies": [{**study, "pairs": pairs}]}


def _shape(signal: str) -> str:
    """What `plane:shape=wave,noise=0` calls its shape."""
    return signal.partition("shape=")[2].partition(",")[0]
