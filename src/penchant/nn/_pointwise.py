"""Which modules act on each number alone, and why others do not."""

import copy

from torch import nn

from penchant.errors import PenchantError
from penchant.nn._activation import Activation
from penchant.nn._activations import activation
from penchant.nn._rectifiers import GELU, ReLU, Sigmoid, SiLU, Tanh

POINTWISE = (
    Activation,
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardshrink,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.Identity,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.Mish,
    nn.ReLU,
    nn.ReLU6,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Softshrink,
    nn.Softsign,
    nn.Tanh,
    nn.Tanhshrink,
    nn.Threshold,
)
"""torch's pointwise modules, and all of this room's."""

PLAIN: dict[type[Activation], type[nn.Module]] = {
    GELU: nn.GELU,
    ReLU: nn.ReLU,
    SiLU: nn.SiLU,
    Sigmoid: nn.Sigmoid,
    Tanh: nn.Tanh,
}

REASONS: tuple[tuple[tuple[type[nn.Module], ...], str], ...] = (
    (
        (nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm, nn.RMSNorm),
        "it divides by the spread of all units of one window, and no plain convolutional module "
        "takes that at each place; train with nn.BatchNorm1d, which folds into its neighbour",
    ),
    (
        (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
        "it divides by a spread over places, which a window and a whole signal do not share",
    ),
    (
        (nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d, nn.GLU),
        "it mixes units; `dense_pass` takes softmax over all units of a layer, a scanning MLP none",
    ),
    (
        (nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer),
        "it carries values from place to place, so a window's answer differs from a signal's",
    ),
    (
        (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
        "pooling is no layer of a scanning MLP; a convolution with a stride takes its place",
    ),
    (
        (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
        "it averages over all places, which a window and a whole signal do not share",
    ),
    (
        (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
        "it makes several places of one, and a scanning MLP's layers look at groups below",
    ),
)


def plain(member: Activation) -> nn.Module:
    """Return torch's own module for an activation that is the same function, else a copy."""
    kind = PLAIN.get(type(member))
    return kind() if kind is not None and member.scale == 1 else copy.deepcopy(member)


def is_dropout(module: nn.Module) -> bool:
    """Say whether a module only drops values, which evaluation leaves out."""
    return isinstance(module, nn.modules.dropout._DropoutNd)


def require_pointwise(where: str, module: nn.Module) -> None:
    """Raise the reason why a module does not act on each number alone.

    A module that is not known is tried on a small tensor, as a user's own activation is.
    """
    for kinds, reason in REASONS:
        if isinstance(module, kinds):
            raise PenchantError(f"{where} prevents it: {reason}")
    if isinstance(module, POINTWISE):
        return
    if isinstance(module, nn.PReLU):
        if module.num_parameters > 1:
            raise PenchantError(
                f"{where} prevents it: it has a slope for each channel, so it is not one function "
                "of a number; use nn.PReLU() with one slope"
            )
        return
    try:
        activation(module)
    except PenchantError as error:
        raise PenchantError(f"{where} prevents it: {error}") from error
