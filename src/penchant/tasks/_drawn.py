"""Tasks whose samples each seed draws, as a user names them."""

from penchant.tasks import _gaussians, _plane, _teacher
from penchant.tasks._gaussians import GaussiansTask, load_gaussians
from penchant.tasks._plane import PlaneTask, load_plane
from penchant.tasks._task import Task
from penchant.tasks._teacher import TeacherTask, load_teacher

_LOADERS = {
    _gaussians.PREFIX: load_gaussians,
    _plane.PREFIX: load_plane,
    _teacher.PREFIX: load_teacher,
}


def is_drawn(source: object) -> bool:
    """Tell whether something names a task whose samples are drawn, or is one.

    Example:
        >>> is_drawn("teacher:inputs=10"), is_drawn("plane"), is_drawn("plane.png")
        (True, True, False)
    """
    if isinstance(source, TeacherTask | PlaneTask | GaussiansTask):
        return True
    return isinstance(source, str) and source.partition(":")[0] in _LOADERS


def load_drawn(source: str) -> Task:
    """Make the task that its words name; see `load_teacher`, `load_plane` and `load_gaussians`.

    Args:
        source: what `is_drawn` accepts, as text.

    Example:
        >>> load_drawn("plane:shape=square").name
        'plane:shape=square'
    """
    return _LOADERS[source.partition(":")[0]](source)
