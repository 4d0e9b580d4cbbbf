"""What the sigmoid means: the posterior of two Gaussian classes."""

from penchant.claims._claim import Claim

SIGMOID_POSTERIOR = Claim("sigmoid-posterior", "", ())
