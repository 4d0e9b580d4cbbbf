"""What an inspection finds: a record for each layer, and the totals."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from penchant.inspection._words import Shape

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Field:
    """How far a layer sees, along each axis of an input.

    Args:
        size: positions from the first to the last; None where no one number is right.
        stride: from one output to the next; None where it does not move in equal steps.
        whole: whether every output sees the whole input.
        axes: which axes of the input these are.
    """

    size: tuple[int | None, ...]
    stride: tuple[int | Fraction | None, ...]
    whole: bool
    axes: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One call of a layer, or of a function in a module's own forward.

    Args:
        path: the module's path; "" is the model itself.
        kind: the module's class, or the function's name.
        function: whether it is a function, called in the forward of the module at `path`.
        call: which call of the module this is, from 0.
        inputs: the shapes that go in, batch included.
        outputs: the shapes that come out.
        formula: how the output's size comes about, with its numbers, where there is a formula.
        parameters: how many numbers it holds that no layer above it holds.
        shared: how many it has in common with layers above, which are counted there.
        shared_with: the first of these layers; its own path on a later call.
        multiply_adds: products of two numbers, each with a sum: half of the flops.
        field: how far its output sees on the first input that reaches it; None if unknown.
    """

    path: str
    kind: str
    function: bool
    call: int
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    formula: str
    parameters: int
    shared: int
    shared_with: str
    multiply_adds: int
    field: Field | None

    @property
    def output_shape(self) -> Shape:
        """The shape of the first output; () where no tensor comes out."""
        return self.outputs[0] if self.outputs else ()


@dataclass(frozen=True)
class Inspection:
    """A network, layer by layer in the order in which they run.

    Printed it is the table that ``penchant inspect`` shows.

    Args:
        model: the network's class.
        inputs: name, shape (batch included) and type of every tensor that goes in.
        outputs: the shapes that come out.
        layers: the layers, or the groups of them that were asked for.
        parameters: numbers that the network holds, each counted once.
        trainable: how many of them are trained.
        shared: how many of them are used more than once.
        multiply_adds: of one pass; half of the flops.
        field: how far the first output sees on the first input that reaches it.
        notes: what must be known to read it.
    """

    model: str
    inputs: Mapping[str, tuple[Shape, str]]
    outputs: tuple[Shape, ...]
    layers: tuple[Layer, ...]
    parameters: int
    trainable: int
    shared: int
    multiply_adds: int
    field: Field | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, numbers and words, as ``penchant inspect --json`` prints them."""
        found: dict[str, Any] = _plain(asdict(self))
        inputs = {name: {"shape": s, "dtype": d} for name, (s, d) in found["inputs"].items()}
        return {**found, "inputs": inputs}

    def to_pandas(self) -> "DataFrame":
        """Return one row a layer."""
        import pandas

        rows = []
        for layer in self.layers:
            row: dict[str, Any] = {**asdict(layer), "output_shape": layer.output_shape}
            del row["field"]
            row["field_size"] = layer.field.size if layer.field else None
            row["field_stride"] = layer.field.stride if layer.field else None
            rows.append(row)
        return pandas.DataFrame(rows)

    def __str__(self) -> str:
        from penchant.inspection._text import text

        return text(self).rstrip("\n")

    def _repr_html_(self) -> str:
        from penchant.inspection._text import html

        return html(self)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Fraction) else value
