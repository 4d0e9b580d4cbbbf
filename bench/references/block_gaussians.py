"""MINER's pyramid with Gaussian blocks, written from the description of its variant.

kwea123's "MINER_pl" describes what it changes in the paper's networks and why: Gaussians
exp(−z²/2a²) in place of sines, three layers of 20 and a linear head a block, the width a = 0.1 a
parameter of each block and layer; weights and biases U(±1/√n). The coarsest level's answer goes
through a sigmoid, the others' is sin(a·z), with an a of its own, times the largest residual of the
block. RAdam at 3e-2, falling along a cosine to a thirtieth within a level's 500 epochs; batches of
256 of a block's 1,024 pixels; each block's error is weighted by one over itself, so that easy
blocks converge soon; every 100 epochs the blocks that have come to 1e-4 are frozen.

Its 500 epochs a level are kept: the end of the cosine is where it is best.
"""

import math

import torch
from torch import Tensor, nn

from references.blocks import CONVERGED, SIDE, BlockFit, Blocks, draw

WIDTH = 20
GAUSSIAN_LAYERS = 3
A = 0.1
LEARNING_RATE = 3e-2
LOWEST = 1 / 30
EPOCHS = 500
LOOK_EVERY = 100
BATCHES = 4
STEPS = 4 * EPOCHS * BATCHES


class GaussianBlocks(Blocks):
    def __init__(self, blocks: int, channels: int, residual: Tensor | None) -> None:
        super().__init__()
        for layer in range(GAUSSIAN_LAYERS):
            inputs = WIDTH if layer else 2
            bound = 1 / math.sqrt(inputs)
            setattr(self, f"weight{layer}", draw(blocks, (inputs, WIDTH), bound))
            setattr(self, f"bias{layer}", draw(blocks, (1, WIDTH), bound))
            setattr(self, f"a{layer}", nn.Parameter(torch.full((blocks, 1, 1), A)))
        bound = 1 / math.sqrt(WIDTH)
        self.head_weight = draw(blocks, (WIDTH, channels), bound)
        self.head_bias = draw(blocks, (1, channels), bound)
        self.coarsest = residual is None
        if residual is not None:
            self.head_a = nn.Parameter(torch.full((blocks, 1, 1), A))
            largest = residual.abs().amax((1, 2), keepdim=True)
            self.largest = nn.Parameter(largest, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        for layer in range(GAUSSIAN_LAYERS):
            weight, bias = getattr(self, f"weight{layer}"), getattr(self, f"bias{layer}")
            z = torch.baddbmm(bias, x, weight)
            x = torch.exp(-z.square() / (2 * getattr(self, f"a{layer}").square()))
        z = torch.baddbmm(self.head_bias, x, self.head_weight)
        return torch.sigmoid(z) if self.coarsest else self.largest * torch.sin(self.head_a * z)


class BlockGaussians(BlockFit):
    """Learns a picture, rows × columns × channels on [0, 1]."""

    def __init__(self, picture: Tensor, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        super().__init__(picture)

    def begin(self) -> tuple[Blocks, torch.optim.Optimizer]:
        """Build the networks of this level's active blocks, and what moves them."""
        residual = self.target[self.active] if self.level else None
        network = GaussianBlocks(len(self.active), self.target.shape[2], residual)
        self.epoch = 0
        self.order: list[Tensor] = []
        return network, torch.optim.RAdam(network.parameters(), lr=self.learning_rate)

    def step(self) -> None:
        """Take one step; the whole picture's error is not known from it."""
        if not self.order:
            self.order = list(torch.randperm(SIDE**2).chunk(BATCHES))
        chosen = self.order.pop()
        self.optimizer.param_groups[0]["lr"] = self._rate()
        output = self.network(self.inputs(len(self.active))[:, chosen])
        errors = (output - self.target[self.active][:, chosen]).square().mean((1, 2))
        self.optimizer.zero_grad()
        (errors / (errors.detach() + 1e-8)).mean().backward()
        self.optimizer.step()
        if not self.order:
            self._end_epoch()

    def _rate(self) -> float:
        lowest = LOWEST * self.learning_rate
        turn = 0.5 * (1 + math.cos(math.pi * self.epoch / EPOCHS))
        return lowest + (self.learning_rate - lowest) * turn

    def _end_epoch(self) -> None:
        self.epoch += 1
        if self.epoch % LOOK_EVERY == 0:
            with torch.no_grad():
                output = self.network(self.inputs(len(self.active)))
            error = (output - self.target[self.active]).square().mean((1, 2))
            self.freeze(error <= CONVERGED, output)
        if self.epoch >= EPOCHS or not len(self.active):
            self.next_level()


def fit(picture: Tensor, learning_rate: float) -> BlockGaussians:
    """Begin to learn a picture, rows × columns × channels on [0, 1]."""
    return BlockGaussians(picture, learning_rate)
