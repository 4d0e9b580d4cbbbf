"""Dead and saturated units, counted where the non-linearity is applied.

Decisions:
- Everything is said of the slope φ' relative to φ's steepest: this is what a gradient is
  multiplied with, and it is one measure for rectifiers, sigmoids and bumps.
- A unit is a channel where a convolution came before, else a feature of the last axis: the last
  convolution or matrix product that ran decides. Without either, 4 axes and more are read as
  N×C×H×W.
- Calls of one module by several calls of its caller (a recurrent cell, a shared layer) are the
  same units. Several calls in one forward are rows of their own, since a loop over layers looks
  no different from one over steps.
- A call whose answer is the network's answer is counted and never a finding: a classifier that is
  sure of itself saturates its last sigmoid.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import Activation
from penchant.probes._finding import Finding
from penchant.probes._functions import CONVOLUTIONS, PRODUCTS, RECURRENT
from penchant.probes._passes import (
    Frame,
    Pass,
    check_inputs,
    check_network,
    numbered,
    table,
    tensors,
)
from penchant.probes._slopes import (
    Function,
    Shape,
    is_nonlinear,
    shape_of,
    slopes,
    slopes_of_module,
)

DEAD_SLOPE = 1e-6
"""Below this share of the steepest slope a gradient is lost in float32's rounding."""
FLAT_SLOPE = 1e-3
"""Below this share a number passes a thousandth of the gradient: sigmoid at |z| > 8.3, tanh 4.1."""
SATURATED_PLACES = 0.95
"""A unit that is flat at this share of samples and places is saturated."""
DEAD_UNITS = 0.9
"""A layer with this share of dead units is a finding; see docs/probes.md for healthy networks'."""
FLAT_PLACES = 1 / 3
"""A layer flat at this share of its numbers is a finding; see docs/probes.md."""
HARD_FLAT_PLACES = 0.9
"""The same for functions of straight pieces: half of hardtanh's numbers are flat in health."""
FEW_SAMPLES = 64
"""With fewer samples only a layer that is dead as a whole is a finding: rare units look dead."""

_FUSED = RECURRENT | {"glu"}


@dataclass(frozen=True)
class LayerActivity:
    """What one non-linearity's units did over all batches."""

    name: str
    """The module's dotted name; ``block.relu`` for a functional call in block's forward, and
    ``#2`` behind it for the second call in one forward."""
    function: str
    """The non-linearity: "relu", "GELU", ..."""
    behind: str
    """The module that made the last convolution or matrix product before it."""
    units: int
    """Channels, or features."""
    places: int
    """How many numbers of each unit were seen: samples times positions."""
    dead: float
    """Share of units whose slope is 0 (below 1e-6 of the steepest) at every place."""
    saturated: float
    """Share of units, not dead, flat at 95% of places or more; 0 unless φ saturates."""
    flat: float
    """Share of all numbers whose slope is below 0.1% of the steepest: where a rectifier is off, or
    a sigmoid at its end."""


@dataclass(frozen=True)
class ActivityReport:
    """Which units of a network are alive."""

    layers: tuple[LayerActivity, ...]
    """In the order in which they are applied."""
    samples: int
    """Samples over all batches."""
    findings: tuple[Finding, ...]
    """Layers that are dead or saturated."""
    notes: tuple[str, ...]
    """What could not be seen: non-linearities inside one kernel, as nn.LSTM's gates are."""

    @property
    def sentence(self) -> str:
        """The outcome in a sentence."""
        over = f"over {self.samples:,} sample{'s' * (self.samples != 1)}"
        if self.findings:
            names = ", ".join(f"{one.layer} ({one.kind})" for one in self.findings)
            return (
                f"{len(self.findings)} of {len(self.layers)} non-linearities fail {over}: {names}."
            )
        if not self.layers:
            return f"No non-linearity was seen {over}."
        worst = max(self.layers, key=lambda layer: layer.dead)
        if worst.dead == 0:
            all_of = f"{len(self.layers)} non-linearit{'y' if len(self.layers) == 1 else 'ies'}"
            return f"All units of {all_of} are alive {over}."
        return (
            f"Units are alive {over}; most dead ones are in {worst.name}, {worst.dead:.0%} of "
            f"{worst.units}."
        )

    def __str__(self) -> str:
        rows = (
            (
                layer.name,
                layer.function,
                str(layer.units),
                f"{layer.dead:.0%}",
                f"{layer.saturated:.0%}",
                f"{layer.flat:.0%}",
            )
            for layer in self.layers
        )
        heads = ("non-linearity", "function", "units", "dead", "saturated", "flat")
        said = [table(heads, rows), self.sentence, *map(str, self.findings), *self.notes]
        return "\n".join(said)


def activity(network: nn.Module, batches: Tensor | Iterable[Any]) -> ActivityReport:
    r"""Count dead and saturated units where the non-linearity is applied, over many batches.

    .. math:: \text{dead} = \{u : |\varphi'(z_{ui})| < 10^{-6}\max|\varphi'|\ \forall i\}, \qquad
              \text{flat} = \{(u, i) : |\varphi'(z_{ui})| < 10^{-3}\max|\varphi'|\}

    over all samples and positions i of unit u. A dead unit passes no gradient on any sample, so
    these samples cannot bring it back. A unit is saturated that is flat on 95% of places, where φ
    goes one way between two flat ends; a rectifier that is rarely on is sparse, and a bump that is
    flat elsewhere is local, which are no faults.

    A layer is a finding from 90% dead units on, or where φ saturates, from a third of flat numbers
    (90% where φ is made of straight pieces). Non-linearities that are seen: torch's activation
    modules, this package's, a user's own module that treats each number alone, and torch's
    activation functions in anyone's forward (`F.relu`, ``x.relu_()``, `torch.tanh`, a clamp at 0).
    The gates in `nn.LSTM` and `nn.GRU` run inside one kernel and cannot be seen; a note says so.

    Args:
        network: any module, in the mode it is in; nothing of it changes.
        batches: inputs, a tensor or an iterable of tensors; of a pair, as a `DataLoader` gives
            them, the first is the input.

    Returns:
        Shares for each non-linearity, and findings.

    Raises:
        PenchantError: no module, no batch, or a batch that is empty or not finite.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> with torch.no_grad():
        ...     _ = net[0].bias.fill_(-100.0)
        >>> report = activity(net, torch.randn(256, 2))
        >>> report.layers[0].name, report.layers[0].behind, report.layers[0].dead
        ('1', '0', 1.0)
        >>> report.sentence
        '1 of 1 non-linearities fail over 256 samples: 1 (dead).'

    Source: Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network acoustic models",
    2013; Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.
    """
    check_network("activity", network)
    watch = _Counter(network)
    samples = 0
    for batch in _batches(batches):
        samples += len(batch)
        with torch.no_grad():
            watch.look(batch)
    if not samples:
        raise PenchantError("activity(batches): holds no batch; at least 1 would fit")
    counted = [(tally, tally.layer()) for tally in watch.tallies.values()]
    findings = [
        finding
        for tally, layer in counted
        if not tally.answers
        for finding in _judge(layer, samples, tally.shape)
    ]
    return ActivityReport(
        tuple(layer for _, layer in counted), samples, tuple(findings), tuple(watch.notes)
    )


def _batches(batches: Tensor | Iterable[Any]) -> Iterable[Tensor]:
    call = "activity(batches)"
    if not isinstance(batches, Tensor) and not isinstance(batches, Iterable):
        raise PenchantError(
            f"{call}: is a {type(batches).__name__}; a tensor or an iterable of tensors would fit"
        )
    for batch in [batches] if isinstance(batches, Tensor) else batches:
        held = batch[0] if isinstance(batch, tuple | list) and batch else batch
        yield check_inputs(call, held)


def _judge(layer: LayerActivity, samples: int, shape: Shape) -> list[Finding]:
    where = f"of {layer.function} behind {layer.behind or 'the input'}"
    limit = DEAD_UNITS if samples >= FEW_SAMPLES else 1.0
    if layer.dead >= limit:
        said = (
            f"{layer.dead:.0%} of {layer.units} units {where} have slope 0 on all {samples:,} "
            f"samples (a finding from {limit:.0%})"
        )
        return [Finding("dead", layer.name, said)]
    limit = HARD_FLAT_PLACES if shape.hard else FLAT_PLACES
    if shape.saturating and layer.flat >= limit:
        said = (
            f"{layer.flat:.0%} of the numbers {where} lie where the slope is below "
            f"{FLAT_SLOPE:.1%} of its steepest (a finding from {limit:.0%})"
        )
        return [Finding("saturated", layer.name, said)]
    return []


@dataclass(eq=False)
class _Tally:
    """What was counted of one non-linearity so far."""

    name: str
    function: str
    behind: str
    shape: Shape
    alive: Tensor
    flat: Tensor
    places: int = 0
    answers: bool = False

    def count(self, slope: Tensor) -> None:
        """Add slopes of shape (places, units)."""
        self.alive |= (slope > DEAD_SLOPE * self.shape.steepest).any(0)
        self.flat += (slope < FLAT_SLOPE * self.shape.steepest).sum(0)
        self.places += len(slope)

    def layer(self) -> LayerActivity:
        dead = ~self.alive
        stuck = self.flat >= SATURATED_PLACES * self.places
        return LayerActivity(
            name=self.name,
            function=self.function,
            behind=self.behind,
            units=len(dead),
            places=self.places,
            dead=float(dead.double().mean()),
            saturated=float((stuck & ~dead).double().mean()) if self.shape.saturating else 0.0,
            flat=float(self.flat.double().mean()) / self.places,
        )


@dataclass(eq=False)
class _Source:
    """Where numbers come from: the module behind, and which axis holds its units."""

    path: str = ""
    axis: int | None = None


class _Counter(Pass):
    """Counts slopes at every non-linearity of a network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.tallies: dict[tuple[str, str, int], _Tally] = {}
        self.notes: dict[str, None] = {}
        self._source = _Source()
        self._within: Frame | None = None
        self._last: tuple[_Tally, Any] | None = None

    def look(self, inputs: Tensor) -> None:
        """Run the network on a batch."""
        self._source, self._within, self._last = _Source(), None, None
        output = self.run(inputs)
        if self._last:
            tally, made = self._last
            if isinstance(made, Tensor) and any(
                one is made or one.data_ptr() == made.data_ptr() for one in tensors(output)
            ):
                tally.answers = True

    def enter(self, frame: Frame, inputs: tuple[Any, ...]) -> None:
        if self._within or len(inputs) != 1 or not _is_real(inputs[0]):
            return
        slope = slopes_of_module(frame.module, inputs[0])
        if slope:
            kind = type(frame.module).__name__
            scale = frame.module.scale if isinstance(frame.module, Activation) else 1.0
            self._count(numbered(frame.path, frame.turn), kind, slope, inputs[0], scale)
            self._within = frame  # what it calls is part of it

    def leave(self, frame: Frame, inputs: tuple[Any, ...], output: Any) -> None:
        if self._within is frame:
            self._within = None
            self._answer(output)

    def function(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        frame = self.frames[-1]
        if name in CONVOLUTIONS or name in PRODUCTS:
            self._source = _Source(frame.path, 1 if name in CONVOLUTIONS else -1)
        elif name in _FUSED:
            where = frame.path or type(frame.module).__name__
            self.notes[
                f"{where}: the gates of {name} run inside one kernel and are not counted"
            ] = None
            self._source = _Source(frame.path, -1)
        if self._within or not is_nonlinear(name, args, kwargs):
            return func(*args, **kwargs)
        z = args[0] if args else kwargs.get("input")
        if not isinstance(z, Tensor) or not _is_real(z):
            return func(*args, **kwargs)
        named = {key: value for key, value in kwargs.items() if key != "input"}

        def slope(points: Tensor) -> Tensor:
            return slopes(lambda one: func(one, *args[1:], **named), points)

        plain = name.strip("_")
        self._count(self._call(frame, plain), plain, slope, z, 1.0)
        output = func(*args, **kwargs)
        self._answer(output)
        return output

    def _call(self, frame: Frame, name: str) -> str:
        frame.turns[name] += 1
        own = type(frame.module).__module__ == "torch.nn.modules.activation"
        bare = not any(True for _ in frame.module.parameters()) and not any(
            True for _ in frame.module.children()
        )
        if (own or bare) and len(self.frames) > 1:  # the module is the non-linearity
            return numbered(frame.path, frame.turn)
        return numbered(f"{frame.path}.{name}" if frame.path else name, frame.turns[name])

    def _count(self, name: str, kind: str, slope: Function, z: Tensor, scale: float) -> None:
        axis = self._source.axis
        if axis is None:
            axis = 1 if z.ndim > 3 else -1
        by_unit = slope(z).abs().movedim(axis if z.ndim > 1 else 0, -1)
        by_unit = by_unit.reshape(-1, by_unit.shape[-1] if z.ndim > 1 else 1)
        key = (name, kind, by_unit.shape[1])
        if key not in self.tallies:
            none = torch.zeros(by_unit.shape[1], dtype=torch.bool, device=z.device)
            self.tallies[key] = _Tally(
                name, kind, self._source.path, shape_of(slope, scale, z), none, none.long()
            )
        self._last = (self.tallies[key], None)
        self.tallies[key].count(by_unit)

    def _answer(self, output: Any) -> None:
        if self._last:
            self._last = (self._last[0], output)


def _is_real(z: Any) -> bool:
    return isinstance(z, Tensor) and z.is_floating_point() and z.ndim > 0 and z.numel() > 0
