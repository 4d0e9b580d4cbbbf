"""Position encodings: what a coordinate network is given in place of bare coordinates."""

import inspect
import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from penchant.errors import PenchantError, nearest
from penchant.nn._checks import count, positive
from penchant.nn._encoding import Encoding
from penchant.nn._grid_encoding import Grid
from penchant.randomness import generator as keyed


class NoEncoding(Encoding):
    """The coordinates themselves.

    Args:
        inputs: coordinates a point has.

    Example:
        >>> NoEncoding(2)(torch.tensor([[0.5, -1.0]]))
        tensor([[ 0.5000, -1.0000]])
    """

    name = "none"
    source = "none"

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs)
        self.features = self.inputs

    def encode(self, x: Float[Tensor, "*points inputs"]) -> Float[Tensor, "*points features"]:
        """Return x."""
        return x


class NeRF(Encoding):
    r"""Waves of doubling frequency along each coordinate, beside the coordinates.

    .. math:: x,\; \sin(\tfrac{\pi}{2} 2^i x),\; \cos(\tfrac{\pi}{2} 2^i x), \qquad
              i = 0, \dots, L - 1

    The slowest period is 4, where NeRF's own π·2ⁱ gives 2, with which opposite edges of [-1, 1]
    get the same waves.

    Args:
        inputs: coordinates a point has.
        frequencies: L, waves per coordinate.

    Example:
        >>> code = NeRF(1, frequencies=2)
        >>> code(torch.tensor([[0.25]]))
        tensor([[0.2500, 0.3827, 0.7071, 0.9239, 0.7071]])
        >>> code.period, code.highest_frequency
        (4.0, 0.5)

    Source: Mildenhall et al., "NeRF: representing scenes as neural radiance fields", 2020.
    """

    name = "nerf"
    source = "Mildenhall et al., NeRF, 2020"
    numbers = ("frequencies",)

    def __init__(self, inputs: int, *, frequencies: int = 6) -> None:
        super().__init__(inputs)
        self.frequencies = count("NeRF(frequencies", frequencies)
        self.features = self.inputs * (1 + 2 * self.frequencies)
        self.period = 4.0
        self.highest_frequency = 2.0 ** (self.frequencies - 3)

    def encode(self, x: Float[Tensor, "*points inputs"]) -> Float[Tensor, "*points features"]:
        """Return the coordinates, then all sines, then all cosines."""
        octaves = 2 ** torch.arange(self.frequencies, device=x.device, dtype=x.dtype)
        angles = (math.pi / 2 * x.unsqueeze(-1) * octaves).flatten(-2)  # (*points, inputs·L)
        return torch.cat((x, angles.sin(), angles.cos()), dim=-1)


class RandomFourier(Encoding):
    r"""Waves of random direction and frequency.

    .. math:: \sin(2\pi B x),\; \cos(2\pi B x), \qquad B_{ij} \sim N(0, b^2)

    Args:
        inputs: coordinates a point has.
        frequencies: rows of B; there are twice as many features.
        bandwidth: b, in cycles per unit; pictures of 40 to 128 pixels are filled in best with 0.6
            to 1, and 9 dB worse with 8 (docs/LOG.md).
        generator: where B is drawn from; that of (0, "init/encoding") when not given.

    Example:
        >>> RandomFourier(2, frequencies=4)(torch.zeros(1, 2))
        tensor([[0., 0., 0., 0., 1., 1., 1., 1.]])

    Source: Tancik et al., "Fourier features let networks learn high frequency functions in low
    dimensional domains", 2020.
    """

    name = "fourier"
    source = "Tancik et al., Fourier features, 2020"
    numbers = ("frequencies", "bandwidth")
    matrix: Tensor

    def __init__(
        self,
        inputs: int,
        *,
        frequencies: int = 32,
        bandwidth: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(inputs)
        self.frequencies = count("RandomFourier(frequencies", frequencies)
        self.bandwidth = positive("RandomFourier(bandwidth", bandwidth)
        self.features = 2 * self.frequencies
        draws = torch.randn(
            (self.frequencies, self.inputs),
            generator=keyed(0, "init/encoding") if generator is None else generator,
            dtype=torch.float32,
            device="cpu",
        )
        self.register_buffer("matrix", (draws * self.bandwidth).to(torch.get_default_dtype()))

    @property
    def highest_frequency(self) -> float:  # type: ignore[override]
        """Length of B's longest row, in cycles per unit."""
        return float(self.matrix.norm(dim=1).max())

    def encode(self, x: Float[Tensor, "*points inputs"]) -> Float[Tensor, "*points features"]:
        """Return all sines, then all cosines."""
        angles = 2 * math.pi * (x @ self.matrix.to(x.dtype).T)
        return torch.cat((angles.sin(), angles.cos()), dim=-1)


class OneBlob(Encoding):
    r"""A soft one-hot code: Gaussian bumps side by side along each coordinate.

    .. math:: e^{-(x - c_j)^2 / (2\sigma^2)}, \qquad c_j = -1 + (j + \tfrac{1}{2})\sigma, \quad
              \sigma = 2 / \text{bins}

    Args:
        inputs: coordinates a point has.
        bins: bumps per coordinate.

    Example:
        >>> OneBlob(1, bins=4)(torch.tensor([[0.25]]))
        tensor([[0.1353, 0.6065, 1.0000, 0.6065]])

    Source: Müller et al., "Neural importance sampling", 2019.
    """

    name = "oneblob"
    source = "Müller et al., Neural importance sampling, 2019"
    numbers = ("bins",)

    def __init__(self, inputs: int, *, bins: int = 16) -> None:
        super().__init__(inputs)
        self.bins = count("OneBlob(bins", bins, least=2)
        self.features = self.inputs * self.bins

    def encode(self, x: Float[Tensor, "*points inputs"]) -> Float[Tensor, "*points features"]:
        """Return the bumps of the first coordinate, then of the next."""
        width = 2 / self.bins
        centres = (torch.arange(self.bins, device=x.device, dtype=x.dtype) + 0.5) * width - 1
        distances = (x.unsqueeze(-1) - centres) / width  # (*points, inputs, bins)
        return torch.exp(-distances.square() / 2).flatten(-2)


ENCODINGS: dict[str, type[Encoding]] = {
    member.name: member for member in (NoEncoding, NeRF, RandomFourier, OneBlob, Grid)
}
"""Every encoding by its name."""


def encoding(
    name: str, inputs: int, *, generator: torch.Generator | None = None, **numbers: float
) -> Encoding:
    """Build an encoding from its name.

    Args:
        name: a name in `ENCODINGS`.
        inputs: coordinates a point has.
        generator: where random members draw from; the others leave it alone.
        numbers: of the member, by the names in its `numbers`.

    Returns:
        The encoding.

    Raises:
        PenchantError: the name is not known, or a number does not fit or is one that the encoding
            does not have.

    Example:
        >>> encoding("fourier", 2, bandwidth=10)
        RandomFourier(2, frequencies=32, bandwidth=10)
    """
    if name not in ENCODINGS:
        known = nearest(str(name), list(ENCODINGS))
        raise PenchantError(f"encoding({name!r}): no such name; {known}")
    member: Any = ENCODINGS[name]
    member.check(numbers)
    random = "generator" in inspect.signature(member).parameters
    made: Encoding = member(inputs, **numbers, **({"generator": generator} if random else {}))
    return made
