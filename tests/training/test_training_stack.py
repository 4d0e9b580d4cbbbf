"""Runs in a stack are held to the solo loop, and to not noticing each other.

Tolerances. Training multiplies what rounding does: two solo runs that differ by one last digit
drift apart, the faster the larger scale and rate (a sine of scale 30 at Adam's 0.01 has forgotten
float64 after 40 steps). So runs here are gentle and short, and what is asked of each parameter's
largest number is 1e-9 in float64, and a thousand times the rounding in float32, 1e-4. Muon
rounds its step to bfloat16, where a last digit is 2⁻⁸ of the step; with that rounding taken out it
is held to 1e-9 like the others, and as it is to 2⁻⁸ of its way.
"""

import math
from collections.abc import Iterator, Sequence
from typing import get_args

import pytest
import torch
from torch import Tensor, nn
from training.networks import jittered

from penchant.divergences import KL, L1, L2, Divergence
from penchant.errors import PenchantError
from penchant.nn import CoordinateNet, activation, stacked
from penchant.training import (
    OptimizerName,
    Recipe,
    Training,
    TrainingStack,
    apart,
    from_bytes,
    gradient_of,
    to_bytes,
    usable_device,
)
from penchant.training._stacked_gradient import StackedGradient

STEPS = 30
RATES = {"adam": 1e-3, "muon": 1e-3, "sgd": 1e-2, "momentum": 3e-3}
OWN_RATES = (1.0, 0.3, 2.0)
"""What each run's rate is multiplied by."""


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def exact_muon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newton and Schulz in float64, for torch's Muon and for the stack's."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.double().clone())


def samples(seed: int, count: int = 100) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(seed)
    x = torch.rand((count, 2), generator=draws, dtype=torch.float64) * 2 - 1
    y = torch.stack((torch.sin(4 * x.sum(1) + seed), x.prod(1)), dim=1)
    return x.to(torch.get_default_dtype()), y.to(torch.get_default_dtype())


def run(
    seed: int = 0,
    phi: str = "sine",
    *,
    scale: float | None = 3.0,
    encoding: str = "none",
    optimizer: OptimizerName = "adam",
    rate: float = 1e-3,
    steps: int = STEPS,
    batch: int = 32,
    decay: float = 1e-2,
    **words: object,
) -> Training:
    member = activation(phi, scale=scale)
    network = CoordinateNet(
        2, 2, width=16, depth=2, activation=member, encoding=encoding, seed=seed
    )
    recipe = Recipe(steps, optimizer, rate, batch, decay)
    divergence = words.pop("divergence", L2())
    return Training(network, divergence, *samples(seed), recipe, seed, **words)


def runs(optimizer: OptimizerName = "adam", **fields: object) -> list[Training]:
    """Three runs, each with its own seed, data and rate."""
    return [
        run(seed, optimizer=optimizer, rate=factor * RATES[optimizer], **fields)
        for seed, factor in enumerate(OWN_RATES)
    ]


def advanced(trainings: Sequence[Training], steps: int = STEPS) -> TrainingStack:
    stack = TrainingStack(trainings)
    stack.advance(steps)
    stack.settle()
    return stack


def numbers(training: Training) -> list[Tensor]:
    return [parameter.detach() for parameter in training.network.parameters()]


def far_apart(one: Training, other: Training) -> float:
    """The largest difference of two runs' parameters, each of its largest number."""
    return max(
        float((p - q).abs().max() / q.abs().max())
        for p, q in zip(numbers(one), numbers(other), strict=True)
    )


def same(one: Training, other: Training) -> bool:
    return one.divergence == other.divergence and all(
        torch.equal(p, q) for p, q in zip(numbers(one), numbers(other), strict=True)
    )


def hold_to_solo(alone: list[Training], stack: list[Training], tolerance: float) -> None:
    for one in alone:
        one.advance(STEPS)
    advanced(stack)
    for one, other in zip(alone, stack, strict=True):
        assert far_apart(other, one) < tolerance
        assert other.divergence == pytest.approx(one.divergence, rel=tolerance)
        assert (other.step, other.diverged) == (one.step, one.diverged) == (STEPS, False)


# Held to the solo loop


@pytest.mark.usefixtures("double", "exact_muon")
@pytest.mark.parametrize("encoding", ["none", "fourier"])
@pytest.mark.parametrize("phi", ["sine", "gaussian", "finer"])
@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
def test_a_stack_is_its_runs_alone(optimizer: OptimizerName, phi: str, encoding: str) -> None:
    hold_to_solo(
        runs(optimizer, phi=phi, encoding=encoding),
        runs(optimizer, phi=phi, encoding=encoding),
        1e-9,
    )


@pytest.mark.usefixtures("double", "exact_muon")
@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
def test_each_run_has_its_own_scale(optimizer: OptimizerName) -> None:
    def make() -> list[Training]:
        return [run(seed, optimizer=optimizer, scale=s) for seed, s in enumerate((1.0, 2.0, 4.0))]

    hold_to_solo(make(), make(), 1e-9)


@pytest.mark.parametrize("optimizer", [name for name in get_args(OptimizerName) if name != "muon"])
@pytest.mark.parametrize("phi", ["sine", "gelu"])
def test_in_single_precision(optimizer: OptimizerName, phi: str) -> None:
    scale = 1.0 if phi == "gelu" else 3.0
    hold_to_solo(runs(optimizer, phi=phi, scale=scale), runs(optimizer, phi=phi, scale=scale), 1e-4)


def test_muon_as_it_is_differs_by_a_last_digit_of_its_steps() -> None:
    alone, stack, start = runs("muon"), runs("muon"), runs("muon")
    for one in alone:
        one.advance(STEPS)
    advanced(stack)
    for one, other, begun in zip(alone, stack, start, strict=True):
        for p, q, r in zip(numbers(one), numbers(other), numbers(begun), strict=True):
            assert (p - q).norm() <= 2**-8 * (p - r).norm()


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("count", "batch"), [(100, 1000), (100, 100), (33, 32), (96, 32)])
def test_any_number_of_samples(count: int, batch: int) -> None:
    def make() -> list[Training]:
        return [
            Training(
                CoordinateNet(2, 2, width=8, activation="gelu", seed=seed),
                L2(),
                *samples(seed, count),
                Recipe(STEPS, "adam", 1e-3, batch),
                seed,
            )
            for seed in range(2)
        ]

    hold_to_solo(make(), make(), 1e-9)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("divergence", [L1(), L2("sigmoid"), KL("softmax")], ids=repr)
def test_any_divergence_over_the_samples_of_each_run(divergence: Divergence) -> None:
    def make() -> list[Training]:
        made = []
        for seed in range(2):
            one = run(seed, divergence=divergence)
            one.targets = one.targets.softmax(1)
            made.append(one)
        return made

    hold_to_solo(make(), make(), 1e-9)


@pytest.mark.usefixtures("double")
def test_gradients_in_blocks_are_the_networks_own() -> None:
    networks = [CoordinateNet(2, 2, width=9, encoding="nerf", seed=seed) for seed in range(3)]
    x, y = zip(*(samples(seed, 37) for seed in range(3)), strict=True)
    stack = stacked(networks)
    gradient = StackedGradient(stack, L2(validate=False), block=16)
    for _ in range(2):  # a second call overwrites the first one's gradients
        found = gradient(torch.stack(x), torch.stack(y))
    for index, network in enumerate(networks):
        wanted = gradient_of(network, L2(), block=37)(x[index], y[index])
        assert float(found[index]) == pytest.approx(wanted, rel=1e-12)
        for own, parameter in zip(network.parameters(), stack.parameters(), strict=True):
            mine = parameter.grad[index].view_as(own)
            torch.testing.assert_close(mine, own.grad, rtol=1e-10, atol=1e-12)


# Nobody notices the others


@pytest.mark.parametrize("rate", [1e30, 1e4])
@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
def test_one_that_diverges_changes_no_digit_of_another(
    optimizer: OptimizerName, rate: float
) -> None:
    """At 1e30 numbers end; at 1e4 Adam's stay finite, and the run is stopped for being far off."""

    def make(last: float) -> list[Training]:
        return [
            run(seed, "elu", scale=1.0, optimizer=optimizer, rate=one, steps=100)
            for seed, one in enumerate((1e-3, 2e-3, last))
        ]

    beside, apart_from, alone = make(rate), make(1e-3), make(rate)[2]
    stack = advanced(beside, 100)
    advanced(apart_from, 100)
    alone.advance(100)
    assert same(beside[0], apart_from[0]) and same(beside[1], apart_from[1])
    assert not beside[0].diverged and not beside[1].diverged and stack.finished
    assert beside[2].diverged and alone.diverged
    assert 0 < beside[2].step < 100 and abs(beside[2].step - alone.step) <= 1


def test_what_has_diverged_stays_where_it_was() -> None:
    made = [run(0, steps=60), run(1, "sine", rate=1e30, steps=60)]
    stack = TrainingStack(made)
    stack.advance(20)
    stack.settle()
    assert made[1].diverged and not made[0].diverged
    step, before = made[1].step, [p.clone() for p in numbers(made[1])]
    stack.advance(60)
    stack.settle()
    assert made[1].step == step and made[0].step == 60
    for p, q in zip(numbers(made[1]), before, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=0, equal_nan=True)


def test_when_all_have_diverged_there_is_nothing_left_to_do() -> None:
    made = [run(seed, rate=1e30, steps=1000) for seed in range(2)]
    stack = TrainingStack(made)
    stack.advance(10)
    assert stack.finished
    stack.advance(10)
    assert stack.step == 10


# Its place among solo runs


def test_it_does_not_matter_how_it_is_advanced() -> None:
    whole, chunks = runs("muon"), runs("muon")
    advanced(whole)
    stack = TrainingStack(chunks)
    for steps in (1, 0, 7, 100):
        stack.advance(steps)
        stack.settle()
    assert stack.finished and all(same(p, q) for p, q in zip(whole, chunks, strict=True))


@pytest.mark.usefixtures("double", "exact_muon")
@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
def test_checkpoints_are_a_solo_runs(optimizer: OptimizerName) -> None:
    """A run goes on alone after a stack, and in a stack after having been alone."""
    wanted = runs(optimizer)
    for one in wanted:
        one.advance(STEPS)
    began = runs(optimizer)
    advanced(began, 11)
    states = [to_bytes(one.state_dict()) for one in began]
    alone, stack = runs(optimizer), runs(optimizer)
    for one, other, state in zip(alone, stack, states, strict=True):
        one.load_state_dict(from_bytes(state))
        one.advance(STEPS)
        other.load_state_dict(from_bytes(state))
        assert other.step == 11
    advanced(stack)
    for one, other, third in zip(alone, stack, wanted, strict=True):
        assert far_apart(one, third) < 1e-9 and far_apart(other, third) < 1e-9
    advanced(began)
    assert all(same(one, other) for one, other in zip(began, stack, strict=True))


def test_seconds_are_shared() -> None:
    made = runs()
    advanced(made, 5)
    first = [one.seconds for one in made]
    assert first[0] > 0 and len(set(first)) == 1
    advanced(made, 5)
    assert made[0].seconds > first[0]


def two(**changed: object) -> list[Training]:
    return [run(0), run(1, **changed)]


def later() -> list[Training]:
    made = two()
    made[1].advance(1)
    return made


@pytest.mark.parametrize(
    ("make", "reason"),
    {
        "another network": (
            lambda: [Training(nn.Linear(2, 2), L2(), *samples(0), Recipe(5), 0)],
            "a Linear is no plain CoordinateNet",
        ),
        "activations": (lambda: two(phi="gaussian"), "they differ in activation"),
        "augmented": (lambda: [run(0, augment=jittered)], "inputs are drawn anew"),
        "steps": (lambda: two(steps=STEPS + 1), "they differ in the recipe"),
        "optimisers": (lambda: two(optimizer="sgd"), "they differ in the recipe"),
        "decays": (lambda: two(decay=0.0), "they differ in the recipe"),
        "divergences": (lambda: two(divergence=L1()), "they differ in the divergence"),
        "links": (lambda: two(divergence=L2("sigmoid")), "they differ in the divergence"),
        "sums": (lambda: [run(0, divergence=L2(reduction="sum"))], "no mean divergence"),
        "progress": (later, "they differ in the step"),
        "data": (
            lambda: [run(0), Training(run(1).network, L2(), *samples(1, 99), run(1).recipe, 1)],
            "type or device of their samples",
        ),
    }.values(),
)
def test_what_does_not_go_together_is_named(make, reason: str) -> None:
    made = make()
    assert reason in apart(made)
    with pytest.raises(PenchantError, match=rf"TrainingStack\({len(made)} trainings\): "):
        TrainingStack(made)


# Devices


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:x", "", "meta"])
def test_a_device_that_is_none_is_named(name: str) -> None:
    with pytest.raises(PenchantError, match=rf"device='{name}': cpu, or cuda"):
        usable_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="an accelerator is here")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_an_accelerator_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(PenchantError, match=f"device='{name}': PyTorch .* finds no accelerator"):
        usable_device(name)


def on(device: str, training: Training) -> Training:
    """Make the same training on another device."""
    x, y = training.inputs.to(device), training.targets.to(device)
    return Training(training.network.to(device), L2(), x, y, training.recipe, training.seed)


@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
def test_every_tensor_of_a_step_is_on_the_networks_device(optimizer: OptimizerName) -> None:
    """Held on the device that every machine has beside its processor: it computes nothing."""
    made = [on("meta", one) for one in runs(optimizer, encoding="fourier")]
    stack = TrainingStack(made)
    divergence = stack._gradient(*stack._batch())
    stack._judge(divergence)
    stack._optimizer.step(0.5, stack._alive)
    assert divergence.is_meta and stack._alive.is_meta and stack._steps.is_meta
    assert all(p.is_meta and p.grad.is_meta for p in stack.stack.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator: none is here")
@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
def test_on_an_accelerator(optimizer: OptimizerName) -> None:
    """Held to the processor, in float32: to 1e-3, and Muon to two last digits of its steps."""
    alone, start = (runs(optimizer, encoding="fourier") for _ in range(2))
    on_device = [on("cuda", one) for one in runs(optimizer, encoding="fourier")]
    for one in alone:
        one.advance(STEPS)
    advanced(on_device)
    for one, other, begun in zip(alone, on_device, start, strict=True):
        assert math.isclose(one.divergence, other.divergence, rel_tol=1e-2)
        for p, q, r in zip(numbers(one), numbers(other), numbers(begun), strict=True):
            tolerance = 2**-7 if optimizer == "muon" else 1e-3
            assert (p - q.cpu()).norm() <= tolerance * max((p - r).norm(), 1e-3 * p.norm())
