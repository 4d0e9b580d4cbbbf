"""Temperature scaling: one number that makes a trained classifier's confidence honest."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError


class Temperature(nn.Module):
    r"""Divide logits by a temperature.

    .. math:: z \mapsto z / T

    T > 1 makes a classifier less confident, T < 1 more; the most probable class stays the same.

    Args:
        temperature: T.
        nll_before: mean negative log-likelihood of the samples T was found on, at T = 1, in nats.
        nll_after: the same at T.
        dtype: of T; it is a buffer, and moves and is saved with the network.

    Raises:
        PenchantError: T is not a finite number above 0.

    Example:
        >>> Temperature(2.0)(torch.tensor([[4.0, -2.0]]))
        tensor([[ 2., -1.]])

    Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017.
    """

    temperature: Tensor

    def __init__(
        self,
        temperature: float = 1.0,
        *,
        nll_before: float = math.nan,
        nll_after: float = math.nan,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not (math.isfinite(temperature) and temperature > 0):
            raise PenchantError(f"Temperature({temperature!r}): needs a finite number above 0")
        self.register_buffer("temperature", torch.tensor(float(temperature), dtype=dtype))
        self.nll_before, self.nll_after = nll_before, nll_after

    def forward(self, logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return logits / T."""
        return logits / self.temperature

    def extra_repr(self) -> str:
        """Say T, and what it did where that is known."""
        told = (
            ""
            if math.isnan(self.nll_before)
            else (f", nll {self.nll_before:.4f} -> {self.nll_after:.4f}")
        )
        return f"{float(self.temperature):.4g}{told}"


def calibrate(logits: Float[Tensor, "samples *classes"], labels: Tensor) -> Temperature:
    r"""Find the temperature at which a classifier's probabilities fit the labels best.

    .. math:: \hat T = \arg\min_{T > 0}\; -\frac1n \sum_i \log \mathrm{softmax}(z_i / T)_{d_i}

    computed in float64. In 1/T this is convex, and its slope is the mean of Σₖ pₖzₖ − z_d; T is
    where that is zero. Use samples that the network was not trained on.

    Args:
        logits: what stands before the softmax, (samples, classes); or before the sigmoid,
            (samples,) or (samples, 1).
        labels: (samples,), the class of each sample as a whole number from 0; with a sigmoid,
            0 or 1, also as (samples, 1) and as floats.

    Returns:
        A module that divides logits by T, to stand behind the network:
        ``calibrated = nn.Sequential(network, calibrate(network(inputs), labels))``.

    Raises:
        PenchantError: shapes or labels that do not fit, logits that are not finite, or no T > 0
            that is best: every answer is right, and the fit improves for ever as T falls to 0; or
            the logits say nothing of the labels, and it improves for ever as T grows.

    Example:
        >>> logits, labels = torch.tensor([4.0, 4.0, 4.0, -4.0]), torch.tensor([1, 1, 0, 0])
        >>> temperature = calibrate(logits, labels)  # 3 of 4 are right: logit log 3
        >>> temperature
        Temperature(3.641, nll 1.0181 -> 0.5623)
        >>> torch.sigmoid(temperature(logits))
        tensor([0.7500, 0.7500, 0.7500, 0.2500])

    Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", 2017.
    """
    classes = _classes(logits, labels)
    rows = logits.detach().cpu().double()
    if rows.ndim == 1 or rows.shape[1] == 1:
        # A sigmoid is the softmax of two logits of which the first is 0.
        rows = torch.nn.functional.pad(rows.reshape(-1, 1), (1, 0))
    rows = rows - rows.amax(dim=1, keepdim=True)
    found = _best(rows, classes)
    temperature = Temperature(found, dtype=torch.promote_types(logits.dtype, torch.float32))
    temperature.nll_before = _nll(rows, classes, 1.0)
    temperature.nll_after = _nll(rows, classes, float(temperature.temperature))
    return temperature


def _nll(rows: Tensor, classes: Tensor, temperature: float) -> float:
    return float(nn.functional.cross_entropy(rows / temperature, classes))


def _best(rows: Tensor, classes: Tensor) -> float:
    """Find T for rows of logits whose largest is 0."""
    from scipy.optimize import brentq

    own = rows.gather(1, classes[:, None])[:, 0]
    size = float(rows.abs().max())
    call = f"calibrate(logits of {len(rows)} samples)"
    if float((rows.mean(dim=1) - own).mean()) >= 0:
        raise PenchantError(
            f"{call}: the logits of the labels' classes are on average no larger than the others, "
            "so no temperature fits; are the logits in the order of the classes?"
        )
    if float(own.min()) == 0:
        raise PenchantError(
            f"{call}: all {len(rows)} answers are right, so the likelihood grows for ever as the "
            "temperature falls to 0; needs samples with at least one mistake"
        )
    rows, own = rows / size, own / size

    def slope(log_inverse: float) -> float:
        scaled = (rows * math.exp(log_inverse)).softmax(dim=1)
        return float(((scaled * rows).sum(dim=1) - own).mean())

    low = high = math.log(size)  # T = 1
    while slope(low) > 0:
        low -= 1
    while slope(high) < 0:
        high += 1
    return size * math.exp(-float(brentq(slope, low, high, xtol=1e-14, rtol=1e-14)))


def _classes(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the labels as indices, or say which argument does not fit."""
    call = (
        f"calibrate(logits of shape {tuple(logits.shape)}, labels of shape {tuple(labels.shape)})"
    )
    if logits.ndim not in (1, 2) or logits.numel() == 0 or not logits.is_floating_point():
        raise PenchantError(
            f"{call}: needs floating-point logits of shape (samples, classes), or (samples,) or "
            "(samples, 1) before a sigmoid"
        )
    binary = logits.ndim == 1 or logits.shape[1] == 1
    if labels.shape != logits.shape[:1] and not (binary and labels.shape == (len(logits), 1)):
        raise PenchantError(f"{call}: needs labels of shape ({len(logits)},), one a sample")
    if not logits.isfinite().all():
        raise PenchantError(f"{call}: every logit must be finite")
    count = 2 if binary else logits.shape[1]
    known = (labels >= 0) & (labels < count) & (labels == labels.long())
    if not known.all():
        wrong = labels[~known].flatten()[0].item()
        raise PenchantError(f"{call}: label {wrong} is none of the classes 0 to {count - 1}")
    return labels.detach().cpu().reshape(-1).long()
