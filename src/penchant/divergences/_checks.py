"""What a divergence looks at before it computes: one line says what does not fit.

Decisions:
- Shapes and types are always looked at, values only on request, since reading them waits for a
  GPU.
- Each check reads a summary (smallest, largest, sum) in one pass. Only where that is off are the
  values searched for the one to name.
- Under torch.compile, torch.vmap and on the meta device no value can be read; there none is.
"""

import math

import torch
from torch import Tensor

from penchant.errors import PenchantError

ROW_TOLERANCE = {
    torch.float64: 1e-6,
    torch.float32: 1e-4,
    torch.float16: 1e-2,
    torch.bfloat16: 3e-2,
}
"""How far from 1 a row of probabilities may sum, some ten times what rounding does to it."""


def shaped(name: str, tensor: Tensor) -> str:
    """Name an argument with its shape.

    Example:
        >>> shaped("target", torch.zeros(3, 2))
        'target (3, 2)'
    """
    return f"{name} {tuple(tensor.shape)}"


def typed(name: str, tensor: Tensor) -> str:
    """Name an argument with its shape and type.

    Example:
        >>> typed("target", torch.zeros(3, 2))
        'target (3, 2) of type float32'
    """
    return f"{shaped(name, tensor)} of type {str(tensor.dtype).removeprefix('torch.')}"


def floating(call: str, name: str, tensor: Tensor, hint: str = "") -> None:
    """Refuse what is not of a real floating type."""
    if not tensor.is_floating_point():
        raise PenchantError(
            f"{call}: {typed(name, tensor)} does not fit; "
            f"needs a floating type{hint or f', for example {name}.float()'}"
        )


def batched(call: str, output: Tensor, *, classes: bool) -> None:
    """Refuse an output without samples, or without classes where they are needed."""
    floating(call, "output", output)
    if output.ndim == 0:
        raise PenchantError(
            f"{call}: {shaped('output', output)} has no dimension of samples; "
            "needs (samples, ...), for example output[None]"
        )
    if classes and output.ndim < 2:
        raise PenchantError(
            f"{call}: {shaped('output', output)} has no dimension of classes; "
            "needs (samples, classes, ...), for example output[None] for one sample"
        )
    if output.numel() == 0:
        raise PenchantError(
            f"{call}: {shaped('output', output)} is empty; needs at least one sample and one "
            "output, since there is no mean over none"
        )


def alike(call: str, output: Tensor, target: Tensor) -> None:
    """Refuse a target of another shape: broadcasting it would compare each with every other."""
    if output.shape == target.shape:
        return
    hint = ""
    if output.numel() == target.numel():
        hint = f", for example target.reshape{tuple(output.shape)}"
    raise PenchantError(
        f"{call}: {shaped('target', target)} does not fit {shaped('output', output)}; "
        f"needs the output's shape{hint}"
    )


def fractions(call: str, name: str, tensor: Tensor, hint: str) -> None:
    """Refuse values outside [0, 1]."""
    extremes = _read(*tensor.detach().aminmax())
    if extremes is None or (extremes[0] >= 0 and extremes[1] <= 1):
        return
    numbers(call, name, tensor)
    place, value = _first(tensor, (tensor < 0) | (tensor > 1))
    raise PenchantError(
        f"{call}: {shaped(name, tensor)} has {value} at {place}; needs numbers in [0, 1]; {hint}"
    )


def rows(call: str, name: str, tensor: Tensor, hint: str) -> None:
    """Refuse what are not probabilities that sum to 1 over dimension 1."""
    values = tensor.detach()
    totals = _row_sums(values)
    read = _read(values.amin(), *totals.aminmax())
    if read is None:
        return
    least, low, high = read
    tolerance = ROW_TOLERANCE[tensor.dtype]
    if least >= 0 and low >= 1 - tolerance and high <= 1 + tolerance:
        return
    numbers(call, name, tensor)
    needed = "needs probabilities that sum to 1 over dimension 1"
    if least < 0:
        place, value = _first(values, values < 0)
        raise PenchantError(
            f"{call}: {shaped(name, tensor)} has {value} at {place}; {needed}; "
            f"{_cause(values, tolerance) or hint}"
        )
    place, value = _first(totals, (totals - 1).abs() > tolerance)
    raise PenchantError(
        f"{call}: {shaped(name, tensor)} sums to {value} over dimension 1 at {place}; {needed} "
        f"within {tolerance:g}; {hint}"
    )


def classes(call: str, target: Tensor, count: int) -> None:
    """Refuse classes outside 0 to count - 1."""
    extremes = _read(*target.aminmax())
    if extremes is None or (extremes[0] >= 0 and extremes[1] < count):
        return
    place, value = _first(target, (target < 0) | (target >= count))
    ignored = "; torch's ignore_index does not exist here: leave such samples out"
    raise PenchantError(
        f"{call}: {shaped('target', target)} has class {value} at {place}; "
        f"needs 0 to {count - 1} for {count} classes{ignored if extremes[0] < 0 else ''}"
    )


def numbers(call: str, name: str, tensor: Tensor) -> None:
    """Refuse NaN."""
    missing = tensor.detach().isnan()
    if missing.any():
        place, _ = _first(tensor, missing)
        raise PenchantError(
            f"{call}: {shaped(name, tensor)} has nan at {place}; needs numbers "
            "(validate=False lets nan through to the value)"
        )


def result(call: str, out: Tensor, output: Tensor, target: Tensor) -> None:
    """Where what came out is not a number, name the argument that caused it.

    Args:
        call: what was called.
        out: what came out: NaN wherever an argument is.
        output: as given.
        target: as given.
    """
    read = _read(out.detach().sum() if out.ndim else out)
    if read is None or not math.isnan(read[0]):
        return
    numbers(call, "output", output)
    numbers(call, "target", target)
    for name, tensor in (("output", output), ("target", target)):
        infinite = tensor.detach().isinf()
        if infinite.any():
            place, value = _first(tensor, infinite)
            raise PenchantError(
                f"{call}: {shaped(name, tensor)} has {value} at {place}, from which nan follows; "
                "needs finite numbers"
            )


def _read(*summaries: Tensor) -> list[float] | None:
    try:
        return [float(summary.item()) for summary in summaries]
    except RuntimeError:  # under vmap or on the meta device there is nothing to read
        return None


def _row_sums(values: Tensor) -> Tensor:
    if values.dtype in (torch.float16, torch.bfloat16):
        return values.sum(1, dtype=torch.float32)
    kind = values.device.type
    if values.ndim == 2 and kind == "cpu" and not torch.is_autocast_enabled(kind):
        # The same sums, two to five times sooner for few classes; autocast may round a product.
        return values.mv(values.new_ones(values.shape[1]))
    return values.sum(1)


def _cause(values: Tensor, tolerance: float) -> str:
    """Say what a row of negative numbers probably is."""
    totals = values.double().exp().sum(1)
    if bool(values.max() <= 0) and bool(((totals - 1).abs() <= 10 * tolerance).all()):
        return (
            "these are log-probabilities, as torch's nn.KLDivLoss takes them: give their exp(), "
            "or an output's with link='softmax'"
        )
    return ""


def _first(tensor: Tensor, where: Tensor) -> tuple[tuple[int, ...], str]:
    place = tuple(int(index) for index in where.nonzero()[0])
    return place, f"{tensor[place].item():.6g}"
