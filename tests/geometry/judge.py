"""The judge of receptive fields: what a linearised copy's gradient reaches, element by element."""

import itertools
import random
from typing import Any

import torch
from torch import nn

from penchant.geometry import ModelFields, receptive_field
from penchant.geometry._oracle import Linearised


def agree(
    model: nn.Module,
    given: Any,
    *,
    axes: tuple[int, ...] | None = None,
    looks: int = 12,
    seed: str = "judge",
) -> ModelFields:
    """Assert that the traced fields are the gradient's support at random elements of every output.

    Channels are looked at one by one, so that slices and groups of channels are judged too.
    """
    from penchant.geometry._receptive_field import arguments_of

    fields = receptive_field(model, given, axes=axes)
    assert fields.method == "traced", fields.notes
    args, kwargs = arguments_of(model, given)
    truth = Linearised(model, args, kwargs)
    pairs = zip(fields.outputs, truth.outputs, strict=True)
    draw = random.Random(seed)
    for output, real in pairs:
        shape = tuple(real.shape)
        assert output.output_shape == shape
        corners = list(itertools.islice(itertools.product(*({0, n - 1} for n in shape)), 4))
        rest = [tuple(draw.randrange(n) for n in shape) for _ in range(looks)]
        for position in (*corners, *rest):
            masks = truth.support(real, position).values()
            names = {field.input: field for field in output.fields}
            for mask, name in zip(masks, fields.inputs, strict=True):
                field = names.get(name)
                if field is None:
                    assert not mask.any(), (position, name)
                    continue
                kept = [axis.axis for axis in field.axes]
                others = [n for n in range(mask.dim()) if n not in kept]
                seen = mask.any(dim=others) if others else mask
                assert torch.equal(field.seen(position), seen), (
                    position,
                    field.seen(position).nonzero().tolist(),
                    seen.nonzero().tolist(),
                )
    projections_agree(fields)
    return fields


def projections_agree(fields: ModelFields) -> None:
    """Assert that each axis's positions are what all elements at that index see together."""
    for output in fields.outputs:
        for field in output.fields:
            for number, axis in enumerate(field.axes):
                if axis.follows is None or len(axis.rows) != output.output_shape[axis.follows]:
                    continue
                for index in {0, len(axis.rows) // 2, len(axis.rows) - 1}:
                    position: list[int | None] = [None] * len(output.output_shape)
                    position[axis.follows] = index
                    mask = field.seen(tuple(position))
                    rest = [other for other in range(mask.dim()) if other != number]
                    seen = (mask.any(dim=rest) if rest else mask).nonzero().flatten().tolist()
                    assert list(axis.positions(index)) == seen, (axis, index)
