"""The table of activations, and how a name or a user's own becomes one."""

from collections.abc import Callable

from torch import Tensor, nn

from penchant.errors import PenchantError, nearest
from penchant.nn._activation import Activation
from penchant.nn._bumps import Gaussian, Laplacian, MultiQuadratic, Quadratic, Sinc
from penchant.nn._own import Own
from penchant.nn._rectifiers import (
    ELU,
    GELU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    SquaredReLU,
    Tanh,
)
from penchant.nn._waves import FINER, Gabor, Sine

ACTIVATIONS: dict[str, type[Activation]] = {
    member.name: member
    for member in (
        Sine,
        FINER,
        Gabor,
        Gaussian,
        Laplacian,
        Quadratic,
        MultiQuadratic,
        Sinc,
        ReLU,
        GELU,
        SiLU,
        Tanh,
        Sigmoid,
        Softplus,
        ELU,
        SquaredReLU,
    )
}
"""Every activation by its name."""

ActivationLike = str | nn.Module | type[nn.Module] | Callable[[Tensor], Tensor]
"""What `activation` makes an activation from."""


def activation(
    name_or_module: ActivationLike,
    *,
    scale: float | None = None,
    omega: float | None = None,
    k: float | None = None,
) -> Activation:
    """Build an activation from its name, or wrap a user's own.

    Args:
        name_or_module: a name in `ACTIVATIONS`; an `Activation` or a subclass; any pointwise
            `nn.Module`, class of it or function, which `Own` wraps.
        scale: s in φ(s·z); the member's default when not given.
        omega: ω of the Gabor wavelet.
        k: bound of FINER's first biases.

    Returns:
        The activation; an `Activation` instance comes back as it is.

    Raises:
        PenchantError: the name is not known, a number does not fit or is one that the activation
            does not have, or the user's own is not a differentiable pointwise function.

    Example:
        >>> activation("gaussian", scale=20)
        Gaussian(scale=20)
        >>> activation("relu", omega=3)
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: activation('relu', omega=3): relu has no omega, only scale
    """
    given = {"scale": scale, "omega": omega, "k": k}
    numbers = {number: value for number, value in given.items() if value is not None}
    if isinstance(name_or_module, str):
        if name_or_module not in ACTIVATIONS:
            known = nearest(name_or_module, list(ACTIVATIONS))
            raise PenchantError(f"activation({name_or_module!r}): no such name; {known}")
        return _build(ACTIVATIONS[name_or_module], numbers)
    if isinstance(name_or_module, Activation):
        if numbers:
            raise PenchantError(
                f"activation({name_or_module}, {_listed(numbers)}): it is built already and keeps "
                "its own numbers; give its class or name instead"
            )
        return name_or_module
    if isinstance(name_or_module, type):
        if issubclass(name_or_module, Activation):
            return _build(name_or_module, numbers)
        name_or_module = _instance(name_or_module)
    if not callable(name_or_module):
        raise PenchantError(
            f"activation({name_or_module!r}): needs a name, an nn.Module or a function"
        )
    if set(numbers) - {"scale"}:
        raise PenchantError(
            f"activation({name_or_module}, {_listed(numbers)}): one's own has only scale"
        )
    return Own(name_or_module, scale=scale)


def unscaled(name_or_module: ActivationLike, network: str) -> Activation:
    """Build an activation for what comes in with spread 1, as in networks for pictures.

    The scales that belong to the names are for a point's coordinates, 30 for a sine.

    Args:
        name_or_module: what `activation` takes; a name's or a class's scale is 1, one that is
            built already keeps its own.
        network: what asks, for messages.

    Returns:
        The activation.

    Raises:
        PenchantError: its values are complex, or what `activation` raises.

    Example:
        >>> unscaled("sine", "ResNet")
        Sine(scale=1)
    """
    named = isinstance(name_or_module, str | type)
    phi = activation(name_or_module, scale=1 if named else None)
    if phi.is_complex:
        raise PenchantError(
            f"{network}(activation={phi.name!r}): its values are complex, and the network is real"
        )
    return phi


def _build(member: type[Activation], numbers: dict[str, float]) -> Activation:
    for number in numbers:
        if number not in member.numbers:
            raise PenchantError(
                f"activation({member.name!r}, {_listed(numbers)}): {member.name} has no {number}, "
                f"only {', '.join(member.numbers)}"
            )
    return member(**numbers)


def _instance(module: type[object]) -> nn.Module:
    if not issubclass(module, nn.Module):
        raise PenchantError(f"activation({module.__name__}): a class must be an nn.Module")
    try:
        return module()
    except TypeError as error:
        raise PenchantError(
            f"activation({module.__name__}) cannot be built without arguments ({error}); "
            "give an instance of it"
        ) from error


def _listed(numbers: dict[str, float]) -> str:
    return ", ".join(f"{number}={value}" for number, value in numbers.items())
