"""Many small coordinate networks side by side, each of which answers for a tile of the domain.

A network's cost for a sample grows with its width squared, and so do the samples that it can
represent; so cutting a signal into tiles with a small network each makes a sample cheap without
making the whole less able. Decisions:

- Tiles lie on a regular grid, and all their networks have one shape, so that they are one batched
  product (`torch.bmm`) a layer.
- A network's coordinates run over [-1, 1] within its own tile.
- Between two tiles the answer goes over from one to the other within a narrow band, so that what is
  decoded between samples has no seams. Where samples are spaced by the band's width, and tiles end
  half way between two, each sample is answered by one tile alone: training needs no overlap.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._activation import Activation
from penchant.nn._activations import ActivationLike, activation
from penchant.nn._batched_linear import BatchedLinear
from penchant.nn._checks import count
from penchant.randomness import generator

ROWS = 64
"""Points of one tile that `forward` answers in one row of its batch; padded to it where fewer."""


class TiledNet(nn.Module):
    r"""A regular grid of small coordinate networks, each for its own tile of the domain.

    With :math:`f_t` the network of tile t, of `depth` hidden layers of `width` units,

    .. math:: y(x) = \sum_t w_t(x)\, f_t\!\left(2\,\frac{x - o_t}{c} - 1\right)

    where :math:`o_t` is the tile's lower corner and c its edges. The weights sum to 1: deep within
    a tile its own is 1; across a border between two it falls linearly from 1 to 0, over a band of
    `blend` along that axis. Beyond the grid the outermost tile answers.

    All networks are drawn at once, each layer from its own key of the seed and by its activation's
    rules, as in `CoordinateNet`.

    Args:
        tiles: how many there are along each coordinate.
        outputs: values at a point.
        corner: the grid's lower end along each coordinate.
        cell: a tile's edge along each coordinate.
        blend: the band's width along each coordinate, from 0 to a tile's edge.
        width: units of a hidden layer.
        depth: hidden layers.
        activation: what `activation` takes, of real numbers.
        seed: of the initial draws.

    Raises:
        PenchantError: a number does not fit, or the activation is complex.

    Example:
        >>> place = {"corner": (-1, -0.75), "cell": (0.5, 0.5), "blend": (0.1, 0.1)}
        >>> net = TiledNet((4, 3), 3, **place, width=8)
        >>> net(torch.zeros(5, 2)).shape, net.layers[1].weight.shape
        (torch.Size([5, 3]), torch.Size([12, 8, 8]))

    Source: Reiser et al., "KiloNeRF", 2021; Saragadam et al., "MINER: multiscale implicit neural
    representations", 2022.
    """

    corner: Tensor
    cell: Tensor
    blend: Tensor

    def __init__(
        self,
        tiles: Sequence[int],
        outputs: int,
        *,
        corner: Sequence[float],
        cell: Sequence[float],
        blend: Sequence[float],
        width: int = 12,
        depth: int = 3,
        activation: ActivationLike = "sine",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.tiles = tuple(count("TiledNet(tiles", number) for number in tiles)
        outputs = count("TiledNet(outputs", outputs)
        width, depth = count("TiledNet(width", width), count("TiledNet(depth", depth)
        self._place(corner, cell, blend)
        member = _real(activation)
        sizes = [len(self.tiles), *[width] * depth]
        many = math.prod(self.tiles)
        self.layers = nn.ModuleList(
            BatchedLinear(many, below, above) for below, above in pairwise(sizes)
        )
        self.activations = nn.ModuleList(copy.deepcopy(member) for _ in range(depth))
        self.head = BatchedLinear(many, width, outputs)
        self._initialise(seed)

    def _place(
        self, corner: Sequence[float], cell: Sequence[float], blend: Sequence[float]
    ) -> None:
        axes = len(self.tiles)
        for name, numbers in (("corner", corner), ("cell", cell), ("blend", blend)):
            if len(numbers) != axes or not all(math.isfinite(number) for number in numbers):
                raise PenchantError(
                    f"TiledNet({name}={tuple(numbers)}): {axes} finite numbers are needed, one for "
                    "each coordinate, as tiles has"
                )
            self.register_buffer(name, torch.tensor([float(n) for n in numbers]), persistent=False)
        for edge, band in zip(cell, blend, strict=True):
            if not 0 <= band <= edge or edge == 0:
                raise PenchantError(
                    f"TiledNet(cell={tuple(cell)}, blend={tuple(blend)}): a tile's edge is "
                    "above 0, and the band across its border at most as wide"
                )

    @torch.no_grad()
    def _initialise(self, seed: int) -> None:
        def flat(layer: nn.Module) -> tuple[Tensor, Tensor]:
            # Rules go by a layer's inputs, which stay apart; outputs of all tiles are one row.
            weight, bias = cast(Tensor, layer.weight), cast(Tensor, layer.bias)
            return weight.view(-1, weight.shape[-1]), bias.view(-1)

        activations = cast(Sequence[Activation], self.activations)
        for index, (layer, phi) in enumerate(zip(self.layers, activations, strict=True)):
            draws = generator(seed, f"init/layers.{index}")
            fill = phi.initialise_hidden_ if index else phi.initialise_first_
            fill(*flat(layer), draws)
        activations[-1].initialise_head_(*flat(self.head), generator(seed, "init/head"))

    def located(
        self, points: Float[Tensor, "points inputs"]
    ) -> tuple[Int[Tensor, " points"], Float[Tensor, "points inputs"]]:
        """Say in which tile each point lies, and where within it.

        Args:
            points: coordinates; beyond the grid they belong to the outermost tile.

        Returns:
            The tile's index, counted with the last coordinate fastest; and the point in the tile's
            own coordinates, on [-1, 1] within it.
        """
        place = (points - self.corner) / self.cell
        along = self._bounded(place.floor().long())
        return self._index(along), 2 * (place - along) - 1

    def forward(self, x: Float[Tensor, "*points inputs"]) -> Float[Tensor, "*points outputs"]:
        """Return the values at the points.

        Args:
            x: coordinates.

        Returns:
            A tensor of x's shape, with `outputs` in place of `inputs`.

        Raises:
            PenchantError: x has another number of coordinates.
        """
        if x.ndim == 0 or x.shape[-1] != len(self.tiles):
            raise PenchantError(
                f"TiledNet: points of shape {tuple(x.shape)}; the last axis has a point's "
                f"{len(self.tiles)} coordinates"
            )
        points = x.reshape(-1, len(self.tiles))
        outputs = points.new_zeros(len(points), self.head.bias.shape[-1])
        for which, tiles, local, weight in self._shares(points):
            outputs = outputs.index_add(0, which, weight[:, None] * self._answer(tiles, local))
        return outputs.reshape(*x.shape[:-1], outputs.shape[-1])

    def _shares(self, points: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Yield points, their tiles, where they lie in these, and the tiles' weights."""
        place = (points - self.corner) / self.cell
        along = self._bounded(place.floor().long())
        half = (self.blend / self.cell / 2).clamp_min(torch.finfo(place.dtype).tiny)
        within = place - along
        # How far a point has gone over to the next tile up or down: ½ on the border.
        up = ((within - (1 - half)) / (2 * half)).clamp(0, 0.5)
        down = ((half - within) / (2 * half)).clamp(0, 0.5)
        last = torch.tensor(self.tiles, device=points.device) - 1
        up, down = up * (along < last), down * (along > 0)
        other, step = torch.maximum(up, down), (up > 0).long() - (down > 0).long()
        for turns in product((False, True), repeat=len(self.tiles)):
            moved = torch.tensor(turns, device=points.device)
            weight = torch.where(moved, other, 1 - other).prod(dim=1)
            which = weight.nonzero()[:, 0]
            if not len(which):
                continue
            tile = along[which] + step[which] * moved
            yield which, self._index(tile), 2 * (place[which] - tile) - 1, weight[which]

    def _answer(self, tiles: Tensor, local: Tensor) -> Tensor:
        """Ask each point's tile: in rows of points of one tile, since rows are batched products."""
        order = tiles.argsort(stable=True)
        owners, counts = torch.unique_consecutive(tiles[order], return_counts=True)
        rows = (counts + ROWS - 1) // ROWS
        first_row, first = rows.cumsum(0) - rows, counts.cumsum(0) - counts
        group = torch.arange(len(owners), device=tiles.device).repeat_interleave(counts)
        inside = torch.arange(len(tiles), device=tiles.device) - first[group]
        slot = first_row[group] * ROWS + inside
        length = min(ROWS, int(counts.max()))
        if length < ROWS:  # every tile has one row, shorter than the longest there is
            slot = group * length + inside
        h = local.new_zeros(int(rows.sum()) * length, local.shape[1])
        h = h.index_copy(0, slot, local[order]).view(-1, length, local.shape[1])
        asked = owners.repeat_interleave(rows)
        for layer, phi in zip(self.layers, self.activations, strict=True):
            h = phi(layer(h, asked))
        y = self.head(h, asked).reshape(-1, self.head.bias.shape[-1])[slot]
        return torch.empty_like(y).index_copy(0, order, y)

    def _bounded(self, along: Tensor) -> Tensor:
        last = torch.tensor(self.tiles, device=along.device) - 1
        return along.clamp_min(0).minimum(last)

    def _index(self, along: Tensor) -> Tensor:
        index = along[:, 0]
        for axis, number in enumerate(self.tiles[1:], start=1):
            index = index * number + along[:, axis]
        return index


def _real(given: ActivationLike) -> Activation:
    member = activation(given)
    if member.is_complex:
        raise PenchantError(
            f"TiledNet(activation={member.name!r}): its layers are complex; tiles take an "
            "activation of real numbers, such as 'sine' or 'finer'"
        )
    return member
