"""What block networks share: a Laplacian pyramid whose levels are learned block by block.

"MINER: multiscale implicit neural representation" (Saragadam et al., 2022): from coarse to
fine, each level learns what is left when the level below is taken, enlarged, from the picture at
that level's size; each block of 32×32 pixels has a small network of its own, blocks in which next
to nothing is left have none, and those that have converged are frozen. All networks of a level are
one batched product.

The authors cut a picture to whole blocks at the coarsest level. Here it stays whole, as it is for
the other peers: each level's edge is continued to the next whole block.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 32
"""Pixels along a block."""
SCALES = 4
CONVERGED = 1e-4
"""A block's mean squared error, 40 dB, at which it is frozen, or above which it is learned."""


def pad(picture: Tensor, multiple: int) -> Tensor:
    """Continue the last row and column to whole multiples; rows × columns × channels."""
    height, width, _ = picture.shape
    rows = torch.arange(math.ceil(height / multiple) * multiple).clamp(max=height - 1)
    columns = torch.arange(math.ceil(width / multiple) * multiple).clamp(max=width - 1)
    return picture[rows][:, columns]


def to_blocks(picture: Tensor) -> Tensor:
    """Cut into blocks × pixels × channels, row by row."""
    height, width, channels = picture.shape
    cut = picture.reshape(height // SIDE, SIDE, width // SIDE, SIDE, channels)
    return cut.transpose(1, 2).reshape(-1, SIDE**2, channels)


def from_blocks(blocks: Tensor, height: int, width: int) -> Tensor:
    """Undo `to_blocks`."""
    cut = blocks.reshape(height // SIDE, width // SIDE, SIDE, SIDE, -1)
    return cut.transpose(1, 2).reshape(height, width, -1)


def levels(picture: Tensor) -> list[Tensor]:
    """Reduce by halves; coarsest first, the picture itself last, its edge continued to eighths."""
    whole = pad(picture, 2 ** (SCALES - 1)).movedim(-1, 0)[None]
    halvings = [2**power for power in reversed(range(SCALES))]
    return [F.avg_pool2d(whole, by)[0].movedim(0, -1) for by in halvings]


def enlarged(picture: Tensor, height: int, width: int) -> Tensor:
    """Interpolate linearly to another size."""
    chw = F.interpolate(picture.movedim(-1, 0)[None], size=(height, width), mode="bilinear")
    return chw[0].movedim(0, -1)


def draw(count: int, shape: tuple[int, int], bound: float) -> nn.Parameter:
    """Draw a stack of matrices (or of rows, as biases) from U(±bound)."""
    return nn.Parameter(torch.empty(count, *shape).uniform_(-bound, bound))


class Blocks(nn.Module, ABC):
    """One small network a block; every parameter's first axis counts the blocks."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map coordinates, blocks × pixels × 2, to blocks × pixels × channels."""


class BlockFit(ABC):
    """A pyramid that is learned level by level; subclasses say with which networks and steps."""

    ended = False

    def __init__(self, picture: Tensor) -> None:
        self.whole = picture
        self.levels = levels(picture)
        line = torch.linspace(-1, 1, SIDE)
        self.coordinates = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
        self.level = -1
        self.base = torch.zeros_like(self.levels[0])
        self._next()

    @abstractmethod
    def begin(self) -> tuple[Blocks, torch.optim.Optimizer]:
        """Build the networks of this level's active blocks, and what moves them."""

    @abstractmethod
    def step(self) -> None:
        """Take one step; the whole picture's error is not known from it."""

    @property
    def finest(self) -> bool:
        return self.level == SCALES - 1

    def next_level(self) -> None:
        """Go on to the next level, or end."""
        if self.finest:
            self.ended = True
            return
        self.base = self._level_picture()
        self._next()

    def _next(self) -> None:
        self.level += 1
        target = self.levels[self.level]
        height, width, _ = target.shape
        if self.level:
            self.base = enlarged(self.base, height, width)
        self.target = to_blocks(pad(target - self.base, SIDE))
        self.found = torch.zeros_like(self.target)
        left = self.target.square().mean((1, 2))
        self.active = torch.arange(len(left)) if self.level == 0 else _where(left > CONVERGED)
        if len(self.active):
            self.network, self.optimizer = self.begin()
        else:
            self.next_level()

    def inputs(self, blocks: int) -> Tensor:
        return self.coordinates.expand(blocks, -1, -1)

    def freeze(self, done: Tensor, output: Tensor) -> None:
        """Keep the output of those active blocks that are done, and drop their networks."""
        if not done.any():
            return
        self.found[self.active[done]] = output[done]
        self.active = self.active[~done]
        if len(self.active):
            _keep(self.network, self.optimizer, ~done)

    @torch.no_grad()
    def picture(self) -> Tensor:
        """Return what the pyramid holds now, at the picture's own size."""
        height, width, _ = self.levels[-1].shape
        found = self._level_picture()
        whole = found if self.finest else enlarged(found, height, width)
        return whole[: self.whole.shape[0], : self.whole.shape[1]]

    @torch.no_grad()
    def _level_picture(self) -> Tensor:
        if len(self.active):
            self.found[self.active] = self.network(self.inputs(len(self.active)))
        height, width, _ = self.levels[self.level].shape
        rows, columns = (math.ceil(size / SIDE) * SIDE for size in (height, width))
        return self.base + from_blocks(self.found, rows, columns)[:height, :width]


def _where(mask: Tensor) -> Tensor:
    return mask.nonzero().flatten()


def _keep(network: Blocks, optimizer: torch.optim.Optimizer, mask: Tensor) -> None:
    """Drop the other blocks' parameters and what the optimiser remembers of them."""
    for name, old in list(network.named_parameters()):
        new = nn.Parameter(old.detach()[mask], requires_grad=old.requires_grad)
        setattr(network, name, new)
        state = optimizer.state.pop(old, {})
        optimizer.state[new] = {
            key: value[mask] if isinstance(value, Tensor) and value.ndim else value
            for key, value in state.items()
        }
    optimizer.param_groups[0]["params"] = list(network.parameters())
