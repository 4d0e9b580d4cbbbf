"""One good network for one signal: fit it, keep it, decode it at any resolution."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors.torch import save
from torch import nn

from penchant.divergences import L2
from penchant.errors import PenchantError
from penchant.files import write_whole
from penchant.study._families import design
from penchant.study._fit_defaults import FITS, Fit, usual_fit
from penchant.study._fully_connected import CoordinateDesign
from penchant.study._jobs import final_score
from penchant.study._layered import Layered
from penchant.study._model_file import model_bytes, read_model
from penchant.study._suited import suited
from penchant.study._tiled import TiledDesign
from penchant.tasks import (
    Asked,
    Decoding,
    GridTask,
    Metric,
    Picture,
    PictureTask,
    SignalHeader,
    Split,
    Task,
    kind_of,
    load_task,
)
from penchant.training import Recipe, Training, usable_device

BETWEEN_LOOKS = 10
"""Steps between two looks at the target and the listener."""


@dataclass(frozen=True)
class Fitted:
    """A network with its design and the facts of its signal.

    Example:
        >>> from penchant.tasks import builtin_picture
        >>> fitted = fit(builtin_picture(16), steps=20, design={"activation": "sine", "width": 16})
        >>> fitted.render(scale=2).shape
        (32, 32, 3)
    """

    network: nn.Module
    design: Layered
    signal: SignalHeader
    metrics: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0
    """Wall seconds of the training, looks at the target included."""
    task: Task | None = None

    def save(self, path: str | Path) -> Path:
        """Write network, design and the signal's shape to a .safetensors file.

        Args:
            path: where to.

        Raises:
            PenchantError: it cannot be written, or this network was not fitted here.
        """
        if self.task is None:
            raise PenchantError(f"{path}: a network that was read from a file is saved already")
        return write_whole(
            Path(path), model_bytes(save(self.network.state_dict()), self.design, self.task)
        )

    def render(
        self,
        *,
        scale: float = 1.0,
        region: tuple[float, ...] | None = None,
        view: int | None = None,
    ) -> Any:
        """Decode the signal, or a part of it, at any resolution.

        Args:
            scale: new samples for each sample of the fitted signal, along each axis.
            region: borders in the signal's own units: left, top, right and bottom of a picture, in
                its pixels.
            view: which of a scene's views.

        Returns:
            A picture: rows × columns × channels, in [0, 1]. A volume: i × j × k × channels, in
            its file's values. A mesh: vertices and faces, in its file's units.

        Raises:
            PenchantError: a region outside the signal, more than 100 million samples, or what
                means nothing for this kind of signal.
        """
        return self.signal.decode(self._answer(), Decoding(scale, region, view))

    def write(
        self,
        out: str | Path,
        *,
        scale: float = 1.0,
        region: tuple[float, ...] | None = None,
        view: int | None = None,
    ) -> str:
        """Decode the signal into a file of its own format.

        Args:
            out: the file; its ending names the format.
            scale: as in `render`.
            region: as in `render`.
            view: as in `render`.

        Returns:
            What the file holds, in a few words.

        Raises:
            PenchantError: as in `render`, or an ending that stands for no format of such a signal.
        """
        out, wanted = Path(out), Decoding(scale, region, view)
        self.signal.check(wanted)
        self.signal.check_file(out)
        return self.signal.write(self.signal.decode(self._answer(), wanted), out, wanted)

    def at(self, *point: float) -> Float[np.ndarray, " channels"]:
        """Decode one point.

        Args:
            point: in the signal's own units: of a picture columns from the left edge and rows from
                the upper one, in the fitted picture's pixels, whose centres are at ½.

        Returns:
            The values there.

        Raises:
            PenchantError: a point outside the signal, or of another number of coordinates.
        """
        axes = self.signal.axes
        if axes and len(point) != len(axes):  # without axes the header says what it is
            needed = f"{len(axes)} number{'s' if len(axes) > 1 else ''}, {', '.join(axes)}"
            raise PenchantError(f"at={point}: takes {needed}")
        return self.signal.at(self._answer(), point)

    def _answer(self) -> nn.Module:
        return self.signal.answer(self.network, self.design.divergence, self.design.link)


def fit(
    signal: Picture | Task | str | Path,
    *,
    design: Mapping[str, object] | None = None,
    size: int | None = None,
    steps: int | None = None,
    target_db: float | None = None,
    held_out: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    on_step: Callable[[int, float], None] | None = None,
) -> Fitted:
    """Fit one network to one signal, with all the threads that torch has, or on an accelerator.

    Args:
        signal: a path, a `Picture`, or a task.
        design: fields that differ from the default: for pictures tiles of 16 samples, each a sine
            network of 3 layers of 12; or where these words or held-out samples ask for one network
            (see `usual_fit`), a FINER network of 3 layers of 192.
        size: samples along the longest side, for a path.
        steps: optimisation steps.
        target_db: stop as soon as the seen samples are reproduced so well, in decibels.
        held_out: samples that training must not see.
        seed: of the initial draws, the batches and the held-out samples.
        device: where the network is trained, ``cpu`` or ``cuda``; it comes back on the processor.
        on_step: called now and then with the step and the score of the last batch.

    Returns:
        The network with its scores.

    Raises:
        PenchantError: a signal, design, number or device that does not fit, or a run that diverged.
    """
    place = usable_device(device)
    words = dict(design or {})
    task = fit_task(signal, size, held_out, words)
    usual, metric = _usual(task, words), _seen_metric(task)
    _check_target(target_db, metric)
    chosen = fit_design(words, usual, task)
    split = task.split(seed)
    network = task.wrapped(chosen.build(task.shape, task.outputs, seed), split).to(place)
    assert chosen.learning_rate is not None
    recipe = Recipe(
        usual.steps if steps is None else steps,
        chosen.optimizer,
        chosen.learning_rate,
        usual.batch,
        weight_decay=chosen.weight_decay or 0.0,
    )
    inputs, targets = split.inputs.to(place), split.targets.to(place)
    training = Training(network, chosen.divergence_of(task), inputs, targets, recipe, seed)
    answer = task.answering(network, training.minimised)
    started = time.perf_counter()
    for estimate in _advanced(training, split, answer, metric.name):
        if on_step is not None:
            on_step(training.step, estimate)
        # The batch's own score is free but noisy and one step old, so it only says when to look.
        if target_db is None or estimate <= target_db - 0.5:
            continue
        if split.score(answer, final=False).metrics[metric.name] >= target_db:
            break
    seconds = time.perf_counter() - started
    taken, diverged = training.step, training.diverged
    # Gradients and the optimiser's state outweigh the network twice; the score needs their room.
    del training, inputs, targets
    network.zero_grad(set_to_none=True)
    status, score = final_score(network, split, answer, diverged=diverged)
    if status == "diverged":
        raise PenchantError(
            f"the fit diverged at step {taken}; a lower learning_rate than "
            f"{chosen.learning_rate:g} would help"
        )
    metrics = dict(score.metrics)
    return Fitted(network.cpu(), chosen, task.header, metrics, taken, seconds, task)


def fit_task(
    signal: Picture | Task | str | Path,
    size: int | None = None,
    held_out: str | None = None,
    design: Mapping[str, object] | None = None,
) -> Task:
    """Make the task of fitting one signal.

    Args:
        signal: a path, a `Picture`, or a task, which stays as it is.
        size: samples along the longest side, for a path; by default `Fit.size`.
        held_out: samples that training must not see; by default the kind's own.
        design: what is said of the design, by which the usual size goes.

    Raises:
        PenchantError: a signal that does not load or is none, or words for a task that is made.
    """
    if isinstance(signal, Picture):
        return PictureTask(signal, held_out or "none")
    if not isinstance(signal, Task):
        usual = usual_fit(kind_of(signal).name, design or {}, held_out)
        return load_task(signal, Asked(usual.size if size is None else size, held_out))
    if held_out is not None or size is not None:
        raise PenchantError(
            f"fit: {signal.name} is a task that is made already; leave out size and held_out"
        )
    if signal.header.kind not in FITS:
        raise PenchantError(f"fit: {signal.name} is a {signal.noun}; only signals are fitted")
    return signal


def _usual(task: Task, words: Mapping[str, object]) -> Fit:
    held_out = task.held_out.pattern if isinstance(task, GridTask) else None
    return usual_fit(task.header.kind, words, held_out)


def fit_design(
    fields: dict[str, object], usual: Fit | None = None, task: Task | None = None
) -> CoordinateDesign | TiledDesign:
    """Complete the words of a `fit` to a whole design."""
    usual = usual or usual_fit("picture", fields)
    tiled = usual.design.get("family") == "tiled"
    base = dict(usual.design) if "activation" not in fields or tiled else {}
    if task is not None and not fields.keys() & {"activation", "encoding"}:
        base |= usual.suited(task)
    chosen = design({"width": usual.width, **base, **fields})
    if task is not None:
        chosen = suited({chosen.label: chosen}, task)[chosen.label]
    if not isinstance(chosen, CoordinateDesign | TiledDesign):
        raise PenchantError(
            f"family={chosen.family!r}: signals are fitted by coordinate networks, one or in tiles"
        )
    return chosen.resolved()


def _seen_metric(task: Task) -> Metric:
    return next(one for one in task.metrics if one.name.endswith("_seen"))


def _check_target(target_db: float | None, metric: Metric) -> None:
    if target_db is None:
        return
    if metric.unit != "dB":
        raise PenchantError(f"target_db={target_db}: {metric.name} is not in decibels")
    if not (math.isfinite(target_db) and target_db > 0):
        raise PenchantError(f"target_db={target_db}: a positive number of decibels is needed")


def _advanced(training: Training, split: Split, answer: nn.Module, metric: str) -> Iterator[float]:
    """Train, and yield the seen samples' score now and then, as far as it is known."""
    while not training.finished:
        training.advance(BETWEEN_LOOKS)
        if training.diverged:
            break
        # What was minimised is free; another divergence says nothing of the score.
        known = isinstance(training.minimised, L2)
        estimate = split.estimate(training.divergence) if known else None
        if estimate is None:
            estimate = split.score(answer, final=False).metrics[metric]
        yield estimate


def load(path: str | Path, *, activation: str | None = None) -> Fitted:
    """Read a network that `fit` or a study has written.

    Args:
        path: the .safetensors file.
        activation: ``file.py:Name`` where the network uses a user's own activation.

    Returns:
        The network, ready to be rendered.

    Raises:
        PenchantError: the file is not ours, or its tensors do not match its design.
    """
    network, one, signal = read_model(Path(path), activation)
    return Fitted(network, one, signal)
