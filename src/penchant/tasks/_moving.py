"""Moving pictures by whole pixels, with the background where nothing comes from."""

import torch
from jaxtyping import Int, Shaped
from torch import Tensor


def background(
    pictures: Shaped[Tensor, "samples height width channels"],
) -> Shaped[Tensor, "channels"]:
    """Return each channel's median value along the borders of all pictures.

    Args:
        pictures: numbers of any type.

    Returns:
        One value a channel, one that occurs: 0 for digits on black, 255 for ink on white paper.

    Example:
        >>> background(torch.full((2, 5, 5, 1), 255, dtype=torch.uint8))
        tensor([255], dtype=torch.uint8)
    """
    inner = pictures[:, 1:-1]
    borders = (pictures[:, 0], pictures[:, -1], inner[:, :, 0], inner[:, :, -1])
    values = torch.cat([border.reshape(-1, pictures.shape[-1]) for border in borders])
    return values.median(dim=0).values


def moved(
    pictures: Shaped[Tensor, "samples height width channels"],
    by: Int[Tensor, "samples 2"],
    fill: Shaped[Tensor, "channels"],
) -> Shaped[Tensor, "samples height width channels"]:
    """Move each picture by its own offset; what comes in over a border is the fill.

    Args:
        pictures: numbers of any type.
        by: pixels downward and to the right; negative ones go up and to the left.
        fill: one value a channel.

    Returns:
        New pictures of the same shape and type.

    Example:
        >>> picture = torch.tensor([[1, 2], [3, 4]])[None, :, :, None]
        >>> moved(picture, torch.tensor([[1, 0]]), torch.tensor([0])).squeeze().tolist()
        [[0, 0], [1, 2]]
    """
    samples, height, width, _ = pictures.shape
    reach = int(by.abs().max()) if samples else 0
    padded = fill.to(pictures).repeat(samples, height + 2 * reach, width + 2 * reach, 1)
    padded[:, reach : reach + height, reach : reach + width] = pictures
    by = by.to(pictures.device)
    down = torch.arange(height, device=by.device) + reach - by[:, :1]
    across = torch.arange(width, device=by.device) + reach - by[:, 1:]
    which = torch.arange(samples, device=by.device)
    return padded[which[:, None, None], down[:, :, None], across[:, None, :]]
