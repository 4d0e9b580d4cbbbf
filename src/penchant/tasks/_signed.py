"""Divergences between probabilities, for targets that training sees in [-1, 1]."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.divergences import Divergence, LinkName
from penchant.divergences import divergence as make_divergence
from penchant.errors import PenchantError, nearest

_NAMES = {
    "l2": "l2",
    "l1": "l1",
    "huber": "huber",
    "kl": "binary_kl",
    "cross_entropy": "binary_cross_entropy",
}
"""A signal's divergences by name; a value in [0, 1] is the probability of a yes."""


class SignedDivergence(Divergence):
    r"""A divergence in [0, 1] behind a sigmoid, for targets t in [-1, 1].

    .. math:: \mathrm{Div}\bigl(\sigma(z), (t + 1) / 2\bigr)
    """

    def __init__(self, inner: Divergence) -> None:
        super().__init__(inner.link, validate=False)
        self.inner = inner

    def parts(
        self, answer: Float[Tensor, "samples outputs"], target: Float[Tensor, "samples outputs"]
    ) -> Float[Tensor, "samples *parts"]:
        """Return the inner divergence's parts, of answers in [0, 1]."""
        return self.inner.parts(answer, (target + 1) / 2)

    def slopes(
        self, answer: Float[Tensor, "samples outputs"], target: Float[Tensor, "samples outputs"]
    ) -> Float[Tensor, "samples outputs"]:
        """Return the inner divergence's slopes, by answers in [0, 1]."""
        return self.inner.slopes(answer, (target + 1) / 2)

    def forward(
        self, output: Float[Tensor, "samples outputs"], target: Float[Tensor, "samples outputs"]
    ) -> Float[Tensor, ""]:
        """Return the mean over samples."""
        value: Tensor = self.inner(output, (target + 1) / 2)
        return value

    def derivative(
        self, output: Float[Tensor, "samples outputs"], target: Float[Tensor, "samples outputs"]
    ) -> Float[Tensor, "samples outputs"]:
        """Return the derivative of that mean with respect to each output."""
        return self.inner.derivative(output, (target + 1) / 2)


class SignedSigmoid(nn.Module):
    r"""From an output to an answer in [-1, 1], :math:`2 \sigma(z) - 1`."""

    def forward(self, output: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Return the answer; nan where the output is not finite, which a sigmoid would hide."""
        return torch.where(output.isfinite(), 2 * output.sigmoid() - 1, torch.nan)


def unsigned(answers: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Turn answers into values, (y + 1) / 2, without clipping.

    Example:
        >>> unsigned(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    return (answers + 1) / 2


def signed_answering(network: nn.Module, divergence: Divergence) -> nn.Module:
    """Return what answers in [-1, 1]: the network, behind a sigmoid where its divergence is."""
    return network if divergence.link == "identity" else nn.Sequential(network, SignedSigmoid())


def signed_divergence(
    name: str | None = None, link: LinkName | None = None, **numbers: float
) -> Divergence:
    """Choose the divergence of a signal with values in [-1, 1].

    Args:
        name: ``l2`` (the default), ``l1``, ``huber``, ``kl`` or ``cross_entropy``; the last two
            take a value as the probability of a yes.
        link: ``identity`` or ``sigmoid``; by default what goes with the name.
        numbers: of the divergence.

    Raises:
        PenchantError: another name, or a link that does not go with it.

    Example:
        >>> signed_divergence().link, signed_divergence("kl").link
        ('identity', 'sigmoid')
    """
    name = name or "l2"
    if name not in _NAMES:
        raise PenchantError(
            f"divergence={name!r} does not fit a signal's values: {nearest(name, list(_NAMES))}"
        )
    member = _NAMES[name]
    links: tuple[LinkName, ...] = ("sigmoid",) if member != name else ("identity", "sigmoid")
    link = link or links[0]
    if link not in links:
        raise PenchantError(
            f"link={link!r} does not fit divergence={name!r} of a signal's values: "
            f"{' or '.join(links)} is needed"
        )
    inner = make_divergence(member, link=link, reduction="mean", validate=False, **numbers)
    return inner if link == "identity" else SignedDivergence(inner)
