"""WIRE, written from the paper's description.

"WIRE: wavelet implicit neural representations" (Saragadam et al., 2023): layers
y = exp(iω₀z − |s₀z|²) of z = Wx + b; the first layer's weights are real, all later ones complex,
drawn as torch draws a linear layer's; the head's real part is the answer. A complex number counts
as two, so a width of 256 becomes 256/√2 = 181.

The authors' code for pictures (`wire_image_denoise.py`) has two layers after the first, batches of
256², Adam whose rate falls to a tenth within 2,000 epochs and is less where a batch is a part of
the picture, and colours in [0, 1]; its comments advise a rate of 5e-3 to 2e-2, which the five rates
of `peers` span. ω₀ = 20 and s₀ = 10 are those at which FINER's authors ran it on pictures, with
5e-3, worse on either side (`run_wire.sh`); the same comments have s₀ = 30.
"""

import math

import torch
from torch import Tensor, nn

from references.pixels import PixelFit

OMEGA, SCALE = 20.0, 10.0
WIDTH = 256
LATER_LAYERS = 2
BATCH = 256**2
LEARNING_RATE = 5e-3
STEPS = 2_000


class GaborLayer(nn.Module):
    def __init__(self, inputs: int, outputs: int, first: bool) -> None:
        super().__init__()
        real = torch.get_default_dtype()
        self.linear = nn.Linear(inputs, outputs, dtype=real if first else real.to_complex())

    def forward(self, x: Tensor) -> Tensor:
        z = self.linear(x)
        return torch.exp(1j * OMEGA * z - (SCALE * z).abs().square())


class Wire(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).real


def wire(inputs: int, outputs: int, width: int = WIDTH) -> Wire:
    """Build the network; `width` counts real numbers."""
    width = int(width / math.sqrt(2))
    head = nn.Linear(width, outputs, dtype=torch.get_default_dtype().to_complex())
    later = [GaborLayer(width, width, first=False) for _ in range(LATER_LAYERS)]
    return Wire(GaborLayer(inputs, width, first=True), *later, head)


def fit(picture: Tensor, learning_rate: float) -> PixelFit:
    """Begin to learn a picture, rows × columns × channels on [0, 1]."""
    pixels = picture.shape[0] * picture.shape[1]
    return PixelFit(
        wire(2, picture.shape[2]),
        picture,
        learning_rate * min(1, BATCH / pixels),
        falls_within=STEPS,
        batch=BATCH,
        centred=False,
    )
