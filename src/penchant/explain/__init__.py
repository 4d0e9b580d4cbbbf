"""Pages for a learner: a divergence, a posterior, a step downhill.

`penchant.explain` is a room and also what one does: `pn.explain("kl")`. As with `penchant.report`,
the module itself answers the call.
"""

import sys
from types import ModuleType

from penchant.explain._chart import Line as Line
from penchant.explain._chart import Point as Point
from penchant.explain._chart import chart as chart
from penchant.explain._explain import explain as explain
from penchant.explain._explanation import Explanation as Explanation
from penchant.explain._explanation import Figure as Figure
from penchant.explain._explanation import Section as Section
from penchant.explain._explanation import Table as Table
from penchant.explain._text import text as text
from penchant.explain._topics import TOPICS as TOPICS

__all__ = [
    "TOPICS",
    "Explanation",
    "Figure",
    "Line",
    "Point",
    "Section",
    "Table",
    "chart",
    "explain",
    "text",
]


class _CallableRoom(ModuleType):
    __call__ = staticmethod(explain)


sys.modules[__name__].__class__ = _CallableRoom
