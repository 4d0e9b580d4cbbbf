"""One seed's division of labelled data: what training sees, and how its answers are scored."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.tasks._calibration import calibration_error
from penchant.tasks._evaluate import evaluate
from penchant.tasks._stratified import in_turn
from penchant.tasks._task import Score, Split
from penchant.tasks._transfer import FEATURES, INPUTS, Transfer

WATCHED = 2000
"""The most samples of a part that are asked while a run trains."""

_BLOCK_VALUES = 1 << 19  # inputs that are asked at once: a convolution makes many values of each

Questions = tuple[Float32[Tensor, "samples inputs"], Int[Tensor, "samples"]]
"""Inputs, and the classes that are right."""


class ClassificationSplit(Split):
    """One seed's seen and held-out samples; made by `ClassificationTask.split`.

    Args:
        rows: all samples, standardised.
        labels: their classes.
        classes: how many classes there are.
        parts: indices of the training samples, and of those that the held-out metrics ask about.
        altered: by name, the latter in other forms, standardised alike.
        transfer: what the network's features are asked, if anything.

    Attributes:
        inputs: the training samples, flattened and standardised.
        targets: rows with a one at the sample's class.
        seen: indices of the training samples.
        held_out: indices of the samples that the held-out metrics ask about.
    """

    def __init__(
        self,
        rows: Float32[Tensor, "samples inputs"],
        labels: Int[Tensor, "samples"],
        classes: int,
        parts: tuple[Int[np.ndarray, "seen"], Int[np.ndarray, "held_out"]],
        *,
        altered: Mapping[str, Float32[Tensor, "held_out inputs"]],
        transfer: Transfer | None = None,
    ) -> None:
        self.seen, self.held_out = parts
        self.inputs = _stretch(rows, self.seen)
        self.targets = nn.functional.one_hot(labels[self.seen], classes).float()
        asked = labels[self.held_out]
        self._both: dict[str, Questions] = {
            "held_out": (_stretch(rows, self.held_out), asked),
            "seen": (self.inputs, labels[self.seen]),
        }
        self._watched = {part: _few(questions) for part, questions in self._both.items()}
        self._altered = {f"{form}_held_out": (values, asked) for form, values in altered.items()}
        self._transfer = transfer

    def score(self, network: nn.Module, *, final: bool = True) -> Score:
        """Score a network's logits.

        Args:
            network: answers each sample with one logit a class; see `ClassificationTask.answering`.
            final: ask about all samples and for all metrics; otherwise for accuracy and
                log-likelihood on a fixed choice of at most 2,000 samples of each part.

        Returns:
            The scores; those of the constant answer if any of the network's is not finite.

        Raises:
            PenchantError: the network answers with another number of classes, or has no layer
                whose inputs are its features where these are asked for.
        """
        if self._transfer is not None:
            self._transfer.check(network)
        parts = self._parts(final)
        logits = {part: self._answers(network, inputs) for part, (inputs, _) in parts.items()}
        if not all(bool(answers.isfinite().all()) for answers in logits.values()):
            return self._constant(final)
        metrics = self._metrics(logits, final)
        if final and self._transfer is not None:
            metrics[FEATURES] = self._transfer.accuracy(network)
            metrics[INPUTS] = self._transfer.of_inputs()
        return Score(metrics)

    def constant_score(self) -> Score:
        """Score the classes' shares of the training samples, given for every sample."""
        return self._constant(final=True)

    def _parts(self, final: bool) -> dict[str, Questions]:
        return {**self._both, **self._altered} if final else self._watched

    def _constant(self, final: bool) -> Score:
        shares = self.targets.double().mean(dim=0).log()
        parts = self._parts(final)
        metrics = self._metrics(
            {part: shares.expand(len(inputs), -1) for part, (inputs, _) in parts.items()}, final
        )
        if final and self._transfer is not None:
            metrics[FEATURES] = self._transfer.constant()
            metrics[INPUTS] = self._transfer.of_inputs()
        return Score(metrics)

    def _answers(
        self, network: nn.Module, inputs: Float32[Tensor, "samples inputs"]
    ) -> Float[Tensor, "samples classes"]:
        logits = evaluate(network, inputs, block_of(inputs))
        if logits.shape != (len(inputs), self.targets.shape[1]):
            raise PenchantError(
                f"a network that answers {len(inputs)} samples with shape {tuple(logits.shape)}; "
                f"{(len(inputs), self.targets.shape[1])} is needed: one number a class"
            )
        return logits

    def _metrics(
        self, answers: Mapping[str, Float[Tensor, "_ classes"]], final: bool
    ) -> dict[str, float]:
        metrics: dict[str, float] = {}
        for part, (_, labels) in self._parts(final).items():
            logs = answers[part].double().log_softmax(dim=1)
            metrics[f"accuracy_{part}"] = _accuracy(logs, labels)
            if part in self._both:
                metrics[f"nll_{part}"] = -float(logs.gather(1, labels[:, None]).mean())
            if part in self._both and final:
                metrics[f"ece_{part}"] = 100 * calibration_error(logs.exp(), labels)
        metrics["gap_accuracy"] = metrics["accuracy_seen"] - metrics["accuracy_held_out"]
        metrics["gap_nll"] = metrics["nll_held_out"] - metrics["nll_seen"]
        return metrics


def block_of(inputs: Float32[Tensor, "samples inputs"]) -> int:
    """Return how many samples a network is asked about at once."""
    return max(1, min(4096, _BLOCK_VALUES // inputs.shape[1]))


def _accuracy(logits: Float[Tensor, "_ classes"], labels: Int[Tensor, "_"]) -> float:
    return 100 * float((logits.argmax(dim=1) == labels).double().mean())


def _few(
    questions: Questions,
) -> tuple[Float32[Tensor, "few inputs"], Int[Tensor, "few"]]:
    """Choose the samples that are watched, the same share of each class."""
    inputs, labels = questions
    if len(inputs) <= WATCHED:
        return questions
    order = in_turn(labels.numpy(), generator(0, "watched"))[:WATCHED]
    chosen = torch.from_numpy(np.sort(order))
    return inputs[chosen], labels[chosen]


def _stretch(
    rows: Float32[Tensor, "samples inputs"], chosen: Int[np.ndarray, "chosen"]
) -> Float32[Tensor, "chosen inputs"]:
    """Return the chosen rows, without a copy where they follow each other."""
    first, last = int(chosen[0]), int(chosen[-1])
    if last - first + 1 == len(chosen):
        return rows[first : last + 1]
    return rows[torch.from_numpy(chosen)]
