"""SIREN, written from the paper's description.

"Implicit neural representations with periodic activation functions" (Sitzmann et al., 2020), §3.2
and the supplement's §1.5: layers y = sin(ω₀(Wx + b)) with ω₀ = 30, first weights U(±1/n), later
ones, the head's too, U(±√(6/n)/ω₀), biases as torch draws them; Adam at 1e-4 on the mean squared
error over all pixels at once, colours in [-1, 1].

"5 layers of 256" counts linear maps: four with a sine behind them, then a linear one. So does the
authors' published code, whose default is a first layer, three hidden ones of 256 and a linear
output; that makes 198,915 numbers for a colour picture.
"""

import math

import torch
from torch import Tensor, nn

from references.pixels import PixelFit

OMEGA = 30.0
WIDTH = 256
SINE_LAYERS = 4
LEARNING_RATE = 1e-4
STEPS = 10_000
"""Of the authors' code for pictures (`train_img.py`)."""


class SineLayer(nn.Module):
    def __init__(self, inputs: int, outputs: int, first: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        bound = 1 / inputs if first else math.sqrt(6 / inputs) / OMEGA
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(OMEGA * self.linear(x))


def siren(inputs: int, outputs: int, width: int = WIDTH) -> nn.Sequential:
    """Build the network."""
    layers = [SineLayer(inputs if i == 0 else width, width, i == 0) for i in range(SINE_LAYERS)]
    head = nn.Linear(width, outputs)
    bound = math.sqrt(6 / width) / OMEGA
    nn.init.uniform_(head.weight, -bound, bound)
    return nn.Sequential(*layers, head)


def fit(picture: Tensor, learning_rate: float) -> PixelFit:
    """Begin to learn a picture, rows × columns × channels on [0, 1]."""
    return PixelFit(siren(2, picture.shape[2]), picture, learning_rate)
