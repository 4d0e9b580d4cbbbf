"""A network inspected: run once without numbers, and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from penchant.errors import PenchantError
from penchant.geometry import ModelFields, receptive_field
from penchant.inspection._built_in import model_of
from penchant.inspection._copies import (
    in_full,
    is_any_lazy,
    with_shared_parameters,
    without_numbers,
)
from penchant.inspection._inputs import Arguments, Input, bind, read_inputs
from penchant.inspection._recorder import Recorder
from penchant.inspection._result import Inspection
from penchant.inspection._rows import Fields, chosen, held, layers, summary
from penchant.inspection._trouble import line, told

LONGEST = 20_000
"""Receptive fields are followed position by position; inputs longer than this have none."""


def inspect(
    model: nn.Module | str,
    input: Input | None = None,
    *,
    depth: int | None = None,
    fields: bool = True,
    axes: Sequence[int] | None = None,
) -> Inspection:
    """Go through a network layer by layer.

    It runs once in evaluation mode on the meta device, where tensors have shapes and no numbers:
    nothing is computed, and the model that is given stays as it is. A network that decides by its
    numbers is run on zeros instead, and a note says so.

    Args:
        model: any module; or a built-in name, ``file.py:Class`` or ``package.module:callable``.
        input: what goes in: one sample's shape, before which a batch of 1 is put; words as on the
            command line, ``"3x224x224"`` or ``"ids=int:128"``; a tensor with its batch; several
            of these in a list, or by the names of forward's arguments in a dictionary (which is
            handed over as one dictionary where forward has no such names). A built-in network
            needs none.
        depth: how many names a path may have; what lies deeper is summed. All layers when None.
        fields: whether receptive fields are followed, which takes the most time.
        axes: the axes of the input along which they are, as in `geometry.receptive_field`: those
            behind batch and channels when None; ``(1,)`` where features come last.

    Returns:
        Output shapes, formulas, parameters, multiply-adds (of products of matrices, convolutions
        and attention; 2 flops are 1) and receptive fields, for each layer and in total.

    Raises:
        PenchantError: a layer into which its input does not fit, with the number that would;
            whatever else the forward raises, with the line in its file; an input that is none or
            not what forward takes.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(1, 32, 3), nn.MaxPool2d(2), nn.Flatten())
        >>> print(inspect(network, (1, 28, 28)).layers[-1].formula)
        32·13·13 = 5408
        >>> inspect(network.append(nn.Linear(100, 10)), (1, 28, 28))
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: 3 is Linear(100, 10) but gets 5408 features: use
        in_features=5408 (32·13·13 = 5408, flattened in 2)
    """
    if isinstance(model, str):
        model, suited = model_of(model)
        input = suited if input is None else input
    model = getattr(model, "_orig_mod", model)
    if not isinstance(model, nn.Module) or isinstance(model, torch.jit.ScriptModule):
        raise PenchantError(
            f"inspect(model={type(model).__name__}): needs a torch.nn.Module written in Python, "
            "or file.py:Class"
        )
    for path, part in model.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise PenchantError(
                f"inspect: {path} is a {type(part).__name__}, which cannot be looked into; give "
                "the torch.nn.Module that it was made from"
            )
    if depth is not None and depth < 1:
        raise PenchantError(f"inspect(depth={depth}): whole numbers from 1 fit")
    if input is None:
        raise PenchantError(
            f"inspect: what goes into {type(model).__name__}? Give one sample's shape, such as "
            "--input 3x224x224 (input=(3, 224, 224) in Python)"
        )
    given = read_inputs(input)
    arguments = Arguments(*bind(model, given))
    passed = _run(model, arguments)
    notes = [] if not any(one.sample for one in given) else ["a batch of 1 is put before the input"]
    notes += [*passed.notes, *passed.recorder.notes]
    seen: ModelFields | None = None
    if fields:
        seen = _fields(model, arguments, axes, notes)
    return _put_together(passed, arguments, seen, depth, notes)


@dataclass
class _Pass:
    """A pass that ended well.

    Args:
        model: the copy that ran.
        recorder: what happened.
        outputs: the shapes that came out.
        notes: on what it ran.
    """

    model: nn.Module
    recorder: Recorder
    outputs: tuple[tuple[int, ...], ...]
    notes: list[str]


def _run(model: nn.Module, arguments: Arguments) -> _Pass:
    try:
        return _on_meta(model, arguments)
    except PenchantError:
        raise
    except _CertainError as error:
        raise PenchantError(str(error)) from error.__cause__
    except Exception as reason:
        if any(one.is_meta for one in model.parameters()):
            raise told(reason, None, arguments) from reason
        return _on_zeros(model, arguments, reason)


class _CertainError(Exception):
    """A pass without numbers failed where it must fail with numbers too."""


def _on_meta(model: nn.Module, arguments: Arguments) -> _Pass:
    twin = without_numbers(model)
    device = torch.device("meta")
    args, kwargs = arguments.made(model, device)
    # Lazy layers get their shapes in a pass of its own, so that the next shows theirs alone.
    for _ in range(2 if is_any_lazy(twin) else 1):
        recorder, output = _record(twin, args, kwargs, arguments)
    return _Pass(twin, recorder, _shapes(output), [])


def _record(
    twin: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    arguments: Arguments,
    gradients: bool = False,
) -> tuple[Recorder, Any]:
    recorder = Recorder(twin, gradients)
    try:
        with torch.device("meta"):
            return recorder, recorder.run(args, kwargs)
    except Exception as error:
        if _wants_gradients(error) and not gradients:
            return _record(twin, args, kwargs, arguments, gradients=True)
        trouble = recorder.where()
        if trouble and trouble.certain:
            raise _CertainError(str(told(error, recorder, arguments))) from error
        raise


def _wants_gradients(error: Exception) -> bool:
    """Say whether a forward failed since it takes gradients, as of an energy by its places."""
    return isinstance(error, RuntimeError) and "does not require grad" in str(error)


def _on_zeros(model: nn.Module, arguments: Arguments, reason: Exception) -> _Pass:
    twin = in_full(model)
    recorder = Recorder(twin)
    place = next(iter(twin.parameters()), torch.empty(0)).device
    args, kwargs = arguments.made(model, place)
    try:
        with torch.random.fork_rng(devices=[]):
            output = recorder.run(args, kwargs)
    except PenchantError:
        raise
    except Exception as error:
        raise told(error, recorder, arguments) from error
    note = f"run on zeros, since without numbers it fails: {line(reason)}"
    return _Pass(twin, recorder, _shapes(output), [note])


def _shapes(output: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(one.shape) for one in tree_leaves(output) if isinstance(one, Tensor))


def _fields(
    model: nn.Module, arguments: Arguments, axes: Sequence[int] | None, notes: list[str]
) -> ModelFields | None:
    lazy = is_any_lazy(model)
    given = [*arguments.places, *arguments.names.values()]
    longest = max((size for one in given for size in one.shape), default=0)
    if longest > LONGEST:
        notes.append(f"no receptive fields: the input is {longest:,} long, above {LONGEST:,}")
        return None
    if any(one.is_meta for one in (*model.parameters(), *model.buffers())):
        notes.append("no receptive fields: the model is on the meta device")
        return None
    twin = in_full(model) if lazy else with_shared_parameters(model)
    place = next(iter(twin.parameters()), torch.empty(0)).device
    args, kwargs = arguments.made(model, place)
    try:
        if lazy:
            with torch.no_grad():
                twin(*args, **kwargs)
        input: Any = kwargs or (args[0] if len(args) == 1 else args)
        found = receptive_field(twin, input, axes=axes)
        if any(output.fields for output in found.outputs):
            _note_fields(found, notes)
            return found
        notes.append("no receptive fields: no output depends on an input's numbers")
    except Exception as error:  # a user's model may fail in a trace in any way
        notes.append(f"no receptive fields: {line(error)}")
    return None


def _note_fields(found: ModelFields, notes: list[str]) -> None:
    reached = [name for name in found.inputs if name == found.field.input]
    if len(found.inputs) > 1:
        notes.append(f"receptive fields are those on input {reached[0]}, or the first that is seen")
    # That an output sees all of an axis is said by the table.
    plain = {
        f"{output.path}: axis {axis.axis}: {axis.note}"
        for output in found.outputs
        for field in output.fields
        for axis in field.axes
        if axis.size is not None
    }
    notes.extend(note for note in found.notes if note not in plain)


def _put_together(
    passed: _Pass,
    arguments: Arguments,
    seen: ModelFields | None,
    depth: int | None,
    notes: list[str],
) -> Inspection:
    model, recorder = passed.model, passed.recorder
    events = list(chosen(recorder.events, depth))
    uses: dict[int, int] = {}
    for event in chosen(recorder.events, None):
        for parameter in held(event):
            uses[id(parameter)] = uses.get(id(parameter), 0) + 1
    parameters = dict(model.named_parameters())
    idle = [name for name, one in parameters.items() if id(one) not in recorder.used | set(uses)]
    if idle:
        numbers = sum(prod(parameters[name].shape) for name in idle)
        told = ", ".join(idle[:4]) + (f" and {len(idle) - 4} more" if len(idle) > 4 else "")
        notes.append(f"not used in this pass: {told} ({numbers:,} parameters)")
    if any(one.is_complex() for one in parameters.values()):
        notes.append("a complex parameter and a complex multiply-add each count as one")
    return Inspection(
        model=type(model).__name__,
        inputs=arguments.described(model),
        outputs=passed.outputs,
        layers=layers(model, events, Fields(model, seen)),
        parameters=sum(one.numel() for one in parameters.values()),
        trainable=sum(one.numel() for one in parameters.values() if one.requires_grad),
        shared=sum(one.numel() for one in parameters.values() if uses.get(id(one), 0) > 1),
        multiply_adds=sum(event.flops for event in recorder.events) // 2,
        field=summary(seen.field) if seen else None,
        notes=tuple(dict.fromkeys(notes)),
    )
