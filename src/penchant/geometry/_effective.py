"""How much each position matters: the effective receptive field, measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError, nearest
from penchant.geometry._copies import copied
from penchant.geometry._receptive_field import followed_axes
from penchant.randomness import generator


@dataclass(frozen=True)
class EffectiveField:
    """The mean absolute gradient of a central output.

    Args:
        map: its share at each position, over the axes that were followed; the sum is 1.
        axes: the input's axes that the map has.
    """

    map: Float[Tensor, "*positions"]
    axes: tuple[int, ...]

    def profile(self, number: int) -> Float[Tensor, " length"]:
        """Return the share along one axis of the map, the others summed."""
        rest = [other for other in range(self.map.dim()) if other != number]
        return self.map.sum(dim=rest) if rest else self.map

    @property
    def centre(self) -> tuple[float, ...]:
        """The mean position, one number an axis."""
        return tuple(_moments(self.profile(number))[0] for number in range(self.map.dim()))

    @property
    def deviation(self) -> tuple[float, ...]:
        """The standard deviation in positions, one number an axis."""
        return tuple(_moments(self.profile(number))[1] for number in range(self.map.dim()))

    def width(self, share: float = 0.9545) -> tuple[int, ...]:
        """Return how many positions around the centre hold a share of the gradient, per axis.

        Args:
            share: between 0 and 1; a Gaussian has 0.9545 within two standard deviations.

        Returns:
            The width of the smallest interval, symmetric around the centre, one number an axis.
        """
        if not 0 < share <= 1:
            raise PenchantError(f"width(share={share!r}): needs a number above 0 and at most 1")
        return tuple(
            _width(self.profile(number), self.centre[number], share)
            for number in range(self.map.dim())
        )


def _moments(profile: Tensor) -> tuple[float, float]:
    places = torch.arange(len(profile), dtype=profile.dtype)
    mean = float((places * profile).sum())
    return mean, float(((places - mean).square() * profile).sum().sqrt())


def _width(profile: Tensor, centre: float, share: float) -> int:
    middle = round(centre)
    for reach in range(len(profile)):
        held = profile[max(middle - reach, 0) : middle + reach + 1]
        if float(held.sum()) >= share - 1e-12:
            return len(held)
    return len(profile)


def effective_receptive_field(
    model: nn.Module,
    input: Tensor | Sequence[int],
    *,
    layer: str | None = None,
    axes: Sequence[int] | None = None,
    samples: int = 8,
    seed: int = 0,
) -> EffectiveField:
    r"""Measure how much each position of the input moves a central output.

    .. math:: E\left[\,\left|\frac{\partial\, g^\top y_{centre}}{\partial x}\right|\,\right]

    over inputs x of independent standard normal numbers and weights g of the output's channels
    drawn likewise; the network's own weights are used, in evaluation mode. At initialisation it
    is close to a Gaussian much narrower than the receptive field; training widens it.

    Args:
        model: the network; it is not changed.
        input: a tensor, whose shape counts, or a shape; the batch comes first.
        layer: the path of the module whose output is asked; the model's own when not given.
        axes: the input's axes that are kept apart, as in :func:`receptive_field`.
        samples: how many inputs are drawn.
        seed: what the draws belong to.

    Returns:
        The map, which sums to 1.

    Raises:
        PenchantError: no such layer, an output that is no tensor, or a gradient of zero.

    Example:
        >>> network = nn.Sequential(nn.Conv1d(1, 1, 3), nn.Conv1d(1, 1, 3)).requires_grad_(False)
        >>> _ = [nn.init.ones_(part.weight) for part in network]
        >>> field = effective_receptive_field(network, (1, 1, 9))
        >>> [round(share * 9) for share in field.map.tolist()], round(field.deviation[0], 3)
        ([0, 0, 1, 2, 3, 2, 1, 0, 0], 1.155)

    Source: Luo, Li, Urtasun & Zemel, "Understanding the effective receptive field in deep
    convolutional neural networks", 2016.
    """
    shape = tuple(input.shape) if isinstance(input, Tensor) else tuple(input)
    kept = followed_axes(shape, axes)
    twin = copied(model).eval().requires_grad_(False)
    place = next(iter(twin.parameters()), torch.empty(0))
    total = torch.zeros([shape[axis] for axis in kept], dtype=torch.float64)
    for sample in range(samples):
        draws = torch.randn(shape, generator=generator(seed, "geometry.effective", sample))
        given = draws.to(place).requires_grad_()
        output = _output(twin, given, layer)
        centred = output[_central(output, axes)]
        weights = torch.randn(centred.shape, generator=generator(seed, "geometry.channels", sample))
        if output.grad_fn is not None:
            (centred * weights.to(centred)).sum().backward()  # type: ignore[no-untyped-call]
        gradient = torch.zeros(shape) if given.grad is None else given.grad.abs().double().cpu()
        rest = [number for number in range(len(shape)) if number not in kept]
        total += gradient.sum(dim=rest) if rest else gradient
    if not float(total.sum()) > 0:
        raise PenchantError(
            f"effective_receptive_field(layer={layer!r}): the central output's gradient is zero"
        )
    return EffectiveField(total / total.sum(), kept)


def _central(output: Tensor, axes: Sequence[int] | None) -> tuple[slice | int, ...]:
    kept = followed_axes(tuple(output.shape), axes)
    return tuple(
        size // 2 if number in kept else slice(None) for number, size in enumerate(output.shape)
    )


def _output(model: nn.Module, given: Tensor, layer: str | None) -> Tensor:
    modules = dict(model.named_modules())
    if layer is not None and layer not in modules:
        raise PenchantError(
            f"effective_receptive_field(layer={layer!r}): {nearest(layer, sorted(modules))}"
        )
    found: list[object] = []

    def keep(_: nn.Module, __: object, output: object) -> None:
        # A later layer may overwrite it in place.
        found.append(output.clone() if isinstance(output, Tensor) else output)

    handle = (model if layer is None else modules[layer]).register_forward_hook(keep)
    model(given)
    handle.remove()
    if not found or not isinstance(found[-1], Tensor):
        raise PenchantError(f"effective_receptive_field(layer={layer!r}): its output is no tensor")
    return found[-1]
