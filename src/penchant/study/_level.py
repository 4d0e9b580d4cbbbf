"""A metric where another one comes to a level: how wide the gap is at equal training loss."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from penchant.errors import PenchantError, nearest
from penchant.study._results import Run
from penchant.study._sentence import with_unit
from penchant.tasks import Metric

FORM = "metric@watched=value, such as gap_nll@nll_seen=0.1"


@dataclass(frozen=True)
class Level:
    """A metric, read off a run's curve where a watched one first comes to a value.

    Example:
        >>> loss = Metric("nll_seen", "nats", 0.05, higher_is_better=False)
        >>> gap = Metric("gap_nll", "nats", 0.05, higher_is_better=False)
        >>> level = parse_level("gap_nll@nll_seen=0.1", {"gap_nll": gap, "nll_seen": loss})
        >>> level.metric.name, str(level)
        ('gap_nll@nll_seen=0.1', 'nll_seen 0.1 nats')
    """

    read: Metric
    """What is read there."""
    watched: Metric
    """What comes to the value."""
    value: float

    @property
    def metric(self) -> Metric:
        """The metric of the verdicts: known at the end of a run alone."""
        name = f"{self.read.name}@{self.watched.name}={self.value:g}"
        return replace(self.read, name=name, watched=False)

    def __str__(self) -> str:
        return f"{self.watched.name} {with_unit(f'{self.value:g}', self.watched.unit)}"


def parse_level(text: str, known: Mapping[str, Metric]) -> Level:
    """Read ``gap_nll@nll_seen=0.1``.

    Args:
        text: a metric, an @ and a watched metric's value.
        known: the task's metrics by name.

    Raises:
        PenchantError: another form, a metric that is unknown or scored at the end of a run alone,
            or a value that is no finite number.
    """
    name, _, level = text.partition("@")
    watched, equals, value = level.partition("=")
    if not (name and watched and equals and value):
        raise PenchantError(f"metric={text!r} is not of the form {FORM}")
    looked_at = [metric.name for metric in known.values() if metric.watched]
    for one in (name, watched):
        if one not in known:
            raise PenchantError(f"metric={text!r}: {one!r} is unknown: {nearest(one, looked_at)}")
        if not known[one].watched:
            raise PenchantError(
                f"metric={text!r}: {one} is scored at the end of a run alone, so it is not known "
                f"where a run comes to a level; take {' or '.join(looked_at)}"
            )
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise PenchantError(f"metric={text!r}: {value!r} is no finite number; use {FORM}")
    return Level(known[name], known[watched], number)


def at_level(run: Run, level: Level) -> float | None:
    """Return the metric where a run's curve first comes to a level.

    Between two looks the watched metric is taken to change exponentially, as a training loss
    does (linearly where it is not positive), and the metric that is read with it. A look at which
    either is undefined is passed over, and a diverged run comes to nothing.

    Args:
        run: with its curve.
        level: of which metric, and what is read there.

    Returns:
        The metric, or None where the level is never reached.
    """
    if run.status == "diverged":
        return None
    sign = 1 if level.watched.higher_is_better else -1
    before: tuple[float, float] | None = None
    for moment in run.curve:
        watched = moment.metrics.get(level.watched.name, math.nan)
        value = moment.metrics.get(level.read.name, math.nan)
        if not (math.isfinite(watched) and math.isfinite(value)):
            continue
        if sign * watched >= sign * level.value:
            if before is None:
                return value
            start, earlier = before
            return earlier + _share(start, watched, level.value) * (value - earlier)
        before = watched, value
    return None


def _share(start: float, end: float, level: float) -> float:
    """How much of the way from a start to an end lies before a level."""
    # The logarithms of two that are all but equal can be equal; a line is as good between them.
    if min(start, end, level) > 0 and math.log(start) != math.log(end):
        start, end, level = math.log(start), math.log(end), math.log(level)
    return (level - start) / (end - start)
