"""A whole picture that is asked point by point: where points lie, and what it is shown."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import NOISE_CHANNELS, Autoencoder, PictureNet
from penchant.randomness import generator


class Fixed(nn.Module):
    """Answers one picture, whatever it is given."""

    def __init__(self, picture: Tensor) -> None:
        super().__init__()
        self.picture = nn.Parameter(picture)

    def forward(self, x: Tensor) -> Tensor:
        return self.picture[None]


def centres(height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """The coordinates of all pixels' centres, row by row, of which the longer side spans 2."""
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack((column.flatten(), row.flatten()), -1).double() + 0.5
    return ((2 * place - torch.tensor([width, height])) / max(height, width)).to(dtype)


def draws(*shape: int) -> Tensor:
    return torch.randn(shape, generator=generator(0, "test"), dtype=torch.float64)


def fixed(height: int, width: int, channels: int = 3) -> PictureNet:
    network = PictureNet(Fixed(draws(channels, height, width)), channels, noise=1)
    network.see(torch.zeros(0, 2), torch.zeros(0, channels), height, width)
    return network


# Where points lie


@given(height=st.integers(1, 60), width=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_a_pixels_centre_is_given_its_value_exactly(height: int, width: int) -> None:
    network = fixed(height, width)
    assert torch.equal(network(centres(height, width)), network.picture().flatten(1).t())


@pytest.mark.parametrize("size", [(1000, 2), (3, 4999)])
def test_also_in_large_pictures(size: tuple[int, int]) -> None:
    network = fixed(*size, channels=1)
    assert torch.equal(network(centres(*size)), network.picture().flatten(1).t())


@pytest.mark.parametrize("size", [(5, 8), (8, 5), (1, 4), (7, 7)])
def test_between_centres_it_is_bilinear_and_beyond_them_flat(size: tuple[int, int]) -> None:
    network, (height, width) = fixed(*size), size
    points = 2.4 * torch.rand(200, 2, generator=generator(1, "test"), dtype=torch.float64) - 1.2
    sides = torch.tensor([width, height]) / max(size)
    asked = (points / sides)[None, None]  # torch's convention: each side spans [-1, 1]
    expected = F.grid_sample(
        network.picture()[None], asked, padding_mode="border", align_corners=False
    )
    torch.testing.assert_close(network(points), expected[0, :, 0].t(), rtol=1e-9, atol=1e-9)


def test_gradients_reach_the_pixels_asked_for_and_no_others() -> None:
    network = fixed(4, 5)
    points = centres(4, 5)[[3, 7, 7]]
    network(points).sum().backward()
    expected = torch.zeros(3, 20, dtype=torch.float64)
    expected[:, 3], expected[:, 7] = 1, 2
    assert torch.equal(network.network.picture.grad.flatten(1), expected)


# What it is shown


def seen(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Every other pixel of a picture of 6×5, with its values."""
    chosen = torch.arange(0, 30, 2)
    return centres(6, 5)[chosen], draws(15, 3).float() + seed, chosen


def test_pixels_seen_come_with_a_mask_and_the_others_as_zero() -> None:
    points, values, chosen = seen()
    network = PictureNet(Autoencoder(4, 3), 3)
    network.see(points, values, 6, 5)
    scale = (values.square().sum() + 15).div(4 * 30).sqrt()
    expected = torch.zeros(4, 30)
    expected[:3, chosen], expected[3, chosen] = values.t(), 1
    torch.testing.assert_close(network.given.view(4, 30) * scale, expected)
    torch.testing.assert_close(network.given.square().mean(), torch.tensor(1.0))


def test_noise_knows_nothing_of_the_picture_and_is_keyed() -> None:
    shown = []
    for values_seed, seed in ((0, 1), (5, 1), (0, 2)):
        network = PictureNet(Autoencoder(NOISE_CHANNELS, 3), 3, noise=NOISE_CHANNELS, seed=seed)
        points, values, _ = seen(values_seed)
        network.see(points, values, 6, 5)
        shown.append(network.given)
    assert shown[0].shape == (1, 32, 6, 5) and torch.equal(shown[0], shown[1])
    assert not torch.equal(shown[0], shown[2])
    assert abs(float(shown[0].mean())) < 0.1


def test_what_is_shown_travels_with_the_weights() -> None:
    network, again = (PictureNet(Autoencoder(4, 3, seed=seed), 3) for seed in (0, 1))
    points, values, _ = seen()
    network.see(points, values, 6, 5)
    again.see(points, values + 1, 6, 5)
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(centres(6, 5)), network(centres(6, 5)))


def test_nothing_shown_is_said() -> None:
    with pytest.raises(PenchantError, match=r"was shown none.*one picture"):
        PictureNet(Autoencoder(4, 3), 3)(torch.zeros(1, 2))


@pytest.mark.parametrize(
    ("points", "values", "words"),
    [
        (torch.zeros(2, 2), torch.zeros(2, 1), r"values of shape \(2, 1\) .* 3 channels"),
        (torch.tensor([[0.1, 0.3]]), torch.zeros(1, 3), r"not the centre of one of 5×6 pixels"),
        (torch.tensor([[2.0, 0.0]]), torch.zeros(1, 3), r"not the centre of one of 5×6 pixels"),
        (torch.full((1, 2), torch.nan), torch.zeros(1, 3), r"not the centre of one"),
    ],
)
def test_misfit_is_one_helpful_line(points: Tensor, values: Tensor, words: str) -> None:
    with pytest.raises(PenchantError, match=words):
        PictureNet(Autoencoder(4, 3), 3).see(points, values, 6, 5)
