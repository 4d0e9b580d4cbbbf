"""What a divergence is: a value, its closed-form derivative, a link before it, a reduction after.

Decisions:
- A sample's value is the sum over its outputs, and "mean" is over samples alone. A value then does
  not depend on how outputs are laid out, and the derivative of one sample is the textbook's.
- A link belongs to the divergence, since a divergence and its matching link are one stable
  formula from the logits, and two unstable ones apart.
- Half precision is computed in float32, as torch's own losses are under autocast: the sum of a
  batch does not fit into float16.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, get_args

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from penchant.divergences import _checks as checks
from penchant.divergences._links import LinkName, ReductionName, answer, pull_back
from penchant.errors import PenchantError, nearest


class Divergence(nn.Module, ABC):
    r"""How far answers y are from their targets d, and the derivative of that.

    .. math:: \mathrm{Div} = \frac{1}{n} \sum_{i=1}^n \sum_k f(y_{ik}, d_{ik}), \qquad
              y = \mathrm{link}(z)

    One's own is a subclass with two methods, `parts` and `slopes`: f and df/dy of the answers.
    Links, reduction, checks and half precision come with it.

    Args:
        link: what makes the answer y of the output z: "identity" where the output is the answer;
            "sigmoid" or "softmax" (over dimension 1) where it is logits.
        reduction: "mean" or "sum" over samples, or "none" for each sample's own value.
        validate: whether to look at values, which reads them from the device. Shapes and types
            are looked at always; values never under torch.compile and torch.vmap. Without it,
            nan and inf pass through to the value.

    Raises:
        PenchantError: an unknown link or reduction; when called, tensors that do not fit.

    Example:
        >>> class Quartic(Divergence):
        ...     name = "quartic"
        ...     def parts(self, answer, target):
        ...         return (answer - target) ** 4 / 4
        ...     def slopes(self, answer, target):
        ...         return (answer - target) ** 3
        >>> output, target = torch.tensor([[3.0]]), torch.tensor([[1.0]])
        >>> Quartic()(output, target), Quartic().derivative(output, target)
        (tensor(4.), tensor([[8.]]))
    """

    name: ClassVar[str] = "own"
    """The name in the table of divergences."""
    matching_link: ClassVar[LinkName] = "identity"
    """The link behind which the derivative is y - d."""
    links: ClassVar[tuple[LinkName, ...]] = get_args(LinkName)
    """The links that it may stand behind."""
    convex_links: ClassVar[tuple[LinkName, ...]] = ()
    """The links with which it is known to be convex in what stands before them."""
    noise: ClassVar[str] = "not stated"
    """The noise in the targets whose negative log-likelihood it is, up to a constant."""
    numbers: ClassVar[tuple[str, ...]] = ()
    """The numbers that the constructor takes."""
    factor: float = 1.0
    """What the sum of `parts` is multiplied by: a half or a sign is free there, and on each part a
    pass over memory."""

    def __init__(
        self,
        link: LinkName = "identity",
        *,
        reduction: ReductionName = "mean",
        validate: bool = True,
    ) -> None:
        super().__init__()
        call = type(self).__name__
        if link not in self.links:
            known = nearest(str(link), self.links)
            raise PenchantError(f"{call}(link={link!r}): not a link of {self.name}; {known}")
        if reduction not in get_args(ReductionName):
            known = nearest(str(reduction), get_args(ReductionName))
            raise PenchantError(f"{call}(reduction={reduction!r}): no such reduction; {known}")
        self.link: LinkName = link
        self.reduction: ReductionName = reduction
        self.validate = bool(validate)

    @property
    def convex_in_logits(self) -> bool:
        """Whether the value is convex in what stands before this divergence's link."""
        return self.link in self.convex_links

    @abstractmethod
    def parts(
        self, answer: Float[Tensor, "samples *outputs"], target: Shaped[Tensor, "samples *targets"]
    ) -> Float[Tensor, "samples *parts"]:
        """Return what, summed over all dimensions but the first, times `factor`, is the value.

        Args:
            answer: y, what comes out of the link.
            target: d.
        """

    @abstractmethod
    def slopes(
        self, answer: Float[Tensor, "samples *outputs"], target: Shaped[Tensor, "samples *targets"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return the derivative of each sample's value with respect to its answers, a new tensor.

        Args:
            answer: y, what comes out of the link.
            target: d.
        """

    def matched_parts(
        self, logits: Float[Tensor, "samples *outputs"], target: Shaped[Tensor, "samples *targets"]
    ) -> Float[Tensor, "samples *parts"]:
        """Return `parts` from the logits of the matching link, in a form that cannot overflow."""
        return self.parts(answer(self.matching_link, logits), target)

    def matched_slopes(
        self, logits: Float[Tensor, "samples *outputs"], target: Shaped[Tensor, "samples *targets"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return the derivative of `matched_parts`, summed, with respect to the logits."""
        slope = self.slopes(answer(self.matching_link, logits), target)
        return pull_back(self.matching_link, logits, slope)

    def forward(
        self, output: Float[Tensor, "samples *outputs"], target: Shaped[Tensor, "samples *targets"]
    ) -> Float[Tensor, "*samples"]:
        """Return the divergence.

        Args:
            output: what the network says: y behind the identity, else logits.
            target: d, what the answer should be.

        Returns:
            A scalar, or of shape (samples,) with reduction "none"; float32 for half precision.

        Raises:
            PenchantError: the tensors do not fit.
        """
        call = type(self).__name__
        looked = self._look(call, output, target)
        z, d = _in_full_precision(output, target)
        if self.link == self.matching_link:
            parts = self.matched_parts(z, d)
        else:
            parts = self.parts(answer(self.link, z), d)
        value = self._reduced(parts, len(output))
        if looked:
            checks.result(call, value, output, target)
        return value

    def derivative(
        self, output: Float[Tensor, "samples *outputs"], target: Shaped[Tensor, "samples *targets"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return the derivative of the reduced value with respect to the output, in closed form.

        With reduction "none" it is that of each sample's own value, as for "sum".

        Args:
            output: what the network says: y behind the identity, else logits.
            target: d, what the answer should be.

        Returns:
            A tensor of the output's shape and type.

        Raises:
            PenchantError: the tensors do not fit.
        """
        call = f"{type(self).__name__}.derivative"
        looked = self._look(call, output, target)
        z, d = _in_full_precision(output, target)
        if self.link == self.matching_link:
            slopes = self.matched_slopes(z, d)
        else:
            slopes = pull_back(self.link, z, self.slopes(answer(self.link, z), d))
        if self.reduction == "mean":
            # A new tensor is what costs most here; where nothing is recorded, this one is ours.
            slopes = slopes / len(output) if torch.is_grad_enabled() else slopes.div_(len(output))
        if looked:
            checks.result(call, slopes, output, target)
        return slopes.to(output.dtype)

    def check_shapes(self, call: str, output: Tensor, target: Tensor) -> None:
        """Refuse types and shapes that do not fit; looked at always.

        Args:
            call: what an error is to name.
            output: as given.
            target: as given.
        """
        checks.batched(call, output, classes=self.link == "softmax")
        checks.floating(call, "target", target)
        checks.alike(call, output, target)

    def check_values(self, call: str, output: Tensor, target: Tensor) -> None:
        """Refuse values that do not fit, nan apart; looked at where `validate` asks for it.

        Args:
            call: what an error is to name.
            output: as given.
            target: as given.
        """

    def extra_repr(self) -> str:
        """Show link, numbers and reduction."""
        shown = "".join(f", {number}={getattr(self, number):g}" for number in self.numbers)
        return f"link={self.link!r}{shown}, reduction={self.reduction!r}"

    def _look(self, call: str, output: Tensor, target: Tensor) -> bool:
        self.check_shapes(call, output, target)
        if not self.validate or torch.compiler.is_compiling():
            return False
        self.check_values(call, output, target)
        return True

    def _reduced(self, parts: Tensor, samples: int) -> Tensor:
        size = abs(self.factor)
        if self.reduction == "mean":
            value = parts.sum() / (samples / size)
        elif self.reduction == "sum":
            value = parts.sum() * size
        else:
            value = parts.reshape(samples, -1).sum(1) * size
        # Not -value, which would make an exact 0 read -0.
        return value if self.factor > 0 else 0 - value


def _in_full_precision(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    if output.dtype in (torch.float16, torch.bfloat16):
        output = output.float()
    return output, target.to(output.dtype) if target.is_floating_point() else target
