"""Gradients of a grid of small networks: batched products over blocks of tiles, in cache.

Each tile is a network of its own that learns from the samples which lie in it, so what is
differentiated is the sum over tiles of each one's mean divergence: how many other tiles a signal
has moves no network's gradient, and so not what an optimiser makes of it.
"""

import copy
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from penchant.divergences import Divergence
from penchant.nn import Activation, TiledLinear, TiledNet
from penchant.training._gradient import Gradient

VALUES = 2**16
"""Numbers in a layer's buffer for a block of tiles: a few such buffers fit a core's cache."""


PLACED = 2**20
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
        pieces = inputs.split(PLACED)
        tiles = torch.cat([network.located(piece)[0].int() for piece in pieces])
        counts = torch.bincount(tiles, minlength=many)
        most = max(1, int(counts.max()))
        samples = torch.zeros(many * most, dtype=torch.int32, device=device)
        filled = torch.arange(many, device=device) * most
        for start, piece in zip(range(0, len(tiles), PLACED), tiles.split(PLACED), strict=True):
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
        self._places: _Places

    def __call__(
        self, inputs: Float[Tensor, "samples inputs"], targets: Float[Tensor, "samples outputs"]
    ) -> float:
        """Overwrite the gradients with those of the sum of all tiles' mean divergences.

        Returns:
            The mean divergence over the samples.
        """
        if inputs is not self._inputs:  # the same samples in each step are placed once
            self._inputs, self._places = inputs, _Places.of(self.network, inputs)
        blocks = self._blocks(self._places.samples.shape[1])
        job = _Job(self.network, self._each, self._places, inputs, targets)
        totals = (
            map(job, blocks) if torch.get_num_threads() == 1 else self._threads.map(job, blocks)
        )
        return float(torch.cat(list(totals)).sum()) / len(inputs)

    def _blocks(self, most: int) -> list[slice]:
        many, _, width = self.network.head.weight.shape
        step = max(1, self.block // (most * width))
        return [slice(start, min(start + step, many)) for start in range(0, many, step)]

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        # Within a block torch is to use one thread; the setting is each thread's own.
        return ThreadPoolExecutor(
            torch.get_num_threads(), initializer=lambda: torch.set_num_threads(1)
        )


@dataclass(frozen=True)
class _Job:
    """What is done to each block of tiles."""

    network: TiledNet
    divergence: Divergence
    """Without reduction."""
    places: _Places
    inputs: Tensor
    targets: Tensor

    @torch.no_grad()
    def __call__(self, tiles: slice) -> Float[Tensor, " tiles"]:
        """Fill these tiles' gradients; return the sum of each one's divergences."""
        network = self.network
        layers = cast(Sequence[TiledLinear], network.layers)
        samples = self.places.samples[tiles]
        targets = self.targets[samples.reshape(-1)].view(*samples.shape, -1)
        below = self._local(tiles, samples)
        values, slopes = [below], []
        for layer, phi in zip(layers, cast(Sequence[Activation], network.activations), strict=True):
            z = torch.baddbmm(layer.bias[tiles], below, layer.weight[tiles].mT)
            value, slope = torch.empty_like(z), torch.empty_like(z)
            phi.value_and_derivative_(z, value, slope)
            values.append(value)
            slopes.append(slope)
            below = value
        head = network.head
        output = torch.baddbmm(head.bias[tiles], below, head.weight[tiles].mT)
        error, total = self._errors(tiles, output, targets)
        for index in range(len(layers), -1, -1):
            layer = layers[index] if index < len(layers) else head
            if index < len(layers):
                error.mul_(slopes[index])
            self._write(layer, tiles, error, values[index])
            if index:
                error = torch.bmm(error, layer.weight[tiles])
        return total

    def _local(self, tiles: slice, samples: Tensor) -> Tensor:
        points = self.inputs[samples.reshape(-1)].view(*samples.shape, -1)
        cell = self.network.cell
        return points.sub_(self.places.corners[tiles]).mul_(2 / cell).sub_(1)

    def _errors(self, tiles: slice, output: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivative of the sum of these tiles' means, and each one's sum."""
        flat, wanted = output.flatten(0, 1), targets.flatten(0, 1)
        each = self.divergence(flat, wanted).view(targets.shape[:2])
        error = self.divergence.derivative(flat, wanted).view_as(output)
        if self.places.shares is None:
            error.mul_(1 / targets.shape[1])
            return error, each.sum(1)
        shares = self.places.shares[tiles]
        error.mul_(shares)
        return error, (each * (shares[..., 0] > 0)).sum(1)

    @staticmethod
    def _write(layer: TiledLinear, tiles: slice, error: Tensor, below: Tensor) -> None:
        weight, bias = layer.weight.grad, layer.bias.grad
        assert weight is not None and bias is not None
        torch.bmm(error.mT, below, out=weight[tiles])
        torch.sum(error, dim=1, keepdim=True, out=bias[tiles])
