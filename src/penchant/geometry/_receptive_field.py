"""How far every unit of a network sees."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.geometry._copies import copied, in_a_line
from penchant.geometry._export import UntraceableError
from penchant.geometry._fields import LayerField, ModelFields
from penchant.geometry._reading import fields_of
from penchant.geometry._trace import Step, Trace, trace

Input = Tensor | Sequence[Any] | Mapping[str, Any]


def receptive_field(
    model: nn.Module,
    input: Input,
    *,
    axes: Sequence[int] | None = None,
    statistics: bool = False,
) -> ModelFields:
    r"""Return which positions of its input every output and every layer of a network sees.

    Along an axis a layer with kernel k, stride s, dilation d and padding p turns a field of size
    r, stride j and start a into

    .. math:: r' = r + d\,(k - 1)\,j, \qquad j' = j\,s, \qquad a' = a - p\,j.

    Here each output's exact set of positions is followed through the network's whole graph, so
    that branches, holes, upsampling, windows, views and attention are right too, and from the
    sets size, stride and start are read. An element counts as seen where the network's structure
    lets it matter: weights count as non-zero, a maximum as seeing all that it compares, an
    activation as passing everything on. A normalisation's statistics are left out, as in
    published tables, and a note says where.

    Args:
        model: any module; it is not changed. Of a lazy one a copy is run first.
        input: what the model takes: a tensor; a shape, as whole numbers; a sequence of these
            for several arguments; a mapping for named arguments or, where the model's forward
            has no such names, for one dictionary. The batch comes first.
        axes: the axes of the input that are followed; when not given those from 2 on (behind
            batch and channels), or axis 1 where there are only two. For sequences whose features
            come last give ``axes=(1,)``.
        statistics: whether a normalisation's statistics count as seeing.

    Returns:
        Fields of outputs and layers. `size`, `stride` and `start` are the first output's. Where
        the network cannot be traced the gradient of a linearised copy is measured at a few
        positions, `method` is ``"measured"`` and a note says why.

    Raises:
        PenchantError: an input that the model does not take; a part compiled by torch.jit; a
            network that can be neither traced nor measured.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 7, stride=2, padding=3), nn.MaxPool2d(3, 2, 1))
        >>> fields = receptive_field(network, (1, 3, 224, 224))
        >>> fields.size, fields.stride, fields.start
        ((11, 11), (4, 4), (-5, -5))
        >>> [(layer.path, str(layer.field)) for layer in fields.layers]
        [('0', 'size 7, stride 2, start -3'), ('1', 'size 11, stride 4, start -5')]

    Source: Araujo, Norris & Sim, "Computing receptive fields of convolutional neural networks",
    2019.
    """
    _check(model)
    args, kwargs = arguments_of(model, input)
    model = settled(model, args, kwargs)

    def followed(shape: tuple[int, ...]) -> tuple[int, ...]:
        return followed_axes(shape, axes)

    try:
        found = trace(model, args, kwargs, followed, statistics)
    except UntraceableError as reason:
        from penchant.geometry._oracle import measured_fields

        return measured_fields(model, args, kwargs, followed, str(reason))
    return _fields(found)


def _check(model: nn.Module) -> None:
    for path, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise PenchantError(
                f"receptive_field: {path or 'the model'} is a {type(module).__name__}, which "
                "cannot be looked into; give the torch.nn.Module that it was made from"
            )


def followed_axes(shape: tuple[int, ...], axes: Sequence[int] | None) -> tuple[int, ...]:
    """Return which axes of a tensor are positions.

    Args:
        shape: the tensor's shape.
        axes: what the user says; axes that the tensor does not have are left out.

    Returns:
        The user's, or else those behind batch and channels, or axis 1 where there are two.

    Example:
        >>> followed_axes((1, 3, 224, 224), None), followed_axes((1, 9), None)
        ((2, 3), (1,))
    """
    rank = len(shape)
    if axes is None:
        return tuple(range(2, rank)) if rank > 2 else tuple(range(1, rank))
    return tuple(sorted({axis % rank for axis in axes if -rank <= axis < rank}))


def _fields(found: Trace) -> ModelFields:
    notes = dict.fromkeys(found.notes)
    outputs = tuple(_layer(step, found) for step in found.outputs)
    for output in outputs:
        for field in output.fields:
            notes.update(dict.fromkeys(f"{output.path}: {note}" for note in field.notes))
    steps: list[Step] = []
    for step in found.steps:
        if steps and step.path and _leaf_again(steps[-1], step):
            steps[-1] = step
        else:
            steps.append(step)
    layers = tuple(_layer(step, found) for step in steps)
    return ModelFields(found.inputs, outputs, layers, "traced", tuple(notes))


def _leaf_again(before: Step, after: Step) -> bool:
    """Say whether two tensors are made one after the other by one of torch's own layers."""
    return before.path == after.path and after.kind in dir(nn)


def _layer(step: Step, found: Trace) -> LayerField:
    fields = fields_of(step.terms, step.shape, found.inputs)
    return LayerField(step.path, step.kind, step.operation, step.shape, fields)


def settled(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> nn.Module:
    """Return the model, or for a lazy one a copy whose parameters have got their shapes.

    Args:
        model: the network; it is not changed.
        args: its positional arguments.
        kwargs: its named arguments.

    Returns:
        A model without lazy parameters.

    Raises:
        PenchantError: the lazy model does not run.
    """
    from torch.nn.parameter import is_lazy

    if not any(is_lazy(held) for held in (*model.parameters(), *model.buffers())):
        return model
    twin = copied(model)
    # Its first run draws weights, which are nobody's: the global stream is put back.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            twin(*args, **kwargs)
        except Exception as error:  # whatever a user's code raises
            raise PenchantError(
                f"receptive_field: the model does not run: {in_a_line(error)}"
            ) from error
    return twin


def arguments_of(model: nn.Module, input: Input) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Turn what a user gives as input into a call's arguments.

    Args:
        model: the network.
        input: tensors, shapes, sequences or mappings of them.

    Returns:
        Positional and named arguments.

    Raises:
        PenchantError: neither tensors nor shapes.
    """
    from inspect import signature

    floating = (one for one in model.parameters() if one.is_floating_point())
    place = next(floating, torch.empty(0))

    def made(entry: Any) -> Any:
        if isinstance(entry, Tensor):
            return entry
        if isinstance(entry, Mapping):
            return {name: made(value) for name, value in entry.items()}
        if isinstance(entry, Sequence) and entry and all(type(size) is int for size in entry):
            return torch.zeros(*entry, dtype=place.dtype, device=place.device)
        if isinstance(entry, Sequence) and not isinstance(entry, str):
            return type(entry)(made(part) for part in entry)  # type: ignore[call-arg]
        if entry is None or isinstance(entry, bool | int | float):
            return entry
        raise PenchantError(
            f"receptive_field(input={type(entry).__name__}): needs a tensor, a shape, or a "
            "sequence or mapping of these"
        )

    given = made(input)
    parameters = signature(model.forward).parameters.values()
    named = {one.name for one in parameters if one.kind is not one.VAR_POSITIONAL}
    if isinstance(given, dict):
        spread = set(given) <= named or any(one.kind is one.VAR_KEYWORD for one in parameters)
        return ((), given) if spread else ((given,), {})
    if isinstance(given, list | tuple):
        takes_many = len([one for one in parameters if one.kind is not one.VAR_KEYWORD]) > 1
        star = any(one.kind is one.VAR_POSITIONAL for one in parameters)
        return (tuple(given), {}) if takes_many or star else ((given,), {})
    return (given,), {}
