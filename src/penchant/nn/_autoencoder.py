"""The convolutional encoder-decoder that reconstructs one picture.

Decisions:
- Nothing leads around the bottleneck: with a skip at full resolution the last layer could copy,
  and what lies between would have nothing to do.
- The decoder repeats each place and then convolves. A transposed convolution whose kernel is no
  multiple of its stride puts more into some places than into others, a checkerboard that
  training has to undo (Odena, Dumoulin & Olah, "Deconvolution and checkerboard artifacts", 2016).
- No normalisation: with one picture in a batch it would fix each channel's mean and variance, and
  so take out much of what one activation does and another does not.
- The frame is repeated beyond the edge. Zeros would lower the second moment that the
  initialisation counts on, and mirroring fails where the bottleneck is one place wide.
"""

import copy

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from penchant.errors import PenchantError
from penchant.nn._activation import Activation
from penchant.nn._activations import ActivationLike, unscaled
from penchant.nn._checks import count
from penchant.randomness import generator


class Autoencoder(nn.Module):
    r"""A convolutional encoder through a bottleneck, and a decoder back to the picture's size.

    .. math:: a_0 = x, \quad a_l = \varphi(C_l a_{l-1}), \quad
              b_d = a_d, \quad b_{l-1} = \varphi(D_l \, U_l b_l), \quad y = H b_0

    for d levels: each C is a 3×3 convolution of stride 2, U repeats each place to the size that
    the encoder had there, each D is a 3×3 convolution and H a 1×1 one. A picture of h × w pixels
    passes through :math:`\lceil h / 2^d \rceil \times \lceil w / 2^d \rceil` places of `width`
    numbers.

    Args:
        inputs: channels of what it is given.
        outputs: channels of what it answers.
        width: channels of every hidden layer.
        depth: levels, each of which halves height and width.
        activation: what `activation` takes; each place gets a copy of its own. One given by name
            has scale 1 here, since what comes in has spread 1.
        seed: of the initial draws.

    Raises:
        PenchantError: a number does not fit, or the activation is complex.

    Example:
        >>> import torch
        >>> from penchant.nn import count_parameters
        >>> network = Autoencoder(4, 3, width=8, depth=3)
        >>> network(torch.zeros(1, 4, 33, 20)).shape, network.bottleneck(33, 20)
        (torch.Size([1, 3, 33, 20]), (8, 5, 3))
        >>> count_parameters(network)
        3243

    Source: Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks",
    2006; the initialisation as in `Activation`.
    """

    def __init__(
        self,
        inputs: int = 3,
        outputs: int = 3,
        *,
        width: int = 32,
        depth: int = 3,
        activation: ActivationLike = "relu",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.inputs = count("Autoencoder(inputs", inputs)
        self.width = count("Autoencoder(width", width)
        depth = count("Autoencoder(depth", depth)
        phi = unscaled(activation, "Autoencoder")
        before = [self.inputs, *[self.width] * (depth - 1)]
        self.encoder = nn.ModuleList(_level(channels, width, phi, stride=2) for channels in before)
        self.decoder = nn.ModuleList(_level(width, width, phi) for _ in range(depth))
        self.head = _convolution(width, count("Autoencoder(outputs", outputs), 1)
        self._initialise(phi, seed)

    def _initialise(self, phi: Activation, seed: int) -> None:
        for name, layer in self.named_modules():
            if not isinstance(layer, nn.Conv2d):
                continue
            draws = generator(seed, f"init/{name}.weight")
            assert layer.bias is not None
            # A convolution is a linear layer over what its window sees: rows of channels·9 numbers.
            weight, bias = layer.weight.data.flatten(1), layer.bias.data
            if layer is self.head:
                phi.initialise_head_(weight, bias, draws)
            elif name == "encoder.0.convolution":
                phi.initialise_standardised_(weight, bias, draws)
            else:
                phi.initialise_hidden_(weight, bias, draws)

    def bottleneck(self, height: int, width: int) -> tuple[int, int, int]:
        """Return the channels, rows and columns through which a picture of this size passes."""
        stride = 2 ** len(self.encoder)
        return self.width, -(-height // stride), -(-width // stride)

    def forward(
        self, x: Float[Tensor, "batch inputs height width"]
    ) -> Float[Tensor, "batch outputs height width"]:
        """Return the pictures.

        Args:
            x: of any height and width, with mean square about 1 over all its numbers.

        Raises:
            PenchantError: they have another number of channels.
        """
        if x.ndim != 4 or x.shape[1] != self.inputs:
            raise PenchantError(
                f"Autoencoder is given a tensor of shape {tuple(x.shape)}: needs "
                f"N×{self.inputs}×H×W"
            )
        sizes = []
        for level in self.encoder:
            sizes.append(x.shape[-2:])
            x = level(x)
        for level, size in zip(self.decoder, reversed(sizes), strict=True):
            x = level(F.interpolate(x, size=size, mode="nearest"))
        answer: Tensor = self.head(x)
        return answer


def _level(before: int, after: int, phi: Activation, *, stride: int = 1) -> nn.Sequential:
    level = nn.Sequential()
    level.add_module("convolution", _convolution(before, after, 3, stride))
    level.add_module("phi", copy.deepcopy(phi))
    return level


def _convolution(before: int, after: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Return an unfilled convolution that keeps the size, but for its stride."""
    layer: nn.Conv2d = skip_init(  # type: ignore[no-untyped-call]
        nn.Conv2d, before, after, kernel, stride, padding=kernel // 2, padding_mode="replicate"
    )
    return layer
