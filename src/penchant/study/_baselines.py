"""Which design each one is compared with: one for all, or for each the one that differs least."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from penchant.errors import PenchantError, nearest
from penchant.study._design import Design, one_line


def baselines_of(designs: Mapping[str, Design], given: str | None) -> dict[str, str]:
    """Return each design's baseline by label; a baseline is its own.

    Args:
        designs: by label, as the user gave them.
        given: a label; or fields, such as ``skip=none``: where one design has them, it is
            everyone's baseline, and where several have, each other design's is the one that
            differs from it in these fields alone. By default the first design is everyone's.

    Raises:
        PenchantError: no design is called so or has the fields, or one is left without a partner.

    Example:
        >>> from penchant.study._families import design
        >>> designs = {name: design({"activation": name.split()[0], "depth": name.split()[1]})
        ...            for name in ("relu 2", "sine 2", "relu 4", "sine 4")}
        >>> baselines_of(designs, "activation=relu")["sine 4"]
        'relu 4'
        >>> set(baselines_of(designs, "sine 2").values())
        {'sine 2'}
    """
    if given is None:
        return dict.fromkeys(designs, next(iter(designs)))
    if given in designs:
        return dict.fromkeys(designs, given)
    fields = parse_fields(given, "baseline") if "=" in given else {}
    _check_fields(given, fields, list(designs.values()))
    changed = {label: _with(one, fields) for label, one in designs.items()}
    having = [label for label, one in designs.items() if fields and changed[label] == one]
    if not having:
        raise PenchantError(
            f"baseline={given!r} is not in the plan: {nearest(given, list(designs))}"
        )
    if len(having) == 1:
        return dict.fromkeys(designs, having[0])
    labels = {one: label for label, one in designs.items()}
    partners = {label: labels.get(one) if one else None for label, one in changed.items()}
    names = " and ".join(fields)
    for label, partner in partners.items():
        if partner is None:
            raise PenchantError(
                f"baseline={given!r}: {len(having)} designs have it, and none of them differs from "
                f"{label} in {names} alone; add that one, or name one baseline by its label"
            )
        if partner == label and list(partners.values()).count(label) == 1:
            raise PenchantError(
                f"baseline={given!r}: {len(having)} designs have it, and no design differs from "
                f"{label} in {names} alone; add one, or name one baseline by its label"
            )
    return {label: partner for label, partner in partners.items() if partner is not None}


def _check_fields(given: str, fields: Mapping[str, Any], designs: Sequence[Design]) -> None:
    """Refuse fields that no design has, and values that fit none."""
    known = dict.fromkeys(name for one in designs for name in type(one).model_fields)
    for name in fields:
        if name not in known:
            raise PenchantError(
                f"baseline={given!r}: axis {name!r} is unknown: {nearest(name, list(known))}"
            )
    if fields and all(_with(one, fields) is None for one in designs):
        try:
            designs[0].replaced(**fields)
        except ValidationError as error:
            raise PenchantError(f"baseline={given!r}: {one_line(error)}") from error


def _with(one: Design, fields: Mapping[str, Any]) -> Design | None:
    """Return a design with fields changed; None where they do not fit it."""
    try:
        return one.replaced(**fields)
    except ValidationError:
        return None


def parse_fields(text: str, word: str = "design") -> dict[str, Any]:
    """Read ``activation=relu,encoding=fourier``.

    Args:
        text: what was typed.
        word: what for, as messages name it.

    Raises:
        PenchantError: another form, or an axis that is given twice.

    Example:
        >>> parse_fields("activation=relu,encoding=fourier")
        {'activation': 'relu', 'encoding': 'fourier'}
    """
    fields: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise PenchantError(f"{word} {text!r}: {part!r} is not of the form axis=value")
        if name.strip() in fields:
            raise PenchantError(f"{word} {text!r}: {name.strip()} is given twice; give it once")
        fields[name.strip()] = value.strip()
    return fields
