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

    Returns:
        The twin, of the same class where the network is no `Residual` itself.

    Raises:
        PenchantError: there is no `Residual` in it. A skip that is an addition in a forward of
            one's own cannot be taken out from outside.

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
    twin = copy.deepcopy(network)
    found = [
        (path, module)
        for path, module in twin.named_modules(remove_duplicate=False)
        if isinstance(module, Residual)
    ]
    if not found:
        raise PenchantError(
            f"plain_twin({type(network).__name__}): there is no Residual in it; it is plain "
            "already, or adds its skips in a forward of its own"
        )
    made: dict[int, nn.Sequential] = {}  # a block that stands in two places is one block
    for path, block in reversed(found):  # from within, while each path still leads there
        if id(block) not in made:
            made[id(block)] = plain(block.inner, block.activation)
            made[id(block)].training = block.training
        if not path:
            return made[id(block)]
        twin.set_submodule(path, made[id(block)])
    return twin
