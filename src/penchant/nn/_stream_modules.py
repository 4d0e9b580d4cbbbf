"""What each of torch's layers is along time: a window, a function of one frame, or refused."""

from typing import Any, cast

import torch.nn.functional as F
from torch import nn

from penchant.nn._pointwise import POINTWISE
from penchant.nn._stream_builder import EVALUATE, UNKNOWN, WHOLE, Builder, Frames
from penchant.nn._stream_stages import Span

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.AlphaDropout, nn.FeatureAlphaDropout)

REASONS: tuple[tuple[tuple[type[nn.Module], ...], str], ...] = (
    ((nn.InstanceNorm1d, nn.GroupNorm), f"it normalises over time: {WHOLE}; BatchNorm1d streams"),
    ((nn.AdaptiveMaxPool1d, nn.MultiheadAttention), WHOLE),
    (
        (nn.ReflectionPad1d, nn.CircularPad1d, nn.ReplicationPad1d),
        "it pads with what is heard elsewhere; ZeroPad1d and ConstantPad1d stream",
    ),
    ((nn.RNNBase,), "recurrent layers are not streamed here; convolutions are"),
    ((nn.ConvTranspose1d, nn.Upsample), "it makes several frames of one, which is not streamed"),
)


def add_module(builder: Builder, layer: nn.Module, frames: Frames) -> Frames:
    """Add one of torch's layers or penchant's activations.

    Raises:
        PenchantError: it cannot be streamed; why.
    """
    match layer:
        case nn.Conv1d():
            return _convolution(builder, layer, frames)
        case nn.MaxPool1d() | nn.AvgPool1d():
            return _pooling(builder, layer, frames)
        case nn.ConstantPad1d():
            left, right = layer.padding
            return builder.pad(frames, left, right, layer.value)
        case nn.AdaptiveAvgPool1d():
            if layer.output_size not in (1, (1,)):
                builder.refuse(f"{WHOLE}; of adaptive poolings an average to size 1 streams")
            return builder.mean(builder.in_time(frames), keep=True)
        case nn.BatchNorm1d():
            return _batch_norm(builder, layer, frames)
        case nn.Linear() | nn.LayerNorm() | nn.RMSNorm():
            return _last_axis(builder, layer, frames)
        case nn.Flatten() if (layer.start_dim, layer.end_dim) in ((1, -1), (1, 2)):
            return builder.flatten(frames)
        case nn.Softmax() | nn.LogSoftmax() | nn.Softmin():
            return builder.channels(frames, type(layer)(1), layer.dim)
        case nn.GLU():
            return builder.channels(frames, nn.GLU(1), layer.dim)
    if isinstance(layer, DROPOUTS):
        return dropout(builder, frames, layer.training)
    if isinstance(layer, POINTWISE) or _one_slope(layer, frames):
        return builder.each(frames, layer)
    return builder.refuse(_reason(layer))


def dropout(builder: Builder, frames: Frames, training: Any) -> Frames:
    """Leave dropout out."""
    if training:
        builder.refuse(f"it draws at random in training; {EVALUATE}")
    return frames


def span_of(kernel: Any, stride: Any, padding: Any, dilation: Any = 1) -> Span:
    """Say what a convolution or pooling covers."""
    kernel, stride, padding, dilation = map(single, (kernel, stride, padding, dilation))
    reach = dilation * (kernel - 1)
    if padding == "same":
        return Span(kernel, stride, dilation, reach // 2, reach - reach // 2)
    sides = 0 if padding == "valid" else padding
    return Span(kernel, stride, dilation, sides, sides)


def single(size: Any) -> Any:
    """Take a number out of a tuple of one."""
    return size[0] if isinstance(size, tuple | list) and len(size) == 1 else size


def _reason(layer: nn.Module) -> str:
    if getattr(layer, "bidirectional", False):
        return WHOLE
    return next((why for kinds, why in REASONS if isinstance(layer, kinds)), UNKNOWN)


def _one_slope(layer: nn.Module, frames: Frames) -> bool:
    # Slopes are by axis 1, which is channels unless these are last.
    return isinstance(layer, nn.PReLU) and (
        layer.num_parameters == 1 or frames.layout != "channels"
    )


def _convolution(builder: Builder, layer: nn.Conv1d, frames: Frames) -> Frames:
    span = span_of(layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    if layer.padding_mode != "zeros" and (span.left or span.right):
        builder.refuse(f"padding_mode={layer.padding_mode!r} is not streamed; zeros are")
    return builder.convolution(frames, span, lambda: (layer.weight, layer.bias), layer.groups)


def _pooling(builder: Builder, layer: nn.MaxPool1d | nn.AvgPool1d, frames: Frames) -> Frames:
    if layer.ceil_mode:
        builder.refuse("ceil_mode=True is not streamed; False is")
    if isinstance(layer, nn.MaxPool1d):
        if layer.return_indices:
            builder.refuse("return_indices=True is not streamed; False is")
        span = span_of(layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        lowest = Span(span.kernel, span.stride, span.dilation, span.left, span.right, float("-inf"))
        return builder.window(
            frames,
            lowest,
            lambda x, stride, dilation: F.max_pool1d(x, span.kernel, stride, 0, dilation),
        )
    span = span_of(layer.kernel_size, layer.stride, layer.padding)
    if span.left and not layer.count_include_pad:
        builder.refuse("count_include_pad=False is not streamed with padding; True is")
    return builder.window(frames, span, lambda x, stride, _: F.avg_pool1d(x, span.kernel, stride))


def _batch_norm(builder: Builder, layer: nn.BatchNorm1d, frames: Frames) -> Frames:
    if layer.running_mean is None:
        builder.refuse(f"without running statistics {WHOLE}")
    if layer.training:
        builder.refuse(f"in training {WHOLE}; {EVALUATE}")
    builder.require_channels(frames, 1)
    return builder.each(frames, layer)


def _last_axis(
    builder: Builder, layer: nn.Linear | nn.LayerNorm | nn.RMSNorm, frames: Frames
) -> Frames:
    linear = isinstance(layer, nn.Linear)
    if frames.layout == "time":
        instead = "nn.Conv1d(inputs, outputs, 1)" if linear else "it between two transposes"
        builder.refuse(f"its last axis is time: {WHOLE}; for channels take {instead}")
    if not linear and len(cast(tuple[int, ...], layer.normalized_shape)) > 1:
        builder.refuse(f"it normalises over time: {WHOLE}")
    return builder.last_axis(frames, layer)
