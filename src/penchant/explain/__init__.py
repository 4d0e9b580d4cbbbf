"""Pages for a learner: a divergence, a posterior, a step downhill.

`penchant.explain` is a room and also what one does: `pn.explain("kl")`. As with `penchant.report`,
the module itself answers the call.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from penchant.explain._explain import explain as explain
from penchant.explain._explanation import Explanation as Explanation
from penchant.explain._explanation import Figure as Figure
from penchant.explain._explanation import Section as Section
from penchant.explain._explanation import Table as Table
from penchant.explain._text import text as text
from penchant.explain._topics import TOPICS as TOPICS

if TYPE_CHECKING:
    from penchant.explain._chart import Line as Line
    from penchant.explain._chart import Point as Point
    from penchant.explain._chart import chart as chart

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


def __getattr__(name: str) -> object:
    # What draws is heavy, and the list of topics needs none of it.
    if name in ("Line", "Point", "chart"):
        return getattr(importlib.import_module("penchant.explain._chart"), name)
    raise AttributeError(f"module 'penchant.explain' has no attribute {name!r}")


class _CallableRoom(ModuleType):
    __call__ = staticmethod(explain)


sys.modules[__name__].__class__ = _CallableRoom
