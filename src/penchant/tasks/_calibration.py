"""Whether probabilities mean what they say: of all that is called 80 % likely, 80 % is so."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from penchant.errors import PenchantError

ROW_TOLERANCE = 5e-3
"""How far a row may be from adding up to one: as far as a softmax in bfloat16 is."""

_ROUNDING = 1e-6  # beyond [0, 1], in float32


@dataclass(frozen=True, eq=False)
class Reliability:
    """What a reliability diagram shows, bin by bin.

    Attributes:
        edges: the bins' borders from 0 to 1; a bin holds its lower one, the last bin both.
        count: how many predictions fell into the bin.
        confidence: their mean confidence; nan in an empty bin.
        accuracy: the share of them that was right; nan in an empty bin.
    """

    edges: Float[np.ndarray, "borders"]
    count: Int[np.ndarray, "bins"]
    confidence: Float[np.ndarray, "bins"]
    accuracy: Float[np.ndarray, "bins"]

    @property
    def error(self) -> float:
        """The expected calibration error: the gaps between the two, weighted by count."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.nansum(gaps * self.count) / self.count.sum())


def reliability(probabilities: object, labels: object, bins: int = 15) -> Reliability:
    r"""Compare how sure predictions are with how often they are right, in equal bins.

    .. math:: B_k = \left\{i : \tfrac{k}{K} \le c_i < \tfrac{k+1}{K}\right\}, \qquad
              \mathrm{conf}_k = \frac{1}{|B_k|} \sum_{i \in B_k} c_i, \qquad
              \mathrm{acc}_k = \frac{1}{|B_k|} \sum_{i \in B_k} r_i

    The last bin is closed on the right too: a confidence of exactly 1 belongs to it. For rows of
    probabilities c is the largest of a row, and r tells whether its class (the first of several)
    is the label. For binary probabilities c is the probability of class 1 itself, which reaches
    from 0 to 1, and r tells whether the label is 1.

    Args:
        probabilities: samples × classes, each row adding up to one; or one number a sample, the
            probability of class 1. An array or a tensor.
        labels: each sample's class, whole numbers from 0.
        bins: how many, K.

    Returns:
        Count, mean confidence and accuracy of each bin.

    Raises:
        PenchantError: shapes that do not fit each other, nan, probabilities outside [0, 1] or
            rows that do not add up to one, labels that are no classes, or fewer than 1 bin.

    Example:
        >>> diagram = reliability([0.1, 0.2, 0.8, 1.0], [0, 1, 1, 1], bins=2)
        >>> diagram.count, diagram.confidence, diagram.accuracy
        (array([2, 2]), array([0.15, 0.9 ]), array([0.5, 1. ]))

    Source: rows as in Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks",
    2017; binary as in Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning", 2015.
    """
    confidence, right = _confidences(_array(probabilities), _array(labels))
    if not isinstance(bins, int | np.integer) or bins < 1:
        raise PenchantError(f"reliability(bins={bins!r}): a whole number from 1 is needed")
    edges = np.arange(bins + 1) / bins
    place = np.minimum(np.searchsorted(edges, confidence, side="right") - 1, bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights=of, minlength=bins) for of in (confidence, right)]
    empty = np.full(bins, np.nan)
    means = [np.divide(total, count, out=empty.copy(), where=count > 0) for total in sums]
    return Reliability(edges, count, means[0], means[1])


def calibration_error(probabilities: object, labels: object, bins: int = 15) -> float:
    r"""Return the expected calibration error with bins of equal width.

    .. math:: \mathrm{ECE} = \sum_{k=1}^{K} \frac{|B_k|}{n}\,|\mathrm{acc}_k - \mathrm{conf}_k|

    Args:
        probabilities: rows that add up to one, or one probability of class 1 a sample; see
            `reliability`, also for the bins.
        labels: each sample's class, whole numbers from 0.
        bins: how many.

    Returns:
        A number from 0 (what is said is so) to 1.

    Raises:
        PenchantError: as `reliability`.

    Example:
        >>> calibration_error([[0.75, 0.25], [0.25, 0.75], [0.0, 1.0], [1.0, 0.0]], [0, 0, 1, 0])
        0.125

    Source: Naeini, Cooper, Hauskrecht, 2015; Guo et al., 2017.
    """
    return reliability(probabilities, labels, bins).error


def _array(values: object) -> np.ndarray:
    """Return an array of what may be a tensor of any type, on any device."""
    import torch

    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.double() if values.is_floating_point() else values).numpy()
    return np.asarray(values)


def _confidences(
    probabilities: np.ndarray, labels: np.ndarray
) -> tuple[Float[np.ndarray, "samples"], Float[np.ndarray, "samples"]]:
    """Return how sure each prediction is, and 1 where it is right."""
    shape = probabilities.shape
    if len(shape) not in (1, 2) or 0 in shape or labels.shape != shape[:1]:
        raise PenchantError(
            f"reliability: probabilities of shape {shape} and labels of shape {labels.shape}; "
            "needed are samples × classes, or samples (binary), and one label a sample"
        )
    classes = 2 if len(shape) == 1 else shape[1]
    if probabilities.dtype.kind not in "buif" or labels.dtype.kind not in "buif":
        raise PenchantError(
            f"reliability: probabilities of type {probabilities.dtype} and labels of type "
            f"{labels.dtype}; numbers are needed"
        )
    probabilities = probabilities.astype(np.float64)
    low, high = probabilities.min(), probabilities.max()
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # so that nan fails too
        raise PenchantError(
            f"reliability: probabilities from {low:g} to {high:g} in shape {shape}; they must be "
            "finite and within [0, 1] (of logits take softmax or sigmoid first)"
        )
    if not ((labels >= 0) & (labels < classes)).all() or (labels != labels.astype(int)).any():
        raise PenchantError(
            f"reliability: labels from {labels.min():g} to {labels.max():g} of type "
            f"{labels.dtype}; they must be whole numbers from 0 to {classes - 1}"
        )
    if len(shape) == 1:
        return probabilities.clip(0, 1), labels.astype(np.float64)
    sums = probabilities.sum(axis=1)
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst] - 1) > ROW_TOLERANCE:
        raise PenchantError(
            f"reliability: row {worst} of probabilities of shape {shape} adds up to "
            f"{sums[worst]:g}; each must add up to 1 (of logits take softmax first)"
        )
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    return probabilities.max(axis=1).clip(0, 1), right
