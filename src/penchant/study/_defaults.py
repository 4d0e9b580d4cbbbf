"""The package's tuned defaults: what a design gets where neither its user nor pilots say more.

Chosen once by held-out PSNR on scikit-image's photographs at 128 pixels, never on a picture that
a published comparison uses (docs/LOG.md has the search).
"""

NUMBERS: dict[str, dict[str, float]] = {
    "sine": {"scale": 15},
    "gaussian": {"scale": 8},
    "finer": {"scale": 10},
    "wire": {"scale": 5, "omega": 10},
    "laplacian": {"scale": 8},
    "quadratic": {"scale": 8},
    "multiquadratic": {"scale": 16},
    "sinc": {"scale": 20},
}
"""Numbers that differ from the member's own defaults, by activation.

The papers' scales (30 for a sine) represent the seen samples better and fill in worse.
"""

STANDARDISED_NUMBERS: dict[str, dict[str, float]] = {
    **{name: {"scale": 1} for name in NUMBERS},
    "wire": {"scale": 1, "omega": 2},
}
"""The same for networks whose layers are given standardised numbers instead of coordinates."""

LEARNING_RATES: dict[str, dict[str, float]] = {
    "muon": {
        "relu": 0.04,
        "gelu": 0.05,
        "silu": 0.05,
        "elu": 0.05,
        "squared_relu": 0.03,
        "tanh": 0.06,
        "sigmoid": 0.06,
        "softplus": 0.06,
        "gaussian": 0.008,
        "laplacian": 0.01,
        "quadratic": 0.016,
        "multiquadratic": 0.008,
        "sine": 0.006,
        "finer": 0.006,
        "sinc": 0.016,
        "wire": 0.004,
        "default": 0.016,
    },
    "adam": {
        "relu": 0.016,
        "gelu": 0.03,
        "gaussian": 0.008,
        "sine": 0.004,
        "finer": 0.004,
        "wire": 0.004,
        "default": 0.012,
    },
    "sgd": {"default": 0.1},
    "momentum": {"default": 0.01},
}
"""Coordinate networks': by optimiser, then by activation; the best rate is nearly proportional to
1/scale. Gradient descent's two are guesses for pilots to start from."""

DENSE_LEARNING_RATES = {"muon": 0.003, "adam": 0.003, "sgd": 0.3, "momentum": 0.03}
"""Dense networks', by optimiser."""

BACKBONE_LEARNING_RATES = {"muon": 0.002, "adam": 0.002, "sgd": 0.1, "momentum": 0.01}
"""Vision transformers' and ConvNeXts', by optimiser."""

RESNET_LEARNING_RATES: dict[str, dict[str, float]] = {
    "batch": {"momentum": 0.1, "sgd": 0.3, "adam": 0.01, "muon": 0.01},
    "none": {"momentum": 0.03, "sgd": 0.1, "adam": 0.003, "muon": 0.003},
}
"""Residual networks', by normalisation, then by optimiser.

A starting point for pilots, found in a small search: three or four rates at 14 layers, 150 steps on
2,000 pictures of Fashion-MNIST, one rate for residual and plain networks alike. 0.1 is He et al.'s
(2015) too. Plain gradient descent's are guesses. Muon leaves convolutions to Adam, so it takes
Adam's.
"""

AUTOENCODER_LEARNING_RATES = {"muon": 0.008, "adam": 0.008, "sgd": 0.1, "momentum": 0.01}
"""Encoder-decoders', by optimiser.

A starting point for pilots, found in a small search by a pilot's score: five rates for four
activations and both sources on one photograph at 64 pixels, 300 steps, and four at 128. Muon
leaves convolutions to Adam, so it takes Adam's; gradient descent's two are guesses.
"""

BACKBONE_WEIGHT_DECAY = 0.05
"""Vision transformers' and ConvNeXts': DeiT's (2021) and ConvNeXt's own (2022)."""

RESNET_WEIGHT_DECAYS = {"momentum": 1e-4, "sgd": 1e-4, "adam": 0.05, "muon": 0.05}
"""Residual networks', by optimiser: He et al.'s (2015) where it is part of the gradient."""
