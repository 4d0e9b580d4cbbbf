"""ReLU in networks that reconstruct a signal: its bias, its rivals, and what encodings give it."""

from penchant.claims._claim import Claim

RELU_BIAS = Claim("relu-bias", "", ())
RELU_LOW_DIM = Claim("relu-low-dim", "", ())
GAUSSIAN_BANDWIDTH = Claim("gaussian-bandwidth", "", ())
RELU_ENCODING = Claim("relu-encoding", "", ())
