"""What a network's features are worth on classes that it has not learnt: a linear probe."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.tasks._evaluate import evaluate
from penchant.tasks._standardised import standardised

FEATURES = "accuracy_features_held_out"
"""What a probe makes of features."""

INPUTS = "accuracy_inputs_held_out"
"""What it makes of the inputs themselves, which features should do better than."""

LEARNT = 2000
"""The most samples that the probe learns from, so that it takes seconds at the most."""

_ROUNDS = 1000  # of L-BFGS; a few hundred are usual


@dataclass(frozen=True, eq=False)
class Transfer:
    """Samples of classes that a network has not learnt, to be told apart by its features.

    Features are what the network's last linear layer (the last `nn.Linear` that it calls) is given,
    in evaluation mode; standardised one by one, with those of the probe's own training samples.
    The probe is scikit-learn's logistic regression (L2 penalty, C = 1). The network stays as it is.

    Args:
        inputs: what the probe learns from.
        labels: their classes.
        asked: what it is asked.
        right: the classes of these.

    Source: Yosinski, Clune, Bengio, Lipson, "How transferable are features in deep neural
    networks?", 2014; Alain, Bengio, "Understanding intermediate layers using linear classifier
    probes", 2016.
    """

    inputs: Float32[Tensor, "samples inputs"]
    labels: Int[np.ndarray, "samples"]
    asked: Float32[Tensor, "asked inputs"]
    right: Int[np.ndarray, "asked"]

    def accuracy(self, network: nn.Module) -> float:
        """Return the percentage of the asked samples that the probe gets right.

        Raises:
            PenchantError: the network calls no linear layer.
        """
        seen, asked = features(network, self.inputs), features(network, self.asked)
        if not (np.isfinite(seen).all() and np.isfinite(asked).all()):
            return self.constant()
        both = standardised(np.concatenate([seen, asked]), seen, together=False)
        return _probed(both[: len(seen)], self.labels, both[len(seen) :], self.right)

    def of_inputs(self) -> float:
        """Return the same for a probe of the inputs themselves, the same for every network."""
        seen, asked = self.inputs.numpy(), self.asked.numpy()
        both = standardised(np.concatenate([seen, asked]), seen, together=False)
        return _probed(both[: len(seen)], self.labels, both[len(seen) :], self.right)

    def constant(self) -> float:
        """Return the same for the most frequent class, given as every answer."""
        return 100 * float((self.right == np.bincount(self.labels).argmax()).mean())

    @staticmethod
    def check(network: nn.Module) -> None:
        """Refuse a network without a linear layer, before it is trained in vain."""
        if not any(isinstance(module, nn.Linear) for module in network.modules()):
            raise PenchantError(
                f"transfer: {type(network).__name__} has no nn.Linear, and features are what the "
                "last one is given; end the network with one, or leave transfer out"
            )


def features(
    network: nn.Module, inputs: Float32[Tensor, "samples inputs"], block: int = 512
) -> Float[np.ndarray, "samples features"]:
    """Return what a network's last linear layer is given, a row a sample.

    Args:
        network: asked in evaluation mode and left as it was.
        inputs: the samples.
        block: samples at once.

    Raises:
        PenchantError: the network calls no linear layer.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))
        >>> features(network, torch.zeros(5, 2)).shape
        (5, 3)
    """
    Transfer.check(network)
    return evaluate(_Features(network), inputs, block).numpy()


class _Features(nn.Module):
    """Answers with what a network's last linear layer is given."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        """Ask the network and return its features, flattened."""
        given: list[Tensor] = []

        def keep(_: nn.Module, arguments: tuple[Any, ...]) -> None:
            given[:] = arguments[:1]

        linear = [module for module in self.modules() if isinstance(module, nn.Linear)]
        handles = [module.register_forward_pre_hook(keep) for module in linear]
        try:
            self.network(inputs)
        finally:
            for handle in handles:
                handle.remove()
        if not given:
            raise PenchantError(
                f"transfer: {type(self.network).__name__} calls no nn.Linear, and features are "
                "what the last one is given"
            )
        rows = given[0].flatten(1)
        return torch.view_as_real(rows).flatten(1) if rows.is_complex() else rows


def _probed(
    seen: Float32[np.ndarray, "samples features"],
    labels: Int[np.ndarray, "samples"],
    asked: Float32[np.ndarray, "asked features"],
    right: Int[np.ndarray, "asked"],
) -> float:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # One thread, for the order of sums depends on their number.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe = LogisticRegression(max_iter=_ROUNDS)  # type: ignore[no-untyped-call]
        probe.fit(seen.astype(np.float64), labels)
        answers = probe.predict(asked.astype(np.float64))  # type: ignore[no-untyped-call]
    return 100 * float((answers == right).mean())
