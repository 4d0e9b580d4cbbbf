"""The optimisers of several runs as one: each rule of `_optimizer`, batched, a rate for each run.

The rules are torch's; their numbers are read from the solo optimisers' own groups, so that there
is one place that says them, and tests hold each to torch's step by step. What they remember goes
back to the solo optimisers, so that a checkpoint is a solo run's.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from penchant.nn import CoordinateStack
from penchant.training._batched_muon import orthogonal
from penchant.training._descent import GradientDescent
from penchant.training._optimizer import Optimizer


class _Rule(ABC):
    """How one stacked parameter moves.

    Args:
        parameter: with the runs in front, and its gradient.
        group: the options of the optimiser that moves it in a solo run.
    """

    names: ClassVar[tuple[str, ...]] = ()
    """What is remembered of a parameter, by torch's names."""

    def __init__(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        self.parameter, self.group = parameter, group
        self.remembered = {name: torch.zeros_like(parameter) for name in self.names}

    @abstractmethod
    def moved(
        self, gradient: Tensor, rates: Float[Tensor, "runs 1 1"], steps: int
    ) -> Float[Tensor, "runs rows columns"]:
        """Return where the parameter goes; `steps` counts this one too."""

    def _decayed(self, rates: Tensor) -> Tensor:
        """Return the parameter after a decay that is decoupled from the gradient."""
        decay = self.group["weight_decay"]
        return self.parameter * self._as_numbers(1 - rates * decay) if decay else self.parameter

    def _as_numbers(self, rates: Tensor) -> Tensor:
        return rates.to(self.parameter.dtype)


class _Adam(_Rule):
    names = ("exp_avg", "exp_avg_sq")

    def moved(self, gradient: Tensor, rates: Tensor, steps: int) -> Tensor:
        first, second = self.group["betas"]
        mean, square = self.remembered["exp_avg"], self.remembered["exp_avg_sq"]
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        spread = square.sqrt().div_(math.sqrt(1 - second**steps)).add_(self.group["eps"])
        size = self._as_numbers(rates / (1 - first**steps))
        return self._decayed(rates) - size * mean / spread


class _Muon(_Rule):
    names = ("momentum_buffer",)

    def moved(self, gradient: Tensor, rates: Tensor, steps: int) -> Tensor:
        momentum = self.group["momentum"]
        mean = self.remembered["momentum_buffer"].lerp_(gradient, 1 - momentum)
        update = gradient.lerp(mean, momentum) if self.group["nesterov"] else mean
        # match_rms_adamw: a step of Adam's root mean square.
        size = self._as_numbers(rates * 0.2 * math.sqrt(max(update.shape[1:])))
        # Rounded to bfloat16, in which torch's Muon iterates.
        return self._decayed(rates) - size * orthogonal(update.bfloat16()).to(update.dtype)


class _Descent(_Rule):
    def moved(self, gradient: Tensor, rates: Tensor, steps: int) -> Tensor:
        return self.parameter - self._as_numbers(rates) * self._pulled(gradient)

    def _pulled(self, gradient: Tensor) -> Tensor:
        """Return the gradient with the decay that is a part of it."""
        decay = self.group.get("weight_decay", 0.0)
        return gradient.add(self.parameter, alpha=decay) if decay else gradient


class _Momentum(_Descent):
    names = ("momentum_buffer",)

    def moved(self, gradient: Tensor, rates: Tensor, steps: int) -> Tensor:
        momentum = self.group["momentum"]
        pulled = self._pulled(gradient)
        gathered = self.remembered["momentum_buffer"].mul_(momentum).add_(pulled)
        ahead = pulled.add(gathered, alpha=momentum) if self.group["nesterov"] else gathered
        return self.parameter - self._as_numbers(rates) * ahead


class StackedOptimizer:
    """Moves a stack as its runs' own optimisers would move each network.

    Args:
        stack: whose parameters it moves, by their `.grad`.
        networks: the stack's own, in its order.
        optimizers: theirs, of one kind; what they remember is taken up.
        rates: each run's learning rate at the start.
        steps: how many have been taken.
    """

    def __init__(
        self,
        stack: CoordinateStack,
        networks: Sequence[nn.Module],
        optimizers: Sequence[Optimizer],
        rates: Sequence[float],
        steps: int,
    ) -> None:
        self.steps = steps
        device = stack.head.weight.device
        self.rates = torch.tensor(rates, dtype=torch.float64, device=device).view(-1, 1, 1)
        own = zip(*(network.parameters() for network in networks), strict=True)
        self._places = [
            [
                (_part_of(optimizer, one), one)
                for optimizer, one in zip(optimizers, each, strict=True)
            ]
            for each in own
        ]
        self._rules = [
            _rule(stacked, *places[0])
            for stacked, places in zip(stack.parameters(), self._places, strict=True)
        ]
        for rule, places in zip(self._rules, self._places, strict=True):
            for name, remembered in rule.remembered.items():
                for run, (part, one) in enumerate(places):
                    if name in part.state.get(one, {}):
                        remembered[run] = part.state[one][name].view_as(remembered[run])

    @torch.no_grad()
    def step(self, remaining: float, alive: Bool[Tensor, "runs"]) -> None:
        """Take a step at `remaining` of the rates; runs that are not alive stay where they are."""
        self.steps += 1
        rates, moving = self.rates * remaining, alive.view(-1, 1, 1)
        for rule in self._rules:
            assert rule.parameter.grad is not None
            moved = rule.moved(rule.parameter.grad, rates, self.steps)
            # Chosen, not multiplied by 0: what has diverged may be nan.
            rule.parameter.copy_(torch.where(moving, moved, rule.parameter))

    def give_back(self, steps: Sequence[int]) -> None:
        """Write what is remembered into the runs' own optimisers.

        Args:
            steps: how many each run has taken.
        """
        for rule, places in zip(self._rules, self._places, strict=True):
            for run, (part, one) in enumerate(places):
                found = {
                    name: kept[run].clone().view_as(one) for name, kept in rule.remembered.items()
                }
                if isinstance(rule, _Adam):
                    found["step"] = torch.tensor(float(steps[run]))
                if found:
                    part.state[one] = found


def _part_of(optimizer: Optimizer, parameter: nn.Parameter) -> torch.optim.Optimizer:
    """Return the part of a solo optimiser that moves a parameter."""
    return next(part for part in optimizer.parts if _group_of(part, parameter) is not None)


def _group_of(part: torch.optim.Optimizer, parameter: nn.Parameter) -> dict[str, Any] | None:
    for group in part.param_groups:
        if any(one is parameter for one in group["params"]):
            return group
    return None


def _rule(stacked: nn.Parameter, part: torch.optim.Optimizer, parameter: nn.Parameter) -> _Rule:
    group = _group_of(part, parameter)
    assert group is not None
    if isinstance(part, torch.optim.Muon):
        return _Muon(stacked, group)
    if isinstance(part, torch.optim.Adam):
        return _Adam(stacked, group)
    assert isinstance(part, torch.optim.SGD | GradientDescent)
    return (_Momentum if group.get("momentum") else _Descent)(stacked, group)
