"""Where a patch is in its picture, in waves that nobody learns."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

SLOWEST = 10_000.0
"""Patches that the slowest wave takes for a radian."""


def sinusoidal_positions(rows: int, columns: int, width: int) -> Float[Tensor, "patches width"]:
    r"""Return what tells patches apart: a quarter each of sin and cos of the row and the column.

    For a patch in row r and column c, and i from 0 to m - 1 with m = ⌈width / 4⌉,

    .. math:: \sqrt 2\,(\sin \omega_i r, \cos \omega_i r, \sin \omega_i c, \cos \omega_i c),
        \quad \omega_i = 10000^{-i/m},

    cut off at the width where 4 does not divide it. The mean square of all numbers is near 1.

    Args:
        rows: of patches.
        columns: of patches.
        width: numbers a patch gets.

    Returns:
        A row of numbers a patch, row by row of the picture.

    Example:
        >>> waves = sinusoidal_positions(2, 3, 8)
        >>> waves.shape, round(float(waves.square().mean()), 5)
        (torch.Size([6, 8]), 1.0)

    Source: Vaswani et al., "Attention is all you need", 2017, for one dimension; for two, He et
    al., "Masked autoencoders are scalable vision learners", 2022.
    """
    waves = math.ceil(width / 4)
    frequencies = SLOWEST ** -(torch.arange(waves) / waves)
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    turns = [place.reshape(-1, 1) * frequencies for place in (row, column)]
    parts = [wave(turn) for turn in turns for wave in (torch.sin, torch.cos)]
    return math.sqrt(2) * torch.cat(parts, dim=1)[:, :width]
