"""The package's tuned defaults: what a design gets where neither its user nor pilots say more.

Chosen once by held-out PSNR on scikit-image's photographs at 128 pixels, never on a picture that
a published comparison uses (docs/LOG.md has the search).
"""

SCALES: dict[str, float] = {}
"""Scales that differ from the member's own default, by activation."""

LEARNING_RATES: dict[str, dict[str, float]] = {
    "muon": {"default": 1e-3},
    "adam": {"default": 3e-3},
}
"""By optimiser, then by activation."""
