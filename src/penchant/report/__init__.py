"""Pages and figures made from studies' results.

`penchant.report` is a room and, in the design's words, also what one does: `pn.report(results,
path)`. Once any part of the room is imported, Python binds the attribute `report` of `penchant` to
this module, so the module itself answers the call.
"""

import sys
from types import ModuleType

from penchant.report._forest import Row, forest, reach
from penchant.report._merge import by_signal
from penchant.report._report import report
from penchant.report._signals import several, told_apart
from penchant.report._summary import html_summary
from penchant.report._table import table
from penchant.report._words import decimals, in_words, metric_name, said

__all__ = [
    "Row",
    "by_signal",
    "decimals",
    "forest",
    "html_summary",
    "in_words",
    "metric_name",
    "reach",
    "report",
    "said",
    "several",
    "table",
    "told_apart",
]


class _CallableRoom(ModuleType):
    __call__ = staticmethod(report)


sys.modules[__name__].__class__ = _CallableRoom
