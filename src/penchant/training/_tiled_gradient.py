"""Gradients of a grid of small networks: batched products over blocks of tiles, in cache.

Each tile is a network of its own that learns from the samples which lie in it, so what is
differentiated is the sum over tiles of each one's mean divergence: how many other tiles a signal
has moves no network's gradient, and so not what an optimiser makes of it.
"""

import copy
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from penchant.divergences import Divergence
from penchant.nn import Activation, BatchedLinear, TiledNet
from penchant.training._gradient import Gradient

VALUES = 2**17
"""Numbers in a layer's buffer for a block of tiles: larger ones leave the cache, and of smaller
ones there are more than their calls are worth."""

KEPT = 2**22
"""Samples up to which all are kept as their tiles take them, some 20 bytes each; of more they are
gathered anew in each step, which is a sixth of it."""

PLACED = 2**17
"""Samples whose tiles are found at a time."""


@dataclass(frozen=True)
class _Places:
    """Where a batch's samples lie: a row for each tile, filled up with the batch's first sample."""

    samples: Int[Tensor, "tiles most"]
    shares: Float[Tensor, "tiles most 1"] | None
    """Of each sample in its tile's mean, 0 where a row is filled up; None where all are equal."""
    corners: Float[Tensor, "tiles 1 inputs"]

    @classmethod
    def of(cls, network: TiledNet, inputs: Float[Tensor, "samples inputs"]) -> "_Places":
        many, device = len(network.head.weight), inputs.device
        along = torch.unravel_index(torch.arange(many, device=device), network.tiles)
        corners = network.corner + torch.stack(along, dim=1).to(inputs.dtype) * network.cell
        # In pieces: what says of millions of samples where they lie is larger than themselves.
        pieces = torch.split(inputs, PLACED)
        tiles = torch.cat([network.located(piece)[0].int() for piece in pieces])
        counts = torch.bincount(tiles, minlength=many)
        most = max(1, int(counts.max()))
        samples = torch.zeros(many * most, dtype=torch.int32, device=device)
        filled = torch.arange(many, device=device) * most
        for start, piece in zip(
            range(0, len(tiles), PLACED), torch.split(tiles, PLACED), strict=True
        ):
            owners, order = piece.long().sort(stable=True)
            here = torch.bincount(owners, minlength=many)
            slots = filled[owners] + torch.arange(len(order), device=device)
            slots -= (here.cumsum(0) - here)[owners]
            samples[slots] = order.int() + start
            filled += here
        shares = None
        if int(counts.min()) < most:
            full = torch.arange(most, device=device) < counts[:, None]
            shares = (full / counts[:, None].clamp_min(1).to(inputs.dtype))[..., None]
        return cls(samples.view(many, most), shares, corners[:, None])


class TiledGradient(Gradient):
    """Closed-form backpropagation through a `TiledNet`, block by block of its tiles.

    With several threads each takes its own tiles; no two meet, since no number belongs to two.
    A sample is learned by the tile that it lies in; what is blended across borders, between
    samples, is not differentiated.
    """

    network: TiledNet

    def __init__(self, network: TiledNet, divergence: Divergence, block: int = VALUES) -> None:
        super().__init__(network, divergence, block)
        self._each = copy.copy(divergence)
        self._each.reduction = "none"
        self._inputs: Tensor | None = None
        self._targets: Tensor | None = None
        self._places: _Places
        self._kept: dict[tuple[int, int], _Rows] = {}

    def __call__(
        self, inputs: Float[Tensor, "samples inputs"], targets: Float[Tensor, "samples outputs"]
    ) -> float:
        """Overwrite the gradients with those of the sum of all tiles' mean divergences.

        Returns:
            The mean divergence over the samples.
        """
        # The same samples in each step are placed and gathered once.
        if inputs is not self._inputs or targets is not self._targets:
            self._kept.clear()
        if inputs is not self._inputs:
            self._places = _Places.of(self.network, inputs)
        self._inputs, self._targets = inputs, targets
        blocks = self._blocks(self._places.samples.shape[1])
        job = _Job(self.network, self._each, self._places, inputs, targets, self._kept)
        totals = (
            map(job, blocks) if torch.get_num_threads() == 1 else self._threads.map(job, blocks)
        )
        return float(torch.cat(list(totals)).sum()) / len(inputs)

    def _blocks(self, most: int) -> list[slice]:
        """Cut the tiles into blocks of one size, as many for one thread as for another."""
        many, _, width = self.network.head.weight.shape
        fitting, threads = max(1, self.block // (most * width)), torch.get_num_threads()
        number = min(many, threads * math.ceil(many / (fitting * threads)))
        return [slice(*edges) for edges in pairwise(many * n // number for n in range(number + 1))]

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        # Within a block torch is to use one thread; the setting is each thread's own.
        return ThreadPoolExecutor(
            torch.get_num_threads(), initializer=lambda: torch.set_num_threads(1)
        )


@dataclass(frozen=True)
class _Rows:
    """A block's samples as its tiles take them: features first, samples side by side in memory.

    So all products have long rows, and a sum over samples or outputs adds up whole rows. With
    samples first, as a network's users have them, a product of 12 by 12 took up to twice as long,
    one of 12 by 3 or 2 five times (docs/LOG.md).
    """

    local: Float[Tensor, "tiles inputs most"]
    """In the tiles' own coordinates."""
    targets: Float[Tensor, "samples outputs"]


@dataclass(frozen=True)
class _Job:
    """What is done to each block of tiles."""

    network: TiledNet
    divergence: Divergence
    """Without reduction."""
    places: _Places
    inputs: Tensor
    targets: Tensor
    kept: dict[tuple[int, int], _Rows]

    @torch.no_grad()
    def __call__(self, tiles: slice) -> Float[Tensor, " tiles"]:
        """Fill these tiles' gradients; return the sum of each one's divergences."""
        network, rows = self.network, self._rows(tiles)
        layers = cast(Sequence[BatchedLinear], network.layers)
        below = rows.local
        values, slopes = [below], []
        for layer, phi in zip(layers, cast(Sequence[Activation], network.activations), strict=True):
            z = self._linear(layer, tiles, below)
            value, slope = torch.empty_like(z), torch.empty_like(z)
            phi.value_and_derivative_(z, value, slope)
            values.append(value)
            slopes.append(slope)
            below = value
        head = network.head
        error, total = self._errors(tiles, self._linear(head, tiles, below), rows.targets)
        for index in range(len(layers), -1, -1):
            layer = layers[index] if index < len(layers) else head
            if index < len(layers):
                error.mul_(slopes[index])
            self._write(layer, tiles, error, values[index])
            if index:
                error = torch.bmm(layer.weight[tiles].mT, error)
        return total

    def _rows(self, tiles: slice) -> _Rows:
        block = (tiles.start, tiles.stop)
        if block in self.kept:
            return self.kept[block]
        samples = self.places.samples[tiles]
        places = samples.reshape(-1)
        points = self.inputs.index_select(0, places).view(*samples.shape, -1).mT.contiguous()
        scale = (2 / self.network.cell)[:, None]
        local = points.sub_(self.places.corners[tiles].mT).mul_(scale).sub_(1)
        rows = _Rows(local, self.targets.index_select(0, places).t().contiguous().t())
        if self.places.samples.numel() <= KEPT:
            self.kept[block] = rows
        return rows

    def _errors(self, tiles: slice, output: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivative of the sum of these tiles' means, and each one's sum."""
        many, outputs, most = output.shape
        flat = output.transpose(0, 1).reshape(outputs, -1).t()
        each = self.divergence(flat, targets).view(many, most)
        error = self.divergence.derivative(flat, targets).t().reshape(outputs, many, most)
        if self.places.shares is None:
            error.mul_(1 / most)
        else:
            shares = self.places.shares[tiles, :, 0]
            error.mul_(shares)
            each = each * (shares > 0)
        return error.transpose(0, 1).contiguous(), each.sum(1)

    @staticmethod
    def _linear(layer: BatchedLinear, tiles: slice, below: Tensor) -> Tensor:
        return torch.baddbmm(layer.bias[tiles].mT, layer.weight[tiles], below)

    @staticmethod
    def _write(layer: BatchedLinear, tiles: slice, error: Tensor, below: Tensor) -> None:
        weight, bias = layer.weight.grad, layer.bias.grad
        assert weight is not None and bias is not None
        torch.bmm(error, below.mT, out=weight[tiles])
        torch.sum(error, dim=2, keepdim=True, out=bias[tiles].mT)
