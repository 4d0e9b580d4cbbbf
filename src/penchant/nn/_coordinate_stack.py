"""Many coordinate networks of one shape as one module, each layer one batched product.

A network is a place in the first dimension of every tensor, and nothing is ever summed over that
dimension: what happens to one network reaches no other, not even as a nan.
"""

import copy
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn._activation import Activation, UnitActivation
from penchant.nn._activations import ACTIVATIONS
from penchant.nn._batched_linear import BatchedLinear
from penchant.nn._coordinate import CoordinateNet
from penchant.nn._encoding import Encoding
from penchant.nn._encodings import ENCODINGS


class CoordinateStack(nn.Module):
    """Coordinate networks of one shape, asked together, each about points of its own.

    Its parameters are copies in the order of a network's own, with the runs in front. The networks
    may differ in their numbers, in what their encodings have drawn, and in the scale of
    activations whose natural scale is not 1.

    Args:
        networks: plain `CoordinateNet`s of one shape, type and device, with a real activation
            of the table and an encoding that learns nothing.

    Raises:
        PenchantError: networks that cannot be stacked; it says why.

    Example:
        >>> nets = [CoordinateNet(2, 3, width=8, activation="sine", seed=seed) for seed in range(4)]
        >>> stack = CoordinateStack(nets)
        >>> stack.layers[1].weight.shape, stack.layers[1].bias.shape
        (torch.Size([4, 8, 8]), torch.Size([4, 1, 8]))
        >>> x = torch.linspace(-1, 1, 10).reshape(5, 2)
        >>> torch.allclose(stack(x.expand(4, 5, 2))[3], nets[3](x), atol=1e-6)
        True
    """

    def __init__(self, networks: Sequence[CoordinateNet]) -> None:
        super().__init__()
        reason = unstackable(networks)
        if reason is not None:
            raise PenchantError(f"stacked({len(networks)} networks): {reason}")
        # In a tuple they are no submodules: the stack's parameters are its own.
        self._networks = tuple(networks)
        self.encoding = _one_encoding([network.encoding for network in networks])
        layers = zip(*(cast(list[nn.Linear], network.layers) for network in networks), strict=True)
        self.layers = nn.ModuleList(BatchedLinear.of(each) for each in layers)
        members = zip(
            *(cast(list[Activation], network.activations) for network in networks), strict=True
        )
        self.activations = nn.ModuleList(_one_activation(each) for each in members)
        self.head = BatchedLinear.of([network.head for network in networks])

    @property
    def runs(self) -> int:
        """How many networks there are."""
        return len(self._networks)

    def encode(
        self, x: Float[Tensor, "runs points inputs"]
    ) -> Float[Tensor, "runs points features"]:
        """Return each network's own code of its points."""
        drawn = dict(self.encoding.named_buffers())
        if not drawn:
            return cast(Tensor, self.encoding(x))

        def one(buffers: dict[str, Tensor], points: Tensor) -> Tensor:
            return cast(Tensor, torch.func.functional_call(self.encoding, buffers, (points,)))

        return torch.vmap(one)(drawn, x)

    def forward(self, x: Float[Tensor, "runs points inputs"]) -> Float[Tensor, "runs points out"]:
        """Return each network's values at its own points.

        Args:
            x: coordinates on [-1, 1].
        """
        h = self.encode(x)
        for layer, phi in zip(self.layers, self.activations, strict=True):
            h = phi(layer(h))
        return cast(Tensor, self.head(h))

    @torch.no_grad()
    def networks(self) -> list[CoordinateNet]:
        """Return the networks that were stacked, with the stack's numbers written into them."""
        for run, network in enumerate(self._networks):
            for own, stacked in zip(network.parameters(), self.parameters(), strict=True):
                own.copy_(stacked[run].view_as(own))
        return list(self._networks)


def stacked(networks: Sequence[CoordinateNet]) -> CoordinateStack:
    """Stack coordinate networks of one shape; see `CoordinateStack`.

    Example:
        >>> stack = stacked([CoordinateNet(2, 1, width=4, seed=seed) for seed in range(3)])
        >>> stack.runs, [type(network).__name__ for network in stack.networks()][0]
        (3, 'CoordinateNet')
    """
    return CoordinateStack(networks)


def unstackable(networks: Sequence[nn.Module]) -> str | None:
    """Say why networks cannot be stacked; None where they can.

    Example:
        >>> unstackable([CoordinateNet(2, 1, width=4), CoordinateNet(2, 1, width=5)])
        'they differ in the shape, type or device of their layers'
        >>> unstackable([CoordinateNet(2, 1, width=4, activation="wire")])
        "activation 'wire' has no real closed form"
    """
    if not networks:
        return "at least one is needed"
    for network in networks:
        if type(network) is not CoordinateNet:
            return f"a {type(network).__name__} is no plain CoordinateNet"
        reason = _own_reason(network)
        if reason is not None:
            return reason
    alike = [cast(CoordinateNet, network) for network in networks]
    if len({_form(network) for network in alike}) > 1:
        return "they differ in the shape, type or device of their layers"
    if len({_kinds(network) for network in alike}) > 1:
        return "they differ in activation or encoding"
    return None


def _own_reason(network: CoordinateNet) -> str | None:
    """Say why a network can be in no stack."""
    if type(network.encoding) not in ENCODINGS.values():
        return f"the encoding {type(network.encoding).__name__} is the user's own"
    if list(network.encoding.parameters()):
        return f"the encoding {network.encoding.name!r} learns"
    for phi in cast(Sequence[Activation], network.activations):
        if type(phi) not in ACTIVATIONS.values():
            return f"the activation {phi.name!r} is the user's own"
        if not phi.closed_form:
            return f"activation {phi.name!r} has no real closed form"
    if not all(parameter.requires_grad for parameter in network.parameters()):
        return "a parameter is frozen"
    return None


def _form(network: CoordinateNet) -> tuple[object, ...]:
    return tuple((p.shape, p.dtype, p.device) for p in network.parameters())


def _kinds(network: CoordinateNet) -> tuple[object, ...]:
    activations = cast(Sequence[Activation], network.activations)
    # The rectifiers ask whether their scale is 1, and a tensor of several has no answer.
    kinds = [
        (type(phi), phi.scale if isinstance(phi, UnitActivation) else 0) for phi in activations
    ]
    encoding = network.encoding
    return (*kinds, type(encoding), encoding.inputs, encoding.features)


def _one_activation(members: Sequence[Activation]) -> Activation:
    """Return one activation for all, with a scale for each where they differ."""
    phi = copy.deepcopy(members[0])
    scales = [member.scale for member in members]
    if len(set(scales)) > 1:
        # Every member multiplies by its scale, so a tensor of shape (runs, 1, 1) does as a number.
        del phi.scale
        dtype = torch.get_default_dtype()
        phi.register_buffer("scale", torch.tensor(scales, dtype=dtype).view(-1, 1, 1))
    return phi


def _one_encoding(encodings: Sequence[Encoding]) -> Encoding:
    """Return one encoding whose buffers have the runs in front."""
    one = copy.deepcopy(encodings[0])
    for name, buffer in list(one.named_buffers()):
        each = [encoding.get_buffer(name) for encoding in encodings]
        setattr(one, name, torch.stack(each).to(buffer))
    return one
