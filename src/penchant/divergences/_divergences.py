"""The table of divergences, and how a name becomes one."""

from typing import Any

from penchant.divergences._cross_entropy import BinaryCrossEntropy, CrossEntropy
from penchant.divergences._distances import L1, L2, Huber
from penchant.divergences._divergence import Divergence
from penchant.divergences._kl import KL, BinaryKL
from penchant.divergences._links import LinkName, ReductionName
from penchant.errors import PenchantError, nearest

DIVERGENCES: dict[str, type[Divergence]] = {
    member.name: member
    for member in (L2, L1, Huber, KL, BinaryKL, CrossEntropy, BinaryCrossEntropy)
}
"""Every divergence by its name."""


def divergence(
    name: str,
    *,
    link: LinkName | None = None,
    reduction: ReductionName = "mean",
    validate: bool = True,
    **numbers: float,
) -> Divergence:
    """Build a divergence from its name.

    Args:
        name: a name in `DIVERGENCES`.
        link: what makes the answer of the output; the matching one when not given.
        reduction: "mean" or "sum" over samples, or "none".
        validate: whether to look at values; see `Divergence`.
        **numbers: the member's own: delta of huber, label_smoothing of the cross-entropies.

    Raises:
        PenchantError: the name, the link or the reduction is not known, or a number does not fit
            or is one that the divergence does not have.

    Example:
        >>> divergence("kl")
        KL(link='softmax', reduction='mean')
        >>> divergence("l2", delta=3)
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: divergence('l2', delta=3): l2 has no delta
    """
    if name not in DIVERGENCES:
        known = nearest(str(name), list(DIVERGENCES))
        raise PenchantError(f"divergence({name!r}): no such name; {known}")
    member: Any = DIVERGENCES[name]
    for number, value in numbers.items():
        if number not in member.numbers:
            only = f", only {', '.join(member.numbers)}" if member.numbers else ""
            raise PenchantError(
                f"divergence({name!r}, {number}={value!r}): {name} has no {number}{only}"
            )
    chosen = member.matching_link if link is None else link
    built: Divergence = member(chosen, reduction=reduction, validate=validate, **numbers)
    return built
