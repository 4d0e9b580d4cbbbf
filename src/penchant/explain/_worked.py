"""The notes' worked numbers: a target, an answer, and what a divergence says of the two."""

from dataclasses import dataclass
from math import nan

import numpy as np
import torch
from jaxtyping import Float

from penchant.divergences import Divergence
from penchant.pages import number

CASES = ((1.0, 1.5), (1.0, 0.0), (1.0, 0.9), (0.0, 0.9))
"""Target d and answer y, as the notes have them."""

CERTAIN = 1000.0
"""A logit so large that its sigmoid is exactly 0 or 1 in float64."""


@dataclass(frozen=True)
class Worked:
    """What a divergence says of one answer; nan where it is not defined."""

    target: float
    answer: float
    value: float
    by_answer: float
    by_logit: float

    @property
    def case(self) -> str:
        """Target and answer in words."""
        return f"d = {self.target:g}, y = {self.answer:g}"

    @property
    def direction(self) -> str:
        """The sign of the derivative in words."""
        if self.by_answer != self.by_answer:
            return f"{self.answer:g} is no probability"
        if self.by_answer == 0:
            return "no change in sight"
        return f"increasing y {'raises' if self.by_answer > 0 else 'lowers'} the loss"

    def numbers(self, places: int = 3) -> tuple[str, str, str]:
        """Value, derivative by the answer and by the logit, ready to be read."""
        return (
            number(self.value, places),
            number(self.by_answer, places),
            number(self.by_logit, places),
        )


def worked(divergence: type[Divergence], target: float, answer: float) -> Worked:
    """Work one case out with a divergence's own value and derivative.

    Args:
        divergence: L2 or BinaryKL, say.
        target: d.
        answer: y; a logit belongs to it where it is a probability.

    Example:
        >>> from penchant.divergences import L2
        >>> worked(L2, 1.0, 0.5)
        Worked(target=1.0, answer=0.5, value=0.125, by_answer=-0.5, by_logit=-0.125)
    """
    probability = 0 <= answer <= 1
    value, by_answer, by_logit = nan, nan, nan
    if probability or divergence.matching_link == "identity":
        values, derivatives = along(divergence(reduction="none"), np.array([answer]), target)
        value, by_answer = values.item(), derivatives.item()
    if probability:
        at = np.array([logit(answer)])
        by_logit = along(divergence("sigmoid", reduction="none"), at, target)[1].item()
    return Worked(target, answer, value, by_answer, by_logit)


def along(
    divergence: Divergence, outputs: Float[np.ndarray, " points"], target: float
) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """Value and derivative at many outputs, each a sample of its own, for one target.

    Args:
        divergence: with reduction "none".
        outputs: what stands before the divergence's link.
        target: the same for all.
    """
    column = torch.from_numpy(outputs.astype(np.float64))[:, None]
    targets = torch.full_like(column, target)
    return (
        divergence(column, targets).numpy(),
        divergence.derivative(column, targets)[:, 0].numpy(),
    )


def logit(answer: float) -> float:
    """The logit whose sigmoid an answer is, at most `CERTAIN` away from 0.

    Example:
        >>> logit(0.5), logit(0.0)
        (0.0, -1000.0)
    """
    odds = torch.logit(torch.tensor(answer, dtype=torch.float64)).item()
    return min(max(odds, -CERTAIN), CERTAIN)
