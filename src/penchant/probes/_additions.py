"""Residual blocks in anyone's network: the additions that join a branch to what it began with.

Decisions:
- Found in one forward pass by following every tensor's descent, not by class: an addition is
  residual where one operand is an ancestor of the other. So a bias, a position code or a mask is
  no residual (no ancestor), and one forward may hold several blocks.
- The branch must mix numbers (a convolution, a matrix product, attention, pooling) on the way:
  `x + 0.04 * x**3` in an approximate GELU is an activation, not a block.
- An ancestor may come through a projection (convolution, linear, norm, strided slice, padding),
  and then the branch must bend: the sum of two linear maps is one linear map.
- A part of a tensor is another tensor. Or else the recurrence W x_t + U h would be taken for a
  block, since h has seen x.
- What has been added to stays an ancestor: x + attention(x) + mlp(x) are two blocks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from penchant.probes._functions import KEEPING, MIXING, PROJECTING
from penchant.probes._passes import Frame, Pass, tensors

_ADDITIONS = frozenset(("add", "add_"))


@dataclass(frozen=True)
class Addition:
    """A residual block's addition.

    Args:
        path: the innermost module whose forward adds.
        projected: whether the identity path is a projection.
    """

    path: str
    projected: bool


@dataclass(frozen=True)
class _Descent:
    """From which tensors one comes; each is a bit.

    Args:
        all: all of them, itself included.
        same: those that it is, or that it is a sum of with a branch.
        plain: those that it is a projection of.
        mixed: those of which numbers were mixed on some way here.
        bent: those behind something not linear on some way here.
    """

    all: int = 0
    same: int = 0
    plain: int = 0
    mixed: int = 0
    bent: int = 0


class Additions(Pass):
    """A pass that finds residual additions; a subclass says what comes of them.

    Args:
        network: the network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.found: list[Addition] = []
        self._descents: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._next = 0

    def add(self, addition: Addition, kept: Tensor, branch: Tensor) -> Tensor:
        """Return kept + branch, the identity path's tensor and the branch's."""
        return kept + branch

    def enter(self, frame: Frame, inputs: tuple[Any, ...]) -> None:
        for one in tensors(inputs):
            if one not in self._descents:  # the network's inputs, or of unseen making
                bit = self._bit()
                self._descents[one] = _Descent(bit, bit, bit)

    def leave(self, frame: Frame, inputs: tuple[Any, ...], output: Any) -> None:
        made = [one for one in tensors(output) if one not in self._descents]
        if made:  # by what no mode sees, an autograd function for one: anything may have happened
            known = self._known(inputs)
            for one in made:
                self._descents[one] = self._opaque(known, True)

    def function(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        name = "add_" if name == "__iadd__" else name
        known = self._known((args, kwargs))
        if name in _ADDITIONS and len(known) == 2 and len(args) == 2 and "out" not in kwargs:
            first, other = args
            joined = self._join(first, other, kwargs.get("alpha", 1), name == "add_")
            if joined is not None:
                return joined
        output = func(*args, **kwargs)
        if known:  # each output by itself: the parts that a split makes are several tensors
            for one in [args[0]] if name == "__setitem__" else tensors(output):
                self._descents[one] = self._descent(name, args, known)
        return output

    def _join(self, first: Tensor, other: Tensor, alpha: float, writing: bool) -> Tensor | None:
        """Answer a residual addition; None where it is none."""
        if first.shape != other.shape or first.ndim < 2 or not first.is_floating_point():
            return None
        one, two = self._descents[first], self._descents[other]
        order = _order(one, two)
        if order is None:
            return None
        swapped, projected = order
        addition = Addition(self.frames[-1].path, projected)
        self.found.append(addition)
        weighted = other if alpha == 1 else alpha * other
        pair = (weighted, first) if swapped else (first, weighted)
        if writing:  # what is overwritten may be one of the two that the subclass keeps
            output = first.copy_(self.add(addition, pair[0].clone(), pair[1].clone()))
        else:
            output = self.add(addition, *pair)
        bit = self._bit()
        kept = two if swapped else one
        straight = (one.plain | two.plain) & ~(one.bent | two.bent)
        self._descents[output] = _Descent(
            one.all | two.all | bit,
            bit | (0 if projected else kept.same),
            bit | straight,
            one.mixed | two.mixed,
            one.bent | two.bent,
        )
        return output

    def _descent(self, name: str, args: tuple[Any, ...], known: list[_Descent]) -> _Descent:
        if len(known) == 1 and name in KEEPING:
            (one,) = known
            bit = self._bit()
            return _Descent(one.all | bit, one.same | bit, one.plain | bit, one.mixed, one.bent)
        strided = name == "__getitem__" and _keeps_reach(args[1])
        if len(known) == 1 and (name in PROJECTING or strided):
            (one,) = known
            bit = self._bit()
            mixed = one.mixed | (one.all if name in MIXING else 0)
            return _Descent(one.all | bit, bit, one.plain | bit, mixed, one.bent)
        if len(known) == 2 and name in (*_ADDITIONS, "sub", "sub_"):
            one, two = known
            bit = self._bit()
            bent = one.bent | two.bent
            plain = bit | ((one.plain | two.plain) & ~bent)
            return _Descent(one.all | two.all | bit, bit, plain, one.mixed | two.mixed, bent)
        return self._opaque(known, name in MIXING)

    def _opaque(self, known: list[_Descent], mixing: bool) -> _Descent:
        bit, above, mixed = self._bit(), 0, 0
        for one in known:
            above |= one.all
            mixed |= one.all if mixing else one.mixed
        return _Descent(above | bit, bit, bit, mixed, above)

    def _known(self, held: Any) -> list[_Descent]:
        """Return the descents of the tensors that come from the input."""
        return [self._descents[one] for one in tensors(held) if one in self._descents]

    def _bit(self) -> int:
        self._next += 1
        return 1 << (self._next - 1)


def _order(one: _Descent, two: _Descent) -> tuple[bool, bool] | None:
    """Return whether the second operand is the identity path, and whether by a projection.

    Where both could be, as in sums of several blocks' streams, it is the one whose ancestor is the
    later: the tensor itself before what it was made of.
    """
    for by_projection in (False, True):
        shared = [_fork(kept, branch, by_projection) for kept, branch in ((one, two), (two, one))]
        if any(shared):
            return shared[1] > shared[0], by_projection
    return None


def _fork(kept: _Descent, branch: _Descent, by_projection: bool) -> int:
    """Return the bit of the tensor where the two paths part, if they part as a block's do, else 0.

    It is the latest that both come from. What happened to it counts: in x + 0.04·x³ nothing is
    mixed behind x, however much was before.
    """
    common = (kept.plain & ~kept.bent if by_projection else kept.same) & branch.all
    latest = 1 << common.bit_length() >> 1
    return latest & branch.mixed & (branch.bent if by_projection else latest)


def _keeps_reach(index: Any) -> bool:
    """Say whether an index takes every k-th from the first to the last, as strided shortcuts do."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is Ellipsis or (isinstance(part, slice) and part.start is None and part.stop is None)
        for part in parts
    )
