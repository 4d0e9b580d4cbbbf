"""The notes, section by section; each claim is in its section's own file."""

from penchant.claims._activations import ACTIVATIONS
from penchant.claims._claim import Section
from penchant.claims._divergences import DIVERGENCES
from penchant.claims._residual import RESIDUAL
from penchant.claims._shared import SHARED

NOTES: tuple[Section, ...] = (
    Section("Residual networks", RESIDUAL),
    Section("Shared parameters", SHARED),
    Section("Divergences", DIVERGENCES),
    Section("Activation functions", ACTIVATIONS),
)
