import copy
import io
import math

import pytest
import torch
from torch import Tensor, nn
from training.networks import drawing, drawing_training, jittered, samples

from penchant.divergences import L2
from penchant.errors import PenchantError
from penchant.nn import CoordinateNet
from penchant.randomness import generator
from penchant.training import OptimizerName, Recipe, Training, from_bytes, to_bytes
from penchant.training._training import FAR, PATIENCE


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
        rates.append({g["lr"] for part in run.optimizer.parts for g in part.param_groups})
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
        ({"steps": 5, "weight_decay": -0.1}, r"Recipe\(weight_decay=-0.1\): 0 or more"),
        ({"steps": 5, "weight_decay": math.inf}, r"Recipe\(weight_decay=inf\): 0 or more"),
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


# Networks that draw and remember


def state_of(run: Training) -> dict[str, Tensor]:
    """Everything of a network, its running statistics among them."""
    return {name: one.clone() for name, one in run.network.state_dict().items()}


def assert_same_state(one: Training, other: Training) -> None:
    mine, theirs = state_of(one), state_of(other)
    assert mine.keys() == theirs.keys()
    for name in mine:
        assert torch.equal(mine[name], theirs[name]), name
    assert one.divergence == other.divergence and one.step == other.step


def test_draws_do_not_depend_on_the_global_stream_which_is_left_alone() -> None:
    torch.manual_seed(1)
    whole = drawing_training()
    whole.advance(12)
    chunks = drawing_training()
    for seed in range(12):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        chunks.advance(1)
        assert torch.equal(torch.get_rng_state(), before)
    assert_same_state(whole, chunks)


def test_draws_differ_by_step_and_by_seed() -> None:
    dropped: list[Tensor] = []
    for seed in (3, 4):
        run = drawing_training(seed=seed)
        run.network[3].register_forward_hook(lambda _, given, out: dropped.append(out == 0))
        run.advance(2)
    assert not any(torch.equal(dropped[i], dropped[j]) for i in range(4) for j in range(i))


@pytest.mark.parametrize("optimizer", ["adam", "muon", "sgd", "momentum"])
@pytest.mark.parametrize("stop", [0, 1, 5, 12])
def test_a_checkpoint_in_bytes_goes_on_with_the_same_bits(
    optimizer: OptimizerName, stop: int
) -> None:
    whole, first = drawing_training(optimizer), drawing_training(optimizer)
    first.advance(stop)
    content = to_bytes(first.state_dict())
    first.advance(12)
    second = drawing_training(optimizer)
    second.load_state_dict(from_bytes(content))
    assert second.step == stop
    torch.rand(5)
    second.advance(12)
    whole.advance(12)
    assert_same_state(whole, second)
    assert_same_state(whole, first)
    assert whole.network[1].num_batches_tracked == 12


def test_seconds_go_on() -> None:
    first, second = drawing_training(), drawing_training()
    first.advance(6)
    second.load_state_dict(from_bytes(to_bytes(first.state_dict())))
    assert second.seconds == first.seconds > 0
    second.advance(1)
    assert second.seconds > first.seconds


# Augmentation


def test_each_step_has_an_augmentation_of_its_own_keyed_by_the_seed() -> None:
    seen: list[Tensor] = []
    inputs, targets = samples()
    kept = inputs.clone()

    def augment(batch: Tensor, draws: torch.Generator) -> Tensor:
        seen.append(jittered(batch, draws) - batch)
        return batch + seen[-1]

    for seed in (0, 0, 1):
        network = nn.Sequential(nn.Linear(2, 1))
        Training(network, L2(), inputs, targets, Recipe(3, batch=96), seed, augment).advance(3)
    assert torch.equal(seen[0], seen[3]) and torch.equal(seen[2], seen[5])
    distinct = [seen[i] for i in (0, 1, 2, 6)]
    assert not any(torch.equal(distinct[i], distinct[j]) for i in range(4) for j in range(i))
    draws = generator(1, "augment", 2)
    torch.testing.assert_close(seen[8], 0.01 * torch.randn((96, 2), generator=draws))
    assert torch.equal(inputs, kept), "the samples stay as they are"


# Explosions


class Planned:
    """Gives the divergences of a plan, whatever the network does."""

    def __init__(self, values: list[float]) -> None:
        self.values = iter(values)

    def __call__(self, inputs: Tensor, targets: Tensor) -> float:
        return next(self.values)


def stopped(values: list[float], *, samples: int = 512, batch: int = 256) -> Training:
    inputs, targets = torch.zeros(samples, 2), torch.zeros(samples, 1)
    recipe = Recipe(len(values), "adam", 1e-9, batch)
    run = Training(nn.Linear(2, 1), L2(), inputs, targets, recipe, 0)
    run._gradient = Planned(values)
    run.advance(len(values))
    return run


def test_an_explosion_ends_a_run_early() -> None:
    run = stopped([1.0] * 10 + [1.01 * FAR] * 1000)
    assert run.diverged and run.step == 10 + PATIENCE - 1
    assert stopped([0.5, *[math.inf] * 9]).step == 1


def test_a_network_that_explodes_is_noticed_while_its_divergence_is_finite() -> None:
    recipe = Recipe(1000, "adam", 1e4, 96)  # Adam's steps are bounded: it never reaches infinity
    run = Training(CoordinateNet(2, 1, width=8, activation="elu"), L2(), *data(), recipe, 0)
    run.advance(1000)
    assert run.diverged and run.step < 100 and math.isfinite(run.divergence)


@pytest.mark.parametrize(
    "values",
    {
        "a spike that comes down in time": [1.0] * 5 + [1e30] * (PATIENCE - 1) + [1.0] * 200,
        "spikes again and again": ([1e30] * (PATIENCE - 1) + [10.0]) * 5,
        "a plateau far up, but not that far": [1.0] + [0.99 * FAR] * 300,
        "a start at the answer": [0.0] + [1.0] * 300,
        "below zero, as a density's logarithm": [-1.0] + [5.0] * 300,
    }.values(),
    ids=lambda values: f"{len(values)}",
)
def test_what_is_no_explosion_goes_on(values: list[float]) -> None:
    values = [2.0 if v == 1e30 and i == 0 else v for i, v in enumerate(values)]
    run = stopped(values)
    assert not run.diverged and run.step == len(values)


def test_one_lucky_sample_is_not_the_start() -> None:
    assert not stopped([1e-9] + [1.0] * 400, samples=300, batch=1).diverged
    assert stopped([1e-9] + [1.0] * 400, samples=300, batch=300).diverged


def test_a_resumed_run_remembers_how_long_it_has_been_far() -> None:
    values = [1.0] + [1e6] * 100
    whole = stopped(values)
    first = stopped(values[:20])
    second = stopped([1.0])
    second.recipe = whole.recipe
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    second._gradient = Planned(values[20:])
    second.advance(1000)
    assert second.diverged and second.step == whole.step == PATIENCE


def test_batch_norms_statistics_are_those_of_a_bare_loop() -> None:
    """As anyone would write it, over more samples than a block holds."""
    inputs, targets = samples(3000)
    run = Training(drawing(), L2(), inputs, targets, Recipe(3, "momentum", 0.1, 3000), 0)
    run.network[3].p = 0.0
    bare = copy.deepcopy(run.network)
    optimizer = torch.optim.SGD(bare.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    for block in (*run.network[4:6], *bare[4:6]):
        block.eval()  # whose draws are nobody's concern here
    for step in range(3):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 3)
        optimizer.zero_grad()
        L2()(bare(inputs), targets).backward()
        optimizer.step()
    run.advance(3)
    for name, wanted in bare.state_dict().items():
        torch.testing.assert_close(run.network.state_dict()[name], wanted, rtol=1e-5, atol=1e-6)
    assert run.network[1].num_batches_tracked == 3
