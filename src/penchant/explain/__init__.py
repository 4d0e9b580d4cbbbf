"""Pages for a learner: a divergence, a posterior, a step downhill."""

from penchant.explain._explanation import Explanation as Explanation
from penchant.explain._explanation import Figure as Figure
from penchant.explain._explanation import Section as Section
from penchant.explain._explanation import Table as Table

__all__ = ["Explanation", "Figure", "Section", "Table"]
