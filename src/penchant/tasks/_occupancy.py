"""Where a scene has something: a coarse grid that lets rays pass over empty space."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from penchant.randomness import generator

CELLS = 32
"""Along each side of the cube."""

FORGETTING = 0.8
"""What remains of a cell's density at each look, where the look finds less."""

BLOCK = 8192


class Occupancy(nn.Module):
    r"""A grid over the cube [-1, 1]³ of the largest densities found of late.

    Each look asks for the density at one keyed point of every cell,

    .. math:: g \leftarrow \max(0.8\, g,\; \sigma(x)), \qquad x \text{ uniform in the cell},

    and what is at most the threshold, or the mean where that is less, counts as empty. All is
    occupied until the first look, and a cell that was given up is asked again at each one. The
    grid is part of the module's state, so that a resumed run goes on as if nothing had happened.

    Args:
        threshold: a density below which nothing is to be seen.
        seed: keys the points.

    Source: Müller et al., "Instant neural graphics primitives", 2022, appendix E.1.
    """

    densities: Float[Tensor, " cells"]
    occupied: Bool[Tensor, " cells"]

    def __init__(self, threshold: float, seed: int) -> None:
        super().__init__()
        self.threshold, self.seed = threshold, seed
        self.register_buffer("densities", torch.zeros(CELLS**3))
        self.register_buffer("occupied", torch.ones(CELLS**3, dtype=torch.bool))

    def forward(self, points: Float[Tensor, "*any 3"]) -> Bool[Tensor, "*any"]:
        """Tell whether there may be something at points of the cube."""
        cells = ((points + 1) * (CELLS / 2)).long().clamp_(0, CELLS - 1)
        x, y, z = cells.unbind(dim=-1)
        return self.occupied[(x * CELLS + y) * CELLS + z]

    @torch.no_grad()
    def look(self, density: Callable[[Tensor], Tensor], step: int) -> None:
        """Ask for densities anew.

        Args:
            density: of points × 3, one number each.
            step: keys this look's points.
        """
        draws = generator(self.seed, "occupancy", step)
        within = torch.rand((CELLS**3, 3), generator=draws).to(self.densities)
        side = torch.arange(CELLS, device=within.device)
        corners = torch.cartesian_prod(side, side, side)
        points = (corners + within) * (2 / CELLS) - 1
        found = torch.cat([density(part) for part in torch.split(points, BLOCK)])
        self.densities = torch.maximum(FORGETTING * self.densities, found.to(self.densities))
        self.occupied = self.densities >= self.densities.mean().clamp(max=self.threshold)
