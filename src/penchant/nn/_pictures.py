"""Rows of numbers become pictures: what stands before a network that slides."""

from collections.abc import Sequence

from jaxtyping import Shaped
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._checks import count


class Pictures(nn.Module):
    """Rows of numbers as pictures N×C×H×W, for networks that slide over height and width.

    A task's sample is height × width or height × width × channels, and its row has the channels
    last. So has the result's memory (torch's channels_last), in which convolutions on a CPU take a
    quarter less time; nothing is copied.

    Args:
        shape: a sample's own, (height, width) or (height, width, channels).

    Raises:
        PenchantError: the shape is not one of these.

    Example:
        >>> import torch
        >>> rows = torch.arange(12.0).view(1, 12)
        >>> Pictures((2, 2, 3))(rows)[0, 0]
        tensor([[0., 3.],
                [6., 9.]])
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(shape, Sequence) or len(shape) not in (2, 3):
            raise PenchantError(
                f"Pictures({shape!r}): needs (height, width) or (height, width, channels)"
            )
        for size in shape:
            count(f"Pictures({tuple(shape)}: a size", size)
        self.height, self.width, self.channels = (*shape, 1)[:3]

    def forward(
        self, rows: Shaped[Tensor, "batch numbers"]
    ) -> Shaped[Tensor, "batch channels height width"]:
        """Return the pictures, a view of the rows.

        Raises:
            PenchantError: the rows are of another length.
        """
        numbers = self.height * self.width * self.channels
        if rows.ndim != 2 or rows.shape[1] != numbers:
            raise PenchantError(
                f"{self} is given a tensor of shape {tuple(rows.shape)}: needs rows of "
                f"{self.height}·{self.width}·{self.channels} = {numbers} numbers"
            )
        pictures = rows.reshape(-1, self.height, self.width, self.channels)
        return pictures.permute(0, 3, 1, 2)

    def extra_repr(self) -> str:
        """Show the shape."""
        return f"({self.height}, {self.width}, {self.channels})"
