"""What a signal's values are held to, whatever its kind."""

import numpy as np
from jaxtyping import Float

from penchant.errors import PenchantError


def check_unit(what: str, values: Float[np.ndarray, "*grid"]) -> None:
    """Refuse values that are not finite or lie outside [0, 1].

    Args:
        what: the signal, at the beginning of a sentence.
        values: of any shape.

    Raises:
        PenchantError: such a value.
    """
    if not (values.min() >= 0 and values.max() <= 1):  # so that nan fails too
        raise PenchantError(
            f"{what}: values reach from {values.min():g} to {values.max():g}; "
            "they must be finite and within [0, 1]"
        )


def read_only(given: np.ndarray, dtype: type[np.generic]) -> np.ndarray:
    """Return a contiguous array that nobody else can write to, copied only where it must be.

    Example:
        >>> read_only(np.ones(2), np.float32).flags.writeable
        False
    """
    array = np.ascontiguousarray(given, dtype=dtype)
    if array.flags.writeable:
        if np.shares_memory(array, given):
            array = array.copy()
        array.flags.writeable = False
    return array
