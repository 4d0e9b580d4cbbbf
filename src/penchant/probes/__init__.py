"""Measurements of any `nn.Module`. Needs torch alone."""

from penchant.probes._curvature import Curvature as Curvature
from penchant.probes._curvature import largest_curvature as largest_curvature
from penchant.probes._finding import Finding as Finding

__all__ = ["Curvature", "Finding", "largest_curvature"]
