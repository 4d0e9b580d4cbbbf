"""One network learning from one set of samples, step by step, under a budget."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from penchant.divergences import Divergence
from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.training._gradient import Gradient
from penchant.training._gradients import gradient_of
from penchant.training._optimizer import Optimizer, OptimizerName
from penchant.training._stream import keyed_stream
from penchant.training._threads import one_thread

FAR = 1000.0
"""How many times its start a divergence has to be, to be far above it."""

PATIENCE = 50
"""Steps in a row that it has to be that far, so that a spike which comes down again is none."""

START = 32
"""Samples that the start is a mean over, at least: one sample's divergence may be near 0."""


@dataclass(frozen=True)
class Recipe:
    """How a network learns: optimiser, rate, and a budget of steps over batches of samples.

    The rate falls linearly to zero over the budget.

    Weight decay leaves vectors alone (see `Optimizer`).

    Raises:
        PenchantError: a number that is not positive, steps or batch not whole, or a weight decay
            that is negative.

    Example:
        >>> Recipe(steps=100).batch
        8192
    """

    steps: int
    optimizer: OptimizerName = "muon"
    learning_rate: float = 1e-3
    batch: int = 8192
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("steps", "learning_rate", "batch"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise PenchantError(f"Recipe({name}={value}): a positive number is needed")
            if name != "learning_rate" and value != int(value):
                raise PenchantError(f"Recipe({name}={value}): a whole number is needed")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise PenchantError(f"Recipe(weight_decay={self.weight_decay}): 0 or more is needed")


class Training:
    """A network, its samples and a recipe; `advance` moves it forward.

    Batches are drawn without replacement from a permutation keyed by (seed, epoch), so that runs
    of one seed see the same samples in the same order, and a resumed run goes on as if nothing
    had happened. What is left of an epoch and fills no batch is passed over, other samples each
    epoch. What the network draws from torch's own stream (dropout, stochastic depth) is keyed by
    (seed, step) likewise. The network learns in the mode that it is in.

    A run that diverges is stopped and marked: its divergence is not finite, or has been more than
    1,000 times its start (a mean over the first 32 samples) for 50 steps in a row. The best
    constant answer is about as good as the start, so nothing that has learned anything is there;
    and one that comes down again within 50 steps is not stopped.

    Args:
        network: trained in place.
        divergence: what is minimised.
        inputs: all that the network may see, on its device.
        targets: the answers.
        recipe: optimiser and budget.
        seed: keys the order of the batches, and what `augment` draws.
        augment: given a batch's inputs and the step's own generator (on the CPU), returns the
            inputs to learn from, in a tensor of their own.

    Example:
        >>> from penchant.divergences import L2
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> with torch.random.fork_rng():
        ...     _ = torch.manual_seed(0)
        ...     training = Training(nn.Linear(1, 1), L2(), x, 2 * x, Recipe(200, "adam", 0.1), 0)
        >>> training.advance(200)
        >>> training.step, training.diverged, training.divergence < 1e-3
        (200, False, True)
    """

    def __init__(
        self,
        network: nn.Module,
        divergence: Divergence,
        inputs: Float[Tensor, "samples inputs"],
        targets: Float[Tensor, "samples outputs"],
        recipe: Recipe,
        seed: int,
        augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    ) -> None:
        if len(inputs) != len(targets) or len(inputs) == 0:
            raise PenchantError(
                f"Training: inputs {tuple(inputs.shape)} and targets {tuple(targets.shape)} "
                "must have the same, positive number of rows"
            )
        self.network, self.inputs, self.targets = network, inputs, targets
        self.recipe, self.seed, self.augment = recipe, seed, augment
        self.step = 0
        self.seconds = 0.0
        """Processor seconds spent in steps by the calling thread, the only one in a study."""
        self.divergence = math.nan
        """What is minimised, as a mean over the last batch before its step."""
        self.diverged = False
        self.start = 0.0
        """The mean divergence over the first samples, which is what far is measured by."""
        self.far = 0
        """Steps in a row that the divergence has been far above its start."""
        # A network that diverges answers nan, which is for this class to notice, not an error.
        self.minimised = copy.copy(divergence)
        self.minimised.validate = False
        self.optimizer = Optimizer(
            network, recipe.optimizer, recipe.learning_rate, recipe.weight_decay
        )
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    @cached_property
    def _gradient(self) -> Gradient:
        # Made when it is first asked for: one that goes forward in a stack needs no buffers.
        return gradient_of(self.network, self.minimised)

    @property
    def finished(self) -> bool:
        """Whether the budget is spent or the run diverged."""
        return self.diverged or self.step >= self.recipe.steps

    def advance(self, steps: int) -> None:
        """Take up to `steps` optimisation steps; stop early when finished."""
        started = time.thread_time()
        for _ in range(steps):
            if self.finished:
                break
            # Torch's second thread spins for a while after it had a part of a batch to copy, on
            # the core that the gradient's own thread is to have.
            with one_thread():
                batch = self._batch()
            with keyed_stream(self.seed, "forward", self.step, self.inputs.device):
                self.divergence = self._gradient(*batch)
            self.diverged = self._diverges()
            if self.diverged:
                break
            self.optimizer.step(1 - self.step / self.recipe.steps)
            self.step += 1
        self.seconds += time.thread_time() - started

    def _diverges(self) -> bool:
        """Judge the newest divergence."""
        if not math.isfinite(self.divergence):
            return True
        if self.step * min(self.recipe.batch, len(self.inputs)) < START:
            self.start += (self.divergence - self.start) / (self.step + 1)
        self.far = self.far + 1 if self.divergence > FAR * self.start > 0 else 0
        return self.far >= PATIENCE

    def _batch(self) -> tuple[Tensor, Tensor]:
        inputs, targets = self._chosen()
        if self.augment is not None:
            inputs = self.augment(inputs, generator(self.seed, "augment", self.step))
        return inputs, targets

    def _chosen(self) -> tuple[Tensor, Tensor]:
        if self.recipe.batch >= len(self.inputs):
            return self.inputs, self.targets
        epoch, place = divmod(self.step, len(self.inputs) // self.recipe.batch)
        if epoch != self._epoch:
            self._epoch = epoch
            order = epoch_order(len(self.inputs), self.seed, epoch)
            self._order = order.to(self.inputs.device)
        chosen = self._order[place * self.recipe.batch : (place + 1) * self.recipe.batch]
        return self.inputs[chosen], self.targets[chosen]

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all that a checkpoint needs to go on with the same numbers."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "divergence": self.divergence,
            "diverged": self.diverged,
            "start": self.start,
            "far": self.far,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a checkpoint of a training with the same arguments."""
        for name in ("step", "seconds", "divergence", "diverged"):
            setattr(self, name, state[name])
        self.start, self.far = state["start"], state["far"]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])


def epoch_order(samples: int, seed: int, epoch: int) -> Int[Tensor, "samples"]:
    """Return the order in which an epoch goes through the samples.

    Example:
        >>> sorted(epoch_order(4, seed=0, epoch=2).tolist())
        [0, 1, 2, 3]
    """
    return torch.randperm(samples, generator=generator(seed, "batch", epoch))
