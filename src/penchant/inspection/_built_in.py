"""Networks that can be inspected by a name alone, each with an input that suits it."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from penchant.errors import PenchantError, nearest
from penchant.models import load_model
from penchant.nn import TDNN, CoordinateNet, ResNet, ScanningMLP


@dataclass(frozen=True)
class BuiltIn:
    """A network of ours.

    Args:
        make: makes it.
        input: what goes in where nobody says so.
        line: what it is.
    """

    make: Callable[[], nn.Module]
    input: str
    line: str


BUILT_IN = {
    "coordinate": BuiltIn(
        lambda: CoordinateNet(2, 3), "2", "from a pixel's position to its colour"
    ),
    "scanning": BuiltIn(
        lambda: ScanningMLP(1, [(4, 2, 2), (3, 2, 2), (2, 2, 2)]).to_conv(),
        "1x8",
        "an MLP with shared blocks over 8 samples, as convolutions",
    ),
    "tdnn": BuiltIn(lambda: TDNN(32, 10), "32x98", "a second of speech, one of ten words"),
    "resnet-20": BuiltIn(
        lambda: ResNet(20), "3x32x32", "a residual network of 20 layers for small pictures"
    ),
    "resnet-56": BuiltIn(
        lambda: ResNet(56), "3x32x32", "a residual network of 56 layers for small pictures"
    ),
    "resnet-18": BuiltIn(
        lambda: ResNet.imagenet(18), "3x224x224", "the residual network of 18 layers for ImageNet"
    ),
    "resnet-50": BuiltIn(
        lambda: ResNet.imagenet(50), "3x224x224", "the same of 50 layers, with bottlenecks"
    ),
}


def model_of(source: str) -> tuple[nn.Module, str | None]:
    """Make the network that a word names.

    Args:
        source: a built-in name, ``file.py:Class`` or ``package.module:callable``.

    Returns:
        The network, and the input that suits it, for a built-in one.

    Raises:
        PenchantError: it names no network.

    Example:
        >>> model_of("coordinate")[1]
        '2'
    """
    if source in BUILT_IN:
        return BUILT_IN[source].make(), BUILT_IN[source].input
    if ":" not in source:
        if source.endswith(".py"):
            raise PenchantError(f"{source!r} names no network in it: use {source}:Class")
        raise PenchantError(
            f"{source!r} is no built-in network ({nearest(source, list(BUILT_IN))}); for your own "
            "use file.py:Class or package.module:callable"
        )
    return load_model(source), None
