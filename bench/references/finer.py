"""FINER, written from the paper's description.

"FINER: flexible spectral-bias tuning in implicit neural representation by variable-periodic
activation functions" (Liu et al., 2024): layers y = sin(ω₀(|z| + 1)z) of z = Wx + b with SIREN's
ω₀ = 30 and weights: first U(±1/n), later ones, the head's too, U(±√(6/n)/ω₀). The first
layer's biases are U(±k); the authors' image fitting (`train_image.py` with `run_finer.sh`) leaves k
at what torch draws, U(±1/√n), and takes the factor |z| + 1 for a constant in the gradient. It has
four such layers of 256 and a linear head, Adam from 5e-4 that falls to a tenth within 5,000 steps,
all pixels at once, colours in [-1, 1].
"""

import math

import torch
from torch import Tensor, nn

from references.pixels import PixelFit

OMEGA = 30.0
WIDTH = 256
LAYERS = 4
LEARNING_RATE = 5e-4
STEPS = 5_000


class FinerLayer(nn.Module):
    def __init__(self, inputs: int, outputs: int, first: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        bound = 1 / inputs if first else math.sqrt(6 / inputs) / OMEGA
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        z = self.linear(x)
        return torch.sin(OMEGA * (z.detach().abs() + 1) * z)


def finer(inputs: int, outputs: int, width: int = WIDTH) -> nn.Sequential:
    """Build the network."""
    layers = [FinerLayer(inputs if i == 0 else width, width, i == 0) for i in range(LAYERS)]
    head = nn.Linear(width, outputs)
    bound = math.sqrt(6 / width) / OMEGA
    nn.init.uniform_(head.weight, -bound, bound)
    return nn.Sequential(*layers, head)


def fit(picture: Tensor, learning_rate: float) -> PixelFit:
    """Begin to learn a picture, rows × columns × channels on [0, 1]."""
    return PixelFit(finer(2, picture.shape[2]), picture, learning_rate, falls_within=STEPS)
