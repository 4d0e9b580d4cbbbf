"""A position encoding that learns: features at the nodes of grids, fine and coarse.

Decisions:
- All levels' nodes are one table, so that a network has one parameter more, and levels are looked
  up at once. Levels with a node of their own for each corner come first in it.
- One row of the table is one feature of all nodes, and points come last while their corners are
  looked for, so that every pass over memory is long and contiguous.
- `value_and_backward` is what autograd does; with it a network's gradient takes two thirds to nine
  tenths of autograd's time, by activation (docs/LOG.md).
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import product
from typing import Any

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._checks import count, positive
from penchant.nn._encoding import Encoding
from penchant.randomness import generator as keyed

PRIMES = (1, 2_654_435_761, 805_459_861, 3_674_653_429)
"""What a corner's places along the axes are multiplied by in the hash; the paper's."""

START = 1e-4
"""The largest feature at the start."""


class Grid(Encoding):
    r"""Learned features on grids of several resolutions, interpolated at the point.

    .. math:: \gamma(x) = \big(f_1(x), \dots, f_L(x)\big), \qquad
              f_l(x) = \sum_{c \in \{0, 1\}^d} \prod_a \big|1 - c_a - t_a\big|\;
              \theta_l\big[h_l(\lfloor p \rfloor + c)\big], \qquad
              p = \tfrac{1}{2} (x + 1) (N_l - 1), \quad t = p - \lfloor p \rfloor

    Level l has :math:`N_l` nodes along each axis over [-1, 1], growing geometrically from the
    coarsest level to the finest, and `per_level` features at each. Up to `table` nodes, each has
    features of its own; of a level with more, those share features whose hash is the same,
    :math:`h(j) = (\bigoplus_a j_a \pi_a) \bmod \text{table}` with :math:`\pi` the paper's primes.
    Features start uniform in ±1e-4. Points outside [-1, 1] get the code of the nearest edge.

    Args:
        inputs: coordinates a point has, 1 to 4.
        levels: L.
        coarsest: nodes per axis of the first level, at least 2.
        finest: of the last, rounded; at least `coarsest`. A single level is the finest. When not
            given, about as many as make two nodes of the finest level share each place in a table.
        per_level: features a level gives.
        table: nodes a level may have before they share features.
        generator: where the features start; that of (0, "init/encoding") when not given.

    Raises:
        PenchantError: a number that is too small or not whole, a finest level coarser than the
            coarsest, or more than 4 inputs.

    Example:
        >>> code = Grid(2, levels=3, coarsest=2, finest=8, per_level=2, table=20)
        >>> code.resolutions, code.features  # 4, 16 and 64 nodes, the last in a table of 20
        ((2, 4, 8), 6)
        >>> code(torch.zeros(5, 2)).shape, code.nodes.shape
        (torch.Size([5, 6]), torch.Size([2, 40]))

    Source: Müller, Evans, Schied, Keller, "Instant neural graphics primitives with a
    multiresolution hash encoding", 2022.
    """

    name = "grid"
    source = "Müller et al., Instant neural graphics primitives, 2022"
    numbers = ("levels", "coarsest", "finest", "per_level", "table")
    closed_form = True
    steps: Tensor
    starts: Tensor
    strides: Tensor
    primes: Tensor

    def __init__(
        self,
        inputs: int,
        *,
        levels: int = 8,
        coarsest: int = 8,
        finest: float | None = None,
        per_level: int = 2,
        table: int = 1024,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(inputs)
        if self.inputs > len(PRIMES):
            raise PenchantError(
                f"Grid(inputs={inputs}): at most {len(PRIMES)} coordinates, since a point has "
                "2^inputs corners on each level"
            )
        self.levels = count("Grid(levels", levels)
        self.coarsest = count("Grid(coarsest", coarsest, least=2)
        self.per_level = count("Grid(per_level", per_level)
        self.table = count("Grid(table", table)
        open_finest = usual_finest(self.inputs, self.coarsest, self.table)
        self.finest = open_finest if finest is None else positive("Grid(finest", finest)
        if self.finest < self.coarsest:
            raise PenchantError(
                f"Grid(coarsest={self.coarsest}, finest={self.finest:g}): the finest level has at "
                "least the coarsest's nodes per axis"
            )
        self.features = self.levels * self.per_level
        self.resolutions = resolutions(self.levels, self.coarsest, self.finest)
        sizes = [min(n**self.inputs, self.table) for n in self.resolutions]
        self._dense = sum(n**self.inputs <= self.table for n in self.resolutions)
        starts = [sum(sizes[:level]) for level in range(self.levels)]
        dense = self.resolutions[: self._dense]
        strides = [[n**axis for n in dense] for axis in range(self.inputs)]
        self._keep("steps", [n - 1 for n in self.resolutions], (-1, 1))
        self._keep("starts", starts, (-1, 1))
        self._keep("strides", strides, (self.inputs, -1, 1))
        self._keep("primes", PRIMES[: self.inputs], (-1, 1, 1))
        draws = torch.rand(
            (self.per_level, sum(sizes)),
            generator=keyed(0, "init/encoding") if generator is None else generator,
            dtype=torch.float32,
            device="cpu",
        )
        started = draws.mul_(2).sub_(1).mul_(START).to(torch.get_default_dtype())
        self.nodes = nn.Parameter(started)

    @classmethod
    def size(cls, inputs: int, **numbers: float) -> int:
        """Count the numbers that such a grid learns, without making it; see `Encoding`.

        Example:
            >>> Grid.size(2, levels=3, coarsest=2, finest=8, per_level=2, table=20)
            80
        """
        inputs = min(inputs, len(PRIMES))  # more are refused when it is made
        given: Any = cls.defaults() | numbers
        coarsest, table = given["coarsest"], given["table"]
        finest = given["finest"] or usual_finest(inputs, coarsest, table)
        found = resolutions(given["levels"], coarsest, finest)
        return int(given["per_level"] * sum(min(n**inputs, table) for n in found))

    def _keep(self, name: str, numbers: Sequence[object], shape: tuple[int, ...]) -> None:
        # Not part of the state: the constructor's numbers say it all.
        held = torch.tensor(numbers, dtype=torch.int64).reshape(shape)
        self.register_buffer(name, held, persistent=False)

    @property
    def highest_frequency(self) -> float:  # type: ignore[override]
        """Sampling limit of the finest level, in cycles per unit."""
        return (self.resolutions[-1] - 1) / 4

    def encode(self, x: Float[Tensor, "*points inputs"]) -> Float[Tensor, "*points features"]:
        """Return the features of the first level, then of the next."""
        code = self._interpolated(*self._corners(x.reshape(-1, self.inputs)))
        return code.reshape(*x.shape[:-1], self.features)

    def value_and_backward(
        self, x: Float[Tensor, "points inputs"]
    ) -> tuple[Float[Tensor, "points features"], Callable[[Tensor, Sequence[Tensor]], None]]:
        """Return the code, and what adds the features' gradient; see `Encoding`."""
        rows, weights = self._corners(x)

        def backward(gradient: Tensor, into: Sequence[Tensor]) -> None:
            parts = gradient.view(len(x), self.levels, self.per_level).permute(2, 1, 0).contiguous()
            for part, plane in zip(parts, into[0], strict=True):
                plane.scatter_add_(0, rows.view(-1), (weights * part).view(-1))

        return self._interpolated(rows, weights).flatten(1), backward

    def _interpolated(
        self,
        rows: Int[Tensor, "corners levels points"],
        weights: Float[Tensor, "corners levels points"],
    ) -> Float[Tensor, "points levels per_level"]:
        row = rows.reshape(-1)
        corners = [plane.index_select(0, row).view_as(rows) for plane in self.nodes]
        found = torch.stack([(weights * one.to(weights.dtype)).sum(0) for one in corners])
        return found.permute(2, 1, 0)

    def _corners(
        self, x: Float[Tensor, "points inputs"]
    ) -> tuple[Int[Tensor, "corners levels points"], Float[Tensor, "corners levels points"]]:
        """Find the rows of the table around each point, and what each counts for."""
        # Points last, in which everything is contiguous: a third of the time of points first.
        place = ((x.clamp(-1, 1) + 1) / 2).T.unsqueeze(1) * self.steps  # (inputs, levels, points)
        low = torch.minimum(place.floor(), self.steps - 1)
        share, node = place - low, low.long()
        first = node[:, : self._dense] * self.strides
        own = _over_corners(torch.add, first, first + self.strides)
        first = node[:, self._dense :] * self.primes
        shared = _over_corners(torch.bitwise_xor, first, first + self.primes) % self.table
        rows = torch.cat((own, shared), dim=1) + self.starts
        return rows, _over_corners(torch.mul, 1 - share, share)


def usual_finest(inputs: int, coarsest: int, table: int) -> float:
    """Return the nodes per axis of a level with twice as many nodes as a table has places.

    Example:
        >>> usual_finest(2, 8, 2048), usual_finest(1, 8, 2048), usual_finest(2, 8, 1)
        (64.0, 4096.0, 8.0)
    """
    return max(float(coarsest), math.pow(2 * table, 1 / inputs))


def resolutions(levels: int, coarsest: int, finest: float) -> tuple[int, ...]:
    """Return the nodes per axis of each level, in geometric progression.

    Example:
        >>> resolutions(4, 4, 64)
        (4, 10, 25, 64)
        >>> resolutions(1, 4, 64)
        (64,)
    """
    growth = (finest / coarsest) ** (1 / max(1, levels - 1))
    return (*(round(coarsest * growth**level) for level in range(levels - 1)), round(finest))


def _over_corners(
    join: Callable[[Tensor, Tensor], Tensor],
    low: Num[Tensor, "inputs levels points"],
    high: Num[Tensor, "inputs levels points"],
) -> Num[Tensor, "corners levels points"]:
    """Join what the axes have at their two sides, for each of the 2^inputs corners."""
    return torch.stack([reduce(join, sides) for sides in product(*zip(low, high, strict=True))])
