"""Asking a network about many points."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.nn import PictureNet
from penchant.tasks._eval_mode import eval_mode

BLOCK = 4096
"""Points at once, so that a layer's values stay in cache."""

MANY = 2**20
"""Points at once where a network makes a whole picture whatever it is asked, and looks them up."""


def evaluate(
    network: nn.Module, inputs: Float[Tensor, "points inputs"], block: int = BLOCK
) -> Float[Tensor, "points outputs"]:
    """Ask a network about many points, block by block, without gradients.

    Args:
        network: answers each point on its own; asked in `eval` mode, so that batch norm goes by
            its running statistics and dropout drops nothing, and given back as it was.
        inputs: the points, moved block by block to where the network's first parameter is.
        block: points at once.

    Returns:
        The answers, on the device of `inputs`.

    Example:
        >>> evaluate(nn.Identity(), torch.ones(5, 2), block=2).shape
        torch.Size([5, 2])
    """
    with torch.no_grad(), eval_mode(network):
        answers = _answers(network, inputs, block)
        first = next(answers)
        outputs = torch.empty(
            (len(inputs), *first.shape[1:]), dtype=first.dtype, device=inputs.device
        )
        outputs[: len(first)] = first
        place = len(first)
        for answer in answers:
            outputs[place : place + len(answer)] = answer
            place += len(answer)
    return outputs


def is_finite(network: nn.Module, inputs: Float[Tensor, "points inputs"]) -> bool:
    """Say whether all of a network's answers are finite, without keeping them; see `evaluate`.

    Example:
        >>> [is_finite(nn.Identity(), torch.ones(5, 2) / by) for by in (1, 0)]
        [True, False]
    """
    with torch.no_grad(), eval_mode(network):
        return all(bool(answer.isfinite().all()) for answer in _answers(network, inputs))


def _answers(network: nn.Module, inputs: Tensor, block: int = BLOCK) -> Iterator[Tensor]:
    if any(isinstance(module, PictureNet) for module in network.modules()):
        block = max(block, MANY)
    device = next((parameter.device for parameter in network.parameters()), inputs.device)
    for part in torch.split(inputs, block):
        yield network(part.to(device))
