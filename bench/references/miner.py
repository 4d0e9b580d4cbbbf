"""MINER with sines, written from the paper's description.

"MINER: multiscale implicit neural representation" (Saragadam et al., 2022), with the
authors' settings for pictures (`configs/image_32x32.ini`): in each block a SIREN of three layers of
18 and a linear head, ω₀ = 150, coordinates that run over [-1, 1] in every block; on the coarsest
level four times as wide. First weights and biases U(±1/2), later ones U(±√(6/n)/ω₀), the head's
U(±1/(ω₀√n)). From the third level on a block starts as half of its parent's network. Adam at 5e-4
times the share of blocks that are still learned times 0.999^epoch; 500 epochs a level, a coarse
level ending before where the loss moves by less than 5e-7.

Where description and code differ, what is better for it at 40 dB is taken: blocks are frozen, and
learned, by their squared error against 1e-4 (the code compares what is left with a fixed 5e-4, and
freezes relative to a block's energy), and the finest level may go on ten times as long.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from references.blocks import CONVERGED, SIDE, BlockFit, Blocks, draw

OMEGA = 150.0
WIDTH = 18
COARSEST_WIDER = 4
SINE_LAYERS = 3
LEARNING_RATE = 5e-4
EPOCHS = 500
FINEST_EPOCHS = 10 * EPOCHS
STILL = 5e-7
DECAY = 0.999
STEPS = 4 * EPOCHS


class SineBlocks(Blocks):
    def __init__(self, blocks: int, channels: int, width: int) -> None:
        super().__init__()
        for layer in range(SINE_LAYERS):
            inputs = width if layer else 2
            bound = math.sqrt(6 / inputs) / OMEGA if layer else 1 / inputs
            setattr(self, f"weight{layer}", draw(blocks, (inputs, width), bound))
            setattr(self, f"bias{layer}", draw(blocks, (1, width), bound))
        bound = math.sqrt(1 / width) / OMEGA
        self.head_weight = draw(blocks, (width, channels), bound)
        self.head_bias = draw(blocks, (1, channels), bound)

    def forward(self, x: Tensor) -> Tensor:
        for layer in range(SINE_LAYERS):
            weight, bias = getattr(self, f"weight{layer}"), getattr(self, f"bias{layer}")
            x = torch.sin(OMEGA * torch.baddbmm(bias, x, weight))
        return torch.baddbmm(self.head_bias, x, self.head_weight)


class Miner(BlockFit):
    """Learns a picture, rows × columns × channels on [0, 1]."""

    def __init__(self, picture: Tensor, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.parents: list[Tensor] | None = None
        super().__init__(picture)

    def begin(self) -> tuple[Blocks, torch.optim.Optimizer]:
        """Build the networks of this level's active blocks, and what moves them."""
        wider = COARSEST_WIDER if self.level == 0 else 1
        channels = self.target.shape[2]
        everywhere = SineBlocks(len(self.target), channels, WIDTH * wider)
        if self.level > 1 and self.parents is not None:
            parent = self._parent_of_each()
            with torch.no_grad():
                for new, old in zip(everywhere.parameters(), self.parents, strict=True):
                    new.copy_(old[parent] / 2)
        # Those of blocks that are not learned are kept for their children.
        self.parents = [parameter.detach().clone() for parameter in everywhere.parameters()]
        self.learned = self.active
        network = SineBlocks(len(self.active), channels, WIDTH * wider)
        with torch.no_grad():
            for new, old in zip(network.parameters(), everywhere.parameters(), strict=True):
                new.copy_(old[self.active])
        self.epoch, self.loss = 0, math.inf
        return network, torch.optim.Adam(network.parameters(), lr=self.learning_rate)

    def step(self) -> None:
        """Take one step; the whole picture's error is not known from it."""
        share = len(self.active) / len(self.learned)
        self.optimizer.param_groups[0]["lr"] = self.learning_rate * share * DECAY**self.epoch
        output = self.network(self.inputs(len(self.active)))
        target = self.target[self.active]
        loss = F.mse_loss(output, target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        before, self.loss = self.loss, float(loss.detach())
        self.epoch += 1
        error = (output.detach() - target).square().mean((1, 2))
        self._remember()
        self.freeze(error <= CONVERGED, output.detach())
        over = self.epoch >= (FINEST_EPOCHS if self.finest else EPOCHS)
        still = not self.finest and abs(self.loss - before) < STILL
        if over or still or not len(self.active):
            self.next_level()

    def _remember(self) -> None:
        """Keep the newest networks where a block of this level may have children."""
        if not self.finest:
            assert self.parents is not None
            with torch.no_grad():
                for kept, new in zip(self.parents, self.network.parameters(), strict=True):
                    kept[self.active] = new

    def _parent_of_each(self) -> Tensor:
        """Return the number of each block's parent on the level below, row by row."""
        height, width, _ = self.levels[self.level].shape
        rows, columns = (math.ceil(size / SIDE) for size in (height, width))
        below = math.ceil(self.levels[self.level - 1].shape[1] / SIDE)
        row, column = torch.arange(rows) // 2, torch.arange(columns) // 2
        return (row[:, None] * below + column).flatten()


def fit(picture: Tensor, learning_rate: float) -> Miner:
    """Begin to learn a picture, rows × columns × channels on [0, 1]."""
    return Miner(picture, learning_rate)
