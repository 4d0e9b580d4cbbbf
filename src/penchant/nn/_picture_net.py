"""A network that makes a whole picture at once, asked for its values at points.

Decisions:
- It holds what its network is given as a buffer, so that weights and picture travel together:
  into a checkpoint, into a file, onto another device.
- What it is given is made from the samples that training sees, and from nothing else: there is no
  way by which a held-out value could come in.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._checks import count
from penchant.randomness import generator

NOISE_CHANNELS = 32
"""Of the fixed noise, as in Deep Image Prior."""

CENTRE = 1e-3
"""Pixels from a pixel's centre within which a point is taken to be there: float32's rounding."""


class PictureNet(nn.Module):
    r"""A network from pictures to pictures that answers points, as a coordinate network does.

    In each pass it makes the whole picture and looks it up. A point (u, v) lies in column
    :math:`x = (u \max(h, w) + w) / 2 - 1/2` and row :math:`y` likewise: on a pixel's centre it is
    given that pixel's value as it is, between centres the bilinear mean of the four around it,
    and beyond the outermost centres the nearest one's.

    What its network is given is the same in every pass: either what `see` was shown, with zeros
    for every other pixel and a channel that is 1 for the pixels seen (without it a pixel that is
    not there and a grey one would look alike), or fixed noise. Either is divided by its root mean
    square, so that numbers come in at the size that the first layer was drawn for.

    Args:
        network: N×C×H×W to N×channels×H×W, of the same height and width. C is channels + 1, or
            `noise`.
        channels: of the picture.
        noise: channels of fixed Gaussian noise in place of the picture; 0 for the picture.
        seed: of the noise.

    Raises:
        PenchantError: a number does not fit.

    Example:
        >>> network = PictureNet(nn.Identity(), channels=1)
        >>> points = torch.tensor([[-0.5, -0.5], [0.5, 0.5]])  # two of four pixels
        >>> network.see(points, torch.tensor([[1.0], [-1.0]]), height=2, width=2)
        >>> network.given[0]
        tensor([[[ 1.4142,  0.0000],
                 [ 0.0000, -1.4142]],
        <BLANKLINE>
                [[ 1.4142,  0.0000],
                 [ 0.0000,  1.4142]]])

    Source: the noise is Ulyanov, Vedaldi & Lempitsky, "Deep Image Prior", 2018, who draw it
    uniform on [0, 0.1] for a network with batch norm.
    """

    given: Float[Tensor, "1 inputs height width"]

    def __init__(self, network: nn.Module, channels: int, *, noise: int = 0, seed: int = 0) -> None:
        super().__init__()
        self.network = network
        self.channels = count("PictureNet(channels", channels)
        self.noise, self.seed = count("PictureNet(noise", noise, least=0), seed
        self.register_buffer("given", torch.empty(1, self.noise or self.channels + 1, 0, 0))

    def resize(self, height: int, width: int) -> None:
        """Make room for a picture of a size, before what was shown is loaded from a file."""
        self.given = self.given.new_zeros(*self.given.shape[:2], height, width)

    def see(
        self,
        points: Float[Tensor, "samples 2"],
        values: Float[Tensor, "samples channels"],
        height: int,
        width: int,
    ) -> None:
        """Fill in what the network is given, for a picture of a size.

        Args:
            points: of the pixels that training sees, at their centres.
            values: theirs, in [-1, 1]; noise looks at none of them.
            height: the picture's rows.
            width: the picture's columns.

        Raises:
            PenchantError: values of another shape, or a point that is no pixel of the picture.
        """
        if values.shape != (len(points), self.channels):
            raise PenchantError(
                f"PictureNet.see: values of shape {tuple(values.shape)} for {len(points)} points "
                f"of a picture of {self.channels} channels; one row a point is needed"
            )
        given = self.given.new_zeros(self.given.shape[1], height * width)
        if self.noise:
            draws = generator(self.seed, "picture/noise")
            given.copy_(torch.randn(given.shape, generator=draws, dtype=torch.float32))
        else:
            pixels = self._pixels(points, height, width).to(given.device)
            given[:-1, pixels] = values.t().to(given)
            given[-1, pixels] = 1
        given /= given.square().mean().sqrt()
        self.given = given.view(1, -1, height, width)

    @staticmethod
    def _pixels(
        points: Float[Tensor, "samples 2"], height: int, width: int
    ) -> Int[Tensor, " samples"]:
        places = _places(points, height, width)
        inside = (places >= 0) & (places < places.new_tensor([width, height]))
        if not bool((inside & (places == places.round())).all()):
            raise PenchantError(
                f"PictureNet.see: a point that is not the centre of one of {width}×{height} pixels"
            )
        column, row = places.long().unbind(-1)
        return row * width + column

    def picture(self) -> Float[Tensor, "channels height width"]:
        """Make the whole picture.

        Raises:
            PenchantError: nothing was shown to it yet.
        """
        if self.given.numel() == 0:
            raise PenchantError(
                "a network that makes whole pictures was shown none: it fits a task that is one "
                "picture, and PictureNet.see shows it what training sees"
            )
        picture: Tensor = self.network(self.given)[0]
        return picture

    def forward(self, points: Float[Tensor, "points 2"]) -> Float[Tensor, "points channels"]:
        """Return the picture's values at points.

        Args:
            points: (u, v), of which the longer side of the picture spans [-1, 1].
        """
        height, width = self.given.shape[-2:]
        rows = self.picture().flatten(1).t()  # pixels × channels
        places = _places(points, height, width)
        last = places.new_tensor([width - 1, height - 1])
        places = torch.minimum(places.clamp(min=0), last)
        low = places.floor()
        column, row = low.long().unbind(-1)
        right, below = torch.minimum(low + 1, last).long().unbind(-1)
        x, y = (places - low).to(rows.dtype)[..., None].unbind(-2)

        def between(row: Tensor) -> Tensor:
            left = rows.index_select(0, row * width + column)
            return torch.lerp(left, rows.index_select(0, row * width + right), x)

        return torch.lerp(between(row), between(below), y)

    def extra_repr(self) -> str:
        """Show the picture's size and where it comes from."""
        height, width = self.given.shape[-2:]
        source = f"{self.noise} channels of noise" if self.noise else "the picture"
        return f"{width}×{height} from {source}"


def _places(
    points: Float[Tensor, "points 2"], height: int, width: int
) -> Float[Tensor, "points 2"]:
    """Return (column, row), whole numbers at the pixels' centres."""
    side = points.new_tensor([width, height])
    places = (points * max(height, width) + side - 1) / 2
    whole = places.round()
    return torch.where((places - whole).abs() < CENTRE, whole, places)
