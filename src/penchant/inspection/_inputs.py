"""From what a user says of the input to the arguments of a model's forward."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from penchant.errors import PenchantError, nearest

Entry = str | Tensor | Sequence[int]
Input = Entry | Sequence[Entry] | Mapping[str, Entry]

MOST_NUMBERS = 100_000_000
"""An input with more is taken for a slip."""

_WORDS = re.compile(r"(?:([A-Za-z_]\w*)=)?(?:([a-z]+\d*):)?(\d+(?:[x×]\d+)*)", re.ASCII)
_TYPES = {
    "int": torch.int64,
    "float": None,
    "bool": torch.bool,
    **{
        str(dtype).removeprefix("torch."): dtype
        for dtype in (
            *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
            *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
            *(torch.complex64, torch.complex128),
        )
    },
}


@dataclass(frozen=True)
class Given:
    """One tensor that goes in.

    Args:
        name: the argument it is for, "" where it goes by its place.
        shape: its shape, batch included.
        dtype: its type; None for that of the model's parameters.
        sample: whether a batch of 1 was put before the shape that was given.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype | None
    sample: bool


def read_inputs(input: Input) -> list[Given]:
    """Read what a user says of the input.

    Args:
        input: words such as ``3x224x224``, ``ids=int:128``; one sample's shape; a tensor with its
            batch; a list of these, or a mapping from arguments' names to them.

    Returns:
        One entry a tensor.

    Raises:
        PenchantError: it is none of these, or too large.

    Example:
        >>> read_inputs("ids=int:128")
        [Given(name='ids', shape=(1, 128), dtype=torch.int64, sample=True)]
        >>> [given.shape for given in read_inputs([(3, 8, 8), (5,)])]
        [(1, 3, 8, 8), (1, 5)]
    """
    if isinstance(input, Mapping):
        return [_read(entry, name) for name, entry in input.items()]
    if isinstance(input, str | Tensor) or _is_shape(input):
        return [_read(input, "")]
    if not isinstance(input, Sequence) or not input:
        raise _refused(input)
    return [_read(entry, "") for entry in input]


def _is_shape(entry: object) -> bool:
    return isinstance(entry, Sequence) and bool(entry) and all(type(size) is int for size in entry)


def _refused(entry: object) -> PenchantError:
    return PenchantError(
        f"inspect(input={entry!r}): is no input; give one sample's shape such as (3, 224, 224), a "
        "tensor with its batch, or several of these in a list, or by name in a dictionary"
    )


def _read(entry: object, name: str) -> Given:
    if isinstance(entry, Tensor):
        return Given(name, tuple(entry.shape), entry.dtype, sample=False)
    if isinstance(entry, str):
        return _read_words(entry, name)
    if not isinstance(entry, Sequence) or not _is_shape(entry):
        raise _refused(entry)
    return _sample(str(tuple(entry)), name, tuple(entry), None)


def _read_words(words: str, name: str) -> Given:
    found = _WORDS.fullmatch(words.strip())
    if not found:
        raise PenchantError(
            f"--input {words}: is no shape; write whole numbers joined by x, such as 3x224x224, "
            "with a name or a type before it where needed: mask=3x32x32, ids=int:128"
        )
    given, dtype, sizes = found.groups()
    if dtype is not None and dtype not in _TYPES:
        raise PenchantError(f"--input {words}: no type {dtype!r}; {nearest(dtype, list(_TYPES))}")
    digits = re.split("[x×]", sizes)
    if any(len(size) > 12 for size in digits):
        raise PenchantError(f"--input {words}: has a size of more than 12 digits")
    shape = tuple(map(int, digits))
    return _sample(words, name or given or "", shape, _TYPES[dtype] if dtype else None)


def _sample(words: str, name: str, shape: tuple[int, ...], dtype: torch.dtype | None) -> Given:
    if min(shape) < 1:
        raise PenchantError(f"input {words}: has a size below 1; whole numbers from 1 fit")
    if prod(shape) > MOST_NUMBERS:
        raise PenchantError(
            f"input {words}: has {prod(shape):,} numbers; at most {MOST_NUMBERS:,} fit"
        )
    return Given(name, (1, *shape), dtype, sample=True)


def bind(model: nn.Module, given: Sequence[Given]) -> tuple[list[Given], dict[str, Given], bool]:
    """Say which argument of the model's forward each input is for.

    Args:
        model: the network.
        given: the inputs.

    Returns:
        Those that go by their place, those that go by name, and whether the latter are one
        dictionary instead.

    Raises:
        PenchantError: the model takes other inputs.
    """
    places = [entry for entry in given if not entry.name]
    names = {entry.name: entry for entry in given if entry.name}
    if len(places) + len(names) < len(given):
        raise PenchantError("inspect: two inputs have one name")
    try:
        form = signature(model.forward)
    except (TypeError, ValueError):  # no signature to be had: calling it will tell
        return places, names, False
    parameters = list(form.parameters.values())
    known = [one.name for one in parameters if one.kind in _NAMED]
    needed = [one for one in parameters if one.kind in _NAMED and one.default is Parameter.empty]
    if any(one.kind is Parameter.VAR_KEYWORD for one in parameters):
        known += [name for name in names if name not in known]
    unknown = [name for name in names if name not in known]
    if unknown and not places and len(needed) <= 1 and len(unknown) == len(names) and known:
        return [], names, True
    call = f"{type(model).__name__}.forward({', '.join(map(str, parameters))})"
    if unknown:
        raise PenchantError(f"{call} has no argument {unknown[0]!r}; {nearest(unknown[0], known)}")
    try:
        form.bind(*places, **names)
    except TypeError as error:
        example = " ".join(f"--input {one.name}=..." for one in needed)
        hint = f"; by name: {example}" if len(needed) > 1 else ""
        told = f"{len(given)} input{'s' * (len(given) != 1)} given"
        raise PenchantError(f"{call}: {told}, and that does not fit: {error}{hint}") from None
    # In forward's order, so that what is said of the first input does not hang on the user's.
    return places, {name: names[name] for name in known if name in names}, False


_NAMED = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Arguments:
    """What the model's forward is called with."""

    places: list[Given]
    names: dict[str, Given]
    dictionary: bool

    def made(
        self, model: nn.Module, device: torch.device
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Make the tensors, of zeros.

        Args:
            model: the network, whose first parameter says the type.
            device: where they are.

        Returns:
            Positional and named arguments.
        """
        plain = parameter_type(model)

        def one(given: Given) -> Tensor:
            return torch.zeros(given.shape, dtype=given.dtype or plain, device=device)

        args = tuple(map(one, self.places))
        named = {name: one(given) for name, given in self.names.items()}
        return ((*args, named), {}) if self.dictionary else (args, named)

    def described(self, model: nn.Module) -> dict[str, tuple[tuple[int, ...], str]]:
        """Name every tensor, with its shape and type."""
        plain = parameter_type(model)
        try:
            form = signature(model.forward).parameters.values()
            known = [one.name for one in form if one.kind in _NAMED]
        except (TypeError, ValueError):
            known = []
        found: dict[str, tuple[tuple[int, ...], str]] = {}
        for number, given in enumerate(self.places):
            name = known[number] if number < len(known) else f"input {number}"
            found[name if name not in found else f"input {number}"] = _told(given, plain)
        found.update({name: _told(given, plain) for name, given in self.names.items()})
        return found


def _told(given: Given, plain: torch.dtype) -> tuple[tuple[int, ...], str]:
    return given.shape, str(given.dtype or plain).removeprefix("torch.")


def parameter_type(model: nn.Module) -> torch.dtype:
    """Return the type of a model's first parameter of real numbers, else torch's default."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            return parameter.dtype
    return torch.get_default_dtype()
