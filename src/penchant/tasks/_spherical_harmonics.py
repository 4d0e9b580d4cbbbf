"""Real spherical harmonics: functions of a direction, by which a colour depends on the view."""

import torch
from jaxtyping import Float
from torch import Tensor

HIGHEST = 2
"""The highest degree there is."""


def spherical_harmonics(
    directions: Float[Tensor, "*any 3"], degree: int
) -> Float[Tensor, "*any functions"]:
    r"""Return the real spherical harmonics up to a degree, each with mean square 1 on the sphere.

    .. math:: 1;\quad \sqrt3\,(y, z, x);\quad
              \sqrt{15}\,\bigl(xy,\; yz,\; \tfrac{3z^2 - 1}{2\sqrt3},\; xz,\; \tfrac{x^2-y^2}2\bigr)

    That is √(4π) times the orthonormal ones, so that the first is 1.

    Args:
        directions: unit vectors (x, y, z).
        degree: 0 to 2.

    Returns:
        (degree + 1)² numbers a direction.

    Example:
        >>> spherical_harmonics(torch.tensor([0.0, 0.0, 1.0]), degree=1)
        tensor([1.0000, 0.0000, 1.7321, 0.0000])
    """
    x, y, z = directions.unbind(dim=-1)
    found = [torch.ones_like(x)]
    if degree > 0:
        found += [3**0.5 * y, 3**0.5 * z, 3**0.5 * x]
    if degree > 1:
        root = 15**0.5
        found += [root * x * y, root * y * z, 5**0.5 / 2 * (3 * z * z - 1)]
        found += [root * x * z, root / 2 * (x * x - y * y)]
    return torch.stack(found, dim=-1)
