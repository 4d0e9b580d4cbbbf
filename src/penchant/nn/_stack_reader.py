"""Reading a user's network as a stack of convolutions, or saying which layer prevents it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn, cast

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from penchant.errors import PenchantError
from penchant.nn._pointwise import is_dropout, require_pointwise
from penchant.nn._stages import Stage, packed

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
Softmax = nn.Softmax | nn.LogSoftmax


def read_stages(
    call: str,
    network: nn.Module,
    window: tuple[int, ...] | None = None,
    softmax: bool = True,
) -> tuple[list[Stage], tuple[int, ...]]:
    """Read a network as stages and the padding of the first.

    Args:
        call: what the messages begin with.
        network: nested `nn.Sequential`s.
        window: of a window classifier, which has `nn.Flatten` and Linear layers; None for a
            network of convolutions, whose first may pad.
        softmax: whether one over the channels of a place may stand behind a layer.

    Returns:
        The stages, which share the network's parameters where nothing was folded into them.

    Raises:
        PenchantError: a layer prevents it; the message names it and says why.
    """
    if not isinstance(network, nn.Sequential):
        raise PenchantError(
            f"{call}({type(network).__name__}): needs an nn.Sequential, since what another module "
            "does between its layers cannot be read off it"
        )
    reader = _Reader(call, window, softmax)
    for path, module in _leaves(network):
        reader.take(path, module)
    return reader.finish()


def _leaves(network: nn.Sequential, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    # Not named_children, which leaves out a module's second appearance.
    for name, module in network._modules.items():
        if isinstance(module, nn.Sequential):
            yield from _leaves(module, f"{path}{name}.")
        elif module is not None:
            yield f"{path}{name}", module


@dataclass
class _Draft:
    """A stage that is still being read."""

    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    after: list[nn.Module] = field(default_factory=list)


class _Reader:
    """What has been read so far.

    `left` are the places that a window still has, None for a network that is given no window;
    `ahead` is the factor and shift of a batch normalisation that waits for the layer behind it.
    """

    def __init__(self, call: str, window: tuple[int, ...] | None, softmax: bool) -> None:
        self.call = call
        self.softmax = softmax
        self.window = self.left = window
        self.flat = False
        self.drafts: list[_Draft] = []
        self.padding: tuple[int, ...] = ()
        self.ahead: tuple[Tensor, Tensor] | None = None
        self.where = call

    def take(self, path: str, module: nn.Module) -> None:
        self.where = f"{self.call}: layer {path} ({type(module).__name__})"
        if isinstance(getattr(module, "weight", None), UninitializedParameter):
            self._prevents("it has no weights before it has seen a batch")
        if isinstance(module, Convolution):
            self._convolution(module)
        elif isinstance(module, nn.Flatten):
            self._flatten(module)
        elif isinstance(module, nn.Linear):
            self._linear(module)
        elif isinstance(module, BatchNorm):
            self._batch_norm(module)
        elif is_dropout(module):
            if module.training and cast(nn.Dropout, module).p > 0:
                self._prevents("in training mode it drops values at random; call .eval() first")
        elif self.softmax and isinstance(module, Softmax) and self._is_across_units(module):
            self._pointwise(type(module)(dim=1))
        else:
            require_pointwise(self.where, module)
            self._pointwise(module)

    def finish(self) -> tuple[list[Stage], tuple[int, ...]]:
        if not self.drafts or (self.window is not None and not self.flat):
            wanted = "nn.Flatten and a Linear layer" if self.window else "a convolution"
            raise PenchantError(f"{self.call}: the network needs {wanted}, and has none")
        if self.ahead is not None:
            self._prevents("no layer stands directly before or behind it to take it in")
        stages = [
            Stage(draft.weight, draft.bias, draft.stride, draft.dilation, packed(draft.after))
            for draft in self.drafts
        ]
        return stages, self.padding

    def _prevents(self, reason: str) -> NoReturn:
        raise PenchantError(f"{self.where} prevents it: {reason}")

    def _is_across_units(self, module: Softmax) -> bool:
        # A window's units are its last dimension, and become the channels of a place.
        return module.dim == 1 or (self.flat and module.dim == -1)

    def _pointwise(self, module: nn.Module) -> None:
        if isinstance(module, nn.Identity):
            return
        if not self.drafts or self.ahead is not None:
            self._prevents("it stands before the first layer, or behind what that should take in")
        self.drafts[-1].after.append(module)

    def _convolution(self, module: Convolution) -> None:
        axes, padding = len(module.kernel_size), _padding(module)
        expected = self.drafts[0].weight.dim() - 2 if self.drafts else len(self.window or padding)
        if self.flat:
            self._prevents("it stands behind nn.Flatten, where no places are left")
        if axes != expected:
            self._prevents(f"it takes {axes} axes, and the signal has {expected}")
        if module.groups != 1:
            self._prevents(f"groups={module.groups}; a scanning MLP's filters see all channels")
        if any(padding):
            if module.padding_mode != "zeros" or min(padding) < 0:
                self._prevents(
                    f"padding={module.padding!r}, {module.padding_mode}: a scan pads with the "
                    "same number of zeros on both sides"
                )
            if self.drafts or self.window or self.ahead:
                self._prevents(
                    f"padding={module.padding!r}: what lies at the edge of a window lies inside a "
                    "signal; only the first of a network's layers can pad, with the signal's zeros"
                )
        self.padding = self.padding or padding
        if self.left is not None:
            self.left = tuple(
                (left - dilation * (width - 1) - 1) // stride + 1
                for left, width, stride, dilation in zip(
                    self.left, module.kernel_size, module.stride, module.dilation, strict=True
                )
            )
            if min(self.left) < 1:
                self._prevents(f"window={self.window} is too short for it")
        self._add(module.weight, module.bias, module.stride, module.dilation)

    def _flatten(self, module: nn.Flatten) -> None:
        if self.window is None:
            self._prevents("a signal keeps its places; `dense_pass` takes window classifiers")
        if module.start_dim != 1 or module.end_dim not in (-1, len(self.window) + 1):
            self._prevents("it must make one row of each window: nn.Flatten(1, -1)")
        self.flat = True

    def _linear(self, module: nn.Linear) -> None:
        if self.left is None or not self.flat:
            reason = "needs nn.Flatten() before it, without which it sees one axis and no window"
            self._prevents(reason if self.window else "`dense_pass` takes window classifiers")
        places = math.prod(self.left)
        channels, rest = divmod(module.in_features, places)
        known = len(self.drafts[-1].weight) if self.drafts else channels
        if rest or channels != known:
            found = f"{known} channels × {places}" if self.drafts else f"channels × {places}"
            self._prevents(
                f"in_features={module.in_features}, and window={self.window} leaves {found} values"
            )
        ones = (1,) * len(self.left)
        weight = module.weight.reshape(module.out_features, channels, *self.left)
        self._add(weight, module.bias, ones, ones)
        self.left = ones

    def _add(
        self,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
    ) -> None:
        if self.drafts and weight.shape[1] != len(self.drafts[-1].weight):
            self._prevents(
                f"it takes {weight.shape[1]} channels, and gets {len(self.drafts[-1].weight)}"
            )
        if self.ahead is not None:
            factor, shift = (
                # One number a channel, or behind Flatten one for each place of each channel.
                part.reshape(weight.shape[1], *weight.shape[2:])
                if len(part) == math.prod(weight.shape[1:])
                else part.reshape(-1, *(1,) * (weight.dim() - 2))
                for part in self.ahead
            )
            constant = (weight * shift).flatten(1).sum(1)
            weight, bias = weight * factor, constant if bias is None else bias + constant
            self.ahead = None
        self.drafts.append(_Draft(weight, bias, tuple(stride), tuple(dilation)))

    def _batch_norm(self, module: BatchNorm) -> None:
        mean, variance = module.running_mean, module.running_var
        if module.training or mean is None or variance is None:
            self._prevents("it normalises by each batch's own statistics; call .eval() first")
        factor = (variance + module.eps).rsqrt()
        if module.weight is not None:
            factor = factor * module.weight
        shift = -mean * factor
        if module.bias is not None:
            shift = shift + module.bias
        draft = self.drafts[-1] if self.drafts else None
        if self.ahead is not None:
            self._prevents("another batch normalisation stands directly before it")
        if draft is None or draft.after or len(draft.weight) != len(factor):
            self.ahead = factor, shift
            return
        draft.weight = draft.weight * factor.reshape(-1, *(1,) * (draft.weight.dim() - 1))
        draft.bias = shift if draft.bias is None else draft.bias * factor + shift


def _padding(module: Convolution) -> tuple[int, ...]:
    # −1 on an axis where the two sides differ.
    if module.padding == "valid":
        return (0,) * len(module.kernel_size)
    if module.padding == "same":
        both = [
            dilation * (width - 1)
            for width, dilation in zip(module.kernel_size, module.dilation, strict=True)
        ]
        return tuple(-1 if total % 2 else total // 2 for total in both)
    return tuple(cast(tuple[int, ...], module.padding))
