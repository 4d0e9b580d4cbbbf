"""A network layer by layer: what comes out, what it holds, what it costs, how far it sees.

Example:
    >>> from torch import nn
    >>> found = inspect(nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.ReLU()), (3, 33, 33))
    >>> found.layers[0].formula, found.parameters, found.multiply_adds
    ('⌊(33 − 5) / 2⌋ + 1 = 15', 608, 135000)
"""

from penchant.inspection._built_in import BUILT_IN as BUILT_IN
from penchant.inspection._inspect import inspect as inspect
from penchant.inspection._probed import probe as probe
from penchant.inspection._result import Inspection as Inspection
from penchant.inspection._result import Layer as Layer
from penchant.inspection._text import folded as folded
from penchant.inspection._text import text as text

__all__ = ["BUILT_IN", "Inspection", "Layer", "folded", "inspect", "probe", "text"]
