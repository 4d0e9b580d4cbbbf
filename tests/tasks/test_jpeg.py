"""JPEG at equal bytes: never above the bound, the best of what fits, and what it cannot code."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from penchant.errors import PenchantError
from penchant.tasks import builtin_picture, psnr
from penchant.tasks._jpeg import fit_jpeg


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("parameters", [400, 1500, 6000])
def test_best_file_that_fits(channels: int, parameters: int) -> None:
    truth = builtin_picture(64).values[..., :channels]
    found = fit_jpeg(truth, parameters)
    assert found is not None and found.bytes <= 4 * parameters
    assert found.values.shape == truth.shape and found.values.dtype == np.float32
    pixels = Image.fromarray(np.round(truth * 255).astype(np.uint8).squeeze())
    for quality in range(1, 101, 7):  # none of these fits and is better
        file = BytesIO()
        pixels.save(file, "JPEG", quality=quality, optimize=True, subsampling=0)
        if file.tell() <= 4 * parameters:
            there = np.asarray(Image.open(file)).reshape(truth.shape) / 255
            assert psnr(found.values, truth) >= psnr(there, truth) - 1e-9


def test_more_bytes_are_no_worse() -> None:
    truth = builtin_picture(64).values
    scores = [psnr(fit_jpeg(truth, size).values, truth) for size in (300, 600, 1200, 2400)]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 5


def test_what_no_file_is_small_enough_for() -> None:
    assert fit_jpeg(builtin_picture(64).values, 20) is None


@pytest.mark.unchecked
@pytest.mark.parametrize("shape", [(8, 8, 2), (8, 8), (8, 8, 4)])
def test_other_channels_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(PenchantError, match="needs height, width and 1 or 3 channels"):
        fit_jpeg(np.zeros(shape), 100)
