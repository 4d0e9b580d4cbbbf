"""The family as data: a new member is one entry, and every test of the contract runs over it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from penchant.divergences import (
    KL,
    L1,
    L2,
    BinaryCrossEntropy,
    BinaryKL,
    CrossEntropy,
    Divergence,
    Huber,
)
from penchant.randomness import generator


@dataclass(frozen=True)
class Case:
    """A member with its numbers behind one link, and what its targets are."""

    member: type[Divergence]
    link: str
    targets: str = "numbers"  # numbers, fractions, rows or classes
    numbers: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        numbers = "".join(f"-{value:g}" for _, value in self.numbers)
        return f"{self.member.name}{numbers}-{self.link}-{self.targets}"

    def build(self, **words: Any) -> Divergence:
        return self.member(self.link, **dict(self.numbers), **words)  # type: ignore[arg-type]

    def raw(self, seed: int, shape: tuple[int, ...], spread: float = 2.0) -> Tensor:
        """Numbers without bounds, in float64."""
        draws = generator(seed, "output")
        return spread * torch.randn(shape, generator=draws, dtype=torch.float64)

    def output(self, seed: int, shape: tuple[int, ...], spread: float = 2.0) -> Tensor:
        """What stands before the link, inside its domain."""
        raw = self.raw(seed, shape, spread)
        if self.link == "identity" and self.targets == "fractions":
            return raw.sigmoid()
        if self.link == "identity" and self.targets in ("rows", "classes"):
            return raw.softmax(1)
        return raw

    def target(self, seed: int, shape: tuple[int, ...]) -> Tensor:
        draws = generator(seed, "target")
        if self.targets == "classes":
            return torch.randint(shape[1], (shape[0], *shape[2:]), generator=draws)
        numbers = 2 * torch.randn(shape, generator=draws, dtype=torch.float64)
        if self.targets == "fractions":
            return numbers.sigmoid()
        return numbers.softmax(1) if self.targets == "rows" else numbers

    def corner(self, seed: int, shape: tuple[int, ...]) -> Tensor:
        """Targets at the ends of what is allowed: exact zeros and ones."""
        if self.targets == "classes":
            return self.target(seed, shape)
        if self.targets == "rows":
            return torch.zeros(shape, dtype=torch.float64).scatter(
                1, self.target(seed, shape).argmax(1, keepdim=True), 1.0
            )
        return (self.target(seed, shape) > 0.5).double()


ALL = ("identity", "sigmoid", "softmax")
CASES = [
    *(Case(L2, link) for link in ALL),
    *(Case(L1, link) for link in ALL),
    *(Case(Huber, link, numbers=(("delta", 0.7),)) for link in ALL),
    *(Case(KL, link, "rows") for link in ("identity", "softmax")),
    *(Case(BinaryKL, link, "fractions") for link in ("identity", "sigmoid")),
    *(
        Case(CrossEntropy, link, targets, numbers)
        for link in ("identity", "softmax")
        for targets in ("rows", "classes")
        for numbers in ((), (("label_smoothing", 0.1),))
    ),
    *(
        Case(BinaryCrossEntropy, link, "fractions", numbers)
        for link in ("identity", "sigmoid")
        for numbers in ((), (("label_smoothing", 0.1),))
    ),
]


def by_hand(case: Case, answer: Tensor, target: Tensor) -> Tensor:
    """A slow reference: each sample's value, from the definition, one number at a time."""
    return torch.stack(
        [
            _sample(case, answer[i], target[i], answer.shape[1])  # a scalar each
            for i in range(len(answer))
        ]
    )


def _sample(case: Case, y: Tensor, d: Tensor, classes: int) -> Tensor:
    numbers = dict(case.numbers)
    epsilon = numbers.get("label_smoothing", 0.0)
    if case.targets == "classes":
        # y is (classes, *positions), d is (*positions)
        d = torch.stack([(d == c).double() for c in range(classes)])
    if case.member is CrossEntropy:
        d = (1 - epsilon) * d + epsilon / classes
    if case.member is BinaryCrossEntropy:
        d = (1 - epsilon) * d + epsilon / 2
    f = FORMULAE[case.member]
    pairs = zip(y.flatten().tolist(), d.flatten().tolist(), strict=True)
    return torch.tensor(sum(f(a, b, numbers) for a, b in pairs), dtype=torch.float64)


def _log(x: float) -> float:
    import math

    return math.log(x) if x > 0 else -math.inf


def _xlog(d: float, x: float) -> float:
    return d * _log(x) if d > 0 else 0.0


def _huber(y: float, d: float, delta: float) -> float:
    e = abs(y - d)
    return e * e / 2 if e <= delta else delta * (e - delta / 2)


FORMULAE: dict[type[Divergence], Callable[[float, float, dict[str, float]], float]] = {
    L2: lambda y, d, _: (y - d) ** 2 / 2,
    L1: lambda y, d, _: abs(y - d),
    Huber: lambda y, d, n: _huber(y, d, n["delta"]),
    KL: lambda y, d, _: _xlog(d, d) - _xlog(d, y),
    BinaryKL: lambda y, d, _: _xlog(d, d) + _xlog(1 - d, 1 - d) - _xlog(d, y) - _xlog(1 - d, 1 - y),
    CrossEntropy: lambda y, d, _: -_xlog(d, y),
    BinaryCrossEntropy: lambda y, d, _: -_xlog(d, y) - _xlog(1 - d, 1 - y),
}
