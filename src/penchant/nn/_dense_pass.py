"""A window classifier as a convolutional network, so that a scan is one dense pass."""

from collections.abc import Sequence

from torch import nn

from penchant.errors import PenchantError
from penchant.nn._scan_structure import PerAxis, each_axis
from penchant.nn._sharing import with_sharing
from penchant.nn._stack_reader import read_stages
from penchant.nn._stages import as_modules, scanned_at, structure_of


def dense_pass(
    model: nn.Sequential,
    *,
    window: PerAxis,
    channels: int | None = None,
    stride: PerAxis = 1,
    padding: PerAxis = 0,
) -> nn.Sequential:
    """Turn a classifier of windows into the network that answers for all windows at once.

    The first Linear layer behind `nn.Flatten` becomes a convolution over the whole window, each
    later one a convolution of width 1; convolutions before `nn.Flatten` get the strides and
    dilations with which no position is computed twice. Along one axis, Linear layers whose blocks
    are zero or equal to the last bit, as `ScanningMLP.unshared` writes them out, become the narrow
    convolutions that they are. A first layer that is dense over the window computes nothing twice
    to begin with: what the dense pass saves there is memory and copying, not arithmetic.

    Args:
        model: an `nn.Sequential` of windows (batch, channels, *window): convolutions without
            padding if any, `nn.Flatten`, Linear layers; pointwise modules between them, softmax
            over the units, dropout and batch normalisation in evaluation mode (left out, and
            folded into the layer directly before or behind it).
        window: samples that the model takes, one number an axis of the signal.
        channels: of the signal; read off the first layer when not given.
        stride: samples from one window to the next.
        padding: zeros on both sides of the signal.

    Returns:
        Plain convolutions and activations with parameters of their own: signals (batch, channels,
        *length) in, (batch, outputs, *places) out. The window of place n begins at sample
        n·stride − padding. `evaluate_in_blocks` runs it over long signals in bounded memory.

    Raises:
        PenchantError: a layer prevents it; the message names it and says why.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 25, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> dense_pass(model, window=25)
        Sequential(
          (0): Conv1d(2, 8, kernel_size=(25,), stride=(1,))
          (1): ReLU()
          (2): Conv1d(8, 3, kernel_size=(1,), stride=(1,))
        )

    Source: Sermanet et al., "OverFeat", 2014; Long et al., "Fully convolutional networks", 2015.
    """
    dimensions = len(window) if isinstance(window, Sequence) else 1
    if dimensions not in (1, 2, 3):
        raise PenchantError(f"dense_pass(window={window!r}): needs 1, 2 or 3 numbers")
    span = each_axis("dense_pass(window", window, dimensions)
    stages, _ = read_stages("dense_pass", model, span)
    if len(span) == 1 and stages[0].weight.shape[2:] == span:
        stages = with_sharing(stages)
    structure = structure_of(stages)
    if channels is not None and channels != structure.channels:
        raise PenchantError(
            f"dense_pass(channels={channels}, window={window}): the first layer takes "
            f"{structure.channels} channels of such windows"
        )
    if structure.window != span:
        raise PenchantError(
            f"dense_pass(window={window}): the model reads only the first "
            f"{'×'.join(map(str, structure.window))} samples of it; give that as the window"
        )
    strides = each_axis("dense_pass(stride", stride, dimensions)
    paddings = each_axis("dense_pass(padding", padding, dimensions, least=0)
    return as_modules(scanned_at(stages, strides), paddings)
