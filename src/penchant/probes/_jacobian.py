"""The singular values of what a network does to small changes of single inputs."""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from penchant.errors import PenchantError
from penchant.probes._layers import tensors_in, without_trace

MOST_OUTPUTS = 256
"""Rows of a Jacobian, each of which is a pass backward."""


def singular_values(
    network: nn.Module, inputs: Shaped[Tensor, "samples *features"], samples: int
) -> Float[Tensor, "taken values"]:
    """Take ∂(a sample's outputs)/∂(its input) for the first samples, in the network's own mode.

    Beyond 256 outputs so many of them stand for all, evenly spread.
    """
    taken = min(samples, len(inputs))
    # In training batch norm mixes samples, so each asks for passes of its own through the batch.
    mixes = any(isinstance(m, _BatchNorm) and m.training for m in network.modules())
    given = (inputs if mixes else inputs[:taken]).detach().clone().requires_grad_()
    with torch.enable_grad(), without_trace(network) as forward:
        found = tensors_in(forward(given))
        if not found or not found[0].numel() or found[0].numel() % len(given):
            shape = f"a tensor of shape {tuple(found[0].shape)}" if found else "no tensor"
            raise PenchantError(
                f"signal_propagation: the network gives {shape} for {len(given)} samples; its "
                "Jacobian is taken sample by sample, so an output with samples first would fit"
            )
        outputs = found[0].reshape(len(given), -1)
        chosen = torch.linspace(0, outputs.shape[1] - 1, min(outputs.shape[1], MOST_OUTPUTS))
        groups = [[i] for i in range(taken)] if mixes else [list(range(taken))]
        matrices = [_rows(outputs, given, group, chosen.round().long()) for group in groups]
    jacobians = torch.cat(matrices)
    if not bool(jacobians.isfinite().all()):  # LAPACK refuses
        return jacobians.new_full((taken, min(jacobians.shape[1:])), math.nan)
    values: Tensor = torch.linalg.svdvals(jacobians)
    return values


def _rows(
    outputs: Float[Tensor, "batch outputs"],
    given: Float[Tensor, "batch *features"],
    group: list[int],
    chosen: Shaped[Tensor, " rows"],
) -> Float[Tensor, "group rows inputs"]:
    if not outputs.requires_grad:
        return given.new_zeros(len(group), len(chosen), given[0].numel(), dtype=torch.float64)
    rows = []
    for one in chosen.tolist():
        (row,) = torch.autograd.grad(
            outputs[group, one].sum(), given, retain_graph=True, materialize_grads=True
        )
        rows.append(row[group].flatten(1).double())
    return torch.stack(rows, 1)
