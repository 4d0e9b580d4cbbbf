"""Penchant: build with, measure and compare the inductive biases of neural networks.

Everything public is here, as `pn.name` after `import penchant as pn`; importing is instant, since
each name is loaded when it is first used (PEP 562).
"""

import importlib
from typing import TYPE_CHECKING

from penchant.version import __version__ as __version__

if TYPE_CHECKING:
    from penchant import divergences as divergences
    from penchant import geometry as geometry
    from penchant import nn as nn
    from penchant.errors import PenchantError as PenchantError
    from penchant.explain import explain as explain
    from penchant.inspection import Inspection as Inspection
    from penchant.inspection import inspect as inspect
    from penchant.probes import examine as examine
    from penchant.report import report as report
    from penchant.study import Design as Design
    from penchant.study import Fitted as Fitted
    from penchant.study import Results as Results
    from penchant.study import Study as Study
    from penchant.study import fit as fit
    from penchant.study import load as load
    from penchant.tasks import ClassificationTask as ClassificationTask
    from penchant.tasks import Labelled as Labelled
    from penchant.tasks import PictureTask as PictureTask
    from penchant.tasks import builtin_picture as builtin_picture
    from penchant.tasks import load_labelled as load_labelled
    from penchant.tasks import load_picture as load_picture
    from penchant.training import calibrate as calibrate

_HOMES = {
    "PenchantError": "penchant.errors",
    "explain": "penchant.explain",
    "Inspection": "penchant.inspection",
    "inspect": "penchant.inspection",
    "examine": "penchant.probes",
    "report": "penchant.report",
    "Design": "penchant.study",
    "Fitted": "penchant.study",
    "Results": "penchant.study",
    "Study": "penchant.study",
    "fit": "penchant.study",
    "load": "penchant.study",
    "ClassificationTask": "penchant.tasks",
    "Labelled": "penchant.tasks",
    "PictureTask": "penchant.tasks",
    "builtin_picture": "penchant.tasks",
    "load_labelled": "penchant.tasks",
    "load_picture": "penchant.tasks",
    "calibrate": "penchant.training",
}
_ROOMS = (
    "claims",
    "divergences",
    "geometry",
    "inspection",
    "listening",
    "nn",
    "probes",
    "report",
    "study",
    "tasks",
    "training",
)

__all__ = [*_HOMES, "divergences", "geometry", "nn", "__version__"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"penchant.{name}")
    raise AttributeError(f"module 'penchant' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
