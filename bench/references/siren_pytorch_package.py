"""siren-pytorch from the registry, used as its page says.

`SirenNet` of five layers of 256 with w0_initial = 30 (w0 = 1 in later layers, the package's own
default) in a `SirenWrapper`, which answers with the loss for a whole picture. The page names no
optimiser; this is SIREN's, Adam at 1e-4.
"""

import torch
from torch import Tensor

WIDTH = 256
LAYERS = 5
LEARNING_RATE = 1e-4
STEPS = 10_000
"""SIREN's."""


class PackageFit:
    """The package's wrapper that learns a picture, step by step."""

    ended = False

    def __init__(self, picture: Tensor, learning_rate: float) -> None:
        from siren_pytorch import SirenNet, SirenWrapper

        height, width, channels = picture.shape
        network = SirenNet(
            dim_in=2, dim_hidden=WIDTH, dim_out=channels, num_layers=LAYERS, w0_initial=30.0
        )
        self.wrapper = SirenWrapper(network, image_width=width, image_height=height)
        self.target = picture.movedim(-1, 0)[None].contiguous()
        self.optimizer = torch.optim.Adam(self.wrapper.parameters(), lr=learning_rate)

    def step(self) -> float:
        """Take one step; return the mean squared error that it saw, in colours on [0, 1]."""
        loss = self.wrapper(self.target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    @torch.no_grad()
    def picture(self) -> Tensor:
        """Return what the network holds now."""
        return self.wrapper()[0].movedim(0, -1)


def fit(picture: Tensor, learning_rate: float) -> PackageFit:
    """Begin to learn a picture, rows × columns × channels on [0, 1]."""
    return PackageFit(picture, learning_rate)
