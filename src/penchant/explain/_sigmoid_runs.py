"""What `explain sigmoid` measures: learners against a posterior that is known, and real data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from penchant.divergences import BinaryCrossEntropy
from penchant.nn import CoordinateNet
from penchant.randomness import generator
from penchant.tasks import GaussianClasses, calibration_error, load_labelled
from penchant.training import Recipe, Training, calibrate, one_thread

SIZES = (100, 1_000, 10_000)
SEEDS = 3
FRESH = 5_000
"""Samples, never trained on, on which learners are held to the true posterior."""
_FRESH_SEED = 10**6

SPLITS = 10
"""Divisions of the tumours: a fifth to train on, two to calibrate, two to test."""


class _Products(nn.Module):
    """Append the products of any two features, so that a linear logit becomes quadratic."""

    def forward(self, x: Float[Tensor, "samples features"]) -> Float[Tensor, "samples more"]:
        rows, columns = torch.triu_indices(x.shape[1], x.shape[1])
        return torch.cat([x, x[:, rows] * x[:, columns]], dim=1)


def _unit(inputs: int) -> nn.Linear:
    # Zeros, not draws: the loss is convex, and there is no symmetry to break.
    unit = nn.Linear(inputs, 1, device="meta").to_empty(device="cpu")
    nn.init.zeros_(unit.weight)
    nn.init.zeros_(unit.bias)
    return unit


def _learner(name: str, features: int, seed: int) -> nn.Module:
    if name == "logistic unit":
        return _unit(features)
    if name == "quadratic unit":
        return nn.Sequential(_Products(), _unit(features + features * (features + 1) // 2))
    return CoordinateNet(features, 1, width=16, depth=2, activation="tanh", seed=seed)


RATES = {"logistic unit": 0.1, "quadratic unit": 0.1, "network": 0.02}
"""Learners with Adam's rate."""


def _trained(
    network: nn.Module, x: Tensor, labels: Tensor, steps: int, rate: float, seed: int
) -> nn.Module:
    divergence = BinaryCrossEntropy("sigmoid", validate=False)
    recipe = Recipe(steps, "adam", rate, batch=1024)
    Training(network, divergence, x, labels[:, None].to(x.dtype), recipe, seed).advance(steps)
    return network


@torch.no_grad()
def _logits(network: nn.Module, x: Tensor) -> Float[Tensor, "samples"]:
    logits: Tensor = network(x)[:, 0]
    return logits.double()


@dataclass
class Learnt:
    """Learners trained on samples of two Gaussian classes.

    Attributes:
        distance: per learner, the mean |learner's probability − true posterior|, sizes × seeds.
        probability: per learner, at the largest size and seed 0, P(class 1) of fresh samples.
        labels: the fresh samples' classes.
        truth: their true posterior of class 1.
        units: the logistic unit's weights and bias at each size, seed 0.
    """

    labels: Int[np.ndarray, "fresh"]
    truth: Float[np.ndarray, "fresh"]
    distance: dict[str, Float[np.ndarray, "sizes seeds"]] = field(default_factory=dict)
    probability: dict[str, Float[np.ndarray, "fresh"]] = field(default_factory=dict)
    units: list[tuple[float, ...]] = field(default_factory=list)


@cache
def learn(make: Callable[[], GaussianClasses]) -> Learnt:
    """Train every learner on growing data, a few seeds each, and hold it to the true posterior.

    Args:
        make: gives the classes that samples are drawn from.

    Returns:
        What was learnt; asking again costs nothing.
    """
    classes = make()
    fresh, labels = classes.sample(FRESH, _FRESH_SEED)
    truth = classes.posterior(fresh)[:, 1]
    learnt = Learnt(labels.numpy(), truth.numpy())
    features = fresh.shape[1]
    with one_thread():
        for name, rate in RATES.items():
            learnt.distance[name] = np.empty((len(SIZES), SEEDS))
            for place, size in enumerate(SIZES):
                for seed in reversed(range(SEEDS)):
                    x, answers = classes.sample(size, seed)
                    start = _learner(name, features, seed)
                    network = _trained(start, x.float(), answers, 200, rate, seed)
                    found = torch.sigmoid(_logits(network, fresh.float()))
                    learnt.distance[name][place, seed] = float((found - truth).abs().mean())
                # The loops end at seed 0, and at the largest size.
                learnt.probability[name] = found.numpy()
                if isinstance(network, nn.Linear):
                    learnt.units.append((*network.weight[0].tolist(), network.bias.item()))
    return learnt


@dataclass
class Mended:
    """An over-confident network before and after temperature scaling, a row a split.

    Attributes:
        scores: test scores by name: ``nll``, ``error`` (expected calibration error) and
            ``confidence``, each splits × (before, after).
        loss: cross-entropy of the samples trained on, in nats.
        accuracy: on the test part.
        temperature: found on the calibration part.
        chance: the calibration error that the calibrated probabilities would show on as many
            samples if they were exactly right: labels drawn from them.
        probability: P(class 1) before and after, all splits' test parts one after another.
        labels: their labels.
        sizes: samples trained on, calibrated on, tested on.
    """

    scores: dict[str, Float[np.ndarray, "splits 2"]]
    loss: Float[np.ndarray, "splits"]
    accuracy: Float[np.ndarray, "splits"]
    temperature: Float[np.ndarray, "splits"]
    chance: Float[np.ndarray, "splits"]
    probability: tuple[Float[np.ndarray, "tested"], Float[np.ndarray, "tested"]]
    labels: Int[np.ndarray, "tested"]
    sizes: tuple[int, int, int]


@cache
def mend() -> Mended:
    """Train on a fifth of the tumours until nothing is left to learn; calibrate; test."""
    data = load_labelled("breast-cancer")
    inputs, labels = torch.from_numpy(data.inputs.copy()), torch.from_numpy(data.labels.copy())
    trained, asked = len(inputs) // 5, 3 * len(inputs) // 5
    scores = {name: np.empty((SPLITS, 2)) for name in ("nll", "error", "confidence")}
    loss, accuracy, temperature, chance = (np.empty(SPLITS) for _ in range(4))
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    with one_thread():
        for seed in range(SPLITS):
            order = torch.randperm(len(inputs), generator=generator(seed, "explain/sigmoid/split"))
            seen = inputs[order[:trained]]
            x, answers = (inputs - seen.mean(0))[order] / seen.std(0), labels[order]
            start = CoordinateNet(x.shape[1], 1, width=64, depth=2, activation="relu", seed=seed)
            network = _trained(start, x[:trained], answers[:trained], 150, 0.01, seed)
            logits = _logits(network, x)
            loss[seed] = _nll(logits[:trained], answers[:trained])
            scale = calibrate(logits[trained:asked], answers[trained:asked])
            tested, right = logits[asked:], answers[asked:]
            for place, asked_logits in enumerate((tested, scale(tested))):
                rows = _rows(asked_logits)
                scores["nll"][seed, place] = _nll(asked_logits, right)
                scores["error"][seed, place] = calibration_error(rows, right)
                scores["confidence"][seed, place] = rows.amax(dim=1).mean()
            draws = generator(seed, "explain/sigmoid/chance")
            chance[seed] = calibration_error(
                rows, torch.multinomial(rows, 1, generator=draws)[:, 0]
            )
            accuracy[seed] = ((tested > 0) == right).double().mean()
            temperature[seed] = float(scale.temperature)
            found.append((torch.sigmoid(tested), rows[:, 1], right))
    before, after, tested_labels = (torch.cat(part).numpy() for part in zip(*found, strict=True))
    sizes = (trained, asked - trained, len(inputs) - asked)
    return Mended(
        scores, loss, accuracy, temperature, chance, (before, after), tested_labels, sizes
    )


def _nll(logits: Tensor, labels: Tensor) -> float:
    return float(BinaryCrossEntropy("sigmoid")(logits, labels.double()))


def _rows(logits: Tensor) -> Float[Tensor, "samples 2"]:
    return torch.stack([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=1)
