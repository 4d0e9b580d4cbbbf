"""One good network for one signal: fit it, keep it, decode it at any resolution."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import nn

from penchant.divergences import L2
from penchant.errors import PenchantError
from penchant.files import write_whole
from penchant.study._families import design
from penchant.study._fully_connected import CoordinateDesign, FullyConnected
from penchant.study._jobs import final_score
from penchant.study._model_file import Signal, model_bytes, read_model
from penchant.tasks import (
    GridSplit,
    Picture,
    PictureTask,
    coordinates,
    evaluate,
    grid_coordinates,
    load_picture,
    signed_answering,
    signed_divergence,
)
from penchant.training import Recipe, Training

FIT_DESIGN: dict[str, object] = {"activation": "finer", "scale": 30, "learning_rate": 1.5e-3}
"""Chosen for what a network can represent (seen samples), where a study's defaults fill in well."""
FIT_WIDTH = 192
FIT_STEPS = 600
FIT_SIZE = 256

BETWEEN_LOOKS = 10
"""Steps between two looks at the target and the listener."""


@dataclass(frozen=True)
class Fitted:
    """A network with its design and the shape of its signal.

    Example:
        >>> from penchant.tasks import builtin_picture
        >>> fitted = fit(builtin_picture(16), steps=20, design={"activation": "sine", "width": 16})
        >>> fitted.render(scale=2).shape
        (32, 32, 3)
    """

    network: nn.Module
    design: FullyConnected
    signal: Signal
    metrics: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0
    """Wall seconds of the training, looks at the target included."""
    task: PictureTask | None = None

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
        self, *, scale: float = 1.0, region: tuple[float, float, float, float] | None = None
    ) -> Float[np.ndarray, "rows columns channels"]:
        """Decode the picture, or a part of it, at any resolution.

        Args:
            scale: new pixels for each pixel of the fitted picture, along each side.
            region: left, top, right and bottom in the fitted picture's pixels.

        Returns:
            Values in [0, 1].

        Raises:
            PenchantError: a region outside the picture, or more than 100 megapixels.
        """
        signal = self._picture()
        grid = grid_coordinates(signal.height, signal.width, region, scale)
        rows, columns = grid.shape[:2]
        values = self._values(grid.reshape(-1, 2))
        return values.reshape(rows, columns, signal.outputs)

    def at(self, x: float, y: float) -> Float[np.ndarray, " channels"]:
        """Decode one point.

        Args:
            x: columns from the left edge, in the fitted picture's pixels; centres are at ½.
            y: rows from the upper edge.

        Returns:
            The value there, in [0, 1].

        Raises:
            PenchantError: a point outside the picture.
        """
        signal = self._picture()
        if not (0 <= x <= signal.width and 0 <= y <= signal.height):
            raise PenchantError(
                f"at={x:g},{y:g}: the point is outside the picture's {signal.width}×"
                f"{signal.height} pixels"
            )
        point = coordinates(
            torch.tensor([[x, y]], dtype=torch.float32), signal.height, signal.width
        )
        value: Float[np.ndarray, " channels"] = self._values(point)[0]
        return value

    def _picture(self) -> Signal:
        if self.signal.kind != "picture" or not (self.signal.height and self.signal.width):
            raise PenchantError(f"a network of {self.signal.kind}; only pictures are rendered")
        return self.signal

    def _answer(self) -> nn.Module:
        divergence = signed_divergence(self.design.divergence, self.design.link)
        return signed_answering(self.network, divergence)

    def _values(self, points: torch.Tensor) -> Float[np.ndarray, "points channels"]:
        values: Float[np.ndarray, "points channels"]
        values = PictureTask.to_values(evaluate(self._answer(), points)).clamp(0, 1).numpy()
        return values


def fit(
    picture: Picture | str | Path,
    *,
    design: Mapping[str, object] | None = None,
    size: int = FIT_SIZE,
    steps: int = FIT_STEPS,
    target_db: float | None = None,
    held_out: str = "none",
    seed: int = 0,
    on_step: Callable[[int, float], None] | None = None,
) -> Fitted:
    """Fit one network to one picture, with all the threads that torch has.

    Args:
        picture: a `Picture`, or the path of one, which is reduced to `size`.
        design: fields that differ from the default, a FINER network of 3 layers of 192.
        size: pixels along the longer side, for a path.
        steps: optimisation steps.
        target_db: stop as soon as the PSNR on seen samples is reached, in dB.
        held_out: samples that training must not see.
        seed: of the initial draws, the batches and the held-out samples.
        on_step: called now and then with the step and the PSNR of the last batch.

    Returns:
        The network with its scores.

    Raises:
        PenchantError: a picture, design or number that does not fit, or a run that diverged.
    """
    if target_db is not None and not (math.isfinite(target_db) and target_db > 0):
        raise PenchantError(f"target_db={target_db}: a positive number of decibels is needed")
    chosen = fit_design(dict(design or {}))
    loaded = picture if isinstance(picture, Picture) else load_picture(Path(picture), size)
    task = PictureTask(loaded, held_out)
    split = task.split(seed)
    network = chosen.build(task.shape, task.outputs, seed)
    assert chosen.learning_rate is not None
    recipe = Recipe(
        steps, chosen.optimizer, chosen.learning_rate, weight_decay=chosen.weight_decay or 0.0
    )
    training = Training(
        network, chosen.divergence_of(task), split.inputs, split.targets, recipe, seed
    )
    answer = task.answering(network, training.minimised)
    target = math.inf if target_db is None else target_db
    started = time.perf_counter()
    while not training.finished:
        training.advance(BETWEEN_LOOKS)
        if training.diverged:
            break
        estimate = _psnr(training, split, answer)
        if on_step is not None:
            on_step(training.step, estimate)
        # The batch's own score is free but noisy and one step old, so it only says when to look.
        reached = estimate > target - 0.5
        if reached and split.score(answer, final=False).metrics["psnr_seen"] >= target:
            break
    seconds = time.perf_counter() - started
    status, score = final_score(training, split, answer)
    if status == "diverged":
        raise PenchantError(
            f"the fit diverged at step {training.step}; a lower learning_rate than "
            f"{chosen.learning_rate:g} would help"
        )
    metrics = dict(score.metrics)
    return Fitted(network, chosen, Signal.of(task), metrics, training.step, seconds, task)


def fit_design(fields: dict[str, object]) -> CoordinateDesign:
    """Complete the words of a `fit` to a whole design."""
    base = FIT_DESIGN if "activation" not in fields else {}
    chosen = design({"width": FIT_WIDTH, **base, **fields})
    if not isinstance(chosen, CoordinateDesign):
        raise PenchantError(f"family={chosen.family!r}: pictures are fitted by coordinate networks")
    return chosen.resolved()


def _psnr(training: Training, split: GridSplit, answer: nn.Module) -> float:
    """Estimate the PSNR on seen samples from the last batch, where that is what was minimised."""
    if not isinstance(training.minimised, L2):
        return split.score(answer, final=False).metrics["psnr_seen"]
    # The mean of ½‖error‖² over samples, with values twice as far apart as in the picture.
    error = training.divergence / (2 * split.targets.shape[1])
    return -10 * math.log10(error) if error > 0 else math.inf


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
