"""Networks that a run must not lose its place with: they draw, and they remember."""

import torch
from torch import Tensor, nn

from penchant.divergences import L2
from penchant.randomness import generator
from penchant.training import OptimizerName, Recipe, Training


class Depth(nn.Module):
    """Stochastic depth by a functional call, in a class that no list of modules knows."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x + 0.8 * self.inner(x)
        kept = torch.rand(len(x), 1, device=x.device) < 0.8
        return x + kept * self.inner(x)


def drawing(width: int = 8, seed: int = 0, *, norm: bool = True) -> nn.Sequential:
    """Dropout, stochastic depth and, where asked for, batch norm; initialised by a seed."""
    network = nn.Sequential(
        nn.Linear(2, width),
        nn.BatchNorm1d(width) if norm else nn.Identity(),
        nn.Tanh(),
        nn.Dropout(0.2),
        Depth(nn.Linear(width, width)),
        Depth(nn.Linear(width, width)),
        nn.Linear(width, 1),
    )
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 2:
                draws = torch.randn(parameter.shape, generator=generator(seed, f"init/{name}"))
                parameter.copy_(draws / parameter.shape[1] ** 0.5)
            elif "bias" in name:
                parameter.zero_()
    return network


def jittered(inputs: Tensor, draws: torch.Generator) -> Tensor:
    """An augmentation."""
    return inputs + 0.01 * torch.randn(inputs.shape, generator=draws)


def samples(count: int = 96) -> tuple[Tensor, Tensor]:
    x = torch.rand((count, 2), generator=torch.Generator().manual_seed(1)) * 2 - 1
    return x, torch.sin(4 * x.sum(1, keepdim=True))


def drawing_training(
    optimizer: OptimizerName = "adam", *, steps: int = 12, batch: int = 32, seed: int = 3
) -> Training:
    recipe = Recipe(steps, optimizer, 1e-2, batch, weight_decay=1e-2)
    return Training(drawing(seed=seed), L2(), *samples(), recipe, seed, jittered)
