"""`scale="auto"`: the numbers that decide a design's bandwidth, from the signal's own spectrum.

And, of designs in tiles, where the signal's samples lie.

Decisions:
- The signal says which bandwidth is wanted (`suited_bandwidth`, of what pilots may see), and each
  number is chosen by the bandwidth of the network that it makes: one rule for all of them.
- The encoding first, under a ReLU network, then the activation's scale given the encoding.
- Where even the lowest choice has a wider band than wanted, it is the largest that hardly widens
  it: a sine of a vanishing scale is linear, and passes little on.
- High frequencies are measured on a stretched signal, in which all are lower by octaves: the
  hundreds of cycles per unit of a sound would take ten seconds a measurement.
"""

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from penchant.errors import PenchantError
from penchant.nn import ACTIVATIONS, ENCODINGS
from penchant.probes import kernel_spectrum, matching_choice, signal_spectrum, suited_bandwidth
from penchant.study._design import Design
from penchant.study._fully_connected import CoordinateDesign
from penchant.study._plan import PILOT_SEED
from penchant.study._tiled import TiledDesign
from penchant.tasks import GridSplit, GridTask, Task

WIDTH = 64
"""Units of a layer of the networks that are measured; bandwidth hardly depends on it."""
LOWEST, HIGHEST = 1.25, 16.0
"""Cycles per unit between which bandwidths are measured; below, networks are not told apart."""
POINTS, DRAWS = 256, 4
"""Points on a line, for frequencies to 64 cycles per unit, and draws of all weights."""
HARDLY = 1.05
"""By how much a bandwidth may exceed the least there is."""
FASTEST, FASTEST_ENCODED, ENCODED = 2.0, 1.0, 0.25
"""By how much a rate may exceed the default, since a first layer's weights do not grow as scales
fall; and what is left of it where that layer has an encoding's many inputs, which all move it."""

FACTORS = tuple(2.0 ** (step / 4) for step in range(-24, 25))
"""Choices of a scale, in units of the usual one."""

DECISIVE = {"nerf": "frequencies", "fourier": "bandwidth", "oneblob": "bins"}
"""The number of each encoding that decides its bandwidth."""


def suited(designs: Mapping[str, Design], task: Task) -> dict[str, Design]:
    """Choose the numbers that ``scale="auto"`` leaves to a task's signal.

    Args:
        designs: by label, as the user gave them.
        task: says with `from_spectrum` whether an open scale means ``"auto"``, too.

    Returns:
        The designs; those that ask for it have frequencies of their encoding, a scale and a
        learning rate where these were open. Tiles know where the signal's samples lie.

    Raises:
        PenchantError: a design asks for it, and the signal has no spectrum.

    Example:
        >>> from penchant.study._families import design
        >>> from penchant.tasks import PictureTask, builtin_picture
        >>> sine = design({"activation": "sine", "scale": "auto"})
        >>> chosen = suited({"sine": sine}, PictureTask(builtin_picture(64)))["sine"]
        >>> 2 < chosen.scale < 15
        True
    """
    designs = {label: _placed(one, task) for label, one in designs.items()}
    asking = {
        label: one
        for label, one in designs.items()
        if isinstance(one, CoordinateDesign)
        and (one.scale == "auto" or (task.from_spectrum and one.scale is None and _left(one)))
    }
    if not asking:
        return dict(designs)
    wanted = wanted_bandwidth(task)
    if wanted is not None:
        return {**designs, **{label: _suited(one, task, wanted) for label, one in asking.items()}}
    for one in asking.values():
        if one.scale == "auto":
            raise PenchantError(f"design {one.label}: scale='auto': {_without_spectrum(task)}")
    return dict(designs)


def _placed(design: Design, task: Task) -> Design:
    """Tell tiles where the signal's samples lie."""
    if not isinstance(design, TiledDesign) or design.raster is not None:
        return design
    if not isinstance(task, GridTask):
        raise PenchantError(
            f"design {design.label}: {task.name} is a {task.noun}, and only samples on a grid (a "
            "picture, a sound, a volume) are cut into tiles"
        )
    return design.replaced(raster=task.raster)


def wanted_bandwidth(task: Task) -> float | None:
    """Return the bandwidth that suits a task's signal, by the samples that pilots see.

    Args:
        task: any.

    Returns:
        Cycles per unit; None where samples lie on no grid, are too few, or all the same.
    """
    if not isinstance(task, GridTask) or max(task.values.shape[:-1]) < 4:
        return None
    split = task.split(PILOT_SEED)
    assert isinstance(split, GridSplit)
    values, seen = np.zeros(task.values.shape), np.zeros(task.values.shape[:-1], bool)
    values.reshape(-1, task.outputs)[split.seen] = split.targets.numpy()
    seen.flat[split.seen] = True
    found = signal_spectrum(values, seen=seen)
    return suited_bandwidth(found) if found.most else None


def _without_spectrum(task: Task) -> str:
    if isinstance(task, GridTask):
        return f"{task.name} is constant, or has fewer than 4 samples a side; a number would fit"
    return (
        f"{task.name} is a {task.noun}, and only samples on a grid (a picture, a sound, a volume) "
        "have a spectrum to choose it by; a number would fit"
    )


def _left(design: CoordinateDesign) -> tuple[str, ...]:
    """Name the numbers that decide a design's bandwidth and were left open, in their order."""
    number, member = DECISIVE.get(design.encoding), ACTIVATIONS.get(design.activation)
    encoded = number is not None and getattr(design, number) is None
    # A learned grid brings bands of its own, which the activation cannot narrow.
    fixed = number is not None or design.encoding == "none"
    scaled = member is not None and member.default_scale != 1 and fixed
    return (*((number,) if number and encoded else ()), *(("scale",) if scaled else ()))


def _suited(design: CoordinateDesign, task: Task, wanted: float) -> CoordinateDesign:
    left, chosen = _left(design), design.replaced(scale=None)
    # The numbers that are given, such as an encoding's own, do not stretch.
    stretches = design.encoding == "none" or bool({"frequencies", "bandwidth"} & {*left})
    octaves = max(0, math.ceil(math.log2(wanted / HIGHEST))) if stretches else 0
    sizes = task.inputs, task.outputs
    low = min(HIGHEST, max(LOWEST, wanted / 2**octaves))
    # Networks are measured without what does not matter, so that one measurement serves many.
    given = {n: getattr(design, n) for n in ("depth", *ENCODINGS[design.encoding].numbers)}
    bare = CoordinateDesign(width=WIDTH, encoding=design.encoding, **given)
    for number in left:
        if number == "scale":
            bare = bare.replaced(activation=design.activation, omega=design.omega, k=design.k)
            factor = _matching(bare, number, FACTORS, sizes, low)
            chosen = _scaled(chosen, factor * (2**octaves if design.encoding == "none" else 1))
        else:
            choice = _matching(bare, number, _choices(number, task), sizes, low)
            bare = bare.replaced(**{number: choice})
            stretched = choice + octaves if number == "frequencies" else choice * 2**octaves
            chosen = chosen.replaced(**{number: stretched})
    return chosen


def _scaled(design: CoordinateDesign, factor: float) -> CoordinateDesign:
    """Stretch the usual activation: its scale, the wave within its bump, and the rate for it."""
    usual = design.resolved()
    assert isinstance(usual.scale, float) and usual.learning_rate is not None
    rate = min(FASTEST, 1 / factor)
    if design.encoding != "none":
        rate = min(FASTEST_ENCODED, ENCODED / factor)
    return design.replaced(
        scale=usual.scale * factor,
        omega=design.omega or (usual.omega and usual.omega * factor),
        learning_rate=design.learning_rate or usual.learning_rate * rate,
    )


def _choices(number: str, task: Task) -> tuple[float, ...]:
    if number == "frequencies":
        return tuple(range(1, 13))
    if number == "bandwidth":
        return tuple(2.0 ** (step / 4) for step in range(-4, 25))  # half a cycle and up
    # A first layer larger than the hidden ones would make all designs of a study narrow.
    most = max(4, math.isqrt(task.seen_values() // (2 * task.inputs)))
    return tuple(sorted({min(most, round(2 ** (step / 4))) for step in range(8, 41)}))


def _matching(
    bare: CoordinateDesign,
    number: str,
    choices: tuple[float, ...],
    sizes: tuple[int, int],
    wanted: float,
) -> float:
    def measured(choice: float) -> float:
        one = _scaled(bare, choice) if number == "scale" else bare.replaced(**{number: choice})
        return _bandwidth(one.resolved(), *sizes)

    return matching_choice(measured, max(wanted, HARDLY * measured(choices[0])), choices)


@lru_cache(maxsize=4096)
def _bandwidth(design: CoordinateDesign, inputs: int, outputs: int) -> float:
    """Measure a design's bandwidth, once for all signals of a study."""
    network = design.build((inputs,), outputs, seed=0)
    return kernel_spectrum(network, inputs, points=POINTS, draws=DRAWS).most
