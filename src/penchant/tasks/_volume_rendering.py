r"""Volume rendering from its equations: what a camera sees of a density that has colours.

.. math:: C(r) = \int T(t)\, \sigma(r(t))\, c(r(t), d)\, dt + T(\infty)\, c_{\text{white}},
          \qquad T(t) = \exp\Bigl(-\int_0^t \sigma(r(s))\, ds\Bigr)

Decisions:
- Scenes are put into the cube [-1, 1]³, so that what coordinate networks take is what rays cross;
  one factor for all axes keeps directions as they are.
- Each ray's way through the cube is cut into equal bins, one sample each, and a sample speaks for
  its own bin. With the sample drawn uniformly within it (in training) the optical depth is an
  unbiased estimate of its integral, and it is exact for a constant density wherever samples lie.
  Mildenhall et al. let a sample speak for the way to the next one, which is neither.
- Compositing over white is 1 + Σ w (c - 1), so samples that were passed over need no entry.

Source: Max, "Optical models for direct volume rendering", 1995; Mildenhall et al., "NeRF", 2020.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def camera_rays(
    pose: Float[Tensor, "4 4"], height: int, width: int, angle: float
) -> Float[Tensor, "pixels 6"]:
    r"""Return the ray through each pixel's centre, row by row.

    In the camera's own axes x points right, y up and the view along -z (OpenGL's convention); with
    focal length f = w / (2 tan(angle / 2)) pixels, the ray of pixel (column j, row i) is

    .. math:: \bigl(j + \tfrac12 - \tfrac w2,\; \tfrac h2 - i - \tfrac12,\; -f\bigr).

    Args:
        pose: from the camera's axes to the scene's, a rotation and a place.
        height: rows.
        width: columns.
        angle: that the picture's width spans, in radians.

    Returns:
        For each pixel the camera's place and a unit direction.

    Example:
        >>> camera_rays(torch.eye(4), 1, 1, angle=1.0)
        tensor([[ 0.,  0.,  0.,  0.,  0., -1.]])
    """
    focal = width / (2 * math.tan(angle / 2))
    x = torch.arange(width).to(pose) + (1 - width) / 2
    y = (height - 1) / 2 - torch.arange(height).to(pose)
    up, right = torch.meshgrid(y, x, indexing="ij")
    directions = torch.stack((right, up, torch.full_like(up, -focal)), dim=-1).reshape(-1, 3)
    directions = directions / directions.norm(dim=1, keepdim=True)
    # + 0 makes -0 plain 0.
    return torch.cat((pose[:3, 3].expand(len(directions), 3), directions @ pose[:3, :3].T), 1) + 0


def cube_span(
    rays: Float[Tensor, "rays 6"],
) -> tuple[Float[Tensor, "rays 1"], Float[Tensor, "rays 1"]]:
    """Return where rays enter the cube [-1, 1]³ and how far they go in it.

    Args:
        rays: places and unit directions.

    Returns:
        The distance of the entry, 0 for a camera within, and the length, 0 for a ray that misses.

    Example:
        >>> cube_span(torch.tensor([[0.0, 0, 4, 0, 0, -1], [0, 2, 4, 0, 0, -1]]))
        (tensor([[3.],
                [0.]]), tensor([[2.],
                [0.]]))
    """
    origins, directions = rays[:, :3], rays[:, 3:]
    # A direction along a wall never crosses it: a tiny number in place of 0 keeps signs and order.
    tiny = torch.finfo(rays.dtype).tiny ** 0.5
    slopes = torch.where(directions.abs() < tiny, tiny, directions)
    walls = torch.stack(((-1 - origins) / slopes, (1 - origins) / slopes))
    enter = walls.amin(dim=0).amax(dim=1, keepdim=True).clamp(min=0)
    leave = walls.amax(dim=0).amin(dim=1, keepdim=True)
    hits = leave > enter
    return torch.where(hits, enter, 0), torch.where(hits, leave - enter, 0)


def sample_weights(depths: Float[Tensor, "rays samples"]) -> Float[Tensor, "rays samples"]:
    r"""Return how much of a ray's colour comes from each sample.

    .. math:: w_i = T_i (1 - e^{-\tau_i}), \qquad T_i = e^{-\sum_{j < i} \tau_j}, \qquad
              \sum_i w_i + T_{n} = 1

    Args:
        depths: τ, each bin's optical depth: density times length, along the ray.

    Example:
        >>> sample_weights(torch.tensor([[0.0, 1.0, 1.0]]))
        tensor([[0.0000, 0.6321, 0.2325]])
    """
    before = depths.cumsum(dim=1) - depths
    return torch.exp(-before) * -torch.expm1(-depths)


def over_white(
    weights: Float[Tensor, "chosen"],
    colours: Float[Tensor, "chosen 3"],
    ray: Int[Tensor, "chosen"],
    rays: int,
) -> Float[Tensor, "rays 3"]:
    """Add up the colours along each ray; what is left of the light is white.

    Args:
        weights: of samples, of any number a ray.
        colours: theirs, in [0, 1].
        ray: which one each lies on.
        rays: how many there are.

    Example:
        >>> over_white(torch.tensor([0.5]), torch.zeros(1, 3), torch.tensor([1]), rays=2)
        tensor([[1.0000, 1.0000, 1.0000],
                [0.5000, 0.5000, 0.5000]])
    """
    white = colours.new_ones(rays, 3)
    return white.index_add(0, ray, weights[:, None] * (colours - 1))
