"""A network in a file: safetensors, with the design and the signal's shape in its header.

Nothing in such a file is executed. What it says is checked before a network is built from it: the
design like a user's own words, the tensors by name and shape, and all by a bound on size.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.nn import PictureNet
from penchant.study import _own
from penchant.study._autoencoder import AutoencoderDesign
from penchant.study._design import Design
from penchant.study._families import design
from penchant.study._fully_connected import CoordinateDesign, FullyConnected
from penchant.study._layered import Layered
from penchant.study._tiled import TiledDesign
from penchant.tasks import PictureHeader, SignalHeader, Split, Task, read_header
from penchant.version import __version__

LARGEST = 1_000_000_000
"""Bytes beyond which a file is not opened."""


def model_bytes(tensors: bytes, design: Design, task: Task) -> bytes:
    """Put the design and the signal's shape beside a network's tensors.

    Args:
        tensors: the network's state, as a safetensors file's content.
        design: resolved and with a width.
        task: what it was fitted to.

    Returns:
        The content of a model file.
    """
    # A model file names an own activation but not its file: paths are this machine's.
    fields = design.model_dump()
    if isinstance(design, Layered) and _own.is_own(design.activation):
        fields |= {"activation": _own.label(design.activation), "own": True}
    words = {"version": __version__, "design": fields, "signal": task.header.model_dump()}
    # One entry, since safetensors writes several in any order: the same network, the same bytes.
    state = task.unwrapped(load_tensors(tensors))
    return bytes(save_tensors(state, {"penchant": json.dumps(words)}))


def read_model(
    path: Path, activation: str | None = None
) -> tuple[nn.Module, Layered, SignalHeader]:
    """Read a model file.

    Args:
        path: the file.
        activation: ``file.py:Name`` for a network with a user's own activation.

    Returns:
        The network, its design and its signal.

    Raises:
        PenchantError: the file is missing, too large, not ours, or does not hold together.
    """
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise PenchantError(f"{path} is a folder; a .safetensors file is needed")
        if size > LARGEST:
            raise PenchantError(f"{path} has {size:,} bytes; at most {LARGEST:,} are read")
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            if "penchant" not in header:
                raise PenchantError(f"{path} was not written by Penchant: it names no design")
            one, signal = _read_header(path, header["penchant"], activation)
            _check_size(path, one, signal, sum(_count(shape) for shape in shapes.values()))
            network = _built(one, signal)
            _check_shapes(path, shapes, network)
            tensors = {name: file.get_tensor(name) for name in shapes}
            _check_numbers(path, tensors, network)
            network.load_state_dict(tensors)
    except OSError as error:
        raise PenchantError(
            f"cannot read {path}: {(error.strerror or str(error)).lower()}"
        ) from error
    except SafetensorError as error:
        raise PenchantError(f"{path} is not a safetensors file: {error}") from error
    return network, one, signal


def network_from(tensors: bytes, design: Design, task: Task, split: Split, seed: int) -> nn.Module:
    """Build a design's network, for a seed's split of a task, and fill it with stored tensors."""
    network = task.wrapped(design.build(task.shape, task.outputs, seed), split)
    network.load_state_dict(load_tensors(tensors))
    return network


def _read_header(path: Path, header: str, activation: str | None) -> tuple[Layered, SignalHeader]:
    try:
        words = json.loads(header)
        fields: dict[str, Any] = words["design"]
        signal = read_header(dict(words["signal"]))
    except (KeyError, TypeError, ValueError, RecursionError, PenchantError) as error:
        raise PenchantError(f"{path}: its header is damaged ({error})") from error
    own = fields.pop("own", False) if isinstance(fields, dict) else False
    if not isinstance(fields, dict) or not all(isinstance(name, str) for name in fields):
        raise PenchantError(f"{path}: its header is damaged (the design is no table)")
    if own:
        name = fields.get("activation")
        if activation is None:
            raise PenchantError(
                f"{path} uses an activation of its owner's, {name!r}; say where it is: "
                f"--activation file.py:{name}"
            )
        fields["activation"] = activation
    elif _own.is_own(str(fields.get("activation"))):
        raise PenchantError(f"{path}: its header is damaged (it names a file to execute)")
    try:
        one = design(fields)
    except PenchantError as error:
        raise PenchantError(f"{path}: {error}") from error
    if not isinstance(one, FullyConnected | AutoencoderDesign | TiledDesign):
        raise PenchantError(f"{path}: networks of the family {one.family} are not read yet")
    return one, signal


def _built(design: Layered, signal: SignalHeader) -> nn.Module:
    network = design.build((signal.inputs,), signal.outputs, seed=0)
    if isinstance(network, PictureNet) and isinstance(signal, PictureHeader):
        network.resize(signal.height, signal.width)
    return network


def _check_size(path: Path, design: Layered, signal: SignalHeader, values: int) -> None:
    # Before anything is allocated: a small file must not ask for a large network.
    width = design.width
    if width is None:
        raise PenchantError(f"{path}: its header is damaged (the design has no width)")
    hidden = width * (width * (design.depth - 1) + signal.outputs)
    first = signal.inputs * width
    if isinstance(design, CoordinateDesign) and design.encoding == "fourier":
        first = signal.inputs * (design.frequencies or 1)
    if isinstance(design, CoordinateDesign):
        first += design.encoding_size(signal.inputs)
    if isinstance(design, TiledDesign):
        hidden, first = (math.prod(design.tiles) * one for one in (hidden, first))
    if isinstance(design, AutoencoderDesign):
        hidden = 9 * width**2 * (2 * design.depth - 1)
        first = signal.height * signal.width if isinstance(signal, PictureHeader) else 0
    if hidden + first > values:
        raise PenchantError(
            f"{path}: its {values:,} values are too few for {signal.inputs} inputs, "
            f"{design.form} and {signal.outputs} outputs"
        )


def _check_shapes(path: Path, found: dict[str, tuple[int, ...]], network: nn.Module) -> None:
    needed: dict[str, Tensor] = network.state_dict()
    for name in sorted(found.keys() | needed.keys()):
        there = found.get(name)
        fits = tuple(needed[name].shape) if name in needed else None
        if there != fits:
            raise PenchantError(
                f"{path}: tensor {name} is {_shape(there)}, but by its design {_shape(fits)}"
            )


def _check_numbers(path: Path, found: dict[str, Tensor], network: nn.Module) -> None:
    for name, needed in network.state_dict().items():
        there = found[name]
        kinds = [(t.is_floating_point(), t.is_complex()) for t in (there, needed)]
        if kinds[0] != kinds[1]:
            raise PenchantError(
                f"{path}: tensor {name} is of type {there.dtype}, but by its design {needed.dtype}"
            )
        if not bool(there.isfinite().all()):
            raise PenchantError(f"{path}: tensor {name} is not finite; its run diverged")


def _shape(shape: tuple[int, ...] | None) -> str:
    return "not there" if shape is None else f"of shape {shape}"


def _count(shape: tuple[int, ...]) -> int:
    return int(torch.Size(shape).numel())
