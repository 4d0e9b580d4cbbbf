"""The linear baseline: Gaussian bumps along each axis, their products, and a ridge regression."""

import math
from functools import reduce

import numpy as np
from jaxtyping import Float, Int

from penchant.errors import PenchantError

SPREAD = 0.7
"""A bump's standard deviation over the distance to the next."""

RIDGE = 5e-2
"""Weight of the squared coefficients."""

REACH = 6.0
"""Standard deviations at which a bump along a single axis ends, at 1.5e-8."""


def fit_separable_gaussians(
    truth: Float[np.ndarray, "*grid channels"],
    seen: Int[np.ndarray, "seen"],
    values: int,
    lowest: float = 0.0,
    ridge: float = RIDGE,
    spread: float = SPREAD,
) -> Float[np.ndarray, "*grid channels"]:
    r"""Reconstruct a signal from its seen samples by a linear fit on products of Gaussians.

    .. math:: \min_c \lVert M (G_1 \otimes \dots \otimes G_d)\, c - y \rVert^2
              + \lambda \lVert c \rVert^2, \qquad
              G_a[i, j] = e^{-(x_i - m_j)^2 / (2 \sigma_a^2)}

    with M the choice of the seen samples and :math:`m_j` evenly spaced along axis a. With
    :math:`G_a = U_a S_a V_a^\top` the solution is
    :math:`V (S^2 + \lambda)^{-1} S\, U^\top y` where all samples are seen, each factor applied
    along its own axis. Where some are held out, :math:`(\rho S^2 + \lambda)^{-1}`, with ρ the share
    that is seen, starts and preconditions conjugate gradients, to a relative residual of 1e-8. A
    signal along one axis, which may be long, is solved directly: its equations are banded, with
    bumps cut off at 6 standard deviations.

    Args:
        truth: the signal, of which only the seen samples are used; axes and then channels.
        seen: their indices, in the order of the values.
        values: how many coefficients there may be, all channels together; never more than
            samples, nor fewer than 2 along an axis.
        lowest: of the signal's range, which ends at 1.
        ridge: λ.
        spread: σ over the distance between neighbours.

    Returns:
        The whole signal as the fit gives it back, clipped to its range.

    Raises:
        PenchantError: the signal has no axis.

    Example:
        >>> x = np.linspace(-1, 1, 32)
        >>> bump = np.exp(-4 * (x[:, None] ** 2 + x**2))[..., None]
        >>> drawn = fit_separable_gaussians(bump, np.arange(0, 1024, 2), 100)
        >>> float(np.abs(drawn - bump).max()) < 0.02
        True

    Source: the separable coordinate encodings of Zheng, Ramasinghe, Li, Lucey, "Trading positional
    complexity vs. deepness in coordinate networks", 2022.
    """
    *shape, channels = truth.shape
    if not shape:
        raise PenchantError(
            f"fit_separable_gaussians(truth of shape {truth.shape}): needs an axis, then channels"
        )
    ratio = min(1.0, (values / channels / math.prod(shape)) ** (1 / len(shape)))
    counts = [max(2, int(samples * ratio)) for samples in shape]
    if len(shape) == 1:
        drawn = _along_one_axis(truth, seen, counts[0], ridge, spread)
        return drawn.clip(lowest, 1)
    bumps = [_bumps(samples, n, spread) for samples, n in zip(shape, counts, strict=True)]
    factors = [np.linalg.svd(axis, full_matrices=False)[:2] for axis in bumps]
    bases = [u for u, _ in factors]
    strengths: Float[np.ndarray, "*rank"] = reduce(np.multiply.outer, [s for _, s in factors])
    chosen = np.zeros(math.prod(shape))
    chosen[seen] = 1
    mask = chosen.reshape(shape)
    targets = truth.astype(np.float64) * mask[..., None]
    fitted = [
        _along_axes(bases, strengths * _coefficients(bases, strengths, mask, channel, ridge))
        for channel in np.moveaxis(targets, -1, 0)
    ]
    return np.stack(fitted, axis=-1).clip(lowest, 1)


def _bumps(samples: int, count: int, spread: float) -> Float[np.ndarray, "samples count"]:
    """Make one axis's features, at every sample."""
    centres = np.linspace(0, samples - 1, count)
    width = spread * max(1.0, samples - 1) / (count - 1)
    distances = (np.arange(samples)[:, None] - centres) / width
    values: Float[np.ndarray, "samples count"] = np.exp(-np.square(distances) / 2)
    return values


def _along_axes(
    matrices: list[np.ndarray], values: Float[np.ndarray, "*given"]
) -> Float[np.ndarray, "*made"]:
    """Multiply by the Kronecker product of matrices, one axis after the other."""
    for matrix in matrices:  # each turn takes the first axis and puts its result last
        values = np.tensordot(values, matrix, axes=(0, 1))
    return values


def _coefficients(
    bases: list[np.ndarray],
    strengths: Float[np.ndarray, "*rank"],
    mask: Float[np.ndarray, "*grid"],
    targets: Float[np.ndarray, "*grid"],
    ridge: float,
) -> Float[np.ndarray, "*rank"]:
    """Solve for the coefficients in the basis of the right singular vectors."""
    from scipy.sparse.linalg import LinearOperator, cg

    back = [basis.T for basis in bases]
    asked = strengths * _along_axes(back, targets)
    alike = 1 / (mask.mean() * strengths**2 + ridge)

    def normal(flat: Float[np.ndarray, " all"]) -> Float[np.ndarray, " all"]:
        given = flat.reshape(strengths.shape)
        shown = mask * _along_axes(bases, strengths * given)
        made: Float[np.ndarray, " all"]
        made = (strengths * _along_axes(back, shown) + ridge * given).ravel()
        return made

    size = (strengths.size, strengths.size)
    found, _ = cg(
        LinearOperator(size, matvec=normal, dtype=np.float64),
        asked.ravel(),
        x0=(alike * asked).ravel(),
        rtol=1e-8,
        M=LinearOperator(size, matvec=lambda flat: alike.ravel() * flat, dtype=np.float64),
    )
    return np.asarray(found).reshape(strengths.shape)


def _along_one_axis(
    truth: Float[np.ndarray, "samples channels"],
    seen: Int[np.ndarray, "seen"],
    count: int,
    ridge: float,
    spread: float,
) -> Float[np.ndarray, "samples channels"]:
    """Fit a signal along one axis, in time and memory that grow with its samples alone."""
    from scipy.sparse import csr_array, eye_array
    from scipy.sparse.linalg import splu

    samples = len(truth)
    apart = max(1.0, samples - 1) / (count - 1)
    first = np.arange(samples)[:, None] / apart
    near = np.floor(first).astype(int) + np.arange(-int(REACH * spread), int(REACH * spread) + 2)
    values = np.exp(-np.square((first - near) / spread) / 2)
    there = (near >= 0) & (near < count)
    rows = np.broadcast_to(np.arange(samples)[:, None], near.shape)[there]
    features = csr_array((values[there], (rows, near[there])), shape=(samples, count))
    known = features[seen]
    normal = (known.T @ known + ridge * eye_array(count)).tocsc()
    drawn: Float[np.ndarray, "samples channels"]
    drawn = features @ splu(normal).solve(known.T @ truth[seen].astype(np.float64))
    return drawn
