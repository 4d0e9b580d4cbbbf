"""Distances between numbers: squared, absolute, and what is the first near and the second far."""

import math
from numbers import Real

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from penchant.divergences._divergence import Divergence
from penchant.divergences._links import LinkName, ReductionName
from penchant.errors import PenchantError


class L2(Divergence):
    r"""Half the squared distance.

    .. math:: \tfrac{1}{2} \lVert y - d \rVert^2, \qquad \frac{\partial}{\partial y} = y - d

    The half makes the derivative the error itself. Averaged over n samples it is torch's
    ``F.mse_loss(y, d, reduction="sum") / (2 * n)``; torch's default averages over outputs too and
    has no half. Behind a sigmoid or softmax it is not convex, and its derivative dies where the
    network is certain, rightly or wrongly.

    Example:
        >>> import torch
        >>> L2()(torch.tensor([[1.5]]), torch.tensor([[1.0]]))
        tensor(0.1250)

    Source: Gauss, "Theoria motus corporum coelestium", 1809.
    """

    name = "l2"
    convex_links = ("identity",)
    noise = "Gaussian, of the same variance in every output"
    factor = 0.5

    def parts(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return (y - d)², whose factor is a half."""
        return F.mse_loss(answer, target, reduction="none")

    def slopes(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return y - d."""
        return answer - target


class L1(Divergence):
    r"""The absolute distance.

    .. math:: \sum_k |y_k - d_k|, \qquad \frac{\partial}{\partial y} = \mathrm{sgn}(y - d)

    At the kink y = d the derivative is taken as 0. Averaged over n samples it is torch's
    ``F.l1_loss(y, d, reduction="sum") / n``.

    Example:
        >>> import torch
        >>> L1()(torch.tensor([[1.5]]), torch.tensor([[1.0]]))
        tensor(0.5000)

    Source: Laplace, "Mémoire sur la probabilité des causes par les évènements", 1774.
    """

    name = "l1"
    convex_links = ("identity",)
    noise = "Laplace, of the same scale in every output"

    def parts(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return |y - d|."""
        return F.l1_loss(answer, target, reduction="none")

    def slopes(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return the sign of y - d."""
        return (answer - target).sgn_()


class Huber(Divergence):
    r"""L2 up to an error of δ, and a straight line beyond.

    .. math:: \sum_k \begin{cases} \tfrac{1}{2} e_k^2 & |e_k| \le \delta \\
              \delta (|e_k| - \tfrac{1}{2}\delta) & |e_k| > \delta \end{cases}, \quad e = y - d,
              \qquad \frac{\partial}{\partial y} = \min(\max(e, -\delta), \delta)

    Averaged over n samples it is torch's ``F.huber_loss(y, d, reduction="sum", delta=δ) / n``, and
    δ times ``F.smooth_l1_loss(..., beta=δ)``.

    Args:
        link: see `Divergence`.
        delta: δ, finite and above 0, in the unit of the answers.
        reduction: see `Divergence`.
        validate: see `Divergence`.

    Example:
        >>> import torch
        >>> Huber(delta=1)(torch.tensor([[1.5], [4.0]]), torch.tensor([[1.0], [1.0]]))
        tensor(1.3125)

    Source: Huber, "Robust estimation of a location parameter", 1964.
    """

    name = "huber"
    convex_links = ("identity",)
    noise = (
        "Gaussian in the middle with the tails of a Laplace beyond delta: outliers among targets"
    )
    numbers = ("delta",)

    def __init__(
        self,
        link: LinkName = "identity",
        *,
        delta: float = 1.0,
        reduction: ReductionName = "mean",
        validate: bool = True,
    ) -> None:
        super().__init__(link, reduction=reduction, validate=validate)
        if not isinstance(delta, Real) or not math.isfinite(delta) or delta <= 0:
            raise PenchantError(f"Huber(delta={delta!r}): needs a finite number above 0")
        self.delta: float = float(delta)
        self.factor = self.delta

    def parts(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return e²/2δ up to δ and the line that continues it, whose factor is δ."""
        # F.huber_loss itself fails under torch.vmap where only the targets are batched.
        return F.smooth_l1_loss(answer, target, reduction="none", beta=self.delta)

    def slopes(
        self, answer: Float[Tensor, "samples *outputs"], target: Float[Tensor, "samples *outputs"]
    ) -> Float[Tensor, "samples *outputs"]:
        """Return y - d, held within ±δ."""
        return (answer - target).clamp(-self.delta, self.delta)
