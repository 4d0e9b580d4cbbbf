"""A coordinate network seen through a camera: rays in, colours out."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks._occupancy import Occupancy
from penchant.tasks._spherical_harmonics import HIGHEST, spherical_harmonics
from penchant.tasks._volume_rendering import cube_span, over_white, sample_weights

SAMPLES = 96
"""Bins along a ray's way through the cube; a bin is at most 2√3/96 = 0.036 long."""

BETWEEN_LOOKS = 16
"""Steps between two looks at where the scene has something."""

GAIN = 25.0
"""Density, per half side of the cube, that an output of 1 adds."""

SHIFT = -5.0
"""What is added to an output before it becomes a density, so that a new network is nearly clear.

With -1 it is a fog, which on lego takes 250 steps at eight times the price to clear up."""

VISIBLE = 0.01
"""Opacity of a bin below which it counts as empty."""


class RayRenderer(nn.Module):
    r"""What a camera sees of a coordinate network that answers density and colour.

    .. math:: \sigma = 25 \ln(1 + e^{y_0 - 5}), \qquad
              c_k(d) = \mathrm{sigmoid}\Bigl(\sum_m y_{km} Y_m(d)\Bigr)

    with y the network's output at a point of the cube [-1, 1]³, d the ray's direction and Y the
    spherical harmonics up to a degree: so the network itself is one of position alone, any
    activation and encoding of three coordinates fits, and the view direction enters in closed
    form. Softplus never stops learning as a ReLU would; its factor is the inverse of about a bin,
    so that outputs of a few are opaque.

    In training each bin's sample is drawn within it, keyed by (seed, step); else it is the centre.
    Bins that `Occupancy` calls empty are not asked.

    Args:
        network: points × 3 to points × `outputs`.
        degree: of the spherical harmonics; 0 is the same colour from everywhere.
        samples: bins a ray.
        seed: keys the samples.

    Attributes:
        network: as given; the only part that learns.
        steps: how often rays were asked for in training.

    Raises:
        PenchantError: a degree or samples that do not fit.

    Example:
        >>> clear = nn.Linear(3, 4)
        >>> _ = nn.init.zeros_(clear.weight), nn.init.constant_(clear.bias, -100.0)
        >>> RayRenderer(clear, degree=0)(torch.tensor([[0.0, 0, 4, 0, 0, -1]]))
        tensor([[1., 1., 1.]], grad_fn=<SubBackward0>)

    Source: Mildenhall et al., "NeRF", 2020; softplus, Barron et al., "Mip-NeRF", 2021; spherical
    harmonics, Yu et al., "PlenOctrees", 2021.
    """

    steps: Tensor

    def __init__(
        self, network: nn.Module, *, degree: int = 1, samples: int = SAMPLES, seed: int = 0
    ) -> None:
        super().__init__()
        if not 0 <= degree <= HIGHEST:
            raise PenchantError(f"RayRenderer(degree={degree}): 0 to {HIGHEST} is needed")
        if not 1 <= samples <= 4096:
            raise PenchantError(f"RayRenderer(samples={samples}): 1 to 4096 are needed")
        self.network, self.degree, self.samples, self.seed = network, degree, samples, seed
        self.occupancy = Occupancy(VISIBLE * samples / 2, seed)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @staticmethod
    def outputs(degree: int) -> int:
        """Count the numbers that a network has to answer: density, and each colour's harmonics.

        Example:
            >>> RayRenderer.outputs(0), RayRenderer.outputs(1)
            (4, 13)
        """
        return 1 + 3 * (degree + 1) ** 2

    def forward(self, rays: Float[Tensor, "rays 6"]) -> Float[Tensor, "rays 3"]:
        """Return what is seen along each ray.

        Args:
            rays: places and unit directions, in the cube's units.

        Returns:
            Red, green and blue in [-1, 1], as training has its targets.
        """
        start, length = cube_span(rays)
        places = self._places(len(rays)).to(rays)
        points = torch.addcmul(
            rays[:, None, :3], start[..., None] + (length * places)[..., None], rays[:, None, 3:]
        )  # (rays, samples, 3)
        chosen = self.occupancy(points) & (length > 0)
        index = chosen.flatten().nonzero()[:, 0]
        ray = index // self.samples
        density, colours = self.field(points.reshape(-1, 3)[index], rays[ray, 3:])
        width = length[ray, 0] / self.samples
        depths = density.new_zeros(chosen.numel()).index_put((index,), density * width)
        weights = sample_weights(depths.view_as(chosen)).flatten()[index]
        return 2 * over_white(weights, colours, ray, len(rays)) - 1

    def field(
        self, points: Float[Tensor, "points 3"], directions: Float[Tensor, "points 3"]
    ) -> tuple[Float[Tensor, "points"], Float[Tensor, "points 3"]]:
        """Return the density at points, and their colours in [0, 1] from a direction."""
        answers = self.network(points)
        harmonics = spherical_harmonics(directions, self.degree)
        logits = answers[:, 1:].unflatten(1, (3, -1))
        colours = (logits * harmonics[:, None]).sum(dim=-1).sigmoid()
        return self._density(answers), colours

    def undirected(
        self, points: Float[Tensor, "points 3"]
    ) -> tuple[Float[Tensor, "points"], Float[Tensor, "points 3"]]:
        """Return the density at points, and the part of their colours that all directions share."""
        answers = self.network(points)
        constant = answers[:, 1:].unflatten(1, (3, -1))[..., 0]
        return self._density(answers), constant.sigmoid()

    def look(self, times: int = 1) -> None:
        """Ask the network where the scene has something, so that the rest is passed over.

        Args:
            times: how often, at other points each time.
        """
        for time in range(times):
            self.occupancy.look(self.density, int(self.steps) + time)

    def density(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """Return the density at points."""
        return self._density(self.network(points))

    @staticmethod
    def _density(answers: Tensor) -> Tensor:
        return GAIN * functional.softplus(answers[:, 0] + SHIFT)

    def _places(self, rays: int) -> Float[Tensor, "rays samples"]:
        """Return where in its way each ray's samples lie, from 0 to 1."""
        bins = torch.arange(self.samples, dtype=torch.float32)
        if not self.training:
            return ((bins + 0.5) / self.samples).expand(rays, -1)
        step = int(self.steps)
        if step and step % BETWEEN_LOOKS == 0:
            self.look()
        self.steps += 1
        draws = generator(self.seed, "samples", step)
        return (bins + torch.rand((rays, self.samples), generator=draws)) / self.samples
