"""The arithmetic of sliding layers: which shape comes out, and how far a unit sees.

Example:
    >>> output_shape((224, 224), 7, stride=2, padding=3)
    (112, 112)
"""

from penchant.geometry._effective import EffectiveField as EffectiveField
from penchant.geometry._effective import effective_receptive_field as effective_receptive_field
from penchant.geometry._fields import AxisField as AxisField
from penchant.geometry._fields import LayerField as LayerField
from penchant.geometry._fields import ModelFields as ModelFields
from penchant.geometry._fields import ReceptiveField as ReceptiveField
from penchant.geometry._output_shape import chain_shapes as chain_shapes
from penchant.geometry._output_shape import output_shape as output_shape
from penchant.geometry._output_shape import same_padding as same_padding
from penchant.geometry._output_shape import window_of as window_of
from penchant.geometry._receptive_field import receptive_field as receptive_field
from penchant.geometry._window import AxisWindow as AxisWindow
from penchant.geometry._window import Window as Window
from penchant.geometry._window import window as window

__all__ = [
    "AxisField",
    "AxisWindow",
    "EffectiveField",
    "LayerField",
    "ModelFields",
    "ReceptiveField",
    "Window",
    "chain_shapes",
    "effective_receptive_field",
    "output_shape",
    "receptive_field",
    "same_padding",
    "window",
    "window_of",
]
