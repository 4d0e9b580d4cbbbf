"""The same network without its skips."""

import copy
from collections import OrderedDict

from torch import nn

from penchant.errors import PenchantError
from penchant.nn._residual import Residual


def plain(inner: nn.Module, activation: nn.Module) -> nn.Sequential:
    """Make a residual block's plain twin g(inner(a)), its parts under the same names.

    Example:
        >>> list(plain(nn.Linear(2, 2), nn.ReLU()).state_dict())
        ['inner.weight', 'inner.bias']
    """
    return nn.Sequential(OrderedDict(inner=inner, activation=activation))


def plain_twin(network: nn.Module) -> nn.Module:
    """Copy a network without its skips: each `Residual` becomes g(inner(a)).

    The layers are the same and so are their numbers, under the same names; projections, learned
    scales and chances of survival are gone. What else the network does stays as it is.

    Args:
        network: any module that contains a `Residual`, however deep, or is one. It is left alone.
            Wherever else it holds a block, in a list of its own for one, it holds the same twin.

    Returns:
        The twin, of the same class where the network is no `Residual` itself.

    Raises:
        PenchantError: there is no `Residual` in it, or one whose class has a forward of its own.
            A skip that is an addition in a forward of one's own cannot be taken out from outside.

    Example:
        >>> from penchant.nn import ResNet
        >>> residual = ResNet(8, width=4)
        >>> twin = plain_twin(residual)
        >>> list(twin.state_dict()) == list(residual.state_dict())
        True
        >>> [type(block).__name__ for block in twin.blocks]
        ['Sequential', 'Sequential', 'Sequential']

    Source: the plain networks of He et al., "Deep residual learning", 2015.
    """
    if not isinstance(network, nn.Module):
        raise PenchantError(f"plain_twin({type(network).__name__}): needs a torch.nn.Module")
    blocks = {path: one for path, one in network.named_modules() if isinstance(one, Residual)}
    if not blocks:
        raise PenchantError(
            f"plain_twin({type(network).__name__}): there is no Residual in it; it is plain "
            "already, or adds its skips in a forward of its own"
        )
    for path, block in blocks.items():
        if type(block).forward is not Residual.forward:
            raise PenchantError(
                f"plain_twin({type(network).__name__}): {path or 'it'} is a {type(block).__name__} "
                "with a forward of its own, of which g(inner(a)) would be a part; a Residual as it "
                "is would fit, with more around it or in its inner module"
            )
    # Each block's twin is there before anything is copied, so that whatever holds the block, by
    # whichever way and however often, comes to hold the twin.
    twins = {id(block): nn.Sequential() for block in blocks.values()}
    memo: dict[int, object] = dict(twins)
    for block in blocks.values():
        parts = {"inner": block.inner, "activation": block.activation}
        for name, part in parts.items():
            twins[id(block)].add_module(name, copy.deepcopy(part, memo))
        twins[id(block)].training = block.training
    twin: nn.Module = copy.deepcopy(network, memo)
    return twin
