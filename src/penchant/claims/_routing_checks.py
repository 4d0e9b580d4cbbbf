"""How a gradient passes sums, weights and shared weights: autograd against what is written out."""

import torch
from torch import Tensor
from torch.nn import functional as F

from penchant.claims._claim import Evidence
from penchant.claims._draws import apart, normal, whole
from penchant.claims._setting import Setting
from penchant.claims._tally import Tally
from penchant.randomness import generator

PURPOSE = "claims routing"
EXAMPLE = {"values": (0.5, -1.0, 2.0, 0.25), "weights": (1.5, -0.5, 0.25, -2.0), "upstream": 2.0}
"""Four lower filters at one place, the weights by which they feed one above, and what arrives."""


def sums(setting: Setting) -> Evidence:
    """See what each addend of a sum receives, under a random network."""
    tally = Tally()
    for case in range(_cases(setting)):
        draws = generator(case, PURPOSE)
        addends = [normal((3,), draws).requires_grad_() for _ in range(whole(2, 8, draws))]
        total = torch.stack(addends).sum(0)
        total.retain_grad()
        torch.autograd.backward(_above(total, draws))
        upstream = _grad(total)
        for addend in addends:
            tally.add("each addend: the whole upstream gradient", apart(_grad(addend), upstream))
        arrived = torch.stack([_grad(addend) for addend in addends]).sum(0)
        tally.add("n addends together: n times it, not 1", apart(arrived, len(addends) * upstream))
    return {"checks": tally.checks()}


def weights(setting: Setting) -> Evidence:
    """See what four lower filters receive from one above them, place by place."""
    tally, unequal = Tally(), []
    for case in range(_cases(setting)):
        draws = generator(case, PURPOSE, 1)
        kernel, stride, places = (whole(1, 3, draws) for _ in range(3))
        lower = normal((1, 4, (places - 1) * stride + kernel), draws).requires_grad_()
        filter_above = normal((1, 4, kernel), draws)
        higher = F.conv1d(lower, filter_above, stride=stride)
        higher.retain_grad()
        torch.autograd.backward(_above(higher.flatten(), draws))
        upstream = _grad(higher)[0, 0]
        written = torch.zeros_like(lower)
        for place, arrives in enumerate(upstream):
            for filter_, tap in torch.cartesian_prod(torch.arange(4), torch.arange(kernel)):
                written[0, filter_, place * stride + tap] += arrives * filter_above[0, filter_, tap]
        named = f"kernel {kernel}, stride {stride}, {places} places"
        tally.add(
            "each lower filter: upstream × its own weight", apart(_grad(lower), written), named
        )
        unequal.append(float((_grad(lower)[0, 0] - _grad(lower)[0, 1]).abs().max()))
    return {
        "checks": tally.checks(),
        "example": _example(),
        "cases_unequal": sum(map(bool, unequal)),
    }


def equal_weights(setting: Setting) -> Evidence:
    """See that the four receive the same where, and only where, their weights are the same."""
    tally = Tally()
    for case in range(_cases(setting)):
        draws = generator(case, PURPOSE, 2)
        lower = normal((1, 4, 1), draws).requires_grad_()
        for equal in (True, False):
            each = normal((1,), draws).expand(4) if equal else normal((4,), draws)
            higher = F.conv1d(lower, each.reshape(1, 4, 1))
            (received,) = torch.autograd.grad(_above(higher.flatten(), draws), lower)
            spread = float(received.max() - received.min())
            kind = "equal weights: equal gradients" if equal else "other weights: other gradients"
            tally.require(kind, (spread == 0) == equal)
    return {"checks": tally.checks()}


def shared(setting: Setting) -> Evidence:
    """Compare a shared weight's gradient with the sum over copies of it, one at each place."""
    tally = Tally()
    for case in range(_cases(setting)):
        draws = generator(case, PURPOSE, 3)
        inputs, filters, kernel, stride, places = (whole(1, 4, draws) for _ in range(5))
        below = normal((2, inputs, (places - 1) * stride + kernel), draws)
        weight = normal((filters, inputs, kernel), draws).requires_grad_()
        copies = [weight.detach().clone().requires_grad_() for _ in range(places)]
        one_by_one = torch.cat(
            [
                F.conv1d(below[..., place * stride : place * stride + kernel], copy)
                for place, copy in enumerate(copies)
            ],
            dim=-1,
        )
        together = F.conv1d(below, weight, stride=stride)
        seed = int(torch.randint(2**31, (), generator=draws))
        for answers in (together, one_by_one):
            torch.autograd.backward(_above(answers.flatten(), generator(seed, PURPOSE)))
        summed = torch.stack([_grad(copy) for copy in copies]).sum(0)
        named = f"{filters} filters of kernel {kernel} at {places} places"
        tally.add("shared weight: the sum over its places", apart(_grad(weight), summed), named)
    return {"checks": tally.checks()}


def _above(values: Tensor, draws: torch.Generator) -> Tensor:
    """Make one number of some, by a random layer of tanh units and a random sum over them."""
    hidden = torch.tanh(normal((5, len(values)), draws) @ values)
    return normal((5,), draws) @ hidden


def _example() -> dict[str, list[float] | float]:
    """Let autograd route the notes' case: four lower filters, one above."""
    values = torch.tensor(EXAMPLE["values"], dtype=torch.float64, requires_grad=True)
    by = torch.tensor(EXAMPLE["weights"], dtype=torch.float64)
    products = by * values
    products.retain_grad()
    upstream = torch.tensor(EXAMPLE["upstream"], dtype=torch.float64)
    torch.autograd.backward(upstream * products.sum())
    return {
        "upstream": float(upstream),
        "weights": by.tolist(),
        "at_the_sum": _grad(products).tolist(),
        "at_the_filters": _grad(values).tolist(),
    }


def _cases(setting: Setting) -> int:
    return setting.several(smoke=30, quick=300, full=3000)


def _grad(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad
