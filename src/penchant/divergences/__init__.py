"""How far an answer is from its target: value and closed-form derivative. Needs torch alone."""

from penchant.divergences._divergence import Divergence as Divergence
from penchant.divergences._l2 import L2 as L2

__all__ = ["L2", "Divergence"]
