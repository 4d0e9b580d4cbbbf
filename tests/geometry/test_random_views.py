"""Random chains of views, joins, products and sums: the traced set is what the gradient reaches."""

import math
import random

import pytest
import torch
from geometry.judge import agree
from torch import Tensor, nn

KINDS = (
    *("permute", "flatten", "split", "slice", "flip", "roll", "cat", "stack", "sum", "unfold"),
    *("transposed", "select", "cumsum", "softmax", "product", "linear", "own", "reshape"),
    *("chunks", "write"),
)


def _views(draw: random.Random, x: Tensor) -> tuple[str, tuple[object, ...]]:
    """Draw one operation that fits a tensor: its name and numbers."""
    rank, dim = x.dim(), draw.randrange(x.dim())
    other, size = draw.randrange(rank), x.shape[dim]
    kind = draw.choice(KINDS)
    if kind == "permute":
        return kind, tuple(draw.sample(range(rank), rank))
    if kind == "flatten" and dim < rank - 1:
        return kind, (dim, draw.randrange(dim + 1, rank))
    if kind == "split" and rank < 6:
        divisors = [n for n in range(2, size) if size % n == 0]
        if divisors:
            one = draw.choice(divisors)
            return kind, (dim, (one, size // one))
    if kind == "slice" and size > 2:
        return kind, (dim, draw.randint(0, 1), draw.randint(1, 2))
    if kind in ("flip", "cumsum", "softmax", "linear"):
        return kind, (dim,)
    if kind == "roll":
        return kind, (dim, draw.randint(-2, 2))
    if kind == "cat" and x.numel() < 2000:
        return kind, (dim, draw.randrange(size))
    if kind in ("stack", "own") and rank < 6 and x.numel() < 1000:
        return kind, (dim,)
    if kind in ("sum", "select") and rank > 2:
        return kind, (dim, draw.randrange(size))
    if kind == "unfold" and size > 3 and rank < 6:
        return kind, (dim, draw.randint(2, 3), draw.randint(1, 2))
    if kind == "transposed" and dim != other:
        return kind, (dim, other)
    if kind == "product" and rank >= 3 and x.shape[-2] * x.shape[-2] < 400:
        return kind, ()
    if kind == "reshape":
        total = math.prod(x.shape[1:])
        divisors = [n for n in range(1, total + 1) if total % n == 0]
        one = draw.choice(divisors)
        return kind, (x.shape[0], one, total // one)
    if kind == "chunks" and size > 1:
        return kind, (dim, draw.randint(1, size - 1))
    if kind == "write" and size > 1:
        return kind, (dim,)
    return "double", ()


def _apply(kind: str, numbers: tuple[object, ...], x: Tensor) -> Tensor:
    match kind, numbers:
        case "permute", order:
            return x.permute(order)
        case "flatten", (first, last):
            return x.flatten(first, last)
        case "split", (dim, sizes):
            return x.unflatten(dim, sizes)
        case "slice", (dim, first, step):
            return x.movedim(dim, 0)[first::step].movedim(0, dim)
        case "flip", (dim,):
            return x.flip(dim)
        case "cumsum", (dim,):
            return x.cumsum(dim)
        case "softmax", (dim,):
            return x.softmax(dim)
        case "linear", (dim,):
            weight = torch.ones(x.shape[dim], 3, dtype=x.dtype) + torch.arange(3)
            return (x.movedim(dim, -1) @ weight).movedim(-1, dim)
        case "roll", (dim, by):
            return x.roll(by, dim)
        case "cat", (dim, at):
            return torch.cat([x, x.narrow(dim, at, x.shape[dim] - at) * 2], dim)
        case "stack", (dim,):
            return torch.stack([x, x.flip(dim)], dim)
        case "own", (dim,):
            return x.unsqueeze(dim) + x.mean(dim, keepdim=True).unsqueeze(dim)
        case "sum", (dim, _):
            return x.sum(dim)
        case "select", (dim, at):
            return x.select(dim, at)
        case "unfold", (dim, size, step):
            return x.unfold(dim, size, step)
        case "transposed", (one, two):
            return x.transpose(one, two)
        case "product", ():
            return x @ x.transpose(-1, -2)
        case "reshape", shape:
            return x.reshape(shape)
        case "chunks", (dim, at):
            one, two = x.split([at, x.shape[dim] - at], dim)
            return torch.cat([two, one], dim)
        case "write", (dim,):
            y = x.clone()
            y.select(dim, 0).add_(x.select(dim, -1))
            return y
        case _:
            return x * 2


class Chain(nn.Module):
    def __init__(self, steps: list[tuple[str, tuple[object, ...]]]) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        for kind, numbers in self.steps:
            x = _apply(kind, numbers, x)
        return x


def _judge(seeds: range) -> None:
    for seed in seeds:
        draw = random.Random(f"views {seed}")
        shape = (2, draw.choice((2, 4)), draw.choice((4, 6)), draw.choice((3, 6)))
        x, steps = torch.rand(shape), []
        for _ in range(draw.randint(2, 8)):
            step = _views(draw, x)
            y = _apply(*step, x)
            if 0 < y.numel() < 5000:
                steps.append(step)
                x = y
        agree(Chain(steps), shape, looks=5, seed=f"{seed} {steps}")


def test_random_views_see_what_the_gradient_reaches() -> None:
    _judge(range(30))


@pytest.mark.slow
def test_many_random_views_see_what_the_gradient_reaches() -> None:
    _judge(range(30, 300))
