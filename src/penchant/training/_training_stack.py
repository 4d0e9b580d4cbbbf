"""Many runs of one shape, trained as one program.

Decisions:
- A stack is made of solo trainings and gives everything back to them: parameters, what optimisers
  remember, steps, and which diverged. So looks, checkpoints and records are a solo run's, and a
  run may go on alone after having been in a stack, or the other way round.
- The rules, batches and numbers are the solo loop's, and no sum is taken over runs: a run's numbers
  do not depend on what is beside it. On a CPU each product of a batch is computed as it is alone;
  an accelerator's library may choose another way to sum for another number of runs, so that
  there the last digits may differ.
- Which runs have diverged is kept as tensors on the device, so that no step waits for it.
"""

import time
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from penchant.divergences import Divergence
from penchant.errors import PenchantError
from penchant.nn import CoordinateNet, CoordinateStack, unstackable
from penchant.training._gradients import block_on
from penchant.training._stacked_gradient import StackedGradient
from penchant.training._stacked_optimizer import StackedOptimizer
from penchant.training._training import FAR, PATIENCE, START, Training, epoch_order


class TrainingStack:
    """Trainings that go forward together, each with its own data, seed, rate and end.

    Each run's numbers are those of its training alone within rounding: the same batches, the same
    rule. A run that diverges stops where it would stop alone, and no other notices.

    Args:
        trainings: of networks that `penchant.nn.stacked` takes, at the same step, under recipes
            that differ in the learning rate alone, with the same divergence and samples of
            the same shape.

    Raises:
        PenchantError: trainings that do not go together; it says why.

    Example:
        >>> from penchant.divergences import L2
        >>> from penchant.training import Recipe
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> runs = [
        ...     Training(CoordinateNet(1, 1, width=8, seed=s), L2(), x, x**2, Recipe(50), s)
        ...     for s in range(4)
        ... ]
        >>> stack = TrainingStack(runs)
        >>> stack.advance(50)
        >>> stack.settle()
        >>> [run.step for run in runs], stack.finished
        ([50, 50, 50, 50], True)
    """

    def __init__(self, trainings: Sequence[Training]) -> None:
        reason = apart(trainings)
        if reason is not None:
            raise PenchantError(f"TrainingStack({len(trainings)} trainings): {reason}")
        self.trainings = tuple(trainings)
        first = trainings[0]
        self.recipe, self.step = first.recipe, first.step
        networks = [cast(CoordinateNet, one.network) for one in trainings]
        self.stack = CoordinateStack(networks)
        self.inputs = torch.stack([one.inputs for one in trainings])
        self.targets = torch.stack([one.targets for one in trainings])
        device = self.inputs.device
        self._gradient = StackedGradient(self.stack, first.minimised, block_on(device))
        self._optimizer = StackedOptimizer(
            self.stack,
            networks,
            [one.optimizer for one in trainings],
            [one.recipe.learning_rate for one in trainings],
            self.step,
        )
        self._rows = torch.arange(len(trainings), device=device)[:, None]
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

        def each(name: str, dtype: torch.dtype) -> Tensor:
            return torch.tensor([getattr(one, name) for one in trainings]).to(device, dtype)

        self._alive = ~each("diverged", torch.bool)
        self._steps = each("step", torch.int64)
        self._divergence = each("divergence", torch.float64)
        self._start, self._far = each("start", torch.float64), each("far", torch.int64)
        self._seconds = [one.seconds for one in trainings]
        self._living = [not one.diverged for one in trainings]

    @property
    def finished(self) -> bool:
        """Whether the budget is spent or every run diverged, as far as is known."""
        return self.step >= self.recipe.steps or not any(self._living)

    def advance(self, steps: int) -> None:
        """Take up to `steps` optimisation steps, of which the trainings learn from `settle`.

        The processor seconds that they take are shared equally by the runs that were going.
        """
        if self.finished:
            return
        started = time.thread_time()
        for _ in range(min(steps, self.recipe.steps - self.step)):
            divergence = self._gradient(*self._batch())
            self._judge(divergence)
            self._optimizer.step(1 - self.step / self.recipe.steps, self._alive)
            self.step += 1
            self._steps += self._alive
        living = self._alive.tolist()  # waits for the device
        share = (time.thread_time() - started) / sum(self._living)
        for run, going in enumerate(self._living):
            self._seconds[run] += share * going
        self._living = living

    @torch.no_grad()
    def settle(self) -> None:
        """Write everything back into the trainings, which then stand where the stack does."""
        self.stack.networks()
        steps, divergences = self._steps.tolist(), self._divergence.tolist()
        starts, fars = self._start.tolist(), self._far.tolist()
        for run, one in enumerate(self.trainings):
            one.step, one.divergence, one.seconds = steps[run], divergences[run], self._seconds[run]
            one.diverged = not self._living[run]
            one.start, one.far = starts[run], fars[run]
        self._optimizer.give_back(steps)

    def _judge(self, divergence: Tensor) -> None:
        """Judge the newest divergences, as a training judges its own."""
        going = self._alive
        self._divergence = torch.where(going, divergence, self._divergence)
        if self.step * min(self.recipe.batch, self.inputs.shape[1]) < START:
            mean = self._start + (divergence - self._start) / (self.step + 1)
            self._start = torch.where(going & divergence.isfinite(), mean, self._start)
        limit = FAR * self._start
        far = (divergence > limit) & (limit > 0)
        self._far = torch.where(going, torch.where(far, self._far + 1, 0), self._far)
        self._alive = going & divergence.isfinite() & (self._far < PATIENCE)

    def _batch(self) -> tuple[Tensor, Tensor]:
        samples, batch = self.inputs.shape[1], self.recipe.batch
        if batch >= samples:
            return self.inputs, self.targets
        epoch, place = divmod(self.step, samples // batch)
        if epoch != self._epoch:
            self._epoch = epoch
            orders = [epoch_order(samples, one.seed, epoch) for one in self.trainings]
            self._order = torch.stack(orders).to(self.inputs.device)
        chosen = self._order[:, place * batch : (place + 1) * batch]
        return self.inputs[self._rows, chosen], self.targets[self._rows, chosen]


def apart(trainings: Sequence[Training]) -> str | None:
    """Say why trainings cannot go forward together; None where they can.

    Args:
        trainings: one says whether it could be in a stack at all.

    Returns:
        The reason, or None.
    """
    reason = unstackable([one.network for one in trainings])
    if reason is not None:
        return reason
    for one in trainings:
        if type(one) is not Training:
            return f"a {type(one).__name__} is no plain Training"
        if one.augment is not None:
            return "inputs are drawn anew for each batch"
        if not isinstance(one.minimised, Divergence) or one.minimised.reduction != "mean":
            return "what is minimised is no mean divergence"
        if any(True for _ in one.minimised.parameters()):
            return "the divergence learns"
    for what, facts in (
        ("step", {one.step for one in trainings}),
        ("recipe", {_budget(one) for one in trainings}),
        ("divergence", {_measure(one) for one in trainings}),
        ("shape, type or device of their samples", {_samples(one) for one in trainings}),
    ):
        if len(facts) > 1:
            return f"they differ in the {what}"
    return None


def _budget(training: Training) -> tuple[object, ...]:
    recipe = training.recipe
    return recipe.steps, recipe.optimizer, recipe.batch, recipe.weight_decay


def _measure(training: Training) -> tuple[object, ...]:
    one = training.minimised
    return type(one), one.link, *(getattr(one, number) for number in one.numbers)


def _samples(training: Training) -> tuple[object, ...]:
    both = (training.inputs, training.targets)
    return tuple((t.shape, t.dtype, t.device) for t in both)
