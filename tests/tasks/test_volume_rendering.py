"""Volume rendering: the equations against slow loops, closed forms and what is conserved."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import CoordinateNet
from penchant.tasks import RayRenderer
from penchant.tasks._occupancy import CELLS
from penchant.tasks._ray_renderer import BETWEEN_LOOKS, GAIN, SHIFT
from penchant.tasks._spherical_harmonics import spherical_harmonics
from penchant.tasks._volume_rendering import camera_rays, cube_span, over_white, sample_weights


class Constant(nn.Module):
    """The same four numbers everywhere."""

    def __init__(self, density: float, colour: tuple[float, float, float]) -> None:
        super().__init__()
        output = math.log(math.expm1(density / GAIN)) - SHIFT
        logits = [math.log(part / (1 - part)) for part in colour]
        self.numbers = nn.Parameter(torch.tensor([output, *logits], dtype=torch.float64))

    def forward(self, points: Tensor) -> Tensor:
        return self.numbers.expand(len(points), 4)


def some_rays(count: int, seed: int = 0) -> Tensor:
    """Rays from around the cube into it; a few miss."""
    draws = torch.Generator().manual_seed(seed)
    kind = {"generator": draws, "dtype": torch.float64}
    origins = torch.randn((count, 3), **kind)
    origins = 3 * origins / origins.norm(dim=1, keepdim=True)
    towards = 1.4 * (2 * torch.rand((count, 3), **kind) - 1) - origins
    return torch.cat((origins, towards / towards.norm(dim=1, keepdim=True)), dim=1)


def test_rays_pass_through_pixel_centres_as_a_hand_worked_camera_says() -> None:
    # 2 × 4 pixels, 90° across: the focal length is 2 pixels.
    turned = torch.tensor(
        [[0.0, 0, 1, 5], [1, 0, 0, 6], [0, 1, 0, 7], [0, 0, 0, 1]], dtype=torch.float64
    )  # the camera looks along the scene's -x, its right is y, its up is z
    rays = camera_rays(turned, 2, 4, math.pi / 2).reshape(2, 4, 6)
    assert torch.equal(rays[..., :3], torch.tensor([5.0, 6, 7]).double().expand(2, 4, 3))
    upper_left = torch.tensor([-2, -1.5, 0.5], dtype=torch.float64)
    lower_right = torch.tensor([-2, 1.5, -0.5], dtype=torch.float64)
    torch.testing.assert_close(rays[0, 0, 3:], upper_left / upper_left.norm())
    torch.testing.assert_close(rays[1, 3, 3:], lower_right / lower_right.norm())
    torch.testing.assert_close(rays[..., 3:].norm(dim=2), torch.ones(2, 4).double())


def test_the_way_through_the_cube_ends_on_its_walls() -> None:
    rays = some_rays(500)
    start, length = cube_span(rays)
    hits = length[:, 0] > 0
    assert 50 < int(hits.sum()) < 500
    ends = torch.stack((start, start + length))[..., hits, :] * rays[hits, 3:] + rays[hits, :3]
    torch.testing.assert_close(ends.abs().amax(dim=2), torch.ones(2, int(hits.sum())).double())
    along = torch.linspace(0, 10, 400, dtype=torch.float64)[:, None, None]
    passed = (rays[~hits, :3] + along * rays[~hits, 3:]).abs().amax(dim=2)
    assert float(passed.min()) > 0.99  # between two of the 400 places it may be nearer


def test_a_camera_within_the_cube_starts_where_it_is_and_walls_along_rays_do_no_harm() -> None:
    rays = torch.tensor(
        [[0.0, 0, 0, 0, 0, -1], [0, 0, 0.5, 0, 0, 1], [0, 3, 0, 1, 0, 0], [0, 0, 4, 0, 0, 1]]
    )
    start, length = cube_span(rays)
    assert start[:, 0].tolist() == [0, 0, 0, 0]
    assert length[:, 0].tolist() == [1, 0.5, 0, 0]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(0, 50), min_size=4, max_size=4),
        min_size=1,
        max_size=5,
    )
)
def test_light_is_conserved_and_weights_are_those_of_the_loop(depths: list[list[float]]) -> None:
    tau = torch.tensor(depths, dtype=torch.float64)
    weights = sample_weights(tau)
    for ray, found in zip(depths, weights.tolist(), strict=True):
        light = 1.0
        for depth, weight in zip(ray, found, strict=True):
            assert weight == pytest.approx(light * (1 - math.exp(-depth)), abs=1e-12)
            light *= math.exp(-depth)
        assert sum(found) + light == pytest.approx(1, abs=1e-12)


def test_gradients_of_weights_and_compositing() -> None:
    draws = torch.Generator().manual_seed(0)
    depths = torch.rand((3, 5), generator=draws, dtype=torch.float64).requires_grad_()
    colours = torch.rand((15, 3), generator=draws, dtype=torch.float64).requires_grad_()
    ray = torch.arange(15) // 5

    def rendered(depths: Tensor, colours: Tensor) -> Tensor:
        return over_white(sample_weights(depths).flatten(), colours, ray, 3)

    assert torch.autograd.gradcheck(rendered, (depths, colours))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("density", [0.01, 1.0, 30.0])
def test_constant_density_has_its_closed_form_wherever_samples_lie(
    density: float, training: bool
) -> None:
    colour = (0.2, 0.5, 0.9)
    network = Constant(density, colour)
    renderer = RayRenderer(network, degree=0, samples=7).train(training)
    rays = some_rays(40)
    length = cube_span(rays)[1]
    opaque = 1 - torch.exp(-density * length)
    expected = 1 + opaque * (torch.tensor(colour).double() - 1)
    seen = renderer(rays)
    torch.testing.assert_close(seen, 2 * expected - 1, atol=1e-6, rtol=0)
    (slope,) = torch.autograd.grad(seen[:, 0].sum(), network.numbers)
    # d/dσ of 2(1 - e^(-σL))(c - 1), and dσ/dy of the softplus
    by_density = 2 * (length * torch.exp(-density * length) * (colour[0] - 1)).sum()
    by_output = GAIN * torch.sigmoid(network.numbers.detach()[0] + SHIFT)
    assert float(slope[0]) == pytest.approx(float(by_density * by_output), rel=1e-4, abs=1e-6)


@torch.no_grad()
def slow(renderer: RayRenderer, rays: Tensor) -> list[list[float]]:
    """The renderer in evaluation mode with everything occupied, one sample after another."""
    seen = []
    for ray in rays:
        start, length = (float(number) for number in cube_span(ray[None]))
        light, colour = 1.0, np.zeros(3)
        for place in range(renderer.samples):
            distance = start + length * (place + 0.5) / renderer.samples
            output = renderer.network((ray[:3] + distance * ray[3:])[None])[0]
            density = GAIN * math.log1p(math.exp(float(output[0]) + SHIFT))
            basis = spherical_harmonics(ray[3:], renderer.degree)
            logits = (output[1:].reshape(3, -1) * basis).sum(dim=1)
            passed = math.exp(-density * length / renderer.samples)
            colour += light * (1 - passed) * torch.sigmoid(logits).detach().numpy()
            light *= passed
        seen.append((2 * (colour + light) - 1).tolist())
    return seen


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_a_network_is_seen_as_a_slow_loop_sees_it(
    degree: int,
) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        network = CoordinateNet(3, RayRenderer.outputs(degree), width=8, activation="sine")
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        network.head.bias[0] = 3
        network.head.weight *= 20
    renderer = RayRenderer(network, degree=degree, samples=9).eval()
    rays = some_rays(12)
    found = renderer(rays)
    assert found.dtype == torch.float64
    assert float(found.detach().std()) > 0.05
    assert np.abs(np.array(slow(renderer, rays)) - found.detach().numpy()).max() < 1e-6


def test_harmonics_are_orthonormal_over_the_sphere() -> None:
    # Gauss-Legendre in z and equal steps around: exact for polynomials of degree 4.
    heights, weights = np.polynomial.legendre.leggauss(8)
    around = np.arange(16) * 2 * math.pi / 16
    z, turn = (torch.from_numpy(a) for a in np.meshgrid(heights, around, indexing="ij"))
    level = (1 - z.square()).sqrt()
    directions = torch.stack((level * turn.cos(), level * turn.sin(), z), dim=-1)
    basis = spherical_harmonics(directions, 2).reshape(-1, 9)
    share = torch.from_numpy(np.repeat(weights / 32, 16))
    torch.testing.assert_close((basis * share[:, None]).T @ basis, torch.eye(9).double())


def ball(points: Tensor) -> Tensor:
    """Red and opaque within half a unit of the origin, clear elsewhere."""
    inside = points.norm(dim=1, keepdim=True) < 0.5
    red = torch.tensor([20.0, 5, -5, -5], dtype=points.dtype)
    return torch.where(inside, red, torch.tensor([-100.0, 0, 0, 0], dtype=points.dtype))


class Ball(nn.Module):
    def forward(self, points: Tensor) -> Tensor:
        return ball(points)


def test_empty_space_is_passed_over_and_nothing_is_seen_otherwise() -> None:
    asked: list[int] = []

    class Counted(Ball):
        def forward(self, points: Tensor) -> Tensor:
            asked.append(len(points))
            return super().forward(points)

    renderer = RayRenderer(Counted(), degree=0).eval()
    rays = some_rays(300)
    before = renderer(rays)
    renderer.look(times=8)
    asked.clear()
    torch.testing.assert_close(renderer(rays), before)
    assert 0 < asked[0] < 300 * 96 / 8
    share = float(renderer.occupancy.occupied.float().mean())
    assert share == pytest.approx(4 / 3 * math.pi * 0.5**3 / 8, rel=0.4)


def test_what_becomes_empty_is_given_up_and_what_fills_is_found_again() -> None:
    renderer = RayRenderer(Ball(), degree=0)
    renderer.look(times=8)
    full = renderer.occupancy.occupied.clone()
    renderer.occupancy.look(lambda points: torch.zeros(len(points)), 8)
    assert torch.equal(renderer.occupancy.occupied, full)  # one look is no proof
    for step in range(100):
        renderer.occupancy.look(lambda points: 1e-3 * points[:, 0].sign(), step)
    assert int(renderer.occupancy.occupied.sum()) == CELLS**3 // 2
    renderer.look(times=8)
    assert bool(renderer.occupancy.occupied[full].float().mean() > 0.9)


def test_samples_are_keyed_by_seed_and_step_and_a_state_goes_on() -> None:
    def network() -> CoordinateNet:
        return CoordinateNet(3, 13, width=8, activation="sine", seed=1)

    rays = some_rays(20).float()
    one, other = RayRenderer(network(), samples=64), RayRenderer(network(), samples=64)
    first = one(rays)
    torch.manual_seed(5)
    assert torch.equal(other(rays), first)
    assert not torch.equal(one(rays), first)  # another step, other samples
    different = RayRenderer(network(), samples=64, seed=1)
    assert not torch.equal(different(rays), first)
    for _ in range(BETWEEN_LOOKS):
        one(rays)
    assert int(one.occupancy.occupied.sum()) < CELLS**3
    resumed = RayRenderer(network(), samples=64)
    resumed.load_state_dict(one.state_dict())
    assert torch.equal(resumed(rays), one(rays))
    assert torch.equal(one.eval()(rays), one(rays))


def test_rays_that_see_nothing_are_white_and_nothing_is_asked() -> None:
    renderer = RayRenderer(CoordinateNet(3, 13, width=4))
    seen = renderer(torch.tensor([[0.0, 0, 4, 0, 0, 1]]))
    assert seen.tolist() == [[1, 1, 1]]
    seen.sum().backward()  # as in a training whose batch meets nothing


@pytest.mark.parametrize("words", [{"degree": 3}, {"degree": -1}, {"samples": 0}])
def test_numbers_that_do_not_fit(words: dict[str, int]) -> None:
    with pytest.raises(PenchantError, match=next(iter(words))):
        RayRenderer(nn.Identity(), **words)
