"""Gradient descent measured on a real network: handwritten digits, all of them at each step.

Decisions:
- float64, so that steps around a minimum can be followed over nine powers of ten.
- A classifier's divergence alone has no minimum here: the digits can be separated, so the weights
  would grow for ever. Half the squared weights times a small number are added, which gives one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.divergences import KL, L2
from penchant.probes import Curvature, largest_curvature
from penchant.randomness import generator
from penchant.training import GradientDescent

SAMPLES, HIDDEN, CLASSES = 600, 16, 10
SPREAD = 0.5
"""Of the first weights, times 1/√inputs: small enough that the curvature has room to rise."""
PENALTY = 0.01
DISPLACEMENT = 1e-3
"""How far from the minimum a swing begins; the weights there have length 8 in all."""
LOOK = 20
"""Steps of a swing between two measurements of λ."""

Loss = Callable[[Tensor, Tensor], Tensor]


@cache
def digits() -> tuple[Float[Tensor, "samples 64"], Float[Tensor, "samples 10"]]:
    """The first digits of scikit-learn: pixels in [0, 1], and rows that are 1 at the class."""
    from sklearn.datasets import load_digits

    data = load_digits()
    inputs = torch.from_numpy(data.data[:SAMPLES] / 16)
    return inputs, torch.eye(CLASSES, dtype=inputs.dtype)[data.target[:SAMPLES]]


def network() -> nn.Sequential:
    """A network with one hidden layer, the same at each call."""
    draws = generator(0, "explain descent")
    layers = nn.Linear(64, HIDDEN).double(), nn.Linear(HIDDEN, CLASSES).double()
    for layer in layers:
        weight = torch.randn(layer.weight.shape, generator=draws, dtype=torch.float64)
        layer.weight.data = SPREAD / math.sqrt(layer.in_features) * weight
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1])


def weights(net: nn.Module) -> Float[Tensor, " weights"]:
    """All weights in one vector, a copy."""
    return nn.utils.parameters_to_vector(net.parameters()).detach().clone()


def place(net: nn.Module, vector: Float[Tensor, " weights"]) -> None:
    """Put all weights where a vector says."""
    nn.utils.vector_to_parameters(vector.clone(), net.parameters())


def descend(net: nn.Module, loss: Loss, optimizer: torch.optim.Optimizer) -> float:
    """Take one step on all digits and return the loss before it."""
    inputs, targets = digits()
    optimizer.zero_grad()
    value = loss(net(inputs), targets)
    torch.autograd.backward(value)
    optimizer.step()
    return value.item()


def value_at(net: nn.Module, loss: Loss) -> float:
    """The loss on all digits."""
    inputs, targets = digits()
    with torch.no_grad():
        return loss(net(inputs), targets).item()


def difference_from_torch(steps: int = 100, step_size: float = 0.5) -> float:
    """The largest difference of any weight between our steps and torch.optim.SGD's."""
    ours, theirs = network(), network()
    descent = GradientDescent(ours.parameters(), step_size)
    sgd = torch.optim.SGD(theirs.parameters(), lr=step_size)
    for _ in range(steps):
        descend(ours, KL("softmax"), descent)
        descend(theirs, KL("softmax"), sgd)
    return float((weights(ours) - weights(theirs)).abs().max())


@dataclass(frozen=True)
class FirstStep:
    """One step from the untrained network, for many step sizes."""

    curvature: float
    """λ where the step begins."""
    sizes: Float[np.ndarray, " sizes"]
    """η·λ."""
    ratios: Float[np.ndarray, " sizes"]
    """Loss after the step over the loss before."""

    @property
    def lowers_below(self) -> float:
        """The smallest η·λ at which the loss is not lowered."""
        return float(self.sizes[int(np.argmax(self.ratios >= 1))])


def first_step(loss: L2 | KL) -> FirstStep:
    """Take the first step of the network on the digits, by many sizes.

    Args:
        loss: between the network's outputs and the digits' rows.
    """
    net = network()
    start = weights(net)
    curvature = largest_curvature(net, loss, *digits()).largest
    sizes = np.linspace(0.25, 40, 160)
    before = value_at(net, loss)
    ratios = []
    for size in sizes:
        place(net, start)
        descend(net, loss, GradientDescent(net.parameters(), float(size) / curvature))
        ratios.append(value_at(net, loss) / before)
    return FirstStep(curvature, sizes, np.array(ratios))


@dataclass(frozen=True, eq=False)
class Minimum:
    """A network at a minimum of its loss, and the sharpest direction there."""

    net: nn.Module
    loss: Loss
    value: float
    gradient: float
    """Length of the gradient that is left."""
    accuracy: float
    curvature: Curvature
    at: Float[Tensor, " weights"]

    @property
    def direction(self) -> Float[Tensor, " weights"]:
        """The eigenvector, all weights in one vector."""
        return nn.utils.parameters_to_vector(self.curvature.direction)


def minimum() -> Minimum:
    """Train until next to nothing of the gradient is left: 600 iterations of L-BFGS."""
    net, (inputs, targets) = network(), digits()
    divergence = KL("softmax")

    def loss(output: Tensor, target: Tensor) -> Tensor:
        squares = torch.stack([p.square().sum() for p in net.parameters()]).sum()
        value: Tensor = divergence(output, target)
        return value + PENALTY / 2 * squares

    def closure() -> Tensor:
        lbfgs.zero_grad()
        value = loss(net(inputs), targets)
        torch.autograd.backward(value)
        return value

    # A search is begun anew after each hundred: near the floor of rounding its memory misleads.
    for _ in range(6):
        lbfgs = torch.optim.LBFGS(
            net.parameters(),
            max_iter=100,
            history_size=100,
            tolerance_grad=0,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )
        lbfgs.step(closure)  # type: ignore[no-untyped-call]
    value = closure().item()
    gradient = torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])
    right = net(inputs).argmax(1) == targets.argmax(1)
    return Minimum(
        net=net,
        loss=loss,
        value=value,
        gradient=gradient.norm().item(),
        accuracy=right.double().mean().item(),
        curvature=largest_curvature(net, loss, inputs, targets),
        at=weights(net),
    )


@dataclass(frozen=True)
class Swing:
    """Steps of one size from beside a minimum."""

    factor: float
    """η·λ."""
    coordinate: Float[np.ndarray, " steps"]
    """Distance from the minimum along the sharpest direction, with its sign, before each step."""
    excess: Float[np.ndarray, " steps"]
    """The loss above the minimum's."""
    curvature: Float[np.ndarray, " moments"]
    """λ where the network stood, before each `LOOK`-th step."""

    def measured(self, steps: int = 10) -> float:
        """By how much the coordinate was multiplied a step, over the first `steps`."""
        length = abs(self.coordinate[steps] / self.coordinate[0]) ** (1 / steps)
        return float(length * np.sign(self.coordinate[1] / self.coordinate[0]))


def swing(around: Minimum, factor: float, steps: int) -> Swing:
    """Begin a little beside a minimum along its sharpest direction, and descend with η = factor/λ.

    Args:
        around: the minimum.
        factor: η·λ.
        steps: how many to take.
    """
    net, direction = around.net, around.direction
    place(net, around.at + DISPLACEMENT * direction)
    descent = GradientDescent(net.parameters(), factor / around.curvature.largest)
    coordinate, excess, curvature = [], [], []
    for step in range(steps):
        if step % LOOK == 0:
            curvature.append(largest_curvature(net, around.loss, *digits()).largest)
        coordinate.append(float((weights(net) - around.at) @ direction))
        excess.append(descend(net, around.loss, descent) - around.value)
    place(net, around.at)
    return Swing(factor, np.array(coordinate), np.array(excess), np.array(curvature))


@dataclass(frozen=True)
class Sharpening:
    """The largest curvature along a training with one step size, at the start, then at times."""

    step_size: float
    steps: Float[np.ndarray, " moments"]
    curvature: Float[np.ndarray, " moments"]
    loss: float
    """At the end."""
    rises: int
    """Steps that raised the loss."""


def sharpening(
    divergence: L2 | KL, step_size: float, steps: int = 2000, every: int = 100
) -> Sharpening:
    """Train with a fixed step and measure λ on the way.

    Args:
        divergence: between the network's outputs and the digits' rows.
        step_size: η.
        steps: how many to take.
        every: steps between two measurements.
    """
    net = network()
    descent = GradientDescent(net.parameters(), step_size)
    curvatures, losses = [], []
    for step in range(steps):
        if step % every == 0:
            curvatures.append(largest_curvature(net, divergence, *digits()).largest)
        losses.append(descend(net, divergence, descent))
    curvatures.append(largest_curvature(net, divergence, *digits()).largest)
    losses.append(value_at(net, divergence))
    return Sharpening(
        step_size=step_size,
        steps=np.append(np.arange(0.0, steps, every), steps),
        curvature=np.array(curvatures),
        loss=losses[-1],
        rises=int((np.diff(losses) > 0).sum()),
    )
