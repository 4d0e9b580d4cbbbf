"""What residual networks for pictures are made of: their choices, blocks and shortcuts."""

import copy
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from penchant.errors import PenchantError, nearest
from penchant.nn._activation import Activation
from penchant.nn._activations import ActivationLike, unscaled
from penchant.nn._plain_twin import plain
from penchant.nn._residual import Residual, probability

Form = Literal["post", "pre"]
Normalisation = Literal["batch", "none"]
Shortcut = Literal["pad", "project"]

WIDENING = 4
"""A bottleneck's outputs for each channel of its 3×3 convolution."""


@dataclass(frozen=True)
class Choices:
    """How all blocks of one network are made; the words are `ResNet`'s."""

    activation: ActivationLike = "relu"
    skip: bool = True
    form: Form = "post"
    normalisation: Normalisation = "batch"
    shortcut: Shortcut = "pad"
    skip_scale: float | None = None
    survival: float = 1.0
    phi: Activation = field(init=False)
    """The activation of them all; each place has a copy of its own."""

    def __post_init__(self) -> None:
        """Hold the words to what there is."""
        words = {"form": Form, "normalisation": Normalisation, "shortcut": Shortcut}
        for name, known in words.items():
            value = getattr(self, name)
            if value not in get_args(known):
                raise PenchantError(
                    f"ResNet({name}={value!r}): {nearest(str(value), get_args(known))}"
                )
        if not isinstance(self.skip, bool):
            raise PenchantError(f"ResNet(skip={self.skip!r}): needs True or False")
        probability("ResNet(survival", self.survival)
        if not self.skip and (self.skip_scale is not None or self.survival != 1):
            raise PenchantError(
                f"ResNet(skip=False, skip_scale={self.skip_scale}, survival={self.survival}): "
                "a plain network has no skips, so neither number has a meaning"
            )
        object.__setattr__(self, "phi", unscaled(self.activation, "ResNet"))

    def copy_of_phi(self) -> Activation:
        """Return an activation for one place, with what it learns."""
        return copy.deepcopy(self.phi)

    def convolution(self, before: int, after: int, kernel: int, stride: int = 1) -> nn.Conv2d:
        """Return an unfilled convolution that keeps the size; biases where no norm has them."""
        layer: nn.Conv2d = skip_init(  # type: ignore[no-untyped-call]
            nn.Conv2d,
            before,
            after,
            kernel,
            stride,
            padding=kernel // 2,
            bias=self.normalisation == "none",
        )
        return layer

    def norm(self, name: str, channels: int) -> dict[str, nn.Module]:
        """Return what normalises channels, under a name, or nothing."""
        return {name: nn.BatchNorm2d(channels)} if self.normalisation == "batch" else {}

    def block(
        self,
        before: int,
        width: int,
        stride: int,
        *,
        bottleneck: bool,
        first: bool,
        survival: float,
    ) -> nn.Module:
        """Return a block, residual or plain.

        Args:
            before: channels that come in.
            width: channels within; those that go out unless it is a bottleneck.
            stride: of its (first) 3×3 convolution.
            bottleneck: 1×1, 3×3, 1×1 rather than 3×3, 3×3.
            first: in the pre-activation form, whether its input is activated already.
            survival: the chance of its inner part in training.
        """
        after = WIDENING * width if bottleneck else width
        if bottleneck:
            sizes = [(before, width, 1, 1), (width, width, 3, stride), (width, after, 1, 1)]
        else:
            sizes = [(before, width, 3, stride), (width, width, 3, 1)]
        inner = self._inner(sizes, first)
        phi = self.copy_of_phi() if self.form == "post" else None
        if not self.skip:
            return plain(inner, nn.Identity() if phi is None else phi)
        projection = self._projection(before, after, stride)
        return Residual(inner, phi, projection, scale=self.skip_scale, survival=survival)

    def _inner(self, sizes: list[tuple[int, int, int, int]], first: bool) -> nn.Sequential:
        steps: OrderedDict[str, nn.Module] = OrderedDict()
        for index, (before, after, kernel, stride) in enumerate(sizes, start=1):
            norm = self.norm(f"norm{index}", before if self.form == "pre" else after)
            phi = {f"phi{index}": self.copy_of_phi()}
            affine = {f"convolution{index}": self.convolution(before, after, kernel, stride)}
            if self.form == "post":
                steps |= affine | norm
                if index < len(sizes):  # the last activation is the block's, behind the sum
                    steps |= phi
            else:
                steps |= affine if first and index == 1 else norm | phi | affine
        return nn.Sequential(steps)

    def _projection(self, before: int, after: int, stride: int) -> nn.Module | None:
        if (before, stride) == (after, 1):
            return None
        if self.shortcut == "pad":
            return PadShortcut(before, after, stride)
        steps: dict[str, nn.Module] = {"convolution": self.convolution(before, after, 1, stride)}
        if self.form == "post":  # otherwise nothing more may stand in the identity path
            steps |= self.norm("norm", after)
        return nn.Sequential(OrderedDict(steps))


class PadShortcut(nn.Module):
    """The identity between shapes, without parameters: every stride-th place, then zero channels.

    Option A of He et al., "Deep residual learning", 2015.

    Args:
        before: channels that come in.
        after: channels that go out, no fewer.
        stride: of the places that are kept.

    Example:
        >>> import torch
        >>> PadShortcut(1, 2, 2)(torch.arange(9.0).view(1, 1, 3, 3)).flatten()
        tensor([0., 2., 6., 8., 0., 0., 0., 0.])
    """

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.added = after - before
        self.stride = stride

    def forward(self, a: Float[Tensor, "n before h w"]) -> Float[Tensor, "n after _ _"]:
        """Return the places that are kept, with zero channels behind."""
        kept = a[:, :, :: self.stride, :: self.stride]
        return F.pad(kept, (0, 0, 0, 0, 0, self.added))

    def extra_repr(self) -> str:
        """Show the stride and the channels added."""
        return f"stride={self.stride}, added={self.added}"
