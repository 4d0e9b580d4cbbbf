from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from penchant.errors import PenchantError
from penchant.training import GradientDescent, Optimizer

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64]


def weights(dtype: torch.dtype = torch.float32) -> nn.ParameterList:
    draws = torch.Generator().manual_seed(0)
    kind = torch.complex64 if dtype.is_complex else torch.float32
    shapes = ((8, 4), (8,), (3, 8), ())
    return nn.ParameterList(
        torch.randn(shape, generator=draws, dtype=kind).to(dtype) for shape in shapes
    )


def fill_gradients(params: nn.ParameterList, seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    for p in params:
        kind = torch.complex64 if p.is_complex() else torch.float32
        p.grad = torch.randn(p.shape, generator=draws, dtype=kind).to(p.dtype)


def assert_same(one: nn.ParameterList, other: nn.ParameterList) -> None:
    for p, q in zip(one, other, strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("step_size", [0.1, 1 / 3, 1e-3, 2])
def test_steps_equal_torch_sgd_to_the_bit(dtype: torch.dtype, step_size: float) -> None:
    ours, theirs = weights(dtype), weights(dtype)
    pairs = (
        (ours, GradientDescent(ours, step_size)),
        (theirs, torch.optim.SGD(theirs, lr=step_size)),
    )
    for step in range(5):
        for params, optimizer in pairs:
            fill_gradients(params, step)
            optimizer.step()
        assert_same(ours, theirs)
    assert not torch.equal(ours[0], weights(dtype)[0])


@given(
    current=st.floats(-1e6, 1e6),
    derivative=st.floats(-1e6, 1e6),
    step_size=st.floats(1e-6, 1e3),
)
def test_a_step_is_the_notes_rule(current: float, derivative: float, step_size: float) -> None:
    weight = nn.Parameter(torch.tensor(current, dtype=torch.float64))
    weight.grad = torch.tensor(derivative, dtype=torch.float64)
    GradientDescent([weight], step_size).step()
    # One rounding more or less, where the processor fuses the product and the difference.
    scale = abs(current) + abs(derivative * step_size)
    assert abs(weight.item() - (current - derivative * step_size)) <= 4e-16 * scale


def test_parameters_without_a_gradient_stay() -> None:
    moving, resting = (nn.Parameter(torch.ones(3)) for _ in range(2))
    descent = GradientDescent([moving, resting], 0.5)
    moving.grad = torch.ones(3)
    descent.step()
    assert torch.equal(moving, torch.full((3,), 0.5)) and torch.equal(resting, torch.ones(3))


def test_sparse_gradients_move_the_rows_they_name() -> None:
    draws = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    ours, theirs, dense = (
        nn.Embedding.from_pretrained(draws.clone(), freeze=False, sparse=sparse)
        for sparse in (True, True, False)
    )
    optimizers = (
        GradientDescent(ours.parameters(), 0.1),
        torch.optim.SGD(theirs.parameters(), lr=0.1),
        GradientDescent(dense.parameters(), 0.1),
    )
    for _ in range(3):
        for net, optimizer in zip((ours, theirs, dense), optimizers, strict=True):
            optimizer.zero_grad()
            net(torch.tensor([1, 4, 1])).square().sum().backward()
            optimizer.step()
    assert ours.weight.grad is not None and ours.weight.grad.is_sparse
    assert torch.equal(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.weight, dense.weight)
    moved = (ours.weight != draws).any(1)
    assert moved.tolist() == [False, True, False, False, True, False]


def test_a_closure_gives_the_loss_before_the_step() -> None:
    weight = nn.Parameter(torch.tensor(2.0))
    descent = GradientDescent([weight], 0.25)

    def loss() -> float:
        descent.zero_grad()
        value = weight.square()
        value.backward()
        return value.item()

    assert [descent.step(loss) for _ in range(3)] == [4.0, 1.0, 0.25]
    assert descent.step() is None


def test_groups_have_step_sizes_of_their_own_and_schedulers_work() -> None:
    fast, slow = (nn.Parameter(torch.zeros(())) for _ in range(2))
    descent = GradientDescent([{"params": [fast], "lr": 1.0}, {"params": [slow]}], 0.125)
    schedule = torch.optim.lr_scheduler.StepLR(descent, step_size=1, gamma=0.5)
    fast.grad, slow.grad = torch.tensor(-1.0), torch.tensor(-1.0)
    for _ in range(2):
        descent.step()
        schedule.step()
    assert (fast.item(), slow.item()) == (1.5, 0.1875)


def test_state_is_saved_and_taken_up() -> None:
    ours, theirs = weights(), weights()
    fill_gradients(ours, 0)
    fill_gradients(theirs, 0)
    saved = GradientDescent(ours, 0.3).state_dict()
    assert saved["state"] == {}
    taken = GradientDescent(theirs, 5.0)
    taken.load_state_dict(saved)
    taken.step()
    GradientDescent(ours, 0.3).step()
    assert_same(ours, theirs)


BAD: list[object] = [0, -0.1, float("nan"), float("inf"), True, "0.1", None, torch.tensor(0.1)]


@pytest.mark.parametrize("step_size", BAD, ids=repr)
def test_a_step_size_that_does_not_fit_is_named(step_size: object) -> None:
    weight = nn.Parameter(torch.zeros(()))
    ways: list[Callable[[], object]] = [
        lambda: GradientDescent([weight], step_size),
        lambda: GradientDescent([{"params": [weight], "lr": step_size}], 0.1),
    ]
    for way in ways:
        with pytest.raises(PenchantError, match="a finite number above 0 would fit") as caught:
            way()
        assert repr(step_size) in str(caught.value) and "\n" not in str(caught.value)


def test_studies_know_it_as_sgd_with_a_rate_that_falls() -> None:
    ours, theirs = weights(), weights()
    optimizer = Optimizer(ours, "sgd", 0.1)
    assert [type(part) for part in optimizer.parts] == [GradientDescent]
    reference = torch.optim.SGD(theirs, lr=0.1)
    for step, remaining in enumerate((1.0, 0.75, 0.5, 0.25)):
        fill_gradients(ours, step)
        fill_gradients(theirs, step)
        optimizer.step(remaining)
        reference.param_groups[0]["lr"] = 0.1 * remaining
        reference.step()
    assert_same(ours, theirs)
    Optimizer(ours, "sgd", 1.0).load_state_dict(optimizer.state_dict())
