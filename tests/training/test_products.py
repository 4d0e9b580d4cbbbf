import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from penchant.training import _products
from penchant.training._products import SMALL, accumulate_, linear

EDGES = st.sampled_from([1, 3, SMALL - 1, SMALL, SMALL + 1, 2 * SMALL])
LAYOUTS = st.booleans()


def matrix(rows: int, columns: int, turned: bool, seed: int) -> Tensor:
    """Draw one, laid out by rows or by columns."""
    draws = torch.Generator().manual_seed(seed)
    if turned:
        return torch.randn(columns, rows, generator=draws).t()
    return torch.randn(rows, columns, generator=draws)


def hold_to(found: Tensor, left: Tensor, right: Tensor, added: Tensor) -> None:
    """Hold found to added + left · rightᵀ in float64, to the rounding of what was summed."""
    exact = added.double() + left.double() @ right.double().t()
    size = left.norm() * right.norm() + added.norm()
    assert found.shape == exact.shape
    assert (found.double() - exact).norm() <= 3e-7 * size


@pytest.fixture(params=[True, False], ids=["onednn", "blas"], scope="module")
def library(request):
    with pytest.MonkeyPatch.context() as patch:
        if not request.param:
            patch.setattr(_products, "_operation", lambda: None)
        elif _products._operation() is None:
            pytest.skip("torch has no oneDNN here")
        yield request.param


@settings(max_examples=60, deadline=None)
@given(rows=EDGES, inputs=EDGES, outputs=EDGES, turned=st.tuples(LAYOUTS, LAYOUTS), biased=LAYOUTS)
def test_a_linear_layer_is_that_of_float64(library, rows, inputs, outputs, turned, biased):
    x, weight = matrix(rows, inputs, turned[0], 0), matrix(outputs, inputs, turned[1], 1)
    bias = torch.randn(outputs, generator=torch.Generator().manual_seed(2))
    found = linear(x, weight, bias if biased else None, out=torch.full((rows, outputs), torch.nan))
    hold_to(found, x, weight, bias.expand(rows, -1) if biased else torch.zeros(rows, outputs))


@settings(max_examples=60, deadline=None)
@given(rows=EDGES, inputs=EDGES, outputs=EDGES)
def test_what_a_block_adds_is_that_of_float64(library, rows, inputs, outputs):
    gradient, below = matrix(rows, outputs, False, 0), matrix(rows, inputs, False, 1)
    before = matrix(outputs, inputs, False, 2)
    total = before.clone()
    accumulate_(total, gradient, below)
    hold_to(total, gradient.t(), below.t(), before)


def test_the_library_is_asked_where_it_is_quicker_alone(monkeypatch):
    asked = []

    def operation(x: Tensor, weight: Tensor, *_: object) -> Tensor:
        asked.append((tuple(x.shape), x.dtype))
        return x @ weight.t()

    monkeypatch.setattr(_products, "_operation", lambda: operation)
    for edge, dtype in ((SMALL, torch.float32), (SMALL - 1, torch.float32), (SMALL, torch.float64)):
        square = torch.ones(edge, edge, dtype=dtype)
        linear(square, square, None, out=torch.empty_like(square))
    assert asked == [((SMALL, SMALL), torch.float32)]
