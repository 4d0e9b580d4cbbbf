"""What probes find in a study's networks: at the start of a run, on the way, and at its end.

They measure on one keyed batch of what the run sees, leave no trace on the network and draw from no
stream, so that a run's other numbers are the same with and without them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

import torch
from jaxtyping import Float
from torch import Tensor, nn

from penchant.divergences import Divergence
from penchant.errors import PenchantError
from penchant.randomness import generator
from penchant.study._design import Design
from penchant.study._results import Moment
from penchant.tasks import Metric, Split, Task

SAMPLES = 128
"""What probes measure on, at most."""


@dataclass(frozen=True)
class Found:
    """What a probe finds at one moment: numbers, and rows of them."""

    metrics: Mapping[str, float]
    profiles: Mapping[str, tuple[float, ...]]
    layers: tuple[str, ...] = ()


Measure = Callable[
    [nn.Module, Divergence, Float[Tensor, "samples inputs"], Float[Tensor, "samples outputs"]],
    Found,
]


@dataclass(frozen=True)
class Probe:
    """A probe, and the metrics that a run has of it."""

    measure: Measure
    at_a_look: tuple[str, ...]
    """The numbers that it finds at one moment."""
    metrics: tuple[Metric, ...]
    """The run's."""


def _gradients(
    network: nn.Module,
    divergence: Divergence,
    inputs: Float[Tensor, "samples inputs"],
    targets: Float[Tensor, "samples outputs"],
) -> Found:
    from penchant.probes import gradient_flow

    report = gradient_flow(network, divergence, inputs, targets)
    return Found(
        {"gradient_decay": _decay([layer.activation for layer in report.layers])},
        {"gradient": tuple(layer.activation for layer in report.layers)},
        tuple(layer.name for layer in report.layers),
    )


def _decay(norms: Sequence[float]) -> float:
    """Return how many decades lie between the first layer's gradient and the last hidden one's.

    The last layer is left out: between the answer and what is pooled for it the norm changes in
    every network alike, and would hide or feign as much on the way.
    """
    if len(norms) < 3:
        return 0.0
    first, last = norms[0], norms[-2]
    if not (0 < first < math.inf and 0 < last < math.inf):
        return math.nan
    return abs(math.log10(last / first))


def _blocks(
    network: nn.Module,
    divergence: Divergence,
    inputs: Float[Tensor, "samples inputs"],
    targets: Float[Tensor, "samples outputs"],
) -> Found:
    from penchant.probes import identity_shares, path_lengths

    shares = tuple(100 * block.share for block in identity_shares(network, inputs).blocks)
    if not shares:  # no path leads around anything, and a path's length in blocks means nothing
        return Found({"identity_share": 0.0, "effective_depth": math.nan}, {})
    paths = path_lengths(network, divergence, inputs, targets)
    return Found(
        {"identity_share": fmean(shares), "effective_depth": paths.effective_depth},
        {"identity_share": shares, "path_lengths": tuple(paths.shares)},
    )


PROBES: dict[str, Probe] = {
    "gradients": Probe(
        _gradients,
        ("gradient_decay",),
        # Half a decade between the ends: the first layer's gradient is three times as far off.
        tuple(
            Metric(name, "decades", margin=0.5, higher_is_better=False, watched=watched)
            for name, watched in (
                ("gradient_decay", True),
                ("gradient_decay_start", False),
                ("gradient_decay_end", False),
            )
        ),
    ),
    "blocks": Probe(
        _blocks,
        ("identity_share", "effective_depth"),
        (
            Metric("identity_share", "%", margin=5.0, watched=False, neutral=True),
            Metric("effective_depth", "blocks", margin=0.5, watched=False, neutral=True),
        ),
    ),
}
"""What a plan may have measured, by name."""

ON_THE_WAY = ("gradients",)
"""Probes that are cheap enough for every look: about one training step each."""


def probe_of(metric: str) -> str | None:
    """Name the probe that measures a metric, if one does.

    Example:
        >>> probe_of("gradient_decay_end"), probe_of("accuracy_held_out")
        ('gradients', None)
    """
    for name, probe in PROBES.items():
        if any(one.name == metric for one in probe.metrics):
            return name
    return None


def probed_metrics(probes: Sequence[str]) -> list[Metric]:
    """List the metrics that probes add to those of a task."""
    return [metric for name in PROBES if name in probes for metric in PROBES[name].metrics]


@dataclass
class Probing:
    """The probes of one run; made before the network learns, which is the run's start.

    Args:
        probes: names of `PROBES`.
        network: the run's, as it is trained.
        divergence: what training minimises.
        split: what the run sees.
        seed: the run's; it keys the batch.
    """

    probes: tuple[str, ...]
    network: nn.Module
    divergence: Divergence
    split: Split
    seed: int
    start: Found = field(init=False)

    def __post_init__(self) -> None:
        if self.probes:
            draws = generator(self.seed, "probes")
            chosen = torch.randperm(len(self.split.inputs), generator=draws)[:SAMPLES].sort().values
            place = next(self.network.parameters()).device
            self.inputs = self.split.inputs[chosen].to(place)
            self.targets = self.split.targets[chosen].to(place)
        self.start = self._measured(self.probes)

    def looked(self, step: int) -> Mapping[str, float]:
        """Return what a look at a step of the run adds to its scores."""
        if step == 0:
            return self.start.metrics
        return self._measured([name for name in self.probes if name in ON_THE_WAY]).metrics

    def ended(self, curve: Sequence[Moment], *, diverged: bool) -> tuple[Found, Found]:
        """Return what is found at the end: for the last look, and for the run.

        A run's profiles have the gradient of its start beside that of its end, and its metrics
        the median decay over all looks. Of a network that diverged nothing is measured.

        Args:
            curve: the looks until then.
            diverged: whether the run did.
        """
        nothing = Found(dict.fromkeys(self.start.metrics, math.nan), {})
        last = nothing if diverged else self._measured(self.probes)
        metrics = dict(last.metrics)
        profiles = dict(last.profiles)
        if "gradients" in self.probes:
            looks = [m.metrics["gradient_decay"] for m in curve] + [metrics["gradient_decay"]]
            known = [look for look in looks if not math.isnan(look)]
            metrics["gradient_decay_start"] = self.start.metrics["gradient_decay"]
            metrics["gradient_decay_end"] = metrics["gradient_decay"]
            metrics["gradient_decay"] = median(known) if known else math.nan
            profiles.pop("gradient", None)
            for name, found in (("gradient_start", self.start), ("gradient_end", last)):
                if "gradient" in found.profiles:
                    profiles[name] = found.profiles["gradient"]
        return last, Found(metrics, profiles, self.start.layers)

    def _measured(self, probes: Sequence[str]) -> Found:
        found = [self._found(name) for name in probes]
        return Found(
            {name: value for one in found for name, value in one.metrics.items()},
            {name: row for one in found for name, row in one.profiles.items()},
            tuple(name for one in found for name in one.layers),
        )

    def _found(self, probe: str) -> Found:
        """Measure, or find nothing where no gradient is left: that is a result, and no error."""
        try:
            return PROBES[probe].measure(self.network, self.divergence, self.inputs, self.targets)
        except PenchantError:
            return Found(dict.fromkeys(PROBES[probe].at_a_look, math.nan), {})


def check_paths(metrics: Sequence[str], designs: Mapping[str, Design], task: Task) -> None:
    """Refuse to judge how deep a network's paths reach where there are no blocks.

    Args:
        metrics: that the plan judges.
        designs: resolved and with widths, by label.
        task: their data.

    Raises:
        PenchantError: a design without residual blocks.
    """
    if "effective_depth" not in metrics:
        return
    split = task.split(0)
    for label, design in designs.items():
        network = task.wrapped(design.build(task.shape, task.outputs, seed=0), split)
        few = slice(2)
        divergence = design.divergence_of(task)
        found = _blocks(network, divergence, split.inputs[few], split.targets[few])
        if math.isnan(found.metrics["effective_depth"]):
            raise PenchantError(
                f"metric='effective_depth': {label} has no residual blocks, so its paths have no "
                "lengths to compare; judge identity_share or gradient_decay, or leave it out"
            )
