"""ReLU in networks that reconstruct a signal: its bias, its rivals, and what encodings give it."""

from penchant.claims._gaussian_bandwidth import GAUSSIAN_BANDWIDTH as GAUSSIAN_BANDWIDTH
from penchant.claims._relu_bias import RELU_BIAS as RELU_BIAS
from penchant.claims._relu_encoding import RELU_ENCODING as RELU_ENCODING
from penchant.claims._relu_low_dim import RELU_LOW_DIM as RELU_LOW_DIM
