"""ReLU in networks that classify: where it came from, many inputs, many classes."""

from penchant.claims._claim import Claim

GELU_RISE = Claim("gelu-rise", "", ())
RELU_HIGH_DIM = Claim("relu-high-dim", "", ())
RELU_LARGE = Claim("relu-large", "", ())
