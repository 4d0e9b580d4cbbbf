import io
import math

import pytest
import torch
from torch import Tensor, nn

from penchant.divergences import L2
from penchant.errors import PenchantError
from penchant.nn import CoordinateNet
from penchant.training import Recipe, Training


class CrossEntropy:
    """Over one-hot targets: a second divergence, so that nothing here leans on pictures."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return -(target * output.log_softmax(1)).sum() / len(output)

    def derivative(self, output: Tensor, target: Tensor) -> Tensor:
        return (output.softmax(1) - target) / len(output)


def data(samples: int = 96) -> tuple[Tensor, Tensor]:
    x = torch.rand((samples, 2), generator=torch.Generator().manual_seed(1)) * 2 - 1
    return x, torch.sin(4 * x.sum(1, keepdim=True))


def training(
    activation: str = "sine", *, steps: int = 12, batch: int = 32, rate: float = 1e-2, seed: int = 3
) -> Training:
    network = CoordinateNet(2, 1, width=8, activation=activation, seed=seed)
    return Training(network, L2(), *data(), Recipe(steps, "muon", rate, batch), seed)


def numbers(run: Training) -> list[Tensor]:
    return [p.detach().clone() for p in run.network.parameters()]


def same(one: Training, other: Training) -> bool:
    return one.divergence == other.divergence and all(
        torch.equal(p, q) for p, q in zip(numbers(one), numbers(other), strict=True)
    )


@pytest.mark.parametrize("activation", ["sine", "wire"])
def test_numbers_do_not_depend_on_how_it_is_advanced(activation: str) -> None:
    whole, chunks = training(activation), training(activation)
    whole.advance(12)
    for steps in (1, 0, 4, 2, 100):
        torch.rand(3)  # what others draw from the global stream does not matter
        chunks.advance(steps)
    assert whole.finished and chunks.finished and chunks.step == 12
    assert same(whole, chunks)
    before = numbers(whole)
    whole.advance(5)
    assert all(torch.equal(p, q) for p, q in zip(before, numbers(whole), strict=True))


def test_another_seed_gives_other_numbers() -> None:
    one, other = training(), training()
    other.seed = 4
    one.advance(4)
    other.advance(4)
    assert not same(one, other)


@pytest.mark.parametrize("activation", ["sine", "wire"])
@pytest.mark.parametrize("stop", [0, 1, 5, 12])
def test_a_checkpoint_goes_on_with_the_same_bits(activation: str, stop: int) -> None:
    whole, first = training(activation), training(activation)
    first.advance(stop)
    state = first.state_dict()
    first.advance(12)  # what happens afterwards does not reach into the checkpoint
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    second = training(activation)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert second.step == stop
    second.advance(12)
    whole.advance(12)
    assert same(whole, second) and same(whole, first)


def test_every_sample_comes_once_an_epoch_and_otherwise_each_time() -> None:
    run = training(steps=9)  # three epochs of three batches
    seen: list[Tensor] = []
    gradient = run._gradient
    run._gradient = lambda inputs, targets: (seen.append(inputs), gradient(inputs, targets))[1]
    run.advance(9)
    inputs, _ = data()
    epochs = [torch.cat(seen[start : start + 3]) for start in (0, 3, 6)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == sorted(inputs.tolist())
    assert not torch.equal(epochs[0], epochs[1]) and not torch.equal(epochs[1], epochs[2])


def test_inputs_and_targets_stay_together() -> None:
    run = training(batch=40)  # which does not divide 96: two batches an epoch
    gradient = run._gradient

    def look(inputs: Tensor, targets: Tensor) -> float:
        assert len(inputs) == 40
        torch.testing.assert_close(targets, torch.sin(4 * inputs.sum(1, keepdim=True)))
        return gradient(inputs, targets)

    run._gradient = look
    run.advance(12)
    assert run.step == 12


@pytest.mark.parametrize("batch", [96, 1000])
def test_a_batch_of_all_samples_is_all_samples_in_order(batch: int) -> None:
    run = training(batch=batch)
    inputs, targets = run._batch()
    assert inputs is run.inputs and targets is run.targets


@pytest.mark.parametrize("activation", ["relu", "sine"])
def test_a_run_that_diverges_is_marked_and_keeps_its_steps(activation: str) -> None:
    run = training(activation, steps=200, rate=1e30)
    run.advance(200)
    assert run.diverged and run.finished and not math.isfinite(run.divergence)
    step = run.step
    assert 0 < step < 200
    run.advance(10)
    assert run.step == step
    again = training(activation, steps=200, rate=1e30)
    again.load_state_dict(run.state_dict())
    assert again.diverged and again.finished and again.step == step


def test_the_rate_falls_linearly_to_zero() -> None:
    run = training(steps=4)
    rates = []
    for _ in range(4):
        run.advance(1)
        rates.append({g["lr"] for part in run._optimizer.parts for g in part.param_groups})
    assert rates == [{1e-2}, {0.75e-2}, {0.5e-2}, {0.25e-2}]


def test_seconds_are_counted() -> None:
    run = training()
    assert run.seconds == 0
    run.advance(6)
    half = run.seconds
    run.advance(6)
    assert 0 < half < run.seconds


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"steps": 0}, r"Recipe\(steps=0\): a positive number"),
        ({"steps": 2.5}, r"Recipe\(steps=2.5\): a whole number"),
        ({"steps": 5, "learning_rate": -1.0}, r"Recipe\(learning_rate=-1.0\): a positive"),
        ({"steps": 5, "learning_rate": math.nan}, r"Recipe\(learning_rate=nan\): a positive"),
        ({"steps": 5, "learning_rate": math.inf}, r"Recipe\(learning_rate=inf\): a positive"),
        ({"steps": 5, "batch": 0}, r"Recipe\(batch=0\): a positive number"),
    ],
)
def test_a_recipe_that_does_not_fit_is_named(numbers: dict[str, float], message: str) -> None:
    with pytest.raises(PenchantError, match=message):
        Recipe(**numbers)


@pytest.mark.unchecked
@pytest.mark.parametrize(("rows", "answers"), [(5, 4), (0, 0)])
def test_samples_that_do_not_fit_are_named(rows: int, answers: int) -> None:
    with pytest.raises(PenchantError, match=rf"inputs \({rows}, 2\) and targets \({answers}, 1\)"):
        Training(
            CoordinateNet(2, 1, width=4),
            L2(),
            torch.zeros(rows, 2),
            torch.zeros(answers, 1),
            Recipe(1),
            0,
        )


def two_moons(samples: int, seed: int) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(seed)
    angle = torch.rand(samples, generator=draws) * math.pi
    upper = torch.arange(samples) % 2 == 0
    x = torch.where(upper, angle.cos(), 1 - angle.cos())
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin())
    points = torch.stack((x - 0.5, y - 0.25), 1) / 1.5
    points += 0.04 * torch.randn(points.shape, generator=draws)
    return points, nn.functional.one_hot(upper.long(), 2).float()


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_a_classification_is_learned(optimizer: str) -> None:
    network = CoordinateNet(2, 2, width=32, depth=2, activation="gelu")
    recipe = Recipe(steps=150, optimizer=optimizer, learning_rate=1e-2, batch=128)
    run = Training(network, CrossEntropy(), *two_moons(512, seed=0), recipe, 0)
    run.advance(150)
    points, labels = two_moons(512, seed=1)
    right = (network(points).argmax(1) == labels.argmax(1)).float().mean()
    assert right > 0.98
