import numpy as np
import pytest
import torch

from penchant.tasks._moving import background, moved

RANDOM = np.random.default_rng(0)


def slow(picture, down, across, fill):
    result = np.empty_like(picture)
    for y in range(len(picture)):
        for x in range(len(picture[0])):
            inside = 0 <= y - down < len(picture) and 0 <= x - across < len(picture[0])
            result[y, x] = picture[y - down, x - across] if inside else fill
    return result


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_every_pixel_moves(channels, dtype):
    pictures = torch.from_numpy(RANDOM.integers(1, 255, (30, 4, 5, channels))).to(dtype)
    by = torch.from_numpy(RANDOM.integers(-6, 7, (30, 2)))  # also right out of the picture
    fill = torch.arange(channels, dtype=dtype)
    result = moved(pictures, by, fill)
    assert result.dtype == dtype
    for one, (down, across), got in zip(pictures, by.tolist(), result, strict=True):
        np.testing.assert_array_equal(got, slow(one.numpy(), down, across, fill.numpy()))


def test_pictures_may_stay_where_they_are():
    pictures = torch.rand(3, 2, 2, 1, generator=torch.Generator().manual_seed(0))
    assert torch.equal(
        moved(pictures, torch.zeros(3, 2, dtype=torch.long), torch.ones(1)), pictures
    )


def test_the_background_is_the_borders_median_of_each_channel():
    pictures = torch.zeros(2, 5, 5, 2)
    pictures[..., 1] = 7
    pictures[:, 1:-1, 1:-1] = 100  # more than a third of all pixels, and no border
    pictures[0, 0, :, 0] = 50
    assert background(pictures).tolist() == [0, 7]
    assert background(torch.full((1, 1, 1, 1), 3, dtype=torch.uint8)).tolist() == [3]
