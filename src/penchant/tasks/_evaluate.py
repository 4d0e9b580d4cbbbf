"""Asking a network about many points."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.nn import PictureNet
from penchant.tasks._eval_mode import eval_mode

MANY = 2**20
"""Points at once where a network makes a whole picture whatever it is asked, and looks them up."""


def evaluate(
    network: nn.Module, inputs: Float[Tensor, "points inputs"], block: int = 4096
) -> Float[Tensor, "points outputs"]:
    """Ask a network about many points, block by block, without gradients.

    Args:
        network: answers each point on its own; asked in `eval` mode, so that batch norm goes by
            its running statistics and dropout drops nothing, and given back as it was.
        inputs: the points, moved block by block to where the network's first parameter is.
        block: points at once, so that a layer's values stay in cache.

    Returns:
        The answers, on the device of `inputs`.

    Example:
        >>> evaluate(nn.Identity(), torch.ones(5, 2), block=2).shape
        torch.Size([5, 2])
    """
    if any(isinstance(module, PictureNet) for module in network.modules()):
        block = max(block, MANY)
    device = next((parameter.device for parameter in network.parameters()), inputs.device)
    with torch.no_grad(), eval_mode(network):
        first = network(inputs[:block].to(device))
        outputs = torch.empty(
            (len(inputs), *first.shape[1:]), dtype=first.dtype, device=inputs.device
        )
        outputs[:block] = first
        for start in range(block, len(inputs), block):
            outputs[start : start + block] = network(inputs[start : start + block].to(device))
    return outputs
