"""Sine and cosine into buffers, by whichever library is faster for them.

In float32 on a CPU that is numpy, which takes 0.4 of torch's time to the same last digit or one
beside it; a sine layer otherwise spends a sixth of its training here (docs/LOG.md).
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def sine_(z: Float[Tensor, "*shape"], out: Float[Tensor, "*shape"]) -> None:
    """Write sin(z) into a buffer, which may be z itself.

    Example:
        >>> out = torch.empty(1)
        >>> sine_(torch.tensor([0.5]), out)
        >>> out
        tensor([0.4794])
    """
    if _is_for_numpy(z):
        with np.errstate(invalid="ignore"):  # the sine of infinity is nan, as torch says silently
            np.sin(z.numpy(), out=out.numpy())
    else:
        torch.sin(z, out=out)


def cosine_(z: Float[Tensor, "*shape"], out: Float[Tensor, "*shape"]) -> None:
    """Write cos(z) into a buffer, which may be z itself.

    Example:
        >>> out = torch.empty(1)
        >>> cosine_(torch.tensor([0.5]), out)
        >>> out
        tensor([0.8776])
    """
    if _is_for_numpy(z):
        with np.errstate(invalid="ignore"):
            np.cos(z.numpy(), out=out.numpy())
    else:
        torch.cos(z, out=out)


def _is_for_numpy(z: Tensor) -> bool:
    return z.device.type == "cpu" and z.dtype == torch.float32
