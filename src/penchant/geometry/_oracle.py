"""The support of the gradient of a linearised copy: slow, obvious, and independent of any rule.

Decisions:
- The copy is in float64 with positive parameters and a positive input. Activations pass on what
  they get, maxima become means, softmax a mean added to what it gets, normalisations nothing. So
  no gradient is lost to saturation or cancels, but for a subtraction of equals, which random
  parameters make unlikely.
- It replaces operations where they are called, so it needs no graph of the network.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from penchant.errors import PenchantError
from penchant.geometry._copies import copied, in_a_line, unpacked
from penchant.geometry._fields import AxisField, LayerField, ModelFields, ReceptiveField
from penchant.geometry._linear import LinearOperations
from penchant.geometry._positions import Positions, extent, trimmed
from penchant.geometry._positions import moved as shifted
from penchant.randomness import generator


@contextmanager
def _on() -> Iterator[None]:
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.enable_grad(), LinearOperations():
            yield
    finally:
        torch.set_default_dtype(default)


def linearised(model: nn.Module) -> nn.Module:
    """Return a copy in float64 whose parameters are positive, so that no gradients cancel.

    Args:
        model: the network; it is not changed.

    Returns:
        The copy, on the CPU.
    """
    twin = _in_double(copied(model).to("cpu"))
    with torch.no_grad():
        for number, parameter in enumerate(twin.parameters()):
            draws = torch.rand(
                parameter.shape,
                generator=generator(0, "geometry.linearised", number),
                dtype=torch.float64,
            )
            # Sums over the inputs of a unit stay near 1, however deep the network is.
            share = max(1, parameter[0].numel()) if parameter.dim() > 1 else 1
            if parameter.is_floating_point():
                parameter.copy_((draws + 0.5) / share)
    return twin.requires_grad_(False)


def _in_double(model: nn.Module) -> nn.Module:
    """Turn all numbers of a network to double precision, complex and plain attributes too."""
    for held in (*model.parameters(), *model.buffers()):
        held.data = _double(held.data)
    for module in model.modules():
        for name, held in vars(module).items():
            if isinstance(held, Tensor):
                setattr(module, name, _double(held))
    return model


def _double(held: Tensor) -> Tensor:
    if held.is_complex():
        return held.to(torch.complex128)
    return held.to(torch.float64) if held.is_floating_point() else held


class Linearised:
    """A linearised copy that has run on one input, and can be asked what an element sees.

    Args:
        model: the network; it is not changed.
        args: its positional arguments.
        kwargs: its named arguments.

    Raises:
        PenchantError: it does not run, or no input has a gradient.
    """

    def __init__(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        from torch.utils._pytree import tree_flatten, tree_unflatten

        flat, spec = tree_flatten((args, kwargs))
        self.inputs: dict[str, Tensor] = {}
        for number, leaf in enumerate(flat):
            if isinstance(leaf, Tensor) and leaf.is_floating_point():
                draws = torch.rand(
                    leaf.shape,
                    generator=generator(0, "geometry.input", number),
                    dtype=torch.float64,
                )
                flat[number] = (draws + 0.5).requires_grad_()
                self.inputs[f"input_{number}" if len(flat) > 1 else "input"] = flat[number]
        if not self.inputs:
            raise PenchantError(
                "receptive_field: no input has a gradient, since none holds floating-point numbers"
            )
        twin = linearised(model)
        self.layers: list[tuple[str, str, Tensor]] = []
        hooks = [
            module.register_forward_hook(self._hook(path))
            for path, module in twin.named_modules()
            if not list(module.children())
        ]
        args, kwargs = tree_unflatten(flat, spec)
        try:
            with _on():
                answer = twin(*args, **kwargs)
        except PenchantError:
            raise
        except Exception as error:  # whatever a user's code raises
            raise PenchantError(
                f"receptive_field: the model does not run: {in_a_line(error)}"
            ) from error
        for hook in hooks:
            hook.remove()
        self.outputs = [
            leaf
            for leaf in tree_flatten(unpacked(answer))[0]
            if isinstance(leaf, Tensor) and leaf.requires_grad
        ]

    def _hook(self, path: str) -> Callable[..., None]:
        def keep(module: nn.Module, _: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.grad_fn is not None:
                self.layers.append((path, type(module).__name__, output))

        return keep

    def support(
        self, output: Tensor, position: tuple[int | None, ...]
    ) -> dict[str, Bool[Tensor, "..."]]:
        """Return where the gradient of one element is not zero.

        Args:
            output: one of the outputs.
            position: the element's index; None sums over a dimension.

        Returns:
            A mask of each input's shape.

        Raises:
            PenchantError: the graph cannot be gone through, or its numbers overflow.
        """
        chosen = output[tuple(slice(None) if at is None else at for at in position)].sum()
        if chosen.is_complex():
            chosen = chosen.real + chosen.imag
        try:
            gradients = torch.autograd.grad(
                chosen, list(self.inputs.values()), retain_graph=True, allow_unused=True
            )
        except RuntimeError as error:
            raise PenchantError(
                f"receptive_field: no gradient can be had: {in_a_line(error)}"
            ) from error
        if not all(gradient is None or gradient.isfinite().all() for gradient in gradients):
            raise PenchantError("receptive_field: a linearised copy's gradient overflows")
        return {
            name: torch.zeros(held.shape, dtype=torch.bool) if gradient is None else gradient != 0
            for (name, held), gradient in zip(self.inputs.items(), gradients, strict=True)
        }


def measured_fields(
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    axes: Callable[[tuple[int, ...]], tuple[int, ...]],
    reason: str,
) -> ModelFields:
    """Measure fields at a few positions of every output and layer.

    Args:
        model: the network.
        args: its positional arguments.
        kwargs: its named arguments.
        axes: which axes of an input of a shape are followed.
        reason: why it was not traced.

    Returns:
        The fields, marked as measured.

    Raises:
        PenchantError: the model does not run, or no gradient reaches an input.
    """
    copy_ = Linearised(model, args, kwargs)
    outputs = tuple(
        LayerField(f"output_{number}", "", "output", tuple(held.shape), _fields(copy_, held, axes))
        for number, held in enumerate(copy_.outputs)
    )
    layers = tuple(
        LayerField(path, kind, kind, tuple(held.shape), _fields(copy_, held, axes))
        for path, kind, held in copy_.layers
    )
    if not any(output.fields for output in outputs):
        raise PenchantError(
            f"receptive_field: not traced ({reason}), and no gradient of a linearised copy reaches "
            "an input, so that nothing is known"
        )
    note = (
        f"not traced ({reason}): measured as the support of a linearised copy's gradient, at the "
        "first, middle and last outputs"
    )
    inputs = {name: tuple(leaf.shape) for name, leaf in copy_.inputs.items()}
    return ModelFields(inputs, outputs, layers, "measured", (note,))


def _fields(
    held: Linearised, output: Tensor, axes: Callable[[tuple[int, ...]], tuple[int, ...]]
) -> tuple[ReceptiveField, ...]:
    shape = tuple(output.shape)
    followed = {name: axes(tuple(leaf.shape)) for name, leaf in held.inputs.items()}
    moving = [number for number in axes(shape) if shape[number] > 1]
    centre = tuple(shape[n] // 2 if n in moving else None for n in range(len(shape)))

    def seen(position: tuple[int | None, ...]) -> dict[str, Tensor]:
        return held.support(output, position)

    base = seen(centre)
    along = {
        number: {
            index: seen((*centre[:number], index, *centre[number + 1 :]))
            for index in _places(shape[number])
        }
        for number in moving
    }
    found = []
    for name, leaf in held.inputs.items():
        looked = [base, *(masks for rows in along.values() for masks in rows.values())]
        if not any(masks[name].any() for masks in looked):
            continue
        fields = tuple(
            _axis(
                axis,
                leaf.shape[axis],
                base[name],
                {n: {i: m[name] for i, m in rows.items()} for n, rows in along.items()},
            )
            for axis in followed[name]
        )
        look = _look(held, output, name, followed[name])
        found.append(ReceptiveField(name, tuple(leaf.shape), shape, fields, look))
    return tuple(found)


def _places(count: int) -> list[int]:
    """The first outputs, two in the middle, and the last."""
    return sorted({0, 1, count // 2, min(count // 2 + 1, count - 1), count - 1})


def _look(
    held: Linearised, output: Tensor, name: str, axes: tuple[int, ...]
) -> Callable[[tuple[int | None, ...]], Tensor]:
    def look(position: tuple[int | None, ...]) -> Tensor:
        mask = held.support(output, position)[name]
        rest = [number for number in range(mask.dim()) if number not in axes]
        return mask.any(dim=rest) if rest else mask

    return look


def _projected(mask: Tensor, axis: int) -> Positions:
    flat = mask.movedim(axis, 0).flatten(1).any(1) if mask.dim() > 1 else mask
    return trimmed(0, sum(1 << place for place in flat.nonzero().flatten().tolist()))


def _axis(axis: int, length: int, base: Tensor, along: dict[int, dict[int, Tensor]]) -> AxisField:
    middle = _projected(base, axis)
    moved = {}
    for number, masks in along.items():
        rows = {index: _projected(mask, axis) for index, mask in masks.items()}
        # An output that sees nothing, as between the taps of an unpooling, tells of no movement.
        if len({row for row in rows.values() if row[1]}) > 1:
            moved[number] = rows
    if len(moved) != 1:
        note = (
            "outputs see it along two dimensions"
            if moved
            else "every output looked at sees the same"
        )
        size = None if moved else extent(middle)
        return AxisField(axis, length, size, None, middle[0], None, note, {0: middle}, middle)
    ((number, rows),) = moved.items()
    line = _line(rows, length)
    size = max(extent(row) for row in rows.values())
    first = next(rows[index] for index in sorted(rows))
    if line is None:
        note = "the outputs looked at do not move in equal steps"
        return AxisField(axis, length, size, None, first[0], number, note, rows, first)
    start, stride = line
    note = "the outputs looked at agree with this, clipped to the input"
    pattern = next(
        (shifted(row, -index * stride) for index, row in rows.items() if extent(row) == size)
    )
    return AxisField(axis, length, size, stride, start, number, note, rows, pattern)


def _line(rows: dict[int, Positions], length: int) -> tuple[int, int] | None:
    """Return start and stride if every row is one moving interval, clipped to the input."""
    size = max(extent(row) for row in rows.values())
    ends = {index: (row[0], row[0] + extent(row) - 1) for index, row in rows.items() if row[1]}
    inner = [index for index, (first, last) in ends.items() if last - first + 1 == size]
    for index in inner:
        for other in ends:
            if other == index:
                continue
            for side in range(2):
                if ends[other][side] in (0, length - 1):
                    continue
                stride, rest = divmod(ends[other][side] - ends[index][side], other - index)
                start = ends[index][0] - index * stride
                if rest == 0 and all(
                    seen
                    == (
                        max(start + at * stride, 0),
                        min(start + at * stride + size - 1, length - 1),
                    )
                    for at, seen in ends.items()
                ):
                    return start, stride
    return None
