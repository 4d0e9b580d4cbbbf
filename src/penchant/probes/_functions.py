"""What torch's functions do to a tensor, by their names."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CONVOLUTIONS = _names("conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d")
"""Channels are on axis 1 behind them."""

PRODUCTS = _names("addmm baddbmm bilinear bmm einsum linear matmul mm tensordot")
"""Features are on the last axis behind them."""

RECURRENT = _names("gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell")
"""Cells that run inside one kernel."""

AVERAGES = _names(
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d avg_pool1d avg_pool2d avg_pool3d"
)
TRANSFORMS = _names("fft_fft fft_fft2 fft_fftn")
OTHER_MIXING = _names(
    "max_pool1d max_pool2d max_pool3d multi_head_attention_forward scaled_dot_product_attention"
)

MIXING = CONVOLUTIONS | PRODUCTS | RECURRENT | AVERAGES | TRANSFORMS | OTHER_MIXING
"""What makes a number of several."""

NORMS = _names("batch_norm group_norm instance_norm layer_norm rms_norm")
ARITHMETIC = _names("add add_ div div_ mul mul_ neg sub sub_ true_divide")
LAYOUT = _names("cat concat concatenate interpolate pad pixel_shuffle pixel_unshuffle")

PROJECTING = CONVOLUTIONS | PRODUCTS | AVERAGES | TRANSFORMS | NORMS | ARITHMETIC | LAYOUT
"""What is linear in one tensor, with constants or parameters beside it, and the norms."""

KEEPING = _names(
    "__get__ alpha_dropout clone contiguous dropout dropout1d dropout2d dropout3d "
    "feature_alpha_dropout flatten float double half movedim permute reshape squeeze swapaxes to "
    "transpose type type_as unflatten unsqueeze view view_as"
)
"""What keeps every number as it is, or drops some at random as regularisation does."""

CLAMPS = _names("clamp clamp_max clamp_min clip")

NONLINEAR = CLAMPS | _names(
    "_threshold celu elu expit gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu "
    "log_sigmoid mish prelu relu relu6 rrelu selu sigmoid silu softplus softshrink softsign tanh "
    "tanhshrink"
)
"""The non-linearities that are seen; those with ``_`` behind them too."""
