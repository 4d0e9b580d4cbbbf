"""The package's tuned defaults: what a design gets where neither its user nor pilots say more.

Chosen once by held-out PSNR on scikit-image's photographs at 128 pixels, never on a picture that
a published comparison uses (docs/LOG.md has the search).
"""

SCALES: dict[str, float] = {"sine": 15, "gaussian": 8, "finer": 10}
"""Scales that differ from the member's own default, by activation.

The papers' scales (30 for a sine) represent the seen samples better and fill in worse.
"""

LEARNING_RATES: dict[str, dict[str, float]] = {
    "muon": {
        "relu": 0.04,
        "gelu": 0.05,
        "gaussian": 0.008,
        "sine": 0.006,
        "finer": 0.006,
        "default": 0.008,
    },
    "adam": {"default": 0.003},
}
"""By optimiser, then by activation; the best rate is nearly proportional to 1/scale."""
