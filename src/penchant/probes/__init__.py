"""Measurements of any `nn.Module`. Needs torch alone."""

from penchant.probes._curvature import Curvature as Curvature
from penchant.probes._curvature import largest_curvature as largest_curvature

__all__ = ["Curvature", "largest_curvature"]
