"""A logistic unit with two weights on eight points: its loss anywhere, and its way downhill."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from penchant.divergences import Divergence
from penchant.training import GradientDescent

INPUTS = (-3.0, -2.0, -1.0, -0.4, 0.4, 1.0, 2.0, 3.0)
TARGETS = (0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0)
"""Two of them, in the middle, lie the wrong way round, so that the best weights are finite."""


def loss(
    divergence: type[Divergence], weights: Float[np.ndarray, "places 2"]
) -> Float[np.ndarray, " places"]:
    """Mean loss over the points at many places of the plane of weights.

    Args:
        divergence: behind the unit's sigmoid.
        weights: slope and offset, a row a place.
    """
    logits = torch.from_numpy(weights) @ _features().T
    targets = _targets().expand_as(logits)
    # A place counts as a sample with eight outputs, whose losses are summed.
    summed: Tensor = divergence("sigmoid", reduction="none")(logits, targets)
    return (summed / len(INPUTS)).numpy()


def descend(
    divergence: type[Divergence], start: tuple[float, float], *, step_size: float, steps: int
) -> Float[np.ndarray, "moments 2"]:
    """The weights before the first and after each step of gradient descent.

    Args:
        divergence: behind the unit's sigmoid.
        start: slope and offset.
        step_size: of each step.
        steps: how many.
    """
    features, targets = _features(), _targets()[:, None]
    mean = divergence("sigmoid")
    weights = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    descent = GradientDescent([weights], step_size=step_size)
    path = [weights.detach().clone()]
    for _ in range(steps):
        derivative = mean.derivative((features @ weights)[:, None].detach(), targets)
        weights.grad = features.T @ derivative[:, 0]
        descent.step()
        path.append(weights.detach().clone())
    return torch.stack(path).numpy()


def error(weights: Float[np.ndarray, "places 2"]) -> Float[np.ndarray, " places"]:
    """Mean distance between answer and target over the points, whatever the divergence."""
    answers = torch.sigmoid(torch.from_numpy(weights) @ _features().T)
    return (answers - _targets()).abs().mean(1).numpy()


def _features() -> Float[Tensor, "samples 2"]:
    inputs = torch.tensor(INPUTS, dtype=torch.float64)
    return torch.stack([inputs, torch.ones_like(inputs)], dim=1)


def _targets() -> Float[Tensor, " samples"]:
    return torch.tensor(TARGETS, dtype=torch.float64)
