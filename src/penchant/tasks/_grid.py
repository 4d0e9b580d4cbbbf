"""The baseline that keeps coordinate networks honest: a plain grid with interpolation."""

import math

import numpy as np
from jaxtyping import Float, Int

SMOOTHNESS = 1e-2
"""Weight of the squared differences between neighbours, where samples say nothing."""


def fit_grid(
    truth: Float[np.ndarray, "height width channels"], seen: Int[np.ndarray, "seen"], values: int
) -> Float[np.ndarray, "height width channels"]:
    r"""Reconstruct a picture from its seen pixels by a bilinear grid, in closed form.

    .. math:: \min_v \lVert A v - y \rVert^2 + \lambda \lVert D v \rVert^2

    with A the bilinear weights of the seen pixels, D the differences between neighbouring nodes
    and λ = 0.01.

    Args:
        truth: the picture, of which only the seen pixels are used.
        seen: their indices, row by row.
        values: how many numbers the grid may have; it never has more nodes than the picture.

    Returns:
        The whole picture as the grid gives it back, clipped to [0, 1].

    Example:
        >>> ramp = np.linspace(0, 1, 64).reshape(8, 8, 1)
        >>> float(np.abs(fit_grid(ramp, np.arange(0, 64, 2), 16) - ramp).max()) < 0.02
        True
    """
    from scipy.sparse import csr_array, diags_array, eye_array, kron, vstack
    from scipy.sparse.linalg import splu

    height, width, channels = truth.shape
    ratio = min(1.0, math.sqrt(values / channels / (height * width)))
    rows, columns = max(2, int(height * ratio)), max(2, int(width * ratio))

    def weights(pixels: int, nodes: int) -> csr_array:
        place = np.arange(pixels) * ((nodes - 1) / max(1, pixels - 1))
        low = np.minimum(place.astype(int), nodes - 2)
        share = place - low
        places = (np.tile(np.arange(pixels), 2), np.concatenate([low, low + 1]))
        return csr_array((np.concatenate([1 - share, share]), places), shape=(pixels, nodes))

    def differences(nodes: int) -> csr_array:
        shape = (nodes - 1, nodes)
        return csr_array(diags_array([-1.0, 1.0], offsets=[0, 1], shape=shape, dtype=np.float64))

    whole = csr_array(kron(weights(height, rows), weights(width, columns), format="csr"))
    rough = vstack(
        [kron(differences(rows), eye_array(columns)), kron(eye_array(rows), differences(columns))]
    )
    known = whole[seen]
    normal = (known.T @ known + SMOOTHNESS * (rough.T @ rough)).tocsc()
    nodes = splu(normal).solve(known.T @ truth.reshape(-1, channels)[seen].astype(np.float64))
    return np.clip((whole @ nodes).reshape(truth.shape), 0, 1)
