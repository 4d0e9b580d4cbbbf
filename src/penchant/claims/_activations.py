"""The notes on activation functions, in their order."""

from penchant.claims._claim import Claim
from penchant.claims._relu_in_networks import GELU_RISE, RELU_HIGH_DIM, RELU_LARGE
from penchant.claims._relu_on_signals import (
    GAUSSIAN_BANDWIDTH,
    RELU_BIAS,
    RELU_ENCODING,
    RELU_LOW_DIM,
)
from penchant.claims._sigmoid_posterior import SIGMOID_POSTERIOR

ACTIVATIONS: tuple[Claim, ...] = (
    RELU_BIAS,
    GELU_RISE,
    RELU_HIGH_DIM,
    RELU_LOW_DIM,
    GAUSSIAN_BANDWIDTH,
    RELU_LARGE,
    RELU_ENCODING,
    SIGMOID_POSTERIOR,
)
