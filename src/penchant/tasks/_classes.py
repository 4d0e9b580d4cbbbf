"""What all tasks with classes have in common: targets are rows with a one at the right class."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.divergences import DIVERGENCES, Divergence, LinkName
from penchant.divergences import divergence as make_divergence
from penchant.errors import PenchantError, nearest
from penchant.tasks._task import Task

_OF_CLASSES = ("cross_entropy", "kl")
_OF_NUMBERS = ("huber", "l1", "l2")


class ClassesTask(Task):
    """Tell classes apart: a sample in, one number for each class out."""

    def divergence(
        self, name: str | None = None, link: LinkName | None = None, **numbers: float
    ) -> Divergence:
        """Return what training minimises; see `Task.divergence`.

        Args:
            name: by default kl, which between a row with a one and probabilities is the negative
                log-likelihood; the binary ones do not fit.
            link: by default softmax, also for l2, l1 and huber, which may have the identity too:
                the network then answers with the row itself.
            numbers: of the divergence, such as Huber's delta.

        Returns:
            A divergence between logits (with the identity, answers) and rows of targets.

        Raises:
            PenchantError: a name or link that does not fit classes.
        """
        name, link = name or "kl", link or "softmax"
        fitting = _OF_CLASSES + _OF_NUMBERS
        if name not in fitting:
            why = "is unknown"
            if name in DIVERGENCES:
                why = "is between single probabilities, where classes have rows of them"
            raise PenchantError(f"divergence={name!r} {why}; {nearest(name, fitting)}")
        if link != "softmax" and not (link == "identity" and name in _OF_NUMBERS):
            raise PenchantError(
                f"link={link!r} with divergence={name!r}: classes have the link softmax, and "
                f"{', '.join(_OF_NUMBERS)} may have the identity"
            )
        return make_divergence(name, link=link, reduction="mean", validate=False, **numbers)

    def answering(self, network: nn.Module, divergence: Divergence) -> nn.Module:
        """Return what answers with logits: the network, or what turns its rows into logits.

        Args:
            network: trained with the divergence.
            divergence: with the link identity, the network's answers are taken for shares: clipped
                to [1e-6, 1], divided by their sum, and the logarithm taken.

        Returns:
            What `ClassificationSplit.score` is to be given.
        """
        return _Shares(network) if divergence.link == "identity" else network


class _Shares(nn.Module):
    """Turns a network's rows, meant as shares of classes, into their logarithms."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Float[Tensor, "samples inputs"]) -> Float[Tensor, "samples classes"]:
        answers: Tensor = self.network(inputs)
        shares = answers.clamp(1e-6, 1)
        logs = (shares / shares.sum(dim=1, keepdim=True)).log()
        return torch.where(answers.isfinite(), logs, torch.nan)  # clipping would hide infinity
