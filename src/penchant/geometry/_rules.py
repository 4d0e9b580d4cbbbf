"""The table of rules: an ATen operation's name to how its result depends on its arguments."""

from collections.abc import Callable

import torch

from penchant.geometry import _elements as elements
from penchant.geometry import _mixing as mixing
from penchant.geometry import _sliding as sliding
from penchant.geometry._call import Call, UnknownError
from penchant.geometry._dependence import Terms

Rule = Callable[[Call], "Terms | tuple[Terms, ...]"]


def _named(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    **_named(sliding.convolution, "conv1d conv2d conv3d convolution"),
    **_named(sliding.transposed_convolution, "conv_transpose1d conv_transpose2d conv_transpose3d"),
    **_named(
        sliding.pooling,
        "max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices "
        "max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d",
    ),
    **_named(
        sliding.adaptive_pooling,
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d "
        "adaptive_max_pool2d adaptive_max_pool3d",
    ),
    **_named(
        sliding.padding,
        "pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d "
        "replication_pad1d replication_pad2d replication_pad3d",
    ),
    **_named(
        sliding.upsampling,
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_nearest_exact1d "
        "upsample_nearest_exact2d upsample_nearest_exact3d upsample_linear1d "
        "upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d",
    ),
    "pixel_shuffle": sliding.pixel_shuffle,
    "pixel_unshuffle": sliding.pixel_unshuffle,
    "channel_shuffle": sliding.channel_shuffle,
    "unfold": sliding.unfold,
    "stft": sliding.short_time_fourier,
    "im2col": sliding.im2col,
    "col2im": sliding.col2im,
    **_named(
        elements.same,
        "clone contiguous detach alias to to_copy tril triu "
        "dropout feature_dropout feature_alpha_dropout alpha_dropout "
        "native_dropout lift_fresh lift lift_fresh_copy positive type_as real imag conj "
        "resolve_conj resolve_neg conj_physical",
    ),
    **_named(elements.written, "copy fill"),
    **_named(
        elements.constant,
        "zero normal uniform random exponential zeros_like ones_like full_like empty_like "
        "rand_like randn_like randint_like new_zeros new_ones new_full new_empty",
    ),
    **_named(
        elements.shaped,
        "view reshape flatten unflatten squeeze unsqueeze unsafe_view view_as reshape_as ravel "
        "atleast_1d atleast_2d atleast_3d",
    ),
    "permute": elements.permute,
    **_named(elements.transpose, "transpose t numpy_T mT swapaxes swapdims"),
    **_named(elements.movedim, "movedim moveaxis"),
    **_named(elements.expand, "expand expand_as broadcast_to"),
    **_named(elements.repeat, "repeat tile"),
    "repeat_interleave": elements.repeat_interleave,
    **_named(elements.slice_, "slice narrow"),
    **_named(elements.slice_scatter, "slice_scatter select_scatter"),
    "select": elements.select,
    **_named(elements.split, "split split_with_sizes chunk tensor_split unsafe_split unsafe_chunk"),
    "unbind": elements.unbind,
    **_named(elements.cat, "cat concat concatenate"),
    "stack": elements.stack,
    "roll": elements.roll,
    "flip": elements.flip,
    "index_select": elements.index_select,
    **_named(elements.index, "index unsafe_index"),
    "glu": elements.gated,
    **_named(elements.real_parts, "view_as_real"),
    **_named(elements.complex_parts, "view_as_complex"),
    "embedding": elements.embedding,
    **_named(
        elements.pointwise,
        "prelu rrelu rrelu_with_noise where masked_fill addcmul addcdiv lerp "
        "celu selu relu6 hardswish hardsigmoid hardtanh mish silu softplus gelu elu leaky_relu "
        "log_sigmoid threshold softshrink hardshrink square clamp clip rsub "
        "complex polar multiply divide subtract true_divide floor_divide absolute negative "
        "nan_to_num "
        "bernoulli logit result_type maximum minimum",
    ),
    **_named(
        mixing.reduction,
        "sum mean amax amin max min var std var_mean std_mean prod norm linalg_norm "
        "linalg_vector_norm "
        "logsumexp any all argmax argmin median nansum nanmean aminmax count_nonzero",
    ),
    **_named(
        mixing.softmax,
        "softmax log_softmax safe_softmax sort argsort topk fft_fft fft_ifft fft_rfft "
        "fft_irfft fft_hfft fft_fft2 fft_ifft2 fft_rfft2 fft_irfft2 fft_fftn fft_ifftn "
        "fft_rfftn fft_irfftn",
    ),
    **_named(mixing.gather, "gather take_along_dim"),
    **_named(mixing.cumulative, "cumsum cumprod cummax cummin logcumsumexp"),
    **_named(
        mixing.normalisation,
        "batch_norm native_batch_norm native_batch_norm_legit native_batch_norm_legit_functional "
        "native_batch_norm_legit_no_training cudnn_batch_norm layer_norm native_layer_norm "
        "group_norm native_group_norm instance_norm rms_norm fused_rms_norm",
    ),
    "linear": mixing.linear,
    **_named(mixing.matmul, "matmul mm bmm addmm baddbmm mv"),
    "affine_grid_generator": mixing.affine_grid,
    **_named(mixing.grid_sample, "grid_sampler grid_sampler_2d grid_sampler_3d"),
    "bilinear": mixing.bilinear,
    **_named(mixing.cell, "lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell"),
    "einsum": mixing.einsum,
    **_named(mixing.attention, "scaled_dot_product_attention"),
    **_named(mixing.recurrent, "lstm gru rnn_tanh rnn_relu"),
}


def rule_of(operation: "torch._ops.OpOverload") -> tuple[str, Rule]:
    """Find an operation's rule.

    Args:
        operation: an overload of an ATen operation.

    Returns:
        The operation's plain name, and its rule.

    Raises:
        UnknownError: there is none.
    """
    full = operation._schema.name
    name = full.removeprefix("aten::").strip("_")
    for candidate in (name, name.removesuffix("_copy")):
        if candidate in RULES:
            return candidate, RULES[candidate]
    if full.startswith("aten::") and torch.Tag.pointwise in operation.tags:
        return name, elements.pointwise
    raise UnknownError(full)
