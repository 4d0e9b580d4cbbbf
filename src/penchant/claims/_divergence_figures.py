"""The figures of the claims on divergences, drawn from their evidence alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from penchant.claims._claim import Evidence
from penchant.explain import Figure, Line, Point, chart
from penchant.pages import number

Found = Mapping[str, Evidence]


def l2_half(found: Found) -> Figure | None:
    """Draw the derivative with the half and without it."""
    if "half" not in found:
        return None
    lines = found["half"]["lines"]
    return Figure(
        "The derivative by y, target 1",
        chart(
            "claim-l2-half",
            "Two straight lines through zero at y = 1: one of slope 1, one of slope 2.",
            [
                _line("½(y − d)²", lines["answer"], lines["half"]),
                _line("(y − d)²", lines["answer"], lines["whole"]),
            ],
            against="answer y",
            limits=(-3.2, 3.2),
        ),
        "By autograd. With the ½ it is the error itself; without it, twice the error.",
    )


def l2_sign(found: Found) -> Figure | None:
    """Draw the parabola with the notes' place on it."""
    if "sign" not in found:
        return None
    parabola = found["sign"]["parabola"]
    at = parabola["at"]
    rise = f"dDiv/dy = {number(at['derivative'], 1)}"
    return Figure(
        "L2 for the target 1",
        chart(
            "claim-l2-sign",
            "A parabola with its floor at y = 1; at y = 1.5 it rises with slope 0.5.",
            [_line("loss", parabola["answer"], parabola["loss"])],
            [Point(at["answer"], at["loss"], rise, 0, (9.0, -5.0))],
            against="answer y",
            limits=(0.0, 1.2),
        ),
        "The notes' y = 1.5: increasing y increases the loss. Left of y = 1 it is the other way "
        "round.",
    )


def descent(found: Found) -> Figure | None:
    """Draw what one step makes of the loss, against its size."""
    if "decreases" not in found:
        return None
    steps = found["decreases"]["one_step"]
    return Figure(
        "The loss after one step, as a share of the loss before",
        chart(
            "claim-descent",
            "A parabola over step size times curvature: 1 at 0, 0 at 1, 1 at 2 and more beyond.",
            [_line("after ÷ before", steps["product"], steps["ratio"])],
            [
                Point(
                    2.0,
                    _value_at(steps["product"], steps["ratio"], 2.0),
                    "2/λ",
                    0,
                    (-8, 8),
                    "right",
                )
            ],
            against="step size × curvature, ηλ",
            limits=(0.0, 2.3),
        ),
        "One weight on a parabola, with the optimiser itself. Below 2/λ a step lowers the loss, "
        "above it raises it.",
    )


def kl_limits(found: Found) -> Figure | None:
    """Draw the value over the answer, for both certain targets."""
    if "right" not in found:
        return None
    curves = found["right"]["curves"]
    return Figure(
        "KL over the answer y",
        chart(
            "claim-kl-limits",
            "Two curves: one falls from infinity at y = 0 to zero at y = 1, the other rises from "
            "zero to infinity.",
            [_line(name, curves["answer"], curves[name]) for name in ("d = 1", "d = 0")],
            against="answer y",
            limits=(0.0, 4.0),
        ),
        "Both leave the chart: fully wrong costs +∞. Both reach 0 where the answer is fully right, "
        "and neither is flat there.",
    )


def kl_sign(found: Found) -> Figure | None:
    """Draw the derivative over the answer, with the notes' two places."""
    if "signs" not in found:
        return None
    curves, at = found["signs"]["curves"], found["signs"]["at"]
    names = ("d = 1", "d = 0")
    words = [number(at[name], 2) for name in names]
    return Figure(
        "KL's derivative by the answer y",
        chart(
            "claim-kl-sign",
            "For the target 1 the derivative is negative and rises to −1; for the target 0 it is "
            "positive and rises from 1 beyond the chart.",
            [_line(name, curves["answer"], curves[name]) for name in names],
            [
                Point(0.9, at[names[0]], words[0], 0, (-4.0, -13.0), "center"),
                Point(0.9, at[names[1]], words[1], 1, (-8.0, 4.0), "right"),
            ],
            against="answer y",
            limits=(-15.0, 15.0),
        ),
        "Dots: the notes' y = 0.9. With d = 1 a larger y costs less, with d = 0 it costs more.",
    )


def kl_over_l2(found: Found) -> Figure | None:
    """Draw both gradients over the logit, for the target 1."""
    if "gradient" not in found:
        return None
    curves = found["gradient"]["curves"]
    return Figure(
        "Derivative by the logit behind a sigmoid, target 1",
        chart(
            "claim-kl-over-l2",
            "KL's derivative is near −1 on the left and rises to 0 on the right; L2's is near 0 on "
            "both sides with a shallow dip between.",
            [
                _line(name, curves["logit"], curves[key])
                for name, key in (("KL", "binary_kl"), ("L2", "l2"))
            ],
            against="logit z",
            limits=(-1.1, 0.15),
        ),
        "On the left the answer is confidently wrong: KL pulls with full force, L2 hardly at all.",
    )


def _line(name: str, x: Sequence[float], y: Sequence[float]) -> Line:
    return Line(name, np.array(x, dtype=np.float64), np.array(y, dtype=np.float64))


def _value_at(x: Sequence[float], y: Sequence[float], place: float) -> float:
    index: Any = np.argmin(np.abs(np.array(x) - place))
    return float(y[int(index)])
