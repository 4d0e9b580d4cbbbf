"""What a receptive field is, as results: along one axis, of one tensor, of a network's layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from jaxtyping import Bool
from torch import Tensor

from penchant.errors import PenchantError
from penchant.geometry._positions import Positions, extent, members

Step = int | Fraction


@dataclass(frozen=True)
class AxisField:
    """The receptive field along one axis of the input.

    Args:
        axis: the input's axis.
        length: the input's length along it.
        size: positions from the first to the last that an output sees, padding included; the
            largest where outputs differ; None where no one number is right.
        stride: how far the field moves from one output to the next; a fraction behind an
            upsampling; None where the field does not move in equal steps.
        start: the first position that the first output sees, counted from the input's first;
            below 0 where it lies in the padding.
        follows: the output's dimension along which the field moves; None where every output sees
            the same.
        note: why size or stride is None, or what else must be known.
        rows: for each output along the dimension, the positions seen on this input.
        pattern: what the first output would see on an endless input.
    """

    axis: int
    length: int
    size: int | None
    stride: Step | None
    start: int | None
    follows: int | None
    note: str = ""
    rows: Mapping[int, Positions] = field(default_factory=dict, repr=False, compare=False)
    pattern: Positions = field(default=(0, 0), repr=False, compare=False)

    @property
    def whole(self) -> bool:
        """Whether every output sees from the first position of the axis to the last."""
        return all(
            first == 0 and extent((first, bits)) == self.length
            for first, bits in self.rows.values()
        )

    @property
    def offsets(self) -> tuple[int, ...]:
        """What the first output sees, counted from `start`: with holes, as dilation makes them."""
        if self.start is None:
            return ()
        return tuple(place - self.start for place in members(self.pattern))

    @property
    def holes(self) -> int:
        """How many positions between the first and the last are not seen."""
        return extent(self.pattern) - self.pattern[1].bit_count()

    def positions(self, index: int = 0) -> tuple[int, ...]:
        """Return the positions of this input that an output sees, padding left out.

        Args:
            index: the output, counted along the dimension that the field follows; for a field
                that does not move any number serves.

        Returns:
            The positions in order; not more than the input has.

        Raises:
            PenchantError: there is no such output, or it was not measured.
        """
        if self.follows is None and self.rows:
            return tuple(members(self.rows[0]))
        if index not in self.rows:
            known = f"0 to {len(self.rows) - 1}" if len(self.rows) > 5 else sorted(self.rows)
            raise PenchantError(f"positions(index={index}): known outputs are {known}")
        return tuple(members(self.rows[index]))

    def interval(self, index: int = 0) -> tuple[int, int] | None:
        """Return the first and the last position that an output sees; None if it sees nothing."""
        seen = self.positions(index)
        return (seen[0], seen[-1]) if seen else None


@dataclass(frozen=True)
class ReceptiveField:
    """What one tensor sees of one input.

    Args:
        input: the input's name in the model's forward.
        input_shape: its shape.
        output_shape: the tensor's shape.
        axes: the field along each axis that was followed.
        look: gives the exact set that one element sees.
    """

    input: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    axes: tuple[AxisField, ...]
    look: Callable[[tuple[int | None, ...]], Tensor] = field(repr=False, compare=False)

    @property
    def size(self) -> tuple[int | None, ...]:
        """Positions from the first to the last, one number an axis."""
        return tuple(axis.size for axis in self.axes)

    @property
    def stride(self) -> tuple[Step | None, ...]:
        """How far the field moves from one output to the next, one number an axis."""
        return tuple(axis.stride for axis in self.axes)

    @property
    def start(self) -> tuple[int | None, ...]:
        """The first position that the first output sees, one number an axis."""
        return tuple(axis.start for axis in self.axes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known of an axis."""
        return tuple(f"axis {axis.axis}: {axis.note}" for axis in self.axes if axis.note)

    def seen(self, position: tuple[int | None, ...]) -> Bool[Tensor, "*positions"]:
        """Return exactly which positions of the input an element sees.

        Args:
            position: the element's index, one entry a dimension of the tensor; None stands for
                all indices of a dimension. Indices may count from the end.

        Returns:
            True where the input is seen, over the axes that were followed.

        Raises:
            PenchantError: an index that the tensor does not have.
        """
        shape = self.output_shape
        if len(position) != len(shape) or any(
            at is not None and not -size <= at < size
            for at, size in zip(position, shape, strict=False)
        ):
            raise PenchantError(
                f"seen(position={position}): needs {len(shape)} indices within {shape}, or None"
            )
        return self.look(
            tuple(
                at + size if at is not None and at < 0 else at
                for at, size in zip(position, shape, strict=True)
            )
        )

    def __str__(self) -> str:
        """Say size, stride and start in one line."""
        return f"size {_row(self.size)}, stride {_row(self.stride)}, start {_row(self.start)}"


def _row(entries: tuple[object, ...]) -> str:
    shown = ["?" if entry is None else str(entry) for entry in entries]
    return shown[0] if len(set(shown)) == 1 else "×".join(shown)


@dataclass(frozen=True)
class LayerField:
    """One layer, or one operation outside of layers, and what its output sees.

    Args:
        path: the module's path, ``@1`` behind it on its second call; "" is the model itself.
        kind: the module's class.
        operation: the operation that made the output.
        output_shape: the output's shape.
        fields: what it sees of each input; empty where it depends on none.
    """

    path: str
    kind: str
    operation: str
    output_shape: tuple[int, ...]
    fields: tuple[ReceptiveField, ...]

    @property
    def field(self) -> ReceptiveField | None:
        """What it sees of the first input that reaches it."""
        return self.fields[0] if self.fields else None


@dataclass(frozen=True)
class ModelFields:
    """What a network's outputs and layers see of its inputs.

    Args:
        inputs: name and shape of every tensor that goes in, in order.
        outputs: each output, in the order in which the model returns them.
        layers: each layer in the order in which they run.
        method: ``"traced"``, exact; or ``"measured"``, the gradient's support at a few positions.
        notes: what must be known: misaligned branches, statistics left out, why it was measured.
    """

    inputs: dict[str, tuple[int, ...]]
    outputs: tuple[LayerField, ...]
    layers: tuple[LayerField, ...]
    method: str
    notes: tuple[str, ...]

    @property
    def field(self) -> ReceptiveField:
        """What the first output sees of the first input that reaches it.

        Raises:
            PenchantError: it depends on no input.
        """
        for output in self.outputs:
            if output.fields:
                return output.fields[0]
        raise PenchantError("receptive_field: no output depends on an input")

    @property
    def size(self) -> tuple[int | None, ...]:
        """The first output's sizes, one an axis."""
        return self.field.size

    @property
    def stride(self) -> tuple[Step | None, ...]:
        """The first output's strides, one an axis."""
        return self.field.stride

    @property
    def start(self) -> tuple[int | None, ...]:
        """The first output's starts, one an axis."""
        return self.field.start

    def layer(self, path: str) -> LayerField:
        """Return the layer of a path, the last operation where there are several.

        Args:
            path: the module's path.

        Returns:
            The layer.

        Raises:
            PenchantError: no layer of this path has run.
        """
        found = [layer for layer in self.layers if layer.path == path]
        if not found:
            from penchant.errors import nearest

            known = sorted({layer.path for layer in self.layers})
            raise PenchantError(f"layer({path!r}): {nearest(path, known)}")
        return found[-1]
